/* Correlation in the layout of the provider own: a lane is an image, so a product of two vectors is 16 samples of one
 * pair of units, and nothing has to be transposed.
 *
 * Work goes in chunks of CHUNK vectors (position and image block): both sides are packed, less their pivots, into
 * panels of SIDE_A and SIDE_B units; then each pair of panels is a register tile of SIDE_A x SIDE_B vector sums, whose
 * lanes are added up at the end and go to the cross products in double. A panel of b stays in the first-level cache,
 * BLOCK_A panels of a in the second. Packing also adds up sums and squares.
 */
#include "kernels/own/lane.h"

#include "kernels/correlation.h"

#include <omp.h>
#include <string.h>

enum { CHUNK = 64, AHEAD = 6, SIDE_MAX = 6 };
#if defined(__AVX512F__)
enum { SIDE_A = 4, SIDE_B = 6, BLOCK_A = 16 };
#else
enum { SIDE_A = 3, SIDE_B = 3, BLOCK_A = 16 };
#endif

/* One side of the product. */
typedef struct side {
    const mmc_activation *x;
    bool relu;
    int vectors;                  /* of the batch: positions times image blocks */
    float *packed;                /* (panels, CHUNK, SIDE_A or SIDE_B) vectors */
    double *pivot, *sum, *square; /* (C) */
} side;

INLINE float lanes_sum(vf v) {
    float t[LANES];
    memcpy(t, &v, sizeof t);
    UNROLL
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int i = 0; i < step; i++)
            t[i] += t[i + step];
    return t[0];
}

/* Vector `at` of a unit, after the ReLU where one is asked for. */
INLINE vf value_load(const side *s, int at, int unit) {
    const vf v = load((const float *)s->x->data + ((size_t)at * (size_t)s->x->c + (size_t)unit) * LANES);
    return s->relu ? relu(v) : v;
}

/* Units first..first+width-1 over `count` vectors from `start` on; units beyond the last are zeros. The units of a
 * panel lie next to each other, the next vector a whole position further: it is fetched ahead. */
INLINE void panel_fill(const side *s, int panel, int start, int count, const int width) {
    const mmc_activation *x = s->x;
    const int c = x->c, whole = x->n / LANES * x->h * x->w, first = panel * width;
    const int units = c - first < width ? c - first : width;
    const size_t step = (size_t)c * LANES;
    const float *in = (const float *)x->data + (size_t)start * step + (size_t)first * LANES;
    float *out = s->packed + (size_t)panel * (size_t)(CHUNK * width * LANES);
    const bool positive = s->relu;
    vf pivot[SIDE_MAX], sum[SIDE_MAX], square[SIDE_MAX];
    UNROLL
    for (int k = 0; k < width; k++) {
        pivot[k] = (k < units ? (float)s->pivot[first + k] : 0) - (vf){0};
        sum[k] = square[k] = (vf){0};
    }
    for (int i = 0; i < count; i++, in += step) {
        UNROLL
        for (int k = 0; k < width; k++) {
            vf v = {0};
            if (k < units) {
                if (start + i + AHEAD < s->vectors)
                    __builtin_prefetch(in + AHEAD * step + (size_t)(k * LANES));
                v = load(in + k * LANES);
                v = (positive ? relu(v) : v) - pivot[k];
                if (start + i >= whole)
                    v = keep(v, lane_mask(x->n % LANES));
            }
            sum[k] += v;
            square[k] += v * v;
            store(out + (size_t)(i * width + k) * LANES, v);
        }
    }
    for (int k = 0; k < units; k++) {
        s->sum[first + k] += (double)lanes_sum(sum[k]);
        s->square[first + k] += (double)lanes_sum(square[k]);
    }
}

/* cross (A,B) += the products of one panel of each side. */
static void tile_add(double *cross, const side *a, const side *b, int panel_a, int panel_b, int count) {
    const float *pa = a->packed + (size_t)panel_a * (CHUNK * SIDE_A * LANES);
    const float *pb = b->packed + (size_t)panel_b * (CHUNK * SIDE_B * LANES);
    vf sum[SIDE_A][SIDE_B] = {{{0}}};
    for (int i = 0; i < count; i++, pa += SIDE_A * LANES, pb += SIDE_B * LANES) {
        vf y[SIDE_B];
        UNROLL
        for (int j = 0; j < SIDE_B; j++)
            y[j] = load(pb + j * LANES);
        UNROLL
        for (int k = 0; k < SIDE_A; k++) {
            const vf x = load(pa + k * LANES);
            UNROLL
            for (int j = 0; j < SIDE_B; j++)
                sum[k][j] += x * y[j];
        }
    }
    const int first_a = panel_a * SIDE_A, first_b = panel_b * SIDE_B;
    UNROLL
    for (int k = 0; k < SIDE_A; k++) {
        if (first_a + k >= a->x->c)
            break;
        double *out = cross + (size_t)(first_a + k) * (size_t)b->x->c + first_b;
        UNROLL
        for (int j = 0; j < SIDE_B; j++)
            if (first_b + j < b->x->c)
                out[j] += (double)lanes_sum(sum[k][j]);
    }
}

/* Means over the first chunk of the first batch, in float: any value near the mean will do. */
static void pivot_take(const side *s) {
    const mmc_activation *x = s->x;
    const int plane = x->h * x->w, vectors = block_count(x->n) * plane, count = vectors < CHUNK ? vectors : CHUNK;
    for (int unit = 0; unit < x->c; unit++) {
        vf sum = {0};
        int samples = 0;
        for (int at = 0; at < count; at++) {
            sum += value_load(s, at, unit);
            samples += block_images(x->n, at / plane);
        }
        s->pivot[unit] = (double)(lanes_sum(sum) / (float)samples);
    }
}

static size_t side_floats(int units, int width) {
    return (size_t)ceil_div(units, width) * (size_t)(CHUNK * width * LANES);
}

static size_t own_workspace_size(mmc_queue *queue, const mmc_activation *a, const mmc_activation *b) {
    (void)queue;
    return (side_floats(a->c, SIDE_A) + side_floats(b->c, SIDE_B)) * sizeof(float);
}

static mmc_status own_add(mmc_queue *queue, const mmc_correlation_call *call) {
    const mmc_activation *x = call->a, *y = call->b;
    MMC_TRY(mmc_correlation_call_check(call, own_workspace_size(queue, x, y)));
    double *p = call->state;
    side a = {.x = x, .relu = call->relu, .packed = call->workspace};
    side b = {.x = y, .relu = call->relu, .packed = a.packed + side_floats(x->c, SIDE_A)};
    a.pivot = p;
    b.pivot = a.pivot + x->c;
    a.sum = b.pivot + y->c;
    b.sum = a.sum + x->c;
    a.square = b.sum + y->c;
    b.square = a.square + x->c;
    double *cross = b.square + y->c;
    if (call->first) {
        memset(call->state, 0, mmc_correlation_state_count(x->c, y->c) * sizeof(double));
        pivot_take(&a);
        pivot_take(&b);
    }
    const int vectors = block_count(x->n) * x->h * x->w;
    a.vectors = b.vectors = vectors;
    const int panels_a = ceil_div(x->c, SIDE_A), panels_b = ceil_div(y->c, SIDE_B);
    const int blocks = ceil_div(panels_a, BLOCK_A);
#pragma omp parallel
    for (int start = 0; start < vectors; start += CHUNK) {
        const int count = vectors - start < CHUNK ? vectors - start : CHUNK;
#pragma omp for schedule(static)
        for (int panel = 0; panel < panels_a + panels_b; panel++)
            if (panel < panels_a)
                panel_fill(&a, panel, start, count, SIDE_A);
            else
                panel_fill(&b, panel - panels_a, start, count, SIDE_B);
#pragma omp for schedule(static) collapse(2)
        for (int block = 0; block < blocks; block++)
            for (int j = 0; j < panels_b; j++) {
                const int end = (block + 1) * BLOCK_A < panels_a ? (block + 1) * BLOCK_A : panels_a;
                for (int i = block * BLOCK_A; i < end; i++)
                    tile_add(cross, &a, &b, i, j, count);
            }
    }
    return MMC_OK;
}

extern const mmc_correlation_ops OWN(correlation_table);
const mmc_correlation_ops OWN(correlation_table) = {
    .name = "own",
    .workspace_size = own_workspace_size,
    .add = own_add,
    .finish = mmc_correlation_finish_host,
};
