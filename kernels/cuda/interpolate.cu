// K0: T weight sets from their end points.  out[t] = sum_e coefficient[t,e] end[e]
//
// Blocks and threads: one thread four elements, blocks of 256; with 2 or 3 ends (a line, a quadratic curve) it keeps
//     them in registers and goes through all sets, so that each end point is read once and each weight written once.
//     More ends: one thread an element, four sets at a time in registers; end points are read again for each four.
// Shared memory: none; coefficients come by value among the parameters.
// Bytes per element: 4 ends + 4 T. FLOP: 2 T ends, fused in double as the provider own of a CPU with AVX2 or AVX-512
//     does them, so that the bits are the same; then once to float. An A100 and an H100 are bound by memory; a 4090,
//     with its few double units, nearly as much by arithmetic.
// Order: end points in the order given.
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/flat.h"
#include "kernels/cuda/vector.cuh"

namespace {

enum { BLOCK = 256, COEFFICIENTS = 440, SETS_AT_ONCE = 4 };

// With the other parameters below the 4 KB that a launch may carry.
struct blend {
    const float *end[MMC_CUDA_ENDS_MAX];
    double coefficient[COEFFICIENTS];
    int sets, ends;
};

template <int ENDS, bool ALIGNED>
__global__ void __launch_bounds__(BLOCK) interpolate_kernel(float *out, size_t set_stride, blend b, size_t count) {
    const mmc_vector_place<ALIGNED> place(count);
    double x[ENDS][MMC_VECTOR];
#pragma unroll
    for (int e = 0; e < ENDS; e++) {
        float v[MMC_VECTOR];
        place.load(v, b.end[e]);
        for (int i = 0; i < MMC_VECTOR; i++)
            x[e][i] = v[i];
    }
    for (int t = 0; t < b.sets; t++, out += set_stride) {
        float v[MMC_VECTOR];
#pragma unroll
        for (int i = 0; i < MMC_VECTOR; i++) {
            double sum = 0.0;
#pragma unroll
            for (int e = 0; e < ENDS; e++)
                sum = __fma_rn(b.coefficient[t * ENDS + e], x[e][i], sum);
            v[i] = static_cast<float>(sum);
        }
        place.store(out, v);
    }
}

__global__ void __launch_bounds__(BLOCK) interpolate_many_kernel(float *out, size_t set_stride, blend b, size_t count) {
    const size_t at = static_cast<size_t>(blockIdx.x) * BLOCK + threadIdx.x;
    if (at >= count)
        return;
    for (int t0 = 0; t0 < b.sets; t0 += SETS_AT_ONCE) {
        double sum[SETS_AT_ONCE] = {0.0, 0.0, 0.0, 0.0};
        for (int e = 0; e < b.ends; e++) {
            const double x = b.end[e][at];
#pragma unroll
            for (int i = 0; i < SETS_AT_ONCE; i++)
                if (t0 + i < b.sets)
                    sum[i] = __fma_rn(b.coefficient[(t0 + i) * b.ends + e], x, sum[i]);
        }
#pragma unroll
        for (int i = 0; i < SETS_AT_ONCE; i++)
            if (t0 + i < b.sets)
                out[(t0 + i) * set_stride + at] = static_cast<float>(sum[i]);
    }
}

template <int ENDS>
void launch(float *out, size_t set_stride, const blend &b, size_t count, bool aligned, cudaStream_t stream) {
    const unsigned blocks = mmc_grid(count, BLOCK * MMC_VECTOR);
    if (aligned)
        MMC_LAUNCH((interpolate_kernel<ENDS, true>), blocks, BLOCK, 0, stream, out, set_stride, b, count);
    else
        MMC_LAUNCH((interpolate_kernel<ENDS, false>), blocks, BLOCK, 0, stream, out, set_stride, b, count);
}

} // namespace

extern "C" cudaError_t mmc_cuda_interpolate(float *out, size_t set_stride, int sets, const float *const *end, int ends,
                                            const double *coefficient, size_t count, cudaStream_t stream) {
    if (count == 0)
        return cudaSuccess;
    blend b = {};
    bool aligned = mmc_vector_aligned(out) && (sets == 1 || set_stride % MMC_VECTOR == 0);
    for (int e = 0; e < ends; e++) {
        b.end[e] = end[e];
        aligned = aligned && mmc_vector_aligned(end[e]);
    }
    b.ends = ends;
    const int sets_max = COEFFICIENTS / ends;
    for (int first = 0; first < sets; first += b.sets) {
        b.sets = sets - first < sets_max ? sets - first : sets_max;
        for (int i = 0; i < b.sets * ends; i++)
            b.coefficient[i] = coefficient[first * ends + i];
        float *to = out + first * set_stride;
        if (ends == 2)
            launch<2>(to, set_stride, b, count, aligned, stream);
        else if (ends == 3)
            launch<3>(to, set_stride, b, count, aligned, stream);
        else
            MMC_LAUNCH(interpolate_many_kernel, mmc_grid(count, BLOCK), BLOCK, 0, stream, to, set_stride, b, count);
    }
    return cudaGetLastError();
}
