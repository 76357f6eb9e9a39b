/* Convolution and its two gradients. */
#include "kernels/reference/reference.h"

#include <math.h>

/* Sums held at once; they stay in the first-level cache. */
enum { CHUNK = 64 };

static int smaller(int a, int b) {
    return a < b ? a : b;
}

size_t mmc_reference_pack_count(const mmc_unit_shape *s, mmc_pack_mode mode) {
    size_t count = (size_t)s->k * s->c * s->r * s->r;
    return mode == MMC_PACK_TRAIN ? 2 * count : count;
}

void mmc_reference_pack_one(double *packed, const mmc_unit_shape *s, mmc_pack_mode mode, const float *w) {
    int taps = s->r * s->r;
    double *transposed = packed + mmc_reference_pack_count(s, MMC_PACK_EVAL);
    for (int k = 0; k < s->k; k++)
        for (int c = 0; c < s->c; c++)
            for (int tap = 0; tap < taps; tap++) {
                double v = w[((size_t)k * s->c + c) * taps + tap];
                packed[((size_t)c * taps + tap) * s->k + k] = v;
                if (mode == MMC_PACK_TRAIN)
                    transposed[((size_t)k * taps + tap) * s->c + c] = v;
            }
}

static double folded(double sum, const mmc_reference_fold *fold, int k, size_t element) {
    double scale = fold->gamma[k] / sqrt(fold->var[k] + MMC_BN_EPS);
    double y = scale * sum + (fold->beta[k] - fold->mean[k] * scale);
    if (fold->residual)
        y += fold->residual[element];
    return fold->relu && y < 0 ? 0 : y; /* a NaN stays */
}

void mmc_reference_conv_forward(float *out, const float *x, const double *packed, const mmc_unit_shape *s,
                                const mmc_reference_fold *fold) {
    int rows = mmc_unit_out_h(s), columns = mmc_unit_out_w(s), pad = s->r / 2;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < s->n; n++)
        for (int yo = 0; yo < rows; yo++)
            for (int xo = 0; xo < columns; xo++)
                for (int k0 = 0; k0 < s->k; k0 += CHUNK) {
                    double sum[CHUNK] = {0};
                    int width = smaller(CHUNK, s->k - k0);
                    for (int c = 0; c < s->c; c++)
                        for (int r = 0; r < s->r; r++)
                            for (int q = 0; q < s->r; q++) {
                                int yi = yo * s->stride + r - pad, xi = xo * s->stride + q - pad;
                                if (yi < 0 || yi >= s->h || xi < 0 || xi >= s->w)
                                    continue;
                                double v = x[(((size_t)n * s->c + c) * s->h + yi) * s->w + xi];
                                const double *w = packed + (((size_t)c * s->r + r) * s->r + q) * s->k + k0;
                                for (int k = 0; k < width; k++)
                                    sum[k] += v * w[k];
                            }
                    for (int k = 0; k < width; k++) {
                        size_t element = (((size_t)n * s->k + k0 + k) * rows + yo) * columns + xo;
                        out[element] = (float)(fold ? folded(sum[k], fold, k0 + k, element) : sum[k]);
                    }
                }
}

void mmc_reference_conv_backward_data(float *dx, bool add, const double *dz, const double *packed,
                                      const mmc_unit_shape *s) {
    int rows = mmc_unit_out_h(s), columns = mmc_unit_out_w(s), pad = s->r / 2;
    const double *transposed = packed + mmc_reference_pack_count(s, MMC_PACK_EVAL);
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < s->n; n++)
        for (int yi = 0; yi < s->h; yi++)
            for (int xi = 0; xi < s->w; xi++)
                for (int c0 = 0; c0 < s->c; c0 += CHUNK) {
                    double sum[CHUNK] = {0};
                    int width = smaller(CHUNK, s->c - c0);
                    for (int r = 0; r < s->r; r++)
                        for (int q = 0; q < s->r; q++) {
                            int y = yi + pad - r, x = xi + pad - q; /* output position times stride */
                            if (y < 0 || x < 0 || y % s->stride || x % s->stride || y / s->stride >= rows ||
                                x / s->stride >= columns)
                                continue;
                            const double *g =
                                dz + (((size_t)n * rows + y / s->stride) * columns + x / s->stride) * s->k;
                            for (int k = 0; k < s->k; k++) {
                                const double *w = transposed + (((size_t)k * s->r + r) * s->r + q) * s->c + c0;
                                for (int c = 0; c < width; c++)
                                    sum[c] += g[k] * w[c];
                            }
                        }
                    for (int c = 0; c < width; c++) {
                        float *out = &dx[(((size_t)n * s->c + c0 + c) * s->h + yi) * s->w + xi];
                        *out = (float)(add ? *out + sum[c] : sum[c]);
                    }
                }
}

void mmc_reference_conv_backward_weights(float *dw, const double *dz, const float *x, const mmc_unit_shape *s) {
    int rows = mmc_unit_out_h(s), columns = mmc_unit_out_w(s), pad = s->r / 2, taps = s->r * s->r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int c = 0; c < s->c; c++)
        for (int tap = 0; tap < taps; tap++)
            for (int k0 = 0; k0 < s->k; k0 += CHUNK) {
                double sum[CHUNK] = {0};
                int width = smaller(CHUNK, s->k - k0);
                for (int n = 0; n < s->n; n++)
                    for (int yo = 0; yo < rows; yo++)
                        for (int xo = 0; xo < columns; xo++) {
                            int yi = yo * s->stride + tap / s->r - pad, xi = xo * s->stride + tap % s->r - pad;
                            if (yi < 0 || yi >= s->h || xi < 0 || xi >= s->w)
                                continue;
                            double v = x[(((size_t)n * s->c + c) * s->h + yi) * s->w + xi];
                            const double *g = dz + (((size_t)n * rows + yo) * columns + xo) * s->k + k0;
                            for (int k = 0; k < width; k++)
                                sum[k] += v * g[k];
                        }
                for (int k = 0; k < width; k++)
                    dw[((size_t)(k0 + k) * s->c + c) * taps + tap] = (float)sum[k];
            }
}
