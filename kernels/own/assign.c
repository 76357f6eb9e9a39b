/* The assignment problem, vectorised over columns; problems of a batch on the threads. Integers of 32 bits where the
 * costs allow it, else of 64. */
#include "kernels/own/assign_tie.h"
#include "kernels/own/lane.h"

#include "kernels/assign.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

/* Augmenting row reduction ends after ROW_BUDGET n displacements: beyond, shortest paths are the quicker way. NARROW:
 * largest cost solved in 32 bits. REDUCED: rows of the column reduction at a time. */
enum { ROW_BUDGET = 2, NARROW = 1 << 25, REDUCED = 8 };
enum { FAR32 = 1 << 29, FARTHEST32 = 1 << 30 };
#define FAR64 ((int64_t)1 << 61)
#define FARTHEST64 ((int64_t)1 << 62)

#if defined(__AVX512F__)
typedef __mmask16 mask32;
typedef __mmask8 mask64;
#define mask_less32 _mm512_cmplt_epi32_mask
#define mask_less64 _mm512_cmplt_epi64_mask
#define mask_equal32 _mm512_cmpeq_epi32_mask
#define mask_equal64 _mm512_cmpeq_epi64_mask
#define mask_take32 _mm512_mask_mov_epi32
#define mask_take64 _mm512_mask_mov_epi64
#define lanes_pick32 _mm512_maskz_compress_epi32
#define lanes_pick64 _mm512_maskz_compress_epi64
#define least32 _mm512_min_epi32
#define least64 _mm512_min_epi64
#elif defined(__AVX2__)
#define sign_bits32(x) _mm256_movemask_ps(_mm256_castsi256_ps(x))
#define sign_bits64(x) _mm256_movemask_pd(_mm256_castsi256_pd(x))
#endif

#define WORD int32_t
#define W(name) name##32
#include "kernels/own/assign_core.inc"
#undef WORD
#undef W
#define WORD int64_t
#define W(name) name##64
#include "kernels/own/assign_core.inc"
#undef WORD
#undef W

#if defined(__AVX512F__)
#include "kernels/own/assign_few.inc"
#endif

/* `largest`: magnitude of the costs. */
static void solve_narrow(solver32 *s, uint32_t largest) {
#if defined(__AVX512F__)
    if (largest <= CARRIED) {
        /* with few columns a path is as quick as a displacement */
        switch (s->width) {
        case 64:
            few_finish_64(s, begin32(s, 0));
            return;
        case 128:
            few_finish_128(s, begin32(s, 0));
            return;
        case 256:
            few_finish_256(s, begin32(s, 0));
            return;
        }
    }
#else
    (void)largest;
#endif
    finish32(s, begin32(s, ROW_BUDGET * s->n));
}

/* Places arrays one after another, each aligned to a vector. */
typedef struct shelf {
    char *at;
    size_t used;
} shelf;

static void *shelf_take(shelf *s, size_t size) {
    void *out = s->at ? s->at + s->used : NULL;
    s->used += (size + 63) / 64 * 64;
    return out;
}

typedef struct solver {
    solver32 narrow;
    solver64 wide;
    tie_work tie;
    uint64_t *tight;
    int64_t *u;
} solver;

/* The arrays of a problem of n rows in one thread's workspace (NULL: counts bytes only). The two widths of integers
 * share memory, for one of them is used. */
static size_t solver_place(solver *s, void *workspace, int n) {
    const size_t count = (size_t)n, width = (count + LANES - 1) / LANES * LANES, words = (width + 63) / 64;
    shelf place = {.at = workspace};
    solver64 *w = &s->wide;
    w->n = n;
    w->width = (int)width;
    w->cost = shelf_take(&place, count * width * sizeof(int64_t));
    w->v = shelf_take(&place, width * sizeof(int64_t));
    w->sight = shelf_take(&place, width * sizeof(int64_t));
    w->distance = shelf_take(&place, width * sizeof(int64_t));
    w->before = shelf_take(&place, width * sizeof(int64_t));
    w->done_at = shelf_take(&place, count * sizeof(int64_t));
    int32_t *list[6];
    for (int i = 0; i < 6; i++)
        list[i] = shelf_take(&place, count * sizeof(int32_t));
    w->done = list[0];
    w->from = list[1];
    w->row = list[2];
    w->column = list[3];
    w->waiting = list[4];
    s->narrow = (solver32){.n = n,
                           .width = (int)width,
                           .cost = (int32_t *)w->cost,
                           .v = (int32_t *)w->v,
                           .sight = (int32_t *)w->sight,
                           .distance = (int32_t *)w->distance,
                           .before = (int32_t *)w->before,
                           .done_at = (int32_t *)w->done_at,
                           .done = w->done,
                           .from = w->from,
                           .row = w->row,
                           .column = w->column,
                           .waiting = w->waiting};
    s->tight = shelf_take(&place, count * words * sizeof(uint64_t));
    s->tie = (tie_work){.n = n,
                        .words = (int)words,
                        .tight = s->tight,
                        .row = w->row,
                        .column = w->column,
                        .part = w->done,
                        .order = w->from,
                        .low = w->waiting,
                        .stack = list[5],
                        .call = shelf_take(&place, count * sizeof(int32_t)),
                        .cursor = shelf_take(&place, count * sizeof(int32_t)),
                        .barred = shelf_take(&place, words * sizeof(uint64_t))};
    s->u = shelf_take(&place, count * sizeof(int64_t));
    return place.used;
}

/* A problem's costs as they were given. */
typedef struct source {
    const void *cost;
    size_t stride;
    mmc_assign_type type;
    int n;
    bool maximise;
} source;

static double source_at(const source *s, int i, int j) {
    const size_t at = (size_t)i * s->stride + (size_t)j;
    switch (s->type) {
    case MMC_ASSIGN_I32:
        return (double)((const int32_t *)s->cost)[at];
    case MMC_ASSIGN_I64:
        return (double)((const int64_t *)s->cost)[at];
    case MMC_ASSIGN_F32:
        return (double)((const float *)s->cost)[at];
    default:
        return ((const double *)s->cost)[at];
    }
}

/* Least and largest entry of a row, floats as the bits of their magnitude: these are ordered like the values, with
 * infinity and NaN above all finite ones. */
#define DEFINE_EXTREMES(name, type, get)                                                                               \
    static void name(const void *cost, size_t first, int n, int64_t *low, int64_t *high) {                             \
        const type *c = (const type *)cost + first;                                                                    \
        type a = (get), b = a;                                                                                         \
        for (int j = 0; j < n; j++, c++) {                                                                             \
            const type x = (get);                                                                                      \
            a = x < a ? x : a;                                                                                         \
            b = x > b ? x : b;                                                                                         \
        }                                                                                                              \
        *low = (int64_t)a;                                                                                             \
        *high = (int64_t)b;                                                                                            \
    }
DEFINE_EXTREMES(extremes_i32, int32_t, *c)
DEFINE_EXTREMES(extremes_i64, int64_t, *c)
DEFINE_EXTREMES(extremes_f32, int32_t, *c &INT32_MAX)
DEFINE_EXTREMES(extremes_f64, int64_t, *c &INT64_MAX)

typedef void (*extremes_function)(const void *cost, size_t first, int n, int64_t *low, int64_t *high);
static const extremes_function extremes[] = {
    [MMC_ASSIGN_I32] = extremes_i32,
    [MMC_ASSIGN_I64] = extremes_i64,
    [MMC_ASSIGN_F32] = extremes_f32,
    [MMC_ASSIGN_F64] = extremes_f64,
};

static bool entry_refused(const source *s, int i, int j, int64_t limit) {
    int64_t low, high;
    extremes[s->type](s->cost, (size_t)i * s->stride + (size_t)j, 1, &low, &high);
    return high > limit || low < -limit;
}

/* Finds the unit of floating-point costs; false: an entry is refused. */
static bool source_check(const source *s, mmc_assign_result *result) {
    const bool floats = s->type == MMC_ASSIGN_F32 || s->type == MMC_ASSIGN_F64;
    const int64_t limit = s->type == MMC_ASSIGN_F32   ? 0x7f7fffff
                          : s->type == MMC_ASSIGN_F64 ? 0x7fefffffffffffff
                                                      : mmc_assign_limit(s->n);
    int64_t largest = 0;
    for (int i = 0; i < s->n; i++) {
        int64_t low, high;
        extremes[s->type](s->cost, (size_t)i * s->stride, s->n, &low, &high);
        if (high > limit || low < -limit) {
            int j = 0;
            while (!entry_refused(s, i, j, limit))
                j++;
            result->state = floats ? MMC_ASSIGN_NOT_FINITE : MMC_ASSIGN_TOO_LARGE;
            result->row = i;
            result->column = j;
            return false;
        }
        largest = high > largest ? high : largest;
    }
    if (!floats)
        return true;
    double magnitude;
    if (s->type == MMC_ASSIGN_F32) {
        const int32_t bits = (int32_t)largest;
        float narrow;
        memcpy(&narrow, &bits, sizeof narrow);
        magnitude = (double)narrow;
    } else
        memcpy(&magnitude, &largest, sizeof magnitude);
    frexp(magnitude, &result->exponent); /* magnitude < 2^exponent */
    result->exponent = magnitude > 0 ? result->exponent - mmc_assign_bits(s->n) : 0;
    return true;
}

/* One row as integers to be minimised. Floats are scaled in two steps, each by a power of two in range. */
#define DEFINE_TAKE(name, from, to, expression)                                                                        \
    static void name(to *out, const void *cost, size_t first, int n, bool maximise, double scale1, double scale2) {    \
        const from *c = (const from *)cost + first;                                                                    \
        const to flip = maximise ? -1 : 0;                                                                             \
        (void)scale1;                                                                                                  \
        (void)scale2;                                                                                                  \
        for (int j = 0; j < n; j++)                                                                                    \
            out[j] = ((to)(expression) ^ flip) - flip;                                                                 \
    }
DEFINE_TAKE(take_i32, int32_t, int64_t, c[j])
DEFINE_TAKE(take_i64, int64_t, int64_t, c[j])
DEFINE_TAKE(take_f32, float, int64_t, rint((double)c[j] * scale1 * scale2))
DEFINE_TAKE(take_f64, double, int64_t, rint(c[j] * scale1 * scale2))

/* One row of integer type as narrow ones to be minimised, unless they are not; returns their largest magnitude. */
#define DEFINE_TAKE_NARROW(name, from, word)                                                                           \
    static word name(int32_t *out, const void *cost, size_t first, int n, bool maximise) {                             \
        const from *c = (const from *)cost + first;                                                                    \
        const uint32_t flip = maximise ? UINT32_MAX : 0;                                                               \
        word largest = 0;                                                                                              \
        for (int j = 0; j < n; j++) {                                                                                  \
            const word magnitude = c[j] < 0 ? 0 - (word)c[j] : (word)c[j];                                             \
            largest = magnitude > largest ? magnitude : largest;                                                       \
            out[j] = (int32_t)(((uint32_t)c[j] ^ flip) - flip);                                                        \
        }                                                                                                              \
        return largest;                                                                                                \
    }
DEFINE_TAKE_NARROW(take_i32_narrow, int32_t, uint32_t)
DEFINE_TAKE_NARROW(take_i64_narrow, int64_t, uint64_t)

/* Takes costs of integer type while they turn out to be narrow; false: one is not. */
static bool take_narrow(solver32 *out, const source *s, uint32_t *largest) {
    *largest = 0;
    for (int i = 0; i < s->n; i++) {
        int32_t *row = out->cost + (size_t)i * (size_t)out->width;
        const size_t first = (size_t)i * s->stride;
        const uint64_t found = s->type == MMC_ASSIGN_I32 ? take_i32_narrow(row, s->cost, first, s->n, s->maximise)
                                                         : take_i64_narrow(row, s->cost, first, s->n, s->maximise);
        if (found > NARROW)
            return false;
        *largest = found > *largest ? (uint32_t)found : *largest;
        for (int j = s->n; j < out->width; j++)
            row[j] = FAR32;
        if (i % REDUCED == REDUCED - 1 || i == s->n - 1)
            reduce_by32(out, i / REDUCED * REDUCED, i + 1);
    }
    return true;
}

static void take_wide(solver64 *out, const source *s, int exponent) {
    static void (*const take[])(int64_t *, const void *, size_t, int, bool, double, double) = {
        [MMC_ASSIGN_I32] = take_i32,
        [MMC_ASSIGN_I64] = take_i64,
        [MMC_ASSIGN_F32] = take_f32,
        [MMC_ASSIGN_F64] = take_f64,
    };
    const double scale1 = ldexp(1, -exponent / 2), scale2 = ldexp(1, -exponent - -exponent / 2);
    for (int i = 0; i < s->n; i++) {
        int64_t *row = out->cost + (size_t)i * (size_t)out->width;
        take[s->type](row, s->cost, (size_t)i * s->stride, s->n, s->maximise, scale1, scale2);
        for (int j = s->n; j < out->width; j++)
            row[j] = FAR64;
        if (i % REDUCED == REDUCED - 1 || i == s->n - 1)
            reduce_by64(out, i / REDUCED * REDUCED, i + 1);
    }
}

static void problem_solve(const mmc_assign_call *call, int p, size_t first, void *workspace) {
    static const size_t size[] = {
        [MMC_ASSIGN_I32] = 4, [MMC_ASSIGN_I64] = 8, [MMC_ASSIGN_F32] = 4, [MMC_ASSIGN_F64] = 8};
    const mmc_assign_problem *problem = &call->problem[p];
    const int n = problem->rows;
    const source given = {(const char *)call->cost + problem->cost * size[call->type], problem->stride, call->type, n,
                          call->maximise};
    mmc_assign_result *result = &call->result[p];
    *result = (mmc_assign_result){.state = MMC_ASSIGN_SOLVED};
    solver s;
    solver_place(&s, workspace, n);
    const bool floats = call->type == MMC_ASSIGN_F32 || call->type == MMC_ASSIGN_F64;
    uint32_t largest;
    const bool narrow = !floats && take_narrow(&s.narrow, &given, &largest);
    if (!narrow && !source_check(&given, result))
        return;
    if (narrow) {
        solve_narrow(&s.narrow, largest);
        result->slack = certify32(&s.narrow, s.u, s.tight, s.tie.words);
    } else {
        take_wide(&s.wide, &given, result->exponent);
        finish64(&s.wide, begin64(&s.wide, ROW_BUDGET * n));
        result->slack = certify64(&s.wide, s.u, s.tight, s.tie.words);
    }
    result->unique = tie_settle(&s.tie);

    const int64_t sign = call->maximise ? -1 : 1;
    uint64_t dual = 0; /* modulo 2^64, for 2n potentials may be larger than the total */
    for (int i = 0; i < n; i++) {
        const int j = s.tie.column[i];
        const size_t at = (size_t)i * (size_t)s.wide.width + (size_t)j;
        const int64_t v = sign * (narrow ? (int64_t)s.narrow.v[i] : s.wide.v[i]);
        result->total += sign * (narrow ? (int64_t)s.narrow.cost[at] : s.wide.cost[at]);
        result->value += source_at(&given, i, j);
        call->column[first + (size_t)i] = j;
        call->u[first + (size_t)i] = sign * s.u[i];
        call->v[first + (size_t)i] = v;
        dual += (uint64_t)call->u[first + (size_t)i] + (uint64_t)v;
    }
    const int64_t gap = (int64_t)((uint64_t)result->total - dual);
    result->gap = gap < 0 ? -gap : gap;
}

/* Bytes of the largest problem. */
static size_t thread_bytes(const mmc_assign_call *call) {
    size_t most = 0;
    solver s;
    for (int p = 0; p < call->problems; p++) {
        const size_t size = solver_place(&s, NULL, call->problem[p].rows);
        most = size > most ? size : most;
    }
    return most;
}

static size_t own_workspace_size(mmc_queue *queue, const mmc_assign_call *call) {
    (void)queue;
    const int threads = omp_get_max_threads();
    return thread_bytes(call) * (size_t)(threads < call->problems ? threads : call->problems);
}

/* Threads that have room to work in. */
static int team_size(size_t slots) {
    const int threads = omp_get_max_threads();
    return (size_t)threads < slots ? threads : (int)slots;
}

static mmc_status own_solve(mmc_queue *queue, const mmc_assign_call *call) {
    (void)queue;
    MMC_TRY(mmc_assign_call_check(call));
    if (call->problems == 0)
        return MMC_OK;
    const size_t size = thread_bytes(call);
    const size_t slots = size > 0 ? call->workspace_size / size : 0;
    if (slots == 0)
        return mmc_fail(MMC_ERR_MEMORY,
                        "assignment: a workspace of %zu bytes is too small; give workspace_size() bytes",
                        call->workspace_size);
#pragma omp parallel for schedule(dynamic) num_threads(team_size(slots))
    for (int p = 0; p < call->problems; p++) {
        size_t first = 0;
        for (int q = 0; q < p; q++)
            first += (size_t)call->problem[q].rows;
        problem_solve(call, p, first, (char *)call->workspace + (size_t)omp_get_thread_num() * size);
    }
    return MMC_OK;
}

extern const mmc_assign_ops OWN(assign_table);
const mmc_assign_ops OWN(assign_table) = {
    .name = "own",
    .workspace_size = own_workspace_size,
    .solve = own_solve,
};
