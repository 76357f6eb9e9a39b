/* Matching of neurons: the permutation of a model's units that makes them most like a target's (SPEC 5), by the
 * correlation of their activations on the train split without cue, or by their weights.
 *
 *     mmc_match_config config = mmc_match_defaults();
 *     mmc_match_result result;
 *     MMC_TRY(mmc_match(&result, be, model, &data, &config, target, state, NULL));
 *     ... result.state is `state` with its units in the target's order
 *     mmc_match_result_close(&result);
 */
#ifndef MMC_RUNTIME_MATCH_H
#define MMC_RUNTIME_MATCH_H

#include "runtime/backend.h"
#include "runtime/data.h"
#include "runtime/match_weight.h"
#include "runtime/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_match_method {
    MMC_MATCH_ACTIVATION,         /* exact: one correlation over the whole split, one assignment a group */
    MMC_MATCH_ACTIVATION_AUTHORS, /* as the authors' program: one batch after another (below) */
    MMC_MATCH_WEIGHT,             /* runtime/match_weight.h; needs no data */
    MMC_MATCH_METHODS
} mmc_match_method;

const char *mmc_match_method_name(mmc_match_method method); /* "activation", "activation-authors", "weight" */

enum { MMC_MATCH_AUTHORS_BATCHES = 91 };

typedef struct mmc_match_config {
    mmc_match_method method;
    int batch;          /* images of a batch; for the authors' way it is part of the method: 128 */
    int author_batches; /* of the authors' way; fewer where the split has fewer whole ones */
    int starts;         /* descents of weight matching */
    uint64_t seed;      /* of their orders */
} mmc_match_config;

mmc_match_config mmc_match_defaults(void);

typedef struct mmc_match_result {
    mmc_permutation_groups groups;
    int32_t *permutation;                   /* (groups.total): unit i of the result is unit permutation[i] before */
    float *state;                           /* (state_count): the model, permuted */
    mmc_match_score score[MMC_MODEL_UNITS]; /* of every group; for the authors' way those of the last batch */
    mmc_match_weight_report weight;         /* WEIGHT only */
    double max_logit_difference;            /* between the model before and after, largest over the images tried */
    double largest_logit;                   /* of the model before, in magnitude */
    int32_t images;                         /* whose activations were compared */
    double wall_s, forward_s, correlation_s, assignment_s;
} mmc_match_result;

/* Matches `state` to `target` ((state_count) each, host memory) and permutes it. The result computes the same function:
 * its logits on up to one batch of images are compared with those before, and a difference above 1e-4 of the largest
 * logit is an error (MMC_ERR_WRONG).
 *
 * activation: C[i][j] = correlation of unit i of the target and unit j of the model over samples and positions, after
 * ReLU; maximises sum C[i][permutation[i]] on integers of 2^-20 (kernels/correlation.h, kernels/assign.h). Permuting a
 * group changes the activations of no other, so one pass over the images serves all groups.
 * activation-authors: batches of 128 in file order. VGG-13: every batch matches a layer from scratch, so the last one
 * decides alone. ResNet-18: batch after batch through the whole network; a block's first convolution is matched while
 * it still expects the old order of its inputs, and that of layer1.1 is fed from the stem.
 *
 * Errors: MMC_ERR_MISMATCH (model and data), MMC_ERR_MISSING (no image; no whole batch for the authors' way),
 * MMC_ERR_UNSUPPORTED (a provider without correlation), MMC_ERR_WRONG (activations or weights that are not finite, a
 * certificate or the logits' check that does not hold), MMC_ERR_MEMORY, MMC_ERR_INTERRUPTED.
 * Order:  bit-identical at any number of threads. Owns: the caller, _close. */
mmc_status mmc_match(mmc_match_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                     const mmc_match_config *config, const float *target, const float *state,
                     const mmc_progress *progress);
void mmc_match_result_close(mmc_match_result *result); /* a zeroed struct is fine */

#ifdef __cplusplus
}
#endif
#endif
