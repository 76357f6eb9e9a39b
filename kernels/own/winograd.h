/* 3x3 convolution with stride 1 by Winograd's F(2x2,3x3) over blocks of images. Private to kernels/own.
 *
 * Eq:    out = A^T [ sum over c of (G w G^T) * (B^T in B) ] A on tiles of 2x2 outputs      [Lavin and Gray 2015]
 *        backward by data is the same with k and c exchanged and the filter turned by 180 degrees.
 * Cost:  16 products instead of 36 a tile, channel and output, and 32 additions a tile and channel, 24 a tile and
 * output.
 *
 * With images as lanes the transforms are plain vector additions. A group of WINO_T tiles is transformed, multiplied as
 * 16 small matrix products in register tiles of TILE_K x WINO_T, and transformed back before the next.
 */
#ifndef MMC_KERNELS_OWN_WINOGRAD_H
#define MMC_KERNELS_OWN_WINOGRAD_H

#include "kernels/own/conv.h"

/* Whether the shape is computed this way: not for few input channels or tiny planes, where direct is faster. */
bool OWN(winograd_fits)(const own_conv *s);

size_t OWN(winograd_pack_floats)(const own_conv *s);
void OWN(winograd_pack)(float *packed, const own_conv *s, const float *w);
size_t OWN(winograd_workspace)(const own_conv *s);
void OWN(winograd)(const own_conv_call *call);

#endif
