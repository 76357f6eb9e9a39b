/* The tables of the report, filled from the records alone.
 *
 *     mmc_table claims;
 *     MMC_TRY(mmc_report_claims(&claims, &view));
 *     ...
 *     mmc_table_close(&claims);
 *
 * Errors (all): MMC_ERR_MEMORY. Owns (all): the caller; a table without rows is good.
 */
#ifndef MMC_REPORTS_REPORT_TABLES_H
#define MMC_REPORTS_REPORT_TABLES_H

#include "reports/run_view.h"
#include "reports/table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Verdicts on what the paper's items must show (SPEC 7). */
mmc_status mmc_report_claims(mmc_table *out, const mmc_run_view *view);

/* Accuracy of the models at the ends of the paths on the four sets, mean over seeds. */
mmc_status mmc_report_models(mmc_table *out, const mmc_run_view *view);

/* Dip and barrier of every path on the four sets (SPEC 4). */
mmc_status mmc_report_paths(mmc_table *out, const mmc_run_view *view);

/* Throughput: what was run, how long it took, the rate. */
mmc_status mmc_report_speed(mmc_table *out, const mmc_run_view *view);

/* The evaluations of paths summed up; members are 0 where nothing says. */
typedef struct mmc_speed_total {
    double run, defined; /* image-forwards: really run; what the procedure is defined by */
    double time_s;
} mmc_speed_total;

mmc_speed_total mmc_report_speed_total(const mmc_run_view *view);

/* What has no value, and why. */
mmc_status mmc_report_missing(mmc_table *out, const mmc_run_view *view);

#ifdef __cplusplus
}
#endif
#endif
