/* Convolution over blocks of images, forward and backward by data; here the direct kernel, which hands the shapes that
 * suit it to winograd.h. Private to kernels/own.
 *
 * Eq:    out[k][p] = sum over taps (r,s) and channels c of w[k][c][r][s] in[c][source(p,r,s)]
 *        forward: source = stride p + (r,s) - pad;  backward by data: the p' with stride p' + (r,s) - pad = p, with k
 * and c exchanged. Cost:  2 N K C R^2 Hout Wout FLOP at most: taps that fall outside for a whole tile are skipped.
 *
 * A tile of TILE_K outputs x TILE_P pixels stays in registers over all taps and channels; each pixel of a tap has its
 * own input pointer, a zero vector where the tap falls outside, so that borders, strides and short rows are one code.
 */
#ifndef MMC_KERNELS_OWN_CONV_H
#define MMC_KERNELS_OWN_CONV_H

#include "kernels/own/lane.h"

typedef struct own_conv {
    int sets, n;
    int ci, in_h, in_w;
    int co, out_h, out_w;
    int r, stride;
    bool backward;
    bool in_shared; /* all sets read the images of set 0 */
} own_conv;

typedef enum own_finish {
    OWN_FINISH_STORE, /* out = conv */
    OWN_FINISH_ADD,   /* out += conv */
    OWN_FINISH_STATS, /* out = conv, and moments of it */
    OWN_FINISH_FOLDED /* out = relu(scale conv + shift + residual) */
} own_finish;

typedef struct own_conv_call {
    own_conv shape;
    own_finish finish;
    float *out;
    const float *in;
    const float *packed;   /* own_conv_pack */
    size_t packed_stride;  /* floats between two sets */
    const float *scale;    /* FOLDED: (T,K) */
    const float *shift;    /* FOLDED: (T,K) */
    const float *residual; /* FOLDED, may be NULL */
    bool relu;             /* FOLDED */
    float *mean, *var;     /* STATS: (T,K) at stat_stride */
    size_t stat_stride;
    void *workspace;
} own_conv_call;

/* The forward convolution of a unit, and its backward by data. */
own_conv OWN(conv_forward)(const mmc_unit_shape *s, int sets);
own_conv OWN(conv_backward)(const mmc_unit_shape *s);

/* Weights (K,C,R,R) of one set in the order in which the kernel reads them, zeros beyond the last output. */
size_t OWN(conv_pack_floats)(const own_conv *shape);
void OWN(conv_pack)(float *packed, const own_conv *shape, const float *w);

size_t OWN(conv_workspace)(const own_conv *shape);
void OWN(conv)(const own_conv_call *call);

#endif
