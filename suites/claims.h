/* Claims: what an item of the paper must show (SPEC 7), as predicates over records with the words of SPEC 4.
 *
 *     mmc_claim_question q = {.records = &records, .suite = fig4, .arch = "resnet18", .dataset = "cifar10-box", ...};
 *     mmc_claim_answer a;
 *     mmc_claim_quadratic_connects.judge(&a, &q);    a.verdict, a.reason
 *
 * Eq:  dip(set) = min(accuracy at the ends) - min over t of accuracy
 *      connected(set): dip <= scale->connected_dip
 *      mechanistically connected: connected on all four sets and |accuracy(t) - accuracy(0)| <= .10 on each, at every t
 *      tables: means over the seeds of the accuracies NC, C, RC, RI of a method at a cue proportion
 * A value nearer to its limit than scale->claim_margin, a row or seed that is missing, or models that were not trained
 * far enough decide nothing: the verdict is "undecided", and the reason says which of these it was.
 */
#ifndef MMC_SUITES_CLAIMS_H
#define MMC_SUITES_CLAIMS_H

#include "reports/record.h"
#include "suites/scale.h"
#include "suites/suite.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MMC_CLAIM_SAME_RESPONSE .10 /* of "mechanistically connected", and of "the same response" */

typedef enum mmc_verdict { MMC_VERDICT_HOLDS, MMC_VERDICT_FAILS, MMC_VERDICT_UNDECIDED } mmc_verdict;

const char *mmc_verdict_name(mmc_verdict verdict); /* "holds", "fails", "undecided" */

/* One item on one data set; rows of other architectures, data sets and scales are not looked at. */
typedef struct mmc_claim_question {
    const mmc_record_set *records;
    const mmc_suite *suite;
    const mmc_scale *scale;
    const char *arch, *dataset;
} mmc_claim_question;

typedef struct mmc_claim_answer {
    mmc_verdict verdict;
    char reason[400]; /* the numbers it hangs on */
    double spare;     /* how far these are from their limit */
} mmc_claim_answer;

enum { MMC_CLAIM_DATASETS_MAX = 4 };

struct mmc_claim {
    const char *name;                             /* `item` of its record */
    const char *text;                             /* the claim in words */
    const char *datasets[MMC_CLAIM_DATASETS_MAX]; /* that it is made of; none: all of the suite's */
    void (*judge)(mmc_claim_answer *answer, const mmc_claim_question *question);
};

/* Whether the claim is made of this data set. */
bool mmc_claim_applies(const mmc_claim *claim, const char *dataset);

extern const mmc_claim mmc_claim_quadratic_connects; /* each on the data its bend was trained on */
extern const mmc_claim mmc_claim_linear_disconnected;
extern const mmc_claim mmc_claim_permuted_disconnected;
extern const mmc_claim mmc_claim_not_mechanistic; /* of the paths measured, none */

/* Lists end with NULL. */
extern const mmc_claim *const mmc_claims_of_paths[];       /* figures 4, 14 to 19: the four above */
extern const mmc_claim *const mmc_claims_of_fine_tuning[]; /* figures 5, 20 to 31 */
extern const mmc_claim *const mmc_claims_of_fig6[];
extern const mmc_claim *const mmc_claims_of_table1[];
extern const mmc_claim *const mmc_claims_of_table2[]; /* one a mark: the report lays them out by their names */
extern const mmc_claim *const mmc_claims_of_table3[];
extern const mmc_claim *const mmc_claims_of_table4[];

#ifdef __cplusplus
}
#endif
#endif
