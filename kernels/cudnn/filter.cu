// Weights into cuDNN's filter layout, and their gradients out of it.
//
// Blocks and threads: one thread a pair (output channel, input channel) of one set, neighbours in a warp along the
// input
//     channels of the filter, so that each access to the filter is one run; blocks of 128 threads.
// Shared memory: none.
// Bytes per weight: 4 on the dense side, 4 (bf16 2) in the filter, padding included; no FLOP.
#include "kernels/cuda/element.cuh"
#include "kernels/cudnn/filter.h"

namespace {

enum { BLOCK = 128 };

template <class Element>
__global__ void __launch_bounds__(BLOCK) filter_pack_kernel(Element *packed, const float *w, size_t set_stride,
                                                            int sets, int k, int c, int taps, int kp, int cp) {
    const size_t index = static_cast<size_t>(blockIdx.x) * BLOCK + threadIdx.x, row = index / cp;
    const int in = static_cast<int>(index % cp), out = static_cast<int>(row % kp);
    const size_t t = row / kp;
    if (t >= static_cast<size_t>(sets))
        return;
    const bool there = in < c && out < k;
    const float *from = w + t * set_stride + (static_cast<size_t>(out) * c + in) * taps;
    Element *to = packed + row * taps * cp + in;
    for (int tap = 0; tap < taps; tap++)
        mmc_store(to + static_cast<size_t>(tap) * cp, there ? from[tap] : 0.0f);
}

template <class Element>
__global__ void __launch_bounds__(BLOCK)
    filter_unpack_kernel(float *w, const Element *packed, int k, int c, int taps, int cp) {
    const size_t index = static_cast<size_t>(blockIdx.x) * BLOCK + threadIdx.x, out = index / c;
    const size_t in = index % c;
    if (out >= static_cast<size_t>(k))
        return;
    const Element *from = packed + out * taps * cp + in;
    for (int tap = 0; tap < taps; tap++)
        w[index * taps + tap] = mmc_to_float(from[static_cast<size_t>(tap) * cp]);
}

} // namespace

extern "C" cudaError_t mmc_cudnn_filter_pack(void *packed, const float *w, size_t set_stride, int sets, int k, int c,
                                             int r, mmc_cuda_precision precision, cudaStream_t stream) {
    const int kp = mmc_cuda_pad(k), cp = mmc_cuda_pad(c);
    const unsigned blocks = mmc_grid(static_cast<size_t>(sets) * kp * cp, BLOCK);
    if (blocks == 0)
        return cudaSuccess;
    if (precision == MMC_CUDA_BF16)
        MMC_LAUNCH((filter_pack_kernel<mmc_bf16>), blocks, BLOCK, 0, stream, static_cast<mmc_bf16 *>(packed), w,
                   set_stride, sets, k, c, r * r, kp, cp);
    else
        MMC_LAUNCH((filter_pack_kernel<float>), blocks, BLOCK, 0, stream, static_cast<float *>(packed), w, set_stride,
                   sets, k, c, r * r, kp, cp);
    return cudaGetLastError();
}

extern "C" cudaError_t mmc_cudnn_filter_unpack(float *w, const void *packed, int k, int c, int r,
                                               mmc_cuda_precision precision, cudaStream_t stream) {
    const int cp = mmc_cuda_pad(c);
    const unsigned blocks = mmc_grid(static_cast<size_t>(k) * c, BLOCK);
    if (blocks == 0)
        return cudaSuccess;
    if (precision == MMC_CUDA_BF16)
        MMC_LAUNCH((filter_unpack_kernel<mmc_bf16>), blocks, BLOCK, 0, stream, w, static_cast<const mmc_bf16 *>(packed),
                   k, c, r * r, cp);
    else
        MMC_LAUNCH((filter_unpack_kernel<float>), blocks, BLOCK, 0, stream, w, static_cast<const float *>(packed), k, c,
                   r * r, cp);
    return cudaGetLastError();
}
