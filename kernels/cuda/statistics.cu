// Batch norm's statistics over many batches: running values and pooled ones (kernels/flat.h has the equations).
//
// Blocks and threads: one thread an element, blocks of 128; ResNet-18 has 9,600 elements (means and variances).
// Shared memory: none.
// Bytes per element: running 16; pool_add 32 (means 24), pool_finish 36 (28). FLOP: 4 to 7 in double, in the order of
//     the reference, rounded one by one, so that results are the reference's bit for bit. Bound by the launch.
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/flat.h"

namespace {

enum { BLOCK = 128 };

__global__ void __launch_bounds__(BLOCK)
    running_kernel(float *running, size_t running_stride, const float *batch, size_t batch_stride, const float *factor,
                   int sets, size_t count, double momentum) {
    const size_t index = static_cast<size_t>(blockIdx.x) * BLOCK + threadIdx.x, set = index / count;
    const size_t at = index % count;
    if (set >= static_cast<size_t>(sets))
        return;
    float *r = running + set * running_stride + at;
    const double update = __dmul_rn(__dmul_rn(momentum, factor[at]), batch[set * batch_stride + at]);
    *r = static_cast<float>(__dadd_rn(__dmul_rn(1.0 - momentum, *r), update));
}

__global__ void __launch_bounds__(BLOCK) pool_add_kernel(double *sum, const float *batch, const int32_t *partner,
                                                         const float *positions, size_t count, int images) {
    const size_t at = static_cast<size_t>(blockIdx.x) * BLOCK + threadIdx.x;
    if (at >= count)
        return;
    const size_t mean_at = static_cast<size_t>(partner[at]);
    double value = batch[at];
    if (mean_at != at) {
        const double mean = batch[mean_at];
        value = __dadd_rn(value, __dmul_rn(mean, mean));
    }
    sum[at] = __dadd_rn(sum[at], __dmul_rn(__dmul_rn(positions[at], images), value));
}

__global__ void __launch_bounds__(BLOCK) pool_finish_kernel(float *running, const double *sum, const int32_t *partner,
                                                            const float *positions, size_t count, int64_t images) {
    const size_t at = static_cast<size_t>(blockIdx.x) * BLOCK + threadIdx.x;
    if (at >= count)
        return;
    const size_t mean_at = static_cast<size_t>(partner[at]);
    const double total = __dmul_rn(positions[at], static_cast<double>(images));
    double value = sum[at] / total;
    if (mean_at != at) {
        const double mean = sum[mean_at] / total;
        value = __dmul_rn(__dadd_rn(value, -__dmul_rn(mean, mean)), total / (total - 1.0));
    }
    running[at] = static_cast<float>(value);
}

} // namespace

extern "C" cudaError_t mmc_cuda_running(float *running, size_t running_stride, const float *batch, size_t batch_stride,
                                        const float *factor, int sets, size_t count, double momentum,
                                        cudaStream_t stream) {
    const size_t elements = static_cast<size_t>(sets) * count;
    if (elements == 0)
        return cudaSuccess;
    MMC_LAUNCH(running_kernel, mmc_grid(elements, BLOCK), BLOCK, 0, stream, running, running_stride, batch,
               batch_stride, factor, sets, count, momentum);
    return cudaGetLastError();
}

extern "C" cudaError_t mmc_cuda_pool_add(double *sum, const float *batch, const int32_t *partner,
                                         const float *positions, size_t count, int images, cudaStream_t stream) {
    if (count == 0)
        return cudaSuccess;
    MMC_LAUNCH(pool_add_kernel, mmc_grid(count, BLOCK), BLOCK, 0, stream, sum, batch, partner, positions, count,
               images);
    return cudaGetLastError();
}

extern "C" cudaError_t mmc_cuda_pool_finish(float *running, const double *sum, const int32_t *partner,
                                            const float *positions, size_t count, int64_t images, cudaStream_t stream) {
    if (count == 0)
        return cudaSuccess;
    MMC_LAUNCH(pool_finish_kernel, mmc_grid(count, BLOCK), BLOCK, 0, stream, running, sum, partner, positions, count,
               images);
    return cudaGetLastError();
}
