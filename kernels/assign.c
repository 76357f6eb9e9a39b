/* Checks that every provider of the assignment shares. */
#include "kernels/assign.h"

mmc_status mmc_assign_call_check(const mmc_assign_call *call) {
    for (int p = 0; p < call->problems; p++) {
        const mmc_assign_problem *problem = &call->problem[p];
        if (problem->rows != problem->columns)
            return mmc_fail(MMC_ERR_SHAPE,
                            "assignment problem %d: %d rows and %d columns; only square costs are solved", p,
                            problem->rows, problem->columns);
        if (problem->rows < 1)
            return mmc_fail(MMC_ERR_SHAPE, "assignment problem %d: %d rows; give 1 or more", p, problem->rows);
        if (problem->rows > MMC_ASSIGN_ROWS)
            return mmc_fail(MMC_ERR_RANGE, "assignment problem %d: %d rows; %d at most are solved", p, problem->rows,
                            MMC_ASSIGN_ROWS);
        if (problem->stride < (size_t)problem->columns)
            return mmc_fail(MMC_ERR_SHAPE, "assignment problem %d: rows of %d costs lie %zu apart; give %d or more", p,
                            problem->columns, problem->stride, problem->columns);
    }
    return MMC_OK;
}

mmc_status mmc_assign_results_check(const mmc_assign_result *result, int problems) {
    for (int p = 0; p < problems; p++) {
        const mmc_assign_result *r = &result[p];
        if (r->state == MMC_ASSIGN_NOT_FINITE)
            return mmc_fail(MMC_ERR_RANGE, "assignment problem %d: the cost of row %d, column %d is not finite", p,
                            r->row, r->column);
        if (r->state == MMC_ASSIGN_TOO_LARGE)
            return mmc_fail(
                MMC_ERR_RANGE,
                "assignment problem %d: the cost of row %d, column %d is too large for exact sums; integers "
                "of at most 2^57 and 2^62 / n are solved",
                p, r->row, r->column);
        if (r->gap != 0 || r->slack < 0)
            return mmc_fail(MMC_ERR_WRONG,
                            "assignment problem %d: the solution is not proven optimal (gap %lld, slack %lld); please "
                            "report this with the costs",
                            p, (long long)r->gap, (long long)r->slack);
    }
    return MMC_OK;
}
