#include "kernels/own/gradw.h"

#include "kernels/own/winograd_tile.h"

#include <omp.h>
#include <string.h>

/* BLOCK bounds the channels that a task holds; its tasks are chunks of tiles x blocks of channels. */
enum {
    PAIR_K = 4,
    PAIR_C = WINO_T,
    PAIR = PAIR_K * PAIR_C,
    BLOCK = 128,
    TASKS = 16,
    STEP_MIN = 16,
    STEP_MAX = 64,
    STEP_VECTORS = 8192 /* half a MiB with 16 lanes */
};

typedef struct plan {
    bool winograd;        /* a tile is 2x2 outputs; else one output */
    int planes, y_planes; /* of the input: 16 positions or a tap each; of the gradient: 16 or 1 */
    int out_h, out_w;
    int across, plane_tiles; /* tiles of a row and of a plane */
    int tiles;               /* of all image blocks */
    int step;                /* tiles that are laid out before they are multiplied */
    int chunk, chunks;
    int k_pad, c_pad;
    int k_blocks, c_blocks;
    size_t partial; /* floats of one chunk: [planes][k_pad / PAIR_K][c_pad / PAIR_C][PAIR] */
    size_t y_stride, v_stride;
    size_t thread_floats;
} plan;

bool OWN(gradw_winograd_fits)(const mmc_unit_shape *s) {
    return s->r == 3 && s->stride == 1 && s->c >= 8 && s->k >= 8 && s->h > 2 && s->w > 2;
}

static plan plan_make(const mmc_unit_shape *s) {
    plan p = {.winograd = OWN(gradw_winograd_fits)(s), .out_h = mmc_unit_out_h(s), .out_w = mmc_unit_out_w(s)};
    p.planes = p.winograd ? 16 : s->r * s->r;
    p.y_planes = p.winograd ? 16 : 1;
    p.across = p.winograd ? (p.out_w + 1) / 2 : p.out_w;
    p.plane_tiles = p.across * (p.winograd ? (p.out_h + 1) / 2 : p.out_h);
    p.tiles = block_count(s->n) * p.plane_tiles;
    p.k_pad = ceil_div(s->k, PAIR_K) * PAIR_K;
    p.c_pad = ceil_div(s->c, PAIR_C) * PAIR_C;
    p.k_blocks = ceil_div(p.k_pad, BLOCK);
    p.c_blocks = ceil_div(p.c_pad, BLOCK);
    const int k = p.k_pad < BLOCK ? p.k_pad : BLOCK, c = p.c_pad < BLOCK ? p.c_pad : BLOCK;
    p.step = STEP_VECTORS / (p.y_planes * k + p.planes * c) / WINO_T * WINO_T;
    p.step = p.step < STEP_MIN ? STEP_MIN : p.step > STEP_MAX ? STEP_MAX : p.step;
    p.chunk = ceil_div(ceil_div(p.tiles * p.k_blocks * p.c_blocks, TASKS), p.step) * p.step;
    p.chunks = ceil_div(p.tiles, p.chunk);
    p.partial = (size_t)p.planes * (size_t)p.k_pad * (size_t)p.c_pad;
    /* One vector more than the data, so that the stores of a tile fall into different sets of the cache. */
    p.y_stride = ((size_t)(p.step * k) + 1) * LANES;
    p.v_stride = ((size_t)(p.step * c) + 1) * LANES;
    p.thread_floats = (size_t)p.y_planes * p.y_stride + (size_t)p.planes * p.v_stride;
    return p;
}

/* Workspace: zero vectors, for each thread its planes, and the partial gradients of the chunks. */
static size_t zero_floats(const mmc_unit_shape *s) {
    return (size_t)(s->c > s->k ? s->c : s->k) * LANES;
}

size_t OWN(gradw_workspace)(const mmc_unit_shape *s) {
    const plan p = plan_make(s);
    return (zero_floats(s) + (size_t)p.chunks * p.partial + (size_t)omp_get_max_threads() * p.thread_floats) *
           sizeof(float);
}

/* A d A^T of the 2x2 gradients of one tile, all channels of a block; fetches the tile that lies `ahead`. */
static void tile_gradient(float *to, size_t plane, const float *const from[4], int channels, size_t ahead) {
    for (size_t k = 0; k < (size_t)channels; k++, to += WINO_T * LANES) {
        vf t[4][2];
        UNROLL
        for (int j = 0; j < 4; j++)
            __builtin_prefetch(from[j] + k * LANES + ahead);
        UNROLL
        for (int j = 0; j < 2; j++) {
            const vf a = load(from[j] + k * LANES), b = load(from[2 + j] + k * LANES);
            t[0][j] = a;
            t[1][j] = a + b;
            t[2][j] = a - b;
            t[3][j] = -b;
        }
        UNROLL
        for (int i = 0; i < 4; i++) {
            store(to + (size_t)(4 * i) * plane, t[i][0]);
            store(to + (size_t)(4 * i + 1) * plane, t[i][0] + t[i][1]);
            store(to + (size_t)(4 * i + 2) * plane, t[i][0] - t[i][1]);
            store(to + (size_t)(4 * i + 3) * plane, -t[i][1]);
        }
    }
}

/* Channels of one pixel. */
static void pixel_copy(float *to, const float *from, int channels) {
    for (size_t c = 0; c < (size_t)channels; c++)
        store(to + c * WINO_T * LANES, load(from + c * LANES));
}

/* Zeros in the place of one tile: channels [from, to) of its planes. */
static void tile_clear(float *data, size_t plane, int planes, int from, int to) {
    for (size_t i = 0; i < (size_t)planes; i++)
        for (size_t c = (size_t)from; c < (size_t)to; c++)
            store(data + i * plane + c * WINO_T * LANES, (vf){0});
}

#define FOLD(a, b, ...) (__builtin_shufflevector(a, b, __VA_ARGS__))
#if defined(__AVX512F__)
INLINE void lanes_fold(vf *v) {
    UNROLL
    for (int i = 0; i < 8; i++)
        v[i] = FOLD(v[i], v[i + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
               FOLD(v[i], v[i + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    UNROLL
    for (int i = 0; i < 4; i++)
        v[i] = FOLD(v[i], v[i + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27) +
               FOLD(v[i], v[i + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
    UNROLL
    for (int i = 0; i < 2; i++)
        v[i] = FOLD(v[i], v[i + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
               FOLD(v[i], v[i + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    v[0] = FOLD(v[0], v[1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30) +
           FOLD(v[0], v[1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
}
#elif defined(__AVX2__)
INLINE void lanes_fold(vf *v) {
    UNROLL
    for (int i = 0; i < 4; i++)
        v[i] = FOLD(v[i], v[i + 4], 0, 1, 2, 3, 8, 9, 10, 11) + FOLD(v[i], v[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    UNROLL
    for (int i = 0; i < 2; i++)
        v[i] = FOLD(v[i], v[i + 2], 0, 1, 8, 9, 4, 5, 12, 13) + FOLD(v[i], v[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    v[0] = FOLD(v[0], v[1], 0, 8, 2, 10, 4, 12, 6, 14) + FOLD(v[0], v[1], 1, 9, 3, 11, 5, 13, 7, 15);
}
#else
INLINE void lanes_fold(vf *v) {
    UNROLL
    for (int i = 0; i < 2; i++)
        v[i] = FOLD(v[i], v[i + 2], 0, 1, 4, 5) + FOLD(v[i], v[i + 2], 2, 3, 6, 7);
    v[0] = FOLD(v[0], v[1], 0, 4, 2, 6) + FOLD(v[0], v[1], 1, 5, 3, 7);
}
#endif

/* partial[PAIR_K][PAIR_C] (+)= sum over groups of tiles and lanes of y v. lanes_fold turns LANES vectors into the
 * vector of their sums, in order. */
INLINE void multiply(float *partial, const float *y, const float *v, int groups, size_t y_group, size_t v_group,
                     bool first) {
    vf acc[PAIR];
    UNROLL
    for (int i = 0; i < PAIR; i++)
        acc[i] = (vf){0};
    for (int g = 0; g < groups; g++, y += y_group, v += v_group) {
        UNROLL
        for (int t = 0; t < WINO_T; t++) {
            vf b[PAIR_C];
            UNROLL
            for (int c = 0; c < PAIR_C; c++)
                b[c] = load(v + (c * WINO_T + t) * LANES);
            UNROLL
            for (int k = 0; k < PAIR_K; k++) {
                const vf a = load(y + (k * WINO_T + t) * LANES);
                UNROLL
                for (int c = 0; c < PAIR_C; c++)
                    acc[k * PAIR_C + c] += a * b[c];
            }
        }
    }
    UNROLL
    for (int i = 0; i < PAIR; i += LANES) {
        lanes_fold(acc + i);
        vf sum = acc[i];
        if (!first)
            sum += load(partial + i);
        store(partial + i, sum);
    }
}

/* Planes of one tile by Winograd, or of one output pixel with a plane for each tap. */
static void tile_fill(float *y, float *v, const plan *p, const mmc_unit_shape *s, const float *dz, const float *x,
                      const float *zero, int tile, int k, int c) {
    if (p->winograd) {
        const int oy = tile / p->across * 2, ox = tile % p->across * 2;
        tile_input(v, p->v_stride, &(tile_source){x, zero, s->h, s->w, s->c, c}, oy, ox);
        const float *from[4];
        for (int j = 0; j < 4; j++) {
            const int iy = oy + j / 2, ix = ox + j % 2;
            from[j] = iy < s->h && ix < s->w ? dz + (size_t)(iy * s->w + ix) * (size_t)s->k * LANES : zero;
        }
        tile_gradient(y, p->y_stride, from, k, TILES_AHEAD * 2 * (size_t)s->k * LANES);
        return;
    }
    const int oy = tile / p->across, ox = tile % p->across;
    for (int tap = 0; tap < p->planes; tap++) {
        const int iy = oy * s->stride + tap / s->r - s->r / 2, ix = ox * s->stride + tap % s->r - s->r / 2;
        const bool inside = iy >= 0 && iy < s->h && ix >= 0 && ix < s->w;
        pixel_copy(v + (size_t)tap * p->v_stride, inside ? x + (size_t)(iy * s->w + ix) * (size_t)s->c * LANES : zero,
                   c);
    }
    pixel_copy(y, dz + (size_t)tile * (size_t)s->k * LANES, k);
}

/* The tiles [q, q + count) for one block of channels; what is missing of the last group is zero. */
static void step_fill(float *y, float *v, const plan *p, const mmc_unit_shape *s, const float *dz, const float *x,
                      const float *zero, int q, int count, int k0, int k1, int c0, int c1) {
    const int k_pad = ceil_div(k1 - k0, PAIR_K) * PAIR_K, c_pad = ceil_div(c1 - c0, PAIR_C) * PAIR_C;
    const size_t x_block = block_floats(s->c, s->h, s->w), z_block = block_floats(s->k, p->out_h, p->out_w);
    for (int i = 0; i < ceil_div(count, WINO_T) * WINO_T; i++) {
        float *to_y = y + ((size_t)(i / WINO_T * k_pad) * WINO_T + (size_t)(i % WINO_T)) * LANES;
        float *to_v = v + ((size_t)(i / WINO_T * c_pad) * WINO_T + (size_t)(i % WINO_T)) * LANES;
        const int k = i < count ? k1 - k0 : 0, c = i < count ? c1 - c0 : 0;
        if (i < count) {
            const size_t block = (size_t)((q + i) / p->plane_tiles);
            tile_fill(to_y, to_v, p, s, dz + block * z_block + (size_t)k0 * LANES,
                      x + block * x_block + (size_t)c0 * LANES, zero, (q + i) % p->plane_tiles, k, c);
        }
        tile_clear(to_y, p->y_stride, p->y_planes, k, k_pad);
        tile_clear(to_v, p->v_stride, p->planes, c, c_pad);
    }
}

/* One chunk of tiles for one block of outputs and one of inputs. */
static void task_run(float *partial, float *scratch, const plan *p, const mmc_unit_shape *s, const float *dz,
                     const float *x, const float *zero, int chunk, int k0, int c0) {
    const int k1 = k0 + BLOCK < s->k ? k0 + BLOCK : s->k, c1 = c0 + BLOCK < s->c ? c0 + BLOCK : s->c;
    const int k_pairs = ceil_div(k1 - k0, PAIR_K), c_pairs = ceil_div(c1 - c0, PAIR_C);
    const size_t y_group = (size_t)(k_pairs * PAIR_K) * WINO_T * LANES,
                 v_group = (size_t)(c_pairs * PAIR_C) * WINO_T * LANES;
    float *y = scratch, *v = scratch + (size_t)p->y_planes * p->y_stride;
    const int q0 = chunk * p->chunk, q1 = q0 + p->chunk < p->tiles ? q0 + p->chunk : p->tiles;
    for (int q = q0; q < q1; q += p->step) {
        const int count = q1 - q < p->step ? q1 - q : p->step, groups = ceil_div(count, WINO_T);
        step_fill(y, v, p, s, dz, x, zero, q, count, k0, k1, c0, c1);
        for (size_t i = 0; i < (size_t)p->planes; i++)
            for (int k = 0; k < k_pairs; k++)
                for (int c = 0; c < c_pairs; c++) {
                    float *to = partial + ((i * (size_t)(p->k_pad / PAIR_K) + (size_t)(k0 / PAIR_K + k)) *
                                               (size_t)(p->c_pad / PAIR_C) +
                                           (size_t)(c0 / PAIR_C + c)) *
                                              PAIR;
                    const float *yp = y + (p->winograd ? i * p->y_stride : 0) + (size_t)(k * PAIR_K * WINO_T * LANES);
                    const float *vp = v + i * p->v_stride + (size_t)(c * PAIR_C * WINO_T * LANES);
                    if (q == q0)
                        multiply(to, yp, vp, groups, y_group, v_group, true);
                    else
                        multiply(to, yp, vp, groups, y_group, v_group, false);
                }
    }
}

/* dw = G^T dU G of one filter. */
static void filter_gradient(float *dw, const double u[16]) {
    double half[3][4];
    for (int j = 0; j < 4; j++) {
        half[0][j] = u[j] + 0.5 * (u[4 + j] + u[8 + j]);
        half[1][j] = 0.5 * (u[4 + j] - u[8 + j]);
        half[2][j] = 0.5 * (u[4 + j] + u[8 + j]) + u[12 + j];
    }
    for (int i = 0; i < 3; i++) {
        dw[3 * i] = (float)(half[i][0] + 0.5 * (half[i][1] + half[i][2]));
        dw[3 * i + 1] = (float)(0.5 * (half[i][1] - half[i][2]));
        dw[3 * i + 2] = (float)(0.5 * (half[i][1] + half[i][2]) + half[i][3]);
    }
}

void OWN(gradw)(float *dw, const float *dz, const float *x, const mmc_unit_shape *s, void *workspace) {
    const plan p = plan_make(s);
    float *zero = workspace, *threads = zero + zero_floats(s),
          *partials = threads + (size_t)omp_get_max_threads() * p.thread_floats;
    memset(zero, 0, zero_floats(s) * sizeof(float));
    const int blocks = p.k_blocks * p.c_blocks;
#pragma omp parallel for schedule(dynamic, 1)
    for (int task = 0; task < p.chunks * blocks; task++) {
        const int chunk = task / blocks, k = task % blocks / p.c_blocks, c = task % p.c_blocks;
        task_run(partials + (size_t)chunk * p.partial, threads + (size_t)omp_get_thread_num() * p.thread_floats, &p, s,
                 dz, x, zero, chunk, k * BLOCK, c * BLOCK);
    }
    const size_t plane = (size_t)p.k_pad * (size_t)p.c_pad;
#pragma omp parallel for schedule(static)
    for (int k = 0; k < s->k; k++)
        for (int c = 0; c < s->c; c++) {
            const size_t at = ((size_t)(k / PAIR_K) * (size_t)(p.c_pad / PAIR_C) + (size_t)(c / PAIR_C)) * PAIR +
                              (size_t)(k % PAIR_K * PAIR_C + c % PAIR_C);
            float *to = dw + ((size_t)k * (size_t)s->c + (size_t)c) * (size_t)(s->r * s->r);
            double u[16] = {0};
            for (int chunk = 0; chunk < p.chunks; chunk++)
                for (size_t i = 0; i < (size_t)p.planes; i++)
                    u[i] += (double)partials[(size_t)chunk * p.partial + i * plane + at];
            if (p.winograd)
                filter_gradient(to, u);
            else
                for (int i = 0; i < p.planes; i++)
                    to[i] = (float)u[i];
        }
}
