/* Correlation of the units of two networks over a whole split, for matching them. [SPEC 5]
 *
 *     r[i][j] = sum_s (a_si - mean a_i) (b_sj - mean b_j) / (|a_i - mean a_i| |b_j - mean b_j|)
 *
 * s runs over images and positions: every position of every image is a sample. A constant unit has correlation 0 with
 * all; a unit counts as constant where its deviation is below 2^-20 of its root mean square.
 *
 * One pass: batches are added one after another to a state that holds, in double, the sums, squares and cross products
 * of values less a pivot p, a mean over (part of) the first batch:
 *
 *     cross_ij = sum (a_i - p_i) (b_j - q_j);     sum (a_i - mean)(b_j - mean) = cross_ij - sum_i sum_j / S
 *
 * Without the pivot this difference cancels for units whose mean is large beside their deviation. Products are float32
 * and are summed in float32 over at most 1,024 samples, beyond that in double, so any size of batches gives the same
 * result to rounding: |error of r| below 1e-6.
 *
 *     MMC_TRY(ops->add(queue, &(mmc_correlation_call){.first = true, .state = state, .a = &x, .b = &y, ...}));
 *     MMC_TRY(ops->add(queue, &(mmc_correlation_call){.state = state, .a = &x, .b = &y, ...}));
 *     MMC_TRY(ops->finish(queue, &(mmc_correlation_finish){.state = state, .a = 64, .b = 64, .samples = ..., .cost =
 * c}));
 *
 * Cost:  2 A B FLOP and 4 (A + B) bytes a sample.
 * Order: bit-identical at any thread count.
 */
#ifndef MMC_KERNELS_CORRELATION_H
#define MMC_KERNELS_CORRELATION_H

#include "runtime/status.h"
#include "runtime/tensor.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A state, doubles in device memory: pivot a (A), pivot b (B), sums (A), (B), squares (A), (B), cross (A,B). Any
 * contents will do before the first batch. */
static inline size_t mmc_correlation_state_count(int a, int b) {
    return 3 * ((size_t)a + (size_t)b) + (size_t)a * (size_t)b;
}

/* One more batch. */
typedef struct mmc_correlation_call {
    bool first;                  /* the state holds nothing yet */
    double *state;               /* in/out: mmc_correlation_state_count(A,B) */
    const mmc_activation *a, *b; /* (1,N,A,H,W), (1,N,B,H,W), in the layout of the unit operations of this provider */
    bool relu;                   /* what is compared is relu(a), relu(b): units that have not applied it themselves */
    void *workspace;             /* 64-byte aligned */
    size_t workspace_size;
} mmc_correlation_call;

/* The result; outputs that are not wanted are NULL. */
typedef struct mmc_correlation_finish {
    const double *state;
    int a, b;
    int64_t samples; /* images times positions, all batches together */
    float *r;        /* out: (A,B) */
    int32_t *cost;   /* out: (A,B) r 2^20, rounded to the nearest: what the assignment maximises */
} mmc_correlation_finish;

#define MMC_CORRELATION_ONE ((double)(1 << 20))    /* the integer of correlation 1 */
#define MMC_CORRELATION_CONSTANT (1.0 / (1 << 20)) /* least deviation, in root mean squares */

typedef struct mmc_correlation_ops {
    const char *name;
    size_t (*workspace_size)(mmc_queue *queue, const mmc_activation *a, const mmc_activation *b);
    /* Errors: MMC_ERR_SHAPE (images or planes differ, or several weight sets), MMC_ERR_MEMORY (workspace too small). */
    mmc_status (*add)(mmc_queue *queue, const mmc_correlation_call *call);
    /* Errors: MMC_ERR_RANGE (no samples). */
    mmc_status (*finish)(mmc_queue *queue, const mmc_correlation_finish *call);
} mmc_correlation_ops;

/* Layout (T,N,C,H,W), sums in double. */
const mmc_correlation_ops *mmc_reference_correlation_ops(void);
/* Layout of mmc_own_unit_ops. */
const mmc_correlation_ops *mmc_own_correlation_ops(void);

/* What `add` and `finish` check before they start, in every provider. Errors: as there. */
mmc_status mmc_correlation_call_check(const mmc_correlation_call *call, size_t workspace_size);
mmc_status mmc_correlation_finish_check(const mmc_correlation_finish *call);

/* `finish` on a state in host memory. */
mmc_status mmc_correlation_finish_host(mmc_queue *queue, const mmc_correlation_finish *call);

#ifdef __cplusplus
}
#endif
#endif
