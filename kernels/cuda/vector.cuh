// Four elements of a float vector per thread: one 16-byte access where every pointer is aligned, else four coalesced
// accesses of 4 bytes. A block of B threads owns elements 4 B block .. 4 B (block + 1) - 1 either way.
#ifndef MMC_KERNELS_CUDA_VECTOR_CUH
#define MMC_KERNELS_CUDA_VECTOR_CUH

#include "kernels/cuda/compat.cuh"

#include <cstddef>

constexpr int MMC_VECTOR = 4;

// Where the four elements of this thread lie: first, first + step, ...; those from `count` on do not exist.
template <bool ALIGNED> struct mmc_vector_place {
    size_t first, count;

    __device__ __forceinline__ explicit mmc_vector_place(size_t n)
        : first(static_cast<size_t>(blockIdx.x) * blockDim.x * MMC_VECTOR + threadIdx.x * (ALIGNED ? MMC_VECTOR : 1)),
          count(n) {
    }
    __device__ __forceinline__ size_t at(int i) const {
        return first + (ALIGNED ? i : i * blockDim.x);
    }
    __device__ __forceinline__ bool whole() const {
        return ALIGNED && first + MMC_VECTOR <= count;
    }
    __device__ __forceinline__ void load(float (&v)[MMC_VECTOR], const float *p) const {
        if (whole()) {
            const float4 q = *reinterpret_cast<const float4 *>(p + first);
            v[0] = q.x;
            v[1] = q.y;
            v[2] = q.z;
            v[3] = q.w;
            return;
        }
#pragma unroll
        for (int i = 0; i < MMC_VECTOR; i++)
            v[i] = at(i) < count ? p[at(i)] : 0.0f;
    }
    __device__ __forceinline__ void store(float *p, const float (&v)[MMC_VECTOR]) const {
        if (whole()) {
            *reinterpret_cast<float4 *>(p + first) = make_float4(v[0], v[1], v[2], v[3]);
            return;
        }
#pragma unroll
        for (int i = 0; i < MMC_VECTOR; i++)
            if (at(i) < count)
                p[at(i)] = v[i];
    }
};

static inline bool mmc_vector_aligned(const void *p) {
    return reinterpret_cast<uintptr_t>(p) % (MMC_VECTOR * sizeof(float)) == 0;
}
#endif
