#include "suites/claim_words.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

bool mmc_claim_applies(const mmc_claim *claim, const char *dataset) {
    for (int i = 0; i < MMC_CLAIM_DATASETS_MAX && claim->datasets[i]; i++)
        if (mmc_claim_same(claim->datasets[i], dataset))
            return true;
    return !claim->datasets[0];
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

void mmc_claim_answer_set(mmc_claim_answer *a, mmc_verdict verdict, const char *format, ...) {
    a->verdict = verdict;
    a->spare = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(a->reason, sizeof a->reason, format, args);
    va_end(args);
}

static int verdict_weight(mmc_verdict v) {
    return v == MMC_VERDICT_FAILS ? 2 : v == MMC_VERDICT_UNDECIDED ? 1 : 0;
}

void mmc_claim_fold(mmc_claim_answer *all, const mmc_claim_answer *one) {
    int more = verdict_weight(one->verdict) - verdict_weight(all->verdict);
    bool nearer = one->verdict == MMC_VERDICT_FAILS ? one->spare > all->spare : one->spare < all->spare;
    if (!*all->reason || more > 0 || (more == 0 && nearer))
        *all = *one;
}

/* --- three-valued words ------------------------------------------------------------------------------------------- */

mmc_claim_word mmc_claim_at_most(double value, double limit, double margin) {
    if (value <= limit - margin + MMC_CLAIM_ROUNDING)
        return MMC_WORD_YES;
    return value > limit + margin + MMC_CLAIM_ROUNDING ? MMC_WORD_NO : MMC_WORD_UNCLEAR;
}

mmc_verdict mmc_claim_verdict(mmc_claim_word word, bool wanted) {
    if (word == MMC_WORD_UNCLEAR)
        return MMC_VERDICT_UNDECIDED;
    return (word == MMC_WORD_YES) == wanted ? MMC_VERDICT_HOLDS : MMC_VERDICT_FAILS;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

bool mmc_claim_same(const char *a, const char *b) {
    return a && b && strcmp(a, b) == 0;
}

bool mmc_claim_row(const mmc_record *r, const mmc_claim_question *q, const char *item) {
    return mmc_claim_same(r->metric, "accuracy") && mmc_claim_same(r->item, item) && mmc_claim_same(r->arch, q->arch) &&
           mmc_claim_same(r->dataset, q->dataset) && mmc_claim_same(r->scale, q->scale->name);
}

/* Figures of train data alone are judged on train data, all others on test data. */
static const char *split_of(const mmc_suite *suite) {
    return suite->test ? "test" : "train";
}

bool mmc_claim_point(const mmc_record *r, const mmc_claim_question *q, const char *item, mmc_claim_pair p,
                     mmc_set set) {
    return mmc_claim_row(r, q, item) && mmc_claim_same(r->split, split_of(q->suite)) &&
           mmc_claim_same(r->set, mmc_set_letter(set)) && r->seed == p.seed &&
           fabs(r->cue - p.cue) < MMC_CLAIM_ROUNDING && !isnan(r->value) && !isnan(r->t);
}

int mmc_claim_pairs(mmc_claim_pair *out, const mmc_claim_question *q, const char *item) {
    int count = 0;
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        if (!mmc_claim_row(r, q, item) || isnan(r->value))
            continue;
        int k = 0;
        while (k < count && (out[k].seed != r->seed || fabs(out[k].cue - r->cue) >= MMC_CLAIM_ROUNDING))
            k++;
        if (k == count && count < MMC_CLAIM_PAIRS_MAX)
            out[count++] = (mmc_claim_pair){r->cue, r->seed};
    }
    return count;
}

const char *mmc_claim_missing(const mmc_claim_question *q, const char *item) {
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        if (mmc_claim_row(r, q, item) && isnan(r->value) && r->reason && *r->reason)
            return r->reason;
    }
    return "no rows";
}

/* --- one curve of one pair on one set ------------------------------------------------------------------------------
 */

mmc_claim_profile mmc_claim_measure(const mmc_claim_question *q, const char *item, mmc_claim_pair p, mmc_set set) {
    mmc_claim_profile f = {.first = NAN, .last = NAN, .min = INFINITY};
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        if (!mmc_claim_point(r, q, item, p, set))
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
        if (mmc_claim_point(r, q, item, p, set))
            f.change = fmax(f.change, fabs(r->value - f.first));
    }
    return f;
}

bool mmc_claim_whole(const mmc_claim_profile *f, const mmc_claim_question *q) {
    return f->points >= q->scale->points && !isnan(f->first) && !isnan(f->last);
}

static double profile_dip(const mmc_claim_profile *f) {
    return fmin(f->first, f->last) - f->min;
}

bool mmc_claim_trained(mmc_claim_answer *a, const mmc_claim_question *q, const char *item, mmc_claim_pair p) {
    mmc_claim_profile c = mmc_claim_measure(q, item, p, MMC_SET_C), nc = mmc_claim_measure(q, item, p, MMC_SET_NC);
    double accuracy = fmin(c.first, nc.last);
    if (!(accuracy < q->scale->claim_accuracy))
        return true;
    mmc_claim_answer_set(a, MMC_VERDICT_UNDECIDED,
                         "%s at p = %g: an end point reaches only %.1f%% on its own data, %.0f%% are needed to judge",
                         item, p.cue, 100 * accuracy, 100 * q->scale->claim_accuracy);
    return false;
}

/* --- words about a curve of one pair -------------------------------------------------------------------------------
 */

/* The barrier that the run recorded for the pair's curve on the set, as words behind the dip; "" where there is none.
 */
static const char *barrier_words(char out[48], const mmc_claim_question *q, const mmc_claim_curve *curve,
                                 mmc_claim_pair p) {
    *out = '\0';
    for (size_t i = 0; i < q->records->count; i++) {
        mmc_record r = q->records->rows[i];
        if (!mmc_claim_same(r.metric, "barrier"))
            continue;
        r.metric = "accuracy"; /* the same row but for its metric, and of the path as a whole */
        r.t = 0;
        if (mmc_claim_point(&r, q, curve->item, p, curve->judged_on)) {
            snprintf(out, 48, ", barrier %.2f nats", r.value);
            break;
        }
    }
    return out;
}

void mmc_claim_connected(mmc_claim_answer *a, const mmc_claim_question *q, const mmc_claim_curve *curve,
                         mmc_claim_pair p, bool wanted) {
    mmc_claim_profile f = mmc_claim_measure(q, curve->item, p, curve->judged_on);
    if (!mmc_claim_whole(&f, q)) {
        mmc_claim_answer_set(a, MMC_VERDICT_UNDECIDED, "%s at p = %g: %d of %d points measured", curve->item, p.cue,
                             f.points, q->scale->points);
        return;
    }
    if (!mmc_claim_trained(a, q, curve->item, p))
        return;
    double dip = profile_dip(&f), limit = q->scale->connected_dip;
    mmc_claim_word connected = mmc_claim_at_most(dip, limit, q->scale->claim_margin);
    char barrier[48];
    mmc_claim_answer_set(a, mmc_claim_verdict(connected, wanted),
                         "%s at p = %g: dip on %s %.1f points, connected up to %.1f%s%s", curve->item, p.cue,
                         mmc_set_letter(curve->judged_on), 100 * dip, 100 * limit, barrier_words(barrier, q, curve, p),
                         connected == MMC_WORD_UNCLEAR ? ", too near to tell at this size" : "");
    a->spare = fabs(dip - limit);
}

/* What is nearest to, or farthest above, its limit among the dips and changes of the four sets. */
typedef struct excess {
    double over;
    const char *set, *word;
} excess;

static mmc_claim_word words_of_set(excess *worst, const mmc_claim_profile *f, const mmc_scale *scale, mmc_set set) {
    static const char *const names[2] = {"dip", "change of accuracy"};
    const double over[2] = {profile_dip(f) - scale->connected_dip, f->change - MMC_CLAIM_SAME_RESPONSE};
    mmc_claim_word all = MMC_WORD_YES;
    for (int k = 0; k < 2; k++) {
        mmc_claim_word here = mmc_claim_at_most(over[k], 0, scale->claim_margin);
        all = here < all ? here : all;
        if (!worst->set || over[k] > worst->over)
            *worst = (excess){over[k], mmc_set_letter(set), names[k]};
    }
    return all;
}

void mmc_claim_mechanistic(mmc_claim_answer *a, const mmc_claim_question *q, const char *item, mmc_claim_pair p,
                           bool wanted) {
    mmc_claim_word all = MMC_WORD_YES;
    excess worst = {0};
    for (int s = 0; s < MMC_SET_COUNT; s++) {
        mmc_claim_profile f = mmc_claim_measure(q, item, p, (mmc_set)s);
        if (!mmc_claim_whole(&f, q)) {
            mmc_claim_answer_set(a, MMC_VERDICT_UNDECIDED, "%s at p = %g: %d of %d points measured on %s", item, p.cue,
                                 f.points, q->scale->points, mmc_set_letter((mmc_set)s));
            return;
        }
        mmc_claim_word here = words_of_set(&worst, &f, q->scale, (mmc_set)s);
        all = here < all ? here : all;
    }
    if (!mmc_claim_trained(a, q, item, p))
        return;
    mmc_claim_answer_set(a, mmc_claim_verdict(all, wanted), "%s at p = %g: %s on %s is %.1f points %s its limit%s",
                         item, p.cue, worst.word, worst.set, 100 * fabs(worst.over), worst.over > 0 ? "above" : "below",
                         all == MMC_WORD_UNCLEAR ? ", too near to tell at this size" : "");
    a->spare = fabs(worst.over);
}
