/* One drawing: the curves of one figure of the paper for one split and one metric, collected from a run's records.
 *
 *     mmc_drawing d;
 *     MMC_TRY(mmc_drawing_collect(&d, &view, &mmc_figures[0], "test", "accuracy"));
 *     if (d.measured)
 *         MMC_TRY(mmc_drawing_csv(&d, &csv));
 *     mmc_drawing_close(&d);
 */
#ifndef MMC_REPORTS_DRAWING_H
#define MMC_REPORTS_DRAWING_H

#include "reports/figures_table.h"
#include "reports/run_view.h"
#include "reports/select.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_DRAWING_CUES = 12, MMC_DRAWING_ROWS = 5, MMC_DRAWING_COLUMNS = 4 };

typedef struct mmc_panel {
    const char *item, *set, *dataset;          /* what it shows; set: NULL on learning curves */
    mmc_curve_values series[MMC_DRAWING_CUES]; /* by the drawing's cues */
    const char *reason;                        /* why it is empty; NULL where it is not */
} mmc_panel;

typedef struct mmc_drawing {
    const mmc_figure *figure;
    char id[64];                /* "fig4", "fig5-vgg13", "fig15-test-loss": of files and anchors */
    const char *split, *metric; /* split NULL: learning curves */
    const char *dataset;        /* of path figures: the one measured */
    const char *stands_for;     /* the paper's data set, where another stands in for it; NULL */
    const char *page_tag;       /* of the view */
    bool reduced;
    int width;     /* of the networks, 0: not said */
    bool measured; /* there is something to draw */
    bool spread;   /* some point has more than one seed */
    double cues[MMC_DRAWING_CUES];
    size_t cue_count, rows, columns;
    const char *row_label[MMC_DRAWING_ROWS], *row_note[MMC_DRAWING_ROWS], *column_label[MMC_DRAWING_COLUMNS];
    const mmc_figure_curve *row_curve[MMC_DRAWING_ROWS]; /* of path figures */
    mmc_panel panels[MMC_DRAWING_ROWS][MMC_DRAWING_COLUMNS];
    /* paths or data sets of the paper's figure that this drawing lacks */
    const char *absent_name[MMC_DRAWING_ROWS], *absent_reason[MMC_DRAWING_ROWS];
    size_t absent_count;
} mmc_drawing;

/* Collects the values; `measured` is false where the run holds none. The strings stay the view's.
 * Errors: MMC_ERR_MEMORY. Owns: the caller. */
mmc_status mmc_drawing_collect(mmc_drawing *out, const mmc_run_view *view, const mmc_figure *figure, const char *split,
                               const char *metric);
void mmc_drawing_close(mmc_drawing *drawing);

/* The values as CSV: one row a point, accuracies as fractions, missing values with their reason. */
mmc_status mmc_drawing_csv(const mmc_drawing *drawing, mmc_text *out);

/* The caption as HTML: what is shown, what one sees, what is missing. */
mmc_status mmc_drawing_caption(const mmc_drawing *drawing, mmc_text *out);

/* One line of plain text: "Figure 4: ResNet-18 (width 8), fashion-box, test accuracy". */
void mmc_drawing_headline(const mmc_drawing *drawing, mmc_text *out);

/* The gnuplot script that writes ID.svg and ID.png into the current folder. Labels taken from records are reduced to
 * harmless characters, so that no record can speak to gnuplot. */
mmc_status mmc_drawing_script(const mmc_drawing *drawing, mmc_text *out);

/* Runs gnuplot on a script, in `folder`; no shell is involved.
 * Errors: MMC_ERR_MISSING (no gnuplot: what to install), MMC_ERR_DEVICE (gnuplot's own words), MMC_ERR_IO. */
mmc_status mmc_gnuplot_run(const char *folder, const mmc_text *script);

#ifdef __cplusplus
}
#endif
#endif
