/* The passes of the unit's backward put together: batch norm, then both gradients of the convolution. */
#include "kernels/cuda/backward.h"

#include "kernels/cuda/deferral.h"

#include <limits.h>

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Batch norm is done with its workspace before the weights' gradient begins. */
size_t mmc_cuda_backward_workspace_size(const mmc_queue *queue, const mmc_unit_shape *s) {
    return larger(mmc_cuda_batchnorm_backward_workspace_size(s->n * mmc_unit_out_h(s) * mmc_unit_out_w(s), s->k),
                  mmc_cuda_conv_backward_weights_workspace_size(s, queue->precision));
}

mmc_status mmc_cuda_unit_batchnorm_backward(mmc_queue *queue, const mmc_unit_backward_call *call) {
    const mmc_unit_shape *s = &call->shape;
    const mmc_cuda_batchnorm_backward_call batchnorm = {
        .dz = call->dy->data,
        .dresidual = call->dresidual ? call->dresidual->data : NULL,
        .dresidual_add = call->dresidual_add,
        .dgamma = call->dgamma,
        .dbeta = call->dbeta,
        .y = s->relu ? call->y->data : NULL,
        .z = call->z->data,
        .gamma = call->gamma,
        .mean = call->mean,
        .var = call->var,
        .pixels = s->n * mmc_unit_out_h(s) * mmc_unit_out_w(s),
        .channels = s->k,
        .workspace = call->workspace,
        .counters = queue->counters,
        .precision = queue->precision,
    };
    MMC_CUDA(mmc_cuda_batchnorm_backward(&batchnorm, queue->stream));
    return MMC_OK;
}

mmc_status mmc_cuda_backward(mmc_queue *queue, const mmc_unit_backward_call *call) {
    const mmc_unit_shape *s = &call->shape;
    int rows = mmc_unit_out_h(s), columns = mmc_unit_out_w(s);
    if ((int64_t)s->n * s->h * s->w > INT_MAX || (int64_t)s->n * rows * columns > INT_MAX)
        return mmc_fail(MMC_ERR_SHAPE, "backward of %d images of %dx%d: 2^31 pixels or more; give a smaller --batch",
                        s->n, s->h, s->w);
    MMC_TRY(mmc_cuda_settle(queue, call->x));
    if (s->relu)
        MMC_TRY(mmc_cuda_settle(queue, call->y));
    mmc_cuda_deferral_drop(queue, call->dy->data);
    if (call->dresidual)
        mmc_cuda_deferral_drop(queue, call->dresidual->data);
    if (call->dx)
        mmc_cuda_deferral_drop(queue, call->dx->data);

    MMC_TRY(mmc_cuda_unit_batchnorm_backward(queue, call));

    const char *turned = (const char *)call->packed + mmc_cuda_pack_bytes(queue, s->k, s->c, s->r);
    if (call->dx && s->stride == 1) { /* a forward convolution of dz with the turned weights */
        mmc_cuda_conv_call data = {
            .mode = call->dx_add ? MMC_CUDA_CONV_ADD : MMC_CUDA_CONV_PLAIN,
            .shape = {.n = s->n, .c = s->k, .h = s->h, .w = s->w, .k = s->c, .r = s->r, .stride = 1},
            .sets = 1,
            .out = call->dx->data,
            .x = mmc_cuda_source_plain(call->dy),
            .packed = turned};
        MMC_CUDA(mmc_cuda_conv(&data, queue));
    } else if (call->dx) {
        mmc_cuda_conv_backward_data_call data = {
            .dx = call->dx->data,
            .add = call->dx_add,
            .dz = call->dy->data,
            .turned = turned,
            .shape = *s,
            .precision = queue->precision,
        };
        MMC_CUDA(mmc_cuda_conv_backward_data(&data, queue->stream));
    }
    mmc_cuda_conv_backward_weights_call weights = {
        .dw = call->dw,
        .dz = call->dy->data,
        .x = call->x->data,
        .shape = *s,
        .workspace = call->workspace,
        .precision = queue->precision,
    };
    MMC_CUDA(mmc_cuda_conv_backward_weights(&weights, queue->stream));
    return MMC_OK;
}
