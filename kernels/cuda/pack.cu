// Packing of convolution weights: (K,C,R,R) float -> [r*s][kp][cp] and, turned for the gradient by data,
// [r*s, last first][cp][kp]; tf32-rounded, bf16 or float.
//
// Blocks and threads: one thread a filter plane of R R floats, neighbours in a warp along the channels that the output
//     holds innermost, so that writes are coalesced; reads of a warp lie together (turned: 36 bytes every C planes,
//     held by L1 for the taps). Rows and channels that only pad are written as zero by threads of their own.
// Shared memory: none.
// Bytes per weight: 4 read, 4 (bf16 2) written, twice that where it is turned too; no FLOP. Order: no sums.
#include "kernels/cuda/compat.cuh"
#include "kernels/cuda/conv.h"

namespace {

enum { BLOCK = 256 };

template <bool ROUND> __device__ __forceinline__ void pack_store(float *to, float v) {
    *to = ROUND ? __uint_as_float(mmc_to_tf32(v)) : v;
}
template <bool ROUND> __device__ __forceinline__ void pack_store(mmc_bf16 *to, float v) {
    mmc_store(to, v);
}

// TURNED: rows are input channels, columns output channels.
template <class Element, bool ROUND, bool TURNED>
__global__ void __launch_bounds__(BLOCK)
    pack_kernel(unsigned char *packed, size_t packed_stride, const float *w, size_t set_stride, int sets, int k, int c,
                int taps, int rows, int columns) {
    const size_t index = static_cast<size_t>(blockIdx.x) * BLOCK + threadIdx.x;
    const size_t plane = static_cast<size_t>(rows) * columns;
    const size_t t = index / plane;
    if (t >= static_cast<size_t>(sets))
        return;
    const size_t place = index - t * plane;
    const int row = static_cast<int>(place / columns), column = static_cast<int>(place % columns);
    const int out = TURNED ? column : row, in = TURNED ? row : column;
    const bool there = out < k && in < c;
    const float *from = w + t * set_stride + (static_cast<size_t>(out) * c + in) * taps;
    Element *to = reinterpret_cast<Element *>(packed + t * packed_stride) + place;
    for (int tap = 0; tap < taps; tap++) {
        const float v = there ? from[TURNED ? taps - 1 - tap : tap] : 0.0f;
        pack_store<ROUND>(to + tap * plane, v);
    }
}

template <class Element, bool ROUND>
cudaError_t pack(unsigned char *packed, const float *w, size_t set_stride, int sets, int k, int c, int r, bool turned,
                 cudaStream_t stream) {
    const int kp = mmc_cuda_pad(k), cp = mmc_cuda_pad(c);
    const size_t plane = static_cast<size_t>(kp) * cp, array = plane * r * r * sizeof(Element);
    const unsigned blocks = static_cast<unsigned>((plane * sets + BLOCK - 1) / BLOCK);
    MMC_LAUNCH((pack_kernel<Element, ROUND, false>), blocks, BLOCK, 0, stream, packed, array, w, set_stride, sets, k, c,
               r * r, kp, cp);
    cudaError_t error = cudaGetLastError();
    if (!turned || error != cudaSuccess)
        return error;
    MMC_LAUNCH((pack_kernel<Element, ROUND, true>), blocks, BLOCK, 0, stream, packed + array * sets, array, w,
               set_stride, sets, k, c, r * r, cp, kp);
    return cudaGetLastError();
}

} // namespace

extern "C" cudaError_t mmc_cuda_pack(void *packed, const float *w, size_t set_stride, int sets, int k, int c, int r,
                                     bool turned, mmc_cuda_precision precision, cudaStream_t stream) {
    unsigned char *to = static_cast<unsigned char *>(packed);
    if (precision == MMC_CUDA_BF16)
        return pack<mmc_bf16, false>(to, w, set_stride, sets, k, c, r, turned, stream);
    if (precision == MMC_CUDA_TF32)
        return pack<float, true>(to, w, set_stride, sets, k, c, r, turned, stream);
    return pack<float, false>(to, w, set_stride, sets, k, c, r, turned, stream);
}
