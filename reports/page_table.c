#include "reports/page_table.h"

#include "reports/select.h"

#include <math.h>
#include <stdio.h>

void mmc_page_table_close(mmc_page_table *table) {
    mmc_text_close(&table->heading);
    mmc_text_close(&table->intro);
    mmc_table_close(&table->layout);
    mmc_table_close(&table->values);
}

/* Why a table has nothing to show: the first reason among the rows of its suite. */
static const char *reason_of(const mmc_run_view *view, const char *suite) {
    for (size_t i = 0; i < view->records.count; i++) {
        const mmc_record *row = &view->records.rows[i];
        if (!isfinite(row->value) && row->reason && mmc_same_text(row->suite, suite))
            return row->reason;
    }
    return "the run holds no value of it yet; mmcbench run --resume continues a run that was interrupted";
}

mmc_status mmc_page_table_absent(mmc_page_table *out, const mmc_run_view *view, const char *title) {
    int number = 0;
    (void)sscanf(out->id, "table%d", &number);
    mmc_text_printf(&out->heading, "Table %d: not measured", number);
    mmc_text_add(&out->intro, "<p class=\"warn\">");
    mmc_text_html(&out->intro, title);
    mmc_text_add(&out->intro, ": ");
    mmc_text_html(&out->intro, reason_of(view, out->id));
    mmc_text_add(&out->intro, "</p>\n");
    MMC_TRY(mmc_text_check(&out->heading));
    return mmc_text_check(&out->intro);
}

mmc_status mmc_page_tables_fill(mmc_page_table out[MMC_PAGE_TABLES], const mmc_run_view *view) {
    MMC_TRY(mmc_page_table_methods(&out[0], view, 1));
    MMC_TRY(mmc_page_table_marks(&out[1], view));
    MMC_TRY(mmc_page_table_methods(&out[2], view, 3));
    return mmc_page_table_methods(&out[3], view, 4);
}

mmc_status mmc_page_tables_write(const mmc_page_table tables[MMC_PAGE_TABLES], const char *folder) {
    for (int i = 0; i < MMC_PAGE_TABLES; i++)
        if (tables[i].layout.row_count) {
            MMC_TRY(mmc_table_write_markdown(&tables[i].layout, folder));
            MMC_TRY(mmc_table_write_csv(&tables[i].values, folder));
        }
    return MMC_OK;
}
