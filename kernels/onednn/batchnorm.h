/* What surrounds a convolution of the oneDNN provider: batch norm, join, ReLU, pooling and layout changes on NHWC.
 *
 * Sums run over blocks of a fixed number of positions, in double; blocks are added in order: the same bits at any
 * thread count. Cost: bound by memory.
 *
 *     mmc_nhwc_statistics(mean, var, z, positions, channels, partial);
 */
#ifndef MMC_KERNELS_ONEDNN_BATCHNORM_H
#define MMC_KERNELS_ONEDNN_BATCHNORM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Doubles of scratch that statistics and backward need. */
size_t mmc_nhwc_partial_count(size_t positions, size_t channels);

/* Mean and biased variance over positions of z (positions, channels). */
void mmc_nhwc_statistics(float *mean, float *var, const float *z, size_t positions, size_t channels, double *partial);

/* y = relu(gamma (z - mean) / sqrt(var + eps) + beta + residual); y may be z; residual may be NULL. */
void mmc_nhwc_normalise(float *y, const float *z, size_t positions, size_t channels, const float *mean,
                        const float *var, const float *gamma, const float *beta, const float *residual, bool relu,
                        double *partial);

typedef struct mmc_nhwc_backward {
    float *dy;        /* in: dy, out: dz */
    float *dresidual; /* out, or NULL */
    bool dresidual_add, relu;
    float *dgamma, *dbeta; /* out: (channels) */
    const float *y, *z;
    const float *mean, *var, *gamma;
    size_t positions, channels;
    double *partial;
} mmc_nhwc_backward;

/* From dy to dz in place, with dresidual, dgamma, dbeta: the equations of mmc_unit_backward_call. */
void mmc_nhwc_batchnorm_backward(const mmc_nhwc_backward *b);

#ifdef __cplusplus
}
#endif
#endif
