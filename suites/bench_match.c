/* What matching and class-mean fine-tuning need: correlation of units, assignment, class means. */
#include "suites/bench_operation.h"

#include <stdlib.h>

enum { STREAM_FIRST = 300, STREAM_SECOND, STREAM_COST };

static mmc_status run_class_means(mmc_bench_operation *op) {
    return op->be->flat->class_means(op->be->queue, &op->class_means);
}

static mmc_status prepare_class_means(mmc_bench_operation *op) {
    const int n = op->c.shape.n, c = op->c.shape.c, classes = op->c.classes;
    const size_t elements = (size_t)n * (size_t)c;
    void *labels, *distance, *workspace;
    float *rep[2], *drep[2];
    int32_t *host = malloc((size_t)n * sizeof *host);
    if (!host)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for %d labels", n);
    for (int i = 0; i < n; i++)
        host[i] = i % classes;
    mmc_status status = mmc_bench_upload(op, &labels, host, (size_t)n * sizeof *host);
    free(host);
    MMC_TRY(status);
    for (int b = 0; b < 2; b++) {
        MMC_TRY(mmc_bench_floats(op, &rep[b], elements, STREAM_FIRST + (uint32_t)b, 0, 1));
        MMC_TRY(mmc_bench_floats(op, &drep[b], elements, STREAM_COST, 0, 1));
        mmc_bench_output_add(op, (mmc_bench_output){.data = drep[b], .count = elements});
    }
    MMC_TRY(mmc_bench_block(op, &distance, sizeof(double)));
    MMC_TRY(mmc_bench_block(op, &workspace, mmc_class_means_workspace_size(classes, c)));
    op->class_means =
        (mmc_class_means_call){.classes = classes,
                               .c = c,
                               .unit = true,
                               .weight = 1,
                               .distance = distance,
                               .batch = {{n, rep[0], labels, drep[0], false}, {n, rep[1], labels, drep[1], false}},
                               .workspace = workspace};
    op->run = run_class_means;
    mmc_bench_output_add(op, (mmc_bench_output){.data = distance, .count = 1, .type = MMC_BENCH_F64});
    return MMC_OK;
}

/* A batch as the first of its split, and the result. */
static mmc_status run_correlate(mmc_bench_operation *op) {
    MMC_TRY(op->be->correlation->add(op->be->queue, &op->correlation));
    return op->be->correlation->finish(op->be->queue, &op->correlated);
}

static mmc_status prepare_correlate(mmc_bench_operation *op) {
    const mmc_unit_shape *s = &op->c.shape;
    mmc_backend *be = op->be;
    void *state, *workspace;
    const size_t units = (size_t)s->c;
    MMC_TRY(mmc_bench_activation(op, &op->x, s->n, s->c, s->h, s->w));
    MMC_TRY(mmc_bench_activation_fill(op, &op->x, STREAM_FIRST));
    MMC_TRY(mmc_bench_activation(op, &op->y, s->n, s->c, s->h, s->w));
    MMC_TRY(mmc_bench_activation_fill(op, &op->y, STREAM_SECOND));
    const size_t workspace_size = be->correlation->workspace_size(be->queue, &op->x, &op->y);
    MMC_TRY(mmc_bench_block(op, &state, mmc_correlation_state_count(s->c, s->c) * sizeof(double)));
    MMC_TRY(mmc_bench_block(op, &workspace, workspace_size));
    MMC_TRY(mmc_bench_floats(op, &op->a, units * units, STREAM_COST, 0, 1));
    op->correlation = (mmc_correlation_call){.first = true,
                                             .state = state,
                                             .a = &op->x,
                                             .b = &op->y,
                                             .workspace = workspace,
                                             .workspace_size = workspace_size};
    op->correlated = (mmc_correlation_finish){
        .state = state, .a = s->c, .b = s->c, .samples = (int64_t)s->n * s->h * s->w, .r = op->a};
    op->run = run_correlate;
    mmc_bench_output_add(op, (mmc_bench_output){.data = op->a, .count = units * units});
    return MMC_OK;
}

static mmc_status run_assign(mmc_bench_operation *op) {
    return op->be->assign->solve(op->be->queue, &op->assign);
}

/* Costs are uniform integers of 20 bits, as correlations are. */
static mmc_status prepare_assign(mmc_bench_operation *op) {
    const size_t n = op->c.count, problems = (size_t)op->c.sets, entries = problems * n * n;
    void *cost, *column, *potentials, *result, *workspace;
    mmc_status status = MMC_OK;
    float *drawn = malloc(entries * sizeof *drawn);
    int32_t *costs = malloc(entries * sizeof *costs);
    op->problems = malloc(problems * sizeof *op->problems);
    if (!drawn || !costs || !op->problems)
        MMC_GOTO(cleanup, mmc_fail(MMC_ERR_MEMORY, "out of memory for %zu costs", entries));
    mmc_bench_draw(drawn, entries, STREAM_COST, -0x1p20f, 0x1p20f);
    for (size_t i = 0; i < entries; i++)
        costs[i] = (int32_t)drawn[i];
    for (size_t p = 0; p < problems; p++)
        op->problems[p] = (mmc_assign_problem){.rows = (int)n, .columns = (int)n, .cost = p * n * n, .stride = n};
    MMC_GOTO(cleanup, mmc_bench_upload(op, &cost, costs, entries * sizeof *costs));
    MMC_GOTO(cleanup, mmc_bench_block(op, &column, problems * n * sizeof(int32_t)));
    MMC_GOTO(cleanup, mmc_bench_block(op, &potentials, 2 * problems * n * sizeof(int64_t)));
    MMC_GOTO(cleanup, mmc_bench_block(op, &result, problems * sizeof(mmc_assign_result)));
    op->assign = (mmc_assign_call){.problems = (int)problems,
                                   .problem = op->problems,
                                   .type = MMC_ASSIGN_I32,
                                   .maximise = true,
                                   .cost = cost,
                                   .column = column,
                                   .u = potentials,
                                   .v = (int64_t *)potentials + problems * n,
                                   .result = result};
    op->assign.workspace_size = op->be->assign->workspace_size(op->be->queue, &op->assign);
    MMC_GOTO(cleanup, mmc_bench_block(op, &workspace, op->assign.workspace_size));
    op->assign.workspace = workspace;
    op->run = run_assign;
    mmc_bench_output_add(op, (mmc_bench_output){.data = column, .count = problems * n, .type = MMC_BENCH_I32});
cleanup:
    free(costs);
    free(drawn);
    return status;
}

mmc_status mmc_bench_prepare_match(mmc_bench_operation *op) {
    switch (op->c.op) {
    case MMC_BENCH_CLASS_MEANS:
        return prepare_class_means(op);
    case MMC_BENCH_CORRELATE:
        return prepare_correlate(op);
    default:
        return prepare_assign(op);
    }
}
