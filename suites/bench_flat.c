/* The operations on whole vectors, the head and the loss. */
#include "suites/bench_operation.h"

#include <stdlib.h>

enum { STREAM_REP = 100, STREAM_STATE, STREAM_LOGITS, STREAM_GRADIENT, STREAM_FACTOR, STREAM_END };
enum { POOLED_IMAGES = 128 };

static mmc_status run_head(mmc_bench_operation *op) {
    return op->be->flat->head(op->be->queue, &op->head);
}

static mmc_status prepare_head(mmc_bench_operation *op) {
    const int n = op->c.shape.n, c = op->c.shape.c, k = op->c.classes;
    const size_t rows = (size_t)op->c.sets * (size_t)n, stride = (size_t)k * (size_t)(c + 1);
    const float bound = 1.0f / (float)c;
    float *rep, *state;
    MMC_TRY(mmc_bench_floats(op, &rep, rows * (size_t)c, STREAM_REP, 0, 1));
    MMC_TRY(mmc_bench_floats(op, &state, stride * (size_t)op->c.sets, STREAM_STATE, -bound, bound));
    MMC_TRY(mmc_bench_floats(op, &op->a, rows * (size_t)k, STREAM_LOGITS, 0, 1));
    op->head = (mmc_head_call){.sets = op->c.sets,
                               .n = n,
                               .c = c,
                               .k = k,
                               .logits = op->a,
                               .rep = rep,
                               .w = state,
                               .b = state + (size_t)k * (size_t)c,
                               .set_stride = stride};
    op->run = run_head;
    mmc_bench_output_add(op, (mmc_bench_output){.data = op->a, .count = rows * (size_t)k});
    return MMC_OK;
}

static mmc_status run_head_backward(mmc_bench_operation *op) {
    return op->be->flat->head_backward(op->be->queue, &op->head_backward);
}

static mmc_status prepare_head_backward(mmc_bench_operation *op) {
    const size_t n = (size_t)op->c.shape.n, c = (size_t)op->c.shape.c, k = (size_t)op->c.classes;
    float *rep, *w, *dlogits, *dw, *drep;
    MMC_TRY(mmc_bench_floats(op, &rep, n * c, STREAM_REP, 0, 1));
    MMC_TRY(mmc_bench_floats(op, &w, k * c, STREAM_STATE, -1, 1));
    MMC_TRY(mmc_bench_floats(op, &dlogits, n * k, STREAM_GRADIENT, -1, 1));
    MMC_TRY(mmc_bench_floats(op, &dw, k * (c + 1), STREAM_LOGITS, 0, 1));
    MMC_TRY(mmc_bench_floats(op, &drep, n * c, STREAM_LOGITS, 0, 1));
    op->head_backward = (mmc_head_backward_call){.n = op->c.shape.n,
                                                 .c = op->c.shape.c,
                                                 .k = op->c.classes,
                                                 .drep = drep,
                                                 .dw = dw,
                                                 .db = dw + k * c,
                                                 .dlogits = dlogits,
                                                 .rep = rep,
                                                 .w = w};
    op->run = run_head_backward;
    mmc_bench_output_add(op, (mmc_bench_output){.data = dw, .count = k * (c + 1)});
    mmc_bench_output_add(op, (mmc_bench_output){.data = drep, .count = n * c});
    return MMC_OK;
}

static mmc_status run_loss(mmc_bench_operation *op) {
    return op->be->flat->loss(op->be->queue, &op->loss);
}

static mmc_status prepare_loss(mmc_bench_operation *op) {
    const int n = op->c.shape.n, k = op->c.classes;
    const size_t elements = (size_t)n * (size_t)k;
    float *logits;
    void *labels, *tally;
    int32_t *host = malloc((size_t)n * sizeof *host);
    if (!host)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for %d labels", n);
    for (int i = 0; i < n; i++)
        host[i] = i % k;
    mmc_status status = mmc_bench_upload(op, &labels, host, (size_t)n * sizeof *host);
    free(host);
    MMC_TRY(status);
    MMC_TRY(mmc_bench_floats(op, &logits, elements, STREAM_LOGITS, -8, 8));
    MMC_TRY(mmc_bench_block(op, &tally, 2 * sizeof(double)));
    op->loss = (mmc_loss_call){.n = n, .k = k, .tally = tally, .logits = logits, .labels = labels};
    if (op->c.gradient) {
        MMC_TRY(mmc_bench_floats(op, &op->a, elements, STREAM_GRADIENT, 0, 1));
        op->loss.dlogits = op->a;
        op->loss.gradient_scale = 1.0f / (float)n;
        mmc_bench_output_add(op, (mmc_bench_output){.data = op->a, .count = elements});
    }
    op->run = run_loss;
    mmc_bench_output_add(op, (mmc_bench_output){.data = tally, .count = 2, .type = MMC_BENCH_F64});
    return MMC_OK;
}

static mmc_status run_mirror(mmc_bench_operation *op) {
    const size_t elements = (size_t)op->c.shape.n * (size_t)op->c.classes;
    return op->be->flat->mirror(op->be->queue, op->a, elements, op->sums, op->c.shape.n, op->sums + 2);
}

/* A mean loss of one half and a factor of one: every run turns the sign, so that the size of the gradient stays. */
static mmc_status prepare_mirror(mmc_bench_operation *op) {
    const double values[] = {0.5 * op->c.shape.n, 0, 1}; /* sum of losses, correct answers, factor */
    const size_t elements = (size_t)op->c.shape.n * (size_t)op->c.classes;
    void *sums;
    MMC_TRY(mmc_bench_upload(op, &sums, values, sizeof values));
    MMC_TRY(mmc_bench_floats(op, &op->a, elements, STREAM_GRADIENT, -1, 1));
    op->sums = sums;
    op->run = run_mirror;
    mmc_bench_output_add(op, (mmc_bench_output){.data = op->a, .count = elements});
    return MMC_OK;
}

static mmc_status run_interpolate(mmc_bench_operation *op) {
    return op->be->flat->interpolate(op->be->queue, op->a, op->c.count, op->c.sets, op->end, op->c.ends,
                                     op->coefficient, op->c.count);
}

/* The sets are the points of a path from the first end to the last. */
static mmc_status prepare_interpolate(mmc_bench_operation *op) {
    const int ends = op->c.ends, sets = op->c.sets;
    const size_t elements = op->c.count * (size_t)sets;
    op->coefficient = malloc((size_t)(sets * ends) * sizeof *op->coefficient);
    if (!op->coefficient)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for %d coefficients", sets * ends);
    for (int i = 0; i < sets; i++) {
        const double t = (i + 0.5) / sets, s = 1 - t;
        double *f = op->coefficient + i * ends;
        if (ends == 2) {
            f[0] = s;
            f[1] = t;
        } else {
            f[0] = s * s;
            f[1] = 2 * s * t;
            f[2] = t * t;
        }
    }
    for (int e = 0; e < ends; e++) {
        float *p;
        MMC_TRY(mmc_bench_floats(op, &p, op->c.count, STREAM_END + (uint32_t)e, -1, 1));
        op->end[e] = p;
    }
    MMC_TRY(mmc_bench_floats(op, &op->a, elements, STREAM_STATE, 0, 1));
    op->run = run_interpolate;
    mmc_bench_output_add(op, (mmc_bench_output){.data = op->a, .count = elements});
    return MMC_OK;
}

static mmc_status run_sgd(mmc_bench_operation *op) {
    return op->be->flat->sgd(op->be->queue, op->a, op->b, op->d, op->c.count, 0.1, 0.9, 1e-4);
}

static mmc_status prepare_sgd(mmc_bench_operation *op) {
    MMC_TRY(mmc_bench_floats(op, &op->a, op->c.count, STREAM_STATE, -1, 1));
    MMC_TRY(mmc_bench_floats(op, &op->b, op->c.count, STREAM_END, -1, 1));
    MMC_TRY(mmc_bench_floats(op, &op->d, op->c.count, STREAM_GRADIENT, -1, 1));
    op->run = run_sgd;
    mmc_bench_output_add(op, (mmc_bench_output){.data = op->a, .count = op->c.count});
    mmc_bench_output_add(op, (mmc_bench_output){.data = op->b, .count = op->c.count});
    return MMC_OK;
}

static mmc_status run_running(mmc_bench_operation *op) {
    return op->be->flat->running(op->be->queue, op->a, op->c.count, op->b, op->c.count, op->d, op->c.sets, op->c.count,
                                 0.1);
}

static mmc_status prepare_running(mmc_bench_operation *op) {
    const size_t elements = op->c.count * (size_t)op->c.sets;
    MMC_TRY(mmc_bench_floats(op, &op->a, elements, STREAM_STATE, 0, 1));
    MMC_TRY(mmc_bench_floats(op, &op->b, elements, STREAM_END, 0, 1));
    MMC_TRY(mmc_bench_floats(op, &op->d, op->c.count, STREAM_FACTOR, 1, 1.1f));
    op->run = run_running;
    mmc_bench_output_add(op, (mmc_bench_output){.data = op->a, .count = elements});
    return MMC_OK;
}

static mmc_status run_pool_add(mmc_bench_operation *op) {
    return op->be->flat->pool_add(op->be->queue, op->sums, op->a, op->partner, op->b, op->c.count, POOLED_IMAGES);
}

static mmc_status run_pool_finish(mmc_bench_operation *op) {
    return op->be->flat->pool_finish(op->be->queue, op->d, op->sums, op->partner, op->b, op->c.count, POOLED_IMAGES);
}

/* As if all were one layer: the means, then the variances. */
static mmc_status prepare_pooled(mmc_bench_operation *op) {
    const size_t count = op->c.count, means = (count + 1) / 2;
    void *p;
    int32_t *partner = malloc(count * sizeof *partner);
    if (!partner)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for %zu statistics", count);
    for (size_t i = 0; i < count; i++)
        partner[i] = (int32_t)(i < means ? i : i - means);
    mmc_status status = mmc_bench_upload(op, &p, partner, count * sizeof *partner);
    op->partner = p;
    free(partner);
    MMC_TRY(status);
    MMC_TRY(mmc_bench_floats(op, &op->a, count, STREAM_STATE, 1, 2));
    MMC_TRY(mmc_bench_floats(op, &op->b, count, STREAM_FACTOR, 16, 16));
    MMC_TRY(mmc_bench_block(op, &p, count * sizeof(double)));
    op->sums = p;
    op->run = run_pool_add;
    if (op->c.op == MMC_BENCH_POOL_ADD) {
        mmc_bench_output_add(op, (mmc_bench_output){.data = op->sums, .count = count, .type = MMC_BENCH_F64});
        return MMC_OK;
    }
    MMC_TRY(mmc_bench_floats(op, &op->d, count, STREAM_END, 0, 1));
    MMC_TRY(run_pool_add(op));
    op->run = run_pool_finish;
    mmc_bench_output_add(op, (mmc_bench_output){.data = op->d, .count = count});
    return MMC_OK;
}

mmc_status mmc_bench_prepare_flat(mmc_bench_operation *op) {
    switch (op->c.op) {
    case MMC_BENCH_HEAD:
        return prepare_head(op);
    case MMC_BENCH_HEAD_BACKWARD:
        return prepare_head_backward(op);
    case MMC_BENCH_LOSS:
        return prepare_loss(op);
    case MMC_BENCH_MIRROR:
        return prepare_mirror(op);
    case MMC_BENCH_INTERPOLATE:
        return prepare_interpolate(op);
    case MMC_BENCH_SGD:
        return prepare_sgd(op);
    case MMC_BENCH_RUNNING:
        return prepare_running(op);
    default:
        return prepare_pooled(op);
    }
}
