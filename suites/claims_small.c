#include "suites/claims_small.h"

#include "suites/claim_words.h"
#include "suites/small.h"

#include <math.h>
#include <stdio.h>

#define ZERO_SHARE .02    /* "near 0", of the smallest large entry */
#define TRAINED .99       /* accuracy on its own attribute that a model must have to be judged */
#define LIKE_SHARE .05    /* barrier of like pairs, of the differing ones' */
#define PATTERN_RATIO 4   /* W1 of differing pairs, of the like ones' */
#define KEPT_ACCURACY .99 /* along the path between theta_4 and theta_4' */

static int64_t seed_limit(const mmc_claim_question *q, bool upper) {
    int64_t limit = -1;
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        if (mmc_claim_same(r->arch, q->arch) && mmc_claim_same(r->scale, q->scale->name) && r->seed >= 0 &&
            !mmc_claim_same(r->metric, "density") && (limit < 0 || (upper ? r->seed > limit : r->seed < limit)))
            limit = r->seed;
    }
    return limit;
}

/* The value of one row; NAN: there is none. t NAN: a row without t. */
static double value_of(const mmc_claim_question *q, int64_t seed, const char *item, const char *set, const char *metric,
                       double t) {
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        if (r->seed == seed && mmc_claim_same(r->arch, q->arch) && mmc_claim_same(r->dataset, q->dataset) &&
            mmc_claim_same(r->scale, q->scale->name) && mmc_claim_same(r->item, item) && mmc_claim_same(r->set, set) &&
            mmc_claim_same(r->metric, metric) && mmc_claim_same(r->split, "test") &&
            (r->t == t || (isnan(r->t) && isnan(t))))
            return r->value;
    }
    return NAN;
}

/* Judges seed by seed; the first that fails, else the first that is undecided, else the last speaks for all. */
static void judge_seeds(mmc_claim_answer *answer, const mmc_claim_question *q,
                        void (*judge)(mmc_claim_answer *, const mmc_claim_question *, int64_t)) {
    const int64_t first = seed_limit(q, false), last = seed_limit(q, true);
    if (first < 0) {
        mmc_claim_answer_set(answer, MMC_VERDICT_UNDECIDED, "%s was not measured: no rows", q->suite->name);
        return;
    }
    mmc_claim_answer one;
    *answer = (mmc_claim_answer){.verdict = MMC_VERDICT_HOLDS};
    for (int64_t seed = first; seed <= last; seed++) {
        judge(&one, q, seed);
        const bool worse = one.verdict == MMC_VERDICT_FAILS ? answer->verdict != MMC_VERDICT_FAILS
                                                            : answer->verdict == MMC_VERDICT_HOLDS;
        if (worse)
            *answer = one;
    }
}

/* --- Table 5 ---------------------------------------------------------------------------------------------------------
 */

bool mmc_claim_zero_pattern(double *zero, double *large, const double entry[3][2]) {
    static const bool zeros[3][2] = {{true, false}, {false, true}, {true, false}};
    *zero = 0;
    *large = INFINITY;
    for (int m = 0; m < 3; m++)
        for (int k = 0; k < 2; k++) {
            const double v = entry[m][k];
            if (!(v >= 0))
                return false;
            *zero = zeros[m][k] ? fmax(*zero, v) : *zero;
            *large = zeros[m][k] ? *large : fmin(*large, v);
        }
    return *zero < ZERO_SHARE * *large;
}

static void judge_table_seed(mmc_claim_answer *a, const mmc_claim_question *q, int64_t seed) {
    static const char *const sets[2] = {"D0", "D4"};
    double entry[3][2], zero, large, accuracy = 1;
    bool whole = true;
    for (int m = 0; m < 3; m++) {
        char name[8];
        mmc_small_model_name(name, &mmc_small_models[m]);
        const char *own = mmc_small_set_name(mmc_small_models[m].predictive);
        const double reached = value_of(q, seed, name, own, "accuracy", NAN);
        whole = whole && !isnan(reached);
        accuracy = fmin(accuracy, reached);
        for (int k = 0; k < 2; k++) {
            entry[m][k] = value_of(q, seed, name, sets[k], "loss_difference", NAN);
            whole = whole && !isnan(entry[m][k]);
        }
    }
    if (!whole) {
        mmc_claim_answer_set(a, MMC_VERDICT_UNDECIDED, "seed %lld: not every entry was measured", (long long)seed);
        return;
    }
    const bool holds = mmc_claim_zero_pattern(&zero, &large, entry);
    if (accuracy < TRAINED)
        mmc_claim_answer_set(a, MMC_VERDICT_UNDECIDED,
                             "seed %lld: a model reaches only %.1f%% on its own attribute, %.0f%% are needed to judge",
                             (long long)seed, 100 * accuracy, 100 * TRAINED);
    else
        mmc_claim_answer_set(
            a, holds ? MMC_VERDICT_HOLDS : MMC_VERDICT_FAILS,
            "seed %lld: largest zero %.3g, smallest other entry %.3g (in hundredths of the loss): %.2g%%, limit "
            "%.0f%%",
            (long long)seed, 100 * zero, 100 * large, 100 * zero / large, 100 * ZERO_SHARE);
}

static void judge_table(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_seeds(a, q, judge_table_seed);
}

static const mmc_claim zero_pattern = {
    .name = "zero-pattern",
    .text = "drawing an attribute anew changes the loss of those models alone that rely on it: every entry that the "
            "paper prints as 0.0 lies below 2% of the smallest other one",
    .judge = judge_table,
};

const mmc_claim *const mmc_claims_of_table5[] = {&zero_pattern, NULL};

/* --- Figure 13 -------------------------------------------------------------------------------------------------------
 */

/* One seed's pairs; NAN where a row is missing. */
typedef struct pairs {
    double before[MMC_SMALL_PAIRS], after[MMC_SMALL_PAIRS], w1[MMC_SMALL_PAIRS]; /* barriers, W1 */
    double differing;                                                            /* smallest barrier after matching */
} pairs;

enum { PAIR_FOUR = 1 }; /* theta_4 and theta_4' */

static const char *pair_name(int pair, bool permuted) {
    static _Thread_local char name[32];
    char plain[16];
    mmc_small_pair_name(plain, pair);
    snprintf(name, sizeof name, "%s%s", plain, permuted ? "-permuted" : "");
    return name;
}

/* False: undecided, and the answer says why. */
static bool pairs_read(pairs *p, mmc_claim_answer *a, const mmc_claim_question *q, int64_t seed) {
    bool whole = true;
    double accuracy = 1;
    *p = (pairs){.differing = INFINITY};
    for (int i = 0; i < MMC_SMALL_PAIRS; i++) {
        p->before[i] = value_of(q, seed, pair_name(i, false), "D04", "barrier", NAN);
        p->after[i] = value_of(q, seed, pair_name(i, true), "D04", "barrier", NAN);
        p->w1[i] = value_of(q, seed, pair_name(i, false), "D04", "w1", NAN);
        whole = whole && !isnan(p->before[i] + p->after[i] + p->w1[i]);
        if (!mmc_small_pairs[i].like)
            p->differing = fmin(p->differing, p->after[i]);
        for (int end = 0; end <= 1; end++)
            accuracy = fmin(accuracy, value_of(q, seed, pair_name(i, false), "D04", "accuracy", end));
    }
    if (!whole)
        mmc_claim_answer_set(a, MMC_VERDICT_UNDECIDED, "seed %lld: not every pair was measured", (long long)seed);
    else if (accuracy < TRAINED)
        mmc_claim_answer_set(a, MMC_VERDICT_UNDECIDED,
                             "seed %lld: a model reaches only %.1f%%, %.0f%% are needed to judge", (long long)seed,
                             100 * accuracy, 100 * TRAINED);
    return whole && accuracy >= TRAINED;
}

static void judge_zero_seed(mmc_claim_answer *a, const mmc_claim_question *q, int64_t seed) {
    pairs p;
    if (!pairs_read(&p, a, q, seed))
        return;
    double worst = -INFINITY;
    for (int i = 0; i < MMC_SMALL_PAIRS; i++)
        if (mmc_small_pairs[i].like && i != PAIR_FOUR)
            worst = fmax(worst, p.after[i]);
    mmc_claim_answer_set(
        a, worst < LIKE_SHARE * p.differing ? MMC_VERDICT_HOLDS : MMC_VERDICT_FAILS,
        "seed %lld: barrier after matching at most %.3g, of the differing pairs at least %.3g (hundredths of the "
        "loss): %.2g%%, limit %.0f%%",
        (long long)seed, 100 * worst, 100 * p.differing, 100 * worst / p.differing, 100 * LIKE_SHARE);
}

static void judge_four_seed(mmc_claim_answer *a, const mmc_claim_question *q, int64_t seed) {
    pairs p;
    if (!pairs_read(&p, a, q, seed))
        return;
    double lowest = 1;
    for (int i = 0; i < q->scale->points; i++)
        lowest = fmin(lowest, value_of(q, seed, pair_name(PAIR_FOUR, true), "D04", "accuracy",
                                       i / (double)(q->scale->points - 1)));
    const double before = p.before[PAIR_FOUR], after = p.after[PAIR_FOUR];
    const bool holds = after <= before / 2 && after < p.differing / 2 && lowest >= KEPT_ACCURACY;
    mmc_claim_answer_set(
        a, holds ? MMC_VERDICT_HOLDS : MMC_VERDICT_FAILS,
        "seed %lld: matching lowers the barrier from %.3g to %.3g, of the differing pairs at least %.3g "
        "(hundredths of the loss); accuracy never below %.2f%%",
        (long long)seed, 100 * before, 100 * after, 100 * p.differing, 100 * lowest);
}

static void judge_patterns_seed(mmc_claim_answer *a, const mmc_claim_question *q, int64_t seed) {
    pairs p;
    if (!pairs_read(&p, a, q, seed))
        return;
    double like = 0, differing = INFINITY;
    for (int i = 0; i < MMC_SMALL_PAIRS; i++) {
        like = mmc_small_pairs[i].like ? fmax(like, p.w1[i]) : like;
        differing = mmc_small_pairs[i].like ? differing : fmin(differing, p.w1[i]);
    }
    mmc_claim_answer_set(a, differing >= PATTERN_RATIO * like ? MMC_VERDICT_HOLDS : MMC_VERDICT_FAILS,
                         "seed %lld: W1 of like pairs at most %.3f, of differing pairs at least %.3f: %.1f times",
                         (long long)seed, like, differing, differing / like);
}

static void judge_zero(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_seeds(a, q, judge_zero_seed);
}

static void judge_four(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_seeds(a, q, judge_four_seed);
}

static void judge_patterns(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_seeds(a, q, judge_patterns_seed);
}

static const mmc_claim theta_0_connects = {
    .name = "theta-0-connects",
    .text = "after matching, the barrier between models that rely on K = 0 (theta_0 and theta_0', theta_0 and "
            "theta_0,4) is below 5% of that between models that rely on different attributes",
    .judge = judge_zero,
};

static const mmc_claim theta_4_matching = {
    .name = "matching-connects-theta-4",
    .text = "matching lowers the barrier between theta_4 and theta_4' to half or less, and below half of that between "
            "models that rely on different attributes; accuracy along the path stays at 99% or more",
    .judge = judge_four,
};

static const mmc_claim patterns_differ = {
    .name = "patterns-tell-mechanisms",
    .text = "the activation patterns of models that rely on different attributes lie at least 4 times as far apart "
            "(W1) as those of models that rely on the same",
    .judge = judge_patterns,
};

const mmc_claim *const mmc_claims_of_fig13[] = {&theta_0_connects, &theta_4_matching, &patterns_differ, NULL};
