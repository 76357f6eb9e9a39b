/* The page of a run: what was run and on what, whether the claims held, the tables and figures of the paper, what sums
 * the paths up, the speed, what is missing, and how to run it again.
 *
 *     mmc_page_figure figures[] = {{.id = "fig4", ...}};
 *     mmc_page page = {.view = &view, .figures = figures, .figure_count = 1, .paper_tables = tables, .claims = &claims,
 * ...}; MMC_TRY(mmc_page_compose(&page, &text));
 */
#ifndef MMC_REPORTS_PAGE_H
#define MMC_REPORTS_PAGE_H

#include "reports/page_table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One figure as it goes into the page; all text owned by it. */
typedef struct mmc_page_figure {
    char id[64];
    int number;        /* 0: a table, whose id is "tableN" */
    mmc_text heading;  /* plain text: what figure of the paper */
    mmc_text headline; /* plain text: of which network, on which data */
    mmc_text caption;  /* HTML */
    mmc_text body;     /* HTML: the picture, or why there is none */
    bool drawn;        /* files of its id lie in figures/ */
    bool sheet;        /* a PNG without values of its own */
} mmc_page_figure;

void mmc_page_figure_close(mmc_page_figure *figure);

typedef struct mmc_page {
    const mmc_run_view *view;
    const mmc_page_figure *figures;
    size_t figure_count;
    const mmc_page_table *paper_tables; /* MMC_PAGE_TABLES */
    const mmc_table *claims, *models, *paths, *speed, *missing;
} mmc_page;

/* Errors: MMC_ERR_MEMORY. */
mmc_status mmc_page_compose(const mmc_page *page, mmc_text *out);

#ifdef __cplusplus
}
#endif
#endif
