/* The unit operations of the provider `own` for one instruction set: kernels put together, workspace planned. */
#include "kernels/own/boundary.h"
#include "kernels/own/conv.h"
#include "kernels/own/gradw.h"
#include "kernels/own/norm.h"
#include "kernels/own/winograd.h"

static mmc_status shape_check(const mmc_unit_shape *s) {
    if ((s->r != 1 && s->r != 3) || (s->stride != 1 && s->stride != 2))
        return mmc_fail(MMC_ERR_UNSUPPORTED,
                        "own: %dx%d convolution with stride %d; only 1x1 and 3x3 with stride 1 or 2 exist", s->r, s->r,
                        s->stride);
    if (s->n < 1 || s->c < 1 || s->h < 1 || s->w < 1 || s->k < 1)
        return mmc_fail(MMC_ERR_SHAPE, "own: unit of n %d, c %d, h %d, w %d, k %d; give at least 1 of each", s->n, s->c,
                        s->h, s->w, s->k);
    return MMC_OK;
}

INLINE size_t round64(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

/* --- packed weights: the forward forms of all sets; TRAIN: then their backward forms --- */

static size_t pack_forward_bytes(const mmc_unit_shape *s) {
    const own_conv forward = OWN(conv_forward)(s, 1);
    return round64(OWN(conv_pack_floats)(&forward) * sizeof(float));
}

static size_t pack_backward_bytes(const mmc_unit_shape *s) {
    const own_conv backward = OWN(conv_backward)(s);
    return round64(OWN(conv_pack_floats)(&backward) * sizeof(float));
}

static size_t own_pack_size(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode, int sets) {
    (void)queue;
    return (size_t)sets * (pack_forward_bytes(s) + (mode == MMC_PACK_TRAIN ? pack_backward_bytes(s) : 0));
}

static mmc_status own_pack(mmc_queue *queue, void *packed, const mmc_unit_shape *s, mmc_pack_mode mode, int sets,
                           const float *w, size_t set_stride) {
    (void)queue;
    MMC_TRY(shape_check(s));
    const own_conv forward = OWN(conv_forward)(s, 1), backward = OWN(conv_backward)(s);
    char *to = packed;
    for (int t = 0; t < sets; t++, to += pack_forward_bytes(s))
        OWN(conv_pack)((float *)to, &forward, w + (size_t)t * set_stride);
    if (mode == MMC_PACK_TRAIN)
        for (int t = 0; t < sets; t++, to += pack_backward_bytes(s))
            OWN(conv_pack)((float *)to, &backward, w + (size_t)t * set_stride);
    return MMC_OK;
}

/* --- workspace: scale and shift of all sets, then what the kernel in hand needs --- */

static size_t affine_bytes(const mmc_unit_shape *s, int sets) {
    return round64((size_t)sets * (size_t)s->k * 2 * sizeof(float));
}

static size_t own_workspace_size(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode, int sets) {
    (void)queue;
    const own_conv forward = OWN(conv_forward)(s, sets);
    size_t size = affine_bytes(s, sets) + OWN(conv_workspace)(&forward);
    if (mode == MMC_PACK_TRAIN) {
        const own_conv backward = OWN(conv_backward)(s);
        const size_t needs[] = {OWN(conv_workspace)(&backward), OWN(gradw_workspace)(s),
                                OWN(norm_backward_workspace)(s->n, s->k, mmc_unit_out_h(s) * mmc_unit_out_w(s))};
        for (int i = 0; i < 3; i++)
            size = needs[i] > size ? needs[i] : size;
    }
    return size;
}

/* Scale and shift (T,K) of all sets, at the start of the workspace. norm: gamma, beta, mean, var of the first set. */
static own_affine_call affine_take(void *workspace, const mmc_unit_shape *s, int sets, const float *const norm[4],
                                   size_t set_stride, size_t stat_stride) {
    float *scale = workspace;
    const own_affine_call affine = {.scale = scale,
                                    .shift = scale + (size_t)sets * (size_t)s->k,
                                    .gamma = norm[0],
                                    .beta = norm[1],
                                    .mean = norm[2],
                                    .var = norm[3],
                                    .set_stride = set_stride,
                                    .stat_stride = stat_stride,
                                    .sets = sets,
                                    .k = s->k};
    OWN(affine)(&affine);
    return affine;
}

static mmc_status own_train(mmc_queue *queue, const mmc_unit_train_call *call) {
    (void)queue;
    const mmc_unit_shape *s = &call->shape;
    MMC_TRY(shape_check(s));
    const int sets = call->sets;
    own_conv shape = OWN(conv_forward)(s, sets);
    shape.in_shared = call->x->t == 1;
    OWN(conv)
    (&(own_conv_call){.shape = shape,
                      .finish = OWN_FINISH_STATS,
                      .out = call->z->data,
                      .in = call->x->data,
                      .packed = call->packed,
                      .packed_stride = pack_forward_bytes(s) / sizeof(float),
                      .mean = call->mean,
                      .var = call->var,
                      .stat_stride = call->stat_stride,
                      .workspace = (char *)call->workspace + affine_bytes(s, sets)});
    const float *const norm[] = {call->gamma, call->beta, call->mean, call->var};
    const own_affine_call affine = affine_take(call->workspace, s, sets, norm, call->set_stride, call->stat_stride);
    OWN(normalise)
    (&(own_normalise_call){.y = call->y->data,
                           .z = call->z->data,
                           .residual = s->residual ? call->residual->data : NULL,
                           .scale = affine.scale,
                           .shift = affine.shift,
                           .sets = sets,
                           .n = s->n,
                           .k = s->k,
                           .pixels = shape.out_h * shape.out_w,
                           .relu = s->relu});
    return MMC_OK;
}

static mmc_status own_eval(mmc_queue *queue, const mmc_unit_eval_call *call) {
    (void)queue;
    const mmc_unit_shape *s = &call->shape;
    MMC_TRY(shape_check(s));
    const int sets = call->sets;
    const float *const norm[] = {call->gamma, call->beta, call->mean, call->var};
    const own_affine_call affine = affine_take(call->workspace, s, sets, norm, call->set_stride, call->set_stride);
    own_conv shape = OWN(conv_forward)(s, sets);
    shape.in_shared = call->x->t == 1;
    OWN(conv)
    (&(own_conv_call){.shape = shape,
                      .finish = OWN_FINISH_FOLDED,
                      .out = call->y->data,
                      .in = call->x->data,
                      .packed = call->packed,
                      .packed_stride = pack_forward_bytes(s) / sizeof(float),
                      .scale = affine.scale,
                      .shift = affine.shift,
                      .residual = s->residual ? call->residual->data : NULL,
                      .relu = s->relu,
                      .workspace = (char *)call->workspace + affine_bytes(s, sets)});
    return MMC_OK;
}

static mmc_status own_backward(mmc_queue *queue, const mmc_unit_backward_call *call) {
    (void)queue;
    const mmc_unit_shape *s = &call->shape;
    MMC_TRY(shape_check(s));
    OWN(norm_backward)
    (&(own_norm_backward_call){.dy = call->dy->data,
                               .dresidual = call->dresidual ? call->dresidual->data : NULL,
                               .dresidual_add = call->dresidual_add,
                               .dgamma = call->dgamma,
                               .dbeta = call->dbeta,
                               .y = call->y->data,
                               .z = call->z->data,
                               .gamma = call->gamma,
                               .mean = call->mean,
                               .var = call->var,
                               .n = s->n,
                               .k = s->k,
                               .pixels = mmc_unit_out_h(s) * mmc_unit_out_w(s),
                               .relu = s->relu,
                               .workspace = call->workspace});
    if (call->dx)
        OWN(conv)
    (&(own_conv_call){.shape = OWN(conv_backward)(s),
                      .finish = call->dx_add ? OWN_FINISH_ADD : OWN_FINISH_STORE,
                      .out = call->dx->data,
                      .in = call->dy->data,
                      .packed = (const float *)((const char *)call->packed + pack_forward_bytes(s)),
                      .workspace = call->workspace});
    OWN(gradw)(call->dw, call->dy->data, call->x->data, s, call->workspace);
    return MMC_OK;
}

static const char *own_detail(mmc_queue *queue, const mmc_unit_shape *s, mmc_pack_mode mode) {
    (void)queue;
    (void)mode;
    const own_conv forward = OWN(conv_forward)(s, 1);
    return OWN(winograd_fits)(&forward) ? "winograd-2x2" : "direct";
}

extern const mmc_unit_ops OWN(unit_table);
const mmc_unit_ops OWN(unit_table) = {
    .name = "own",
    .activation_size = OWN(activation_size),
    .put = OWN(put),
    .get = OWN(get),
    .render = OWN(render),
    .pack_size = own_pack_size,
    .pack = own_pack,
    .workspace_size = own_workspace_size,
    .train = own_train,
    .eval = own_eval,
    .backward = own_backward,
    .pool = OWN(pool),
    .pool_backward = OWN(pool_backward),
    .detail = own_detail,
};
