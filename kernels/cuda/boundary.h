/* What crosses the boundary of the CUDA backend: images in, activations in and out, the mean over space. C and CUDA.
 *
 *     MMC_CUDA(mmc_cuda_render(out, store, samples, queue->precision, queue->stream));
 *
 * Activations are in the layout of kernels/cuda/queue.h: channels last, padded to 8 with zeros, float or bf16. Whoever
 * reads one that is put off settles it first. All pointers are device memory.
 * Errors: that of the launch. Order: asynchronous on `stream`; bit-identical from run to run.
 */
#ifndef MMC_KERNELS_CUDA_BOUNDARY_H
#define MMC_KERNELS_CUDA_BOUNDARY_H

#include "kernels/cuda/queue.h"
#include "kernels/render.h"

#ifdef __cplusplus
extern "C" {
#endif

/* (T,N,C,H,W) f32, dense -> an activation. */
cudaError_t mmc_cuda_put(const mmc_activation *out, const float *in, mmc_cuda_precision precision, cudaStream_t stream);

/* An activation -> (T,N,C,H,W) f32, dense. */
cudaError_t mmc_cuda_get(float *out, const mmc_activation *in, mmc_cuda_precision precision, cudaStream_t stream);

/* Counterfactual images from uint8 (kernels/render.h), (1,n,3,height,32); float values are those of mmc_render_one bit
 * for bit. A sample outside the store is a fault, told by `fault` of the queue; its image is black. */
cudaError_t mmc_cuda_render(const mmc_activation *out, const mmc_image_store *store, const mmc_sample *samples,
                            mmc_cuda_precision precision, unsigned *fault, cudaStream_t stream);

/* rep (T,N,C) = mean over the plane. Order: each row of the plane from the left, then the rows from the top, float. */
cudaError_t mmc_cuda_pool(float *rep, const mmc_activation *x, mmc_cuda_precision precision, cudaStream_t stream);

/* dx = drep / (H W) at every place of the plane. */
cudaError_t mmc_cuda_pool_backward(const mmc_activation *dx, const float *drep, mmc_cuda_precision precision,
                                   cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
