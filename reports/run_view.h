/* A run directory as the report sees it: config.json, the records, and what both say about the run.
 *
 *     mmc_run_view view;
 *     MMC_TRY(mmc_run_view_open(&view, "mmcbench-runs/quick-20260101T000000Z"));
 *     mmc_run_text(&view, "device");                     "Intel Xeon ...", "" where config.json does not say
 *     mmc_run_view_close(&view);
 */
#ifndef MMC_REPORTS_RUN_VIEW_H
#define MMC_REPORTS_RUN_VIEW_H

#include "reports/record.h"
#include "reports/text.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_run_view {
    char *directory;
    struct json_t *config; /* jansson; an object */
    mmc_record_set records;
    bool reduced;         /* not the paper's protocol; true unless config.json says so */
    const char *scale;    /* never NULL */
    const char *page_tag; /* "scale quick, reduced" or "scale paper": stands wherever numbers stand */
    mmc_text tag_text;
} mmc_run_view;

/* Reads the run directory. Errors: MMC_ERR_MISSING (no directory, no config.json), MMC_ERR_FORMAT, MMC_ERR_IO,
 * MMC_ERR_MEMORY. Owns: the caller. */
mmc_status mmc_run_view_open(mmc_run_view *out, const char *directory);
void mmc_run_view_close(mmc_run_view *view);

/* A text field of config.json, "" where it is absent or no text. Owned by the view. */
const char *mmc_run_text(const mmc_run_view *view, const char *key);

/* Whether config.json's `suites` names the suite, itself or by "all". */
bool mmc_run_asked(const mmc_run_view *view, const char *suite);

#ifdef __cplusplus
}
#endif
#endif
