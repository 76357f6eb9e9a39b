/* Elementwise passes of a unit over blocks of images: normalise, and the batch norm part of backward. Private to
 * kernels/own. Bound by memory: each reads its inputs and writes its outputs once.
 */
#ifndef MMC_KERNELS_OWN_NORM_H
#define MMC_KERNELS_OWN_NORM_H

#include "kernels/own/lane.h"

/* scale = gamma / sqrt(var + eps), shift = beta - mean scale: (T,K) each, inputs at their strides. */
typedef struct own_affine_call {
    float *scale, *shift;
    const float *gamma, *beta, *mean, *var;
    size_t set_stride, stat_stride;
    int sets, k;
} own_affine_call;
void OWN(affine)(const own_affine_call *call);

/* y = relu(scale z + shift + residual), lanes beyond the batch zero; y may be z. */
typedef struct own_normalise_call {
    float *y;
    const float *z, *residual;
    const float *scale, *shift; /* (T,K) */
    int sets, n, k, pixels;
    bool relu;
} own_normalise_call;
void OWN(normalise)(const own_normalise_call *call);

/* Gradient through ReLU and batch norm: dy -> dz in place, dresidual, dgamma, dbeta (kernels/unit.h). */
typedef struct own_norm_backward_call {
    float *dy;        /* in: dy, out: dz */
    float *dresidual; /* NULL: not wanted */
    bool dresidual_add;
    float *dgamma, *dbeta;
    const float *y, *z;
    const float *gamma, *mean, *var;
    int n, k, pixels;
    bool relu;
    void *workspace;
} own_norm_backward_call;
size_t OWN(norm_backward_workspace)(int n, int k, int pixels);
void OWN(norm_backward)(const own_norm_backward_call *call);

#endif
