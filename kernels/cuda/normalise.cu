// An activation that was put off, computed for a reader that cannot normalise on the way:
// y = act(norm(z) + residual_norm(residual)).
//
// Blocks and threads: one thread 16 bytes of the channels of STRIP neighbouring pixels, neighbours in a warp along the
//     channels, so that batch norm's coefficients are computed once a strip.
// Shared memory: none.
// Bytes per element: 4 (bf16 2) read and written, as much again for a residual; 2-5 FLOP. Bound by memory. z may be y.
// Order: no sums.
#include "kernels/cuda/piece.cuh"

namespace {

enum { BLOCK = 256, STRIP = 8 };

template <class Element>
__global__ void __launch_bounds__(BLOCK)
    normalise_kernel(const mmc_cuda_source source, int sets, size_t pixels, int channels, int padded) {
    using Piece = mmc_piece<Element>;
    const size_t pieces = static_cast<size_t>(padded) / Piece::COUNT, strips = (pixels + STRIP - 1) / STRIP;
    const size_t index = static_cast<size_t>(blockIdx.x) * BLOCK + threadIdx.x;
    const size_t piece = index % pieces, strip = index / pieces % strips, t = index / (pieces * strips);
    if (t >= static_cast<size_t>(sets))
        return;
    const bool normed = source.residual_norm.mean != nullptr;
    mmc_channel_norm norm[Piece::COUNT], residual_norm[Piece::COUNT];
    MMC_UNROLL
    for (int i = 0; i < Piece::COUNT; i++) {
        const int channel = static_cast<int>(piece) * Piece::COUNT + i;
        norm[i] = mmc_norm_of(source.norm, t, channel, channels);
        if (normed)
            residual_norm[i] = mmc_norm_of(source.residual_norm, t, channel, channels);
    }
    const uint4 *z = static_cast<const uint4 *>(source.z), *residual = static_cast<const uint4 *>(source.residual);
    uint4 *y = static_cast<uint4 *>(source.y);
    const size_t end = (strip + 1) * STRIP < pixels ? (strip + 1) * STRIP : pixels;
    for (size_t pixel = strip * STRIP; pixel < end; pixel++) {
        const size_t place = (t * pixels + pixel) * pieces + piece;
        float v[Piece::COUNT], r[Piece::COUNT] = {};
        Piece::unpack(v, z[place]);
        if (residual)
            Piece::unpack(r, residual[place]);
        MMC_UNROLL
        for (int i = 0; i < Piece::COUNT; i++) {
            v[i] = mmc_norm_apply(norm[i], v[i]) + (normed ? mmc_norm_apply(residual_norm[i], r[i]) : r[i]);
            v[i] = source.relu ? mmc_relu(v[i]) : v[i];
        }
        y[place] = Piece::pack(v);
    }
}

} // namespace

extern "C" cudaError_t mmc_cuda_normalise(const mmc_cuda_source *source, int sets, int n, int c, int h, int w,
                                          mmc_cuda_precision precision, cudaStream_t stream) {
    const size_t pixels = static_cast<size_t>(n) * h * w, strips = (pixels + STRIP - 1) / STRIP;
    const int padded = mmc_cuda_pad(c), count = precision == MMC_CUDA_BF16 ? 8 : 4;
    const size_t threads = strips * (padded / count) * sets;
    if (threads == 0)
        return cudaSuccess;
    const unsigned blocks = static_cast<unsigned>((threads + BLOCK - 1) / BLOCK);
    if (precision == MMC_CUDA_BF16)
        MMC_LAUNCH((normalise_kernel<mmc_bf16>), blocks, BLOCK, 0, stream, *source, sets, pixels, c, padded);
    else
        MMC_LAUNCH((normalise_kernel<float>), blocks, BLOCK, 0, stream, *source, sets, pixels, c, padded);
    return cudaGetLastError();
}
