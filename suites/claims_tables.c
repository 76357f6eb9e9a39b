/* Tables 1, 3 and 4: what fine-tuning does to a model that uses the cue. Differences of mean accuracies over seeds. */
#include "suites/claim_words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SEEDS_MAX = 32, CUES_MAX = 16 };

/* A network that knows its task less well than this many times chance ignores cues and pictures alike: such a
 * comparison shows nothing. */
static const double chances_needed = 2;

static const char *const table1_methods[] = {"ft-medium", "ft-small", "llrt", "lpft", "cbft", NULL};
static const char *const table3_methods[] = {"cbft", "cbft-no-barrier", "cbft-no-invariance", NULL};
static const char *const table4_methods[] = {"cbft", "scratch-clean", NULL};

/* --- the accuracies of a method ----------------------------------------------------------------------------------- */

typedef struct cell {
    const char *method;
    double cue;
    int seeds; /* that have all four sets */
    double mean[MMC_SET_COUNT];
    bool good; /* all seeds are there and the network is above chance */
} cell;

static bool cell_row(const mmc_record *r, const mmc_claim_question *q, const char *method, double cue) {
    return mmc_claim_row(r, q, method) && mmc_claim_same(r->split, "test") && isnan(r->t) && !isnan(r->value) &&
           fabs(r->cue - cue) < MMC_CLAIM_ROUNDING;
}

/* The mean over the seeds that have a value on every set, summed in order of appearance. */
static void cell_measure(cell *c, const mmc_claim_question *q) {
    int64_t seeds[SEEDS_MAX];
    int have[SEEDS_MAX] = {0}, count = 0;
    double values[SEEDS_MAX][MMC_SET_COUNT];
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        if (!cell_row(r, q, c->method, c->cue))
            continue;
        int k = 0, set = 0;
        while (k < count && seeds[k] != r->seed)
            k++;
        while (set < MMC_SET_COUNT && !mmc_claim_same(r->set, mmc_set_letter((mmc_set)set)))
            set++;
        if (k == SEEDS_MAX || set == MMC_SET_COUNT)
            continue;
        count += k == count;
        seeds[k] = r->seed;
        if (!(have[k] & 1 << set))
            values[k][set] = r->value;
        have[k] |= 1 << set;
    }
    for (int k = 0; k < count; k++)
        if (have[k] == (1 << MMC_SET_COUNT) - 1) {
            c->seeds++;
            for (int s = 0; s < MMC_SET_COUNT; s++)
                c->mean[s] += values[k][s];
        }
    for (int s = 0; s < MMC_SET_COUNT; s++)
        c->mean[s] /= c->seeds ? c->seeds : 1;
}

static int classes_of(const char *dataset) {
    mmc_dataset_kind kind;
    return mmc_dataset_parse(&kind, dataset) == MMC_OK ? mmc_dataset_classes(kind) : 1;
}

/* Folds into `all` why the cell decides nothing, where it does not. */
static cell cell_of(mmc_claim_answer *all, const mmc_claim_question *q, const char *method, double cue) {
    cell c = {.method = method, .cue = cue};
    cell_measure(&c, q);
    double chance = 1.0 / classes_of(q->dataset);
    mmc_claim_answer why;
    if (c.seeds == 0)
        mmc_claim_answer_set(&why, MMC_VERDICT_UNDECIDED, "%s at p = %g was not measured: %s", method, cue,
                             mmc_claim_missing(q, method));
    else if (c.seeds < q->scale->table_seeds)
        mmc_claim_answer_set(&why, MMC_VERDICT_UNDECIDED, "%s at p = %g: %d of %d seeds measured", method, cue, c.seeds,
                             q->scale->table_seeds);
    else if (c.mean[MMC_SET_NC] < chances_needed * chance)
        mmc_claim_answer_set(&why, MMC_VERDICT_UNDECIDED,
                             "%s at p = %g reaches only %.1f%% on NC, chance is %.0f%%: not trained far enough", method,
                             cue, 100 * c.mean[MMC_SET_NC], 100 * chance);
    else
        c.good = true;
    if (!c.good)
        mmc_claim_fold(all, &why);
    return c;
}

/* Whether theta_C of this cue proportion learned its own data before it was fine-tuned. */
static bool pretrained_knows(mmc_claim_answer *all, const mmc_claim_question *q, double cue) {
    cell c = {.method = MMC_PRETRAINED, .cue = cue};
    mmc_claim_answer why;
    if (!(q->scale->claim_accuracy > 0))
        return true;
    cell_measure(&c, q);
    if (c.seeds && c.mean[MMC_SET_C] >= q->scale->claim_accuracy)
        return true;
    if (c.seeds)
        mmc_claim_answer_set(&why, MMC_VERDICT_UNDECIDED,
                             "theta_C at p = %g reaches only %.1f%% on C, %.0f%% are needed to judge", cue,
                             100 * c.mean[MMC_SET_C], 100 * q->scale->claim_accuracy);
    else
        mmc_claim_answer_set(&why, MMC_VERDICT_UNDECIDED, "theta_C at p = %g was not measured: %s", cue,
                             mmc_claim_missing(q, MMC_PRETRAINED));
    mmc_claim_fold(all, &why);
    return false;
}

/* The cue proportions at which any of the methods has rows, in order of appearance; 0, of no theta_C, is none. */
static int cues_find(double out[CUES_MAX], const mmc_claim_question *q, const char *const *methods) {
    int count = 0;
    for (size_t i = 0; i < q->records->count; i++) {
        const mmc_record *r = &q->records->rows[i];
        bool one_of_them = false;
        for (const char *const *m = methods; *m; m++)
            one_of_them = one_of_them || mmc_claim_row(r, q, *m);
        if (!one_of_them || isnan(r->value) || !(r->cue > 0))
            continue;
        int k = 0;
        while (k < count && fabs(out[k] - r->cue) >= MMC_CLAIM_ROUNDING)
            k++;
        if (k == count && count < CUES_MAX)
            out[count++] = r->cue;
    }
    return count;
}

/* --- comparisons -------------------------------------------------------------------------------------------------- */

/* "ft-small at p = 0.8: NC - RC"; the number, and what is wanted of it, follow. */
typedef struct statement {
    char words[160];
    double value, limit; /* fractions */
    enum { AT_LEAST, AT_MOST, MORE_THAN } wanted;
    int seeds;
} statement;

static void state(mmc_claim_answer *all, const mmc_claim_question *q, const statement *s) {
    static const char *const names[] = {"at least", "at most", "more than"};
    double margin = q->scale->claim_margin;
    mmc_claim_word word = s->wanted == AT_LEAST ? mmc_claim_at_most(-s->value, -s->limit, margin)
                                                : mmc_claim_at_most(s->value, s->limit, margin);
    mmc_claim_answer one;
    mmc_claim_answer_set(&one, mmc_claim_verdict(word, s->wanted != MORE_THAN),
                         "%s is %.1f points, %s %.1f wanted (%d seed%s)%s", s->words, 100 * s->value, names[s->wanted],
                         100 * s->limit, s->seeds, s->seeds == 1 ? "" : "s",
                         word == MMC_WORD_UNCLEAR ? ", too near to tell at this size" : "");
    one.spare = fabs(s->value - s->limit);
    mmc_claim_fold(all, &one);
}

/* a - b of one method, at least or at most so much. */
static void state_difference(mmc_claim_answer *all, const mmc_claim_question *q, const cell *c, mmc_set a, mmc_set b,
                             bool at_least, double limit) {
    double value = c->mean[a] - c->mean[b];
    statement s = {.value = at_least ? value : fabs(value),
                   .limit = limit,
                   .wanted = at_least ? AT_LEAST : AT_MOST,
                   .seeds = c->seeds};
    snprintf(s.words, sizeof s.words, "%s at p = %g: %s%s - %s%s", c->method, c->cue, at_least ? "" : "|",
             mmc_set_letter(a), mmc_set_letter(b), at_least ? "" : "|");
    state(all, q, &s);
}

/* That one accuracy is above another. */
static void state_above(mmc_claim_answer *all, const mmc_claim_question *q, const cell *high, const cell *low,
                        mmc_set high_set, mmc_set low_set) {
    statement s = {.value = high->mean[high_set] - low->mean[low_set],
                   .wanted = MORE_THAN,
                   .seeds = high->seeds < low->seeds ? high->seeds : low->seeds};
    snprintf(s.words, sizeof s.words, "p = %g: %s of %s less %s of %s", fmax(high->cue, low->cue),
             mmc_set_letter(high_set), high->method, mmc_set_letter(low_set), low->method);
    state(all, q, &s);
}

/* Runs a judgement at every cue proportion measured. */
typedef void (*judge_cue)(mmc_claim_answer *all, const mmc_claim_question *q, double cue);

static void judge_cues(mmc_claim_answer *all, const mmc_claim_question *q, const char *const *methods,
                       judge_cue judge) {
    *all = (mmc_claim_answer){.verdict = MMC_VERDICT_HOLDS};
    double cues[CUES_MAX];
    int count = cues_find(cues, q, methods);
    for (int i = 0; i < count; i++)
        if (pretrained_knows(all, q, cues[i]))
            judge(all, q, cues[i]);
    if (!count)
        mmc_claim_answer_set(all, MMC_VERDICT_UNDECIDED, "%s was not measured: %s", methods[0],
                             mmc_claim_missing(q, methods[0]));
}

/* --- table 1 ------------------------------------------------------------------------------------------------------ */

static void cue_naive(mmc_claim_answer *all, const mmc_claim_question *q, double cue) {
    for (int i = 0; i < 2; i++) {
        cell c = cell_of(all, q, table1_methods[i], cue);
        if (!c.good)
            continue;
        state_difference(all, q, &c, MMC_SET_C, MMC_SET_NC, true, .10);
        state_difference(all, q, &c, MMC_SET_NC, MMC_SET_RC, true, .10);
    }
}

static void cue_least(mmc_claim_answer *all, const mmc_claim_question *q, double cue) {
    cell cbft = cell_of(all, q, "cbft", cue);
    for (const char *const *m = table1_methods; *m; m++) {
        if (strcmp(*m, "cbft") == 0)
            continue;
        cell other = cell_of(all, q, *m, cue);
        if (!other.good || !cbft.good)
            continue;
        statement s = {.value = fabs(other.mean[MMC_SET_NC] - other.mean[MMC_SET_RC]) -
                                fabs(cbft.mean[MMC_SET_NC] - cbft.mean[MMC_SET_RC]),
                       .wanted = MORE_THAN,
                       .seeds = cbft.seeds < other.seeds ? cbft.seeds : other.seeds};
        snprintf(s.words, sizeof s.words, "p = %g: |NC - RC| of %s less that of cbft", cue, *m);
        state(all, q, &s);
    }
}

static void cue_random_image(mmc_claim_answer *all, const mmc_claim_question *q, double cue) {
    cell cbft = cell_of(all, q, "cbft", cue), medium = cell_of(all, q, "ft-medium", cue);
    if (cbft.good && medium.good)
        state_above(all, q, &medium, &cbft, MMC_SET_RI, MMC_SET_RI);
}

static void cue_blind(mmc_claim_answer *all, const mmc_claim_question *q, double cue) {
    cell cbft = cell_of(all, q, "cbft", cue);
    if (!cbft.good)
        return;
    state_difference(all, q, &cbft, MMC_SET_NC, MMC_SET_RC, false, .05);
    statement s = {.value = cbft.mean[MMC_SET_RI], .limit = .20, .wanted = AT_MOST, .seeds = cbft.seeds};
    snprintf(s.words, sizeof s.words, "cbft at p = %g: RI", cue);
    state(all, q, &s);
}

static void judge_naive(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_cues(a, q, table1_methods, cue_naive);
}

static void judge_least(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_cues(a, q, table1_methods, cue_least);
}

static void judge_random_image(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_cues(a, q, table1_methods, cue_random_image);
}

static void judge_blind(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_cues(a, q, table1_methods, cue_blind);
}

static const mmc_claim naive_keeps = {
    .name = "naive-fine-tuning-keeps-the-cue",
    .text = "FT-medium and FT-small still use the cue: C at least 10 points above NC, NC at least 10 above RC",
    .judge = judge_naive,
};

static const mmc_claim cbft_least = {
    .name = "cbft-least-swayed-by-the-cue",
    .text = "CBFT has the smallest difference of NC and RC of all methods",
    .judge = judge_least,
};

static const mmc_claim cbft_random_image = {
    .name = "cbft-below-ft-medium-on-random-images",
    .text = "CBFT follows the cue of a random image less than FT-medium",
    .judge = judge_random_image,
};

static const mmc_claim cbft_blind = {
    .name = "cbft-blind-to-the-cue",
    .text = "CBFT: NC and RC differ by at most 5 points, RI is at most 20%",
    .datasets = {"cifar10-box", "fashion-box"}, /* the second stands in for the first */
    .judge = judge_blind,
};

const mmc_claim *const mmc_claims_of_table1[] = {&naive_keeps, &cbft_least, &cbft_random_image, &cbft_blind, NULL};

/* --- table 3 ------------------------------------------------------------------------------------------------------ */

static void cue_barrier(mmc_claim_answer *all, const mmc_claim_question *q, double cue) {
    cell cbft = cell_of(all, q, "cbft", cue), without = cell_of(all, q, "cbft-no-barrier", cue);
    if (!cbft.good || !without.good)
        return;
    state_above(all, q, &without, &cbft, MMC_SET_C, MMC_SET_C);
    state_above(all, q, &without, &cbft, MMC_SET_RI, MMC_SET_RI);
}

static void cue_invariance(mmc_claim_answer *all, const mmc_claim_question *q, double cue) {
    cell without = cell_of(all, q, "cbft-no-invariance", cue);
    if (without.good)
        state_difference(all, q, &without, MMC_SET_NC, MMC_SET_RC, true, .20);
}

static void judge_no_barrier(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_cues(a, q, table3_methods, cue_barrier);
}

static void judge_no_invariance(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_cues(a, q, table3_methods, cue_invariance);
}

static const mmc_claim no_barrier = {
    .name = "without-barrier-the-cue-stays",
    .text = "without its barrier step CBFT has higher accuracy on C and on RI",
    .judge = judge_no_barrier,
};

static const mmc_claim no_invariance = {
    .name = "without-invariance-the-cue-sways",
    .text = "without the invariance term a random cue costs at least 20 points on Dominoes",
    .datasets = {"dominoes"},
    .judge = judge_no_invariance,
};

const mmc_claim *const mmc_claims_of_table3[] = {&no_barrier, &no_invariance, NULL};

/* --- table 4 ------------------------------------------------------------------------------------------------------ */

static void cue_scratch(mmc_claim_answer *all, const mmc_claim_question *q, double cue) {
    cell cbft = cell_of(all, q, "cbft", cue), scratch = cell_of(all, q, "scratch-clean", 0);
    if (cbft.good && scratch.good)
        state_above(all, q, &cbft, &scratch, MMC_SET_NC, MMC_SET_NC);
}

static void judge_scratch(mmc_claim_answer *a, const mmc_claim_question *q) {
    judge_cues(a, q, table4_methods, cue_scratch);
}

static void judge_scratch_box(mmc_claim_answer *a, const mmc_claim_question *q) {
    *a = (mmc_claim_answer){.verdict = MMC_VERDICT_HOLDS};
    cell c = cell_of(a, q, "scratch-clean", 0);
    if (!c.good)
        return;
    state_difference(a, q, &c, MMC_SET_C, MMC_SET_NC, false, .02);
    state_difference(a, q, &c, MMC_SET_RC, MMC_SET_NC, false, .02);
}

static void judge_scratch_dominoes(mmc_claim_answer *a, const mmc_claim_question *q) {
    *a = (mmc_claim_answer){.verdict = MMC_VERDICT_HOLDS};
    cell c = cell_of(a, q, "scratch-clean", 0);
    if (!c.good)
        return;
    state_above(a, q, &c, &c, MMC_SET_NC, MMC_SET_C);
    state_above(a, q, &c, &c, MMC_SET_NC, MMC_SET_RC);
}

static const mmc_claim scratch_below = {
    .name = "scratch-below-cbft",
    .text = "trained on the clean samples alone, NC is below that of CBFT",
    .judge = judge_scratch,
};

static const mmc_claim scratch_box = {
    .name = "scratch-ignores-the-box",
    .text = "trained on the clean samples alone, C and RC are within 2 points of NC",
    .datasets = {"cifar10-box", "cifar100-box", "fashion-box"},
    .judge = judge_scratch_box,
};

static const mmc_claim scratch_dominoes = {
    .name = "scratch-disturbed-by-the-domino",
    .text = "trained on the clean samples alone, any image above lowers the accuracy",
    .datasets = {"dominoes"},
    .judge = judge_scratch_dominoes,
};

const mmc_claim *const mmc_claims_of_table4[] = {&scratch_below, &scratch_box, &scratch_dominoes, NULL};
