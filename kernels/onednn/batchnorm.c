/* Batch norm, join and ReLU on NHWC. */
#include "kernels/onednn/batchnorm.h"

#include "kernels/unit.h"

#include <math.h>

/* Built for several instruction sets, the best one taken at start-up; not under sanitizers, which are not ready when
 * that choice is made. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PLAIN_BUILD
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PLAIN_BUILD
#endif
#if defined(__x86_64__) && defined(__ELF__) && !defined(PLAIN_BUILD)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE
#endif

/* Positions of one partial sum, and floats of a line: as many whole positions as fit, so that the inner loops are long
 * in narrow layers too. Element j of a line belongs to channel j mod channels. */
enum { BLOCK = 512, LINE = 64 };

static size_t blocks_of(size_t positions) {
    return (positions + BLOCK - 1) / BLOCK;
}

static size_t line_of(size_t channels) {
    return channels < LINE ? LINE / channels * channels : channels;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Floats of a block. */
static size_t block_count(size_t block, size_t positions, size_t channels) {
    return smaller(BLOCK, positions - block * BLOCK) * channels;
}

/* A pair of sums a block, then four factors. */
size_t mmc_nhwc_partial_count(size_t positions, size_t channels) {
    return (blocks_of(positions) + 1) * 2 * line_of(channels);
}

/* Repeats the channels' values over a line. */
static void spread(float *line, size_t channels) {
    for (size_t j = channels; j < line_of(channels); j++)
        line[j] = line[j - channels];
}

WIDE static void sum_block(double *restrict sum, const float *restrict z, size_t count, size_t line) {
    double *restrict squares = sum + line;
    for (size_t j = 0; j < line; j++)
        sum[j] = squares[j] = 0;
    for (size_t i = 0; i < count; i += line) {
        size_t width = smaller(line, count - i);
#pragma omp simd
        for (size_t j = 0; j < width; j++) {
            double v = z[i + j];
            sum[j] += v;
            squares[j] += v * v;
        }
    }
}

/* Adds the blocks' pairs of sums, then the positions of a line, into the first channels of either sum. */
static void add_blocks(double *partial, size_t blocks, size_t channels) {
    size_t line = line_of(channels);
    for (size_t block = 1; block < blocks; block++)
        for (size_t j = 0; j < 2 * line; j++)
            partial[j] += partial[block * 2 * line + j];
    for (size_t j = channels; j < line; j++) {
        partial[j % channels] += partial[j];
        partial[line + j % channels] += partial[line + j];
    }
}

void mmc_nhwc_statistics(float *mean, float *var, const float *z, size_t positions, size_t channels, double *partial) {
    size_t blocks = blocks_of(positions), line = line_of(channels);
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < blocks; block++)
        sum_block(partial + block * 2 * line, z + block * BLOCK * channels, block_count(block, positions, channels),
                  line);
    add_blocks(partial, blocks, channels);
    for (size_t c = 0; c < channels; c++) {
        double m = partial[c] / (double)positions;
        double v = partial[line + c] / (double)positions - m * m; /* 53 bits: no harm from the difference */
        mean[c] = (float)m;
        var[c] = (float)(v < 0 ? 0 : v);
    }
}

WIDE static void normalise_block(float *y, const float *z, const float *residual, const float *factors, size_t count,
                                 size_t line, bool relu) {
    const float *mean = factors, *scale = factors + line, *beta = factors + 2 * line;
    for (size_t i = 0; i < count; i += line) {
        size_t width = smaller(line, count - i);
#pragma omp simd
        for (size_t j = 0; j < width; j++) {
            float b = (z[i + j] - mean[j]) * scale[j] + beta[j];
            if (residual)
                b += residual[i + j];
            y[i + j] = relu && b < 0 ? 0 : b; /* a NaN stays */
        }
    }
}

void mmc_nhwc_normalise(float *y, const float *z, size_t positions, size_t channels, const float *mean,
                        const float *var, const float *gamma, const float *beta, const float *residual, bool relu,
                        double *partial) {
    size_t blocks = blocks_of(positions), line = line_of(channels);
    float *factors = (float *)partial;
    for (size_t c = 0; c < channels; c++) {
        factors[c] = mean[c];
        factors[line + c] = (float)(gamma[c] / sqrt(var[c] + MMC_BN_EPS));
        factors[2 * line + c] = beta[c];
    }
    for (int i = 0; i < 3; i++)
        spread(factors + i * line, channels);
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < blocks; block++) {
        size_t at = block * BLOCK * channels;
        normalise_block(y + at, z + at, residual ? residual + at : NULL, factors,
                        block_count(block, positions, channels), line, relu);
    }
}

/* dy becomes g; sums of g and of g (z - mean). */
WIDE static void gradient_block(const mmc_nhwc_backward *b, size_t at, size_t count, size_t line,
                                const float *restrict mean, double *restrict sum) {
    double *restrict product = sum + line;
    for (size_t j = 0; j < line; j++)
        sum[j] = product[j] = 0;
    for (size_t i = at; i < at + count; i += line) {
        size_t width = smaller(line, at + count - i);
        float *restrict g = b->dy + i;
        const float *restrict y = b->y + i, *restrict z = b->z + i;
        if (b->relu) {
#pragma omp simd
            for (size_t j = 0; j < width; j++)
                g[j] = y[j] > 0 ? g[j] : 0;
        }
#pragma omp simd
        for (size_t j = 0; j < width; j++) {
            double v = g[j];
            sum[j] += v;
            product[j] += v * ((double)z[j] - (double)mean[j]);
        }
        if (!b->dresidual)
            continue;
        float *restrict d = b->dresidual + i;
        bool add = b->dresidual_add;
#pragma omp simd
        for (size_t j = 0; j < width; j++)
            d[j] = add ? d[j] + g[j] : g[j];
    }
}

/* g becomes dz = scale (g - shift - slope (z - mean)). */
WIDE static void input_block(float *restrict g, const float *restrict z, const float *restrict factors, size_t count,
                             size_t line) {
    const float *mean = factors, *scale = factors + line, *shift = factors + 2 * line, *slope = factors + 3 * line;
    for (size_t i = 0; i < count; i += line) {
        size_t width = smaller(line, count - i);
#pragma omp simd
        for (size_t j = 0; j < width; j++)
            g[i + j] = scale[j] * (g[i + j] - shift[j] - slope[j] * (z[i + j] - mean[j]));
    }
}

void mmc_nhwc_batchnorm_backward(const mmc_nhwc_backward *b) {
    size_t channels = b->channels, blocks = blocks_of(b->positions), line = line_of(channels);
    double *partial = b->partial;
    float *mean = (float *)(partial + blocks * 2 * line), *scale = mean + line, *shift = scale + line,
          *slope = shift + line;
    for (size_t c = 0; c < channels; c++)
        mean[c] = b->mean[c];
    spread(mean, channels);
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < blocks; block++)
        gradient_block(b, block * BLOCK * channels, block_count(block, b->positions, channels), line, mean,
                       partial + block * 2 * line);
    add_blocks(partial, blocks, channels);
    for (size_t c = 0; c < channels; c++) {
        double inverse = 1 / sqrt(b->var[c] + MMC_BN_EPS), sum = partial[c], product = partial[line + c];
        b->dbeta[c] = (float)sum;
        b->dgamma[c] = (float)(product * inverse);
        scale[c] = (float)(b->gamma[c] * inverse);
        shift[c] = (float)(sum / (double)b->positions);
        slope[c] = (float)(product * inverse * inverse / (double)b->positions);
    }
    spread(scale, channels);
    spread(shift, channels);
    spread(slope, channels);
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < blocks; block++) {
        size_t at = block * BLOCK * channels;
        input_block(b->dy + at, b->z + at, mean, block_count(block, b->positions, channels), line);
    }
}
