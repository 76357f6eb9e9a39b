/* Figures 4 and 14 to 19: which paths connect theta_C and theta_NC. */
#include "suites/claim_words.h"

static void judge_curve_connected(mmc_claim_answer *all, const mmc_claim_question *q, const mmc_suite_curve *curve,
                                  bool wanted) {
    mmc_claim_pair pairs[MMC_CLAIM_PAIRS_MAX];
    int count = mmc_claim_pairs(pairs, q, curve->item);
    mmc_claim_answer one;
    if (count == 0) {
        mmc_claim_answer_set(&one, MMC_VERDICT_UNDECIDED, "%s was not measured: %s", curve->item,
                             mmc_claim_missing(q, curve->item));
        mmc_claim_fold(all, &one);
    }
    for (int i = 0; i < count; i++) {
        mmc_claim_connected(&one, q, &(mmc_claim_curve){curve->item, curve->judged_on}, pairs[i], wanted);
        mmc_claim_fold(all, &one);
    }
}

static bool curve_quadratic(const mmc_suite_curve *c) {
    return c->kind == MMC_CURVE_QUADRATIC;
}

static bool curve_linear(const mmc_suite_curve *c) {
    return c->kind == MMC_CURVE_LINEAR && !c->permuted;
}

static bool curve_permuted(const mmc_suite_curve *c) {
    return c->permuted;
}

static void judge_curves(mmc_claim_answer *a, const mmc_claim_question *q, bool (*chosen)(const mmc_suite_curve *),
                         bool wanted) {
    *a = (mmc_claim_answer){.verdict = MMC_VERDICT_HOLDS};
    for (const mmc_suite_curve *c = q->suite->curves; c->item; c++)
        if (chosen(c))
            judge_curve_connected(a, q, c, wanted);
    if (!*a->reason)
        mmc_claim_answer_set(a, MMC_VERDICT_UNDECIDED, "%s has no such path", q->suite->name);
}

static void judge_quadratic(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_curves(a, q, curve_quadratic, true);
}

static void judge_linear(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_curves(a, q, curve_linear, false);
}

static void judge_permuted(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_curves(a, q, curve_permuted, false);
}

static void judge_mechanistic(mmc_claim_answer *a, const mmc_claim_question *q) {
    *a = (mmc_claim_answer){.verdict = MMC_VERDICT_HOLDS};
    mmc_claim_pair pairs[MMC_CLAIM_PAIRS_MAX];
    for (const mmc_suite_curve *c = q->suite->curves; c->item; c++) {
        int count = mmc_claim_pairs(pairs, q, c->item);
        for (int i = 0; i < count; i++) {
            mmc_claim_answer one;
            mmc_claim_mechanistic(&one, q, c->item, pairs[i], false);
            mmc_claim_fold(a, &one);
        }
    }
    if (!*a->reason)
        mmc_claim_answer_set(a, MMC_VERDICT_UNDECIDED, "no path was measured");
}

const mmc_claim mmc_claim_quadratic_connects = {
    .name = "quadratic-connects",
    .text = "a quadratic path connects theta_C and theta_NC on the data that it was trained on, with and without cue",
    .judge = judge_quadratic,
};

const mmc_claim mmc_claim_linear_disconnected = {
    .name = "linear-disconnected",
    .text = "the linear path does not connect theta_C and theta_NC on data with the cue",
    .judge = judge_linear,
};

const mmc_claim mmc_claim_permuted_disconnected = {
    .name = "linear-permuted-disconnected",
    .text = "the linear path does not connect theta_NC and theta_C after matching its neurons, on data with the cue",
    .judge = judge_permuted,
};

const mmc_claim mmc_claim_not_mechanistic = {
    .name = "not-mechanistically-connected",
    .text = "no path that was measured connects theta_C and theta_NC mechanistically",
    .judge = judge_mechanistic,
};

const mmc_claim *const mmc_claims_of_paths[] = {
    &mmc_claim_quadratic_connects,
    &mmc_claim_linear_disconnected,
    &mmc_claim_permuted_disconnected,
    &mmc_claim_not_mechanistic,
    NULL,
};
