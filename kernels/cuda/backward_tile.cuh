// What the gradient kernels share: elements of a precision, products of fragments, quotients by a fixed divisor.
#ifndef MMC_KERNELS_CUDA_BACKWARD_TILE_CUH
#define MMC_KERNELS_CUDA_BACKWARD_TILE_CUH

#include "kernels/cuda/backward.h"
#include "kernels/cuda/conv_tile.cuh"

template <int PRECISION> struct mmc_element { typedef float type; };
template <> struct mmc_element<MMC_CUDA_BF16> { typedef mmc_bf16 type; };

__device__ __forceinline__ int mmc_quotient(mmc_cuda_divider d, int n) {
    uint32_t high = static_cast<uint32_t>((static_cast<uint64_t>(static_cast<uint32_t>(n)) * d.magic) >> 32);
    return static_cast<int>((high + static_cast<uint32_t>(n)) >> d.shift);
}

// acc (M x N fragments of 16x8) += a b for 32 bytes along the sum: 8 floats or 16 bf16. fp32 is computed as 3xTF32,
// small products first; each 8 products are added to acc by a rounding addition, since the tensor cores truncate.
template <int PRECISION, int M, int N>
__device__ __forceinline__ void mmc_multiply(float (&acc)[M][N][4], uint32_t (&a)[M][4], uint32_t (&b)[N][2]) {
    if constexpr (PRECISION == MMC_CUDA_FP32) {
        uint32_t b_low[N][2];
#pragma unroll
        for (int j = 0; j < N; j++)
#pragma unroll
            for (int i = 0; i < 2; i++)
                mmc_split<true>(b[j][i], b_low[j][i], b[j][i]);
#pragma unroll
        for (int m = 0; m < M; m++) {
            uint32_t a_high[4], a_low[4];
#pragma unroll
            for (int i = 0; i < 4; i++)
                mmc_split<false>(a_high[i], a_low[i], a[m][i]);
#pragma unroll
            for (int j = 0; j < N; j++) {
                float sum[4] = {0, 0, 0, 0};
                mmc_mma_m16n8k8_tf32(sum, a_low, b[j]);
                mmc_mma_m16n8k8_tf32(sum, a_high, b_low[j]);
                mmc_mma_m16n8k8_tf32(sum, a_high, b[j]);
#pragma unroll
                for (int i = 0; i < 4; i++)
                    acc[m][j][i] += sum[i];
            }
        }
    } else {
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int j = 0; j < N; j++)
                if constexpr (PRECISION == MMC_CUDA_TF32)
                    mmc_mma_m16n8k8_tf32(acc[m][j], a[m], b[j]);
                else
                    mmc_mma_m16n8k16_bf16(acc[m][j], a[m], b[j]);
    }
}
#endif
