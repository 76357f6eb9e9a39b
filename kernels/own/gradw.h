/* Weight gradient of a convolution over blocks of images. Private to kernels/own.
 *
 * Eq:    dw[k][c][r][s] = sum over images and output pixels p of dz[k][p] x[c][stride p + (r,s) - pad];
 *        by Winograd's F(2x2,3x3): dw = G^T [ sum over tiles and images of (A dz A^T) * (B^T x B) ] G
 * Cost:  2 N K C R^2 Hout Wout FLOP; Winograd: 16 products instead of 36 a tile, and the transforms of x and dz.
 * Order: lanes of a step of tiles in float32, steps of a chunk in float32, chunks in float64; all depend on the shape
 *        alone.
 *
 * Both are the same matrix products over planes (16 positions, or the taps): a step of tiles is laid out plane by
 * plane in the cache, multiplied in register tiles, and the lanes are folded into sums.
 */
#ifndef MMC_KERNELS_OWN_GRADW_H
#define MMC_KERNELS_OWN_GRADW_H

#include "kernels/own/lane.h"

bool OWN(gradw_winograd_fits)(const mmc_unit_shape *s);
size_t OWN(gradw_workspace)(const mmc_unit_shape *s);
void OWN(gradw)(float *dw, const float *dz, const float *x, const mmc_unit_shape *s, void *workspace);

#endif
