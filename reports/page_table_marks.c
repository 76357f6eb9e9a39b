/* Table 2: which connectivity holds, as marks. Each mark is a verdict that the run recorded on the paper's mark; the
 * numbers that it hangs on stand below it. */
#include "reports/page_table.h"

#include "reports/figures_table.h"
#include "reports/select.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char id[] = "table2", title[] = "Connectivity of similar and of dissimilar models";
static const char yes[] = "✓", no[] = "✗";

typedef struct mark {
    const char *claim, *models, *path, *connectivity;
    bool paper; /* the paper's mark */
} mark;

enum { MODELS = 2, MARKS = 4 };

static const mark marks[MODELS][MARKS] = {
    {{"similar-linear-mode", "similar", "linear", "mode", true},
     {"similar-linear-mechanistic", "similar", "linear", "mechanistic", true},
     {"similar-nonlinear-mode", "similar", "nonlinear", "mode", true},
     {"similar-nonlinear-mechanistic", "similar", "nonlinear", "mechanistic", true}},
    {{"dissimilar-linear-mode", "dissimilar", "linear", "mode", false},
     {"dissimilar-linear-mechanistic", "dissimilar", "linear", "mechanistic", false},
     {"dissimilar-nonlinear-mode", "dissimilar", "nonlinear", "mode", true},
     {"dissimilar-nonlinear-mechanistic", "dissimilar", "nonlinear", "mechanistic", false}},
};

static bool verdict_row(const mmc_record *r) {
    return mmc_same_text(r->metric, "claim") && mmc_same_text(r->suite, id);
}

/* The verdict on a mark; NULL: none was recorded. */
static const mmc_record *verdict_of(const mmc_run_view *view, const mark *m, const char *arch, const char *dataset) {
    for (size_t i = 0; i < view->records.count; i++) {
        const mmc_record *r = &view->records.rows[i];
        if (verdict_row(r) && mmc_same_text(r->item, m->claim) && mmc_same_text(r->arch, arch) &&
            mmc_same_text(r->dataset, dataset))
            return r;
    }
    return NULL;
}

static const char *mark_text(bool set) {
    return set ? yes : no;
}

static void put_mark(mmc_page_table *out, const mmc_run_view *view, const mark *m, const char *arch,
                     const char *dataset) {
    const mmc_record *r = verdict_of(view, m, arch, dataset);
    bool decided = r && isfinite(r->value);
    const char *ours = decided ? mark_text((r->value > 0) == m->paper) : "undecided";
    const char *evidence = r && r->reason ? r->reason : "no verdict was recorded";
    mmc_text note = {0};
    mmc_text_printf(&note, "paper %s; %s", mark_text(m->paper), evidence);
    mmc_table_cell(&out->layout, ours);
    mmc_table_note(&out->layout, mmc_text_string(&note));
    out->layout.failed = out->layout.failed || note.failed;
    mmc_text_close(&note);
    const char *const cells[] = {arch ? arch : "",
                                 dataset ? dataset : "",
                                 m->models,
                                 m->path,
                                 m->connectivity,
                                 !decided      ? "undecided"
                                 : ours == yes ? "yes"
                                               : "no",
                                 m->paper ? "yes" : "no",
                                 evidence,
                                 view->scale};
    mmc_table_row(&out->values);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        mmc_table_cell(&out->values, cells[i]);
}

static void put_block(mmc_page_table *out, const mmc_run_view *view, const mmc_record *where) {
    static const char *const about[MODELS] = {"similar: θ_C and θ_FT, rate .001, p < 1", "dissimilar: θ_C and θ_NC"};
    for (int k = 0; k < MODELS; k++) {
        mmc_table_row(&out->layout);
        mmc_table_cell(&out->layout, about[k]);
        mmc_table_cellf(&out->layout, "%s, %s", where->arch ? mmc_figure_arch_name(where->arch) : "–",
                        where->dataset ? where->dataset : "–");
        for (int i = 0; i < MARKS; i++)
            put_mark(out, view, &marks[k][i], where->arch, where->dataset);
    }
}

static void set_columns(mmc_page_table *out) {
    static const char *const paths[] = {"linear path", "linear path", "quadratic path", "quadratic path"};
    static const char *const values[] = {"network", "data set", "models",   "path", "connectivity",
                                         "mark",    "paper",    "evidence", "scale"};
    out->layout = (mmc_table){.name = id, .title = title};
    out->values = (mmc_table){.name = id, .title = title};
    mmc_table_column(&out->layout, "models", NULL, MMC_CELL_TEXT);
    mmc_table_column(&out->layout, "measured on", NULL, MMC_CELL_TEXT);
    for (int i = 0; i < MARKS; i++)
        mmc_table_column(&out->layout, paths[i], i % 2 ? "mechanistic connectivity" : "mode connectivity",
                         MMC_CELL_TEXT);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        mmc_table_column(&out->values, values[i], NULL, MMC_CELL_TEXT);
}

mmc_status mmc_page_table_marks(mmc_page_table *out, const mmc_run_view *view) {
    const mmc_record *seen[8];
    size_t count = 0;
    for (size_t i = 0; i < view->records.count && count < sizeof seen / sizeof *seen; i++) {
        const mmc_record *r = &view->records.rows[i];
        size_t k = 0;
        while (k < count && !(mmc_same_text(seen[k]->arch, r->arch) && mmc_same_text(seen[k]->dataset, r->dataset)))
            k++;
        if (verdict_row(r) && k == count)
            seen[count++] = r;
    }
    if (count || mmc_run_asked(view, id))
        snprintf(out->id, sizeof out->id, "%s", id);
    if (!count)
        return *out->id ? mmc_page_table_absent(out, view, title) : MMC_OK;
    set_columns(out);
    for (size_t k = 0; k < count; k++)
        put_block(out, view, seen[k]);
    mmc_text_printf(&out->heading, "Table 2: %s", title);
    mmc_text_add(
        &out->intro,
        "<p>Derived from the measured paths by rule: ✓ where every pair measured (cue proportion, seed) is so "
        "connected, ✗ where the paper has ✗ and no pair is; where a pair speaks against the paper's mark, the "
        "other mark stands, with that pair. Below each mark the paper's, and the numbers of the pair that is "
        "nearest to its limit. Connected: the accuracy nowhere dips further below the worse end than the limit "
        "named; mechanistically connected: on all four sets, with no accuracy more than 10 points from that of "
        "θ_C.</p>\n");
    if (out->layout.failed || out->values.failed || out->heading.failed || out->intro.failed)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory while filling table 2 of the report");
    return MMC_OK;
}
