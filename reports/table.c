#define _POSIX_C_SOURCE 200809L
#include "reports/table.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mmc_table_column(mmc_table *table, const char *name, const char *unit, mmc_cell_kind kind) {
    if (table->column_count == MMC_TABLE_COLUMNS || table->row_count) {
        table->failed = true;
        return;
    }
    table->columns[table->column_count].name = name;
    table->columns[table->column_count].unit = unit;
    table->columns[table->column_count].kind = kind;
    table->column_count++;
}

void mmc_table_row(mmc_table *table) {
    if (table->cell_count != table->row_count * table->column_count)
        table->failed = true;
    table->row_count++;
}

void mmc_table_cell(mmc_table *table, const char *text) {
    if (table->cell_count == table->cell_capacity) {
        size_t capacity = table->cell_capacity ? table->cell_capacity * 2 : 64;
        char **cells = realloc(table->cells, capacity * sizeof *cells);
        table->cells = cells ? cells : table->cells;
        char **notes = cells ? realloc(table->notes, capacity * sizeof *notes) : NULL;
        if (!notes) {
            table->failed = true;
            return;
        }
        table->notes = notes;
        table->cell_capacity = capacity;
    }
    char *copy = strdup(text);
    if (!copy) {
        table->failed = true;
        return;
    }
    table->notes[table->cell_count] = NULL;
    table->cells[table->cell_count++] = copy;
}

void mmc_table_note(mmc_table *table, const char *text) {
    char *copy = table->cell_count && !table->notes[table->cell_count - 1] ? strdup(text) : NULL;
    if (copy)
        table->notes[table->cell_count - 1] = copy;
    else
        table->failed = true;
}

void mmc_table_cellf(mmc_table *table, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    mmc_table_cell(table, text);
}

void mmc_table_number(mmc_table *table, double value, int decimals, const char *missing) {
    if (isfinite(value))
        mmc_table_cellf(table, "%.*f", decimals, value);
    else
        mmc_table_cell(table, missing && *missing ? missing : "not measured");
}

static mmc_status check(const mmc_table *table) {
    if (table->failed)
        return mmc_fail(MMC_ERR_MEMORY, "table %s: out of memory, or a row with too few cells", table->name);
    if (table->column_count == 0)
        return mmc_fail(MMC_ERR_SHAPE, "table %s has no columns", table->name);
    if (table->cell_count != table->row_count * table->column_count)
        return mmc_fail(MMC_ERR_SHAPE, "table %s: %zu cells do not fill %zu rows of %zu columns", table->name,
                        table->cell_count, table->row_count, table->column_count);
    return MMC_OK;
}

/* A cell as text: with its remark in parentheses. */
static void cell_text(const mmc_table *table, size_t i, mmc_text *out) {
    mmc_text_add(out, table->cells[i]);
    if (table->notes[i])
        mmc_text_printf(out, " (%s)", table->notes[i]);
}

/* Appends the cell by one of the writers of fields. */
static void put_cell(const mmc_table *table, size_t i, mmc_text *out, void (*put)(mmc_text *, const char *)) {
    mmc_text text = {0};
    cell_text(table, i, &text);
    put(out, mmc_text_string(&text));
    out->failed = out->failed || text.failed;
    mmc_text_close(&text);
}

static bool has_units(const mmc_table *table) {
    for (size_t c = 0; c < table->column_count; c++)
        if (table->columns[c].unit)
            return true;
    return false;
}

mmc_status mmc_table_csv(const mmc_table *table, mmc_text *out) {
    MMC_TRY(check(table));
    for (size_t c = 0; c < table->column_count; c++) {
        mmc_text name = {0};
        mmc_text_add(&name, table->columns[c].name);
        if (table->columns[c].unit)
            mmc_text_printf(&name, " (%s)", table->columns[c].unit);
        mmc_text_add(out, c ? "," : "");
        mmc_text_csv(out, mmc_text_string(&name));
        mmc_text_close(&name);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        mmc_text_add(out, i % table->column_count ? "," : "\n");
        put_cell(table, i, out, mmc_text_csv);
    }
    mmc_text_add(out, "\n");
    return mmc_text_check(out);
}

mmc_status mmc_table_markdown(const mmc_table *table, mmc_text *out) {
    MMC_TRY(check(table));
    mmc_text_add(out, "|");
    for (size_t c = 0; c < table->column_count; c++) {
        mmc_text_add(out, " ");
        mmc_text_markdown(out, table->columns[c].name);
        mmc_text_add(out, " |");
    }
    mmc_text_add(out, "\n|");
    for (size_t c = 0; c < table->column_count; c++)
        mmc_text_add(out, table->columns[c].kind == MMC_CELL_NUMBER ? "---:|" : "---|");
    if (has_units(table)) {
        mmc_text_add(out, "\n|");
        for (size_t c = 0; c < table->column_count; c++) {
            mmc_text_add(out, " ");
            mmc_text_markdown(out, table->columns[c].unit ? table->columns[c].unit : "");
            mmc_text_add(out, " |");
        }
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        mmc_text_add(out, i % table->column_count ? " " : "\n| ");
        put_cell(table, i, out, mmc_text_markdown);
        mmc_text_add(out, " |");
    }
    mmc_text_add(out, "\n");
    return mmc_text_check(out);
}

static const char *verdict_class(const char *text) {
    if (strncmp(text, "holds", 5) == 0)
        return "verdict holds";
    if (strncmp(text, "fails", 5) == 0)
        return "verdict fails";
    return "verdict undecided";
}

mmc_status mmc_table_html(const mmc_table *table, mmc_text *out) {
    MMC_TRY(check(table));
    mmc_text_add(out, "<div class=\"scroll\" tabindex=\"0\">\n<table>\n<thead><tr>");
    for (size_t c = 0; c < table->column_count; c++) {
        mmc_text_printf(out, "<th%s>", table->columns[c].kind == MMC_CELL_NUMBER ? " class=\"number\"" : "");
        mmc_text_html(out, table->columns[c].name);
        if (table->columns[c].unit) {
            mmc_text_add(out, "<span class=\"unit\">");
            mmc_text_html(out, table->columns[c].unit);
            mmc_text_add(out, "</span>");
        }
        mmc_text_add(out, "</th>");
    }
    mmc_text_add(out, "</tr></thead>\n<tbody>");
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t c = i % table->column_count;
        mmc_cell_kind kind = table->columns[c].kind;
        mmc_text_add(out, c ? "" : i ? "</tr>\n<tr>" : "\n<tr>");
        const char *note = table->notes[i];
        bool is_long = strlen(table->cells[i]) > 26 || (note && strlen(note) > 40); /* wraps; a short one never does */
        mmc_text_printf(out, "<td class=\"%s\">", is_long ? "long" : kind == MMC_CELL_NUMBER ? "number" : "short");
        if (kind == MMC_CELL_VERDICT)
            mmc_text_printf(out, "<span class=\"%s\">", verdict_class(table->cells[i]));
        mmc_text_html(out, table->cells[i]);
        mmc_text_add(out, kind == MMC_CELL_VERDICT ? "</span>" : "");
        if (note) {
            mmc_text_add(out, "<span class=\"note\">");
            mmc_text_html(out, note);
            mmc_text_add(out, "</span>");
        }
        mmc_text_add(out, "</td>");
    }
    mmc_text_add(out, table->row_count ? "</tr>\n</tbody>\n</table>\n</div>\n" : "</tbody>\n</table>\n</div>\n");
    return mmc_text_check(out);
}

static mmc_status write_as(const mmc_table *table, const char *folder, const char *ending,
                           mmc_status (*compose)(const mmc_table *, mmc_text *)) {
    mmc_text path = {0}, text = {0};
    mmc_text_printf(&path, "%s/%s.%s", folder, table->name, ending);
    mmc_status status = compose(table, &text);
    if (status == MMC_OK)
        status = mmc_text_check(&path);
    if (status == MMC_OK)
        status = mmc_text_write(&text, path.data);
    mmc_text_close(&path);
    mmc_text_close(&text);
    return status;
}

mmc_status mmc_table_write_csv(const mmc_table *table, const char *folder) {
    return write_as(table, folder, "csv", mmc_table_csv);
}

mmc_status mmc_table_write_markdown(const mmc_table *table, const char *folder) {
    return write_as(table, folder, "md", mmc_table_markdown);
}

mmc_status mmc_table_write(const mmc_table *table, const char *folder) {
    MMC_TRY(mmc_table_write_csv(table, folder));
    return mmc_table_write_markdown(table, folder);
}

void mmc_table_close(mmc_table *table) {
    for (size_t i = 0; i < table->cell_count; i++) {
        free(table->cells[i]);
        free(table->notes[i]);
    }
    free(table->cells);
    free(table->notes);
    const char *name = table->name, *title = table->title;
    *table = (mmc_table){.name = name, .title = title};
}
