// Four neighbouring channels of an activation as one access, float or bf16, and the size of a grid.
#ifndef MMC_KERNELS_CUDA_ELEMENT_CUH
#define MMC_KERNELS_CUDA_ELEMENT_CUH

#include "kernels/cuda/compat.cuh"

#include <cstddef>

// p aligned to 16 (float) or 8 (bf16) bytes.
__device__ __forceinline__ float4 mmc_load4(const float *p) {
    return *reinterpret_cast<const float4 *>(p);
}
__device__ __forceinline__ float4 mmc_load4(const mmc_bf16 *p) {
    const uint2 pairs = *reinterpret_cast<const uint2 *>(p);
    return make_float4(mmc_bf16_low(pairs.x), mmc_bf16_high(pairs.x), mmc_bf16_low(pairs.y), mmc_bf16_high(pairs.y));
}
__device__ __forceinline__ void mmc_store4(float *p, float4 v) {
    *reinterpret_cast<float4 *>(p) = v;
}
__device__ __forceinline__ void mmc_store4(mmc_bf16 *p, float4 v) {
    *reinterpret_cast<uint2 *>(p) = make_uint2(mmc_to_bf16x2(v.x, v.y), mmc_to_bf16x2(v.z, v.w));
}

// Blocks of `per` elements that cover `count`.
static inline unsigned mmc_grid(size_t count, unsigned per) {
    return static_cast<unsigned>((count + per - 1) / per);
}
#endif
