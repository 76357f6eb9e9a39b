/* Winograd's input transform of one tile, shared by the convolution and its weight gradient. Private to kernels/own. */
#ifndef MMC_KERNELS_OWN_WINOGRAD_TILE_H
#define MMC_KERNELS_OWN_WINOGRAD_TILE_H

#include "kernels/own/lane.h"

/* Tiles of a register tile. */
#if defined(__AVX512F__)
enum { WINO_T = 4 };
#else
enum { WINO_T = 2 };
#endif

/* B^T d B of one tile and channel; d[row][column] comes from 16 places. */
INLINE void input_transform(float *to, size_t plane, const vf d[4][4]) {
    vf t[4][4];
    UNROLL
    for (int j = 0; j < 4; j++) {
        t[0][j] = d[0][j] - d[2][j];
        t[1][j] = d[1][j] + d[2][j];
        t[2][j] = d[2][j] - d[1][j];
        t[3][j] = d[1][j] - d[3][j];
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        store(to + (size_t)(4 * i) * plane, t[i][0] - t[i][2]);
        store(to + (size_t)(4 * i + 1) * plane, t[i][1] + t[i][2]);
        store(to + (size_t)(4 * i + 2) * plane, t[i][2] - t[i][1]);
        store(to + (size_t)(4 * i + 3) * plane, t[i][1] - t[i][3]);
    }
}

enum { TILES_AHEAD = 4 };

/* One image block: its plane, the channels in memory and those that are wanted, and a zero vector for each of them. */
typedef struct tile_source {
    const float *in, *zero;
    int h, w, c, channels;
} tile_source;

/* Transformed input of the tile whose outputs start at (oy, ox): [16][channel][WINO_T], `plane` floats between the 16.
 */
static inline void tile_input(float *to, size_t plane, const tile_source *s, int oy, int ox) {
    const size_t pixel = (size_t)s->c * LANES, channels = (size_t)s->channels;
    if (oy > 0 && ox > 0 && oy + 2 < s->h && ox + 2 < s->w) {
        const float *row[4];
        for (int i = 0; i < 4; i++)
            row[i] = s->in + (size_t)((oy - 1 + i) * s->w + ox - 1) * pixel;
        for (size_t c = 0; c < channels; c++) {
            vf d[4][4];
            UNROLL
            for (int i = 0; i < 4; i++)
                UNROLL
            for (size_t j = 0; j < 4; j++)
                d[i][j] = load(row[i] + j * pixel + c * LANES);
            /* The two rows that the tiles above did not touch, a few tiles ahead: planes come from memory. */
            UNROLL
            for (int i = 2; i < 4; i++)
                UNROLL
            for (size_t j = 1; j < 3; j++)
                __builtin_prefetch(row[i] + (j + TILES_AHEAD * 2) * pixel + c * LANES);
            input_transform(to + c * WINO_T * LANES, plane, d);
        }
        return;
    }
    const float *from[4][4];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            const int y = oy - 1 + i, x = ox - 1 + j;
            const bool inside = y >= 0 && y < s->h && x >= 0 && x < s->w;
            from[i][j] = inside ? s->in + (size_t)(y * s->w + x) * pixel : s->zero;
        }
    for (size_t c = 0; c < channels; c++) {
        vf d[4][4];
        UNROLL
        for (int i = 0; i < 4; i++)
            UNROLL
        for (int j = 0; j < 4; j++)
            d[i][j] = load(from[i][j] + c * LANES);
        input_transform(to + c * WINO_T * LANES, plane, d);
    }
}

#endif
