/* Batch norm, join and ReLU on NHWC. */
#include "kernels/onednn/batchnorm.h"

#include "kernels/unit.h"

#include <math.h>

/* Positions of one partial sum. */
enum { BLOCK = 512 };

static size_t blocks_of(size_t positions) {
    return (positions + BLOCK - 1) / BLOCK;
}

static size_t block_end(size_t block, size_t positions) {
    size_t end = (block + 1) * BLOCK;
    return end < positions ? end : positions;
}

size_t mmc_nhwc_partial_count(size_t positions, size_t channels) {
    size_t blocks = blocks_of(positions);
    return (blocks > 2 ? blocks : 2) * 2 * channels; /* room for the factors behind the sums */
}

static void sum_block(double *restrict sum, double *restrict squares, const float *restrict z, size_t positions,
                      size_t channels) {
    for (size_t c = 0; c < channels; c++)
        sum[c] = squares[c] = 0;
    for (size_t i = 0; i < positions; i++, z += channels)
        for (size_t c = 0; c < channels; c++) {
            double v = z[c];
            sum[c] += v;
            squares[c] += v * v;
        }
}

/* Adds the blocks' pairs of sums into the first one's. */
static void add_blocks(double *partial, size_t blocks, size_t channels) {
    for (size_t block = 1; block < blocks; block++)
        for (size_t c = 0; c < 2 * channels; c++)
            partial[c] += partial[block * 2 * channels + c];
}

void mmc_nhwc_statistics(float *mean, float *var, const float *z, size_t positions, size_t channels, double *partial) {
    size_t blocks = blocks_of(positions);
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < blocks; block++) {
        double *sum = partial + block * 2 * channels;
        size_t start = block * BLOCK;
        sum_block(sum, sum + channels, z + start * channels, block_end(block, positions) - start, channels);
    }
    add_blocks(partial, blocks, channels);
    for (size_t c = 0; c < channels; c++) {
        double m = partial[c] / (double)positions;
        double v = partial[channels + c] / (double)positions - m * m; /* 53 bits: no harm from the difference */
        mean[c] = (float)m;
        var[c] = (float)(v < 0 ? 0 : v);
    }
}

static void normalise_block(float *y, const float *z, const float *residual, const float *restrict mean,
                            const float *restrict scale, const float *restrict beta, size_t positions, size_t channels,
                            bool relu) {
    for (size_t i = 0; i < positions; i++) {
        size_t at = i * channels;
        for (size_t c = 0; c < channels; c++) {
            float b = (z[at + c] - mean[c]) * scale[c] + beta[c];
            if (residual)
                b += residual[at + c];
            y[at + c] = relu && b < 0 ? 0 : b; /* a NaN stays */
        }
    }
}

void mmc_nhwc_normalise(float *y, const float *z, size_t positions, size_t channels, const float *mean,
                        const float *var, const float *gamma, const float *beta, const float *residual, bool relu,
                        double *partial) {
    float *scale = (float *)partial;
    size_t blocks = blocks_of(positions);
    for (size_t c = 0; c < channels; c++)
        scale[c] = (float)(gamma[c] / sqrt(var[c] + MMC_BN_EPS));
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < blocks; block++) {
        size_t start = block * BLOCK, at = start * channels;
        normalise_block(y + at, z + at, residual ? residual + at : NULL, mean, scale, beta,
                        block_end(block, positions) - start, channels, relu);
    }
}

/* dy becomes g; sums of g and of g (z - mean). */
static void gradient_block(const mmc_nhwc_backward *b, size_t start, size_t end, double *restrict sum,
                           double *restrict product) {
    size_t channels = b->channels;
    for (size_t c = 0; c < channels; c++)
        sum[c] = product[c] = 0;
    for (size_t i = start; i < end; i++) {
        float *restrict g = b->dy + i * channels;
        const float *restrict y = b->y + i * channels, *restrict z = b->z + i * channels;
        const float *restrict mean = b->mean;
        if (b->relu)
            for (size_t c = 0; c < channels; c++)
                g[c] = y[c] > 0 ? g[c] : 0;
        for (size_t c = 0; c < channels; c++) {
            double v = g[c];
            sum[c] += v;
            product[c] += v * ((double)z[c] - mean[c]);
        }
        if (b->dresidual) {
            float *restrict d = b->dresidual + i * channels;
            for (size_t c = 0; c < channels; c++)
                d[c] = b->dresidual_add ? d[c] + g[c] : g[c];
        }
    }
}

/* g becomes dz = scale (g - shift - slope (z - mean)). */
static void input_block(const mmc_nhwc_backward *b, size_t start, size_t end, const float *restrict scale,
                        const float *restrict shift, const float *restrict slope) {
    size_t channels = b->channels;
    for (size_t i = start; i < end; i++) {
        float *restrict g = b->dy + i * channels;
        const float *restrict z = b->z + i * channels, *restrict mean = b->mean;
        for (size_t c = 0; c < channels; c++)
            g[c] = scale[c] * (g[c] - shift[c] - slope[c] * (z[c] - mean[c]));
    }
}

void mmc_nhwc_batchnorm_backward(const mmc_nhwc_backward *b) {
    size_t channels = b->channels, blocks = blocks_of(b->positions);
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < blocks; block++) {
        double *sum = b->partial + block * 2 * channels;
        gradient_block(b, block * BLOCK, block_end(block, b->positions), sum, sum + channels);
    }
    add_blocks(b->partial, blocks, channels);
    /* The sums lie in the first 2 channels doubles; the floats made of them come behind. */
    float *scale = (float *)(b->partial + 2 * channels), *shift = scale + channels, *slope = shift + channels;
    for (size_t c = 0; c < channels; c++) {
        double inverse = 1 / sqrt(b->var[c] + MMC_BN_EPS), sum = b->partial[c], product = b->partial[channels + c];
        b->dbeta[c] = (float)sum;
        b->dgamma[c] = (float)(product * inverse);
        scale[c] = (float)(b->gamma[c] * inverse);
        shift[c] = (float)(sum / (double)b->positions);
        slope[c] = (float)(product * inverse * inverse / (double)b->positions);
    }
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < blocks; block++)
        input_block(b, block * BLOCK, block_end(block, b->positions), scale, shift, slope);
}
