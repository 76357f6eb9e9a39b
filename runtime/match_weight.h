/* Weight matching: the permutation of a model's units that brings its parameters closest to a target's, by coordinate
 * descent over the groups until a whole sweep changes nothing (Ainsworth et al. 2022, "Git Re-Basin", algorithm 1).
 * Beyond the paper: it needs no data [SPEC 5].
 *
 *     mmc_match_weight_report report;
 *     MMC_TRY(mmc_match_weight(permutation, scores, &report, model, &groups, target, state, 5, seed));
 */
#ifndef MMC_RUNTIME_MATCH_WEIGHT_H
#define MMC_RUNTIME_MATCH_WEIGHT_H

#include "runtime/permutation.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One group's part of the answer. */
typedef struct mmc_match_score {
    double
        score;   /* sum over units of <target's unit, permuted unit>: parameters (weight) or correlation (activation) */
    double gap;  /* duality gap of the assignment, in units of its integers; 0: proven optimal given the other groups */
    bool unique; /* no other assignment of this group has the same score */
} mmc_match_score;

enum { MMC_MATCH_SWEEPS = 100 };

typedef struct mmc_match_weight_report {
    double before, after; /* <target, state> over all parameters, unpermuted and permuted */
    int start;            /* descent that was kept */
    int sweeps;           /* of it, the last one changes nothing */
} mmc_match_weight_report;

/* Descends `starts` times and keeps the best: the first takes the groups in their order, the others in an order drawn
 * for every sweep from (seed, start, sweep). A group moves only where its score grows by more than 1e-12 of it.
 * Eq:     maximise sum over parameter tensors of <target, permuted state>; one exact assignment a group and sweep
 * Shapes: permutation (groups->total) out; scores (groups->count) out; target, state (state_count)
 * Errors: MMC_ERR_RANGE (starts), MMC_ERR_MEMORY, MMC_ERR_WRONG (weights that are not finite; no fixed point after
 *         MMC_MATCH_SWEEPS)
 * Order:  bit-identical at any number of threads */
mmc_status mmc_match_weight(int32_t *permutation, mmc_match_score *scores, mmc_match_weight_report *report,
                            const mmc_model *model, const mmc_permutation_groups *groups, const float *target,
                            const float *state, int starts, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
