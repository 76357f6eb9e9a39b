/* The operations whose memory is in the backend's layout: units, rendering, the boundary, pooling. */
#include "suites/bench_operation.h"

#include <math.h>
#include <stdlib.h>

enum {
    STREAM_X,
    STREAM_RESIDUAL,
    STREAM_W,
    STREAM_GAMMA,
    STREAM_BETA,
    STREAM_MEAN,
    STREAM_VAR,
    STREAM_DY,
    STREAM_COLOUR
};
enum { STORED_IMAGES = 64 };

mmc_status mmc_bench_activation(mmc_bench_operation *op, mmc_activation *out, int n, int c, int h, int w) {
    mmc_backend *be = op->be;
    *out = (mmc_activation){.t = 1, .n = n, .c = c, .h = h, .w = w};
    return mmc_bench_block(op, &out->data, be->unit->activation_size(be->queue, 1, n, c, h, w));
}

mmc_status mmc_bench_activation_fill(mmc_bench_operation *op, mmc_activation *a, uint32_t stream) {
    float *dense;
    MMC_TRY(mmc_bench_floats(op, &dense, mmc_activation_count(a), stream, -1, 1));
    return op->be->unit->put(op->be->queue, a, dense);
}

/* --- units --- */

static mmc_pack_mode mode_of(mmc_bench_op op) {
    return op == MMC_BENCH_CONV_EVAL ? MMC_PACK_EVAL : op == MMC_BENCH_CONV_STATS ? MMC_PACK_STATS : MMC_PACK_TRAIN;
}

static mmc_status run_pack(mmc_bench_operation *op) {
    return op->be->unit->pack(op->be->queue, op->packed, &op->c.shape, mode_of(op->c.op), 1, op->weights, 0);
}

static mmc_status run_eval(mmc_bench_operation *op) {
    return op->be->unit->eval(op->be->queue, &op->eval);
}

static mmc_status run_train(mmc_bench_operation *op) {
    return op->be->unit->train(op->be->queue, &op->train);
}

static mmc_status restore_dy(mmc_bench_operation *op) {
    return op->be->memory->copy(op->be, op->dy.data, op->dy_kept.data, op->dy_bytes);
}

static mmc_status run_backward(mmc_bench_operation *op) {
    return op->be->unit->backward(op->be->queue, &op->backward);
}

static mmc_status prepare_backward(mmc_bench_operation *op, float *gamma, float *mean, float *var, void *workspace) {
    mmc_backend *be = op->be;
    const mmc_unit_shape *s = &op->c.shape;
    const size_t weights = (size_t)s->k * (size_t)s->c * (size_t)(s->r * s->r), k = (size_t)s->k;
    float *dw, *dgamma, *dbeta;
    void *p;
    MMC_TRY(run_train(op));
    MMC_TRY(mmc_bench_activation(op, &op->dy, s->n, s->k, op->y.h, op->y.w));
    MMC_TRY(mmc_bench_activation(op, &op->dy_kept, s->n, s->k, op->y.h, op->y.w));
    MMC_TRY(mmc_bench_activation_fill(op, &op->dy_kept, STREAM_DY));
    op->dy_bytes = be->unit->activation_size(be->queue, 1, s->n, s->k, op->y.h, op->y.w);
    MMC_TRY(restore_dy(op));
    if (s->c != 3) {
        MMC_TRY(mmc_bench_activation(op, &op->dx, s->n, s->c, s->h, s->w));
        mmc_bench_output_add(op, (mmc_bench_output){.activation = &op->dx});
    }
    if (s->residual) {
        MMC_TRY(mmc_bench_activation(op, &op->dresidual, s->n, s->k, op->y.h, op->y.w));
        mmc_bench_output_add(op, (mmc_bench_output){.activation = &op->dresidual});
    }
    MMC_TRY(mmc_bench_block(op, &p, (weights + 2 * k) * sizeof(float)));
    dw = p;
    dgamma = dw + weights;
    dbeta = dgamma + k;
    mmc_bench_output_add(op, (mmc_bench_output){.data = dw, .count = weights});
    mmc_bench_output_add(op, (mmc_bench_output){.data = dgamma, .count = 2 * k});
    op->backward = (mmc_unit_backward_call){.shape = *s,
                                            .dx = s->c != 3 ? &op->dx : NULL,
                                            .dresidual = s->residual ? &op->dresidual : NULL,
                                            .dw = dw,
                                            .dgamma = dgamma,
                                            .dbeta = dbeta,
                                            .dy = &op->dy,
                                            .y = &op->y,
                                            .z = &op->z,
                                            .x = &op->x,
                                            .packed = op->packed,
                                            .gamma = gamma,
                                            .mean = mean,
                                            .var = var,
                                            .workspace = workspace};
    op->prepare = restore_dy;
    op->run = run_backward;
    return MMC_OK;
}

static mmc_status prepare_conv(mmc_bench_operation *op) {
    mmc_backend *be = op->be;
    const mmc_unit_shape *s = &op->c.shape;
    const mmc_pack_mode mode = mode_of(op->c.op);
    const size_t k = (size_t)s->k, weights = k * (size_t)s->c * (size_t)(s->r * s->r);
    const float bound = sqrtf(3.0f / (float)(s->c * s->r * s->r)); /* z of variance 1/3 */
    float *gamma, *beta, *mean, *var;
    void *workspace;
    MMC_TRY(mmc_bench_floats(op, &op->weights, weights, STREAM_W, -bound, bound));
    MMC_TRY(mmc_bench_block(op, &op->packed, be->unit->pack_size(be->queue, s, mode, 1)));
    MMC_TRY(run_pack(op));
    if (op->c.op == MMC_BENCH_PACK) {
        op->run = run_pack;
        return MMC_OK;
    }
    MMC_TRY(mmc_bench_floats(op, &gamma, k, STREAM_GAMMA, 0.5f, 1.5f));
    MMC_TRY(mmc_bench_floats(op, &beta, k, STREAM_BETA, -0.5f, 0.5f));
    MMC_TRY(mmc_bench_floats(op, &mean, k, STREAM_MEAN, -0.5f, 0.5f));
    MMC_TRY(mmc_bench_floats(op, &var, k, STREAM_VAR, 0.5f, 1.5f));
    MMC_TRY(mmc_bench_block(op, &workspace, be->unit->workspace_size(be->queue, s, mode, 1)));
    MMC_TRY(mmc_bench_activation(op, &op->x, s->n, s->c, s->h, s->w));
    MMC_TRY(mmc_bench_activation_fill(op, &op->x, STREAM_X));
    MMC_TRY(mmc_bench_activation(op, &op->y, s->n, s->k, mmc_unit_out_h(s), mmc_unit_out_w(s)));
    if (s->residual) {
        MMC_TRY(mmc_bench_activation(op, &op->residual, s->n, s->k, op->y.h, op->y.w));
        MMC_TRY(mmc_bench_activation_fill(op, &op->residual, STREAM_RESIDUAL));
    }
    const mmc_activation *residual = s->residual ? &op->residual : NULL;
    if (op->c.op == MMC_BENCH_CONV_EVAL) {
        op->eval = (mmc_unit_eval_call){.shape = *s,
                                        .sets = 1,
                                        .y = &op->y,
                                        .x = &op->x,
                                        .packed = op->packed,
                                        .gamma = gamma,
                                        .beta = beta,
                                        .mean = mean,
                                        .var = var,
                                        .residual = residual,
                                        .workspace = workspace};
        op->run = run_eval;
        mmc_bench_output_add(op, (mmc_bench_output){.activation = &op->y});
        return MMC_OK;
    }
    if (mode == MMC_PACK_STATS && !(be->defers && s->residual))
        op->z = op->y; /* as networks place it */
    else
        MMC_TRY(mmc_bench_activation(op, &op->z, s->n, s->k, op->y.h, op->y.w));
    op->train = (mmc_unit_train_call){.shape = *s,
                                      .sets = 1,
                                      .y = &op->y,
                                      .z = &op->z,
                                      .mean = mean,
                                      .var = var,
                                      .x = &op->x,
                                      .packed = op->packed,
                                      .gamma = gamma,
                                      .beta = beta,
                                      .residual = residual,
                                      .workspace = workspace};
    op->run = run_train;
    if (op->c.op == MMC_BENCH_CONV_BACKWARD)
        return prepare_backward(op, gamma, mean, var, workspace);
    mmc_bench_output_add(op, (mmc_bench_output){.activation = &op->y});
    mmc_bench_output_add(op, (mmc_bench_output){.data = mean, .count = k});
    mmc_bench_output_add(op, (mmc_bench_output){.data = var, .count = k});
    return MMC_OK;
}

/* --- rendering, boundary, pooling --- */

static mmc_status run_render(mmc_bench_operation *op) {
    return op->be->unit->render(op->be->queue, &op->x, &op->store, op->samples);
}

static mmc_status run_put(mmc_bench_operation *op) {
    return op->be->unit->put(op->be->queue, &op->x, op->a);
}

static mmc_status run_get(mmc_bench_operation *op) {
    return op->be->unit->get(op->be->queue, op->a, &op->x);
}

static mmc_status run_pool(mmc_bench_operation *op) {
    return op->be->unit->pool(op->be->queue, op->a, &op->x);
}

static mmc_status run_pool_backward(mmc_bench_operation *op) {
    return op->be->unit->pool_backward(op->be->queue, &op->x, op->a);
}

/* Raw images, and above them other raw images where the network takes 64 rows; boxes or tops in turn, every fifth image
 * without. */
static mmc_status prepare_render(mmc_bench_operation *op) {
    enum { PLANE = MMC_IMAGE_SIDE * MMC_IMAGE_SIDE };
    const int n = op->c.shape.n, height = op->c.shape.h;
    const bool tops = height != MMC_IMAGE_SIDE;
    const size_t natural = (size_t)STORED_IMAGES * 3 * PLANE, top = (size_t)STORED_IMAGES * PLANE;
    mmc_status status = MMC_OK;
    void *device_natural, *device_top = NULL;
    float *drawn = malloc(natural * sizeof *drawn);
    uint8_t *bytes = malloc(natural);
    mmc_sample *samples = calloc((size_t)n, sizeof *samples);
    if (!drawn || !bytes || !samples)
        MMC_GOTO(cleanup, mmc_fail(MMC_ERR_MEMORY, "out of memory for %d images", n));
    mmc_bench_draw(drawn, natural, STREAM_X, 0, 256);
    for (size_t i = 0; i < natural; i++)
        bytes[i] = (uint8_t)drawn[i];
    for (int i = 0; i < n; i++) {
        samples[i] = (mmc_sample){.image = i % STORED_IMAGES, .cue = i % 5 ? i % MMC_BOX_PLACES : -1};
        if (!tops && samples[i].cue >= 0)
            mmc_bench_draw(samples[i].colour, 3, STREAM_COLOUR + (uint32_t)i, -1, 1);
    }
    MMC_GOTO(cleanup, mmc_bench_upload(op, &device_natural, bytes, natural));
    if (tops)
        MMC_GOTO(cleanup, mmc_bench_upload(op, &device_top, bytes, top));
    MMC_GOTO(cleanup, mmc_bench_upload(op, &op->samples, samples, (size_t)n * sizeof *samples));
    MMC_GOTO(cleanup, mmc_bench_activation(op, &op->x, n, 3, height, MMC_IMAGE_SIDE));
    op->store = (mmc_image_store){.natural = device_natural,
                                  .top = device_top,
                                  .count = STORED_IMAGES,
                                  .top_count = tops ? STORED_IMAGES : 0,
                                  .channels = 3,
                                  .height = height};
    op->run = run_render;
    mmc_bench_output_add(op, (mmc_bench_output){.activation = &op->x});
cleanup:
    free(drawn);
    free(bytes);
    free(samples);
    return status;
}

static mmc_status prepare_boundary(mmc_bench_operation *op) {
    const mmc_unit_shape *s = &op->c.shape;
    const size_t rows = (size_t)s->n * (size_t)s->c, elements = rows * (size_t)(s->h * s->w);
    const bool pools = op->c.op == MMC_BENCH_POOL || op->c.op == MMC_BENCH_POOL_BACKWARD;
    const bool reads = op->c.op == MMC_BENCH_GET || op->c.op == MMC_BENCH_POOL; /* the activation */
    const size_t dense = pools ? rows : elements;
    MMC_TRY(mmc_bench_activation(op, &op->x, s->n, s->c, s->h, s->w));
    MMC_TRY(mmc_bench_floats(op, &op->a, dense, STREAM_DY, -1, 1));
    if (reads)
        MMC_TRY(mmc_bench_activation_fill(op, &op->x, STREAM_X));
    mmc_bench_output_add(op, reads ? (mmc_bench_output){.data = op->a, .count = dense}
                                   : (mmc_bench_output){.activation = &op->x});
    op->run = op->c.op == MMC_BENCH_PUT    ? run_put
              : op->c.op == MMC_BENCH_GET  ? run_get
              : op->c.op == MMC_BENCH_POOL ? run_pool
                                           : run_pool_backward;
    return MMC_OK;
}

mmc_status mmc_bench_prepare_unit(mmc_bench_operation *op) {
    if (op->c.op <= MMC_BENCH_PACK)
        return prepare_conv(op);
    return op->c.op == MMC_BENCH_RENDER ? prepare_render(op) : prepare_boundary(op);
}
