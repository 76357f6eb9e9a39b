/* A table of text cells, written as CSV, as Markdown and as HTML.
 *
 *     mmc_table table = {.name = "speed", .title = "Speed"};
 *     mmc_table_column(&table, "images/s", "1/s", MMC_CELL_NUMBER);
 *     mmc_table_row(&table);
 *     mmc_table_cell(&table, "12,300");           cells follow the columns
 *     mmc_table_note(&table, "paper 12,100");     small and grey below the cell
 *     MMC_TRY(mmc_table_write(&table, "report/tables"));
 *     mmc_table_close(&table);
 */
#ifndef MMC_REPORTS_TABLE_H
#define MMC_REPORTS_TABLE_H

#include "reports/text.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_TABLE_COLUMNS = 16 };

typedef enum mmc_cell_kind {
    MMC_CELL_TEXT,
    MMC_CELL_NUMBER, /* set right */
    MMC_CELL_VERDICT /* holds, fails, undecided: coloured on the page */
} mmc_cell_kind;

typedef struct mmc_table {
    const char *name;  /* of the files; the caller's */
    const char *title; /* the caller's */
    struct {
        const char *name, *unit; /* the caller's; unit NULL: none */
        mmc_cell_kind kind;
    } columns[MMC_TABLE_COLUMNS];
    size_t column_count, row_count;
    char **cells; /* by rows */
    char **notes; /* of the cells; NULL: none */
    size_t cell_count, cell_capacity;
    bool failed;
} mmc_table;

void mmc_table_column(mmc_table *table, const char *name, const char *unit, mmc_cell_kind kind);

/* Begins a row; the one before must be complete. */
void mmc_table_row(mmc_table *table);
void mmc_table_cell(mmc_table *table, const char *text);
void mmc_table_cellf(mmc_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A remark on the last cell; in text files it stands behind it in parentheses. */
void mmc_table_note(mmc_table *table, const char *text);

/* A number with `decimals` places; one that does not exist is shown as `missing`, never blank. */
void mmc_table_number(mmc_table *table, double value, int decimals, const char *missing);

/* Errors (all three): MMC_ERR_MEMORY if any call before ran out of memory, MMC_ERR_SHAPE for an incomplete row. */
mmc_status mmc_table_csv(const mmc_table *table, mmc_text *out);
mmc_status mmc_table_markdown(const mmc_table *table, mmc_text *out);
mmc_status mmc_table_html(const mmc_table *table, mmc_text *out);

/* Write FOLDER/NAME.csv, FOLDER/NAME.md, or both. */
mmc_status mmc_table_write_csv(const mmc_table *table, const char *folder);
mmc_status mmc_table_write_markdown(const mmc_table *table, const char *folder);
mmc_status mmc_table_write(const mmc_table *table, const char *folder);
void mmc_table_close(mmc_table *table);

#ifdef __cplusplus
}
#endif
#endif
