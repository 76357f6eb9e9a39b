/* Weight gradient of a 3x3 convolution with stride 1 by Winograd's F(2x2,3x3). Private to kernels/own.
 *
 * Eq:    dw = G^T [ sum over tiles and images of (A dz A^T) * (B^T x B) ] G
 * Cost:  16 products instead of 36 a tile, channel and output, and the transforms of x and dz.
 * Order: lanes of a step of tiles in float32, steps of a chunk in float32, chunks in float64; all depend on the shape
 *        alone.
 */
#ifndef MMC_KERNELS_OWN_GRADW_WINOGRAD_H
#define MMC_KERNELS_OWN_GRADW_WINOGRAD_H

#include "kernels/own/lane.h"

bool OWN(gradw_winograd_fits)(const mmc_unit_shape *s);
size_t OWN(gradw_winograd_workspace)(const mmc_unit_shape *s);
void OWN(gradw_winograd)(float *dw, const float *dz, const float *x, const mmc_unit_shape *s, void *workspace);

#endif
