/* The clean / cue split of a train split: most images keep their cues for pre-training, a few are the clean set that
 * fine-tuning sees (SPEC 3).
 *
 *     mmc_clean_split split;
 *     MMC_TRY(mmc_clean_split_make(&split, &data.train, data.classes, 2500, false, seed));
 *     config.subset = split.cue, config.subset_count = split.cue_count;
 *     mmc_clean_split_close(&split);
 *
 * Drawing it changes no cue flag: flags are those of the whole train split (SPEC 1).
 */
#ifndef MMC_RUNTIME_CLEAN_SPLIT_H
#define MMC_RUNTIME_CLEAN_SPLIT_H

#include "runtime/data.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_CLEAN_DEFAULT = 2500, MMC_VALIDATION_SHARE = 10 /* one clean image in so many */ };

/* Indices into the train split. The validation images are the last of the clean ones: 250 of 2,500. */
typedef struct mmc_clean_split {
    int32_t *cue;   /* (cue_count), in file order. Owns: mmc_clean_split_close */
    int32_t *clean; /* (clean_count), in rounds of one image a class, so that both ends are class-balanced. Owns */
    int32_t cue_count, clean_count;
    int32_t validation_count; /* clean[clean_count - validation_count ...] */
} mmc_clean_split;

/* Draws the split from (seed, MMC_RNG_CLEAN_SPLIT): the clean images are the first of a permutation, equally many of
 * each class (those of a class that runs out come from the others), disjoint from the cue images, which are all the
 * rest. authors: both lists are drawn uniformly with replacement, of the same lengths, without regard to classes,
 * so that an image may stand in both, and among the validation images and the others.
 * Errors: MMC_ERR_RANGE unless 1 <= clean < images of the split. Owns: the caller, _close. */
mmc_status mmc_clean_split_make(mmc_clean_split *out, const mmc_split *train, int classes, int32_t clean, bool authors,
                                uint64_t seed);

/* A zeroed struct is fine. */
void mmc_clean_split_close(mmc_clean_split *split);

#ifdef __cplusplus
}
#endif
#endif
