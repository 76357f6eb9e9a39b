/* Table 2: which kinds of connectivity hold between mechanistically similar and dissimilar models, one claim a mark.
 *
 * Similar: theta_C and theta_FT (learning rate .001, p below 1). Dissimilar: theta_C and theta_NC. A mark is yes where
 * every pair measured (cue proportion, seed) has the property on every path of its kind, no where none has; the claim
 * is that the mark is the paper's. The words are those of SPEC 4, each path judged on the set that it is judged on
 * there. */
#include "suites/claim_words.h"

/* Which of the suite's paths stand behind a mark: their ends, and their form. */
typedef struct kind {
    bool similar;
    mmc_curve_kind curve;
} kind;

static const kind similar_linear = {true, MMC_CURVE_LINEAR};
static const kind similar_nonlinear = {true, MMC_CURVE_QUADRATIC};
static const kind dissimilar_linear = {false, MMC_CURVE_LINEAR};
static const kind dissimilar_nonlinear = {false, MMC_CURVE_QUADRATIC};

static bool curve_of_kind(const mmc_suite_curve *c, const kind *k) {
    return c->kind == k->curve && !c->permuted && (c->lr > 0) == k->similar;
}

static void judge_curve(mmc_claim_answer *all, const mmc_claim_question *q, const mmc_suite_curve *curve,
                        bool mechanistic, bool wanted) {
    mmc_claim_pair pairs[MMC_CLAIM_PAIRS_MAX];
    mmc_claim_answer one;
    int count = mmc_claim_pairs(pairs, q, curve->item), judged = 0;
    for (int i = 0; i < count; i++) {
        if (curve->lr > 0 && pairs[i].cue >= 1 - MMC_CLAIM_ROUNDING)
            continue; /* theta_C that never saw an image without cue has no similar theta_FT */
        if (mechanistic)
            mmc_claim_mechanistic(&one, q, curve->item, pairs[i], wanted);
        else
            mmc_claim_connected(&one, q, &(mmc_claim_curve){curve->item, curve->judged_on}, pairs[i], wanted);
        mmc_claim_fold(all, &one);
        judged++;
    }
    if (judged)
        return;
    if (count)
        mmc_claim_answer_set(&one, MMC_VERDICT_UNDECIDED, "%s was measured at p = 1 alone", curve->item);
    else
        mmc_claim_answer_set(&one, MMC_VERDICT_UNDECIDED, "%s was not measured: %s", curve->item,
                             mmc_claim_missing(q, curve->item));
    mmc_claim_fold(all, &one);
}

static void judge_mark(mmc_claim_answer *a, const mmc_claim_question *q, const kind *k, bool mechanistic, bool wanted) {
    *a = (mmc_claim_answer){.verdict = MMC_VERDICT_HOLDS};
    for (const mmc_suite_curve *c = q->suite->curves; c->item; c++)
        if (curve_of_kind(c, k))
            judge_curve(a, q, c, mechanistic, wanted);
}

/* One claim a mark: the paths, which connectivity, and the paper's mark. */
#define MARK(function, paths, mechanistic, wanted)                                                                     \
    static void function(mmc_claim_answer *a, const mmc_claim_question *q) {                                           \
        judge_mark(a, q, &(paths), mechanistic, wanted);                                                               \
    }

MARK(judge_similar_linear_mode, similar_linear, false, true)
MARK(judge_similar_linear_mechanistic, similar_linear, true, true)
MARK(judge_similar_nonlinear_mode, similar_nonlinear, false, true)
MARK(judge_similar_nonlinear_mechanistic, similar_nonlinear, true, true)
MARK(judge_dissimilar_linear_mode, dissimilar_linear, false, false)
MARK(judge_dissimilar_linear_mechanistic, dissimilar_linear, true, false)
MARK(judge_dissimilar_nonlinear_mode, dissimilar_nonlinear, false, true)
MARK(judge_dissimilar_nonlinear_mechanistic, dissimilar_nonlinear, true, false)

static const mmc_claim marks[] = {
    {"similar-linear-mode", "similar models are connected by the linear path", {0}, judge_similar_linear_mode},
    {"similar-linear-mechanistic",
     "similar models are mechanistically connected by the linear path",
     {0},
     judge_similar_linear_mechanistic},
    {"similar-nonlinear-mode", "similar models are connected by a quadratic path", {0}, judge_similar_nonlinear_mode},
    {"similar-nonlinear-mechanistic",
     "similar models are mechanistically connected by a quadratic path",
     {0},
     judge_similar_nonlinear_mechanistic},
    {"dissimilar-linear-mode",
     "dissimilar models are not connected by the linear path",
     {0},
     judge_dissimilar_linear_mode},
    {"dissimilar-linear-mechanistic",
     "dissimilar models are not mechanistically connected by the linear path",
     {0},
     judge_dissimilar_linear_mechanistic},
    {"dissimilar-nonlinear-mode",
     "dissimilar models are connected by quadratic paths",
     {0},
     judge_dissimilar_nonlinear_mode},
    {"dissimilar-nonlinear-mechanistic",
     "dissimilar models are not mechanistically connected by quadratic paths",
     {0},
     judge_dissimilar_nonlinear_mechanistic},
};

const mmc_claim *const mmc_claims_of_table2[] = {
    &marks[0], &marks[1], &marks[2], &marks[3], &marks[4], &marks[5], &marks[6], &marks[7], NULL,
};
