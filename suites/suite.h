/* Suites: what each table or figure of the paper measures, as constant data that reads like its caption.
 *
 *     const mmc_suite *fig4 = mmc_suite_find("fig4");
 *     fig4->paper, fig4->archs[0], fig4->curves[0].item ...
 */
#ifndef MMC_SUITES_SUITE_H
#define MMC_SUITES_SUITE_H

#include "runtime/counterfactual.h"
#include "runtime/curve.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_SUITE_ARCHS_MAX = 3, MMC_SUITE_DATASETS_MAX = 4, MMC_SUITE_CURVES_MAX = 8, MMC_SUITE_CUES_MAX = 8 };

#define MMC_PRETRAINED "pretrained" /* theta_C as the methods find it: item of its records */

typedef enum mmc_suite_kind {
    MMC_SUITE_PATHS,   /* curves from theta_C to theta_NC or theta_FT, evaluated on the counterfactual sets */
    MMC_SUITE_CURVES,  /* learning curves: rows of the training jobs */
    MMC_SUITE_METHODS, /* fine-tuning methods on a pre-trained model, evaluated on the counterfactual sets */
    MMC_SUITE_SHEET,   /* sample sheets: classes down, the four sets across */
    /* of the small model, which needs no data files */
    MMC_SUITE_SMALL_TABLE, /* losses under interventions */
    MMC_SUITE_SMALL_MAP,   /* attribute maps */
    MMC_SUITE_SMALL_PATHS  /* paths before and after matching */
} mmc_suite_kind;

/* One curve of a path figure: item as in records, its ends, and the data that its bend is trained on. It begins at
 * theta_C (t = 0). */
typedef struct mmc_suite_curve {
    const char *item; /* "linear", "quadratic-cue", "linear-permuted", "ft-0.01", ...; NULL ends the list */
    mmc_curve_kind kind;
    double lr;         /* it ends at theta_FT: theta_C fine-tuned without cues at this rate. 0: at theta_NC */
    bool cue;          /* a bend is trained on data where every image carries its cue, else where none does */
    bool permuted;     /* theta_C is first permuted to match the other end's neurons */
    mmc_set judged_on; /* the set that "connects" is judged on (SPEC 4) */
} mmc_suite_curve;

typedef struct mmc_claim mmc_claim; /* suites/claims.h */

typedef struct mmc_suite {
    const char *name;  /* as on the command line: "fig4" */
    const char *paper; /* what the paper's caption says, in our words */
    mmc_suite_kind kind;
    const char *archs[MMC_SUITE_ARCHS_MAX];       /* the paper's; none: no network */
    const char *datasets[MMC_SUITE_DATASETS_MAX]; /* the paper's */
    mmc_suite_curve curves[MMC_SUITE_CURVES_MAX + 1];
    bool test, train;                /* splits evaluated */
    bool loss;                       /* the figure shows loss, too (both are always recorded) */
    bool scratch_no_cue;             /* learning curves: theta_NC belongs to it */
    const char *const *methods;      /* METHODS: their names, and MMC_PRETRAINED for theta_C itself; NULL-terminated */
    bool from_scratch;               /* METHODS: they start from random weights; no cue proportion */
    double cues[MMC_SUITE_CUES_MAX]; /* the paper's cue proportions of theta_C; 0 ends the list */
    const mmc_claim *const *claims;  /* what the item must show (SPEC 7), NULL-terminated; NULL: nothing to claim */
} mmc_suite;

/* Whether it measures the small model. */
static inline bool mmc_suite_small(const mmc_suite *suite) {
    return suite->kind >= MMC_SUITE_SMALL_TABLE;
}

/* Whether one of its curves ends at a theta_FT. */
bool mmc_suite_fine_tunes(const mmc_suite *suite);

/* All suites of this version, in the paper's order. */
const mmc_suite *const *mmc_suite_all(size_t *count);

/* NULL: there is none of this name. */
const mmc_suite *mmc_suite_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
