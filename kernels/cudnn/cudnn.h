/* Provider cudnn of the CUDA backend: cuDNN's convolutions in the layout of kernels/cuda/queue.h.
 *
 *     MMC_TRY(mmc_cudnn_attach(be->queue));     a handle on the queue's stream, in queue->cudnn
 *     be->unit = mmc_cudnn_unit_ops();
 *     ...
 *     mmc_cudnn_detach(be->queue);
 */
#ifndef MMC_KERNELS_CUDNN_CUDNN_H
#define MMC_KERNELS_CUDNN_CUDNN_H

#include "kernels/unit.h"
#include "runtime/status.h"
#include "runtime/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The provider; NULL in a build without cuDNN. */
const mmc_unit_ops *mmc_cudnn_unit_ops(void);

/* "9.19.0", of the library in use; "" in a build without cuDNN. */
const char *mmc_cudnn_version(void);

/* Opens what the provider keeps with a queue. Errors: MMC_ERR_MISSING in a build without cuDNN, MMC_ERR_DEVICE.
 * Owns: the queue, until mmc_cudnn_detach, which takes a queue without it too. */
mmc_status mmc_cudnn_attach(mmc_queue *queue);
void mmc_cudnn_detach(mmc_queue *queue);

#ifdef __cplusplus
}
#endif
#endif
