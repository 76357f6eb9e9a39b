/* Figures 5 and 20 to 31: fine-tuning theta_C without cues on the full train split, from theta_C (t = 0) to theta_FT
 * (t = 1). A small learning rate keeps the mechanism, a large one, or a model that never saw an image without its cue,
 * leaves it. */
#include "suites/claim_words.h"

#include <math.h>

static const double small_rate = .001, large_rate = .1;

static bool near(double a, double b) {
    return fabs(a - b) < MMC_CLAIM_ROUNDING;
}

/* Every p below 1 at the small rate. */
static bool keeps(double rate, double cue) {
    return near(rate, small_rate) && cue < 1 - MMC_CLAIM_ROUNDING;
}

/* The large rate, or p = 1. */
static bool leaves(double rate, double cue) {
    return near(rate, large_rate) || (rate > 0 && cue >= 1 - MMC_CLAIM_ROUNDING);
}

/* Judges every pair chosen of every curve of the suite; `always` is a rate whose item must be there. */
static void judge_pairs(mmc_claim_answer *all, const mmc_claim_question *q, bool (*chosen)(double rate, double cue),
                        double always,
                        void (*judge)(mmc_claim_answer *, const mmc_claim_question *, const char *, mmc_claim_pair)) {
    *all = (mmc_claim_answer){.verdict = MMC_VERDICT_HOLDS};
    for (const mmc_suite_curve *c = q->suite->curves; c->item; c++) {
        mmc_claim_pair pairs[MMC_CLAIM_PAIRS_MAX];
        mmc_claim_answer one;
        int count = mmc_claim_pairs(pairs, q, c->item);
        if (count == 0 && near(c->lr, always)) {
            mmc_claim_answer_set(&one, MMC_VERDICT_UNDECIDED, "%s was not measured: %s", c->item,
                                 mmc_claim_missing(q, c->item));
            mmc_claim_fold(all, &one);
        }
        for (int i = 0; i < count; i++)
            if (chosen(c->lr, pairs[i].cue)) {
                judge(&one, q, c->item, pairs[i]);
                mmc_claim_fold(all, &one);
            }
    }
    if (!*all->reason)
        mmc_claim_answer_set(all, MMC_VERDICT_UNDECIDED, "no pair of learning rate %g%s was measured", always,
                             always < .01 ? " and a p below 1" : "");
}

/* --- connected ---------------------------------------------------------------------------------------------------- */

static void connected(mmc_claim_answer *a, const mmc_claim_question *q, const char *item, mmc_claim_pair p) {
    mmc_claim_connected(a, q, &(mmc_claim_curve){item, MMC_SET_C}, p, true);
}

static void disconnected(mmc_claim_answer *a, const mmc_claim_question *q, const char *item, mmc_claim_pair p) {
    mmc_claim_connected(a, q, &(mmc_claim_curve){item, MMC_SET_C}, p, false);
}

static void judge_connected(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_pairs(a, q, keeps, small_rate, connected);
}

static void judge_disconnected(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_pairs(a, q, leaves, large_rate, disconnected);
}

/* --- the response to counterfactuals ------------------------------------------------------------------------------ */

/* The largest change of accuracy on any set: along the whole path, or between its ends. False: rows are missing, and
 * the answer says which. */
static bool response_change(double *change, mmc_set *where, mmc_claim_answer *a, const mmc_claim_question *q,
                            const char *item, mmc_claim_pair p, bool ends_only) {
    *change = -1;
    for (int s = 0; s < MMC_SET_COUNT; s++) {
        mmc_claim_profile f = mmc_claim_measure(q, item, p, (mmc_set)s);
        if (!mmc_claim_whole(&f, q)) {
            mmc_claim_answer_set(a, MMC_VERDICT_UNDECIDED, "%s at p = %g: %d of %d points measured on %s", item, p.cue,
                                 f.points, q->scale->points, mmc_set_letter((mmc_set)s));
            return false;
        }
        double here = ends_only ? fabs(f.last - f.first) : f.change;
        if (here > *change) {
            *change = here;
            *where = (mmc_set)s;
        }
    }
    return mmc_claim_trained(a, q, item, p);
}

static void judge_response(mmc_claim_answer *a, const mmc_claim_question *q, const char *item, mmc_claim_pair p,
                           bool same) {
    double change;
    mmc_set where = MMC_SET_NC;
    if (!response_change(&change, &where, a, q, item, p, !same))
        return;
    mmc_claim_word word = mmc_claim_at_most(change, MMC_CLAIM_SAME_RESPONSE, q->scale->claim_margin);
    mmc_claim_answer_set(a, mmc_claim_verdict(word, same),
                         "%s at p = %g: accuracy on %s changes by %.1f points %s, the same response up to %.1f%s", item,
                         p.cue, mmc_set_letter(where), 100 * change, same ? "on the path" : "from end to end",
                         100 * MMC_CLAIM_SAME_RESPONSE,
                         word == MMC_WORD_UNCLEAR ? ", too near to tell at this size" : "");
    a->spare = fabs(change - MMC_CLAIM_SAME_RESPONSE);
}

static void same_response(mmc_claim_answer *a, const mmc_claim_question *q, const char *item, mmc_claim_pair p) {
    judge_response(a, q, item, p, true);
}

/* Of the ends: between them a barrier changes every response. */
static void other_response(mmc_claim_answer *a, const mmc_claim_question *q, const char *item, mmc_claim_pair p) {
    judge_response(a, q, item, p, false);
}

static void judge_same_response(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_pairs(a, q, keeps, small_rate, same_response);
}

static void judge_other_response(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_pairs(a, q, leaves, large_rate, other_response);
}

/* --- the claims --------------------------------------------------------------------------------------------------- */

static const mmc_claim small_connected = {
    .name = "small-rate-connected",
    .text = "fine-tuned with learning rate .001 from p below 1, theta_FT is connected to theta_C on data with the cue",
    .judge = judge_connected,
};

static const mmc_claim small_same_response = {
    .name = "small-rate-same-response",
    .text = "fine-tuned with learning rate .001 from p below 1, the response to counterfactuals stays that of theta_C",
    .judge = judge_same_response,
};

static const mmc_claim large_disconnected = {
    .name = "large-rate-disconnected",
    .text =
        "fine-tuned with learning rate .1, or from p = 1, theta_FT is not connected to theta_C on data with the cue",
    .judge = judge_disconnected,
};

static const mmc_claim large_other_response = {
    .name = "large-rate-other-response",
    .text = "fine-tuned with learning rate .1, or from p = 1, theta_FT responds to counterfactuals unlike theta_C",
    .judge = judge_other_response,
};

const mmc_claim *const mmc_claims_of_fine_tuning[] = {
    &small_connected, &small_same_response, &large_disconnected, &large_other_response, NULL,
};
