#include "reports/paper_values.h"
#include "reports/select.h"
#include "reports/small_report.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Mean and range over seeds of the rows without t. */
static mmc_status collect(mmc_curve_point *out, const mmc_run_view *view, const mmc_query *query) {
    mmc_selection rows;
    double sum = 0;
    *out = (mmc_curve_point){.min = INFINITY, .max = -INFINITY};
    MMC_TRY(mmc_select(&rows, &view->records, query));
    for (size_t i = 0; i < rows.count; i++) {
        const double v = rows.rows[i]->value;
        if (!isfinite(v) || isfinite(rows.rows[i]->t))
            continue;
        sum += v;
        out->min = fmin(out->min, v);
        out->max = fmax(out->max, v);
        out->values++;
    }
    out->mean = out->values ? sum / out->values : NAN;
    mmc_selection_close(&rows);
    return MMC_OK;
}

static mmc_query query_of(const char *item, const char *set, const char *metric) {
    return (mmc_query){.item = item, .set = set, .metric = metric, .arch = "mlp", .split = "test", .cue = NAN};
}

mmc_status mmc_report_table5(mmc_table *out, const mmc_run_view *view) {
    *out = (mmc_table){.name = "table5", .title = "Table 5"};
    mmc_table_column(out, "trained on", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "left as it is", NULL, MMC_CELL_TEXT);
    mmc_table_column(out, "change of loss", "1/100", MMC_CELL_NUMBER);
    mmc_table_column(out, "least", "1/100", MMC_CELL_NUMBER);
    mmc_table_column(out, "most", "1/100", MMC_CELL_NUMBER);
    mmc_table_column(out, "seeds", NULL, MMC_CELL_NUMBER);
    mmc_table_column(out, "paper", NULL, MMC_CELL_NUMBER);
    for (size_t i = 0; i < mmc_paper_table5_count; i++) { /* printed without unit, metric or hyperparameters */
        const mmc_paper_small *e = &mmc_paper_table5[i];
        mmc_curve_point p;
        char set[8];
        snprintf(set, sizeof set, "D%d", e->k);
        const mmc_query query = query_of(e->trained, set, "loss_difference");
        MMC_TRY(collect(&p, view, &query));
        if (!p.values)
            continue;
        mmc_table_row(out);
        mmc_table_cellf(out, "K = %s", strcmp(e->trained, "0+4") == 0 ? "0 and 4" : e->trained);
        mmc_table_cellf(out, "K = %d", e->k);
        mmc_table_number(out, 100 * p.mean, 4, "–");
        mmc_table_number(out, 100 * p.min, 4, "–");
        mmc_table_number(out, 100 * p.max, 4, "–");
        mmc_table_cellf(out, "%d", p.values);
        mmc_table_cellf(out, "%.*f", e->loss_difference > 0 ? 2 : 1, e->loss_difference);
    }
    return MMC_OK;
}

/* "theta_0 99.99 %": of a model on data where only its own attributes are predictive; the worst seed. */
static mmc_status say_accuracy(mmc_text *out, const mmc_run_view *view, const char *item, const char *set,
                               const char *name) {
    mmc_curve_point p;
    const mmc_query query = query_of(item, set, "accuracy");
    MMC_TRY(collect(&p, view, &query));
    if (p.values)
        mmc_text_printf(out, " %s %.2f %%;", name, 100 * p.min);
    return MMC_OK;
}

static void say_settings(mmc_text *out, const mmc_run_view *view) {
    const json_t *protocol = json_object_get(view->config, "protocol");
    const char *settings = json_string_value(json_object_get(protocol, "small model"));
    if (!settings)
        return;
    mmc_text_add(out, "<p>Settings: ");
    mmc_text_html(out, settings);
    mmc_text_add(out, " (sizes as in the paper at every scale, unless options change them). The paper does not give "
                      "its hyperparameters; absolute values depend on them, the zero pattern does not."
                      "</p>\n");
}

static mmc_status say_literal(mmc_text *out, const mmc_run_view *view) {
    mmc_curve_point p;
    const mmc_query query = query_of("4-ones", "D4", "accuracy");
    MMC_TRY(collect(&p, view, &query));
    mmc_text_add(out, "<p>As the paper prints it, all output weights are 1 and there is no bias. f is then a sum of "
                      "convex functions, hence convex: the inputs on which it lies below the threshold form a convex "
                      "set. For K = 4 the label is 0 in the slabs s = -1 and s = 1 and 1 in the slab s = 0 between "
                      "them, so a convex set that holds the two outer slabs holds the middle one, too, and one sixth "
                      "of all samples is lost: no such model exceeds 83.3 %.");
    if (p.values)
        mmc_text_printf(out, " Trained here (<code>--output ones</code>) it reaches %.2f %% on K = 4.", 100 * p.max);
    mmc_text_add(out, " The models above have output weights +1 and -1, half of the units each, and a bias.</p>\n");
    return MMC_OK;
}

mmc_status mmc_report_table5_notes(mmc_text *out, const mmc_run_view *view) {
    mmc_text_add(out, "<p>How much the loss of a model differs between test data on which both attributes follow the "
                      "label and the same data with the latent of the other attribute drawn anew (hundredths of half "
                      "the mean squared error). A zero says that the model does not look at what was drawn anew: "
                      "trained on both, it relies on the simpler one.</p>\n<p>Accuracy on data where only a model's "
                      "own attributes follow the label, the worst seed:");
    MMC_TRY(say_accuracy(out, view, "0", "D0", "θ<sub>0</sub>"));
    MMC_TRY(say_accuracy(out, view, "4", "D4", "θ<sub>4</sub>"));
    MMC_TRY(say_accuracy(out, view, "0+4", "D04", "θ<sub>0,4</sub>"));
    mmc_text_add(out, "</p>\n");
    say_settings(out, view);
    MMC_TRY(say_literal(out, view));
    return mmc_text_check(out);
}
