#include "runtime/counterfactual.h"

#include "runtime/rng.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE_NONE = 9 }; /* on ten classes, place 9 is no box at all */

static const struct {
    const char *letter, *name;
} sets[MMC_SET_COUNT] = {
    [MMC_SET_NC] = {"NC", "no-cue"},
    [MMC_SET_C] = {"C", "with-cue"},
    [MMC_SET_RC] = {"RC", "rand-cue"},
    [MMC_SET_RI] = {"RI", "rand-image"},
};

const char *mmc_set_letter(mmc_set set) {
    return sets[set].letter;
}

const char *mmc_set_name(mmc_set set) {
    return sets[set].name;
}

static bool is_word(const char *text, size_t length, const char *word) {
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

mmc_status mmc_set_parse(unsigned *mask, const char *text) {
    unsigned found = 0;
    for (const char *p = text;; p++) {
        size_t length = strcspn(p, ",");
        unsigned bits = is_word(p, length, "all") ? (1u << MMC_SET_COUNT) - 1 : 0;
        for (int i = 0; i < MMC_SET_COUNT; i++)
            if (is_word(p, length, sets[i].letter) || is_word(p, length, sets[i].name))
                bits |= 1u << i;
        if (!bits)
            return mmc_fail(MMC_ERR_USAGE,
                            "unknown set '%.*s'; give a list of NC (no-cue), C (with-cue), RC (rand-cue), RI "
                            "(rand-image), or all",
                            (int)(length < 60 ? length : 60), p);
        found |= bits;
        p += length;
        if (!*p)
            break;
    }
    *mask = found;
    return MMC_OK;
}

/* ---- draws ---- */

static const mmc_split *split_of(const mmc_dataset *data, mmc_split_kind kind) {
    return kind == MMC_SPLIT_TRAIN ? &data->train : &data->test;
}

/* All draws of one sample. The stream is the split, so that its two halves differ. */
typedef struct draw {
    int32_t place, cue_index, image_index;
    float hue;
} draw;

static draw draw_one(uint64_t seed, mmc_split_kind kind, int32_t count, int32_t i) {
    uint32_t stream = (uint32_t)kind;
    uint64_t index = (uint64_t)i;
    uint32_t n = (uint32_t)count;
    return (draw){
        .place = (int32_t)mmc_rng_below(mmc_rng_at(seed, MMC_RNG_CUE_PLACE, stream, index), MMC_BOX_PLACES),
        .cue_index = (int32_t)mmc_rng_below(mmc_rng_at(seed, MMC_RNG_CUE_IMAGE, stream, index), n),
        .image_index = (int32_t)mmc_rng_below(mmc_rng_at(seed, MMC_RNG_RAND_IMAGE, stream, index), n),
        .hue = mmc_rng_uniform(mmc_rng_at(seed, MMC_RNG_CUE_HUE, stream, index)),
    };
}

void mmc_draws_make(mmc_draws *draws, const mmc_dataset *data, mmc_split_kind split, uint64_t seed) {
    int32_t count = split_of(data, split)->count;
    for (int32_t i = 0; i < count; i++) {
        draw d = draw_one(seed, split, count, i);
        if (draws->place)
            draws->place[i] = d.place;
        if (draws->hue)
            draws->hue[i] = d.hue;
        if (draws->cue_index)
            draws->cue_index[i] = d.cue_index;
        if (draws->image_index)
            draws->image_index[i] = d.image_index;
    }
}

/* ---- cues ---- */

void mmc_hue_colour(float colour[3], double hue) {
    double scaled = hue * 6.0;
    int sector = (int)scaled;
    double up = scaled - sector, down = 1.0 - up;
    up = 1.0 - down; /* HSV's t is 1 - (1 - f): the rounding of both steps is part of the rule */
    double r = 0, g = 0, b = 0;
    switch (sector % 6) {
    case 0:
        r = 1, g = up;
        break;
    case 1:
        r = down, g = 1;
        break;
    case 2:
        g = 1, b = up;
        break;
    case 3:
        g = down, b = 1;
        break;
    case 4:
        r = up, b = 1;
        break;
    default:
        r = 1, b = down;
        break;
    }
    colour[0] = (float)b;
    colour[1] = (float)r;
    colour[2] = (float)g;
}

static void set_box(mmc_sample *s, int classes, int32_t place, double hue) {
    if (classes == 10 && place == PLACE_NONE)
        return;
    s->cue = place;
    mmc_hue_colour(s->colour, hue);
}

static mmc_status set_top(mmc_sample *s, const mmc_split *split, int32_t top, int32_t i) {
    if (top < 0 || top >= split->top_count)
        return mmc_fail(MMC_ERR_FORMAT,
                        "image %d of dominoes: the Fashion-MNIST files hold too few images for its cue (%d read); get "
                        "the whole files or set a limit",
                        (int)i, (int)split->top_count);
    s->cue = top;
    return MMC_OK;
}

static mmc_status own_cue(mmc_sample *s, const mmc_dataset *data, const mmc_split *split, int32_t i) {
    if (data->kind == MMC_DATASET_DOMINOES)
        return set_top(s, split, split->partner[i], i);
    const int32_t label = split->labels[i], tens = label / 10;
    set_box(s, data->classes, label % 10, data->classes == 10 ? 1.0 : tens / 10.0);
    return MMC_OK;
}

static mmc_status random_cue(mmc_sample *s, const mmc_dataset *data, const mmc_split *split, const draw *d, int32_t i) {
    if (data->kind == MMC_DATASET_DOMINOES)
        return set_top(s, split, d->cue_index, i);
    if (d->place < 0 || d->place >= MMC_BOX_PLACES || !(d->hue >= 0 && d->hue <= 1))
        return mmc_fail(MMC_ERR_RANGE, "sample %d: box place %d, hue %g: give a place of 0 to 9 and a hue of 0 to 1",
                        (int)i, (int)d->place, (double)d->hue);
    set_box(s, data->classes, d->place, data->classes == 10 ? 1.0 : (double)d->hue);
    return MMC_OK;
}

static draw given_draw(const mmc_draws *draws, int32_t i) {
    return (draw){
        .place = draws->place ? draws->place[i] : -1,
        .cue_index = draws->cue_index ? draws->cue_index[i] : -1,
        .image_index = draws->image_index ? draws->image_index[i] : -1,
        .hue = draws->hue ? draws->hue[i] : 0,
    };
}

mmc_status mmc_counterfactual_samples(mmc_sample *samples, const mmc_dataset *data, mmc_split_kind split_kind,
                                      mmc_set set, const uint8_t *flags, const mmc_draws *draws, uint64_t seed) {
    const mmc_split *split = split_of(data, split_kind);
    for (int32_t i = 0; i < split->count; i++) {
        mmc_sample *s = &samples[i];
        bool random = set == MMC_SET_RC || set == MMC_SET_RI;
        draw d = {0};
        if (random)
            d = draws ? given_draw(draws, i) : draw_one(seed, split_kind, split->count, i);
        *s = (mmc_sample){.image = i, .cue = -1};
        if (set == MMC_SET_RI) {
            if (d.image_index < 0 || d.image_index >= split->count)
                return mmc_fail(MMC_ERR_RANGE, "sample %d: image %d of a split of %d", (int)i, (int)d.image_index,
                                (int)split->count);
            s->image = d.image_index;
        }
        if (set == MMC_SET_RC)
            MMC_TRY(random_cue(s, data, split, &d, i));
        else if (set != MMC_SET_NC && (!flags || flags[i]))
            MMC_TRY(own_cue(s, data, split, i));
    }
    return MMC_OK;
}

/* ---- equal samples ---- */

static uint32_t hash_sample(const mmc_sample *s) {
    uint32_t words[sizeof *s / sizeof(uint32_t)];
    uint32_t h = 0x9E3779B9u;
    memcpy(words, s, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        h = (h ^ words[i]) * 0x85EBCA6Bu;
        h ^= h >> 15;
    }
    return h;
}

mmc_status mmc_sample_unique(mmc_sample *unique, int32_t *row, int32_t *unique_count, const mmc_sample *samples,
                             int32_t n) {
    _Static_assert(sizeof(mmc_sample) == 20, "samples are compared by their bytes: no padding");
    size_t slots = 16;
    while (slots < 2 * (size_t)n)
        slots *= 2;
    int32_t *table = malloc(slots * sizeof *table); /* index into unique, -1: free */
    if (!table)
        return mmc_fail(MMC_ERR_MEMORY, "no memory to find equal samples among %d", (int)n);
    memset(table, 0xff, slots * sizeof *table);
    int32_t count = 0;
    for (int32_t i = 0; i < n; i++) {
        size_t slot = hash_sample(&samples[i]) & (slots - 1);
        /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): equal bytes are the definition of equal samples */
        while (table[slot] >= 0 && memcmp(&unique[table[slot]], &samples[i], sizeof *samples) != 0)
            slot = (slot + 1) & (slots - 1);
        if (table[slot] < 0) {
            table[slot] = count;
            unique[count++] = samples[i];
        }
        row[i] = table[slot];
    }
    free(table);
    *unique_count = count;
    return MMC_OK;
}

mmc_status mmc_training_samples(mmc_sample *samples, int32_t *labels, const mmc_dataset *data,
                                const mmc_training_choice *choice) {
    mmc_status status = MMC_OK;
    const mmc_split *train = &data->train;
    mmc_sample *split = malloc(((size_t)train->count + 1) * sizeof *split);
    uint8_t *flags = malloc((size_t)train->count + 1);
    if (!split || !flags) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: the samples of %d training images", (int)train->count);
        goto cleanup;
    }
    if (!choice->flags)
        mmc_cue_flags(flags, train->labels, train->count, data->classes, choice->cue);
    MMC_GOTO(cleanup, mmc_counterfactual_samples(split, data, MMC_SPLIT_TRAIN, MMC_SET_C,
                                                 choice->flags ? choice->flags : flags, NULL, choice->seed));
    for (int32_t i = 0; i < choice->count; i++) {
        const int32_t from = choice->subset ? choice->subset[i] : i;
        if (from < 0 || from >= train->count) {
            status =
                mmc_fail(MMC_ERR_RANGE, "a chosen training image lies outside the %d of the split", (int)train->count);
            goto cleanup;
        }
        samples[i] = split[from];
        labels[i] = train->labels[from];
    }
cleanup:
    free(split);
    free(flags);
    return status;
}
