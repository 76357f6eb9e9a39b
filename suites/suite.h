/* Suites: what each table or figure of the paper measures, as constant data that reads like its caption.
 *
 *     const mmc_suite *fig4 = mmc_suite_find("fig4");
 *     fig4->paper, fig4->arch[0], fig4->curves[0].item ...
 */
#ifndef MMC_SUITES_SUITE_H
#define MMC_SUITES_SUITE_H

#include "runtime/counterfactual.h"
#include "runtime/curve.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_SUITE_DATASETS_MAX = 4, MMC_SUITE_CURVES_MAX = 4, MMC_SUITE_CUES_MAX = 8, MMC_SUITE_CLAIMS_MAX = 6 };

typedef enum mmc_suite_kind {
    MMC_SUITE_PATHS,  /* curves between theta_C and theta_NC, evaluated on the counterfactual sets */
    MMC_SUITE_CURVES, /* learning curves: rows of the training jobs */
    MMC_SUITE_SHEET   /* sample sheets: classes down, the four sets across */
} mmc_suite_kind;

/* One curve of a path figure: item as in records, and the data that its bend is trained on. */
typedef struct mmc_suite_curve {
    const char *item; /* "linear", "quadratic-cue", "quadratic-no-cue", "linear-permuted"; NULL ends the list */
    mmc_curve_kind kind;
    bool cue;          /* a bend is trained on data where every image carries its cue, else where none does */
    bool permuted;     /* theta_C is first permuted to match theta_NC's neurons */
    mmc_set judged_on; /* the set that "connects" is judged on (SPEC 4) */
} mmc_suite_curve;

typedef struct mmc_claim mmc_claim; /* suites/claims.h */

typedef struct mmc_suite {
    const char *name;  /* as on the command line: "fig4" */
    const char *paper; /* what the paper's caption says, in our words */
    mmc_suite_kind kind;
    const char *arch;                             /* NULL: no network */
    const char *datasets[MMC_SUITE_DATASETS_MAX]; /* the paper's */
    mmc_suite_curve curves[MMC_SUITE_CURVES_MAX + 1];
    bool test, train;                /* splits evaluated */
    bool loss;                       /* the figure shows loss, too (both are always recorded) */
    bool scratch_no_cue;             /* learning curves: theta_NC belongs to it */
    double cues[MMC_SUITE_CUES_MAX]; /* the paper's cue proportions of theta_C; 0 ends the list */
    const mmc_claim *const *claims;  /* what the item must show (SPEC 7), NULL-terminated; NULL: nothing to claim */
} mmc_suite;

/* All suites of this version, in the paper's order. */
const mmc_suite *const *mmc_suite_all(size_t *count);

/* NULL: there is none of this name. */
const mmc_suite *mmc_suite_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
