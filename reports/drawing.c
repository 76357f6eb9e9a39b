#include "reports/drawing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- which rows ---------------------------------------------------------------------------------------------------
 */

/* Whether any record of this figure's items has a value on the data set. */
static bool measured_on(const mmc_run_view *view, const mmc_figure *figure, const char *dataset, const char *split,
                        const char *metric) {
    for (size_t i = 0; i < view->records.count; i++) {
        const mmc_record *r = &view->records.rows[i];
        if (!isfinite(r->value) || !mmc_same_text(r->arch, figure->arch) || !mmc_same_text(r->dataset, dataset) ||
            !mmc_same_text(r->metric, metric) || (split && !mmc_same_text(r->split, split)))
            continue;
        for (const mmc_figure_curve *c = figure->curves; c->item; c++)
            if (mmc_same_text(r->item, c->item))
                return true;
    }
    return false;
}

static const char *choose_dataset(const mmc_run_view *view, const mmc_figure *figure, const char *wanted,
                                  const char *split, const char *metric) {
    if (measured_on(view, figure, wanted, split, metric))
        return wanted;
    const char *other = mmc_figure_stand_in(wanted);
    return other && measured_on(view, figure, other, split, metric) ? other : NULL;
}

/* Why a path or data set has no value: the first reason that a record of it gives. */
static const char *reason_for(const mmc_run_view *view, const char *arch, const char *dataset, const char *item) {
    for (size_t i = 0; i < view->records.count; i++) {
        const mmc_record *r = &view->records.rows[i];
        if (isfinite(r->value) || !r->reason || mmc_same_text(r->metric, "claim"))
            continue;
        if (r->arch && !mmc_same_text(r->arch, arch))
            continue;
        if (dataset && r->dataset && !mmc_same_text(r->dataset, dataset))
            continue;
        if (item ? mmc_same_text(r->item, item) : r->dataset != NULL)
            return r->reason;
    }
    return "no record of it in this run";
}

static void add_absent(mmc_drawing *d, const char *name, const char *reason) {
    if (d->absent_count == MMC_DRAWING_ROWS)
        return;
    d->absent_name[d->absent_count] = name;
    d->absent_reason[d->absent_count] = reason;
    d->absent_count++;
}

/* ---- collecting ---------------------------------------------------------------------------------------------------
 */

static mmc_status collect_panel(mmc_drawing *d, mmc_panel *panel, const mmc_selection *rows) {
    bool any = false;
    const char *reason = NULL;
    for (size_t c = 0; c < d->cue_count; c++) {
        mmc_query query = {.item = panel->item, .set = panel->set, .dataset = panel->dataset, .cue = d->cues[c]};
        MMC_TRY(mmc_select_curve(&panel->series[c], rows, &query));
        any = any || panel->series[c].finite;
        if (!reason)
            reason = panel->series[c].reason;
        for (size_t i = 0; i < panel->series[c].count; i++)
            d->spread = d->spread || panel->series[c].points[i].values > 1;
    }
    panel->reason = any ? NULL : reason ? reason : "no record of it in this run";
    return MMC_OK;
}

/* The rows of this figure's items alone, so that cues of other measurements open no empty colour. */
static mmc_status select_items(mmc_selection *out, const mmc_run_view *view, const mmc_query *query,
                               const mmc_figure_curve *items) {
    MMC_TRY(mmc_select(out, &view->records, query));
    size_t kept = 0;
    for (size_t i = 0; i < out->count; i++)
        for (const mmc_figure_curve *c = items; c->item; c++)
            if (mmc_same_text(out->rows[i]->item, c->item)) {
                out->rows[kept++] = out->rows[i];
                break;
            }
    out->count = kept;
    return MMC_OK;
}

static void note_rows(mmc_drawing *d, const mmc_selection *rows) {
    for (size_t i = 0; i < rows->count && !d->width; i++)
        d->width = rows->rows[i]->width;
}

static bool has_item(const mmc_selection *rows, const char *item) {
    for (size_t i = 0; i < rows->count; i++)
        if (mmc_same_text(rows->rows[i]->item, item) && isfinite(rows->rows[i]->value) && isfinite(rows->rows[i]->t))
            return true;
    return false;
}

static mmc_status collect_paths(mmc_drawing *d, const mmc_run_view *view) {
    const char *wanted = d->figure->datasets[0];
    d->dataset = choose_dataset(view, d->figure, wanted, d->split, d->metric);
    if (!d->dataset)
        return MMC_OK;
    d->stands_for = d->dataset == wanted ? NULL : wanted;
    mmc_selection rows;
    mmc_query query = {
        .metric = d->metric, .arch = d->figure->arch, .dataset = d->dataset, .split = d->split, .cue = NAN};
    MMC_TRY(select_items(&rows, view, &query, d->figure->curves));
    note_rows(d, &rows);
    d->cue_count = mmc_select_cues(d->cues, MMC_DRAWING_CUES, &rows);
    d->columns = d->figure->sets;
    for (size_t c = 0; c < d->columns; c++)
        d->column_label[c] = mmc_figure_sets[c].label;
    mmc_status status = MMC_OK;
    for (const mmc_figure_curve *curve = d->figure->curves; status == MMC_OK && curve->item; curve++) {
        if (!has_item(&rows, curve->item)) {
            add_absent(d, curve->name, reason_for(view, d->figure->arch, d->dataset, curve->item));
            continue;
        }
        d->row_label[d->rows] = curve->label;
        d->row_note[d->rows] = curve->note;
        d->row_curve[d->rows] = curve;
        for (size_t c = 0; status == MMC_OK && c < d->columns; c++) {
            mmc_panel *panel = &d->panels[d->rows][c];
            *panel = (mmc_panel){.item = curve->item, .set = mmc_figure_sets[c].name, .dataset = d->dataset};
            status = collect_panel(d, panel, &rows);
        }
        d->rows++;
    }
    mmc_selection_close(&rows);
    d->measured = d->rows > 0 && d->cue_count > 0;
    return status;
}

static mmc_status collect_learning(mmc_drawing *d, const mmc_run_view *view) {
    mmc_status status = MMC_OK;
    mmc_selection all;
    mmc_query query = {.metric = d->metric, .arch = d->figure->arch, .cue = NAN};
    MMC_TRY(select_items(&all, view, &query, d->figure->curves));
    for (const mmc_figure_curve *curve = d->figure->curves; curve->item; curve++)
        d->column_label[d->columns++] = curve->label;
    size_t kept = 0;
    const char *shown[MMC_FIGURE_LISTS] = {0};
    for (size_t i = 0; d->figure->datasets[i]; i++) {
        const char *wanted = d->figure->datasets[i];
        const char *dataset = choose_dataset(view, d->figure, wanted, NULL, d->metric);
        if (!dataset) {
            add_absent(d, wanted, reason_for(view, d->figure->arch, wanted, NULL));
            continue;
        }
        shown[d->rows] = dataset;
        d->row_label[d->rows] = dataset;
        if (dataset != wanted) {
            d->stands_for = wanted;
            d->row_note[d->rows] = "stand-in for cifar10-box";
        }
        d->rows++;
    }
    for (size_t i = 0; i < all.count; i++)
        for (size_t r = 0; r < d->rows; r++)
            if (mmc_same_text(all.rows[i]->dataset, shown[r])) {
                all.rows[kept++] = all.rows[i];
                break;
            }
    all.count = kept;
    note_rows(d, &all);
    d->cue_count = mmc_select_cues(d->cues, MMC_DRAWING_CUES, &all);
    for (size_t r = 0; r < d->rows; r++)
        for (size_t c = 0; status == MMC_OK && c < d->columns; c++) {
            d->panels[r][c] = (mmc_panel){.item = d->figure->curves[c].item, .dataset = shown[r]};
            status = collect_panel(d, &d->panels[r][c], &all);
        }
    mmc_selection_close(&all);
    d->measured = d->rows > 0 && d->cue_count > 0;
    return status;
}

mmc_status mmc_drawing_collect(mmc_drawing *out, const mmc_run_view *view, const mmc_figure *figure, const char *split,
                               const char *metric) {
    *out = (mmc_drawing){
        .figure = figure, .split = split, .metric = metric, .page_tag = view->page_tag, .reduced = view->reduced};
    bool alone = figure->kind == MMC_FIGURE_LEARNING || !figure->splits[1];
    if (figure->one_of_networks)
        snprintf(out->id, sizeof out->id, "fig%d-%s", figure->number, figure->arch);
    else if (alone)
        snprintf(out->id, sizeof out->id, "fig%d", figure->number);
    else
        snprintf(out->id, sizeof out->id, "fig%d-%s-%s", figure->number, split, metric);
    mmc_status status = figure->kind == MMC_FIGURE_PATH ? collect_paths(out, view) : collect_learning(out, view);
    if (status != MMC_OK)
        mmc_drawing_close(out);
    return status;
}

void mmc_drawing_close(mmc_drawing *drawing) {
    for (size_t r = 0; r < MMC_DRAWING_ROWS; r++)
        for (size_t c = 0; c < MMC_DRAWING_COLUMNS; c++)
            for (size_t s = 0; s < MMC_DRAWING_CUES; s++)
                mmc_curve_values_close(&drawing->panels[r][c].series[s]);
    *drawing = (mmc_drawing){0};
}

/* ---- CSV ----------------------------------------------------------------------------------------------------------
 */

static void csv_point(const mmc_drawing *d, const mmc_panel *panel, double cue, const mmc_curve_point *p,
                      mmc_text *out) {
    const char *fields[] = {d->figure->arch,          panel->dataset, panel->item, panel->set ? panel->set : "",
                            d->split ? d->split : "", d->metric};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        mmc_text_csv(out, fields[i]);
        mmc_text_add(out, ",");
    }
    const double numbers[] = {cue, p ? p->t : NAN, p ? p->mean : NAN, p ? p->min : NAN, p ? p->max : NAN};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (isfinite(numbers[i]))
            mmc_text_number(out, numbers[i]);
        mmc_text_add(out, ",");
    }
    mmc_text_printf(out, "%d,", p ? p->values : 0);
    if (p && p->n >= 0)
        mmc_text_printf(out, "%lld", (long long)p->n);
    mmc_text_add(out, ",");
    if (p && !p->values)
        mmc_text_csv(out, p->reason ? p->reason : "not measured");
    else if (!p)
        mmc_text_csv(out, panel->reason ? panel->reason : "not measured");
    mmc_text_add(out, "\n");
}

mmc_status mmc_drawing_csv(const mmc_drawing *d, mmc_text *out) {
    const char *x = d->figure->kind == MMC_FIGURE_LEARNING ? "epoch" : "t";
    mmc_text_printf(out, "arch,dataset,curve,set,split,metric,cue,%s,mean,min,max,seeds,n,reason\n", x);
    for (size_t r = 0; r < d->rows; r++)
        for (size_t c = 0; c < d->columns; c++) {
            const mmc_panel *panel = &d->panels[r][c];
            for (size_t s = 0; s < d->cue_count; s++) {
                for (size_t i = 0; i < panel->series[s].count; i++)
                    csv_point(d, panel, d->cues[s], &panel->series[s].points[i], out);
                if (!panel->series[s].count)
                    csv_point(d, panel, d->cues[s], NULL, out);
            }
        }
    for (size_t i = 0; i < d->absent_count; i++) {
        mmc_panel absent = {.item = d->absent_name[i],
                            .dataset = d->dataset ? d->dataset : d->absent_name[i],
                            .reason = d->absent_reason[i]};
        if (d->figure->kind == MMC_FIGURE_LEARNING) {
            absent.item = "";
            absent.dataset = d->absent_name[i];
        }
        csv_point(d, &absent, NAN, NULL, out);
    }
    return mmc_text_check(out);
}
