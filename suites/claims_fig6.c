/* Figure 6: along the line between theta_NC and theta_C the loss rises to a barrier, and at theta_NC it is the same
 * with and without cue. SPEC gives no sizes: a barrier is .1 nats and more, "the same" a difference of at most a tenth
 * of the barrier. */
#include "suites/claim_words.h"

#include <math.h>

static const char item[] = "linear";
static const double barrier_least = .1, equal_part = .1;

typedef struct losses {
    int points;
    double first, last, barrier; /* at theta_C, at theta_NC; largest excess over the straight line between them */
} losses;

static bool loss_point(const mmc_record *r, const mmc_claim_question *q, mmc_claim_pair p, mmc_set set) {
    mmc_record as_accuracy = *r; /* the same row but for its metric */
    as_accuracy.metric = "accuracy";
    return mmc_claim_same(r->metric, "loss") && mmc_claim_point(&as_accuracy, q, item, p, set);
}

static losses losses_measure(const mmc_claim_question *q, mmc_claim_pair p, mmc_set set) {
    losses l = {.first = NAN, .last = NAN, .barrier = -INFINITY};
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        if (!loss_point(r, q, p, set))
            continue;
        l.points++;
        l.first = r->t == 0 ? r->value : l.first;
        l.last = r->t == 1 ? r->value : l.last;
    }
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        if (loss_point(r, q, p, set))
            l.barrier = fmax(l.barrier, r->value - ((1 - r->t) * l.first + r->t * l.last));
    }
    return l;
}

/* False: not to be judged, and the answer says why. */
static bool losses_whole(losses *c, losses *nc, mmc_claim_answer *a, const mmc_claim_question *q, mmc_claim_pair p) {
    *c = losses_measure(q, p, MMC_SET_C);
    *nc = losses_measure(q, p, MMC_SET_NC);
    int points = c->points < nc->points ? c->points : nc->points;
    if (points < q->scale->points || isnan(c->first + c->last + nc->last)) {
        mmc_claim_answer_set(a, MMC_VERDICT_UNDECIDED, "%s at p = %g: the loss of %d of %d points measured", item,
                             p.cue, points, q->scale->points);
        return false;
    }
    return mmc_claim_trained(a, q, item, p);
}

static void pair_barrier(mmc_claim_answer *a, const mmc_claim_question *q, mmc_claim_pair p) {
    losses c, nc;
    if (!losses_whole(&c, &nc, a, q, p))
        return;
    mmc_claim_word without = mmc_claim_at_most(c.barrier, barrier_least, q->scale->claim_margin);
    mmc_claim_answer_set(a, mmc_claim_verdict(without, false), "p = %g: barrier on C %.2f nats, at least %.1f wanted",
                         p.cue, c.barrier, barrier_least);
    a->spare = fabs(c.barrier - barrier_least);
}

static void pair_equal(mmc_claim_answer *a, const mmc_claim_question *q, mmc_claim_pair p) {
    losses c, nc;
    if (!losses_whole(&c, &nc, a, q, p))
        return;
    double difference = fabs(c.last - nc.last), limit = equal_part * fmax(c.barrier, 0);
    mmc_claim_word equal = mmc_claim_at_most(difference, limit, fmin(q->scale->claim_margin, limit / 2));
    mmc_claim_answer_set(a, mmc_claim_verdict(equal, true),
                         "p = %g: at theta_NC the loss is %.3f on NC and %.3f on C, equal up to %.3f (a tenth of the "
                         "barrier)",
                         p.cue, nc.last, c.last, limit);
    a->spare = fabs(difference - limit);
}

static void judge_pairs(mmc_claim_answer *all, const mmc_claim_question *q,
                        void (*judge)(mmc_claim_answer *, const mmc_claim_question *, mmc_claim_pair)) {
    *all = (mmc_claim_answer){.verdict = MMC_VERDICT_HOLDS};
    mmc_claim_pair pairs[MMC_CLAIM_PAIRS_MAX];
    int count = mmc_claim_pairs(pairs, q, item);
    for (int i = 0; i < count; i++) {
        mmc_claim_answer one;
        judge(&one, q, pairs[i]);
        mmc_claim_fold(all, &one);
    }
    if (!count)
        mmc_claim_answer_set(all, MMC_VERDICT_UNDECIDED, "%s was not measured: %s", item, mmc_claim_missing(q, item));
}

static void judge_barrier(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_pairs(a, q, pair_barrier);
}

static void judge_equal(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_pairs(a, q, pair_equal);
}

static const mmc_claim barrier = {
    .name = "loss-barrier",
    .text = "the loss with the cue has a barrier on the line between theta_NC and theta_C",
    .judge = judge_barrier,
};

static const mmc_claim equal_loss = {
    .name = "equal-loss-at-theta-nc",
    .text = "at theta_NC the loss is the same on data with and without the cue",
    .judge = judge_equal,
};

const mmc_claim *const mmc_claims_of_fig6[] = {&barrier, &equal_loss, NULL};
