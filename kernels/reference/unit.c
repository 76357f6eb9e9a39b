/* The unit put together from convolution and batch norm, and the table of unit operations. */
#include "kernels/reference/reference.h"

#include <string.h>

static size_t activation_size(mmc_queue *queue, int t, int n, int c, int h, int w) {
    (void)queue;
    return (size_t)t * n * c * h * w * sizeof(float);
}

static mmc_status put(mmc_queue *queue, mmc_activation *out, const float *in) {
    (void)queue;
    memcpy(out->data, in, mmc_activation_count(out) * sizeof(float));
    return MMC_OK;
}

static mmc_status get(mmc_queue *queue, float *out, const mmc_activation *in) {
    (void)queue;
    memcpy(out, in->data, mmc_activation_count(in) * sizeof(float));
    return MMC_OK;
}

static mmc_status render(mmc_queue *queue, mmc_activation *out, const mmc_image_store *store,
                         const mmc_sample *samples) {
    (void)queue;
    size_t image = (size_t)out->c * out->h * out->w;
    float *data = out->data;
#pragma omp parallel for schedule(static)
    for (int n = 0; n < out->n; n++)
        mmc_render_one(data + n * image, store, &samples[n]);
    return MMC_OK;
}

static size_t pack_size(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode, int sets) {
    (void)queue;
    return (size_t)sets * mmc_reference_pack_count(s, mode) * sizeof(double);
}

static mmc_status pack(mmc_queue *queue, void *packed, const mmc_unit_shape *s, mmc_pack_mode mode, int sets,
                       const float *w, size_t set_stride) {
    (void)queue;
    for (int t = 0; t < sets; t++)
        mmc_reference_pack_one((double *)packed + t * mmc_reference_pack_count(s, mode), s, mode, w + t * set_stride);
    return MMC_OK;
}

static size_t out_count(const mmc_unit_shape *s) {
    return (size_t)s->n * s->k * mmc_unit_out_h(s) * mmc_unit_out_w(s);
}

/* TRAIN: dz in double. */
static size_t workspace_size(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode, int sets) {
    (void)queue;
    (void)sets;
    return mode == MMC_PACK_TRAIN ? out_count(s) * sizeof(double) : 0;
}

static const float *input_of(const mmc_activation *x, int t) {
    return (const float *)x->data + (x->t == 1 ? 0 : (size_t)t * x->n * x->c * x->h * x->w);
}

static mmc_status train(mmc_queue *queue, const mmc_unit_train_call *call) {
    (void)queue;
    const mmc_unit_shape *s = &call->shape;
    size_t count = out_count(s), weights = mmc_reference_pack_count(s, MMC_PACK_EVAL);
    for (int t = 0; t < call->sets; t++) { /* several sets are only ever packed for STATS */
        float *z = (float *)call->z->data + t * count, *y = (float *)call->y->data + t * count;
        mmc_reference_conv_forward(z, input_of(call->x, t), (const double *)call->packed + t * weights, s, NULL);
        mmc_reference_batchnorm_train(y, call->mean + t * call->stat_stride, call->var + t * call->stat_stride, z,
                                      call->gamma + t * call->set_stride, call->beta + t * call->set_stride,
                                      s->residual ? (const float *)call->residual->data + t * count : NULL, s);
    }
    return MMC_OK;
}

static mmc_status eval(mmc_queue *queue, const mmc_unit_eval_call *call) {
    (void)queue;
    const mmc_unit_shape *s = &call->shape;
    size_t count = out_count(s), weights = mmc_reference_pack_count(s, MMC_PACK_EVAL);
    for (int t = 0; t < call->sets; t++) {
        size_t set = t * call->set_stride;
        mmc_reference_fold fold = {.gamma = call->gamma + set,
                                   .beta = call->beta + set,
                                   .mean = call->mean + set,
                                   .var = call->var + set,
                                   .residual = s->residual ? (const float *)call->residual->data + t * count : NULL,
                                   .relu = s->relu};
        mmc_reference_conv_forward((float *)call->y->data + t * count, input_of(call->x, t),
                                   (const double *)call->packed + t * weights, s, &fold);
    }
    return MMC_OK;
}

static mmc_status backward(mmc_queue *queue, const mmc_unit_backward_call *call) {
    (void)queue;
    double *dz = call->workspace;
    mmc_reference_batchnorm_backward(dz, call);
    mmc_reference_conv_backward_weights(call->dw, dz, call->x->data, &call->shape);
    if (call->dx)
        mmc_reference_conv_backward_data(call->dx->data, call->dx_add, dz, call->packed, &call->shape);
    return MMC_OK;
}

static const char *detail(mmc_queue *queue, const mmc_unit_shape *shape, mmc_pack_mode mode) {
    (void)queue;
    (void)shape, (void)mode;
    return "definition";
}

const mmc_unit_ops *mmc_reference_unit_ops(void) {
    static const mmc_unit_ops ops = {
        .name = "reference",
        .activation_size = activation_size,
        .put = put,
        .get = get,
        .render = render,
        .pack_size = pack_size,
        .pack = pack,
        .workspace_size = workspace_size,
        .train = train,
        .eval = eval,
        .backward = backward,
        .pool = mmc_reference_pool,
        .pool_backward = mmc_reference_pool_backward,
        .detail = detail,
    };
    return &ops;
}
