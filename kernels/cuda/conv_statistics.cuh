// Mean and variance of a convolution's output per channel, from its accumulators.
//
// Order: within a tile the mean, then the squares about it, from the rows of a thread, the eight threads of a column,
//     the warps; float. The tiles of a group in their order, then the groups, in double, each about its own mean:
//     squares = sum of squares_i + count_i (mean_i - mean)^2. The last block of a group to arrive merges it, the last
//     group of a set and a range of channels all groups; who is last does not change what is added to what.
#ifndef MMC_KERNELS_CUDA_CONV_STATISTICS_CUH
#define MMC_KERNELS_CUDA_CONV_STATISTICS_CUH

#include "kernels/cuda/conv_halo.cuh"

// Partial results of one set and range of channels.
struct mmc_partials {
    float *count;        // of tile i, then of group i
    float2 *mean_square; // row i of `channels`: (mean, sum of squares about it)
    size_t channels;
};

// Sums over the rows of a block's tile: SQUARES false: of the values, true: of (value - mean)^2; to part[warp along the
// rows][column]. `there`: bit 2 i + h, whether row g + 8 h of the 16 rows i is a pixel of the output.
template <bool SQUARES, int MT, int NT, int WIDTH>
__device__ __forceinline__ void mmc_column_sums(float (&part)[WIDTH], const float (&sum)[MT][NT][4], unsigned there,
                                                const float (&mean)[WIDTH], int first_column) {
    const int lane = static_cast<int>(threadIdx.x) & 31;
    MMC_UNROLL
    for (int j = 0; j < NT; j++) {
        MMC_UNROLL
        for (int e = 0; e < 2; e++) {
            const int column = first_column + j * 8 + lane % 4 * 2 + e;
            const float about = SQUARES ? mean[column] : 0.0f;
            float total = 0.0f;
            MMC_UNROLL
            for (int i = 0; i < 2 * MT; i++) {
                const float v = sum[i / 2][j][i % 2 * 2 + e] - about;
                total += (there >> i & 1) ? (SQUARES ? v * v : v) : 0.0f;
            }
            total += __shfl_xor_sync(0xffffffffu, total, 4);
            total += __shfl_xor_sync(0xffffffffu, total, 8);
            total += __shfl_xor_sync(0xffffffffu, total, 16);
            if (lane < 4)
                part[column] = total;
        }
    }
}

// Merges rows [begin, end) of one channel.
struct mmc_moments {
    double count, mean, squares;
};
__device__ __forceinline__ mmc_moments mmc_merge(const mmc_partials &partials, int begin, int end, int channel) {
    double count = 0.0, sum = 0.0, squares = 0.0;
    for (int i = begin; i < end; i++) {
        const double n = partials.count[i];
        count += n;
        sum += n * partials.mean_square[i * partials.channels + channel].x;
    }
    const double mean = sum / count;
    for (int i = begin; i < end; i++) {
        const float2 p = partials.mean_square[i * partials.channels + channel];
        const double d = p.x - mean;
        squares += p.y + partials.count[i] * d * d;
    }
    return {count, mean, squares};
}

// Whether this block is the last of `blocks` to arrive; the counter is zero again then. What the others wrote before
// they arrived is visible to the last.
__device__ __forceinline__ bool mmc_arrive(unsigned *counter, unsigned blocks, bool &last) {
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        last = atomicAdd(counter, 1u) == blocks - 1;
        if (last)
            *counter = 0;
    }
    __syncthreads();
    const bool mine = last;
    if (mine)
        __threadfence();
    return mine;
}
#endif
