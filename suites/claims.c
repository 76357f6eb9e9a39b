#include "suites/claims.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Accuracies are sums of whole samples divided by n: differences that should equal a limit may miss it by an ulp. */
#define ROUNDING 1e-9

const char *mmc_verdict_name(mmc_verdict verdict) {
    switch (verdict) {
    case MMC_VERDICT_HOLDS:
        return "holds";
    case MMC_VERDICT_FAILS:
        return "fails";
    default:
        return "undecided";
    }
}

static void __attribute__((format(printf, 3, 4)))
answer_set(mmc_claim_answer *a, mmc_verdict verdict, const char *format, ...) {
    a->verdict = verdict;
    va_list args;
    va_start(args, format);
    vsnprintf(a->reason, sizeof a->reason, format, args);
    va_end(args);
}

/* --- one curve of one pair on one set ------------------------------------------------------------------------- */

typedef struct pair {
    double cue;
    int64_t seed;
} pair;

typedef struct profile {
    int points;
    double first, last; /* accuracy at t = 0 and t = 1; NAN: no row */
    double min, change; /* smallest accuracy; largest |accuracy(t) - accuracy(0)| */
} profile;

static bool text_equal(const char *a, const char *b) {
    return a && b && strcmp(a, b) == 0;
}

static bool row_belongs(const mmc_record *r, const mmc_claim_question *q, const char *item) {
    return text_equal(r->metric, "accuracy") && text_equal(r->item, item) && text_equal(r->arch, q->arch) &&
           text_equal(r->dataset, q->dataset) && text_equal(r->scale, q->scale->name);
}

static bool row_of_pair(const mmc_record *r, const mmc_claim_question *q, const char *item, pair p, mmc_set set) {
    return row_belongs(r, q, item) && text_equal(r->split, "test") && text_equal(r->set, mmc_set_letter(set)) &&
           r->seed == p.seed && fabs(r->cue - p.cue) < ROUNDING && !isnan(r->value) && !isnan(r->t);
}

static profile profile_measure(const mmc_claim_question *q, const char *item, pair p, mmc_set set) {
    profile f = {.first = NAN, .last = NAN, .min = INFINITY};
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        if (!row_of_pair(r, q, item, p, set))
            continue;
        f.points++;
        if (r->t == 0)
            f.first = r->value;
        if (r->t == 1)
            f.last = r->value;
        f.min = fmin(f.min, r->value);
    }
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        if (row_of_pair(r, q, item, p, set))
            f.change = fmax(f.change, fabs(r->value - f.first));
    }
    return f;
}

static bool profile_whole(const profile *f, const mmc_claim_question *q) {
    return f->points >= q->scale->points && !isnan(f->first) && !isnan(f->last);
}

static double profile_dip(const profile *f) {
    return fmin(f->first, f->last) - f->min;
}

/* The pairs that have rows of this item, in order of appearance. */
enum { PAIRS_MAX = 64 };

static int pairs_find(pair *out, const mmc_claim_question *q, const char *item) {
    int count = 0;
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        if (!row_belongs(r, q, item) || isnan(r->value))
            continue;
        int k = 0;
        while (k < count && (out[k].seed != r->seed || fabs(out[k].cue - r->cue) >= ROUNDING))
            k++;
        if (k == count && count < PAIRS_MAX)
            out[count++] = (pair){r->cue, r->seed};
    }
    return count;
}

/* Why there are no rows: the reason that the run wrote, or that it wrote none. */
static const char *reason_missing(const mmc_claim_question *q, const char *item) {
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        if (row_belongs(r, q, item) && isnan(r->value) && r->reason && *r->reason)
            return r->reason;
    }
    return "no rows";
}

/* --- three-valued words ------------------------------------------------------------------------------------------- */

typedef enum word { WORD_NO, WORD_UNCLEAR, WORD_YES } word;

static word word_at_most(double value, double limit, double margin) {
    if (value <= limit - margin + ROUNDING)
        return WORD_YES;
    return value > limit + margin + ROUNDING ? WORD_NO : WORD_UNCLEAR;
}

/* False: theta_C on C or theta_NC on NC is too weak to decide anything at this size. */
static bool pair_trained(double *accuracy, const mmc_claim_question *q, const char *item, pair p) {
    profile c = profile_measure(q, item, p, MMC_SET_C), nc = profile_measure(q, item, p, MMC_SET_NC);
    *accuracy = fmin(c.first, nc.last);
    return !(*accuracy < q->scale->claim_accuracy);
}

/* The worst of several answers in the order fails, undecided, holds. */
static int verdict_weight(mmc_verdict v) {
    return v == MMC_VERDICT_FAILS ? 2 : v == MMC_VERDICT_UNDECIDED ? 1 : 0;
}

static void answer_fold(mmc_claim_answer *all, const mmc_claim_answer *one) {
    if (!*all->reason || verdict_weight(one->verdict) > verdict_weight(all->verdict))
        *all = *one;
}

/* --- connected, on the set that SPEC 4 judges the curve on -------------------------------------------------------- */

static void judge_pair_connected(mmc_claim_answer *a, const mmc_claim_question *q, const mmc_suite_curve *curve, pair p,
                                 bool wanted) {
    double accuracy;
    profile f = profile_measure(q, curve->item, p, curve->judged_on);
    if (!profile_whole(&f, q)) {
        answer_set(a, MMC_VERDICT_UNDECIDED, "%s at p = %g: %d of %d points measured", curve->item, p.cue, f.points,
                   q->scale->points);
        return;
    }
    double dip = profile_dip(&f), limit = q->scale->connected_dip;
    if (!pair_trained(&accuracy, q, curve->item, p)) {
        answer_set(a, MMC_VERDICT_UNDECIDED,
                   "%s at p = %g: an end point reaches only %.1f%% on its own data, %.0f%% are needed to judge",
                   curve->item, p.cue, 100 * accuracy, 100 * q->scale->claim_accuracy);
        return;
    }
    word connected = word_at_most(dip, limit, q->scale->claim_margin);
    mmc_verdict verdict = connected == WORD_UNCLEAR           ? MMC_VERDICT_UNDECIDED
                          : (connected == WORD_YES) == wanted ? MMC_VERDICT_HOLDS
                                                              : MMC_VERDICT_FAILS;
    answer_set(a, verdict, "%s at p = %g: dip on %s %.1f points, connected up to %.1f%s", curve->item, p.cue,
               mmc_set_letter(curve->judged_on), 100 * dip, 100 * limit,
               connected == WORD_UNCLEAR ? ", too near to tell at this size" : "");
}

static void judge_curve_connected(mmc_claim_answer *a, const mmc_claim_question *q, const mmc_suite_curve *curve,
                                  bool wanted) {
    pair pairs[PAIRS_MAX];
    int count = pairs_find(pairs, q, curve->item);
    mmc_claim_answer one;
    if (count == 0) {
        answer_set(&one, MMC_VERDICT_UNDECIDED, "%s was not measured: %s", curve->item, reason_missing(q, curve->item));
        answer_fold(a, &one);
    }
    for (int i = 0; i < count; i++) {
        judge_pair_connected(&one, q, curve, pairs[i], wanted);
        answer_fold(a, &one);
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
        answer_set(a, MMC_VERDICT_UNDECIDED, "%s has no such path", q->suite->name);
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

/* --- mechanistically connected ------------------------------------------------------------------------------------ */

static void judge_pair_mechanistic(mmc_claim_answer *a, const mmc_claim_question *q, const char *item, pair p) {
    word all = WORD_YES;
    double worst = 0, accuracy;
    const char *worst_set = "", *worst_word = "dip";
    for (int s = 0; s < MMC_SET_COUNT; s++) {
        profile f = profile_measure(q, item, p, (mmc_set)s);
        if (!profile_whole(&f, q)) {
            answer_set(a, MMC_VERDICT_UNDECIDED, "%s at p = %g: %d of %d points measured on %s", item, p.cue, f.points,
                       q->scale->points, mmc_set_letter((mmc_set)s));
            return;
        }
        double margin = q->scale->claim_margin, over[2];
        word word_here[2] = {word_at_most(profile_dip(&f), q->scale->connected_dip, margin),
                             word_at_most(f.change, MMC_CLAIM_SAME_RESPONSE, margin)};
        over[0] = profile_dip(&f) - q->scale->connected_dip;
        over[1] = f.change - MMC_CLAIM_SAME_RESPONSE;
        for (int k = 0; k < 2; k++) {
            all = word_here[k] < all ? word_here[k] : all;
            if (!*worst_set || over[k] > worst) {
                worst = over[k];
                worst_set = mmc_set_letter((mmc_set)s);
                worst_word = k == 0 ? "dip" : "change of accuracy";
            }
        }
    }
    if (!pair_trained(&accuracy, q, item, p)) {
        answer_set(a, MMC_VERDICT_UNDECIDED,
                   "%s at p = %g: an end point reaches only %.1f%% on its own data, %.0f%% are needed to judge", item,
                   p.cue, 100 * accuracy, 100 * q->scale->claim_accuracy);
        return;
    }
    mmc_verdict verdict = all == WORD_UNCLEAR ? MMC_VERDICT_UNDECIDED
                          : all == WORD_NO    ? MMC_VERDICT_HOLDS
                                              : MMC_VERDICT_FAILS;
    answer_set(a, verdict, "%s at p = %g: %s on %s is %.1f points %s its limit%s", item, p.cue, worst_word, worst_set,
               100 * fabs(worst), worst > 0 ? "above" : "below",
               all == WORD_UNCLEAR ? ", too near to tell at this size" : "");
}

static void judge_mechanistic(mmc_claim_answer *a, const mmc_claim_question *q) {
    *a = (mmc_claim_answer){.verdict = MMC_VERDICT_HOLDS};
    pair pairs[PAIRS_MAX];
    for (const mmc_suite_curve *c = q->suite->curves; c->item; c++) {
        int count = pairs_find(pairs, q, c->item);
        for (int i = 0; i < count; i++) {
            mmc_claim_answer one;
            judge_pair_mechanistic(&one, q, c->item, pairs[i]);
            answer_fold(a, &one);
        }
    }
    if (!*a->reason)
        answer_set(a, MMC_VERDICT_UNDECIDED, "no path was measured");
}

/* --- the claims --------------------------------------------------------------------------------------------------- */

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
