#include "kernels/own/conv.h"

#include "kernels/own/moments.h"
#include "kernels/own/winograd.h"

#include <omp.h>
#include <string.h>

enum { TAPS_MAX = 9, BAND_PIXELS = 256 };

own_conv OWN(conv_forward)(const mmc_unit_shape *s, int sets) {
    return (own_conv){.sets = sets,
                      .n = s->n,
                      .ci = s->c,
                      .in_h = s->h,
                      .in_w = s->w,
                      .co = s->k,
                      .out_h = mmc_unit_out_h(s),
                      .out_w = mmc_unit_out_w(s),
                      .r = s->r,
                      .stride = s->stride};
}

own_conv OWN(conv_backward)(const mmc_unit_shape *s) {
    return (own_conv){.sets = 1,
                      .n = s->n,
                      .ci = s->k,
                      .in_h = mmc_unit_out_h(s),
                      .in_w = mmc_unit_out_w(s),
                      .co = s->c,
                      .out_h = s->h,
                      .out_w = s->w,
                      .r = s->r,
                      .stride = s->stride,
                      .backward = true};
}

size_t OWN(conv_pack_floats)(const own_conv *shape) {
    if (OWN(winograd_fits)(shape))
        return OWN(winograd_pack_floats)(shape);
    return (size_t)ceil_div(shape->co, TILE_K) * TILE_K * (size_t)shape->ci * (size_t)(shape->r * shape->r);
}

/* Channels that are summed before the next outputs: their pixels of a tile stay in the first cache. */
INLINE int chunk_channels(const own_conv *s) {
    const int chunk = 16 * 9 / (s->r * s->r);
    return s->ci < chunk ? s->ci : chunk;
}

/* [channel chunk][output block][tap][channel][TILE_K]: the order in which the products run. */
void OWN(conv_pack)(float *packed, const own_conv *shape, const float *w) {
    if (OWN(winograd_fits)(shape)) {
        OWN(winograd_pack)(packed, shape, w);
        return;
    }
    const int co = shape->co, ci = shape->ci, taps = shape->r * shape->r, chunk = chunk_channels(shape);
    const int padded = ceil_div(co, TILE_K) * TILE_K;
#pragma omp parallel for schedule(static)
    for (int k = 0; k < padded; k++)
        for (int c = 0; c < ci; c++) {
            const int c0 = c / chunk * chunk, channels = ci - c0 < chunk ? ci - c0 : chunk;
            const size_t at = shape->backward ? (size_t)c * (size_t)co + (size_t)k : (size_t)k * (size_t)ci + (size_t)c;
            float *to = packed + (size_t)c0 * (size_t)(taps * padded) +
                        (size_t)(k / TILE_K) * (size_t)(taps * channels * TILE_K) + (size_t)(k % TILE_K);
            for (int tap = 0; tap < taps; tap++)
                to[(tap * channels + c - c0) * TILE_K] = k < co ? w[at * (size_t)taps + (size_t)tap] : 0.0f;
        }
}

/* How the output is cut into tasks: a function of the shape alone, so that sums do not depend on the threads. */
typedef struct plan {
    int blocks;    /* image blocks of a set */
    bool across;   /* a tile takes its pixels from TILE_P image blocks: small planes, where border taps are many */
    int group;     /* image blocks of a task */
    int groups;    /* groups of a set */
    int band_rows; /* output rows of a task */
    int bands;
    int parts; /* tasks of a set */
} plan;

static plan plan_make(const own_conv *s) {
    plan p = {.blocks = block_count(s->n)};
    p.across = s->out_h * s->out_w <= 16 && p.blocks > 1;
    p.group = p.across ? TILE_P : 1;
    p.groups = ceil_div(p.blocks, p.group);
    p.band_rows = BAND_PIXELS / s->out_w;
    p.band_rows = p.band_rows < 1 ? 1 : p.band_rows > s->out_h ? s->out_h : p.band_rows;
    p.bands = ceil_div(s->out_h, p.band_rows);
    p.parts = p.groups * p.bands;
    return p;
}

/* Workspace: zero vectors, column order and offsets, partial moments, and what each thread needs. */
typedef struct scratch {
    float *zero;
    int32_t *column;   /* (out_w): order in which the columns of a row are taken */
    ptrdiff_t *source; /* (R, out_w): float offset of the input column within its row, -1 outside */
    double *parts;     /* (sets * parts, co, 3) */
    float *threads;    /* of each thread: moments (co, 3, LANES), partial sums of a tile */
    size_t sums_floats, thread_floats;
} scratch;

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
    CARVE(column, (size_t)s->out_w * sizeof(int32_t));
    CARVE(source, (size_t)s->r * (size_t)s->out_w * sizeof(ptrdiff_t));
    CARVE(parts, (size_t)s->sets * (size_t)p.parts * (size_t)s->co * 3 * sizeof(double));
    const size_t sums_floats = (size_t)ceil_div(s->co, TILE_K) * TILE_K * 3 * LANES;
    const size_t thread = sums_floats + (size_t)ceil_div(s->co, TILE_K) * TILE_K * TILE_P * LANES;
    CARVE(threads, (size_t)omp_get_max_threads() * thread * sizeof(float));
#undef CARVE
    if (out) {
        out->sums_floats = sums_floats;
        out->thread_floats = thread;
    }
    return used;
}

size_t OWN(conv_workspace)(const own_conv *shape) {
    return OWN(winograd_fits)(shape) ? OWN(winograd_workspace)(shape) : scratch_carve(NULL, shape, NULL);
}

/* Input row or column that tap `tap` of output `o` reads; -1: outside or between the strides. */
INLINE int source_of(const own_conv *s, int o, int tap, int in) {
    const int pad = s->r / 2;
    int i;
    if (s->backward) {
        const int at = o + pad - tap;
        if (at < 0 || at % s->stride != 0)
            return -1;
        i = at / s->stride;
    } else
        i = o * s->stride + tap - pad;
    return i >= 0 && i < in ? i : -1;
}

/* Columns of one stride phase together, so that a tile backward by data has its taps in common. */
static void columns_fill(const scratch *ws, const own_conv *s) {
    const int phases = s->backward ? s->stride : 1;
    int at = 0;
    for (int phase = 0; phase < phases; phase++)
        for (int x = phase; x < s->out_w; x += phases)
            ws->column[at++] = x;
    for (int tap = 0; tap < s->r; tap++)
        for (int i = 0; i < s->out_w; i++) {
            const int column = source_of(s, ws->column[i], tap, s->in_w);
            ws->source[tap * s->out_w + i] = column < 0 ? -1 : (ptrdiff_t)column * s->ci * LANES;
        }
}

/* One tile: its taps and where its pixels lie. */
typedef struct tile {
    int taps;
    int pixels;                        /* <= TILE_P that are stored */
    const float *in[TAPS_MAX][TILE_P]; /* channel 0 of the pixel that a tap reads */
    int tap[TAPS_MAX];                 /* index of the tap among the weights */
    size_t out[TILE_P];                /* float offset of channel 0 of the output pixel */
    vi mask[TILE_P];                   /* lanes that hold an image */
} tile;

/* acc = products of the channels [c0, c0 + channels), added to `before` where that is not NULL; fetches the weights
 * that lie `ahead`, those of the next outputs: large filters come from the third cache for every tile. */
INLINE void tile_sum(vf acc[TILE_K][TILE_P], const tile *t, const float *w, int c0, int channels, const float *before,
                     size_t ahead) {
    UNROLL
    for (int k = 0; k < TILE_K; k++)
        UNROLL
    for (int p = 0; p < TILE_P; p++) {
        acc[k][p] = (vf){0};
        if (before)
            acc[k][p] = load(before + (k * TILE_P + p) * LANES);
    }
    for (int i = 0; i < t->taps; i++) {
        const float *in[TILE_P];
        UNROLL
        for (int p = 0; p < TILE_P; p++)
            in[p] = t->in[i][p] + (size_t)c0 * LANES;
        const float *tw = w + (size_t)t->tap[i] * (size_t)channels * TILE_K;
        for (int line = 0; line < channels * TILE_K; line += 16)
            __builtin_prefetch(tw + ahead + line);
        for (size_t c = 0; c < (size_t)channels; c++) {
            vf x[TILE_P];
            UNROLL
            for (int p = 0; p < TILE_P; p++)
                x[p] = load(in[p] + c * LANES);
            UNROLL
            for (int k = 0; k < TILE_K; k++)
                UNROLL
            for (int p = 0; p < TILE_P; p++)
                acc[k][p] += tw[c * TILE_K + (size_t)k] * x[p];
        }
    }
}

/* Moments of one channel over the pixels so far, about a pivot of each lane: its first value. */
INLINE void sums_add(float *sums, const vf *z, const tile *t, bool first) {
    vf pivot = first ? z[0] : load(sums);
    vf s1 = load(sums + LANES), s2 = load(sums + 2 * LANES);
    if (first) {
        s1 = s2 = (vf){0};
        store(sums, pivot);
    }
    UNROLL
    for (int p = 0; p < TILE_P; p++) {
        if (p >= t->pixels)
            break;
        const vf d = keep(z[p] - pivot, t->mask[p]);
        s1 += d;
        s2 += d * d;
    }
    store(sums + LANES, s1);
    store(sums + 2 * LANES, s2);
}

/* The outputs from k0 on of one tile. */
INLINE void tile_finish(const own_conv_call *call, const tile *t, vf acc[TILE_K][TILE_P], int k0, float *out,
                        const float *residual, const float *scale, const float *shift, float *sums, bool first,
                        own_finish finish) {
    UNROLL
    for (int k = 0; k < TILE_K; k++) {
        if (k0 + k >= call->shape.co)
            break;
        if (finish == OWN_FINISH_STATS)
            sums_add(sums + (size_t)(k0 + k) * 3 * LANES, acc[k], t, first);
        UNROLL
        for (int p = 0; p < TILE_P; p++) {
            if (p >= t->pixels)
                break;
            const size_t at = t->out[p] + (size_t)(k0 + k) * LANES;
            vf v = acc[k][p];
            if (finish == OWN_FINISH_ADD)
                v += load(out + at);
            if (finish == OWN_FINISH_FOLDED) {
                v = v * scale[k0 + k] + shift[k0 + k];
                if (residual)
                    v += load(residual + at);
                if (call->relu)
                    v = relu(v);
                v = keep(v, t->mask[p]);
            }
            store(out + at, v);
        }
    }
}

/* All outputs of one tile; `partial` holds the sums of the chunks of channels so far. */
INLINE void tile_run(const own_conv_call *call, const tile *t, const float *w, float *partial, float *out,
                     const float *residual, const float *scale, const float *shift, float *sums, bool first,
                     own_finish finish) {
    const int co = call->shape.co, ci = call->shape.ci, chunk = chunk_channels(&call->shape);
    for (int c0 = 0; c0 < ci; c0 += chunk) {
        const int channels = ci - c0 < chunk ? ci - c0 : chunk;
        float *part = partial;
        for (int k0 = 0; k0 < co; k0 += TILE_K, part += TILE_K * TILE_P * LANES) {
            vf acc[TILE_K][TILE_P];
            const size_t block = (size_t)(call->shape.r * call->shape.r) * (size_t)channels * TILE_K;
            tile_sum(acc, t, w, c0, channels, c0 ? part : NULL, block);
            w += block;
            if (c0 + chunk >= ci) {
                tile_finish(call, t, acc, k0, out, residual, scale, shift, sums, first, finish);
                continue;
            }
            UNROLL
            for (int k = 0; k < TILE_K; k++)
                UNROLL
            for (int p = 0; p < TILE_P; p++)
                store(part + (k * TILE_P + p) * LANES, acc[k][p]);
        }
    }
}

/* Taps of the output row `oh`: their number, input rows and indices. */
typedef struct row_taps {
    int count, row[3], tap[3];
} row_taps;

static row_taps row_taps_of(const own_conv *s, int oh) {
    row_taps r = {0};
    for (int tap = 0; tap < s->r; tap++) {
        const int row = source_of(s, oh, tap, s->in_h);
        if (row < 0)
            continue;
        r.row[r.count] = row;
        r.tap[r.count++] = tap;
    }
    return r;
}

/* A tile along a row of one image block. */
INLINE void tile_along(tile *t, const own_conv *s, const scratch *ws, const float *in, const row_taps *rows, int oh,
                       int x0) {
    t->taps = 0;
    t->pixels = s->out_w - x0 < TILE_P ? s->out_w - x0 : TILE_P;
    for (int p = 0; p < t->pixels; p++)
        t->out[p] = (size_t)(oh * s->out_w + ws->column[x0 + p]) * (size_t)s->co * LANES;
    for (int i = 0; i < rows->count; i++) {
        const float *row = in + (size_t)rows->row[i] * (size_t)s->in_w * (size_t)s->ci * LANES;
        for (int tap = 0; tap < s->r; tap++) {
            const ptrdiff_t *source = ws->source + tap * s->out_w + x0;
            bool any = false;
            for (int p = 0; p < TILE_P; p++) {
                const bool inside = p < t->pixels && source[p] >= 0;
                t->in[t->taps][p] = inside ? row + source[p] : ws->zero;
                any |= inside;
            }
            t->tap[t->taps] = rows->tap[i] * s->r + tap;
            t->taps += any;
        }
    }
}

/* A tile of the same pixel of several image blocks. */
INLINE void tile_across(tile *t, const own_conv *s, const scratch *ws, const float *in, const row_taps *rows, int oh,
                        int x, int blocks) {
    const size_t in_block = block_floats(s->ci, s->in_h, s->in_w), out_block = block_floats(s->co, s->out_h, s->out_w);
    t->taps = 0;
    t->pixels = blocks;
    for (int p = 0; p < blocks; p++)
        t->out[p] = (size_t)(oh * s->out_w + ws->column[x]) * (size_t)s->co * LANES + (size_t)p * out_block;
    for (int i = 0; i < rows->count; i++)
        for (int tap = 0; tap < s->r; tap++) {
            const ptrdiff_t source = ws->source[tap * s->out_w + x];
            if (source < 0)
                continue;
            const float *pixel = in + (size_t)rows->row[i] * (size_t)s->in_w * (size_t)s->ci * LANES + source;
            for (int p = 0; p < TILE_P; p++)
                t->in[t->taps][p] = p < blocks ? pixel + (size_t)p * in_block : ws->zero;
            t->tap[t->taps++] = rows->tap[i] * s->r + tap;
        }
}

/* One task; `finish` is a constant at each call, so each finish is its own code. */
INLINE void task_run(const own_conv_call *call, const plan *p, const scratch *ws, int set, int group, int band,
                     own_finish finish) {
    const own_conv *s = &call->shape;
    const int block0 = group * p->group;
    const int blocks = p->blocks - block0 < p->group ? p->blocks - block0 : p->group;
    const size_t in_block = block_floats(s->ci, s->in_h, s->in_w), out_block = block_floats(s->co, s->out_h, s->out_w);
    const size_t out_at = ((size_t)set * (size_t)p->blocks + (size_t)block0) * out_block;
    const float *in = call->in + ((s->in_shared ? 0 : (size_t)set * (size_t)p->blocks) + (size_t)block0) * in_block;
    float *out = call->out + out_at;
    const float *residual = finish == OWN_FINISH_FOLDED && call->residual ? call->residual + out_at : NULL;
    const float *w = call->packed + (size_t)set * call->packed_stride;
    const float *scale = finish == OWN_FINISH_FOLDED ? call->scale + (size_t)set * (size_t)s->co : NULL;
    const float *shift = finish == OWN_FINISH_FOLDED ? call->shift + (size_t)set * (size_t)s->co : NULL;
    float *sums = ws->threads + (size_t)omp_get_thread_num() * ws->thread_floats, *partial = sums + ws->sums_floats;
    const int row0 = band * p->band_rows;
    const int row1 = row0 + p->band_rows < s->out_h ? row0 + p->band_rows : s->out_h;

    tile t;
    for (int i = 0; i < TILE_P; i++)
        t.mask[i] = lane_mask(block_images(s->n, block0 + (p->across && i < blocks ? i : 0)));
    for (int oh = row0; oh < row1; oh++) {
        const row_taps rows = row_taps_of(s, oh);
        for (int x = 0; x < s->out_w; x += p->across ? 1 : TILE_P) {
            if (p->across)
                tile_across(&t, s, ws, in, &rows, oh, x, blocks);
            else
                tile_along(&t, s, ws, in, &rows, oh, x);
            if (finish == OWN_FINISH_ADD && t.taps == 0)
                continue;
            tile_run(call, &t, w, partial, out, residual, scale, shift, sums, oh == row0 && x == 0, finish);
        }
    }
    if (finish == OWN_FINISH_STATS)
        OWN(moments_part)
    (ws->parts + ((size_t)set * (size_t)p->parts + (size_t)(group * p->bands + band)) * (size_t)s->co * 3, sums, s->co,
     (row1 - row0) * s->out_w, s->n, block0, blocks);
}

void OWN(conv)(const own_conv_call *call) {
    const own_conv *s = &call->shape;
    if (OWN(winograd_fits)(s)) {
        OWN(winograd)(call);
        return;
    }
    const plan p = plan_make(s);
    scratch ws;
    scratch_carve(&ws, s, call->workspace);
    memset(ws.zero, 0, (size_t)s->ci * LANES * sizeof(float));
    columns_fill(&ws, s);
    const int tasks = s->sets * p.parts;
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < tasks; i++) {
        const int set = i / p.parts, group = i % p.parts / p.bands, band = i % p.bands;
        switch (call->finish) {
        case OWN_FINISH_STORE:
            task_run(call, &p, &ws, set, group, band, OWN_FINISH_STORE);
            break;
        case OWN_FINISH_ADD:
            task_run(call, &p, &ws, set, group, band, OWN_FINISH_ADD);
            break;
        case OWN_FINISH_STATS:
            task_run(call, &p, &ws, set, group, band, OWN_FINISH_STATS);
            break;
        case OWN_FINISH_FOLDED:
            task_run(call, &p, &ws, set, group, band, OWN_FINISH_FOLDED);
            break;
        }
    }
    if (call->finish == OWN_FINISH_STATS)
        for (int set = 0; set < s->sets; set++)
            OWN(moments_merge)
    (call->mean + (size_t)set * call->stat_stride, call->var + (size_t)set * call->stat_stride,
     ws.parts + (size_t)set * (size_t)p.parts * (size_t)s->co * 3, p.parts, s->co);
}
