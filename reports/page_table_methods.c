/* Tables 1, 3 and 4: a line a method and cue proportion, a column a set; below each value the paper's. */
#include "reports/page_table.h"

#include "reports/figures_table.h"
#include "reports/paper_values.h"
#include "reports/select.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CUES_MAX = 16, METHODS_MAX = 6 };

typedef struct method {
    const char *item, *name;
    bool own; /* no other table has it */
} method;

typedef struct methods_table {
    int number;
    const char *id, *title, *about;
    method methods[METHODS_MAX];
} methods_table;

static const methods_table tables[] = {
    {1,
     "table1",
     "Accuracy after fine-tuning on the clean samples",
     "A model pre-trained with the cue on a proportion <i>p</i> of its images is fine-tuned on the clean samples by "
     "each method.",
     {{"ft-medium", "FT-medium", true},
      {"ft-small", "FT-small", true},
      {"llrt", "LLRT", true},
      {"lpft", "LPFT", true},
      {"cbft", "CBFT", false}}},
    {3,
     "table3",
     "CBFT without one of its parts",
     "CBFT as in Table 1, without its barrier step, and without its invariance term.",
     {{"cbft", "CBFT", false},
      {"cbft-no-barrier", "CBFT without barrier step", true},
      {"cbft-no-invariance", "CBFT without invariance term", true}}},
    {4,
     "table4",
     "Training from scratch on the clean samples alone",
     "What the clean samples teach a network that starts from random weights.",
     {{"scratch-clean", "from scratch", true}}},
};

static const char *const archs[] = {"resnet18", "vgg13"};
static const char *const datasets[] = {"cifar10-box", "fashion-box", "cifar100-box", "dominoes"};

/* One line of a table and what it is filled from. */
typedef struct line {
    const mmc_run_view *view;
    const methods_table *table;
    const mmc_selection *rows;
    const method *method;
    const char *arch, *dataset;
    double cue;
} line;

/* ---- rows ---------------------------------------------------------------------------------------------------------
 */

static const method *method_of(const methods_table *table, const char *item) {
    for (const method *m = table->methods; m < table->methods + METHODS_MAX && m->item; m++)
        if (mmc_same_text(m->item, item))
            return m;
    return NULL;
}

/* The accuracies of the table's methods on test data, with or without a value. */
static mmc_status select_methods(mmc_selection *out, const mmc_run_view *view, const methods_table *table) {
    MMC_TRY(mmc_select(out, &view->records, &(mmc_query){.metric = "accuracy", .cue = NAN}));
    size_t kept = 0;
    for (size_t i = 0; i < out->count; i++) {
        const mmc_record *r = out->rows[i];
        if (method_of(table, r->item) && !isfinite(r->t) && !mmc_same_text(r->split, "train"))
            out->rows[kept++] = r;
    }
    out->count = kept;
    return MMC_OK;
}

static bool own_measured(const mmc_selection *rows, const methods_table *table) {
    for (size_t i = 0; i < rows->count; i++)
        if (isfinite(rows->rows[i]->value) && method_of(table, rows->rows[i]->item)->own)
            return true;
    return false;
}

static bool any_on(const mmc_selection *rows, const char *arch, const char *dataset) {
    for (size_t i = 0; i < rows->count; i++)
        if (isfinite(rows->rows[i]->value) && mmc_same_text(rows->rows[i]->arch, arch) &&
            mmc_same_text(rows->rows[i]->dataset, dataset))
            return true;
    return false;
}

static mmc_average average_of(const line *l, const char *set) {
    mmc_average a = mmc_average_empty();
    for (size_t i = 0; i < l->rows->count; i++) {
        const mmc_record *r = l->rows->rows[i];
        if (!mmc_same_text(r->item, l->method->item) || !mmc_same_text(r->arch, l->arch) ||
            !mmc_same_text(r->dataset, l->dataset) || (isfinite(r->cue) && fabs(r->cue - l->cue) > 1e-9))
            continue;
        if (!isfinite(r->value) && !a.reason)
            a.reason = r->reason; /* of the whole job or of this set */
        else if (isfinite(r->value) && mmc_same_text(r->set, set))
            mmc_average_add(&a, 100 * r->value);
    }
    return a;
}

/* The paper's value in percent; NAN: it has none. */
static double paper_value(const line *l, size_t set) {
    const mmc_paper_row *row =
        strcmp(l->arch, "resnet18") == 0 ? mmc_paper_find(l->table->id, l->dataset, l->method->item, l->cue) : NULL;
    return row ? row->percent[set] : NAN;
}

/* How many of our standard deviations our mean lies above the paper's value; NAN where that cannot be said. */
static double difference(const line *l, const mmc_average *a, double paper) {
    return !l->view->reduced && a->deviation > 0 ? (a->mean - paper) / a->deviation : NAN;
}

/* ---- the table as printed -----------------------------------------------------------------------------------------
 */

static void layout_cell(mmc_table *out, const line *l, size_t set) {
    mmc_average a = average_of(l, mmc_figure_sets[set].name);
    double paper = paper_value(l, set), off = difference(l, &a, paper);
    if (!a.values)
        mmc_table_cell(out, "not measured");
    else if (a.values > 1)
        mmc_table_cellf(out, "%.1f ± %.1f", a.mean, a.deviation);
    else
        mmc_table_cellf(out, "%.1f", a.mean);
    char note[160];
    if (isfinite(off))
        snprintf(note, sizeof note, "paper %.3g, %+.1f sd", paper, off);
    else if (isfinite(paper))
        snprintf(note, sizeof note, "paper %.3g", paper);
    else
        return;
    mmc_table_note(out, note);
}

static void layout_columns(mmc_table *out, const methods_table *table) {
    *out = (mmc_table){.name = table->id, .title = table->title};
    mmc_table_column(out, "data set", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "method", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "p", NULL, MMC_CELL_NUMBER);
    for (size_t s = 0; s < MMC_FIGURE_PANELS; s++)
        mmc_table_column(out, mmc_figure_sets[s].name, "accuracy, %", MMC_CELL_NUMBER);
    mmc_table_column(out, "seeds", NULL, MMC_CELL_NUMBER);
}

static void layout_line(mmc_table *out, const line *l) {
    mmc_average first = average_of(l, mmc_figure_sets[0].name);
    mmc_table_row(out);
    mmc_table_cellf(out, "%s%s", l->dataset, strcmp(l->arch, "resnet18") == 0 ? "" : ", VGG-13");
    mmc_table_cell(out, l->method->name);
    if (!first.values && first.reason)
        mmc_table_note(out, first.reason);
    if (l->cue > 0)
        mmc_table_cellf(out, "%g", l->cue);
    else
        mmc_table_cell(out, "–");
    for (size_t s = 0; s < MMC_FIGURE_PANELS; s++)
        layout_cell(out, l, s);
    mmc_table_cellf(out, "%d", first.values);
}

/* ---- one row a value ----------------------------------------------------------------------------------------------
 */

static void values_columns(mmc_table *out, const methods_table *table) {
    static const char *const names[] = {"network",   "data set", "method", "p",          "set",   "mean",
                                        "deviation", "seeds",    "paper",  "difference", "scale", "note"};
    *out = (mmc_table){.name = table->id, .title = table->title};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        mmc_table_column(out, names[i], strcmp(names[i], "difference") == 0 ? "deviations" : NULL, MMC_CELL_TEXT);
}

static void number_or_empty(mmc_table *out, double value, const char *format) {
    char text[64] = "";
    if (isfinite(value))
        snprintf(text, sizeof text, strcmp(format, "%g") == 0 ? "%g" : "%.2f", value);
    mmc_table_cell(out, text);
}

static void values_line(mmc_table *out, const line *l) {
    for (size_t s = 0; s < MMC_FIGURE_PANELS; s++) {
        mmc_average a = average_of(l, mmc_figure_sets[s].name);
        double paper = paper_value(l, s);
        mmc_table_row(out);
        mmc_table_cell(out, l->arch);
        mmc_table_cell(out, l->dataset);
        mmc_table_cell(out, l->method->item);
        number_or_empty(out, l->cue > 0 ? l->cue : NAN, "%g");
        mmc_table_cell(out, mmc_figure_sets[s].name);
        number_or_empty(out, a.mean, "%.2f");
        number_or_empty(out, a.deviation, "%.2f");
        mmc_table_cellf(out, "%d", a.values);
        number_or_empty(out, paper, "%g");
        number_or_empty(out, difference(l, &a, paper), "%.2f");
        mmc_table_cell(out, l->view->scale);
        mmc_table_cell(out, !a.values                ? a.reason ? a.reason : "not measured"
                            : !isfinite(paper)       ? "the paper has no value"
                            : l->view->reduced       ? "reduced: not comparable with the paper"
                            : !isfinite(a.deviation) ? "one seed: no deviation"
                                                     : "");
    }
}

/* ---- what stands above it -----------------------------------------------------------------------------------------
 */

static void introduce(mmc_page_table *out, const line *l) {
    int width = l->rows->count ? l->rows->rows[0]->width : 0;
    mmc_text_printf(&out->heading, "Table %d: %s", l->table->number, l->table->title);
    mmc_text_printf(&out->intro, "<p>%s Accuracy in percent on test images", l->table->about);
    if (width)
        mmc_text_printf(&out->intro, ", networks of width %d", width);
    mmc_text_add(&out->intro, "; mean over the seeds ± standard deviation. ");
    if (l->view->reduced) {
        mmc_text_add(&out->intro, "In grey, as a reference alone, what the paper prints. It is <b>not comparable</b>: "
                                  "scale ");
        mmc_text_html(&out->intro, l->view->scale);
        mmc_text_add(&out->intro, " trains narrower networks, on fewer images or for fewer epochs than the paper did, "
                                  "so no difference is stated.");
    } else {
        mmc_text_add(&out->intro, "In grey what the paper prints, and by how many of our standard deviations (sd) our "
                                  "mean lies above it; the paper prints no deviations.");
    }
    bool stand_in = false;
    for (size_t i = 0; i < l->rows->count; i++)
        stand_in = stand_in || mmc_same_text(l->rows->rows[i]->dataset, "fashion-box");
    if (stand_in)
        mmc_text_add(&out->intro, " The paper has no values on fashion-box, which stands in for cifar10-box.");
    mmc_text_add(&out->intro, "</p>\n");
}

/* ---- filling ------------------------------------------------------------------------------------------------------
 */

/* The lines of one network and data set; a table without cue proportions has one line a method. */
static void fill_block(mmc_page_table *out, line *l) {
    double cues[CUES_MAX];
    mmc_selection here = {0};
    if (mmc_select_again(&here, l->rows, &(mmc_query){.arch = l->arch, .dataset = l->dataset, .cue = NAN}) != MMC_OK) {
        out->layout.failed = true;
        return;
    }
    size_t count = mmc_select_cues(cues, CUES_MAX, &here);
    mmc_selection_close(&here);
    for (l->method = l->table->methods; l->method < l->table->methods + METHODS_MAX && l->method->item; l->method++)
        for (size_t c = 0; c < count; c++) {
            l->cue = cues[c];
            layout_line(&out->layout, l);
            values_line(&out->values, l);
        }
}

mmc_status mmc_page_table_methods(mmc_page_table *out, const mmc_run_view *view, int number) {
    const methods_table *table = tables;
    while (table->number != number)
        table++;
    mmc_selection rows;
    MMC_TRY(select_methods(&rows, view, table));
    bool asked = mmc_run_asked(view, table->id), measured = own_measured(&rows, table);
    line l = {.view = view, .table = table, .rows = &rows};
    mmc_status status = MMC_OK;
    if (asked || measured)
        snprintf(out->id, sizeof out->id, "%s", table->id);
    if (measured) {
        layout_columns(&out->layout, table);
        values_columns(&out->values, table);
        introduce(out, &l);
        for (size_t d = 0; d < sizeof datasets / sizeof *datasets; d++)
            for (size_t a = 0; a < sizeof archs / sizeof *archs; a++)
                if (any_on(&rows, archs[a], datasets[d])) {
                    l.arch = archs[a];
                    l.dataset = datasets[d];
                    fill_block(out, &l);
                }
        if (out->layout.failed || out->values.failed || out->heading.failed || out->intro.failed)
            status = mmc_fail(MMC_ERR_MEMORY, "out of memory while filling %s of the report", table->id);
    } else if (asked) {
        status = mmc_page_table_absent(out, view, table->title);
    }
    mmc_selection_close(&rows);
    return status;
}
