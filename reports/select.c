#include "reports/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool mmc_same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool field_matches(const char *wanted, const char *text) {
    return !wanted || mmc_same_text(wanted, text);
}

static bool matches(const mmc_query *q, const mmc_record *r) {
    return field_matches(q->metric, r->metric) && field_matches(q->item, r->item) && field_matches(q->set, r->set) &&
           field_matches(q->split, r->split) && field_matches(q->arch, r->arch) &&
           field_matches(q->dataset, r->dataset) && field_matches(q->method, r->method) &&
           (isnan(q->cue) || fabs(q->cue - r->cue) < 1e-9);
}

static mmc_status start(mmc_selection *out, size_t limit) {
    *out = (mmc_selection){.rows = malloc((limit + 1) * sizeof *out->rows)};
    return out->rows ? MMC_OK : mmc_fail(MMC_ERR_MEMORY, "out of memory while selecting from %zu records", limit);
}

mmc_status mmc_select(mmc_selection *out, const mmc_record_set *set, const mmc_query *query) {
    MMC_TRY(start(out, set->count));
    for (size_t i = 0; i < set->count; i++)
        if (matches(query, &set->rows[i]))
            out->rows[out->count++] = &set->rows[i];
    return MMC_OK;
}

mmc_status mmc_select_again(mmc_selection *out, const mmc_selection *from, const mmc_query *query) {
    MMC_TRY(start(out, from->count));
    for (size_t i = 0; i < from->count; i++)
        if (matches(query, from->rows[i]))
            out->rows[out->count++] = from->rows[i];
    return MMC_OK;
}

void mmc_selection_close(mmc_selection *selection) {
    free(selection->rows);
    *selection = (mmc_selection){0};
}

/* Rows are few per curve and arrive nearly in order: insertion keeps them sorted. */
static mmc_curve_point *point_at(mmc_curve_values *curve, double t) {
    size_t i = curve->count;
    while (i > 0 && curve->points[i - 1].t > t + 1e-9)
        i--;
    if (i > 0 && curve->points[i - 1].t >= t - 1e-9)
        return &curve->points[i - 1];
    memmove(&curve->points[i + 1], &curve->points[i], (curve->count - i) * sizeof *curve->points);
    curve->points[i] = (mmc_curve_point){.t = t, .mean = NAN, .min = NAN, .max = NAN, .n = -1};
    curve->count++;
    return &curve->points[i];
}

mmc_status mmc_select_curve(mmc_curve_values *out, const mmc_selection *rows, const mmc_query *query) {
    *out = (mmc_curve_values){0};
    mmc_selection own;
    MMC_TRY(mmc_select_again(&own, rows, query));
    out->points = calloc(own.count + 1, sizeof *out->points);
    if (!out->points) {
        mmc_selection_close(&own);
        return mmc_fail(MMC_ERR_MEMORY, "out of memory while collecting a curve");
    }
    for (size_t i = 0; i < own.count; i++) {
        const mmc_record *r = own.rows[i];
        if (!isfinite(r->value) && !out->reason)
            out->reason = r->reason;
        if (!isfinite(r->t))
            continue;
        mmc_curve_point *p = point_at(out, r->t);
        if (!isfinite(r->value)) {
            p->reason = r->reason;
            continue;
        }
        p->mean = p->values ? p->mean + (r->value - p->mean) / (p->values + 1) : r->value;
        p->min = p->values ? fmin(p->min, r->value) : r->value;
        p->max = p->values ? fmax(p->max, r->value) : r->value;
        out->finite += p->values == 0;
        p->values++;
        p->n = r->n;
    }
    mmc_selection_close(&own);
    return MMC_OK;
}

void mmc_curve_values_close(mmc_curve_values *curve) {
    free(curve->points);
    *curve = (mmc_curve_values){0};
}

size_t mmc_select_cues(double *out, size_t limit, const mmc_selection *rows) {
    size_t count = 0;
    for (size_t i = 0; i < rows->count; i++) {
        double cue = rows->rows[i]->cue;
        if (!isfinite(cue) || !isfinite(rows->rows[i]->value))
            continue;
        size_t at = count;
        while (at > 0 && out[at - 1] > cue + 1e-9)
            at--;
        if ((at > 0 && out[at - 1] >= cue - 1e-9) || count == limit)
            continue;
        memmove(&out[at + 1], &out[at], (count - at) * sizeof *out);
        out[at] = cue;
        count++;
    }
    return count;
}

mmc_average mmc_average_empty(void) {
    return (mmc_average){.mean = NAN, .deviation = NAN};
}

void mmc_average_add(mmc_average *a, double value) {
    a->values++;
    double before = a->values == 1 ? value : a->mean;
    a->mean = before + (value - before) / a->values;
    a->square += (value - before) * (value - a->mean);
    a->deviation = a->values > 1 ? sqrt(a->square / (a->values - 1)) : NAN;
}
