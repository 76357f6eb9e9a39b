/* The counterfactual sets NC, C, RC, RI (SPEC 1): what is drawn, and which renderings are the same image.
 *
 *     MMC_TRY(mmc_counterfactual_samples(samples, &data, MMC_SPLIT_TEST, MMC_SET_RC, NULL, seed));
 */
#ifndef MMC_RUNTIME_COUNTERFACTUAL_H
#define MMC_RUNTIME_COUNTERFACTUAL_H

#include "runtime/data.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_set { MMC_SET_NC, MMC_SET_C, MMC_SET_RC, MMC_SET_RI, MMC_SET_COUNT } mmc_set;

const char *mmc_set_letter(mmc_set set); /* "NC", "C", "RC", "RI" */
const char *mmc_set_name(mmc_set set);   /* "no-cue", ... */
/* "NC,C" -> bit mask (1 << set); "all". Errors: MMC_ERR_USAGE lists the sets. */
mmc_status mmc_set_parse(unsigned *mask, const char *text);

/* The draws behind a split's RC and RI sets; one entry a sample; any pointer may be NULL where it does not apply. */
typedef struct mmc_draws {
    int32_t *place;       /* RC, box sets: 0..9 */
    float *hue;           /* RC, cifar100-box: [0,1) */
    int32_t *cue_index;   /* RC, dominoes: index into top, uniform over 0..count-1 of the CIFAR split */
    int32_t *image_index; /* RI: index into natural */
} mmc_draws;

/* Draws by Philox, keyed by (seed, purpose, split, sample). */
void mmc_draws_make(mmc_draws *draws, const mmc_dataset *data, mmc_split_kind split, uint64_t seed);

/* Fills samples[count] of a whole split for one set. flags: which samples carry their cue (C and RI; NULL: all; RC
 * always carries its drawn cue, as in golden). draws: given draws instead of Philox's (NULL: Philox from seed). Errors:
 * MMC_ERR_FORMAT where a domino's partner is missing. */
mmc_status mmc_counterfactual_samples(mmc_sample *samples, const mmc_dataset *data, mmc_split_kind split, mmc_set set,
                                      const uint8_t *flags, const mmc_draws *draws, uint64_t seed);

/* Which images of the train split are trained on, and which of them carry their cue. */
typedef struct mmc_training_choice {
    const uint8_t *flags; /* cue flags of the whole split; NULL: those of proportion `cue` */
    double cue;
    const int32_t *subset; /* (count) indices into the split; NULL: the first `count` images */
    int32_t count;
    uint64_t seed;
} mmc_training_choice;

/* Fills samples and labels (count each). Errors: MMC_ERR_RANGE for an index outside the split; those of
 * mmc_counterfactual_samples. */
mmc_status mmc_training_samples(mmc_sample *samples, int32_t *labels, const mmc_dataset *data,
                                const mmc_training_choice *choice);

/* Colour of a box of hue h (saturation 1, value 1; stored as B,R,G), in double, then float. */
void mmc_hue_colour(float colour[3], double hue);

/* Distinct samples of several sets: unique[0..*unique_count) in order of first appearance, row[i] the index into unique
 * of sample i. unique and row hold n entries. Errors: MMC_ERR_MEMORY. */
mmc_status mmc_sample_unique(mmc_sample *unique, int32_t *row, int32_t *unique_count, const mmc_sample *samples,
                             int32_t n);

#ifdef __cplusplus
}
#endif
#endif
