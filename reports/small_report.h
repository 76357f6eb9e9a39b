/* The small model on the page: Table 5, the attribute maps (Figure 12), paths before and after matching (Figure 13).
 *
 *     mmc_small_drawing d;
 *     MMC_TRY(mmc_small_drawing_collect(&d, &view, 13));
 *     if (d.measured)
 *         ... d.csv, d.script, d.caption
 *     mmc_small_drawing_close(&d);
 */
#ifndef MMC_REPORTS_SMALL_REPORT_H
#define MMC_REPORTS_SMALL_REPORT_H

#include "reports/run_view.h"
#include "reports/table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One figure, ready to be drawn and placed. */
typedef struct mmc_small_drawing {
    int number;                    /* 12, 13 */
    bool measured;                 /* there is something to draw; else all texts are empty */
    char id[16];                   /* "fig13": of files and anchors */
    mmc_text heading, headline;    /* plain text */
    mmc_text csv, script, caption; /* caption: HTML */
} mmc_small_drawing;

/* Errors: MMC_ERR_MEMORY. Owns: the caller, also after an error. */
mmc_status mmc_small_drawing_collect(mmc_small_drawing *out, const mmc_run_view *view, int number);
void mmc_small_drawing_close(mmc_small_drawing *drawing);

/* Table 5 with the paper's values beside it; no rows where the run holds none. Owns: the caller. */
mmc_status mmc_report_table5(mmc_table *out, const mmc_run_view *view);

/* What stands below the table, as HTML: accuracies, settings, and what the paper's literal form can and cannot do. */
mmc_status mmc_report_table5_notes(mmc_text *out, const mmc_run_view *view);

#ifdef __cplusplus
}
#endif
#endif
