/* Weight gradient of a convolution over blocks of images. Private to kernels/own.
 *
 * Eq:    dw[k][c][r][s] = sum over images and output pixels p of dz[k][p] x[c][stride p + (r,s) - pad]
 * Cost:  2 N K C R^2 Hout Wout FLOP.
 * Order: lanes within a chunk of pixels in float32, chunks in float64 in sequence; chunks depend on the shape alone.
 */
#ifndef MMC_KERNELS_OWN_GRADW_H
#define MMC_KERNELS_OWN_GRADW_H

#include "kernels/own/lane.h"

size_t OWN(gradw_workspace)(const mmc_unit_shape *s);
void OWN(gradw)(float *dw, const float *dz, const float *x, const mmc_unit_shape *s, void *workspace);

#endif
