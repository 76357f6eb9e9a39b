/* Backward of the unit (K2): gradients of batch norm, by data and by weights.  [SPEC 2, 3]
 *
 *     mmc_cuda_backward(queue, &call);      call: mmc_unit_backward_call, workspace of mmc_cuda_backward_workspace_size
 *
 * Three passes over the stream of the queue: batch norm (sums, then dz over dy), dx, dw with its reduction. dz is
 * stored in the memory of dy. Computing it in the prologues of dx and dw moves as many bytes once over (reads of dy, y,
 * z twice: 6 e, e = bytes of the output; stored: 3 e read, e written, e read twice), but each of the repeated reads, of
 * halos and by tiles along channels, would be of three arrays instead of one, and not a plain copy by cp.async.
 */
#ifndef MMC_KERNELS_CUDA_BACKWARD_H
#define MMC_KERNELS_CUDA_BACKWARD_H

#include "kernels/cuda/queue.h"
#include "kernels/unit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of workspace that mmc_cuda_backward needs for a shape, or for one of fewer images. */
size_t mmc_cuda_backward_workspace_size(const mmc_queue *queue, const mmc_unit_shape *shape);

/* The gradients of one unit: the equations of mmc_unit_backward_call.
 * Errors: MMC_ERR_SHAPE where an activation has 2^31 pixels or more, MMC_ERR_DEVICE
 * Order:  asynchronous on the queue's stream; bitwise deterministic */
mmc_status mmc_cuda_backward(mmc_queue *queue, const mmc_unit_backward_call *call);

/* Quotients of numbers below 2^31 by a fixed divisor: q = (n magic / 2^32 + n) / 2^shift. */
typedef struct mmc_cuda_divider {
    uint32_t divisor, magic, shift;
} mmc_cuda_divider;

static inline mmc_cuda_divider mmc_cuda_divider_of(uint32_t divisor) {
    uint32_t shift = 0;
    while ((UINT64_C(1) << shift) < divisor)
        shift++;
    uint64_t magic = ((UINT64_C(1) << 32) * ((UINT64_C(1) << shift) - divisor)) / divisor + 1;
    mmc_cuda_divider d = {divisor, (uint32_t)magic, shift};
    return d;
}

typedef struct mmc_cuda_batchnorm_backward_call {
    void *dz;        /* in: dy, out: dz; (pixels, pad(channels)) */
    void *dresidual; /* out: g, NULL: not wanted */
    bool dresidual_add;
    float *dgamma, *dbeta; /* out: (channels) */
    const void *y;         /* NULL: no ReLU */
    const void *z;
    const float *gamma, *mean, *var;
    int pixels, channels;
    void *workspace;    /* mmc_cuda_batchnorm_backward_workspace_size bytes, aligned to 16 */
    unsigned *counters; /* zero, and zero again afterwards */
    mmc_cuda_precision precision;
} mmc_cuda_batchnorm_backward_call;

size_t mmc_cuda_batchnorm_backward_workspace_size(int pixels, int channels);
cudaError_t mmc_cuda_batchnorm_backward(const mmc_cuda_batchnorm_backward_call *call, cudaStream_t stream);

/* Batch norm's part of a unit's backward, whichever provider computes the convolution's: dz over dy, dgamma, dbeta, the
 * residual's gradient. The output has fewer than 2^31 pixels: the caller checks it. Errors: MMC_ERR_DEVICE.
 * Order: asynchronous on the queue's stream */
mmc_status mmc_cuda_unit_batchnorm_backward(mmc_queue *queue, const mmc_unit_backward_call *call);

typedef struct mmc_cuda_conv_backward_data_call {
    void *dx; /* out: (n, h, w, pad(c)) */
    bool add;
    const void *dz;     /* (n, hout, wout, pad(k)) */
    const void *turned; /* (r*r, last first, pad(c), pad(k)) */
    mmc_unit_shape shape;
    mmc_cuda_precision precision;
} mmc_cuda_conv_backward_data_call;

cudaError_t mmc_cuda_conv_backward_data(const mmc_cuda_conv_backward_data_call *call, cudaStream_t stream);

typedef struct mmc_cuda_conv_backward_weights_call {
    float *dw;      /* out: (K,C,R,R), aligned to 4 */
    const void *dz; /* (n, hout, wout, pad(k)) */
    const void *x;  /* (n, h, w, pad(c)) */
    mmc_unit_shape shape;
    float *workspace; /* mmc_cuda_conv_backward_weights_workspace_size bytes, aligned to 16 */
    mmc_cuda_precision precision;
} mmc_cuda_conv_backward_weights_call;

size_t mmc_cuda_conv_backward_weights_workspace_size(const mmc_unit_shape *shape, mmc_cuda_precision precision);
cudaError_t mmc_cuda_conv_backward_weights(const mmc_cuda_conv_backward_weights_call *call, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
