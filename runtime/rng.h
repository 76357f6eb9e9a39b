/* Counter-based random numbers: Philox 4x32-10 (Salmon et al., SC 2011), keyed by seed and purpose, counted by index.
 *
 * A draw depends on (seed, purpose, stream, index) alone, so batch size, threads, backend and order of work change
 * nothing.
 *
 *     uint32_t place = mmc_rng_below(mmc_rng_at(seed, MMC_RNG_CUE_PLACE, split, i), 10);
 */
#ifndef MMC_RUNTIME_RNG_H
#define MMC_RUNTIME_RNG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a number is drawn for. Values are part of the file format (results depend on them): append only. */
typedef enum mmc_rng_purpose {
    MMC_RNG_INIT = 1,        /* initial weights; stream: tensor index in the model's table, index: element */
    MMC_RNG_SHUFFLE = 2,     /* order of training samples; stream: epoch */
    MMC_RNG_CUE_PLACE = 3,   /* rand-cue: box place; stream: split (0 train, 1 test) */
    MMC_RNG_CUE_HUE = 4,     /* rand-cue: hue */
    MMC_RNG_CUE_IMAGE = 5,   /* rand-cue: Fashion-MNIST image */
    MMC_RNG_RAND_IMAGE = 6,  /* rand-image: natural image */
    MMC_RNG_CURVE_T = 7,     /* midpoint training: t of a step; stream: epoch, index: step */
    MMC_RNG_BEND = 8,        /* random start of a bend; as MMC_RNG_INIT, bend number added to the stream by 1000 */
    MMC_RNG_CLEAN_SPLIT = 9, /* the clean / cue split; stream: 0 permutation, 1 cue, 2 clean images drawn */
    MMC_RNG_TOY = 10,        /* synthetic data of tests and benchmarks */
    MMC_RNG_MATCH = 11,      /* order of groups in weight matching; stream: descent and sweep */
    MMC_RNG_HEAD = 12,       /* new linear layer of LLRT; as MMC_RNG_INIT */
    MMC_RNG_BARRIER_T = 13,  /* CBFT: t of the barrier step; stream: epoch, index: iteration and trial */
    MMC_RNG_CUE_BATCH = 14,  /* CBFT: order of the cue images; stream: epoch */

    /* the small model (runtime/small.h) */
    MMC_RNG_SMALL_LATENT = 20, /* labels and attributes; streams: runtime/small_data.c */
    MMC_RNG_SMALL_NOISE = 21,  /* all other inputs; stream: split */
    MMC_RNG_SMALL_INIT = 22,   /* initial weights; stream: which model */
    MMC_RNG_SMALL_ORDER = 23   /* order of samples; stream: 8 epoch + which model */
} mmc_rng_purpose;

typedef struct mmc_rng_block {
    uint32_t v[4];
} mmc_rng_block;

/* Philox 4x32-10 of a counter and a key: the primitive, for tests against the published vectors. */
mmc_rng_block mmc_rng_philox(const uint32_t counter[4], const uint32_t key[2]);

/* Four independent 32-bit words. key = seed (low, high); counter = (index low, index high, stream, purpose). */
mmc_rng_block mmc_rng_words(uint64_t seed, mmc_rng_purpose purpose, uint32_t stream, uint64_t index);

/* The first of these words. */
uint32_t mmc_rng_at(uint64_t seed, mmc_rng_purpose purpose, uint32_t stream, uint64_t index);

/* Integer in [0, n): the high half of word * n (bias below n / 2^32). */
uint32_t mmc_rng_below(uint32_t word, uint32_t n);

/* float in [0,1) with 24 bits; double in [0,1) with 53 bits of two words. */
float mmc_rng_uniform(uint32_t word);
double mmc_rng_uniform_double(uint32_t high, uint32_t low);

/* A permutation of 0..n-1 (Fisher-Yates from the end, one word each). */
void mmc_rng_permutation(int32_t *out, size_t n, uint64_t seed, mmc_rng_purpose purpose, uint32_t stream);

#ifdef __cplusplus
}
#endif
#endif
