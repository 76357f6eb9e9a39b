#include "reports/select.h"
#include "reports/small_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define INK_SOFT "#7d8790"
#define GRID "#9aa3ab"

enum { MAPS = 4, LABELS = 2, PAIRS = 5, ROWS = 2, WIDTH = 236, HEIGHT = 168, GAP = 30 };

static const char *const map_items[MAPS] = {"K=0", "K=2", "K=4", "K=6"};
static const char *const label_sets[LABELS] = {"y=0", "y=1"};

static const struct {
    const char *before, *after; /* items of records */
    const char *title;          /* for gnuplot */
    const char *words;          /* HTML */
} pairs[PAIRS] = {
    {"0-0'", "0-0'-permuted", "θ_0, θ_0''", "θ<sub>0</sub> and θ<sub>0</sub>′"},
    {"4-4'", "4-4'-permuted", "θ_4, θ_4''", "θ<sub>4</sub> and θ<sub>4</sub>′"},
    {"0-4", "0-4-permuted", "θ_0, θ_4", "θ<sub>0</sub> and θ<sub>4</sub>"},
    {"0-0+4", "0-0+4-permuted", "θ_0, θ_{0,4}", "θ<sub>0</sub> and θ<sub>0,4</sub>"},
    {"4-0+4", "4-0+4-permuted", "θ_4, θ_{0,4}", "θ<sub>4</sub> and θ<sub>0,4</sub>"},
};

/* --- values ---------------------------------------------------------------------------------------------------------
 */

static mmc_status curve_of(mmc_curve_values *out, const mmc_run_view *view, const char *item, const char *set,
                           const char *metric) {
    mmc_selection rows;
    const mmc_query query = {.item = item, .set = set, .metric = metric, .arch = "mlp", .split = "test", .cue = NAN};
    MMC_TRY(mmc_select(&rows, &view->records, &query));
    mmc_status status = mmc_select_curve(out, &rows, &query);
    mmc_selection_close(&rows);
    return status;
}

/* Mean over seeds of a value without t; NAN: none. */
static mmc_status mean_of(double *out, const mmc_run_view *view, const char *item, const char *metric) {
    mmc_selection rows;
    const mmc_query query = {.item = item, .set = "D04", .metric = metric, .arch = "mlp", .split = "test", .cue = NAN};
    double sum = 0;
    int count = 0;
    MMC_TRY(mmc_select(&rows, &view->records, &query));
    for (size_t i = 0; i < rows.count; i++)
        if (isfinite(rows.rows[i]->value)) {
            sum += rows.rows[i]->value;
            count++;
        }
    *out = count ? sum / count : NAN;
    mmc_selection_close(&rows);
    return MMC_OK;
}

/* A data block $NAME of t, mean, min, max, times `scale`, and the rows of the CSV. */
static void block(mmc_small_drawing *d, const char *name, const char *curve, const char *set, const mmc_curve_values *v,
                  double scale) {
    mmc_text_printf(&d->script, "$%s << EOD\n", name);
    for (size_t i = 0; i < v->count; i++) {
        const mmc_curve_point *p = &v->points[i];
        if (!p->values)
            continue;
        mmc_text_printf(&d->script, "%.9g %.9g %.9g %.9g\n", p->t, p->mean * scale, p->min * scale, p->max * scale);
        mmc_text_csv(&d->csv, curve);
        mmc_text_printf(&d->csv, ",%s,%.9g,%.9g,%.9g,%.9g,%d\n", set, p->t, p->mean, p->min, p->max, p->values);
    }
    mmc_text_add(&d->script, "EOD\n");
}

/* --- the page of a drawing -------------------------------------------------------------------------------------------
 */

typedef struct page {
    int columns, rows;
    void (*panel)(const struct page *page, int row, int column, mmc_text *out);
    double width, height;
    double top[ROWS]; /* of the values, by rows */
    double w1[PAIRS];
    bool spread;
    const char *headline, *tag;
} page;

static void place(const page *p, int row, int column, mmc_text *out) {
    const double left = 84 + column * (double)(WIDTH + GAP),
                 bottom = 76 + (p->rows - 1 - row) * (double)(HEIGHT + GAP + 8);
    mmc_text_printf(out,
                    "unset label\nset lmargin at screen %.6f\nset rmargin at screen %.6f\nset bmargin at screen %.6f\n"
                    "set tmargin at screen %.6f\n",
                    left / p->width, (left + WIDTH) / p->width, bottom / p->height, (bottom + HEIGHT) / p->height);
}

static void write_page(const page *p, mmc_text *out) {
    mmc_text_add(out, "set multiplot\nset border 3 lc rgb '" INK_SOFT "' lw 1\nset grid x y lc rgb '" GRID
                      "' lw .6 dt (4,4)\nset tics nomirror out scale .5 font ',12'\nset xlabel font ',13'\nunset key\n"
                      "set style fill solid .75 noborder\n");
    for (int r = 0; r < p->rows; r++)
        for (int c = 0; c < p->columns; c++) {
            place(p, r, c, out);
            p->panel(p, r, c, out);
        }
    mmc_text_printf(
        out,
        "unset label\nunset title\nunset xlabel\nunset ylabel\nunset xtics\nunset ytics\nunset border\n"
        "unset grid\nset lmargin at screen 0\nset rmargin at screen 1\nset bmargin at screen 0\nset tmargin "
        "at screen .02\nset xrange [0:1]\nset yrange [0:1]\nset label 1 '%s' at screen %.6f,%.6f left "
        "noenhanced font ',17'\nset label 2 '%s' at screen %.6f,%.6f right noenhanced font ',13' tc rgb '" INK_SOFT
        "'\nplot -1e30 with lines lc rgb 'white' notitle\nunset multiplot\nunset output\nreset\n",
        p->headline, 24 / p->width, (p->height - 26) / p->height, p->tag, (p->width - 24) / p->width,
        (p->height - 26) / p->height);
}

static void write_script(mmc_small_drawing *d, page *p) {
    p->width = 84 + 26 + p->columns * (double)WIDTH + (p->columns - 1) * (double)GAP;
    p->height = 76 + 84 + p->rows * (double)HEIGHT + (p->rows - 1) * (GAP + 8.0);
    p->headline = mmc_text_string(&d->headline);
    mmc_text_printf(&d->script,
                    "set terminal svg size %.0f,%.0f dynamic enhanced font 'sans-serif,14' background rgb 'white'\n"
                    "set output '%s.svg'\n",
                    p->width, p->height, d->id);
    write_page(p, &d->script);
    mmc_text_printf(&d->script,
                    "set terminal pngcairo size %.0f,%.0f enhanced font 'DejaVu Sans,14' fontscale 1.5 linewidth 2 "
                    "pointscale 2 background rgb 'white'\nset output '%s.png'\n",
                    2 * p->width, 2 * p->height, d->id);
    write_page(p, &d->script);
}

/* --- Figure 12 -------------------------------------------------------------------------------------------------------
 */

static void map_panel(const page *p, int row, int column, mmc_text *out) {
    (void)row;
    mmc_text_printf(out, "set title 'K = %d' offset 0,-.6\nset xrange [-1.03:1.03]\nset xtics -1,.5,1\n", 2 * column);
    mmc_text_printf(out, "set yrange [0:%.9g]\nset ytics autofreq\nset xlabel 'coordinate / (3/D)^{1/2}' offset 0,.4\n",
                    1.08 * p->top[column % ROWS]);
    mmc_text_add(out, column == 0 ? "set ylabel 'density' offset 1\n" : "unset ylabel\n");
    mmc_text_printf(out,
                    "set boxwidth .025\nplot $m%d_0 using 1:2 with boxes lc rgb '#0072b2' notitle, $m%d_1 using 1:2 "
                    "with boxes lc rgb '#e69f00' notitle\n",
                    column, column);
}

static mmc_status collect_maps(mmc_small_drawing *d, const mmc_run_view *view) {
    page p = {.columns = MAPS, .rows = 1, .panel = map_panel, .tag = view->page_tag};
    mmc_text_add(&d->heading, "Figure 12: attribute maps of complexity K");
    mmc_text_add(&d->headline, "Figure 12: which values of a coordinate belong to which label");
    mmc_text_add(&d->csv, "map,label,coordinate,density,min,max,seeds\n");
    mmc_text_add(&d->script, "set encoding utf8\n");
    for (int k = 0; k < MAPS; k++)
        for (int y = 0; y < LABELS; y++) {
            char name[16];
            mmc_curve_values v;
            MMC_TRY(curve_of(&v, view, map_items[k], label_sets[y], "density"));
            snprintf(name, sizeof name, "m%d_%d", k, y);
            block(d, name, map_items[k], label_sets[y], &v, 1);
            d->measured = d->measured || v.finite;
            for (size_t i = 0; i < v.count; i++)
                p.top[0] = fmax(p.top[0], v.points[i].max);
            mmc_curve_values_close(&v);
        }
    p.top[1] = p.top[0];
    if (d->measured)
        write_script(d, &p);
    mmc_text_add(&d->caption,
                 "<p>Where an attribute of complexity <i>K</i> puts its coordinate: blue for label 0, orange for label "
                 "1. <i>K</i> = 0 is told apart by one threshold; for even <i>K</i> the labels take turns in "
                 "<i>K</i> + 1 slabs, each set apart from the next by a margin, so <i>K</i> thresholds are "
                 "needed.</p>\n");
    return MMC_OK;
}

/* --- Figure 13 -------------------------------------------------------------------------------------------------------
 */

static void pair_panel(const page *p, int row, int column, mmc_text *out) {
    if (row == 0)
        mmc_text_printf(out, "set title '%s   (W_1 = %.3f)' offset 0,-.6\n", pairs[column].title, p->w1[column]);
    else
        mmc_text_add(out, "unset title\n");
    mmc_text_add(out, row == 1 ? "set xlabel '{/:Italic t}' offset 0,.4\nset format x '%g'\n"
                               : "unset xlabel\nset format x ''\n");
    mmc_text_printf(out, "set xrange [-.03:1.03]\nset xtics 0,.5,1\nset yrange [%.9g:%.9g]\nset ytics autofreq\n",
                    -.03 * p->top[row], 1.06 * p->top[row]);
    if (column == 0)
        mmc_text_printf(out, "set ylabel '100 loss, %s' offset 1\n", row == 0 ? "before" : "after");
    else
        mmc_text_add(out, "unset ylabel\n");
    mmc_text_add(out, "plot ");
    if (p->spread)
        mmc_text_printf(out,
                        "$p%d_%d using 1:3:4 with filledcurves fc rgb '#0072b2' fs transparent solid .22 noborder "
                        "notitle, ",
                        row, column);
    mmc_text_printf(out, "$p%d_%d using 1:2 with linespoints lc rgb '#0072b2' lw 2 pt 7 ps .5 notitle\n", row, column);
}

/* What one sees of a pair. */
static mmc_status say_pair(mmc_small_drawing *d, const mmc_run_view *view, int i) {
    double before, after, distance;
    MMC_TRY(mean_of(&before, view, pairs[i].before, "barrier"));
    MMC_TRY(mean_of(&after, view, pairs[i].after, "barrier"));
    MMC_TRY(mean_of(&distance, view, pairs[i].before, "w1"));
    mmc_text_printf(&d->caption, "<li>%s: ", pairs[i].words);
    if (isfinite(before) && isfinite(after))
        mmc_text_printf(&d->caption, "barrier %.3g before, %.3g after matching; W<sub>1</sub> %.3f</li>", 100 * before,
                        100 * after, distance);
    else
        mmc_text_add(&d->caption, "not measured</li>");
    return MMC_OK;
}

static mmc_status collect_pairs(mmc_small_drawing *d, const mmc_run_view *view) {
    page p = {.columns = PAIRS, .rows = ROWS, .panel = pair_panel, .tag = view->page_tag};
    mmc_text_add(&d->heading, "Figure 13: paths between small models, before and after matching");
    mmc_text_add(&d->headline, "Figure 13: loss along linear paths between small models");
    mmc_text_add(&d->csv, "pair,set,t,mean,min,max,seeds\n");
    mmc_text_add(&d->script, "set encoding utf8\n");
    for (int i = 0; i < PAIRS; i++) {
        for (int row = 0; row < ROWS; row++) {
            char name[16];
            mmc_curve_values v;
            const char *item = row == 0 ? pairs[i].before : pairs[i].after;
            MMC_TRY(curve_of(&v, view, item, "D04", "loss"));
            snprintf(name, sizeof name, "p%d_%d", row, i);
            block(d, name, item, "D04", &v, 100);
            d->measured = d->measured || v.finite;
            for (size_t k = 0; k < v.count; k++) {
                p.top[row] = fmax(p.top[row], 100 * v.points[k].max);
                p.spread = p.spread || v.points[k].values > 1;
            }
            mmc_curve_values_close(&v);
        }
        MMC_TRY(mean_of(&p.w1[i], view, pairs[i].before, "w1"));
    }
    if (d->measured)
        write_script(d, &p);
    mmc_text_printf(&d->caption,
                    "<p>Loss (hundredths of half the mean squared error) on test data where both attributes follow the "
                    "label, along the straight line from the first model of a pair to the second (upper row) and to "
                    "the second with its hidden units in the order that correlates best with the first's (lower row). "
                    "θ<sub>0</sub> and θ<sub>4</sub> were trained with only that attribute predictive, "
                    "θ<sub>0,4</sub> with both; a ′ marks another start and order of samples. W<sub>1</sub>: distance "
                    "of the activation patterns.%s</p>\n<p class=\"see\">What one sees (barriers, hundredths):</p>\n"
                    "<ul>",
                    p.spread ? " Lines: mean over seeds; bands: from the lowest to the highest seed." : "");
    for (int i = 0; i < PAIRS; i++)
        MMC_TRY(say_pair(d, view, i));
    mmc_text_add(&d->caption, "</ul>\n");
    return MMC_OK;
}

mmc_status mmc_small_drawing_collect(mmc_small_drawing *out, const mmc_run_view *view, int number) {
    *out = (mmc_small_drawing){.number = number};
    snprintf(out->id, sizeof out->id, "fig%d", number);
    MMC_TRY(number == 12 ? collect_maps(out, view) : collect_pairs(out, view));
    const mmc_text *const texts[] = {&out->heading, &out->headline, &out->csv, &out->script, &out->caption};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        MMC_TRY(mmc_text_check(texts[i]));
    return MMC_OK;
}

void mmc_small_drawing_close(mmc_small_drawing *d) {
    mmc_text_close(&d->heading);
    mmc_text_close(&d->headline);
    mmc_text_close(&d->csv);
    mmc_text_close(&d->script);
    mmc_text_close(&d->caption);
}
