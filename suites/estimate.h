/* What a run would cost, for --dry-run: images, FLOP, memory, and time from one measured forward.
 *
 *     MMC_TRY(mmc_run_estimate(&plan, &settings, be, &data, "run", &request->hooks));
 */
#ifndef MMC_SUITES_ESTIMATE_H
#define MMC_SUITES_ESTIMATE_H

#include "suites/plan.h"
#include "suites/runner.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tells the hooks one row a job and the total. `directory` NULL: nothing is done yet. Errors: MMC_ERR_MEMORY. */
mmc_status mmc_run_estimate(const mmc_plan *plan, const mmc_plan_settings *settings, mmc_backend *be,
                            const mmc_run_data *data, const char *directory, const mmc_run_hooks *hooks);

#ifdef __cplusplus
}
#endif
#endif
