#include "kernels/own/gradw.h"

#include "kernels/own/gradw_winograd.h"

enum { CHUNK_PIXELS = 256 };

typedef struct plan {
    int blocks, chunk_blocks; /* image blocks in all and of a chunk */
    int out_h, out_w;
    int band_rows, bands;
    int chunks;
} plan;

static plan plan_make(const mmc_unit_shape *s) {
    plan p = {.blocks = block_count(s->n), .out_h = mmc_unit_out_h(s), .out_w = mmc_unit_out_w(s)};
    const int pixels = p.out_h * p.out_w;
    p.chunk_blocks = pixels < CHUNK_PIXELS ? CHUNK_PIXELS / pixels : 1;
    p.band_rows = CHUNK_PIXELS / p.out_w;
    p.band_rows = p.band_rows < 1 ? 1 : p.band_rows > p.out_h ? p.out_h : p.band_rows;
    p.bands = ceil_div(p.out_h, p.band_rows);
    p.chunks = ceil_div(p.blocks, p.chunk_blocks) * p.bands;
    return p;
}

size_t OWN(gradw_workspace)(const mmc_unit_shape *s) {
    if (OWN(gradw_winograd_fits)(s))
        return OWN(gradw_winograd_workspace)(s);
    return (size_t)plan_make(s).chunks * (size_t)s->k * (size_t)s->c * (size_t)(s->r * s->r) * sizeof(float);
}

INLINE float lane_sum(vf v) {
    float sum[LANES];
    UNROLL
    for (int i = 0; i < LANES; i++)
        sum[i] = v[i];
    UNROLL
    for (int half = LANES / 2; half > 0; half /= 2)
        UNROLL
    for (int i = 0; i < half; i++)
        sum[i] += sum[i + half];
    return sum[0];
}

/* Adds the products of one output row: GRAD_K outputs, GRAD_C inputs, the taps of one filter row. A column of x is
 * loaded once and serves its taps from registers. */
INLINE void row_add(vf acc[GRAD_K][GRAD_C][3], const float *dz, const float *x, int out_w, int in_w, int k, int c,
                    int r, int stride) {
    vf left[GRAD_C], centre[GRAD_C], right[GRAD_C];
    UNROLL
    for (int j = 0; j < GRAD_C; j++) {
        left[j] = (vf){0};
        right[j] = (vf){0};
        if (r == 3 && stride == 1)
            centre[j] = load(x + j * LANES);
    }
    for (int ow = 0; ow < out_w; ow++) {
        const float *column = x + (size_t)ow * (size_t)stride * (size_t)c * LANES;
        const bool inside = ow * stride + 1 < in_w;
        UNROLL
        for (int j = 0; j < GRAD_C; j++) {
            if (r == 1 || stride == 2)
                centre[j] = load(column + j * LANES);
            if (r == 3)
                right[j] = inside ? load(column + (size_t)(c + j) * LANES) : (vf){0};
        }
        UNROLL
        for (int i = 0; i < GRAD_K; i++) {
            const vf g = load(dz + ((size_t)ow * (size_t)k + (size_t)i) * LANES);
            UNROLL
            for (int j = 0; j < GRAD_C; j++) {
                if (r == 3) {
                    acc[i][j][0] += g * left[j];
                    acc[i][j][2] += g * right[j];
                }
                acc[i][j][1] += g * centre[j];
            }
        }
        UNROLL
        for (int j = 0; j < GRAD_C; j++) {
            left[j] = stride == 1 ? centre[j] : right[j];
            centre[j] = right[j];
        }
    }
}

/* GRAD_K x GRAD_C filters of one chunk, one filter row; channel pointers of a partial block repeat its last channel. */
INLINE void tile_run(float *partial, const float *dz, const float *x, const mmc_unit_shape *s, const plan *p,
                     int block0, int block1, int row0, int row1, int k0, int c0, int tap, int r, int stride) {
    vf acc[GRAD_K][GRAD_C][3];
    UNROLL
    for (int i = 0; i < GRAD_K; i++)
        UNROLL
    for (int j = 0; j < GRAD_C; j++)
        UNROLL
    for (int t = 0; t < 3; t++)
        acc[i][j][t] = (vf){0};
    const size_t x_block = block_floats(s->c, s->h, s->w), z_block = block_floats(s->k, p->out_h, p->out_w);
    for (int b = block0; b < block1; b++)
        for (int oh = row0; oh < row1; oh++) {
            const int ih = oh * stride + tap - r / 2;
            if (ih < 0 || ih >= s->h)
                continue;
            row_add(acc, dz + (size_t)b * z_block + ((size_t)oh * (size_t)p->out_w * (size_t)s->k + (size_t)k0) * LANES,
                    x + (size_t)b * x_block + ((size_t)ih * (size_t)s->w * (size_t)s->c + (size_t)c0) * LANES, p->out_w,
                    s->w, s->k, s->c, r, stride);
        }
    for (int i = 0; i < GRAD_K; i++)
        for (int j = 0; j < GRAD_C; j++)
            for (int t = 0; t < r; t++)
                partial[(((size_t)(k0 + i) * (size_t)s->c + (size_t)(c0 + j)) * (size_t)r + (size_t)tap) * (size_t)r +
                        (size_t)t] = lane_sum(acc[i][j][r == 1 ? 1 : t]);
}

/* One filter, where the channels do not fill a tile. */
static void single_run(float *partial, const float *dz, const float *x, const mmc_unit_shape *s, const plan *p,
                       int block0, int block1, int row0, int row1, int k, int c) {
    const size_t x_block = block_floats(s->c, s->h, s->w), z_block = block_floats(s->k, p->out_h, p->out_w);
    for (int tap = 0; tap < s->r * s->r; tap++) {
        const int tr = tap / s->r - s->r / 2, ts = tap % s->r - s->r / 2;
        vf acc = {0};
        for (int b = block0; b < block1; b++)
            for (int oh = row0; oh < row1; oh++)
                for (int ow = 0; ow < p->out_w; ow++) {
                    const int ih = oh * s->stride + tr, iw = ow * s->stride + ts;
                    if (ih < 0 || ih >= s->h || iw < 0 || iw >= s->w)
                        continue;
                    acc +=
                        load(dz + (size_t)b * z_block +
                             ((size_t)(oh * p->out_w + ow) * (size_t)s->k + (size_t)k) * LANES) *
                        load(x + (size_t)b * x_block + ((size_t)(ih * s->w + iw) * (size_t)s->c + (size_t)c) * LANES);
                }
        partial[((size_t)k * (size_t)s->c + (size_t)c) * (size_t)(s->r * s->r) + (size_t)tap] = lane_sum(acc);
    }
}

void OWN(gradw)(float *dw, const float *dz, const float *x, const mmc_unit_shape *s, void *workspace) {
    if (OWN(gradw_winograd_fits)(s)) {
        OWN(gradw_winograd)(dw, dz, x, s, workspace);
        return;
    }
    const plan p = plan_make(s);
    const size_t count = (size_t)s->k * (size_t)s->c * (size_t)(s->r * s->r);
    float *partials = workspace;
    const int k_blocks = ceil_div(s->k, GRAD_K);
#pragma omp parallel for schedule(dynamic, 1)
    for (int task = 0; task < p.chunks * k_blocks; task++) {
        const int chunk = task / k_blocks, k0 = task % k_blocks * GRAD_K;
        const int block0 = chunk / p.bands * p.chunk_blocks, row0 = chunk % p.bands * p.band_rows;
        const int block1 = block0 + p.chunk_blocks < p.blocks ? block0 + p.chunk_blocks : p.blocks;
        const int row1 = row0 + p.band_rows < p.out_h ? row0 + p.band_rows : p.out_h;
        float *partial = partials + (size_t)chunk * count;
        for (int c0 = 0; c0 < s->c; c0 += GRAD_C) {
            if (k0 + GRAD_K > s->k || c0 + GRAD_C > s->c) {
                for (int k = k0; k < s->k && k < k0 + GRAD_K; k++)
                    for (int c = c0; c < s->c && c < c0 + GRAD_C; c++)
                        single_run(partial, dz, x, s, &p, block0, block1, row0, row1, k, c);
                continue;
            }
            for (int tap = 0; tap < s->r; tap++) {
                if (s->r == 3 && s->stride == 1)
                    tile_run(partial, dz, x, s, &p, block0, block1, row0, row1, k0, c0, tap, 3, 1);
                else if (s->r == 3)
                    tile_run(partial, dz, x, s, &p, block0, block1, row0, row1, k0, c0, tap, 3, 2);
                else
                    tile_run(partial, dz, x, s, &p, block0, block1, row0, row1, k0, c0, tap, 1, s->stride);
            }
        }
    }
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (int chunk = 0; chunk < p.chunks; chunk++)
            sum += partials[(size_t)chunk * count + i];
        dw[i] = (float)sum;
    }
}
