/* The unit by oneDNN's convolutions, on NHWC activations. */
#include "kernels/unit.h"

#include "kernels/onednn/batchnorm.h"
#include "kernels/onednn/convolution.h"
#include "kernels/onednn/onednn.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 64, IMAGE_FLOATS_MAX = 3 * 2 * MMC_IMAGE_SIDE * MMC_IMAGE_SIDE };

const char *mmc_onednn_version(void) {
    static char text[32]; /* the same text at every call */
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

static size_t round_up(size_t bytes) {
    return (bytes + LINE - 1) / LINE * LINE;
}

static size_t activation_size(mmc_queue *queue, int t, int n, int c, int h, int w) {
    (void)queue;
    return (size_t)t * n * c * h * w * sizeof(float);
}

static void to_nhwc(float *restrict out, const float *restrict in, size_t channels, size_t plane) {
    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < channels; c++)
            out[i * channels + c] = in[c * plane + i];
}

static void to_nchw(float *restrict out, const float *restrict in, size_t channels, size_t plane) {
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < plane; i++)
            out[c * plane + i] = in[i * channels + c];
}

static mmc_status put(mmc_queue *queue, mmc_activation *out, const float *in) {
    (void)queue;
    size_t plane = (size_t)out->h * out->w, image = plane * out->c, images = (size_t)out->t * out->n;
    float *data = out->data;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < images; i++)
        to_nhwc(data + i * image, in + i * image, (size_t)out->c, plane);
    return MMC_OK;
}

static mmc_status get(mmc_queue *queue, float *out, const mmc_activation *in) {
    (void)queue;
    size_t plane = (size_t)in->h * in->w, image = plane * in->c, images = (size_t)in->t * in->n;
    const float *data = in->data;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < images; i++)
        to_nchw(out + i * image, data + i * image, (size_t)in->c, plane);
    return MMC_OK;
}

static mmc_status render(mmc_queue *queue, mmc_activation *out, const mmc_image_store *store,
                         const mmc_sample *samples) {
    (void)queue;
    size_t plane = (size_t)out->h * out->w, image = plane * 3;
    float *data = out->data;
    if (out->c != 3 || image > IMAGE_FLOATS_MAX)
        return mmc_fail(MMC_ERR_SHAPE, "render: %dx%dx%d is not 3x32x32 or 3x64x32", out->c, out->h, out->w);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < out->n; n++) {
        float planes[IMAGE_FLOATS_MAX];
        mmc_render_one(planes, store, &samples[n]);
        to_nhwc(data + n * image, planes, 3, plane);
    }
    return MMC_OK;
}

/* The convolution whose gradients are asked of oneDNN. Those of a 1x1 convolution with stride 2 are of the one with
 * stride 1 on the pixels that were read: oneDNN 2.6's own for stride 2 write beyond their memory where k is small. */
static mmc_unit_shape gradient_shape(const mmc_unit_shape *s) {
    mmc_unit_shape read = *s;
    if (s->r == 1 && s->stride == 2) {
        read.h = mmc_unit_out_h(s);
        read.w = mmc_unit_out_w(s);
        read.stride = 1;
    }
    return read;
}

/* One set: the form for forward and, for TRAIN, behind it the form for the gradient by data. */
static size_t pack_size(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode, int sets) {
    (void)queue;
    const mmc_unit_shape data = gradient_shape(s);
    size_t size = mmc_onednn_pack_size(s, MMC_DNNL_FORWARD);
    if (mode == MMC_PACK_TRAIN)
        size += mmc_onednn_pack_size(&data, MMC_DNNL_DATA);
    return (size_t)sets * size;
}

static mmc_status pack(mmc_queue *queue, void *packed, const mmc_unit_shape *s, mmc_pack_mode mode, int sets,
                       const float *w, size_t set_stride) {
    const mmc_unit_shape data = gradient_shape(s);
    size_t forward = mmc_onednn_pack_size(s, MMC_DNNL_FORWARD), one = pack_size(queue, s, mode, 1);
    for (int t = 0; t < sets; t++) {
        char *out = (char *)packed + t * one;
        MMC_TRY(mmc_onednn_pack(out, s, MMC_DNNL_FORWARD, w + t * set_stride));
        if (mode == MMC_PACK_TRAIN)
            MMC_TRY(mmc_onednn_pack(out + forward, &data, MMC_DNNL_DATA, w + t * set_stride));
    }
    return MMC_OK;
}

static size_t positions_of(const mmc_unit_shape *s) {
    return (size_t)s->n * mmc_unit_out_h(s) * mmc_unit_out_w(s);
}

static size_t input_count(const mmc_unit_shape *s) {
    return (size_t)s->n * s->c * s->h * s->w;
}

/* Partial sums, and for TRAIN the input gradient before it is added to another, or the pixels that were read. */
static size_t workspace_size(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode, int sets) {
    (void)queue;
    (void)sets; /* one after the other */
    size_t partial = round_up(mmc_nhwc_partial_count(positions_of(s), (size_t)s->k) * sizeof(double));
    return partial + (mode == MMC_PACK_TRAIN ? input_count(s) * sizeof(float) : 0);
}

/* oneDNN takes inputs by pointers that are not const. */
static float *unconst(const void *p) {
    return (float *)(uintptr_t)p;
}

static float *input_of(const mmc_activation *x, const mmc_unit_shape *s, int t) {
    return unconst((const float *)x->data + (x->t == 1 ? 0 : t * input_count(s)));
}

static mmc_status train(mmc_queue *queue, const mmc_unit_train_call *call) {
    (void)queue;
    const mmc_unit_shape *s = &call->shape;
    size_t positions = positions_of(s), channels = (size_t)s->k, count = positions * channels,
           weights = call->sets > 1 ? mmc_onednn_pack_size(s, MMC_DNNL_FORWARD) : 0; /* only STATS has several sets */
    for (int t = 0; t < call->sets; t++) {
        float *z = (float *)call->z->data + t * count, *y = (float *)call->y->data + t * count;
        float *mean = call->mean + t * call->stat_stride, *var = call->var + t * call->stat_stride;
        MMC_TRY(mmc_onednn_convolve(s, MMC_DNNL_FORWARD, input_of(call->x, s, t),
                                    (char *)unconst(call->packed) + t * weights, z));
        mmc_nhwc_statistics(mean, var, z, positions, channels, call->workspace);
        mmc_nhwc_normalise(
            y, z, positions, channels, mean, var, call->gamma + t * call->set_stride, call->beta + t * call->set_stride,
            s->residual ? (const float *)call->residual->data + t * count : NULL, s->relu, call->workspace);
    }
    return MMC_OK;
}

static mmc_status eval(mmc_queue *queue, const mmc_unit_eval_call *call) {
    (void)queue;
    const mmc_unit_shape *s = &call->shape;
    size_t positions = positions_of(s), channels = (size_t)s->k, count = positions * channels,
           weights = call->sets > 1 ? mmc_onednn_pack_size(s, MMC_DNNL_FORWARD) : 0;
    for (int t = 0; t < call->sets; t++) {
        float *y = (float *)call->y->data + t * count;
        size_t set = t * call->set_stride;
        MMC_TRY(mmc_onednn_convolve(s, MMC_DNNL_FORWARD, input_of(call->x, s, t),
                                    (char *)unconst(call->packed) + t * weights, y));
        mmc_nhwc_normalise(y, y, positions, channels, call->mean + set, call->var + set, call->gamma + set,
                           call->beta + set, s->residual ? (const float *)call->residual->data + t * count : NULL,
                           s->relu, call->workspace);
    }
    return MMC_OK;
}

/* The pixels that a 1x1 convolution with stride 2 reads. */
static void gather_pixels(float *read, const float *x, const mmc_unit_shape *s) {
    const size_t c = (size_t)s->c, row = (size_t)s->w * c, read_row = (size_t)mmc_unit_out_w(s) * c;
    const size_t read_rows = (size_t)mmc_unit_out_h(s), rows = (size_t)s->n * read_rows;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < rows; i++) {
        const float *in = x + (i / read_rows * (size_t)s->h + i % read_rows * 2) * row;
        for (size_t j = 0; j < read_row; j++)
            read[i * read_row + j] = in[j / c * 2 * c + j % c];
    }
}

/* The gradient of the pixels that a 1x1 convolution with stride 2 read; that of the others is 0. */
static void spread_pixels(float *dx, const float *read, const mmc_unit_shape *s, bool add) {
    const size_t c = (size_t)s->c, row = (size_t)s->w * c, rows = (size_t)s->n * s->h;
    const size_t read_row = (size_t)mmc_unit_out_w(s) * c, read_rows = (size_t)mmc_unit_out_h(s);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < rows; i++) {
        const size_t y = i % (size_t)s->h;
        float *out = dx + i * row;
        if (!add)
            memset(out, 0, row * sizeof *out);
        if (y % 2)
            continue;
        const float *in = read + (i / (size_t)s->h * read_rows + y / 2) * read_row;
        for (size_t j = 0; j < read_row; j++)
            out[j / c * 2 * c + j % c] += in[j];
    }
}

static mmc_status backward(mmc_queue *queue, const mmc_unit_backward_call *call) {
    (void)queue;
    const mmc_unit_shape *s = &call->shape;
    size_t positions = positions_of(s), channels = (size_t)s->k, count = input_count(s);
    mmc_nhwc_batchnorm_backward(&(mmc_nhwc_backward){
        .dy = call->dy->data,
        .dresidual = call->dresidual ? call->dresidual->data : NULL,
        .dresidual_add = call->dresidual_add,
        .relu = s->relu,
        .dgamma = call->dgamma,
        .dbeta = call->dbeta,
        .y = call->y->data,
        .z = call->z->data,
        .mean = call->mean,
        .var = call->var,
        .gamma = call->gamma,
        .positions = positions,
        .channels = channels,
        .partial = call->workspace,
    });
    const mmc_unit_shape shape = gradient_shape(s);
    const bool some = shape.stride != s->stride; /* some of the pixels */
    const size_t partial = round_up(mmc_nhwc_partial_count(positions, channels) * sizeof(double));
    float *more = (float *)((char *)call->workspace + partial), *dz = call->dy->data, *x = unconst(call->x->data);
    if (some) {
        gather_pixels(more, x, s);
        x = more;
    }
    MMC_TRY(mmc_onednn_convolve(&shape, MMC_DNNL_WEIGHTS, x, call->dw, dz));
    if (!call->dx)
        return MMC_OK;
    char *weights = (char *)unconst(call->packed) + mmc_onednn_pack_size(s, MMC_DNNL_FORWARD);
    float *dx = call->dx->data;
    if (!call->dx_add && !some)
        return mmc_onednn_convolve(s, MMC_DNNL_DATA, dx, weights, dz);
    MMC_TRY(mmc_onednn_convolve(&shape, MMC_DNNL_DATA, more, weights, dz));
    if (some) {
        spread_pixels(dx, more, s, call->dx_add);
        return MMC_OK;
    }
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++)
        dx[i] += more[i];
    return MMC_OK;
}

static mmc_status pool(mmc_queue *queue, float *rep, const mmc_activation *x) {
    (void)queue;
    enum { CHUNK = 64 };
    size_t plane = (size_t)x->h * x->w, channels = (size_t)x->c, images = (size_t)x->t * x->n;
    const float *data = x->data;
#pragma omp parallel for schedule(static)
    for (size_t n = 0; n < images; n++)
        for (size_t c0 = 0; c0 < channels; c0 += CHUNK) {
            double sum[CHUNK] = {0};
            size_t width = channels - c0 < CHUNK ? channels - c0 : CHUNK;
            for (size_t i = 0; i < plane; i++)
                for (size_t c = 0; c < width; c++)
                    sum[c] += data[(n * plane + i) * channels + c0 + c];
            for (size_t c = 0; c < width; c++)
                rep[n * channels + c0 + c] = (float)(sum[c] / (double)plane);
        }
    return MMC_OK;
}

static mmc_status pool_backward(mmc_queue *queue, mmc_activation *dx, const float *drep) {
    (void)queue;
    size_t plane = (size_t)dx->h * dx->w, channels = (size_t)dx->c, images = (size_t)dx->t * dx->n;
    float *data = dx->data;
#pragma omp parallel for schedule(static)
    for (size_t n = 0; n < images; n++)
        for (size_t i = 0; i < plane; i++)
            for (size_t c = 0; c < channels; c++)
                data[(n * plane + i) * channels + c] = drep[n * channels + c] / (float)plane;
    return MMC_OK;
}

static const char *detail(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode) {
    (void)queue;
    (void)mode; /* the forward pass names it: gradients follow */
    return mmc_onednn_implementation(s, MMC_DNNL_FORWARD);
}

const mmc_unit_ops *mmc_onednn_unit_ops(void) {
    static const mmc_unit_ops ops = {
        .name = "onednn",
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
        .pool = pool,
        .pool_backward = pool_backward,
        .detail = detail,
    };
    return &ops;
}
