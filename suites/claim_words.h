/* What claims are made of: answers, words with a margin, and curves of records as profiles (SPEC 4). Shared by the
 * files of claims; nobody else needs it.
 *
 *     mmc_claim_pair pairs[MMC_CLAIM_PAIRS_MAX];
 *     int count = mmc_claim_pairs(pairs, q, "linear");
 *     mmc_claim_answer all = {.verdict = MMC_VERDICT_HOLDS}, one;
 *     mmc_claim_connected(&one, q, &(mmc_claim_curve){"linear", MMC_SET_C}, pairs[0], false);
 *     mmc_claim_fold(&all, &one);
 */
#ifndef MMC_SUITES_CLAIM_WORDS_H
#define MMC_SUITES_CLAIM_WORDS_H

#include "suites/claims.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Accuracies are sums of whole samples divided by n: differences that should equal a limit may miss it by an ulp. */
#define MMC_CLAIM_ROUNDING 1e-9

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* Verdict and reason; `spare` is 0. */
void mmc_claim_answer_set(mmc_claim_answer *answer, mmc_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Keeps the worst in the order fails, undecided, holds; of equals the one that holds with least to spare or fails by
 * most, else the first. */
void mmc_claim_fold(mmc_claim_answer *all, const mmc_claim_answer *one);

/* --- three-valued words ------------------------------------------------------------------------------------------- */

typedef enum mmc_claim_word { MMC_WORD_NO, MMC_WORD_UNCLEAR, MMC_WORD_YES } mmc_claim_word;

/* value <= limit; unclear where it is nearer to the limit than the margin. */
mmc_claim_word mmc_claim_at_most(double value, double limit, double margin);

/* Holds where the word is what is wanted, fails where it is the opposite. */
mmc_verdict mmc_claim_verdict(mmc_claim_word word, bool wanted);

/* --- rows --------------------------------------------------------------------------------------------------------- */

/* A model or a pair of models: what tells the rows of one item apart. */
typedef struct mmc_claim_pair {
    double cue;
    int64_t seed;
} mmc_claim_pair;

enum { MMC_CLAIM_PAIRS_MAX = 64 };

bool mmc_claim_same(const char *a, const char *b);

/* A row of this item on the question's network, data set and scale, with or without a value. */
bool mmc_claim_row(const mmc_record *r, const mmc_claim_question *q, const char *item);

/* A value of one pair's curve on one set, of the split that the suite shows. */
bool mmc_claim_point(const mmc_record *r, const mmc_claim_question *q, const char *item, mmc_claim_pair p, mmc_set set);

/* The pairs that have values of this item, in order of appearance; at most MMC_CLAIM_PAIRS_MAX. */
int mmc_claim_pairs(mmc_claim_pair *out, const mmc_claim_question *q, const char *item);

/* Why an item has no rows: the reason that the run wrote, or that it wrote none. */
const char *mmc_claim_missing(const mmc_claim_question *q, const char *item);

/* --- one curve of one pair on one set ------------------------------------------------------------------------------
 */

typedef struct mmc_claim_profile {
    int points;
    double first, last; /* accuracy at t = 0 and t = 1; NAN: no row */
    double min, change; /* smallest accuracy; largest |accuracy(t) - accuracy(0)| */
} mmc_claim_profile;

mmc_claim_profile mmc_claim_measure(const mmc_claim_question *q, const char *item, mmc_claim_pair p, mmc_set set);

/* Whether every point of the scale's grid is there. */
bool mmc_claim_whole(const mmc_claim_profile *profile, const mmc_claim_question *q);

/* True: both ends know their own data, the first C and the last NC, well enough to judge. Else the answer is filled:
 * undecided, with the accuracy that is missing. */
bool mmc_claim_trained(mmc_claim_answer *answer, const mmc_claim_question *q, const char *item, mmc_claim_pair p);

/* --- words about a curve of one pair -------------------------------------------------------------------------------
 */

typedef struct mmc_claim_curve {
    const char *item;
    mmc_set judged_on;
} mmc_claim_curve;

/* That the curve connects the pair on the set it is judged on (`wanted`), or that it does not. */
void mmc_claim_connected(mmc_claim_answer *answer, const mmc_claim_question *q, const mmc_claim_curve *curve,
                         mmc_claim_pair p, bool wanted);

/* That the curve connects the pair mechanistically, or that it does not. */
void mmc_claim_mechanistic(mmc_claim_answer *answer, const mmc_claim_question *q, const char *item, mmc_claim_pair p,
                           bool wanted);

#ifdef __cplusplus
}
#endif
#endif
