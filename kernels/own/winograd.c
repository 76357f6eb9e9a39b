#include "kernels/own/winograd.h"

#include "kernels/own/moments.h"
#include "kernels/own/winograd_tile.h"

#include <omp.h>
#include <string.h>

enum { BAND_PIXELS = 256, CHANNEL_CHUNK = 128 };

/* Outputs that are multiplied before they are transformed back: the products stay in the first or second cache. */
static int chunk_outputs(const own_conv *s) {
    const int padded = ceil_div(s->co, TILE_K) * TILE_K, chunk = s->ci <= 16 ? 8 : s->ci <= 64 ? 32 : 128;
    return padded < chunk ? padded : chunk;
}

bool OWN(winograd_fits)(const own_conv *s) {
    return s->r == 3 && s->stride == 1 && s->ci >= 8 && s->co >= 8 && s->out_h > 2 && s->out_w > 2;
}

size_t OWN(winograd_pack_floats)(const own_conv *s) {
    return (size_t)ceil_div(s->co, TILE_K) * TILE_K * (size_t)s->ci * 16;
}

/* U = G w G^T of one filter, in double. */
static void filter_transform(float u[16], const float *w, bool turned) {
    double half[4][3];
    for (int j = 0; j < 3; j++) {
        double column[3];
        for (int i = 0; i < 3; i++)
            column[i] = (double)w[turned ? 8 - (i * 3 + j) : i * 3 + j];
        half[0][j] = column[0];
        half[1][j] = 0.5 * (column[0] + column[1] + column[2]);
        half[2][j] = 0.5 * (column[0] - column[1] + column[2]);
        half[3][j] = column[2];
    }
    for (int i = 0; i < 4; i++) {
        u[i * 4] = (float)half[i][0];
        u[i * 4 + 1] = (float)(0.5 * (half[i][0] + half[i][1] + half[i][2]));
        u[i * 4 + 2] = (float)(0.5 * (half[i][0] - half[i][1] + half[i][2]));
        u[i * 4 + 3] = (float)half[i][2];
    }
}

/* [output chunk][16][channel chunk][output block][channel][TILE_K]: the order in which the products run. */
void OWN(winograd_pack)(float *packed, const own_conv *s, const float *w) {
    const int padded = ceil_div(s->co, TILE_K) * TILE_K, chunk = chunk_outputs(s);
#pragma omp parallel for schedule(static)
    for (int k = 0; k < padded; k++) {
        const int k0 = k / chunk * chunk, width = padded - k0 < chunk ? padded - k0 : chunk;
        for (int c = 0; c < s->ci; c++) {
            const int c0 = c / CHANNEL_CHUNK * CHANNEL_CHUNK;
            const int channels = s->ci - c0 < CHANNEL_CHUNK ? s->ci - c0 : CHANNEL_CHUNK;
            float u[16] = {0};
            if (k < s->co)
                filter_transform(
                    u,
                    w + (s->backward ? (size_t)c * (size_t)s->co + (size_t)k : (size_t)k * (size_t)s->ci + (size_t)c) *
                            9,
                    s->backward);
            float *to = packed + (size_t)k0 * (size_t)s->ci * 16 + (size_t)c0 * (size_t)width +
                        ((size_t)((k - k0) / TILE_K) * (size_t)channels + (size_t)(c - c0)) * TILE_K +
                        (size_t)(k % TILE_K);
            for (int i = 0; i < 16; i++)
                to[(size_t)i * (size_t)s->ci * (size_t)width] = u[i];
        }
    }
}

typedef struct plan {
    int blocks, band_rows, bands, parts;
} plan;

static plan plan_make(const own_conv *s) {
    plan p = {.blocks = block_count(s->n)};
    p.band_rows = BAND_PIXELS / s->out_w / 2 * 2;
    if (p.band_rows < 2)
        p.band_rows = 2;
    if (p.band_rows > s->out_h)
        p.band_rows = s->out_h;
    p.bands = ceil_div(s->out_h, p.band_rows);
    p.parts = p.blocks * p.bands;
    return p;
}

typedef struct scratch {
    float *zero;
    double *parts;
    float *threads; /* of each thread: transformed input, products, moments */
    size_t input_floats, product_floats, thread_floats;
} scratch;

/* Floats from one of the 16 planes of the transformed input to the next; one vector more than its data, so that the
 * sixteen stores of a tile fall into different sets of the cache. */
INLINE size_t input_stride(int ci) {
    return ((size_t)ci * WINO_T + 1) * LANES;
}

static size_t scratch_carve(scratch *out, const own_conv *s, char *base) {
    size_t used = 0;
    const plan p = plan_make(s);
#define CARVE(field, bytes)                                                                                            \
    do {                                                                                                               \
        if (out)                                                                                                       \
            out->field = (void *)(base + used);                                                                        \
        used += ((size_t)(bytes) + 63) / 64 * 64;                                                                      \
    } while (0)
    CARVE(zero, (size_t)s->ci * LANES * sizeof(float));
    CARVE(parts, (size_t)s->sets * (size_t)p.parts * (size_t)s->co * 3 * sizeof(double));
    const size_t input = 16 * input_stride(s->ci), products = (size_t)chunk_outputs(s) * 16 * WINO_T * LANES;
    const size_t thread = input + products + (size_t)s->co * MOMENT_FLOATS;
    CARVE(threads, (size_t)omp_get_max_threads() * thread * sizeof(float));
#undef CARVE
    if (out) {
        out->input_floats = input;
        out->product_floats = products;
        out->thread_floats = thread;
    }
    return used;
}

size_t OWN(winograd_workspace)(const own_conv *s) {
    return scratch_carve(NULL, s, NULL);
}

/* products[TILE_K][WINO_T] (+)= u[channel][TILE_K] v[channel][WINO_T] */
INLINE void multiply(float *products, const float *u, const float *v, size_t channels, bool first) {
    vf acc[TILE_K][WINO_T];
    UNROLL
    for (int k = 0; k < TILE_K; k++)
        UNROLL
    for (int t = 0; t < WINO_T; t++) {
        acc[k][t] = (vf){0};
        if (!first)
            acc[k][t] = load(products + (k * WINO_T + t) * LANES);
    }
    /* The next block of filters: large ones come from the third cache for every group of tiles. */
    for (size_t line = 0; line < channels * TILE_K; line += 16)
        __builtin_prefetch(u + channels * TILE_K + line);
    for (size_t c = 0; c < channels; c++) {
        vf x[WINO_T];
        UNROLL
        for (size_t t = 0; t < WINO_T; t++)
            x[t] = load(v + (c * WINO_T + t) * LANES);
        UNROLL
        for (size_t k = 0; k < TILE_K; k++)
            UNROLL
        for (int t = 0; t < WINO_T; t++)
            acc[k][t] += u[c * TILE_K + k] * x[t];
    }
    UNROLL
    for (int k = 0; k < TILE_K; k++)
        UNROLL
    for (int t = 0; t < WINO_T; t++)
        store(products + (k * WINO_T + t) * LANES, acc[k][t]);
}

/* A^T m A: the 2x2 outputs of one tile and channel. */
INLINE void output_transform(vf y[4], const float *products, size_t plane) {
    vf s[2][4];
    UNROLL
    for (size_t j = 0; j < 4; j++) {
        const vf m0 = load(products + j * plane), m1 = load(products + (4 + j) * plane);
        const vf m2 = load(products + (8 + j) * plane), m3 = load(products + (12 + j) * plane);
        s[0][j] = m0 + m1 + m2;
        s[1][j] = m1 - m2 - m3;
    }
    UNROLL
    for (int i = 0; i < 2; i++) {
        y[2 * i] = s[i][0] + s[i][1] + s[i][2];
        y[2 * i + 1] = s[i][1] - s[i][2] - s[i][3];
    }
}

/* Where the outputs of a tile go. */
typedef struct tile_place {
    size_t out[4];  /* float offset of channel 0 */
    bool inside[4]; /* false: beyond the right or lower edge of an odd plane */
} tile_place;

typedef struct task {
    float *out;
    const float *residual, *scale, *shift;
    float *sums;
    vi mask;
    bool relu, first;
    int tiles;
    bool whole; /* WINO_T tiles, each with all four outputs */
    tile_place place[WINO_T];
} task;

/* Outputs [k0, k1) of the tiles of a group; products: [16][k - k0][WINO_T]. `whole` and `finish` are constants. */
INLINE void group_finish(const task *t, const float *products, size_t plane, int k0, int k1, own_finish finish,
                         bool whole) {
    for (int k = k0; k < k1; k++, products += WINO_T * LANES) {
        vf pivot, s1, s2;
        float *sums = finish == OWN_FINISH_STATS ? t->sums + (size_t)k * MOMENT_FLOATS : NULL;
        if (finish == OWN_FINISH_STATS) {
            pivot = load(sums);
            s1 = load(sums + LANES);
            s2 = load(sums + 2 * LANES);
        }
        UNROLL
        for (int i = 0; i < WINO_T; i++) {
            if (!whole && i >= t->tiles)
                break;
            vf y[4];
            output_transform(y, products + i * LANES, plane);
            if (finish == OWN_FINISH_STATS && t->first && i == 0) {
                pivot = y[0];
                s1 = s2 = (vf){0};
            }
            UNROLL
            for (int j = 0; j < 4; j++) {
                if (!whole && !t->place[i].inside[j])
                    continue;
                const size_t at = t->place[i].out[j] + (size_t)k * LANES;
                vf v = y[j];
                if (finish == OWN_FINISH_STATS) {
                    const vf d = v - pivot;
                    s1 += d;
                    s2 += d * d;
                }
                if (finish == OWN_FINISH_ADD)
                    v += load(t->out + at);
                if (finish == OWN_FINISH_FOLDED) {
                    v = v * t->scale[k] + t->shift[k];
                    if (t->residual)
                        v += load(t->residual + at);
                    if (t->relu)
                        v = relu(v);
                    v = keep(v, t->mask);
                }
                store(t->out + at, v);
            }
        }
        if (finish == OWN_FINISH_STATS) {
            store(sums, pivot);
            store(sums + LANES, s1);
            store(sums + 2 * LANES, s2);
        }
    }
}

/* The tiles from `q` on of a band: places, and their transformed input. */
static void group_start(task *t, float *input, const own_conv *s, const float *in, const float *zero, int row0, int q,
                        int tiles) {
    const int across = (s->out_w + 1) / 2;
    t->tiles = tiles < WINO_T ? tiles : WINO_T;
    t->whole = t->tiles == WINO_T;
    for (int i = 0; i < t->tiles; i++) {
        const int oy = row0 + (q + i) / across * 2, ox = (q + i) % across * 2;
        for (int j = 0; j < 4; j++) {
            const int y = oy + j / 2, x = ox + j % 2;
            t->place[i].inside[j] = y < s->out_h && x < s->out_w;
            t->whole &= t->place[i].inside[j];
            t->place[i].out[j] = (size_t)(y * s->out_w + x) * (size_t)s->co * LANES;
        }
        tile_input(input + i * LANES, input_stride(s->ci), &(tile_source){in, zero, s->in_h, s->in_w, s->ci, s->ci}, oy,
                   ox);
    }
}

INLINE void task_run(const own_conv_call *call, const plan *p, const scratch *ws, int index, own_finish finish) {
    const own_conv *s = &call->shape;
    const int set = index / p->parts, block = index % p->parts / p->bands, band = index % p->bands;
    const size_t at = ((size_t)set * (size_t)p->blocks + (size_t)block) * block_floats(s->co, s->out_h, s->out_w);
    const float *in = call->in + ((s->in_shared ? 0 : (size_t)set * (size_t)p->blocks) + (size_t)block) *
                                     block_floats(s->ci, s->in_h, s->in_w);
    const float *packed = call->packed + (size_t)set * call->packed_stride;
    float *input = ws->threads + (size_t)omp_get_thread_num() * ws->thread_floats;
    float *products = input + ws->input_floats;
    task t = {.out = call->out + at, .mask = lane_mask(block_images(s->n, block)), .relu = call->relu};
    t.sums = products + ws->product_floats;
    if (finish == OWN_FINISH_FOLDED) {
        t.residual = call->residual ? call->residual + at : NULL;
        t.scale = call->scale + (size_t)set * (size_t)s->co;
        t.shift = call->shift + (size_t)set * (size_t)s->co;
    }
    const int row0 = band * p->band_rows;
    const int row1 = row0 + p->band_rows < s->out_h ? row0 + p->band_rows : s->out_h;
    const int tiles = (row1 - row0 + 1) / 2 * ((s->out_w + 1) / 2);
    const int padded = ceil_div(s->co, TILE_K) * TILE_K, chunk = chunk_outputs(s);
    for (int q = 0; q < tiles; q += WINO_T) {
        group_start(&t, input, s, in, ws->zero, row0, q, tiles - q);
        t.first = q == 0;
        const float *u = packed;
        for (int k0 = 0; k0 < padded; k0 += chunk) {
            const int width = padded - k0 < chunk ? padded - k0 : chunk;
            const size_t plane = (size_t)width * WINO_T * LANES;
            for (size_t i = 0; i < 16; i++)
                for (int c0 = 0; c0 < s->ci; c0 += CHANNEL_CHUNK) {
                    const size_t channels = (size_t)(s->ci - c0 < CHANNEL_CHUNK ? s->ci - c0 : CHANNEL_CHUNK);
                    const float *v = input + i * input_stride(s->ci) + (size_t)c0 * WINO_T * LANES;
                    for (int k = 0; k < width; k += TILE_K, u += channels * TILE_K) {
                        float *to = products + i * plane + (size_t)k * WINO_T * LANES;
                        if (c0 == 0)
                            multiply(to, u, v, channels, true);
                        else
                            multiply(to, u, v, channels, false);
                    }
                }
            const int k1 = k0 + width < s->co ? k0 + width : s->co;
            if (t.whole)
                group_finish(&t, products, plane, k0, k1, finish, true);
            else
                group_finish(&t, products, plane, k0, k1, finish, false);
        }
    }
    if (finish == OWN_FINISH_STATS)
        OWN(moments_part)
    (ws->parts + (size_t)index * (size_t)s->co * 3, t.sums, s->co, (row1 - row0) * s->out_w, s->n, block, 1);
}

void OWN(winograd)(const own_conv_call *call) {
    const own_conv *s = &call->shape;
    const plan p = plan_make(s);
    scratch ws;
    scratch_carve(&ws, s, call->workspace);
    memset(ws.zero, 0, (size_t)s->ci * LANES * sizeof(float));
    const int tasks = s->sets * p.parts;
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < tasks; i++) {
        switch (call->finish) {
        case OWN_FINISH_STORE:
            task_run(call, &p, &ws, i, OWN_FINISH_STORE);
            break;
        case OWN_FINISH_ADD:
            task_run(call, &p, &ws, i, OWN_FINISH_ADD);
            break;
        case OWN_FINISH_STATS:
            task_run(call, &p, &ws, i, OWN_FINISH_STATS);
            break;
        case OWN_FINISH_FOLDED:
            task_run(call, &p, &ws, i, OWN_FINISH_FOLDED);
            break;
        }
    }
    if (call->finish == OWN_FINISH_STATS)
        for (int set = 0; set < s->sets; set++)
            OWN(moments_merge)
    (call->mean + (size_t)set * call->stat_stride, call->var + (size_t)set * call->stat_stride,
     ws.parts + (size_t)set * (size_t)p.parts * (size_t)s->co * 3, p.parts, s->co);
}
