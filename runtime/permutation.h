/* Permutations of a model's units that leave its function as it is (SPEC 5): which tensors a group of units touches,
 * and how a model is permuted. The groups follow from the model's table alone: units whose outputs are added share one.
 *
 *     mmc_permutation_groups groups;
 *     mmc_permutation_groups_of(&groups, model);
 *     int32_t *permutation = ...;                          groups.total values, group after group
 *     mmc_permutation_identity(permutation, &groups);
 *     MMC_TRY(mmc_permutation_apply(out, state, model, &groups, permutation));
 */
#ifndef MMC_RUNTIME_PERMUTATION_H
#define MMC_RUNTIME_PERMUTATION_H

#include "runtime/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_permutation_group {
    char name[32]; /* "stage2" where outputs are added, else the convolution: "layer2.0.conv1", "layers.3.conv1" */
    int units;     /* permuted together */
    int first;     /* of the group's values in a permutation vector */
    int unit;      /* index of the model's unit whose output stands for the group when activations are compared */
    bool relu;     /* ... after a ReLU that this unit has not applied itself (the shortcuts) */
} mmc_permutation_group;

typedef struct mmc_permutation_groups {
    int count, total; /* groups, values of a permutation vector */
    mmc_permutation_group group[MMC_MODEL_UNITS];
    int of_slot[MMC_MODEL_UNITS + 1]; /* group of an activation slot's channels; -1: the images */
} mmc_permutation_groups;

/* The groups of a model, in the order in which its units run. */
void mmc_permutation_groups_of(mmc_permutation_groups *out, const mmc_model *model);

void mmc_permutation_identity(int32_t *permutation, const mmc_permutation_groups *groups);

/* out = first, and then `then`: out[i] = first[then[i]] in every group. out may be neither of them.
 * Shapes: (groups->total) each. */
void mmc_permutation_compose(int32_t *out, const mmc_permutation_groups *groups, const int32_t *first,
                             const int32_t *then);

/* Unit i of every group of the result is unit permutation[i] of `state`: outputs (filters, BN scale, shift and running
 * values) and the inputs of all consumers. Shapes: out, state (state_count); permutation (groups->total).
 * Errors: MMC_ERR_WRONG where a group's values are no permutation. out must not overlap state. */
mmc_status mmc_permutation_apply(float *out, const float *state, const mmc_model *model,
                                 const mmc_permutation_groups *groups, const int32_t *permutation);

#ifdef __cplusplus
}
#endif
#endif
