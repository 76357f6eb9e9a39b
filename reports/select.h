/* Selecting records by their fields, and curves over t with mean and range over seeds.
 *
 *     mmc_selection rows;
 *     MMC_TRY(mmc_select(&rows, &set, &(mmc_query){.metric = "accuracy", .arch = "vgg13", .cue = NAN}));
 *     mmc_curve_values curve;
 *     MMC_TRY(mmc_select_curve(&curve, &rows, &(mmc_query){.item = "linear", .set = "NC", .cue = .9}));
 */
#ifndef MMC_REPORTS_SELECT_H
#define MMC_REPORTS_SELECT_H

#include "reports/record.h"

#ifdef __cplusplus
extern "C" {
#endif

/* NULL and NAN match everything. */
typedef struct mmc_query {
    const char *item, *metric, *arch, *dataset, *set, *split, *method;
    double cue;
} mmc_query;

/* Rows of a record set, in its order; the records stay the set's. */
typedef struct mmc_selection {
    const mmc_record **rows;
    size_t count;
} mmc_selection;

typedef struct mmc_curve_point {
    double t, mean, min, max; /* over the finite values; NAN where there is none */
    int values;               /* how many finite values: seeds */
    int64_t n;                /* samples behind one value, -1: not said */
    const char *reason;       /* why a value is missing, NULL */
} mmc_curve_point;

typedef struct mmc_curve_values {
    mmc_curve_point *points; /* by t */
    size_t count;
    size_t finite;      /* points that have a mean */
    const char *reason; /* first reason of a missing value, NULL */
} mmc_curve_values;

/* Owns (all three): the caller. Errors: MMC_ERR_MEMORY. */
mmc_status mmc_select(mmc_selection *out, const mmc_record_set *set, const mmc_query *query);
mmc_status mmc_select_again(mmc_selection *out, const mmc_selection *from, const mmc_query *query);
void mmc_selection_close(mmc_selection *selection);

/* The points of one curve. A row without t is no point, but its reason is kept. */
mmc_status mmc_select_curve(mmc_curve_values *out, const mmc_selection *rows, const mmc_query *query);
void mmc_curve_values_close(mmc_curve_values *curve);

/* The different finite cue proportions of the rows with a value, ascending, at most `limit`; returns their number. */
size_t mmc_select_cues(double *out, size_t limit, const mmc_selection *rows);

/* Mean and standard deviation (n - 1) of values as they come, by Welford's rule; of none the mean, of one the deviation
 * is NAN. Begin with mmc_average_empty. */
typedef struct mmc_average {
    double mean, deviation;
    int values;
    const char *reason; /* why there is no value; the caller's */
    double square;      /* sum of squared differences from the mean */
} mmc_average;

mmc_average mmc_average_empty(void);
void mmc_average_add(mmc_average *average, double value);

bool mmc_same_text(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
#endif
