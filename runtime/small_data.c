#include "runtime/small_data.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Streams of MMC_RNG_SMALL_LATENT within a split: the label, then one an attribute. */
enum { STREAMS = 4, STREAM_LABEL = 0, STREAM_ATTRIBUTE = 1 };

static const struct {
    int k;
    unsigned bit;
} attributes[] = {{0, MMC_SMALL_K0}, {4, MMC_SMALL_K4}};
enum { ATTRIBUTES = sizeof attributes / sizeof *attributes };

int mmc_small_support(int *out, int k, int z) {
    int count = 0;
    for (int s = -k / 2; s <= k / 2; s++)
        if ((s % 2 == 0) == (z == 1))
            out[count++] = s;
    return count;
}

double mmc_small_attribute(int k, int latent, double u, int inputs, double margin) {
    const double unit = sqrt(3.0 / inputs), s = latent, sign = (latent > 0) - (latent < 0);
    if (k == 0) {
        const double side = 2 * s - 1;
        return unit * (side - 2 * margin * u * side);
    }
    return 2.0 / k * unit * (2 * abs(latent) == k ? s - margin * u * sign : s + margin * (2 * u - 1));
}

int mmc_small_latent(int k, int z, uint32_t word) {
    int support[MMC_SMALL_SUPPORT];
    if (k == 0)
        return z;
    const int count = mmc_small_support(support, k, z);
    return support[mmc_rng_below(word, (uint32_t)count)];
}

/* Words of an attribute's block: 0 the latent of z = y, 1 its u, 2 a z of its own, 3 the latent of that. */
static double attribute_draw(int k, bool predictive, int label, mmc_rng_block b, int inputs, double margin) {
    const int latent =
        predictive ? mmc_small_latent(k, label, b.v[0]) : mmc_small_latent(k, (int)mmc_rng_below(b.v[2], 2), b.v[3]);
    return mmc_small_attribute(k, latent, (double)mmc_rng_uniform(b.v[1]), inputs, margin);
}

static void noise_fill(float *x, int inputs, uint64_t seed, uint32_t split, int32_t sample) {
    const double unit = sqrt(3.0 / inputs);
    const uint64_t blocks = ((uint64_t)inputs + 3) / 4;
    for (uint64_t i = 0; i < blocks; i++) {
        const mmc_rng_block b = mmc_rng_words(seed, MMC_RNG_SMALL_NOISE, split, (uint64_t)sample * blocks + i);
        for (int j = 0; j < 4 && 4 * (int)i + j < inputs; j++)
            x[4 * i + (uint64_t)j] = (float)(unit * (2 * (double)mmc_rng_uniform(b.v[j]) - 1));
    }
}

void mmc_small_data_fill(float *x, float *y, int32_t samples, int inputs, double margin, uint64_t seed,
                         mmc_small_split split, unsigned predictive) {
    const uint32_t stream = (uint32_t)split * STREAMS;
    for (int32_t n = 0; n < samples; n++, x += inputs) {
        const int label =
            (int)mmc_rng_below(mmc_rng_at(seed, MMC_RNG_SMALL_LATENT, stream + STREAM_LABEL, (uint64_t)n), 2);
        noise_fill(x, inputs, seed, (uint32_t)split, n);
        for (int k = 0; k < ATTRIBUTES; k++) {
            const mmc_rng_block b =
                mmc_rng_words(seed, MMC_RNG_SMALL_LATENT, stream + STREAM_ATTRIBUTE + (uint32_t)k, (uint64_t)n);
            x[k] =
                (float)attribute_draw(attributes[k].k, (predictive & attributes[k].bit) != 0, label, b, inputs, margin);
        }
        y[n] = (float)label;
    }
}

mmc_status mmc_small_data_draw(mmc_small_data *out, int32_t samples, int inputs, double margin, uint64_t seed,
                               mmc_small_split split, unsigned predictive) {
    *out = (mmc_small_data){.samples = samples, .inputs = inputs};
    out->x = malloc((size_t)samples * (size_t)inputs * sizeof *out->x);
    out->y = malloc((size_t)samples * sizeof *out->y);
    if (!out->x || !out->y) {
        mmc_small_data_close(out);
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %d samples of %d inputs", (int)samples, inputs);
    }
    mmc_small_data_fill(out->x, out->y, samples, inputs, margin, seed, split, predictive);
    return MMC_OK;
}

void mmc_small_data_close(mmc_small_data *data) {
    free(data->x);
    free(data->y);
    *data = (mmc_small_data){0};
}
