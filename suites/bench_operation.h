/* One operation of `mmcbench bench`, ready to run: memory, inputs drawn from fixed streams (the same values on every
 * backend), and its results in host memory for comparison.
 *
 *     mmc_bench_operation *op;
 *     MMC_TRY(mmc_bench_operation_create(&op, be, &c));
 *     mmc_bench_body body = mmc_bench_operation_body(op);
 *     ... mmc_bench_measure ...
 *     mmc_bench_operation_free(op);
 */
#ifndef MMC_SUITES_BENCH_OPERATION_H
#define MMC_SUITES_BENCH_OPERATION_H

#include "runtime/bench.h"
#include "suites/bench_cases.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_BENCH_BLOCKS = 24, MMC_BENCH_OUTPUTS = 6 };

/* A result: an activation, or `count` values of device memory. */
typedef enum mmc_bench_type { MMC_BENCH_F32, MMC_BENCH_F64, MMC_BENCH_I32 } mmc_bench_type;

typedef struct mmc_bench_output {
    const mmc_activation *activation;
    const void *data;
    size_t count;
    mmc_bench_type type;
} mmc_bench_output;

typedef struct mmc_bench_operation {
    mmc_backend *be;
    mmc_bench_case c;
    mmc_status (*prepare)(struct mmc_bench_operation *op); /* NULL: nothing is destroyed */
    mmc_status (*run)(struct mmc_bench_operation *op);
    void *blocks[MMC_BENCH_BLOCKS]; /* device memory */
    int block_count;
    mmc_bench_output outputs[MMC_BENCH_OUTPUTS];
    int output_count;

    mmc_activation x, y, z, residual, dx, dresidual, dy, dy_kept;
    size_t dy_bytes;
    mmc_unit_train_call train;
    mmc_unit_eval_call eval;
    mmc_unit_backward_call backward;
    mmc_image_store store;
    mmc_head_call head;
    mmc_head_backward_call head_backward;
    mmc_loss_call loss;
    mmc_class_means_call class_means;
    mmc_correlation_call correlation;
    mmc_correlation_finish correlated;
    mmc_assign_call assign;
    mmc_assign_problem *problems; /* host */
    mmc_mlp_train_call mlp_train;
    mmc_mlp_eval_call mlp_eval;
    void *packed, *samples;
    float *weights, *a, *b, *d; /* vectors, by operation */
    const float *end[3];
    double *coefficient; /* host */
    double *sums;
    int32_t *partner;
} mmc_bench_operation;

/* For every operation but `path`. Errors: MMC_ERR_MEMORY and those of the backend. Owns: the caller. */
mmc_status mmc_bench_operation_create(mmc_bench_operation **out, mmc_backend *be, const mmc_bench_case *c);
void mmc_bench_operation_free(mmc_bench_operation *op); /* NULL is fine */

mmc_bench_body mmc_bench_operation_body(mmc_bench_operation *op);

/* Runs the case's small form on both backends and compares: *error is the root of the mean square difference over that
 * of the reference's results, NAN where the results are in the provider's own form.
 * Errors: MMC_ERR_WRONG where it is more than the precision allows. */
mmc_status mmc_bench_operation_verify(double *error, mmc_backend *be, mmc_backend *reference, const mmc_bench_case *c);

/* --- shared by bench_unit.c, bench_flat.c and bench_operation.c --- */

mmc_status mmc_bench_prepare_unit(mmc_bench_operation *op);  /* conv_*, pack, render, put, get, pool */
mmc_status mmc_bench_prepare_flat(mmc_bench_operation *op);  /* the others */
mmc_status mmc_bench_prepare_mlp(mmc_bench_operation *op);   /* mlp_* */
mmc_status mmc_bench_prepare_match(mmc_bench_operation *op); /* class_means, correlate, assign */
mmc_status mmc_bench_activation(mmc_bench_operation *op, mmc_activation *out, int n, int c, int h, int w);
mmc_status mmc_bench_activation_fill(mmc_bench_operation *op, mmc_activation *a, uint32_t stream);

/* Device memory that goes with the operation; floats uniform in [low, high), the same for a stream on every backend. */
mmc_status mmc_bench_block(mmc_bench_operation *op, void **out, size_t size);
mmc_status mmc_bench_upload(mmc_bench_operation *op, void **out, const void *host, size_t size);
mmc_status mmc_bench_floats(mmc_bench_operation *op, float **out, size_t count, uint32_t stream, float low, float high);
void mmc_bench_draw(float *out, size_t count, uint32_t stream, float low, float high);
void mmc_bench_output_add(mmc_bench_operation *op, mmc_bench_output output);

#ifdef __cplusplus
}
#endif
#endif
