// Pieces of 16 bytes of an activation's channels, and the batch norm that a reader applies to them.
#ifndef MMC_KERNELS_CUDA_PIECE_CUH
#define MMC_KERNELS_CUDA_PIECE_CUH

#include "kernels/cuda/compat.cuh"
#include "kernels/cuda/conv.h"

#include <cmath>

template <class Element> struct mmc_piece;

template <> struct mmc_piece<float> {
    static constexpr int COUNT = 4;
    static __device__ __forceinline__ void unpack(float (&v)[COUNT], const uint4 &bits) {
        v[0] = __uint_as_float(bits.x);
        v[1] = __uint_as_float(bits.y);
        v[2] = __uint_as_float(bits.z);
        v[3] = __uint_as_float(bits.w);
    }
    static __device__ __forceinline__ uint4 pack(const float (&v)[COUNT]) {
        return make_uint4(__float_as_uint(v[0]), __float_as_uint(v[1]), __float_as_uint(v[2]), __float_as_uint(v[3]));
    }
};

template <> struct mmc_piece<mmc_bf16> {
    static constexpr int COUNT = 8;
    static __device__ __forceinline__ void unpack(float (&v)[COUNT], const uint4 &bits) {
        v[0] = mmc_bf16_low(bits.x);
        v[1] = mmc_bf16_high(bits.x);
        v[2] = mmc_bf16_low(bits.y);
        v[3] = mmc_bf16_high(bits.y);
        v[4] = mmc_bf16_low(bits.z);
        v[5] = mmc_bf16_high(bits.z);
        v[6] = mmc_bf16_low(bits.w);
        v[7] = mmc_bf16_high(bits.w);
    }
    static __device__ __forceinline__ uint4 pack(const float (&v)[COUNT]) {
        return make_uint4(mmc_to_bf16x2(v[0], v[1]), mmc_to_bf16x2(v[2], v[3]), mmc_to_bf16x2(v[4], v[5]),
                          mmc_to_bf16x2(v[6], v[7]));
    }
};

// Batch norm of one channel: scale (v - mean) + shift. The mean is taken off first: folded into the shift it would
// cancel where it is large beside the spread.
struct mmc_channel_norm {
    float mean, scale, shift;
};

// That of a channel of set t; nothing but zero for the channels that only pad.
__device__ __forceinline__ mmc_channel_norm mmc_norm_of(const mmc_cuda_norm &norm, size_t t, int channel,
                                                        int channels) {
    if (channel >= channels)
        return {0.0f, 0.0f, 0.0f};
    const size_t parameter = t * norm.set_stride + channel, statistic = t * norm.stat_stride + channel;
    const float spread = sqrtf(norm.var[statistic] + static_cast<float>(MMC_BN_EPS));
    return {norm.mean[statistic], norm.gamma[parameter] / spread, norm.beta[parameter]};
}

__device__ __forceinline__ float mmc_norm_apply(const mmc_channel_norm &norm, float v) {
    return fmaf(v - norm.mean, norm.scale, norm.shift);
}

// A NaN stays: it must not end as a finite loss.
__device__ __forceinline__ float mmc_relu(float v) {
    return v < 0.0f ? 0.0f : v;
}
#endif
