#include "runtime/clean_split.h"

#include "runtime/rng.h"

#include <stdlib.h>
#include <string.h>

enum { STREAM_PERMUTATION, STREAM_CUE, STREAM_CLEAN };

/* Fills order[count] with the images in rounds: the first of each class in permuted order, then the second of each. */
static mmc_status order_in_rounds(int32_t *order, const mmc_split *train, int classes, uint64_t seed) {
    mmc_status status = MMC_OK;
    const size_t count = (size_t)train->count, kinds = (size_t)classes;
    int32_t *permuted = malloc(count * sizeof *permuted);
    int32_t *first = calloc(kinds + 1, sizeof *first); /* of class k among the sorted images */
    int32_t *taken = calloc(kinds, sizeof *taken);
    int32_t *sorted = malloc(count * sizeof *sorted);
    if (!permuted || !first || !taken || !sorted) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: the clean split of %zu images", count);
        goto cleanup;
    }
    mmc_rng_permutation(permuted, count, seed, MMC_RNG_CLEAN_SPLIT, STREAM_PERMUTATION);
    for (size_t i = 0; i < count; i++)
        first[train->labels[i] + 1]++;
    for (size_t k = 0; k < kinds; k++)
        first[k + 1] += first[k];
    for (size_t i = 0; i < count; i++) {
        const int32_t label = train->labels[permuted[i]];
        sorted[first[label] + taken[label]++] = permuted[i];
    }
    size_t done = 0;
    for (int32_t round = 0; done < count; round++)
        for (size_t k = 0; k < kinds; k++)
            if (first[k] + round < first[k + 1])
                order[done++] = sorted[first[k] + round];
cleanup:
    free(permuted);
    free(first);
    free(taken);
    free(sorted);
    return status;
}

static mmc_status split_disjoint(mmc_clean_split *out, const mmc_split *train, int classes, uint64_t seed) {
    mmc_status status = MMC_OK;
    const size_t count = (size_t)train->count;
    int32_t *order = calloc(count, sizeof *order);
    uint8_t *clean = calloc(count, 1);
    if (!order || !clean) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: the clean split of %zu images", count);
        goto cleanup;
    }
    MMC_GOTO(cleanup, order_in_rounds(order, train, classes, seed));
    memcpy(out->clean, order, (size_t)out->clean_count * sizeof *order);
    for (int32_t i = 0; i < out->clean_count; i++)
        clean[order[i]] = 1;
    int32_t *next = out->cue;
    for (int32_t i = 0; i < train->count; i++)
        if (!clean[i])
            *next++ = i;
cleanup:
    free(order);
    free(clean);
    return status;
}

static void draw(int32_t *out, int32_t count, int32_t images, uint64_t seed, uint32_t stream) {
    for (int32_t i = 0; i < count; i++)
        out[i] = (int32_t)mmc_rng_below(mmc_rng_at(seed, MMC_RNG_CLEAN_SPLIT, stream, (uint64_t)i), (uint32_t)images);
}

mmc_status mmc_clean_split_make(mmc_clean_split *out, const mmc_split *train, int classes, int32_t clean, bool authors,
                                uint64_t seed) {
    mmc_status status = MMC_OK;
    *out = (mmc_clean_split){0};
    if (clean < 1 || clean >= train->count)
        return mmc_fail(MMC_ERR_RANGE,
                        "--clean %d: the train split holds %d images; give 1 to %d, so that some are left to pre-train "
                        "on",
                        (int)clean, (int)train->count, (int)train->count - 1);
    out->clean_count = clean;
    out->cue_count = train->count - clean;
    out->validation_count = clean / MMC_VALIDATION_SHARE;
    out->clean = malloc((size_t)out->clean_count * sizeof *out->clean);
    out->cue = malloc((size_t)out->cue_count * sizeof *out->cue);
    if (!out->clean || !out->cue) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: the clean split of %d images", (int)train->count);
        goto fail;
    }
    if (authors) {
        draw(out->cue, out->cue_count, train->count, seed, STREAM_CUE);
        draw(out->clean, out->clean_count, train->count, seed, STREAM_CLEAN);
        return MMC_OK;
    }
    MMC_GOTO(fail, split_disjoint(out, train, classes, seed));
    return MMC_OK;
fail:
    mmc_clean_split_close(out);
    return status;
}

void mmc_clean_split_close(mmc_clean_split *split) {
    free(split->cue);
    free(split->clean);
    *split = (mmc_clean_split){0};
}
