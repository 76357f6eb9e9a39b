/* A table of the paper as it goes into the page and into files: laid out as printed for readers, and one row a value
 * for programs.
 *
 *     mmc_page_table part = {.id = "table1"};
 *     mmc_text_printf(&part.heading, "Table 1: ...");
 *     mmc_table_column(&part.layout, ...); ...
 *     mmc_page_table_close(&part);
 */
#ifndef MMC_REPORTS_PAGE_TABLE_H
#define MMC_REPORTS_PAGE_TABLE_H

#include "reports/run_view.h"
#include "reports/table.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_page_table {
    char id[32];      /* of the anchor and the files: "table1"; "": there is nothing to show */
    mmc_text heading; /* plain text */
    mmc_text intro;   /* HTML: what is shown and how to read it, or why there is nothing */
    mmc_table layout; /* as the paper prints it: page and Markdown; without rows where nothing was measured */
    mmc_table values; /* one row a value: CSV */
} mmc_page_table;

void mmc_page_table_close(mmc_page_table *table);

enum { MMC_PAGE_TABLES = 4 };

/* Tables 1 to 4, each that the run measured or was asked for. Errors: MMC_ERR_MEMORY. Owns: the caller, also after an
 * error. */
mmc_status mmc_page_tables_fill(mmc_page_table out[MMC_PAGE_TABLES], const mmc_run_view *view);

/* Writes FOLDER/ID.md and FOLDER/ID.csv of those with rows. */
mmc_status mmc_page_tables_write(const mmc_page_table tables[MMC_PAGE_TABLES], const char *folder);

/* Tables 1, 3 and 4: methods of fine-tuning. */
mmc_status mmc_page_table_methods(mmc_page_table *out, const mmc_run_view *view, int number);

/* Table 2: marks with their evidence, from the run's verdicts. */
mmc_status mmc_page_table_marks(mmc_page_table *out, const mmc_run_view *view);

/* What a table says that was asked for and has no value: heading and intro. */
mmc_status mmc_page_table_absent(mmc_page_table *out, const mmc_run_view *view, const char *title);

#ifdef __cplusplus
}
#endif
#endif
