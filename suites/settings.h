/* From a request to settings: names looked up, values checked, overrides applied to a copy of the scale.
 *
 *     mmc_plan_settings settings;
 *     MMC_TRY(mmc_run_settings(&settings, &request));
 */
#ifndef MMC_SUITES_SETTINGS_H
#define MMC_SUITES_SETTINGS_H

#include "suites/plan.h"
#include "suites/runner.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Errors: MMC_ERR_USAGE and MMC_ERR_RANGE name what was given and what is accepted. */
mmc_status mmc_run_settings(mmc_plan_settings *out, const mmc_run_request *request);

#ifdef __cplusplus
}
#endif
#endif
