/* Vectors of images: the type, its width and the names of one instruction set. Private to kernels/own.
 *
 * Every source that includes this header is compiled once for each instruction set, with MMC_OWN_SUFFIX naming it; the
 * layout of an activation is [t][image block][h][w][c][lane], lane = image within a block of MMC_LANES. So every
 * channel count, plane size and stride vectorises alike, weights are broadcast scalars, and no border needs a mask.
 * Lanes beyond the batch hold zeros.
 */
#ifndef MMC_KERNELS_OWN_LANE_H
#define MMC_KERNELS_OWN_LANE_H

#include "kernels/unit.h"

#include <stddef.h>
#include <stdint.h>

#ifndef MMC_OWN_SUFFIX
#define MMC_OWN_SUFFIX baseline
#endif
#define MMC_OWN_PASTE2(name, suffix) mmc_own_##name##_##suffix
#define MMC_OWN_PASTE(name, suffix) MMC_OWN_PASTE2(name, suffix)
/* OWN(conv) is mmc_own_conv_avx512 and so on. */
#define OWN(name) MMC_OWN_PASTE(name, MMC_OWN_SUFFIX)

/* Register tiles: TILE_K outputs x TILE_P pixels of a convolution; GRAD_K x GRAD_C x 3 taps of a weight gradient. They
 * fill the register file: 32 vector registers with AVX-512, 16 before. */
#if defined(__AVX512F__)
enum { LANES = 16, TILE_K = 4, TILE_P = 4, GRAD_K = 4, GRAD_C = 2 };
#elif defined(__AVX2__)
enum { LANES = 8, TILE_K = 4, TILE_P = 3, GRAD_K = 4, GRAD_C = 1 };
#else
enum { LANES = 4, TILE_K = 4, TILE_P = 3, GRAD_K = 4, GRAD_C = 1 };
#endif

typedef float vf __attribute__((vector_size(4 * LANES), aligned(4 * LANES), may_alias));
typedef int32_t vi __attribute__((vector_size(4 * LANES), aligned(4 * LANES), may_alias));

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define INLINE static inline __attribute__((always_inline))

INLINE vf load(const float *p) {
    return *(const vf *)p;
}

INLINE void store(float *p, vf v) {
    *(vf *)p = v;
}

/* max(v, 0) that lets NaN through, so that a diverged run shows. */
INLINE vf relu(vf v) {
    return (vf)((vi)v & ~(v < 0.0f));
}

/* v where y > 0, else 0. */
INLINE vf where_positive(vf v, vf y) {
    return (vf)((vi)v & (y > 0.0f));
}

/* All bits set in the lanes below `count`. */
INLINE vi lane_mask(int count) {
    vi mask;
    UNROLL
    for (int i = 0; i < LANES; i++)
        mask[i] = i < count ? -1 : 0;
    return mask;
}

INLINE vf keep(vf v, vi mask) {
    return (vf)((vi)v & mask);
}

INLINE int ceil_div(int a, int b) {
    return (a + b - 1) / b;
}

/* Image blocks of n images, and how many images the block holds. */
INLINE int block_count(int n) {
    return ceil_div(n, LANES);
}

INLINE int block_images(int n, int block) {
    int left = n - block * LANES;
    return left < LANES ? left : LANES;
}

/* Floats of one image block and of one weight set. */
INLINE size_t block_floats(int c, int h, int w) {
    return (size_t)c * (size_t)h * (size_t)w * LANES;
}

INLINE size_t set_floats(const mmc_activation *a) {
    return (size_t)block_count(a->n) * block_floats(a->c, a->h, a->w);
}

#endif
