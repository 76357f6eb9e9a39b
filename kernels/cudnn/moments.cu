// Mean and variance of the channels of a batch, of an activation that is in memory: cuDNN's convolution has no epilogue
// for them.
//
// Blocks and threads: a block of 128 threads takes CHUNK pixels by 32 channels of one set, 16 rows of threads by 8
// quads
//     of channels; a second kernel merges the chunks, 8 channels by 32 slices of the chunks a block.
// Shared memory: 16 x 32 pairs of float, 4 KiB; 32 x 8 triples of double, 6 KiB.
// Bytes per element: 4 (bf16 2) read; partial results 16 bytes a chunk and channel. 3 FLOP. Bound by memory.
// Order: a thread adds its 32 pixels as differences from the first pixel of the chunk, in float, so that E[x^2] - m^2
//     does not cancel; rows, then chunks are merged from the first to the last, in double.
#include "kernels/cuda/element.cuh"
#include "kernels/cudnn/filter.h"

namespace {

enum {
    ROWS = 16,
    QUADS = 8,
    CHANNELS = 4 * QUADS,
    PER_THREAD = 32,
    CHUNK = ROWS * PER_THREAD,
    SLICES = 32,
    MERGED = 8
};

struct moments {
    double count, mean, square; // square: sum of squared differences from the mean
};

__device__ __forceinline__ moments merge(const moments &a, const moments &b) {
    if (b.count == 0.0)
        return a;
    const double count = a.count + b.count, delta = b.mean - a.mean, share = b.count / count;
    return {count, a.mean + delta * share, a.square + b.square + delta * delta * a.count * share};
}

template <class Element>
__global__ void __launch_bounds__(ROWS *QUADS)
    statistics_chunk_kernel(double2 *partial, const Element *z, size_t pixels, int padded) {
    __shared__ __align__(16) float sums[ROWS][CHANNELS], squares[ROWS][CHANNELS];
    __shared__ __align__(16) float reference[CHANNELS];
    const int quad = static_cast<int>(threadIdx.x) % QUADS, row = static_cast<int>(threadIdx.x) / QUADS;
    const int channel = static_cast<int>(blockIdx.y) * CHANNELS + 4 * quad;
    const size_t first = static_cast<size_t>(blockIdx.x) * CHUNK, set = blockIdx.z;
    const size_t count = pixels - first < CHUNK ? pixels - first : static_cast<size_t>(CHUNK);
    const bool there = channel < padded;
    const Element *from = z + (set * pixels + first) * padded + channel;
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f), square = sum, shift = sum;
    if (there) {
        shift = mmc_load4(from);
        for (size_t pixel = row; pixel < count; pixel += ROWS) {
            float4 v = mmc_load4(from + pixel * padded);
            v.x -= shift.x;
            v.y -= shift.y;
            v.z -= shift.z;
            v.w -= shift.w;
            sum.x += v.x;
            sum.y += v.y;
            sum.z += v.z;
            sum.w += v.w;
            square.x += v.x * v.x;
            square.y += v.y * v.y;
            square.z += v.z * v.z;
            square.w += v.w * v.w;
        }
    }
    mmc_store4(&sums[row][4 * quad], sum);
    mmc_store4(&squares[row][4 * quad], square);
    if (row == 0)
        mmc_store4(&reference[4 * quad], shift);
    __syncthreads();
    const int mine = static_cast<int>(threadIdx.x), target = static_cast<int>(blockIdx.y) * CHANNELS + mine;
    if (mine >= CHANNELS || target >= padded)
        return;
    double total = 0.0, total_square = 0.0;
    for (int i = 0; i < ROWS; i++) {
        total += sums[i][mine];
        total_square += squares[i][mine];
    }
    const double mean = total / static_cast<double>(count);
    partial[(set * gridDim.x + blockIdx.x) * padded + target] =
        make_double2(reference[mine] + mean, total_square - total * mean);
}

__global__ void __launch_bounds__(SLICES *MERGED)
    statistics_merge_kernel(float *mean, float *var, size_t stat_stride, const double2 *partial, int chunks,
                            size_t pixels, int channels, int padded) {
    __shared__ __align__(16) moments slices[SLICES][MERGED];
    const int lane = static_cast<int>(threadIdx.x) % MERGED, slice = static_cast<int>(threadIdx.x) / MERGED;
    const int channel = static_cast<int>(blockIdx.x) * MERGED + lane; // padded is a multiple of MERGED
    const size_t set = blockIdx.y;
    const int each = (chunks + SLICES - 1) / SLICES, last = (slice + 1) * each;
    const int end = last < chunks ? last : chunks;
    moments m = {0.0, 0.0, 0.0};
    for (int i = slice * each; i < end; i++) {
        const double2 p = partial[(set * chunks + i) * padded + channel];
        const size_t left = pixels - static_cast<size_t>(i) * CHUNK;
        const moments next = {static_cast<double>(left < CHUNK ? left : static_cast<size_t>(CHUNK)), p.x, p.y};
        m = m.count == 0.0 ? next : merge(m, next);
    }
    slices[slice][lane] = m;
    __syncthreads();
    if (slice != 0 || channel >= channels)
        return;
    for (int i = 1; i < SLICES; i++)
        m = merge(m, slices[i][lane]);
    mean[set * stat_stride + channel] = static_cast<float>(m.mean);
    var[set * stat_stride + channel] = static_cast<float>(m.square / static_cast<double>(pixels));
}

unsigned chunk_count(size_t pixels) {
    return mmc_grid(pixels, CHUNK);
}

} // namespace

extern "C" size_t mmc_cudnn_statistics_bytes(int sets, size_t pixels, int channels) {
    return static_cast<size_t>(sets) * chunk_count(pixels) * mmc_cuda_pad(channels) * sizeof(double2);
}

extern "C" cudaError_t mmc_cudnn_statistics(float *mean, float *var, size_t stat_stride, const void *z, int sets,
                                            size_t pixels, int channels, void *workspace, mmc_cuda_precision precision,
                                            cudaStream_t stream) {
    const int padded = mmc_cuda_pad(channels);
    const unsigned chunks = chunk_count(pixels);
    if (chunks == 0 || sets == 0)
        return cudaSuccess;
    double2 *partial = static_cast<double2 *>(workspace);
    const dim3 grid(chunks, mmc_grid(padded, CHANNELS), static_cast<unsigned>(sets));
    if (precision == MMC_CUDA_BF16)
        MMC_LAUNCH((statistics_chunk_kernel<mmc_bf16>), grid, ROWS * QUADS, 0, stream, partial,
                   static_cast<const mmc_bf16 *>(z), pixels, padded);
    else
        MMC_LAUNCH((statistics_chunk_kernel<float>), grid, ROWS * QUADS, 0, stream, partial,
                   static_cast<const float *>(z), pixels, padded);
    const cudaError_t error = cudaGetLastError();
    if (error != cudaSuccess)
        return error;
    MMC_LAUNCH(statistics_merge_kernel, dim3(padded / MERGED, static_cast<unsigned>(sets)), SLICES * MERGED, 0, stream,
               mean, var, stat_stride, partial, static_cast<int>(chunks), pixels, channels, padded);
    return cudaGetLastError();
}
