/* The small model of the provider own: one thread a model.
 *
 * W and v are packed by panels of WIDTH hidden units for the whole call, so that a step streams them from the
 * second-level cache. A step is two passes over the panels with register tiles of TILE rows x WIDTH units: forward
 * (rows = samples, sums over the inputs), then gradient with the update (rows = inputs, sums over the samples).
 * Between them lies `slope`, a/N where the unit is active and 0 elsewhere; the residuals are folded into x.
 */
#include "kernels/own/lane.h"

#include "kernels/mlp.h"

#include <omp.h>
#include <string.h>

/* TILE x VECTORS sums and VECTORS operands fit into the vector registers. */
#if defined(__AVX512F__)
enum { TILE = 6, VECTORS = 4 };
#else
enum { TILE = 6, VECTORS = 2 };
#endif
enum { WIDTH = VECTORS * LANES, EVAL_BATCH = 66 };

/* What a thread works in; all arrays are parts of its workspace. */
typedef struct own_mlp {
    int rows, panels, batch; /* batch: rounded up to TILE */
    float *w, *v;            /* (panels, rows, WIDTH) */
    float *slope;            /* (panels, batch, WIDTH) */
    float *scale;            /* (panels, WIDTH): a/N, 0 beyond the hidden units */
    float *columns;          /* (batch/TILE, rows, TILE): x for the forward pass */
    float *strips;           /* (rows/TILE rounded up, batch, TILE): x times residual for the gradient */
    float *sums;             /* (batch, LANES): a^T relu(h) / N */
    float *active;           /* (batch, LANES): active units */
    float *residual;         /* (batch): (f - y) / samples of the batch */
} own_mlp;

static size_t aligned(size_t floats) {
    return (floats + 15) / 16 * 16;
}

/* Lays out the arrays in `memory` (NULL: only counts); floats needed. */
static size_t mlp_arrange(own_mlp *m, float *memory, const mmc_mlp_shape *s, int batch) {
    m->rows = mmc_mlp_rows(s);
    m->panels = ceil_div(s->hidden, WIDTH);
    m->batch = ceil_div(batch, TILE) * TILE;
    const size_t panels = (size_t)m->panels, rows = (size_t)m->rows, samples = (size_t)m->batch;
    const struct {
        float **array;
        size_t floats;
    } part[] = {
        {&m->w, panels * rows * WIDTH},
        {&m->v, panels * rows * WIDTH},
        {&m->slope, panels * samples * WIDTH},
        {&m->scale, panels * WIDTH},
        {&m->columns, samples * rows},
        {&m->strips, (rows + TILE - 1) / TILE * TILE * samples},
        {&m->sums, samples * LANES},
        {&m->active, samples * LANES},
        {&m->residual, samples},
    };
    size_t at = 0;
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        *part[i].array = memory ? memory + at : NULL;
        at += aligned(part[i].floats);
    }
    return at;
}

static void panels_pack(float *out, const own_mlp *m, const float *in, int hidden) {
    for (int panel = 0; panel < m->panels; panel++)
        for (int d = 0; d < m->rows; d++)
            for (int i = 0; i < WIDTH; i++) {
                const int unit = panel * WIDTH + i;
                *out++ = unit < hidden ? in[(size_t)d * (size_t)hidden + (size_t)unit] : 0.0f;
            }
}

static void panels_unpack(float *out, const own_mlp *m, const float *in, int hidden) {
    for (int panel = 0; panel < m->panels; panel++)
        for (int d = 0; d < m->rows; d++, in += WIDTH)
            for (int i = 0; i < WIDTH && panel * WIDTH + i < hidden; i++)
                out[(size_t)d * (size_t)hidden + (size_t)(panel * WIDTH + i)] = in[i];
}

static void scale_pack(own_mlp *m, const float *a, int hidden) {
    for (int i = 0; i < m->panels * WIDTH; i++)
        m->scale[i] = i < hidden ? a[i] / (float)hidden : 0.0f;
}

/* acc (R x WIDTH) = sum over `count` of column (TILE floats each, R of them used) times row (WIDTH floats each). */
INLINE void multiply(vf (*acc)[VECTORS], const int r_count, const float *column, const float *row, int count) {
    UNROLL
    for (int r = 0; r < r_count; r++)
        UNROLL
    for (int j = 0; j < VECTORS; j++)
        acc[r][j] = (vf){0};
    for (int i = 0; i < count; i++, column += TILE, row += WIDTH) {
        vf operand[VECTORS];
        UNROLL
        for (int j = 0; j < VECTORS; j++)
            operand[j] = load(row + j * LANES);
        UNROLL
        for (int r = 0; r < r_count; r++)
            UNROLL
        for (int j = 0; j < VECTORS; j++)
            acc[r][j] += column[r] * operand[j];
    }
}

/* `r_count` samples from b on of one panel: their share of f, their slopes (training) or active units (evaluation). */
INLINE void forward_tile(own_mlp *m, const int r_count, int panel, int b, const bool slopes) {
    vf acc[TILE][VECTORS];
    multiply(acc, r_count, m->columns + (size_t)b * (size_t)m->rows, m->w + (size_t)panel * (size_t)m->rows * WIDTH,
             m->rows);
    UNROLL
    for (int r = 0; r < r_count; r++) {
        float *sums = m->sums + (b + r) * LANES, *active = m->active + (b + r) * LANES;
        vf sum = load(sums), units = slopes ? (vf){0} : load(active);
        UNROLL
        for (int j = 0; j < VECTORS; j++) {
            const vf scale = load(m->scale + panel * WIDTH + j * LANES);
            sum += relu(acc[r][j]) * scale;
            if (slopes)
                store(m->slope + ((size_t)panel * (size_t)m->batch + (size_t)(b + r)) * WIDTH + j * LANES,
                      where_positive(scale, acc[r][j]));
            else
                units += where_positive((vf){0} + 1.0f, acc[r][j]);
        }
        store(sums, sum);
        if (!slopes)
            store(active, units);
    }
}

/* `r_count` inputs from d on of one panel: gradient over `count` samples, momentum, step. */
INLINE void update_tile(own_mlp *m, const int r_count, int panel, int d, int count, float momentum, float lr) {
    vf acc[TILE][VECTORS];
    multiply(acc, r_count, m->strips + (size_t)d * (size_t)m->batch,
             m->slope + (size_t)panel * (size_t)m->batch * WIDTH, count);
    const size_t at = ((size_t)panel * (size_t)m->rows + (size_t)d) * WIDTH;
    UNROLL
    for (int r = 0; r < r_count; r++)
        UNROLL
    for (int j = 0; j < VECTORS; j++) {
        float *v = m->v + at + r * WIDTH + j * LANES, *w = m->w + at + r * WIDTH + j * LANES;
        const vf velocity = momentum * load(v) + acc[r][j];
        store(v, velocity);
        store(w, load(w) - lr * velocity);
    }
}

/* Tiles of TILE rows, then one of what is left, whose size the compiler has to know. */
#define FOR_TILES(count, tile)                                                                                         \
    do {                                                                                                               \
        int at = 0;                                                                                                    \
        for (; at + TILE <= (count); at += TILE)                                                                       \
            tile(TILE);                                                                                                \
        switch ((count)-at) {                                                                                          \
        case 5:                                                                                                        \
            tile(5);                                                                                                   \
            break;                                                                                                     \
        case 4:                                                                                                        \
            tile(4);                                                                                                   \
            break;                                                                                                     \
        case 3:                                                                                                        \
            tile(3);                                                                                                   \
            break;                                                                                                     \
        case 2:                                                                                                        \
            tile(2);                                                                                                   \
            break;                                                                                                     \
        case 1:                                                                                                        \
            tile(1);                                                                                                   \
            break;                                                                                                     \
        default:                                                                                                       \
            break;                                                                                                     \
        }                                                                                                              \
    } while (0)

static void forward_train(own_mlp *m, int count) {
    memset(m->sums, 0, (size_t)m->batch * LANES * sizeof *m->sums);
    for (int panel = 0; panel < m->panels; panel++) {
#define TRAIN_TILE(rows) forward_tile(m, rows, panel, at, true)
        FOR_TILES(count, TRAIN_TILE);
    }
}

static void forward_eval(own_mlp *m, int count) {
    memset(m->sums, 0, (size_t)m->batch * LANES * sizeof *m->sums);
    memset(m->active, 0, (size_t)m->batch * LANES * sizeof *m->active);
    for (int panel = 0; panel < m->panels; panel++) {
#define EVAL_TILE(rows) forward_tile(m, rows, panel, at, false)
        FOR_TILES(count, EVAL_TILE);
    }
}

static void update(own_mlp *m, int count, float momentum, float lr) {
    for (int panel = 0; panel < m->panels; panel++) {
#define UPDATE_TILE(rows) update_tile(m, rows, panel, at, count, momentum, lr)
        FOR_TILES(m->rows, UPDATE_TILE);
    }
}

/* Sample b of the batch for the forward pass. */
static void column_pack(own_mlp *m, int b, const float *x, int inputs, float bias) {
    float *out = m->columns + (size_t)(b / TILE * TILE) * (size_t)m->rows + b % TILE;
    for (int d = 0; d < inputs; d++)
        out[(size_t)d * TILE] = x[d];
    if (m->rows > inputs)
        out[(size_t)inputs * TILE] = bias;
}

/* Sample b for the gradient, times its residual. */
static void strip_pack(own_mlp *m, int b, const float *x, int inputs, float bias) {
    const float residual = m->residual[b];
    const size_t step = (size_t)m->batch * TILE;
    float *out = m->strips + (size_t)b * TILE;
    int d = 0;
    for (; d + TILE <= inputs; d += TILE, out += step)
        for (int i = 0; i < TILE; i++)
            out[i] = x[d + i] * residual;
    for (; d < m->rows; d++)
        out[d % TILE] = (d < inputs ? x[d] : bias) * residual;
}

static double lanes_add(const float *v) {
    double sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += (double)v[i];
    return sum;
}

static void train_one(own_mlp *m, const mmc_mlp_train_call *call, int t) {
    const mmc_mlp_shape *s = &call->shape;
    const size_t set = (size_t)t;
    const float *x = call->x + set * call->x_stride, *y = call->y + set * call->y_stride;
    const int32_t *order = call->order ? call->order + set * call->order_stride : NULL;
    const int steps = mmc_mlp_steps(call);
    panels_pack(m->w, m, call->w + set * call->set_stride, s->hidden);
    panels_pack(m->v, m, call->v + set * call->set_stride, s->hidden);
    scale_pack(m, call->a, s->hidden);
    for (int step = 0; step < steps; step++) {
        const int first = step * call->batch;
        const int count = call->samples - first < call->batch ? call->samples - first : call->batch;
        for (int b = 0; b < count; b++) {
            const size_t row = order ? (size_t)order[first + b] : (size_t)(first + b);
            column_pack(m, b, x + row * (size_t)s->inputs, s->inputs, s->bias);
        }
        forward_train(m, count);
        double loss = 0;
        for (int b = 0; b < count; b++) {
            const size_t row = order ? (size_t)order[first + b] : (size_t)(first + b);
            const double f = lanes_add(m->sums + b * LANES);
            loss += mmc_mlp_sample_loss(call->objective, f, (double)y[row]);
            m->residual[b] = (float)(mmc_mlp_residual(call->objective, f, (double)y[row]) / count);
            strip_pack(m, b, x + row * (size_t)s->inputs, s->inputs, s->bias);
        }
        if (call->loss)
            call->loss[set * (size_t)steps + (size_t)step] = loss / count;
        update(m, count, (float)call->momentum, (float)call->lr[step]);
    }
    panels_unpack(call->w + set * call->set_stride, m, m->w, s->hidden);
    panels_unpack(call->v + set * call->set_stride, m, m->v, s->hidden);
}

static int threads_of(int sets) {
    const int threads = omp_get_max_threads();
    return threads < sets ? threads : sets;
}

static size_t own_train_workspace_size(mmc_queue *queue, const mmc_mlp_train_call *call) {
    (void)queue;
    own_mlp m;
    return (size_t)threads_of(call->shape.sets) * mlp_arrange(&m, NULL, &call->shape, call->batch) * sizeof(float);
}

static mmc_status own_train(mmc_queue *queue, const mmc_mlp_train_call *call) {
    (void)queue;
#pragma omp parallel num_threads(threads_of(call->shape.sets))
    {
        own_mlp m;
        const size_t each = mlp_arrange(&m, NULL, &call->shape, call->batch);
        mlp_arrange(&m, (float *)call->workspace + (size_t)omp_get_thread_num() * each, &call->shape, call->batch);
#pragma omp for schedule(static)
        for (int t = 0; t < call->shape.sets; t++)
            train_one(&m, call, t);
    }
    return MMC_OK;
}

static void eval_some(own_mlp *m, const mmc_mlp_eval_call *call, int t, int first, int count) {
    const mmc_mlp_shape *s = &call->shape;
    const float *x = call->x + (size_t)t * call->x_stride;
    const size_t at = (size_t)t * (size_t)call->samples + (size_t)first;
    for (int b = 0; b < count; b++)
        column_pack(m, b, x + (size_t)(first + b) * (size_t)s->inputs, s->inputs, s->bias);
    forward_eval(m, count);
    for (int b = 0; b < count; b++) {
        call->f[at + (size_t)b] = (float)lanes_add(m->sums + b * LANES);
        if (call->fraction)
            call->fraction[at + (size_t)b] = (float)(lanes_add(m->active + b * LANES) / s->hidden);
    }
}

/* A thread packs the weights of its model once and walks its part of the samples. */
static mmc_status own_eval(mmc_queue *queue, const mmc_mlp_eval_call *call) {
    (void)queue;
    const int threads = omp_get_max_threads(), sets = call->shape.sets;
    const int parts = threads > sets ? ceil_div(threads, sets) : 1, blocks = ceil_div(call->samples, EVAL_BATCH);
#pragma omp parallel
    {
        own_mlp m;
        const size_t each = mlp_arrange(&m, NULL, &call->shape, EVAL_BATCH);
        mlp_arrange(&m, (float *)call->workspace + (size_t)omp_get_thread_num() * each, &call->shape, EVAL_BATCH);
        scale_pack(&m, call->a, call->shape.hidden);
#pragma omp for schedule(static)
        for (int i = 0; i < sets * parts; i++) {
            const int t = i / parts, part = i % parts;
            panels_pack(m.w, &m, call->w + (size_t)t * call->set_stride, call->shape.hidden);
            for (int block = blocks * part / parts; block < blocks * (part + 1) / parts; block++) {
                const int first = block * EVAL_BATCH, left = call->samples - first;
                eval_some(&m, call, t, first, left < EVAL_BATCH ? left : EVAL_BATCH);
            }
        }
    }
    return MMC_OK;
}

static size_t own_eval_workspace_size(mmc_queue *queue, const mmc_mlp_eval_call *call) {
    (void)queue;
    own_mlp m;
    return (size_t)omp_get_max_threads() * mlp_arrange(&m, NULL, &call->shape, EVAL_BATCH) * sizeof(float);
}

extern const mmc_mlp_ops OWN(mlp_table);
const mmc_mlp_ops OWN(mlp_table) = {
    .name = "own",
    .train_workspace_size = own_train_workspace_size,
    .train = own_train,
    .eval_workspace_size = own_eval_workspace_size,
    .eval = own_eval,
};
