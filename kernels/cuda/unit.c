/* The unit operations of the provider own on CUDA: kernels put together, outputs put off and settled. */
#include "kernels/cuda/backward.h"
#include "kernels/cuda/boundary.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/deferral.h"

static mmc_status shape_check(const mmc_unit_shape *s) {
    if ((s->r != 1 && s->r != 3) || (s->stride != 1 && s->stride != 2))
        return mmc_fail(MMC_ERR_UNSUPPORTED,
                        "cuda: %dx%d convolution with stride %d; only 1x1 and 3x3 with stride 1 or 2 exist", s->r, s->r,
                        s->stride);
    if (s->n < 1 || s->c < 1 || s->h < 1 || s->w < 1 || s->k < 1)
        return mmc_fail(MMC_ERR_SHAPE, "cuda: unit of n %d, c %d, h %d, w %d, k %d; give at least 1 of each", s->n,
                        s->c, s->h, s->w, s->k);
    return MMC_OK;
}

/* --- crossing the boundary --- */

static size_t own_activation_size(mmc_queue *queue, int t, int n, int c, int h, int w) {
    return (size_t)t * (size_t)n * (size_t)h * (size_t)w * (size_t)mmc_cuda_pad(c) * mmc_cuda_element(queue);
}

static mmc_status own_put(mmc_queue *queue, mmc_activation *out, const float *in) {
    mmc_cuda_deferral_drop(queue, out->data);
    MMC_CUDA(mmc_cuda_put(out, in, queue->precision, queue->stream));
    return MMC_OK;
}

static mmc_status own_get(mmc_queue *queue, float *out, const mmc_activation *in) {
    MMC_TRY(mmc_cuda_settle(queue, in));
    MMC_CUDA(mmc_cuda_get(out, in, queue->precision, queue->stream));
    return MMC_OK;
}

static mmc_status own_render(mmc_queue *queue, mmc_activation *out, const mmc_image_store *store,
                             const mmc_sample *samples) {
    mmc_cuda_deferral_drop(queue, out->data);
    MMC_CUDA(mmc_cuda_render(out, store, samples, queue->precision, queue->fault, queue->stream));
    return MMC_OK;
}

static mmc_status own_pool(mmc_queue *queue, float *rep, const mmc_activation *x) {
    MMC_TRY(mmc_cuda_settle(queue, x));
    MMC_CUDA(mmc_cuda_pool(rep, x, queue->precision, queue->stream));
    return MMC_OK;
}

static mmc_status own_pool_backward(mmc_queue *queue, mmc_activation *dx, const float *drep) {
    mmc_cuda_deferral_drop(queue, dx->data);
    MMC_CUDA(mmc_cuda_pool_backward(dx, drep, queue->precision, queue->stream));
    return MMC_OK;
}

/* --- packed weights --- */

static size_t own_pack_size(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode, int sets) {
    return (size_t)sets * mmc_cuda_pack_bytes(queue, s->k, s->c, s->r) * (mode == MMC_PACK_TRAIN ? 2 : 1);
}

static mmc_status own_pack(mmc_queue *queue, void *packed, const mmc_unit_shape *s, mmc_pack_mode mode, int sets,
                           const float *w, size_t set_stride) {
    MMC_TRY(shape_check(s));
    MMC_CUDA(mmc_cuda_pack(packed, w, set_stride, sets, s->k, s->c, s->r, mode == MMC_PACK_TRAIN, queue->precision,
                           queue->stream));
    return MMC_OK;
}

static size_t own_workspace_size(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode, int sets) {
    size_t forward = mode == MMC_PACK_EVAL ? 0 : mmc_cuda_conv_workspace_bytes(queue, s, sets);
    size_t backward = mode == MMC_PACK_TRAIN ? mmc_cuda_backward_workspace_size(queue, s) : 0;
    return forward > backward ? forward : backward;
}

/* --- the unit --- */

/* A 1x1 convolution with stride 2 reads a quarter of x, so it cannot store all of it on the way. */
static bool reads_all(const mmc_unit_shape *s) {
    return s->r == 3 || s->stride == 1;
}

static mmc_status own_train(mmc_queue *queue, const mmc_unit_train_call *call) {
    const mmc_unit_shape *s = &call->shape;
    MMC_TRY(shape_check(s));
    mmc_cuda_conv_call conv = {.mode = MMC_CUDA_CONV_STATS,
                               .shape = *s,
                               .sets = call->sets,
                               .out = call->z->data,
                               .packed = call->packed,
                               .packed_stride = mmc_cuda_pack_bytes(queue, s->k, s->c, s->r),
                               .mean = call->mean,
                               .var = call->var,
                               .stat_stride = call->stat_stride,
                               .workspace = call->workspace};
    MMC_TRY(mmc_cuda_source_of(queue, &conv.x, call->x, reads_all(s)));
    mmc_cuda_deferral_drop(queue, call->z->data);
    mmc_cuda_deferral_drop(queue, call->y->data);
    MMC_CUDA(mmc_cuda_conv(&conv, queue));
    MMC_TRY(mmc_cuda_deferral_note(queue, &(mmc_cuda_deferral){.y = call->y->data,
                                                               .z = call->z->data,
                                                               .mean = call->mean,
                                                               .var = call->var,
                                                               .gamma = call->gamma,
                                                               .beta = call->beta,
                                                               .stat_stride = call->stat_stride,
                                                               .set_stride = call->set_stride,
                                                               .residual = s->residual ? call->residual->data : NULL,
                                                               .relu = s->relu}));
    /* The join over its own z cannot wait: readers of neighbouring pixels would find it done or not done. */
    return s->residual && call->z->data == call->y->data ? mmc_cuda_settle(queue, call->y) : MMC_OK;
}

static mmc_status own_eval(mmc_queue *queue, const mmc_unit_eval_call *call) {
    const mmc_unit_shape *s = &call->shape;
    MMC_TRY(shape_check(s));
    mmc_cuda_conv_call conv = {.mode = MMC_CUDA_CONV_EVAL,
                               .shape = *s,
                               .sets = call->sets,
                               .out = call->y->data,
                               .packed = call->packed,
                               .packed_stride = mmc_cuda_pack_bytes(queue, s->k, s->c, s->r),
                               .norm = {.mean = call->mean,
                                        .var = call->var,
                                        .gamma = call->gamma,
                                        .beta = call->beta,
                                        .stat_stride = call->set_stride,
                                        .set_stride = call->set_stride},
                               .residual = s->residual ? call->residual->data : NULL};
    if (s->residual)
        MMC_TRY(mmc_cuda_settle(queue, call->residual));
    MMC_TRY(mmc_cuda_source_of(queue, &conv.x, call->x, reads_all(s)));
    mmc_cuda_deferral_drop(queue, call->y->data);
    MMC_CUDA(mmc_cuda_conv(&conv, queue));
    return MMC_OK;
}

static const char *own_detail(mmc_queue *queue, const mmc_unit_shape *shape, mmc_pack_mode mode) {
    (void)shape, (void)mode;
    return queue->precision == MMC_CUDA_FP32   ? "implicit-gemm:mma-3xtf32"
           : queue->precision == MMC_CUDA_TF32 ? "implicit-gemm:mma-tf32"
                                               : "implicit-gemm:mma-bf16";
}

const mmc_unit_ops *mmc_cuda_unit_ops(void) {
    static const mmc_unit_ops ops = {
        .name = "own",
        .activation_size = own_activation_size,
        .put = own_put,
        .get = own_get,
        .render = own_render,
        .pack_size = own_pack_size,
        .pack = own_pack,
        .workspace_size = own_workspace_size,
        .train = own_train,
        .eval = own_eval,
        .backward = mmc_cuda_backward,
        .pool = own_pool,
        .pool_backward = own_pool_backward,
        .detail = own_detail,
    };
    return &ops;
}
