// SGD with momentum over the whole parameter vector in one launch.  v <- momentum v + g + decay w;  w <- w - lr v
//
// Blocks and threads: one thread four elements, blocks of 256.
// Shared memory: none.
// Bytes per element: 12 read, 8 written. FLOP: 7 in double, in the order of the reference, rounded one by one
// (__dmul_rn
//     keeps products and sums apart), so that the result is the reference's bit for bit. Bound by memory.
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/flat.h"
#include "kernels/cuda/vector.cuh"

namespace {

enum { BLOCK = 256 };

template <bool ALIGNED>
__global__ void __launch_bounds__(BLOCK)
    sgd_kernel(float *w, float *v, const float *g, size_t count, double lr, double momentum, double decay) {
    const mmc_vector_place<ALIGNED> place(count);
    float weight[MMC_VECTOR], velocity[MMC_VECTOR], gradient[MMC_VECTOR];
    place.load(weight, w);
    place.load(velocity, v);
    place.load(gradient, g);
#pragma unroll
    for (int i = 0; i < MMC_VECTOR; i++) {
        double step = __dadd_rn(__dmul_rn(momentum, velocity[i]), gradient[i]);
        step = __dadd_rn(step, __dmul_rn(decay, weight[i]));
        velocity[i] = static_cast<float>(step);
        weight[i] = static_cast<float>(__dadd_rn(weight[i], -__dmul_rn(lr, step)));
    }
    place.store(v, velocity);
    place.store(w, weight);
}

} // namespace

extern "C" cudaError_t mmc_cuda_sgd(float *w, float *v, const float *g, size_t count, double lr, double momentum,
                                    double decay, cudaStream_t stream) {
    if (count == 0)
        return cudaSuccess;
    const unsigned blocks = mmc_grid(count, BLOCK * MMC_VECTOR);
    if (mmc_vector_aligned(w) && mmc_vector_aligned(v) && mmc_vector_aligned(g))
        MMC_LAUNCH((sgd_kernel<true>), blocks, BLOCK, 0, stream, w, v, g, count, lr, momentum, decay);
    else
        MMC_LAUNCH((sgd_kernel<false>), blocks, BLOCK, 0, stream, w, v, g, count, lr, momentum, decay);
    return cudaGetLastError();
}
