#include "runtime/match_solver.h"

#include <stdlib.h>

mmc_status mmc_match_solver_open(mmc_match_solver *s, int units, mmc_assign_type type) {
    const size_t n = (size_t)units, size = type == MMC_ASSIGN_I32 ? sizeof(int32_t) : sizeof(double);
    const mmc_assign_problem problem = {.rows = units, .columns = units, .stride = n};
    *s = (mmc_match_solver){.type = type};
    s->workspace_size = mmc_own_assign_ops()->workspace_size(
        NULL, &(mmc_assign_call){.problems = 1, .problem = &problem, .type = type, .maximise = true});
    s->cost = malloc(n * n * size);
    s->potential = malloc(2 * n * sizeof *s->potential);
    s->workspace = aligned_alloc(64, (s->workspace_size + 63) / 64 * 64 + 64);
    if (!s->cost || !s->potential || !s->workspace)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the assignment of %d units", units);
    return MMC_OK;
}

void mmc_match_solver_close(mmc_match_solver *s) {
    free(s->cost);
    free(s->potential);
    free(s->workspace);
    *s = (mmc_match_solver){0};
}

mmc_status mmc_match_solver_solve(mmc_match_solver *s, int units, int32_t *column, mmc_assign_result *result) {
    const mmc_assign_problem problem = {.rows = units, .columns = units, .stride = (size_t)units};
    MMC_TRY(mmc_own_assign_ops()->solve(NULL, &(mmc_assign_call){.problems = 1,
                                                                 .problem = &problem,
                                                                 .type = s->type,
                                                                 .maximise = true,
                                                                 .cost = s->cost,
                                                                 .column = column,
                                                                 .u = s->potential,
                                                                 .v = s->potential + units,
                                                                 .result = result,
                                                                 .workspace = s->workspace,
                                                                 .workspace_size = s->workspace_size}));
    return mmc_assign_results_check(result, 1);
}
