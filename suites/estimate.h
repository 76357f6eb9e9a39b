/* What a run would cost, for --dry-run: images, FLOP, bytes, memory, time here and the shortest time on named devices.
 *
 *     MMC_TRY(mmc_run_estimate(&plan, &settings, be, &data, "run", NULL, &request->hooks));
 */
#ifndef MMC_SUITES_ESTIMATE_H
#define MMC_SUITES_ESTIMATE_H

#include "suites/plan.h"
#include "suites/runner.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tells the hooks one row a job and the total. `directory` of the run, NULL: nothing is done yet; `bench`: where bench
 * left its rates, NULL: one forward of each network is timed. Errors: MMC_ERR_MEMORY, those of mmc_rates_open. */
mmc_status mmc_run_estimate(const mmc_plan *plan, const mmc_plan_settings *settings, mmc_backend *be,
                            const mmc_run_data *data, const char *directory, const char *bench,
                            const mmc_run_hooks *hooks);

#ifdef __cplusplus
}
#endif
#endif
