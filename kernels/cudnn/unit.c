/* The unit by cuDNN's convolutions. Batch norm, pooling and what crosses the boundary are the provider own's; outputs
 * are never put off.
 *
 * Workspace: first what batch norm, its statistics and the filter's gradient need, then cuDNN's own. */
#include "kernels/cuda/backward.h"
#include "kernels/cuda/boundary.h"
#include "kernels/cuda/conv.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cudnn/convolution.h"
#include "kernels/cudnn/cudnn.h"
#include "kernels/cudnn/filter.h"

#include <limits.h>

enum { ALIGN = 256 };

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t align(size_t bytes) {
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t out_pixels(const mmc_unit_shape *s) {
    return (size_t)s->n * (size_t)mmc_unit_out_h(s) * (size_t)mmc_unit_out_w(s);
}

/* Bytes of one set's filter, of an input and of an output of one set. */
static size_t filter_bytes(const mmc_queue *queue, const mmc_unit_shape *s) {
    return (size_t)mmc_cuda_pad(s->k) * (size_t)s->r * (size_t)s->r * (size_t)mmc_cuda_pad(s->c) *
           mmc_cuda_element(queue);
}

static size_t input_bytes(const mmc_queue *queue, const mmc_unit_shape *s) {
    return (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)mmc_cuda_pad(s->c) * mmc_cuda_element(queue);
}

static size_t output_bytes(const mmc_queue *queue, const mmc_unit_shape *s) {
    return out_pixels(s) * (size_t)mmc_cuda_pad(s->k) * mmc_cuda_element(queue);
}

static mmc_status shape_check(const mmc_unit_shape *s) {
    if ((s->r != 1 && s->r != 3) || (s->stride != 1 && s->stride != 2))
        return mmc_fail(MMC_ERR_UNSUPPORTED,
                        "cudnn: %dx%d convolution with stride %d; only 1x1 and 3x3 with stride 1 or 2 exist", s->r,
                        s->r, s->stride);
    if (s->n < 1 || s->c < 1 || s->h < 1 || s->w < 1 || s->k < 1)
        return mmc_fail(MMC_ERR_SHAPE, "cudnn: unit of n %d, c %d, h %d, w %d, k %d; give at least 1 of each", s->n,
                        s->c, s->h, s->w, s->k);
    return MMC_OK;
}

static size_t pack_size(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode, int sets) {
    (void)mode; /* the gradient by data reads the same filter */
    return (size_t)sets * filter_bytes(queue, s);
}

static mmc_status pack(mmc_queue *queue, void *packed, const mmc_unit_shape *s, mmc_pack_mode mode, int sets,
                       const float *w, size_t set_stride) {
    (void)mode;
    MMC_TRY(shape_check(s));
    MMC_CUDA(mmc_cudnn_filter_pack(packed, w, set_stride, sets, s->k, s->c, s->r, queue->precision, queue->stream));
    return MMC_OK;
}

/* What lies before cuDNN's own part. */
static size_t front_bytes(const mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode, int sets) {
    size_t bytes = mode == MMC_PACK_EVAL ? 0 : mmc_cudnn_statistics_bytes(sets, out_pixels(s), s->k);
    if (mode == MMC_PACK_TRAIN) {
        bytes = larger(bytes, mmc_cuda_batchnorm_backward_workspace_size((int)out_pixels(s), s->k));
        bytes = larger(bytes, filter_bytes(queue, s));
    }
    return align(bytes);
}

/* 0 for cuDNN's part where the shape cannot be planned: the operation itself says why. */
static size_t workspace_size(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode, int sets) {
    mmc_cudnn_convolution *conv;
    size_t own = 0;
    if (shape_check(s) == MMC_OK && mmc_cudnn_convolution_find(&conv, queue, s, mode == MMC_PACK_TRAIN) == MMC_OK) {
        own = align(mmc_cudnn_convolution_bytes(conv));
        conv->promised = true;
    }
    return front_bytes(queue, s, mode, sets) + own;
}

/* The convolution of every set, x to z. */
static mmc_status convolve(mmc_queue *queue, const mmc_unit_shape *s, int sets, void *z, const mmc_activation *x,
                           const void *packed, void *workspace) {
    mmc_cudnn_convolution *conv;
    MMC_TRY(shape_check(s));
    MMC_TRY(mmc_cudnn_convolution_find(&conv, queue, s, false));
    MMC_TRY(mmc_cudnn_convolution_fits(queue, conv));
    for (int t = 0; t < sets; t++)
        MMC_TRY(
            mmc_cudnn_convolution_forward(queue, conv, (char *)z + (size_t)t * output_bytes(queue, s),
                                          (const char *)x->data + (x->t == 1 ? 0 : (size_t)t * input_bytes(queue, s)),
                                          (const char *)packed + (size_t)t * filter_bytes(queue, s), workspace));
    return MMC_OK;
}

static mmc_status normalise(mmc_queue *queue, const mmc_unit_shape *s, int sets, mmc_activation *y, const void *z,
                            const mmc_cuda_norm *norm, const mmc_activation *residual) {
    const mmc_cuda_source source = {
        .z = z, .relu = s->relu, .norm = *norm, .residual = s->residual ? residual->data : NULL, .y = y->data};
    MMC_CUDA(mmc_cuda_normalise(&source, sets, s->n, s->k, mmc_unit_out_h(s), mmc_unit_out_w(s), queue->precision,
                                queue->stream));
    return MMC_OK;
}

static mmc_status train(mmc_queue *queue, const mmc_unit_train_call *call) {
    const mmc_unit_shape *s = &call->shape;
    MMC_TRY(convolve(queue, s, call->sets, call->z->data, call->x, call->packed,
                     (char *)call->workspace + front_bytes(queue, s, MMC_PACK_STATS, call->sets)));
    MMC_CUDA(mmc_cudnn_statistics(call->mean, call->var, call->stat_stride, call->z->data, call->sets, out_pixels(s),
                                  s->k, call->workspace, queue->precision, queue->stream));
    const mmc_cuda_norm norm = {.mean = call->mean,
                                .var = call->var,
                                .gamma = call->gamma,
                                .beta = call->beta,
                                .stat_stride = call->stat_stride,
                                .set_stride = call->set_stride};
    return normalise(queue, s, call->sets, call->y, call->z->data, &norm, call->residual);
}

static mmc_status eval(mmc_queue *queue, const mmc_unit_eval_call *call) {
    const mmc_unit_shape *s = &call->shape;
    MMC_TRY(convolve(queue, s, call->sets, call->y->data, call->x, call->packed, call->workspace));
    const mmc_cuda_norm norm = {.mean = call->mean,
                                .var = call->var,
                                .gamma = call->gamma,
                                .beta = call->beta,
                                .stat_stride = call->set_stride,
                                .set_stride = call->set_stride};
    return normalise(queue, s, call->sets, call->y, call->y->data, &norm, call->residual);
}

static mmc_status backward(mmc_queue *queue, const mmc_unit_backward_call *call) {
    const mmc_unit_shape *s = &call->shape;
    mmc_cudnn_convolution *conv;
    if (out_pixels(s) > INT_MAX)
        return mmc_fail(MMC_ERR_SHAPE, "backward of %d images of %dx%d: 2^31 pixels or more; give a smaller --batch",
                        s->n, s->h, s->w);
    MMC_TRY(shape_check(s));
    MMC_TRY(mmc_cudnn_convolution_find(&conv, queue, s, true));
    MMC_TRY(mmc_cudnn_convolution_fits(queue, conv));
    MMC_TRY(mmc_cuda_unit_batchnorm_backward(queue, call));
    void *own = (char *)call->workspace + front_bytes(queue, s, MMC_PACK_TRAIN, 1);
    if (call->dx)
        MMC_TRY(
            mmc_cudnn_convolution_data(queue, conv, call->dx->data, call->dx_add, call->dy->data, call->packed, own));
    MMC_TRY(mmc_cudnn_convolution_weights(queue, conv, call->workspace, call->dy->data, call->x->data, own));
    MMC_CUDA(mmc_cudnn_filter_unpack(call->dw, call->workspace, s->k, s->c, s->r, queue->precision, queue->stream));
    return MMC_OK;
}

static const char *detail(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode) {
    mmc_cudnn_convolution *conv;
    (void)mode; /* the forward pass names it: gradients follow */
    if (shape_check(s) != MMC_OK || mmc_cudnn_convolution_find(&conv, queue, s, false) != MMC_OK)
        return "unsupported";
    return conv->forward == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM ? "cudnn:implicit-precomp-gemm"
           : conv->forward == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM       ? "cudnn:implicit-gemm"
                                                                             : "cudnn:gemm";
}

const mmc_unit_ops *mmc_cudnn_unit_ops(void) {
    static mmc_unit_ops ops;
    const mmc_unit_ops *own = mmc_cuda_unit_ops();
    ops = (mmc_unit_ops){
        .name = "cudnn",
        .activation_size = own->activation_size,
        .put = own->put,
        .get = own->get,
        .render = own->render,
        .pack_size = pack_size,
        .pack = pack,
        .workspace_size = workspace_size,
        .train = train,
        .eval = eval,
        .backward = backward,
        .pool = own->pool,
        .pool_backward = own->pool_backward,
        .detail = detail,
    };
    return &ops;
}
