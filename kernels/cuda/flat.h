/* Launchers of the flat operations (kernels/flat.h says what each computes). C and CUDA.
 *
 *     MMC_CUDA(mmc_cuda_sgd(w, v, g, count, lr, momentum, decay, queue->stream));
 *
 * All pointers are device memory but `end` and `coefficient`, which are read before the call returns.
 * Errors: that of the launch. Order: asynchronous on `stream`; bit-identical from run to run.
 */
#ifndef MMC_KERNELS_CUDA_FLAT_H
#define MMC_KERNELS_CUDA_FLAT_H

#include "kernels/cuda/queue.h"
#include "kernels/flat.h"

#ifdef __cplusplus
extern "C" {
#endif

cudaError_t mmc_cuda_head(const mmc_head_call *call, cudaStream_t stream);
cudaError_t mmc_cuda_head_backward(const mmc_head_backward_call *call, cudaStream_t stream);

/* `counters` and `fault` are those of the queue; the counters hold the sums of the blocks meanwhile. A label outside
 * 0..K-1 is a fault; its loss and gradient are NaN, its answer is wrong. */
cudaError_t mmc_cuda_loss(const mmc_loss_call *call, unsigned *counters, unsigned *fault, cudaStream_t stream);

/* The same bits as the provider reference. */
cudaError_t mmc_cuda_mirror(float *dlogits, size_t count, const double *tally, int n, const double *factor,
                            cudaStream_t stream);

cudaError_t mmc_cuda_class_means(const mmc_class_means_call *call, unsigned *counters, cudaStream_t stream);

enum { MMC_CUDA_ENDS_MAX = 24 };

/* ends <= MMC_CUDA_ENDS_MAX. The same bits as the provider own of a CPU with AVX2 or AVX-512. */
cudaError_t mmc_cuda_interpolate(float *out, size_t set_stride, int sets, const float *const *end, int ends,
                                 const double *coefficient, size_t count, cudaStream_t stream);

/* The four that follow give the same bits as the provider reference. */
cudaError_t mmc_cuda_sgd(float *w, float *v, const float *g, size_t count, double lr, double momentum, double decay,
                         cudaStream_t stream);
cudaError_t mmc_cuda_running(float *running, size_t running_stride, const float *batch, size_t batch_stride,
                             const float *factor, int sets, size_t count, double momentum, cudaStream_t stream);
cudaError_t mmc_cuda_pool_add(double *sum, const float *batch, const int32_t *partner, const float *positions,
                              size_t count, int images, cudaStream_t stream);
cudaError_t mmc_cuda_pool_finish(float *running, const double *sum, const int32_t *partner, const float *positions,
                                 size_t count, int64_t images, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
