/* The report: tables, figures and the page, drawn from a run directory's config.json and records alone.
 *
 *     MMC_TRY(mmc_report_draw(page, sizeof page, "mmcbench-runs/quick-20260101T000000Z"));
 */
#ifndef MMC_REPORTS_REPORT_H
#define MMC_REPORTS_REPORT_H

#include "runtime/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes DIR/report/ (index.html, tables/, figures/) anew and stores the path of index.html in `page`.
 * Errors: MMC_ERR_MISSING (no run directory, no gnuplot: what to install), MMC_ERR_FORMAT, MMC_ERR_IO. */
mmc_status mmc_report_draw(char *page, size_t size, const char *run_directory);

#ifdef __cplusplus
}
#endif
#endif
