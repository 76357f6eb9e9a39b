/* A model in eval mode on chosen images of the train split, without cue: their representations, and how well it does
 * (LLRT's inputs and LPFT's validation, SPEC 3).
 *
 *     mmc_frozen_pass pass = {.be = be, .model = model, .data = data, .items = split.clean, .count = 2500};
 *     MMC_TRY(mmc_frozen_run(&pass, state, representation, NULL));
 */
#ifndef MMC_RUNTIME_FROZEN_H
#define MMC_RUNTIME_FROZEN_H

#include "runtime/evaluate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_frozen_pass {
    mmc_backend *be;
    const mmc_model *model;
    const mmc_dataset *data;
    const int32_t *items; /* (count) indices into the train split */
    int32_t count;
} mmc_frozen_pass;

/* Runs the images once. representation: (count, 8w), host, NULL: not wanted; score: NULL: not wanted.
 * Errors: MMC_ERR_MEMORY, MMC_ERR_RANGE for an index outside the split, MMC_ERR_WRONG where the loss is not finite.
 * Order: each image's result is its own; bit-identical at any thread count. */
mmc_status mmc_frozen_run(const mmc_frozen_pass *pass, const float *state, float *representation, mmc_score *score);

#ifdef __cplusplus
}
#endif
#endif
