/* The small model: an epoch of training, and its outputs. */
#include "suites/bench_operation.h"

#include <stdlib.h>

enum { STREAM_W = 400, STREAM_A, STREAM_X, STREAM_Y, BATCH = 64 };

static mmc_status run_train(mmc_bench_operation *op) {
    return op->be->mlp->train(op->be->queue, &op->mlp_train);
}

static mmc_status run_eval(mmc_bench_operation *op) {
    return op->be->mlp->eval(op->be->queue, &op->mlp_eval);
}

mmc_status mmc_bench_prepare_mlp(mmc_bench_operation *op) {
    const mmc_bench_case *c = &op->c;
    const size_t n = (size_t)c->shape.n, inputs = (size_t)c->shape.c, hidden = (size_t)c->shape.k;
    const size_t sets = (size_t)c->sets, weights = inputs * hidden;
    const mmc_mlp_shape shape = {.sets = c->sets, .inputs = c->shape.c, .hidden = c->shape.k};
    mmc_backend *be = op->be;
    float *w, *a, *x;
    void *p;
    MMC_TRY(mmc_bench_floats(op, &w, sets * weights, STREAM_W, -1, 1));
    MMC_TRY(mmc_bench_floats(op, &a, hidden, STREAM_A, -1, 1));
    MMC_TRY(mmc_bench_floats(op, &x, n * inputs, STREAM_X, -1, 1));
    if (c->op == MMC_BENCH_MLP_EVAL) {
        MMC_TRY(mmc_bench_block(op, &p, sets * n * sizeof(float)));
        op->mlp_eval = (mmc_mlp_eval_call){
            .shape = shape, .samples = c->shape.n, .w = w, .set_stride = weights, .a = a, .x = x, .f = p};
        mmc_bench_output_add(op, (mmc_bench_output){.data = p, .count = sets * n});
        MMC_TRY(mmc_bench_block(op, &op->mlp_eval.workspace, be->mlp->eval_workspace_size(be->queue, &op->mlp_eval)));
        op->run = run_eval;
        return MMC_OK;
    }
    float *y;
    op->mlp_train = (mmc_mlp_train_call){.shape = shape,
                                         .samples = c->shape.n,
                                         .batch = BATCH,
                                         .momentum = 0.9,
                                         .w = w,
                                         .set_stride = weights,
                                         .a = a,
                                         .x = x};
    const size_t steps = (size_t)mmc_mlp_steps(&op->mlp_train);
    op->coefficient = malloc(steps * sizeof *op->coefficient);
    if (!op->coefficient)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for %zu learning rates", steps);
    for (size_t i = 0; i < steps; i++)
        op->coefficient[i] = 0.01;
    MMC_TRY(mmc_bench_floats(op, &y, n, STREAM_Y, -1, 1));
    MMC_TRY(mmc_bench_block(op, &p, sets * weights * sizeof(float)));
    op->mlp_train.v = p;
    MMC_TRY(mmc_bench_block(op, &p, sets * steps * sizeof(double)));
    op->mlp_train.loss = p;
    op->mlp_train.y = y;
    op->mlp_train.lr = op->coefficient;
    MMC_TRY(mmc_bench_block(op, &op->mlp_train.workspace, be->mlp->train_workspace_size(be->queue, &op->mlp_train)));
    op->run = run_train;
    mmc_bench_output_add(op, (mmc_bench_output){.data = w, .count = sets * weights});
    mmc_bench_output_add(op, (mmc_bench_output){.data = p, .count = sets * steps, .type = MMC_BENCH_F64});
    return MMC_OK;
}
