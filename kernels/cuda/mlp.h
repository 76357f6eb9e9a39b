/* Launchers of the small model (kernels/mlp.h says what each computes). C and CUDA.
 *
 *     MMC_CUDA(mmc_cuda_mlp_train(&call, queue->stream));       steps + 1 launches, whatever the number of models
 *
 * Errors: that of the first launch that fails. Order: asynchronous on `stream`; bit-identical from run to run.
 */
#ifndef MMC_KERNELS_CUDA_MLP_H
#define MMC_KERNELS_CUDA_MLP_H

#include "kernels/cuda/queue.h"
#include "kernels/mlp.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_CUDA_MLP_UNITS = 32 }; /* hidden units of a block */

/* Blocks that share the hidden units of a model. */
static inline int mmc_cuda_mlp_slices(const mmc_mlp_shape *s) {
    return (s->hidden + MMC_CUDA_MLP_UNITS - 1) / MMC_CUDA_MLP_UNITS;
}

/* Two steps' shares of f, the active units and the residuals: 4 arrays (T,slices,batch) of 4 bytes. */
static inline size_t mmc_cuda_mlp_workspace_size(const mmc_mlp_train_call *call) {
    return 16 * (size_t)call->shape.sets * (size_t)mmc_cuda_mlp_slices(&call->shape) * (size_t)call->batch;
}

cudaError_t mmc_cuda_mlp_train(const mmc_mlp_train_call *call, cudaStream_t stream);
cudaError_t mmc_cuda_mlp_eval(const mmc_mlp_eval_call *call, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
