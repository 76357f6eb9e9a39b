/* The assignment of one group's units, in host memory made once for the largest group: what matching by activations and
 * by weights both end in. Internal to runtime/match*.c.
 *
 *     mmc_match_solver solver = {0};
 *     MMC_GOTO(cleanup, mmc_match_solver_open(&solver, 512, MMC_ASSIGN_I32));
 *     ... (units, units) int32_t to solver.cost, row after row
 *     MMC_GOTO(cleanup, mmc_match_solver_solve(&solver, units, column, &result));
 *     cleanup: mmc_match_solver_close(&solver);
 */
#ifndef MMC_RUNTIME_MATCH_SOLVER_H
#define MMC_RUNTIME_MATCH_SOLVER_H

#include "kernels/assign.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_match_solver {
    mmc_assign_type type;
    void *cost;         /* (units, units) of this type: what a solution maximises */
    int64_t *potential; /* (2, units) */
    void *workspace;
    size_t workspace_size;
} mmc_match_solver;

/* Memory for groups of up to `units` units whose scores are int32_t (MMC_ASSIGN_I32) or double (MMC_ASSIGN_F64).
 * Errors: MMC_ERR_MEMORY. Owns: the caller, _close, also after an error. */
mmc_status mmc_match_solver_open(mmc_match_solver *s, int units, mmc_assign_type type);
void mmc_match_solver_close(mmc_match_solver *s); /* a zeroed struct is fine */

/* The permutation that maximises the sum of cost[i][column[i]], proven. Shapes: column (units).
 * Errors: MMC_ERR_RANGE (a cost that is not finite), MMC_ERR_WRONG (a proof that does not hold). */
mmc_status mmc_match_solver_solve(mmc_match_solver *s, int units, int32_t *column, mmc_assign_result *result);

#ifdef __cplusplus
}
#endif
#endif
