#include "suites/bench_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVALUATED_ROWS = 10000,
    SMALL_IMAGES = 2,
    SMALL_ROWS = 100,
    SMALL_COUNT = 10007,
    SMALL_PROBLEM = 96,
    PROBLEMS = 64
};
/* The small model of the paper. */
enum { MLP_SAMPLES = 50000, MLP_INPUTS = 128, MLP_HIDDEN = 512, MLP_SETS = 5 };

static const struct {
    const char *name, *text, *paper;
} ops[MMC_BENCH_OP_COUNT] = {
#define X(id, name, text, paper) {name, text, paper},
    MMC_BENCH_OP_MAP(X)
#undef X
};

const char *mmc_bench_op_name(mmc_bench_op op) {
    return ops[op].name;
}

const char *mmc_bench_op_text(mmc_bench_op op) {
    return ops[op].text;
}

const char *mmc_bench_op_paper(mmc_bench_op op) {
    return ops[op].paper;
}

mmc_status mmc_bench_op_parse(mmc_bench_op *out, const char *name) {
    char known[512] = "";
    for (int i = 0; i < MMC_BENCH_OP_COUNT; i++) {
        if (strcmp(name, ops[i].name) == 0) {
            *out = (mmc_bench_op)i;
            return MMC_OK;
        }
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", ops[i].name);
    }
    return mmc_fail(MMC_ERR_USAGE, "operation '%s' is not known; known are %s", name, known);
}

/* --- building the list --- */

typedef struct builder {
    mmc_bench_list *list;
    size_t capacity;
    const mmc_bench_scope *scope;
    const mmc_model *model;
    mmc_status status; /* of the first failure */
} builder;

static void add(builder *b, mmc_bench_case c, const char *name) {
    mmc_bench_list *list = b->list;
    if (b->status != MMC_OK)
        return;
    if (list->count == b->capacity) {
        b->capacity = b->capacity ? 2 * b->capacity : 64;
        mmc_bench_case *cases = realloc(list->cases, b->capacity * sizeof *cases);
        if (!cases) {
            b->status = mmc_fail(MMC_ERR_MEMORY, "out of memory for %zu cases", b->capacity);
            return;
        }
        list->cases = cases;
    }
    if (c.small_model)
        snprintf(c.name, sizeof c.name, "%s", name);
    else {
        c.spec = b->model->spec;
        c.classes = c.spec.classes;
        snprintf(c.name, sizeof c.name, "%s.%s", mmc_arch_name(c.spec.arch), name);
    }
    list->cases[list->count++] = c;
}

static bool same_shape(const mmc_unit_shape *a, const mmc_unit_shape *b) {
    return a->c == b->c && a->h == b->h && a->w == b->w && a->k == b->k && a->r == b->r && a->stride == b->stride &&
           a->relu == b->relu && a->residual == b->residual;
}

static mmc_unit_shape unit_shape(const mmc_unit_info *u, int n) {
    return (mmc_unit_shape){n, u->c, u->h, u->w, u->k, u->r, u->stride, u->relu, u->residual >= 0};
}

/* Elements of a unit's input, output and weights. */
typedef struct unit_sizes {
    double in, out, weights;
} unit_sizes;

static unit_sizes sizes_of(const mmc_unit_shape *s) {
    return (unit_sizes){(double)s->n * s->c * s->h * s->w, (double)s->n * s->k * mmc_unit_out_h(s) * mmc_unit_out_w(s),
                        (double)s->k * s->c * s->r * s->r};
}

static void add_unit_op(builder *b, mmc_bench_op op, const mmc_unit_shape *s, int times, const char *name) {
    const unit_sizes e = sizes_of(s);
    const double element = b->scope->element_bytes, forward = 2 * e.out * s->c * s->r * s->r;
    const bool image = s->c == 3; /* the gradient by the images is not wanted */
    mmc_bench_case c = {.op = op, .shape = *s, .times = times, .sets = 1, .flop = forward};
    const double weights = element * e.weights, residual = s->residual ? e.out : 0;
    if (op == MMC_BENCH_CONV_BACKWARD) { /* dy, y, z, x -> dx, dresidual, dw */
        c.flop = (image ? 1 : 2) * forward;
        c.bytes = element * (3 * e.out + e.in + (image ? 0 : e.in) + residual) + (image ? 0 : weights) + 4 * e.weights;
    } else if (op == MMC_BENCH_PACK) {
        c.flop = 0;
        c.bytes = 4 * e.weights + 2 * weights; /* TRAIN packs them twice */
    } else                                     /* z is kept beside y for backward alone */
        c.bytes = element * (e.in + e.out + residual + (op == MMC_BENCH_CONV_FORWARD ? e.out : 0)) + weights;
    add(b, c, name);
}

/* Every shape once, under the name of the first unit that has it. */
static void add_units(builder *b) {
    static const mmc_bench_op each[] = {MMC_BENCH_CONV_EVAL, MMC_BENCH_CONV_STATS, MMC_BENCH_CONV_FORWARD,
                                        MMC_BENCH_CONV_BACKWARD, MMC_BENCH_PACK};
    const mmc_model *m = b->model;
    for (size_t op = 0; op < sizeof each / sizeof *each; op++)
        for (int i = 0; i < m->unit_count; i++) {
            const mmc_unit_shape s = unit_shape(&m->units[i], b->scope->batch);
            int times = 0;
            bool seen = false;
            for (int j = 0; j < m->unit_count; j++) {
                const mmc_unit_shape other = unit_shape(&m->units[j], b->scope->batch);
                seen |= j < i && same_shape(&s, &other);
                times += same_shape(&s, &other);
            }
            if (!seen)
                add_unit_op(b, each[op], &s, times, m->units[i].conv);
        }
}

static void add_boundary(builder *b) {
    const mmc_bench_scope *scope = b->scope;
    const mmc_unit_info *last = &b->model->units[b->model->unit_count - 1];
    const double element = scope->element_bytes;
    const mmc_unit_shape image = {.n = scope->batch, .c = 3, .h = scope->height, .w = MMC_IMAGE_SIDE};
    const mmc_unit_shape plane = {.n = scope->batch, .c = last->k, .h = last->h, .w = last->w};
    const double pixels = (double)image.n * image.h * image.w, elements = (double)plane.n * plane.c * plane.h * plane.w;
    const double features = (double)plane.n * plane.c;
    add(b, (mmc_bench_case){.op = MMC_BENCH_RENDER, .shape = image, .sets = 1, .bytes = pixels * (3 + 3 * element)},
        "images");
    add(b, (mmc_bench_case){.op = MMC_BENCH_PUT, .shape = image, .sets = 1, .bytes = pixels * 3 * (4 + element)},
        "images");
    add(b, (mmc_bench_case){.op = MMC_BENCH_GET, .shape = plane, .sets = 1, .bytes = elements * (4 + element)}, "last");
    for (int op = MMC_BENCH_POOL; op <= MMC_BENCH_POOL_BACKWARD; op++)
        add(b,
            (mmc_bench_case){.op = (mmc_bench_op)op,
                             .shape = plane,
                             .sets = 1,
                             .flop = elements,
                             .bytes = element * elements + 4 * features},
            "last");
}

static void add_head(builder *b) {
    const mmc_bench_scope *scope = b->scope;
    const double n = scope->batch, c = b->model->features, k = scope->classes, t = scope->sets;
    mmc_bench_case head = {.shape = {.n = scope->batch, .c = b->model->features}, .sets = scope->sets};
    head.op = MMC_BENCH_HEAD;
    head.flop = 2 * t * n * c * k;
    head.bytes = 4 * t * (n * c + n * k + k * c);
    add(b, head, "linear");
    head.op = MMC_BENCH_HEAD_BACKWARD;
    head.sets = 1;
    head.flop = 4 * n * c * k;
    head.bytes = 4 * (2 * n * c + n * k + 2 * k * c);
    add(b, head, "linear");
    mmc_bench_case loss = {.op = MMC_BENCH_LOSS, .shape = {.n = EVALUATED_ROWS}, .sets = 1};
    loss.bytes = (4 * k + 4) * EVALUATED_ROWS;
    add(b, loss, "evaluation");
    loss.shape.n = scope->batch;
    loss.gradient = true;
    loss.bytes = (8 * k + 4) * n;
    add(b, loss, "training");
    add(b,
        (mmc_bench_case){
            .op = MMC_BENCH_MIRROR, .shape = {.n = scope->batch}, .sets = 1, .flop = n * k, .bytes = 8 * n * k},
        "training");
}

static void add_vectors(builder *b) {
    const mmc_model *m = b->model;
    const double state = (double)m->state_count, parameters = (double)m->parameter_count, t = b->scope->sets;
    const size_t statistics = m->state_count - m->parameter_count;
    for (int ends = 2; ends <= 3; ends++)
        add(b,
            (mmc_bench_case){.op = MMC_BENCH_INTERPOLATE,
                             .sets = b->scope->sets,
                             .ends = ends,
                             .count = m->state_count,
                             .flop = t * (2 * ends - 1) * state,
                             .bytes = 4 * (ends + t) * state},
            ends == 2 ? "line" : "quadratic");
    add(b,
        (mmc_bench_case){.op = MMC_BENCH_SGD,
                         .sets = 1,
                         .count = m->parameter_count,
                         .flop = 6 * parameters,
                         .bytes = 20 * parameters},
        "parameters");
    static const struct {
        mmc_bench_op op;
        double flop, bytes; /* an element */
    } each[] = {{MMC_BENCH_RUNNING, 4, 16}, {MMC_BENCH_POOL_ADD, 5, 28}, {MMC_BENCH_POOL_FINISH, 6, 20}};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        const double elements = (double)statistics * (each[i].op == MMC_BENCH_RUNNING ? t : 1);
        add(b,
            (mmc_bench_case){.op = each[i].op,
                             .sets = each[i].op == MMC_BENCH_RUNNING ? b->scope->sets : 1,
                             .count = statistics,
                             .flop = each[i].flop * elements,
                             .bytes = each[i].bytes * elements},
            "statistics");
    }
}

/* Units of each width are matched with as many: where the width is first met, and all problems of a width in one batch
 * as well, which is how a device does them best. */
static void add_matching(builder *b) {
    const mmc_model *m = b->model;
    const mmc_bench_scope *scope = b->scope;
    const double n = scope->batch, c = m->features;
    add(b,
        (mmc_bench_case){.op = MMC_BENCH_CLASS_MEANS,
                         .shape = {.n = scope->batch, .c = m->features},
                         .sets = 1,
                         .flop = 20 * n * c,
                         .bytes = 4 * 6 * n * c},
        "representation");
    for (int i = 0, widest = 0; i < m->unit_count; i++) {
        const mmc_unit_info *u = &m->units[i];
        if (u->k <= widest)
            continue;
        widest = u->k;
        mmc_unit_shape s = unit_shape(u, scope->batch);
        s = (mmc_unit_shape){.n = s.n, .c = s.k, .h = mmc_unit_out_h(&s), .w = mmc_unit_out_w(&s)};
        const double k = s.c, samples = n * s.h * s.w, element = scope->element_bytes;
        add(b,
            (mmc_bench_case){.op = MMC_BENCH_CORRELATE,
                             .shape = s,
                             .sets = 1,
                             .flop = 2 * k * k * samples,
                             .bytes = 2 * element * k * samples},
            u->conv);
        char batch[48];
        snprintf(batch, sizeof batch, "%s.batch", u->conv);
        mmc_bench_case assign = {.op = MMC_BENCH_ASSIGN, .sets = 1, .count = (size_t)s.c, .bytes = 4 * k * k};
        add(b, assign, u->conv);
        assign.sets = PROBLEMS;
        assign.bytes *= PROBLEMS;
        add(b, assign, batch);
    }
}

/* Bytes: the samples, once; the weights stay in the caches. */
static void add_small_model(builder *b) {
    const int sets = b->scope->sets < MLP_SETS ? b->scope->sets : MLP_SETS;
    const double work = (double)sets * MLP_SAMPLES * MLP_INPUTS * MLP_HIDDEN;
    mmc_bench_case c = {.op = MMC_BENCH_MLP_TRAIN,
                        .small_model = true,
                        .shape = {.n = MLP_SAMPLES, .c = MLP_INPUTS, .k = MLP_HIDDEN},
                        .sets = sets,
                        .flop = 4 * work,
                        .bytes = 4.0 * MLP_SAMPLES * (MLP_INPUTS + 1)};
    add(b, c, "mlp.epoch");
    c.op = MMC_BENCH_MLP_EVAL;
    c.flop = 2 * work;
    c.bytes += 4.0 * sets * MLP_SAMPLES;
    add(b, c, "mlp.samples");
}

/* Bytes are not counted: they are those of its operations. image_forwards and FLOP are known when it has run. */
static void add_path(builder *b) {
    const mmc_bench_scope *s = b->scope;
    add(b,
        (mmc_bench_case){
            .op = MMC_BENCH_PATH, .sets = s->sets, .points = s->points, .bn_images = s->bn_images, .images = s->images},
        "line");
}

mmc_status mmc_bench_list_create(mmc_bench_list *out, const mmc_bench_scope *scope) {
    *out = (mmc_bench_list){.cases = NULL};
    builder b = {.list = out, .scope = scope, .status = MMC_OK};
    for (int arch = 0; arch < MMC_ARCH_COUNT && b.status == MMC_OK; arch++) {
        if (!((scope->archs >> arch) & 1u))
            continue;
        const mmc_model_spec spec = {(mmc_arch)arch, scope->width, scope->classes, scope->height};
        mmc_model *model;
        b.status = mmc_model_create(&model, &spec);
        if (b.status != MMC_OK)
            break;
        b.model = model;
        add_units(&b);
        add_boundary(&b);
        add_head(&b);
        add_vectors(&b);
        add_matching(&b);
        add_path(&b);
        mmc_model_free(model);
    }
    add_small_model(&b);
    if (b.status != MMC_OK)
        mmc_bench_list_close(out);
    return b.status;
}

void mmc_bench_list_close(mmc_bench_list *list) {
    free(list->cases);
    *list = (mmc_bench_list){.cases = NULL};
}

mmc_bench_case mmc_bench_case_small(const mmc_bench_case *c) {
    mmc_bench_case small = *c;
    const int images = c->op == MMC_BENCH_LOSS || c->small_model ? SMALL_ROWS : SMALL_IMAGES;
    if (small.shape.n > images)
        small.shape.n = images;
    const size_t most = c->op == MMC_BENCH_ASSIGN ? SMALL_PROBLEM : SMALL_COUNT;
    if (small.count > most)
        small.count = most;
    if (c->op == MMC_BENCH_ASSIGN && small.sets > 3)
        small.sets = 3;
    return small;
}

void mmc_bench_case_shape(char *out, size_t size, const mmc_bench_case *c) {
    const mmc_unit_shape *s = &c->shape;
    switch (c->op) {
    case MMC_BENCH_CONV_EVAL:
    case MMC_BENCH_CONV_STATS:
    case MMC_BENCH_CONV_FORWARD:
    case MMC_BENCH_CONV_BACKWARD:
    case MMC_BENCH_PACK:
        snprintf(out, size, "%dx%dx%dx%d -> %d, %dx%d/%d%s%s", s->n, s->c, s->h, s->w, s->k, s->r, s->r, s->stride,
                 s->residual ? " +residual" : "", s->relu ? " relu" : "");
        return;
    case MMC_BENCH_RENDER:
    case MMC_BENCH_PUT:
    case MMC_BENCH_GET:
    case MMC_BENCH_POOL:
    case MMC_BENCH_POOL_BACKWARD:
    case MMC_BENCH_CORRELATE:
        snprintf(out, size, "%dx%dx%dx%d", s->n, s->c, s->h, s->w);
        return;
    case MMC_BENCH_HEAD:
    case MMC_BENCH_HEAD_BACKWARD:
        snprintf(out, size, "%dx%dx%d -> %d", c->sets, s->n, s->c, c->classes);
        return;
    case MMC_BENCH_CLASS_MEANS:
        snprintf(out, size, "2x%dx%d, %d classes", s->n, s->c, c->classes);
        return;
    case MMC_BENCH_MLP_TRAIN:
    case MMC_BENCH_MLP_EVAL:
        snprintf(out, size, "%dx%dx%d-%d-1", c->sets, s->n, s->c, s->k);
        return;
    case MMC_BENCH_ASSIGN:
        snprintf(out, size, "%dx%zux%zu", c->sets, c->count, c->count);
        return;
    case MMC_BENCH_LOSS:
    case MMC_BENCH_MIRROR:
        snprintf(out, size, "%dx%d%s", s->n, c->classes, c->gradient ? " +gradient" : "");
        return;
    case MMC_BENCH_INTERPOLATE:
        snprintf(out, size, "%d ends -> %dx%zu", c->ends, c->sets, c->count);
        return;
    case MMC_BENCH_PATH:
        snprintf(out, size, "%d points, %d + 4x%d images", c->points, c->bn_images, c->images);
        return;
    default:
        snprintf(out, size, "%dx%zu", c->sets, c->count);
    }
}
