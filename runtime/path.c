#include "runtime/path.h"

#include "runtime/clock.h"
#include "runtime/path_cache.h"
#include "runtime/point.h"
#include "runtime/room.h"
#include "runtime/trace.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const bn_names[MMC_BN_COUNT] = {
    [MMC_BN_MOMENTUM] = "momentum",
    [MMC_BN_POOLED] = "pooled",
    [MMC_BN_STORED] = "stored",
};

const char *mmc_bn_name(mmc_bn_mode mode) {
    return bn_names[mode];
}

mmc_status mmc_bn_parse(mmc_bn_mode *out, const char *name) {
    for (int i = 0; i < MMC_BN_COUNT; i++)
        if (strcmp(name, bn_names[i]) == 0) {
            *out = (mmc_bn_mode)i;
            return MMC_OK;
        }
    return mmc_fail(MMC_ERR_USAGE, "unknown batch norm procedure '%s'; known are momentum, pooled and stored", name);
}

mmc_path_config mmc_path_defaults(void) {
    return (mmc_path_config){.points = 11,
                             .bn = MMC_BN_MOMENTUM,
                             .bn_batch = 128,
                             .sets = (1u << MMC_SET_COUNT) - 1,
                             .split_test = true,
                             .batch = 256,
                             .seed = 1};
}

/* A path or a model under evaluation. */
typedef struct sweep {
    mmc_backend *be;
    const mmc_model *model;
    const mmc_path_config *config;
    const mmc_path_hooks *hooks;
    int points;   /* to run; those that are known already do not count */
    int together; /* of them at once */
    mmc_point_plan *plan;
    mmc_point_hooks point;
    void *ends[MMC_CURVE_POINTS_MAX]; /* control points, device */
    void *states;                     /* of the points in hand, device (together, state_count) */
    mmc_path_result *out;
} sweep;

static mmc_status place_states(sweep *s, const mmc_dataset *data) {
    const size_t size = (size_t)s->together * s->model->state_count * sizeof(float);
    MMC_TRY(s->be->memory->alloc(s->be, &s->states, size));
    return mmc_point_plan_create(&s->plan, s->be, s->model, data, s->config, s->together);
}

/* Plans for as many points at once as the backend gains by and its memory holds. */
static mmc_status place(sweep *s, const mmc_dataset *data) {
    s->together = s->points < s->be->max_sets ? s->points : s->be->max_sets;
    if (s->together < 1)
        s->together = 1;
    mmc_status status = place_states(s, data);
    while (status == MMC_ERR_MEMORY && s->together > 1) {
        s->be->memory->free(s->be, s->states);
        s->states = NULL;
        s->together = (s->together + 1) / 2;
        status = place_states(s, data);
    }
    return status;
}

/* Room for the rows of `points` points and the plan of `s->points` of them. */
static mmc_status sweep_open(sweep *s, const mmc_dataset *data, int points, mmc_path_result *out) {
    const mmc_path_config *config = s->config;
    mmc_room room;
    s->out = out;
    MMC_TRY(mmc_room_measure(&room, s->be));
    MMC_TRY(place(s, data));
    MMC_TRY(mmc_room_report(&room, s->be, s->hooks ? &s->hooks->progress : NULL));
    int rows = 0;
    for (int set = 0; set < MMC_SET_COUNT; set++)
        rows += (config->sets >> set) & 1u ? config->split_test + config->split_train : 0;
    out->rows = malloc((size_t)points * (size_t)rows * sizeof *out->rows);
    if (!out->rows)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %d rows of a path", points * rows);
    out->bn_batches_skipped = mmc_point_bn_skipped(s->plan);
    out->image_forwards_defined = points * (mmc_point_bn_defined(s->plan) + mmc_point_eval_defined(s->plan));
    s->point.progress = s->hooks ? &s->hooks->progress : NULL;
    s->point.total = s->points * (mmc_point_bn_images(s->plan) + mmc_point_eval_images(s->plan));
    return MMC_OK;
}

static void sweep_close(sweep *s) {
    for (int i = 0; i < MMC_CURVE_POINTS_MAX; i++)
        s->be->memory->free(s->be, s->ends[i]);
    s->be->memory->free(s->be, s->states);
    mmc_point_plan_free(s->plan);
}

static mmc_status read_scores(const sweep *s, int state, mmc_point_scores *scores) {
    memset(scores, 0, sizeof *scores);
    for (int split = 0; split < 2; split++)
        for (int set = 0; set < MMC_SET_COUNT; set++)
            if (mmc_point_evaluator(s->plan, (mmc_split_kind)split) && (s->config->sets >> set) & 1u)
                MMC_TRY(
                    mmc_point_score(s->plan, state, (mmc_split_kind)split, (mmc_set)set, &scores->score[split][set]));
    return MMC_OK;
}

/* Evaluates the states in hand, the first of which is that of t. */
static mmc_status sweep_run(sweep *s, double t, int count) {
    s->point.t = t;
    MMC_TRY(mmc_point_run(s->plan, s->states, count, &s->point));
    s->out->image_forwards_bn += count * mmc_point_bn_images(s->plan);
    s->out->image_forwards += count * (mmc_point_bn_images(s->plan) + mmc_point_eval_images(s->plan));
    return MMC_OK;
}

/* Appends the rows of a point, test split first. */
static void sweep_rows(sweep *s, double t, const mmc_point_scores *scores) {
    static const mmc_split_kind order[] = {MMC_SPLIT_TEST, MMC_SPLIT_TRAIN};
    for (int i = 0; i < 2; i++) {
        if (!mmc_point_evaluator(s->plan, order[i]))
            continue;
        for (int set = 0; set < MMC_SET_COUNT; set++) {
            if (!((s->config->sets >> set) & 1u))
                continue;
            const mmc_score *score = &scores->score[order[i]][set];
            mmc_path_row *row = &s->out->rows[s->out->row_count++];
            *row = (mmc_path_row){.t = t,
                                  .set = (mmc_set)set,
                                  .split = order[i],
                                  .accuracy = score->accuracy,
                                  .loss = score->loss,
                                  .n = score->n};
            if (s->hooks && s->hooks->on_row)
                s->hooks->on_row(s->hooks->user, row);
        }
    }
}

static void sweep_finish(sweep *s, double start_s) {
    s->out->bn_s = s->point.bn_s;
    s->out->eval_s = s->point.eval_s;
    s->out->wall_s = mmc_clock_s() - start_s;
}

/* The points of a curve: which are known, and by which keys its ends are remembered. */
typedef struct course {
    const mmc_curve *curve;
    mmc_path_cache *cache; /* NULL: nothing is remembered */
    mmc_point_key key[2];  /* of the first and the last point */
    mmc_point_scores *scores;
    bool *known;
    bool closed;    /* the last point is the first one, which is yet to run */
    double *weight; /* (points, control points) of the points in hand */
    int shown;      /* points whose rows are out */
} course;

static double t_of(const sweep *s, int i) {
    return (double)i / (s->config->points - 1);
}

static bool wanted(const sweep *s, const course *c, int i) {
    return !c->known[i] && !(c->closed && i == s->config->points - 1);
}

static mmc_status course_open(sweep *s, course *c, const mmc_dataset *data) {
    const int last = s->config->points - 1;
    const size_t points = (size_t)s->config->points;
    c->scores = malloc(points * sizeof *c->scores);
    c->known = calloc(points, sizeof *c->known);
    c->weight = malloc(points * (size_t)c->curve->count * sizeof *c->weight);
    if (!c->scores || !c->known || !c->weight)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the scores of %zu points", points);
    if (c->cache) {
        mmc_point_key common;
        MMC_TRY(mmc_point_key_common(&common, s->be, s->model, data, s->config));
        for (int end = 0; end < 2; end++) {
            MMC_TRY(
                mmc_point_key_state(&c->key[end], &common, s->model, c->curve->point[end ? c->curve->count - 1 : 0]));
            const mmc_point_scores *found = mmc_path_cache_find(c->cache, &c->key[end]);
            if (found) {
                c->scores[end ? last : 0] = *found;
                c->known[end ? last : 0] = true;
            }
        }
        c->closed = !c->known[0] && memcmp(&c->key[0], &c->key[1], sizeof c->key[0]) == 0;
    }
    for (int i = 0; i <= last; i++)
        s->points += wanted(s, c, i);
    return MMC_OK;
}

static void course_close(course *c) {
    free(c->scores);
    free(c->known);
    free(c->weight);
}

static mmc_status place_ends(sweep *s, const mmc_curve *curve) {
    const size_t size = s->model->state_count * sizeof(float);
    for (int i = 0; i < curve->count; i++) {
        MMC_TRY(s->be->memory->alloc(s->be, &s->ends[i], size));
        MMC_TRY(s->be->memory->upload(s->be, s->ends[i], curve->point[i], size));
    }
    return MMC_OK;
}

/* gamma(t) of the points in the states in hand, running values included. */
static mmc_status interpolate(sweep *s, course *c, const int *points, int count) {
    const float *end[MMC_CURVE_POINTS_MAX];
    for (int i = 0; i < count; i++)
        MMC_TRY(mmc_curve_weights(c->weight + i * c->curve->count, c->curve, t_of(s, points[i])));
    for (int i = 0; i < c->curve->count; i++)
        end[i] = s->ends[i];
    mmc_trace_begin(MMC_TRACE_OPERATION, "interpolate");
    return mmc_trace_end(s->be->flat->interpolate(s->be->queue, s->states, s->model->state_count, count, end,
                                                  c->curve->count, c->weight, s->model->state_count));
}

static mmc_status run_points(sweep *s, course *c, const int *points, int count) {
    const int last = s->config->points - 1;
    MMC_TRY(interpolate(s, c, points, count));
    MMC_TRY(sweep_run(s, t_of(s, points[0]), count));
    for (int i = 0; i < count; i++) {
        mmc_point_scores *scores = &c->scores[points[i]];
        MMC_TRY(read_scores(s, i, scores));
        c->known[points[i]] = true;
        if (c->cache && (points[i] == 0 || points[i] == last))
            MMC_TRY(mmc_path_cache_add(c->cache, &c->key[points[i] == last], scores));
    }
    if (c->closed && points[0] == 0) {
        c->scores[last] = c->scores[0];
        c->known[last] = true;
    }
    return MMC_OK;
}

/* Rows of the points that are known, in their order, up to the first that is not. */
static void show_known(sweep *s, course *c) {
    for (; c->shown < s->config->points && c->known[c->shown]; c->shown++)
        sweep_rows(s, t_of(s, c->shown), &c->scores[c->shown]);
}

static mmc_status sweep_curve(sweep *s, course *c) {
    enum { GROUP = 64 };
    int points[GROUP], count = 0;
    const int most = s->together < GROUP ? s->together : GROUP;
    show_known(s, c);
    for (int i = 0; i < s->config->points; i++) {
        if (wanted(s, c, i))
            points[count++] = i;
        if (count > 0 && (count == most || i == s->config->points - 1)) {
            MMC_TRY(run_points(s, c, points, count));
            show_known(s, c);
            count = 0;
        }
    }
    return MMC_OK;
}

mmc_status mmc_path_evaluate(mmc_path_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                             const mmc_curve *curve, const mmc_path_config *config, mmc_path_cache *cache,
                             const mmc_path_hooks *hooks) {
    mmc_status status;
    double weight[MMC_CURVE_POINTS_MAX];
    const double start_s = mmc_clock_s();
    sweep s = {.be = be, .model = model, .config = config, .hooks = hooks, .out = out};
    course c = {.curve = curve, .cache = cache};
    *out = (mmc_path_result){0};
    if (config->points < 2)
        return mmc_fail(MMC_ERR_RANGE, "%d points on a path: give 2 or more, both ends counted", config->points);
    MMC_TRY(mmc_curve_weights(weight, curve, 0));
    MMC_GOTO(cleanup, course_open(&s, &c, data));
    MMC_GOTO(cleanup, place_ends(&s, curve));
    MMC_GOTO(cleanup, sweep_open(&s, data, config->points, out));
    MMC_GOTO(cleanup, sweep_curve(&s, &c));
cleanup:
    sweep_finish(&s, start_s);
    sweep_close(&s);
    course_close(&c);
    return status;
}

mmc_status mmc_model_evaluate(mmc_path_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                              const float *state, const mmc_path_config *config, const mmc_path_hooks *hooks) {
    mmc_status status;
    mmc_point_scores scores;
    const double start_s = mmc_clock_s();
    sweep s = {.be = be, .model = model, .config = config, .hooks = hooks, .points = 1};
    *out = (mmc_path_result){0};
    MMC_GOTO(cleanup, sweep_open(&s, data, 1, out));
    MMC_GOTO(cleanup, be->memory->upload(be, s.states, state, model->state_count * sizeof *state));
    MMC_GOTO(cleanup, sweep_run(&s, NAN, 1));
    MMC_GOTO(cleanup, read_scores(&s, 0, &scores));
    sweep_rows(&s, NAN, &scores);
    sweep_finish(&s, start_s);
cleanup:
    sweep_close(&s);
    return status;
}

void mmc_path_result_close(mmc_path_result *r) {
    free(r->rows);
    *r = (mmc_path_result){0};
}

mmc_path_summary mmc_path_summarise(const mmc_path_result *r, mmc_set set, mmc_split_kind split) {
    const mmc_path_row *first = NULL, *last = NULL;
    for (int i = 0; i < r->row_count; i++)
        if (r->rows[i].set == set && r->rows[i].split == split) {
            first = first ? first : &r->rows[i];
            last = &r->rows[i];
        }
    if (!first)
        return (mmc_path_summary){.barrier = NAN, .dip = NAN};
    mmc_path_summary out = {.barrier = -INFINITY, .dip = -INFINITY};
    for (int i = 0; i < r->row_count; i++) {
        const mmc_path_row *row = &r->rows[i];
        if (row->set != set || row->split != split)
            continue;
        double barrier = row->loss - ((1 - row->t) * first->loss + row->t * last->loss);
        double dip = fmin(first->accuracy, last->accuracy) - row->accuracy;
        out.barrier = fmax(out.barrier, barrier);
        out.dip = fmax(out.dip, dip);
    }
    return out;
}
