/* config.json of a run directory: what was asked for, on what machine, with which libraries and data.
 *
 *     MMC_TRY(mmc_run_config_join(directory, &settings, be, &data, true));
 */
#ifndef MMC_SUITES_RUN_CONFIG_H
#define MMC_SUITES_RUN_CONFIG_H

#include "suites/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the bits of results depend on beside the configuration: "threads 2; devices 1; isa avx512;
 * onednn 2.6.3". */
void mmc_run_fingerprint(char *out, size_t size, const mmc_backend *be, int devices);

/* Refuses a folder that holds other things than a run. A missing or empty one is fine. Errors: MMC_ERR_USAGE. */
mmc_status mmc_run_directory_check(const char *directory);

/* Writes config.json where there is none; else checks that this run may join the one that wrote it: `join` was asked
 * for (--resume or --shard), same configuration, same threads, instruction set and libraries.
 * Errors: MMC_ERR_USAGE and MMC_ERR_MISMATCH with what differs and the remedy, MMC_ERR_IO, MMC_ERR_FORMAT. */
mmc_status mmc_run_config_join(const char *directory, const mmc_plan_settings *settings, const mmc_backend *be,
                               const mmc_run_data *data, bool join);

#ifdef __cplusplus
}
#endif
#endif
