#include "suites/bench_operation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A linear congruential generator (Knuth's MMIX): megabytes of inputs, of which nothing but their spread matters. */
void mmc_bench_draw(float *out, size_t count, uint32_t stream, float low, float high) {
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15) * (stream + 1);
    for (size_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        out[i] = low + (high - low) * ((float)(state >> 40) * 0x1p-24f);
    }
}

mmc_status mmc_bench_block(mmc_bench_operation *op, void **out, size_t size) {
    *out = NULL;
    if (op->block_count == MMC_BENCH_BLOCKS)
        return mmc_fail(MMC_ERR_MEMORY, "an operation of %d blocks of memory; MMC_BENCH_BLOCKS is too small",
                        op->block_count + 1);
    MMC_TRY(op->be->memory->alloc(op->be, out, size));
    op->blocks[op->block_count++] = *out;
    return op->be->memory->zero(op->be, *out, size);
}

mmc_status mmc_bench_upload(mmc_bench_operation *op, void **out, const void *host, size_t size) {
    MMC_TRY(mmc_bench_block(op, out, size));
    return op->be->memory->upload(op->be, *out, host, size);
}

mmc_status mmc_bench_floats(mmc_bench_operation *op, float **out, size_t count, uint32_t stream, float low,
                            float high) {
    void *device;
    *out = NULL;
    float *host = malloc((count ? count : 1) * sizeof *host);
    if (!host)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for %zu inputs; a smaller --batch or --width needs less", count);
    mmc_bench_draw(host, count, stream, low, high);
    mmc_status status = mmc_bench_upload(op, &device, host, count * sizeof *host);
    free(host);
    if (status == MMC_OK)
        *out = device;
    return status;
}

void mmc_bench_output_add(mmc_bench_operation *op, mmc_bench_output output) {
    op->outputs[op->output_count++] = output;
}

mmc_status mmc_bench_operation_create(mmc_bench_operation **out, mmc_backend *be, const mmc_bench_case *c) {
    *out = NULL;
    mmc_bench_operation *op = calloc(1, sizeof *op);
    if (!op)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for an operation");
    op->be = be;
    op->c = *c;
    mmc_status status = c->small_model                     ? mmc_bench_prepare_mlp(op)
                        : c->op <= MMC_BENCH_POOL_BACKWARD ? mmc_bench_prepare_unit(op)
                        : c->op >= MMC_BENCH_CLASS_MEANS   ? mmc_bench_prepare_match(op)
                                                           : mmc_bench_prepare_flat(op);
    if (status == MMC_OK)
        status = be->memory->sync(be);
    if (status != MMC_OK) {
        mmc_bench_operation_free(op);
        return mmc_fail_context(status, "%s %s", mmc_bench_op_name(c->op), c->name);
    }
    *out = op;
    return MMC_OK;
}

void mmc_bench_operation_free(mmc_bench_operation *op) {
    if (!op)
        return;
    for (int i = 0; i < op->block_count; i++)
        op->be->memory->free(op->be, op->blocks[i]);
    free(op->coefficient);
    free(op->problems);
    free(op);
}

static mmc_status prepare(void *user) {
    mmc_bench_operation *op = user;
    return op->prepare ? op->prepare(op) : MMC_OK;
}

static mmc_status run(void *user) {
    mmc_bench_operation *op = user;
    return op->run(op);
}

mmc_bench_body mmc_bench_operation_body(mmc_bench_operation *op) {
    return (mmc_bench_body){.prepare = prepare, .run = run, .user = op};
}

/* --- comparison with the reference --- */

static size_t output_count(const mmc_bench_output *o) {
    return o->activation ? mmc_activation_count(o->activation) : o->count;
}

/* One result in host memory, as doubles. */
static mmc_status read_output(double *out, mmc_bench_operation *op, const mmc_bench_output *o) {
    mmc_backend *be = op->be;
    const size_t count = output_count(o);
    if (o->type == MMC_BENCH_F64)
        return be->memory->download(be, out, o->data, count * sizeof *out);
    const void *data = o->data;
    if (o->activation) {
        void *dense;
        MMC_TRY(mmc_bench_block(op, &dense, count * sizeof(float)));
        MMC_TRY(be->unit->get(be->queue, dense, o->activation));
        data = dense;
    }
    union {
        float f;
        int32_t i;
    } *narrow = malloc(count * sizeof *narrow);
    if (!narrow)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for %zu results", count);
    mmc_status status = be->memory->download(be, narrow, data, count * sizeof *narrow);
    for (size_t i = 0; i < count && status == MMC_OK; i++)
        out[i] = o->type == MMC_BENCH_I32 ? narrow[i].i : (double)narrow[i].f;
    free(narrow);
    return status;
}

/* What may come of rounding: of inputs to tf32 or bf16, and of a mask y > 0 that falls the other way at a value near
 * zero, which changes a whole gradient. A wrong result is off by about 1. */
static double tolerance(const mmc_backend *be, mmc_bench_op op) {
    if (strcmp(be->precision, "bf16") == 0)
        return 0.2;
    if (strcmp(be->precision, "tf32") == 0)
        return 0.05;
    return op == MMC_BENCH_CONV_BACKWARD ? 5e-3 : 1e-4;
}

static mmc_status compare(double *error, mmc_bench_operation *computed, mmc_bench_operation *expected) {
    mmc_status status = MMC_OK;
    double *a = NULL, *b = NULL;
    *error = computed->output_count ? 0 : NAN;
    for (int i = 0; i < computed->output_count; i++) {
        const size_t count = output_count(&computed->outputs[i]);
        free(a);
        free(b);
        a = calloc(count, sizeof *a);
        b = calloc(count, sizeof *b);
        if (!a || !b)
            MMC_GOTO(cleanup, mmc_fail(MMC_ERR_MEMORY, "out of memory for %zu results", count));
        MMC_GOTO(cleanup, read_output(a, computed, &computed->outputs[i]));
        MMC_GOTO(cleanup, read_output(b, expected, &expected->outputs[i]));
        double difference = 0, square = 0;
        for (size_t j = 0; j < count; j++) {
            difference += (a[j] - b[j]) * (a[j] - b[j]);
            square += b[j] * b[j];
        }
        const double ratio = difference > 0 ? sqrt(difference / square) : difference; /* keeps NaN */
        if (!(ratio <= *error))
            *error = ratio;
    }
cleanup:
    free(a);
    free(b);
    return status;
}

mmc_status mmc_bench_operation_verify(double *error, mmc_backend *be, mmc_backend *reference, const mmc_bench_case *c) {
    mmc_status status = MMC_OK;
    mmc_bench_operation *computed = NULL, *expected = NULL;
    const mmc_bench_case small = mmc_bench_case_small(c);
    MMC_GOTO(cleanup, mmc_bench_operation_create(&computed, be, &small));
    MMC_GOTO(cleanup, mmc_bench_operation_create(&expected, reference, &small));
    MMC_GOTO(cleanup, computed->run(computed));
    MMC_GOTO(cleanup, expected->run(expected));
    MMC_GOTO(cleanup, compare(error, computed, expected));
    if (computed->output_count && !(*error <= tolerance(be, c->op)))
        status = mmc_fail(MMC_ERR_WRONG,
                          "%s %s: the results differ from the reference by %.2g of their size; %.2g is allowed",
                          mmc_bench_op_name(c->op), c->name, *error, tolerance(be, c->op));
cleanup:
    mmc_bench_operation_free(expected);
    mmc_bench_operation_free(computed);
    return status;
}
