#include "reports/report_tables.h"

#include "reports/figures_table.h"
#include "reports/select.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *or_dash(const char *text) {
    return text && *text ? text : "–";
}

static void cell_number_or_dash(mmc_table *table, double value, const char *format) {
    if (isfinite(value)) {
        char text[64];
        snprintf(text, sizeof text, strcmp(format, "%g") == 0 ? "%g" : "%.1f", value);
        mmc_table_cell(table, text);
    } else {
        mmc_table_cell(table, "–");
    }
}

static void cell_cue(mmc_table *table, double cue) {
    if (cue == 0)
        mmc_table_cell(table, "no cue");
    else
        cell_number_or_dash(table, cue, "%g");
}

static mmc_status close_on_failure(mmc_table *table) {
    if (!table->failed)
        return MMC_OK;
    mmc_table_close(table);
    return mmc_fail(MMC_ERR_MEMORY, "out of memory while filling the tables of the report");
}

/* ---- claims -------------------------------------------------------------------------------------------------------
 */

/* A claim's name as words: "linear-disconnected" is "linear disconnected". */
static void cell_words(mmc_table *table, const char *name) {
    char words[256];
    snprintf(words, sizeof words, "%s", name);
    for (char *c = words; *c; c++)
        *c = *c == '-' ? ' ' : *c;
    mmc_table_cell(table, words);
}

mmc_status mmc_report_claims(mmc_table *out, const mmc_run_view *view) {
    *out = (mmc_table){.name = "claims", .title = "Claims"};
    mmc_table_column(out, "claim", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "verdict", NULL, MMC_CELL_VERDICT);
    mmc_table_column(out, "item", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "network", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "data set", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "why", NULL, MMC_CELL_TEXT);
    for (size_t i = 0; i < view->records.count; i++) {
        const mmc_record *r = &view->records.rows[i];
        if (!mmc_same_text(r->metric, "claim"))
            continue;
        mmc_table_row(out);
        cell_words(out, or_dash(r->item));
        mmc_table_cell(out, !isfinite(r->value) ? "undecided at this size" : r->value > 0 ? "holds" : "fails");
        mmc_table_cell(out, or_dash(r->suite));
        mmc_table_cell(out, r->arch ? mmc_figure_arch_name(r->arch) : "–");
        mmc_table_cell(out, or_dash(r->dataset));
        mmc_table_cell(out, or_dash(r->reason));
    }
    return close_on_failure(out);
}

/* ---- groups of rows -----------------------------------------------------------------------------------------------
 */

/* What rows of one line of a table share. */
typedef struct group {
    const char *arch, *dataset, *split, *item;
    double cue;
} group;

static group group_of(const mmc_record *r) {
    return (group){r->arch, r->dataset, r->split, r->item, r->cue};
}

static bool in_group(const group *g, const mmc_record *r) {
    bool same_cue = g->cue == r->cue || (isnan(g->cue) && isnan(r->cue));
    return same_cue && mmc_same_text(g->arch, r->arch) && mmc_same_text(g->dataset, r->dataset) &&
           mmc_same_text(g->split, r->split) && mmc_same_text(g->item, r->item);
}

static int compare_texts(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "");
}

static int by_group(const void *a, const void *b) {
    const group *x = a, *y = b;
    int order = compare_texts(x->arch, y->arch);
    order = order ? order : compare_texts(x->dataset, y->dataset);
    order = order ? order : -compare_texts(x->split, y->split); /* test before train */
    order = order ? order : compare_texts(x->item, y->item);
    return order ? order : (x->cue > y->cue) - (x->cue < y->cue);
}

/* The groups of the rows, sorted. */
static mmc_status find_groups(group **out, size_t *count, const mmc_selection *rows) {
    *count = 0;
    *out = malloc((rows->count + 1) * sizeof **out);
    if (!*out)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory while grouping %zu records", rows->count);
    for (size_t i = 0; i < rows->count; i++) {
        size_t g = *count;
        while (g > 0 && !in_group(&(*out)[g - 1], rows->rows[i])) /* neighbours in a run share their group */
            g--;
        if (g == 0)
            (*out)[(*count)++] = group_of(rows->rows[i]);
    }
    qsort(*out, *count, sizeof **out, by_group);
    return MMC_OK;
}

/* Mean and standard deviation over the rows of a group with this metric, set and t (NAN: any). */
static mmc_average average_of(const mmc_selection *rows, const group *g, const char *metric, const char *set,
                              double t) {
    mmc_average a = mmc_average_empty();
    for (size_t i = 0; i < rows->count; i++) {
        const mmc_record *r = rows->rows[i];
        if (!mmc_same_text(r->metric, metric) || !mmc_same_text(r->set, set) || !in_group(g, r) ||
            (isfinite(t) && fabs(r->t - t) > 1e-9) || (isfinite(t) && !isfinite(r->t)))
            continue;
        if (isfinite(r->value))
            mmc_average_add(&a, r->value);
        else
            a.reason = r->reason;
    }
    return a;
}

static void cell_average(mmc_table *table, const mmc_average *a, double scale, int decimals) {
    if (!a->values)
        mmc_table_cell(table, a->reason ? a->reason : "not measured");
    else if (a->values > 1)
        mmc_table_cellf(table, "%.*f ± %.*f", decimals, a->mean * scale, decimals, a->deviation * scale);
    else
        mmc_table_cellf(table, "%.*f", decimals, a->mean * scale);
}

/* ---- models at the ends -------------------------------------------------------------------------------------------
 */

/* The model at t = 0 or 1 of the paths of a group. */
static void models_row(mmc_table *out, const mmc_selection *rows, const group *g, const char *name, double t,
                       bool with_cue) {
    mmc_table_row(out);
    mmc_table_cell(out, name);
    mmc_table_cell(out, g->arch ? mmc_figure_arch_name(g->arch) : "–");
    mmc_table_cell(out, or_dash(g->dataset));
    mmc_table_cell(out, or_dash(g->split));
    if (with_cue)
        cell_cue(out, g->cue);
    else
        mmc_table_cell(out, "no cue");
    for (size_t s = 0; s < MMC_FIGURE_PANELS; s++) {
        mmc_average a = average_of(rows, g, "accuracy", mmc_figure_sets[s].name, t);
        cell_average(out, &a, 100, 1);
    }
}

/* theta_C of every cue proportion, then theta_NC, of each network, data set and split. */
static mmc_status models_of_linear(mmc_table *out, const mmc_run_view *view) {
    mmc_selection rows;
    MMC_TRY(mmc_select(&rows, &view->records, &(mmc_query){.metric = "accuracy", .item = "linear", .cue = NAN}));
    group *groups = NULL;
    size_t count = 0;
    mmc_status status = find_groups(&groups, &count, &rows);
    for (size_t i = 0; status == MMC_OK && i < count; i++) {
        models_row(out, &rows, &groups[i], "θ_C", 0, true);
        bool last = i + 1 == count || compare_texts(groups[i].arch, groups[i + 1].arch) ||
                    compare_texts(groups[i].dataset, groups[i + 1].dataset) ||
                    compare_texts(groups[i].split, groups[i + 1].split);
        if (last)
            models_row(out, &rows, &groups[i], "θ_NC", 1, false);
    }
    free(groups);
    mmc_selection_close(&rows);
    return status;
}

/* theta_FT of one rate. */
static mmc_status models_of_fine_tuning(mmc_table *out, const mmc_run_view *view, const mmc_figure_curve *curve) {
    mmc_selection rows;
    MMC_TRY(mmc_select(&rows, &view->records, &(mmc_query){.metric = "accuracy", .item = curve->item, .cue = NAN}));
    group *groups = NULL;
    size_t count = 0;
    mmc_status status = find_groups(&groups, &count, &rows);
    char name[64];
    snprintf(name, sizeof name, "θ_FT, %s", curve->label);
    for (size_t i = 0; status == MMC_OK && i < count; i++)
        models_row(out, &rows, &groups[i], name, 1, true);
    free(groups);
    mmc_selection_close(&rows);
    return status;
}

mmc_status mmc_report_models(mmc_table *out, const mmc_run_view *view) {
    *out = (mmc_table){.name = "models", .title = "The models at the ends"};
    mmc_table_column(out, "model", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "network", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "data set", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "split", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "trained with p", NULL, MMC_CELL_NUMBER);
    for (size_t s = 0; s < MMC_FIGURE_PANELS; s++)
        mmc_table_column(out, mmc_figure_sets[s].name, "accuracy, %", MMC_CELL_NUMBER);
    mmc_status status = models_of_linear(out, view);
    for (const mmc_figure_curve *c = mmc_figure_fine_tuning; status == MMC_OK && c->item; c++)
        status = models_of_fine_tuning(out, view, c);
    return status == MMC_OK ? close_on_failure(out) : (mmc_table_close(out), status);
}

/* ---- paths --------------------------------------------------------------------------------------------------------
 */

mmc_status mmc_report_paths(mmc_table *out, const mmc_run_view *view) {
    *out = (mmc_table){.name = "paths", .title = "Dips and barriers of the paths"};
    mmc_table_column(out, "path", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "network", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "data set", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "split", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "p", NULL, MMC_CELL_NUMBER);
    for (size_t s = 0; s < MMC_FIGURE_PANELS; s++)
        mmc_table_column(out, mmc_figure_sets[s].name, "dip, points", MMC_CELL_NUMBER);
    for (size_t s = 0; s < MMC_FIGURE_PANELS; s++)
        mmc_table_column(out, mmc_figure_sets[s].name, "barrier, nats", MMC_CELL_NUMBER);
    mmc_selection rows;
    MMC_TRY(mmc_select(&rows, &view->records, &(mmc_query){.cue = NAN}));
    size_t kept = 0;
    for (size_t i = 0; i < rows.count; i++)
        if (mmc_same_text(rows.rows[i]->metric, "dip") || mmc_same_text(rows.rows[i]->metric, "barrier"))
            rows.rows[kept++] = rows.rows[i];
    rows.count = kept;
    group *groups = NULL;
    size_t count = 0;
    mmc_status status = find_groups(&groups, &count, &rows);
    for (size_t i = 0; status == MMC_OK && i < count; i++) {
        const group *g = &groups[i];
        mmc_table_row(out);
        mmc_table_cell(out, or_dash(g->item));
        mmc_table_cell(out, g->arch ? mmc_figure_arch_name(g->arch) : "–");
        mmc_table_cell(out, or_dash(g->dataset));
        mmc_table_cell(out, or_dash(g->split));
        cell_cue(out, g->cue);
        for (size_t m = 0; m < 2; m++)
            for (size_t s = 0; s < MMC_FIGURE_PANELS; s++) {
                mmc_average a = average_of(&rows, g, m ? "barrier" : "dip", mmc_figure_sets[s].name, NAN);
                cell_average(out, &a, m ? 1 : 100, m ? 3 : 1);
            }
    }
    free(groups);
    mmc_selection_close(&rows);
    return status == MMC_OK ? close_on_failure(out) : (mmc_table_close(out), status);
}

/* ---- speed --------------------------------------------------------------------------------------------------------
 */

/* Digits in groups of three, as a person reads a large number. */
static void cell_count(mmc_table *table, double value, const char *missing) {
    if (!isfinite(value) || fabs(value) >= 1e15) {
        mmc_table_cell(table, missing);
        return;
    }
    char digits[40], grouped[64];
    snprintf(digits, sizeof digits, "%.0f", value);
    size_t length = strlen(digits), at = 0;
    for (size_t i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0 && digits[i - 1] != '-')
            grouped[at++] = ',';
        grouped[at++] = digits[i];
    }
    grouped[at] = '\0';
    mmc_table_cell(table, grouped);
}

static double total_time(const mmc_record *r) {
    double sum = 0;
    for (size_t i = 0; i < r->sample_count; i++)
        sum += r->samples[i];
    if (r->sample_count)
        return sum;
    return isfinite(r->image_forwards) && r->value > 0 ? r->image_forwards / r->value : NAN;
}

/* What the procedure of a speed row is defined by: the row beside it of the same job, item and seed. NAN: none. */
static double defined_forwards(const mmc_run_view *view, const mmc_record *speed) {
    for (size_t i = 0; i < view->records.count; i++) {
        const mmc_record *r = &view->records.rows[i];
        if (mmc_same_text(r->metric, "image_forwards_defined") && mmc_same_text(r->job, speed->job) &&
            mmc_same_text(r->item, speed->item) && r->seed == speed->seed)
            return r->value;
    }
    return NAN;
}

mmc_speed_total mmc_report_speed_total(const mmc_run_view *view) {
    mmc_speed_total total = {0};
    for (size_t i = 0; i < view->records.count; i++) {
        const mmc_record *r = &view->records.rows[i];
        if (!mmc_same_text(r->metric, "images_per_s") || !isfinite(r->value))
            continue;
        double defined = defined_forwards(view, r), time_s = total_time(r);
        if (!isfinite(defined) || !isfinite(time_s) || !isfinite(r->image_forwards))
            continue;
        total.run += r->image_forwards;
        total.defined += defined;
        total.time_s += time_s;
    }
    return total;
}

static const char *work_name(const char *item) {
    if (mmc_same_text(item, "train"))
        return "training";
    if (mmc_same_text(item, "midpoint"))
        return "training of a bend";
    const mmc_figure_curve *path = mmc_figure_path_find(item);
    return path ? path->name : or_dash(item);
}

mmc_status mmc_report_speed(mmc_table *out, const mmc_run_view *view) {
    *out = (mmc_table){.name = "speed", .title = "Speed"};
    mmc_table_column(out, "what", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "network", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "data set", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "p", NULL, MMC_CELL_NUMBER);
    mmc_table_column(out, "rate", "images/s", MMC_CELL_NUMBER);
    mmc_table_column(out, "wall time", "s", MMC_CELL_NUMBER);
    mmc_table_column(out, "compute", "GFLOP/s", MMC_CELL_NUMBER);
    mmc_table_column(out, "image-forwards", "run", MMC_CELL_NUMBER);
    mmc_table_column(out, "image-forwards", "defined", MMC_CELL_NUMBER);
    mmc_table_column(out, "factor", "defined/run", MMC_CELL_NUMBER);
    mmc_table_column(out, "provider", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "precision", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "threads", NULL, MMC_CELL_NUMBER);
    for (size_t i = 0; i < view->records.count; i++) {
        const mmc_record *r = &view->records.rows[i];
        if (!mmc_same_text(r->metric, "images_per_s"))
            continue;
        double time_s = total_time(r), defined = defined_forwards(view, r);
        mmc_table_row(out);
        mmc_table_cell(out, work_name(r->item));
        mmc_table_cell(out, r->arch ? mmc_figure_arch_name(r->arch) : "–");
        mmc_table_cell(out, or_dash(r->dataset));
        cell_cue(out, r->cue);
        cell_count(out, r->value, r->reason ? r->reason : "not measured");
        mmc_table_number(out, time_s, 2, "not recorded");
        mmc_table_number(out, r->flop / time_s * 1e-9, 1, "not recorded");
        cell_count(out, r->image_forwards, "not recorded");
        cell_count(out, defined, "–");
        mmc_table_number(out, r->image_forwards > 0 ? defined / r->image_forwards : NAN, 2, "–");
        mmc_table_cell(out, or_dash(r->provider));
        mmc_table_cell(out, or_dash(r->precision));
        if (r->threads)
            mmc_table_cellf(out, "%d", r->threads);
        else
            mmc_table_cell(out, "–");
    }
    return close_on_failure(out);
}

/* ---- missing ------------------------------------------------------------------------------------------------------
 */

static bool same_gap(const mmc_record *a, const mmc_record *b) {
    bool same_cue = a->cue == b->cue || (isnan(a->cue) && isnan(b->cue));
    return same_cue && mmc_same_text(a->suite, b->suite) && mmc_same_text(a->item, b->item) &&
           mmc_same_text(a->arch, b->arch) && mmc_same_text(a->dataset, b->dataset) &&
           mmc_same_text(a->reason, b->reason);
}

mmc_status mmc_report_missing(mmc_table *out, const mmc_run_view *view) {
    *out = (mmc_table){.name = "missing", .title = "What has no value"};
    mmc_table_column(out, "item", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "asked by", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "network", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "data set", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "p", NULL, MMC_CELL_NUMBER);
    mmc_table_column(out, "values", NULL, MMC_CELL_NUMBER);
    mmc_table_column(out, "why", NULL, MMC_CELL_TEXT);
    mmc_selection gaps;
    MMC_TRY(mmc_select(&gaps, &view->records, &(mmc_query){.cue = NAN}));
    size_t kept = 0;
    for (size_t i = 0; i < gaps.count; i++)
        if (!isfinite(gaps.rows[i]->value) && !mmc_same_text(gaps.rows[i]->metric, "claim"))
            gaps.rows[kept++] = gaps.rows[i];
    gaps.count = kept;
    for (size_t i = 0; i < gaps.count; i++) {
        const mmc_record *r = gaps.rows[i];
        if (!r)
            continue;
        int values = 0;
        for (size_t k = i; k < gaps.count; k++)
            if (gaps.rows[k] && same_gap(r, gaps.rows[k])) {
                values++;
                gaps.rows[k] = NULL;
            }
        mmc_table_row(out);
        mmc_table_cell(out, or_dash(r->item));
        mmc_table_cell(out, or_dash(r->suite));
        mmc_table_cell(out, r->arch ? mmc_figure_arch_name(r->arch) : "–");
        mmc_table_cell(out, or_dash(r->dataset));
        cell_cue(out, r->cue);
        mmc_table_cellf(out, "%d", values);
        mmc_table_cell(out, r->reason ? r->reason : "no reason was recorded");
    }
    mmc_selection_close(&gaps);
    return close_on_failure(out);
}
