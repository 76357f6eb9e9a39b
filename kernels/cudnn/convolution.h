/* cuDNN's three convolutions of one shape: descriptors, deterministic algorithms, workspace. C alone.
 *
 *     mmc_cudnn_convolution *conv;
 *     MMC_TRY(mmc_cudnn_convolution_find(&conv, queue, &shape, true));
 *     MMC_TRY(mmc_cudnn_convolution_forward(queue, conv, y, x, filter, workspace));
 *
 * A shape is planned once a queue: by workspace_size, or where a batch of fewer images is first met.
 */
#ifndef MMC_KERNELS_CUDNN_CONVOLUTION_H
#define MMC_KERNELS_CUDNN_CONVOLUTION_H

#include "kernels/cuda/queue.h"
#include "kernels/unit.h"

#include <cudnn.h>

typedef struct mmc_cudnn_convolution {
    mmc_unit_shape shape; /* relu and residual are not looked at */
    cudnnTensorDescriptor_t x, y;
    cudnnFilterDescriptor_t filter;
    cudnnConvolutionDescriptor_t convolution;
    cudnnConvolutionFwdAlgo_t forward;
    cudnnConvolutionBwdDataAlgo_t data;
    cudnnConvolutionBwdFilterAlgo_t weights;
    size_t forward_bytes, data_bytes, weights_bytes; /* of workspace */
    bool promised;                                   /* workspace_size has told these bytes */
    bool backward;                                   /* data and weights are planned too */
} mmc_cudnn_convolution;

/* The plan of a shape; with `backward` of its gradients too. Owns: the queue.
 * Errors: MMC_ERR_UNSUPPORTED where cuDNN has no deterministic algorithm, MMC_ERR_DEVICE, MMC_ERR_MEMORY */
mmc_status mmc_cudnn_convolution_find(mmc_cudnn_convolution **out, mmc_queue *queue, const mmc_unit_shape *shape,
                                      bool backward);

/* MMC_OK, or MMC_ERR_MEMORY where a batch of fewer images than the one that memory was planned for wants more workspace
 * than that: cuDNN promises nothing of the kind. */
mmc_status mmc_cudnn_convolution_fits(const mmc_queue *queue, const mmc_cudnn_convolution *conv);

/* Bytes of workspace that every function below may use. */
size_t mmc_cudnn_convolution_bytes(const mmc_cudnn_convolution *conv);

/* y = conv(x, filter). Errors: MMC_ERR_DEVICE */
mmc_status mmc_cudnn_convolution_forward(mmc_queue *queue, const mmc_cudnn_convolution *conv, void *y, const void *x,
                                         const void *filter, void *workspace);

/* dx = the gradient by data of dy; with `add` dx += it. */
mmc_status mmc_cudnn_convolution_data(mmc_queue *queue, const mmc_cudnn_convolution *conv, void *dx, bool add,
                                      const void *dy, const void *filter, void *workspace);

/* dfilter = the gradient by weights of dy, in the filter's layout. */
mmc_status mmc_cudnn_convolution_weights(mmc_queue *queue, const mmc_cudnn_convolution *conv, void *dfilter,
                                         const void *dy, const void *x, void *workspace);

#endif
