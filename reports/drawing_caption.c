#include "reports/drawing.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define THETA_C "<i>θ</i><sub>C</sub>"
#define THETA_FT "<i>θ</i><sub>FT</sub>"
#define THETA_NC "<i>θ</i><sub>NC</sub>"

static bool is_accuracy(const mmc_drawing *d) {
    return strcmp(d->metric, "accuracy") == 0;
}

void mmc_drawing_headline(const mmc_drawing *d, mmc_text *out) {
    mmc_text_printf(out, "Figure %d: %s", d->figure->number, mmc_figure_arch_name(d->figure->arch));
    if (d->width)
        mmc_text_printf(out, " (width %d)", d->width);
    if (d->dataset)
        mmc_text_printf(out, ", %s", d->dataset);
    if (d->split)
        mmc_text_printf(out, ", %s %s", d->split, d->metric);
    else
        mmc_text_printf(out, ", learning curves");
}

/* ---- what one sees ------------------------------------------------------------------------------------------------
 */

/* How far a curve leaves its ends: an accuracy's fall below the worse end, a loss's rise above the straight line
 * between them (the words "dip" and "barrier"). NAN where an end or everything between is missing. */
static double departure(const mmc_curve_values *curve, bool accuracy) {
    if (curve->count < 3)
        return NAN;
    const mmc_curve_point *a = &curve->points[0], *b = &curve->points[curve->count - 1];
    if (!isfinite(a->mean) || !isfinite(b->mean) || a->t != 0 || fabs(b->t - 1) > 1e-9)
        return NAN;
    double most = NAN;
    for (size_t i = 0; i < curve->count; i++) {
        const mmc_curve_point *p = &curve->points[i];
        double off = accuracy ? fmin(a->mean, b->mean) - p->mean : p->mean - ((1 - p->t) * a->mean + p->t * b->mean);
        most = fmax(most, off); /* fmax leaves out a missing value */
    }
    return most;
}

static void say_row(const mmc_drawing *d, size_t row, mmc_text *out) {
    const mmc_figure_curve *curve = d->row_curve[row];
    bool accuracy = is_accuracy(d);
    double low = NAN, high = NAN, at = NAN;
    for (size_t c = 0; c < d->columns; c++)
        if (mmc_same_text(d->panels[row][c].set, curve->set))
            for (size_t s = 0; s < d->cue_count; s++) {
                double off = departure(&d->panels[row][c].series[s], accuracy);
                if (isfinite(off) && !(off <= high))
                    at = d->cues[s];
                low = fmin(low, off);
                high = fmax(high, off);
            }
    mmc_text_add(out, "<li>");
    mmc_text_html(out, curve->name);
    mmc_text_printf(out, ", on %s: ", curve->set);
    double scale = accuracy ? 100 : 1;
    const char *unit = accuracy ? "points below the worse end" : "nats above the straight line between its ends";
    if (!isfinite(high))
        mmc_text_add(out, "too few points to say how far it leaves its ends");
    else if (high * scale < (accuracy ? .05 : .0005))
        mmc_text_printf(out, "nowhere %s", accuracy ? "below the worse end" : "above the line between its ends");
    else if (d->cue_count > 1)
        mmc_text_printf(out, "at its %s %.*f to %.*f %s (most at p = %g)", accuracy ? "lowest" : "highest",
                        accuracy ? 1 : 3, low * scale, accuracy ? 1 : 3, high * scale, unit, at);
    else
        mmc_text_printf(out, "at its %s %.*f %s", accuracy ? "lowest" : "highest", accuracy ? 1 : 3, high * scale,
                        unit);
    mmc_text_add(out, "</li>");
}

static const mmc_curve_point *last_point(const mmc_curve_values *curve) {
    for (size_t i = curve->count; i > 0; i--)
        if (isfinite(curve->points[i - 1].mean))
            return &curve->points[i - 1];
    return NULL;
}

static void say_learning(const mmc_drawing *d, size_t row, mmc_text *out) {
    mmc_text_add(out, "<li>");
    mmc_text_html(out, d->row_label[row]);
    mmc_text_add(out, ", at the end");
    for (size_t s = 0; s < d->cue_count; s++) {
        bool any = false;
        for (size_t c = 0; c < d->columns; c++)
            any = any || last_point(&d->panels[row][c].series[s]);
        if (!any)
            continue;
        mmc_text_add(out, s ? "; " : ": ");
        if (d->cues[s] == 0)
            mmc_text_add(out, "no cue");
        else
            mmc_text_printf(out, "p = %g", d->cues[s]);
        for (size_t c = 0; c < d->columns; c++) {
            const mmc_curve_point *p = last_point(&d->panels[row][c].series[s]);
            mmc_text_printf(out, "%s %s ", c ? "," : ":", d->column_label[c]);
            if (p)
                mmc_text_printf(out, "%.1f %%", p->mean * 100);
            else
                mmc_text_add(out, "not measured");
        }
    }
    mmc_text_add(out, "</li>");
}

/* ---- the caption --------------------------------------------------------------------------------------------------
 */

static void describe_paths(const mmc_drawing *d, mmc_text *out) {
    mmc_text_printf(out, "%c%s %s of ", toupper((unsigned char)d->split[0]), d->split + 1, d->metric);
    mmc_text_html(out, mmc_figure_arch_name(d->figure->arch));
    if (d->width)
        mmc_text_printf(out, " (width %d)", d->width);
    mmc_text_add(out, " on ");
    mmc_text_html(out, d->dataset);
    bool tuned = strcmp(d->figure->end, "FT") == 0;
    mmc_text_printf(out,
                    " along paths from " THETA_C ", trained with the cue on a proportion <i>p</i> of the images (%s, "
                    "<i>t</i> = 0), to %s (%s, <i>t</i> = 1). A row is a path; a column is a set of images: ",
                    d->figure->mirrored ? "right" : "left",
                    tuned ? THETA_FT ", the same model fine-tuned on images without cue at a learning rate of its own"
                          : THETA_NC ", trained without cue",
                    d->figure->mirrored ? "left" : "right");
    for (size_t i = 0; i < d->columns; i++) {
        mmc_text_printf(out, "%s<b>%s</b> ", i ? "; " : "", mmc_figure_sets[i].name);
        mmc_text_html(out, mmc_figure_sets[i].meaning);
    }
    mmc_text_add(out, ".");
}

static void describe_learning(const mmc_drawing *d, mmc_text *out) {
    mmc_text_add(out, "Accuracy of ");
    mmc_text_html(out, mmc_figure_arch_name(d->figure->arch));
    if (d->width)
        mmc_text_printf(out, " (width %d)", d->width);
    mmc_text_add(out, " over the epochs of training, for each proportion <i>p</i> of training images with the cue: on "
                      "the batches as trained, on test images without cue (NC), and on test images that all carry "
                      "their cue (C). Training and C high while NC stays low is a model that reads the cue alone.");
}

mmc_status mmc_drawing_caption(const mmc_drawing *d, mmc_text *out) {
    bool paths = d->figure->kind == MMC_FIGURE_PATH;
    mmc_text_add(out, "<p>");
    if (paths)
        describe_paths(d, out);
    else
        describe_learning(d, out);
    if (d->spread)
        mmc_text_add(out, " Lines: mean over seeds; bands: from the lowest to the highest seed.");
    mmc_text_add(out, "</p>\n<p class=\"see\">What one sees:</p>\n<ul>");
    for (size_t r = 0; r < d->rows; r++) {
        if (paths)
            say_row(d, r, out);
        else
            say_learning(d, r, out);
    }
    mmc_text_add(out, "</ul>\n");
    if (d->stands_for) {
        mmc_text_add(out, "<p class=\"warn\">");
        mmc_text_html(out, mmc_figure_stand_in(d->stands_for));
        mmc_text_add(out, " stands in for the paper's ");
        mmc_text_html(out, d->stands_for);
        mmc_text_add(out, ", which this run did not measure.</p>\n");
    }
    if (d->absent_count) {
        mmc_text_add(out, "<p class=\"warn\">Not measured: ");
        for (size_t i = 0; i < d->absent_count; i++) {
            mmc_text_add(out, i ? "; " : "");
            mmc_text_html(out, d->absent_name[i]);
            mmc_text_add(out, " (");
            mmc_text_html(out, d->absent_reason[i]);
            mmc_text_add(out, ")");
        }
        mmc_text_add(out, ".</p>\n");
    }
    return mmc_text_check(out);
}
