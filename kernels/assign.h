/* Linear assignment, solved exactly: which unit of one network goes to which unit of the other. [SPEC 5]
 *
 *     minimise (or maximise)  sum_i c[i][column[i]]   over all permutations `column` of the n columns
 *
 * A call solves a batch of problems of different sizes. Every answer comes with a certificate, n row potentials u and n
 * column potentials v: u_i + v_j <= c[i][j] for every entry (>= when maximising), and sum u + sum v = the total. Both
 * are checked in int64 by the solver itself and reported, `slack` and `gap`.
 *
 * Among optimal permutations the answer is the lexicographically smallest: row 0 takes the lowest column that it has in
 * any optimum, then row 1 given that, and so on. (The optima are the perfect matchings of the entries with
 * u_i + v_j = c[i][j], whichever optimal potentials were found, so the rule costs little and the answer is a function
 * of the integers alone: the same from every provider.) The potentials are a proof, not a result: providers may find
 * different ones.
 *
 * Costs are integers of at most MMC_ASSIGN_LIMIT and 2^62 / n in magnitude. Floating-point costs are first rounded to
 * integer multiples of 2^exponent, the largest of a problem to 2^b, b = min(52, 62 - ceil(log2 n)), and are then solved
 * as these integers: the total is within n 2^-b max|c| of the optimum, u, v, total, gap and slack count multiples of
 * 2^exponent, and `value` is the sum of the costs as they were given.
 *
 *     const mmc_assign_problem problem[2] = {{.rows = 64, .columns = 64, .cost = 0, .stride = 64},
 *                                            {.rows = 128, .columns = 128, .cost = 4096, .stride = 128}};
 *     call = (mmc_assign_call){.problems = 2, .problem = problem, .type = MMC_ASSIGN_I32, .maximise = true, ...};
 *     call.workspace_size = ops->workspace_size(queue, &call);
 *     MMC_TRY(ops->solve(queue, &call));
 *     MMC_TRY(mmc_assign_results_check(call.result, 2));          with the results in host memory
 *
 * Cost: O(n^3) at worst, 12 n^2 bytes read; on correlations 10 to 15 n row scans.
 * Order: each problem on one thread or block; the same answer at any thread count.
 */
#ifndef MMC_KERNELS_ASSIGN_H
#define MMC_KERNELS_ASSIGN_H

#include "runtime/status.h"
#include "runtime/tensor.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_ASSIGN_ROWS = 16384 };                 /* largest n */
#define MMC_ASSIGN_LIMIT ((int64_t)1 << 57)       /* largest magnitude of an integer cost */
#define MMC_ASSIGN_TOTAL_LIMIT ((int64_t)1 << 62) /* of n times that */

typedef enum mmc_assign_type { MMC_ASSIGN_I32, MMC_ASSIGN_I64, MMC_ASSIGN_F32, MMC_ASSIGN_F64 } mmc_assign_type;

typedef struct mmc_assign_problem {
    int rows, columns; /* equal */
    size_t cost;       /* of its first entry in call->cost, entries */
    size_t stride;     /* from one row to the next, entries; at least columns */
} mmc_assign_problem;

typedef enum mmc_assign_state { MMC_ASSIGN_SOLVED, MMC_ASSIGN_NOT_FINITE, MMC_ASSIGN_TOO_LARGE } mmc_assign_state;

typedef struct mmc_assign_result {
    int64_t total;       /* sum of the integers chosen */
    int64_t gap;         /* |total - sum u - sum v|; 0: proven optimal */
    int64_t slack;       /* smallest c - u - v (u + v - c when maximising); 0 or more: the potentials are feasible */
    double value;        /* sum of the costs chosen as they were given, in double, by rows */
    int32_t state;       /* mmc_assign_state; the fields above hold nothing unless SOLVED */
    int32_t row, column; /* first entry (by rows) that was refused */
    int32_t exponent;    /* of the unit of the integers; 0 for integer costs */
    int32_t unique;      /* 1: no other permutation has this total */
    int32_t reserved;    /* 0 */
} mmc_assign_result;

typedef struct mmc_assign_call {
    int problems;
    const mmc_assign_problem *problem; /* (problems), host memory, read before `solve` returns */
    mmc_assign_type type;
    bool maximise;
    const void *cost;          /* device memory */
    int32_t *column;           /* out: column of every row, the problems one after another */
    int64_t *u, *v;            /* out: potentials of rows and columns, likewise */
    mmc_assign_result *result; /* out: (problems) */
    void *workspace;           /* 64-byte aligned */
    size_t workspace_size;
} mmc_assign_call;

typedef struct mmc_assign_ops {
    const char *name;
    /* Bytes that `solve` wants for these problems with the threads that may run now; any less than one thread's needs
     * is an error. */
    size_t (*workspace_size)(mmc_queue *queue, const mmc_assign_call *call);
    /* Solves every problem. A cost that is not finite or too large is told in `result` and leaves that problem's other
     * outputs unchanged, for the costs of a device are seen by the device alone.
     * Errors: MMC_ERR_SHAPE (n = 0, not square, stride too short), MMC_ERR_RANGE (more than MMC_ASSIGN_ROWS rows),
     * MMC_ERR_MEMORY (workspace too small). */
    mmc_status (*solve)(mmc_queue *queue, const mmc_assign_call *call);
} mmc_assign_ops;

const mmc_assign_ops *mmc_reference_assign_ops(void);
const mmc_assign_ops *mmc_own_assign_ops(void);

/* What `solve` checks before it starts, in every provider. Errors: as there. */
mmc_status mmc_assign_call_check(const mmc_assign_call *call);

/* Turns results (in host memory) into a status. Errors: MMC_ERR_RANGE naming problem and entry for a cost that is not
 * finite or too large; MMC_ERR_WRONG where a certificate does not hold. */
mmc_status mmc_assign_results_check(const mmc_assign_result *result, int problems);

/* Bits b of the largest rounded cost of a floating-point problem. */
static inline int mmc_assign_bits(int n) {
    int log = 0;
    while ((1 << log) < n)
        log++;
    return 62 - log < 52 ? 62 - log : 52;
}

/* Largest magnitude that an integer cost may have. */
static inline int64_t mmc_assign_limit(int n) {
    const int64_t share = MMC_ASSIGN_TOTAL_LIMIT / n;
    return share < MMC_ASSIGN_LIMIT ? share : MMC_ASSIGN_LIMIT;
}

#ifdef __cplusplus
}
#endif
#endif
