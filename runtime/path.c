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

enum { LANES_MAX = 1 + MMC_PATH_MORE_MAX, GROUP_MAX = 64 };

/* What one device holds of a path. */
typedef struct lane {
    mmc_backend *be;
    int together; /* points at once */
    mmc_point_plan *plan;
    void *ends[MMC_CURVE_POINTS_MAX]; /* control points, device */
    void *states;                     /* of the points in hand, device (together, state_count) */
    int points[GROUP_MAX], count;     /* in hand */
} lane;

/* A path or a model under evaluation. */
typedef struct sweep {
    const mmc_model *model;
    const mmc_path_config *config;
    const mmc_path_hooks *hooks;
    int points; /* to run; those that are known already do not count */
    lane lane[LANES_MAX];
    int lanes;
    mmc_point_hooks point;
    mmc_path_result *out;
} sweep;

static mmc_status place_states(const sweep *s, lane *l, const mmc_dataset *data) {
    const size_t size = (size_t)l->together * s->model->state_count * sizeof(float);
    MMC_TRY(l->be->memory->alloc(l->be, &l->states, size));
    return mmc_point_plan_create(&l->plan, l->be, s->model, data, s->config, l->together);
}

/* Plans for as many points at once as the backend gains by and its memory holds. */
static mmc_status place(const sweep *s, lane *l, const mmc_dataset *data) {
    const int share = (s->points + s->lanes - 1) / s->lanes;
    l->together = share < l->be->max_sets ? share : l->be->max_sets;
    if (l->together > GROUP_MAX)
        l->together = GROUP_MAX;
    if (l->together < 1)
        l->together = 1;
    MMC_TRY(mmc_backend_select(l->be));
    mmc_status status = place_states(s, l, data);
    while (status == MMC_ERR_MEMORY && l->together > 1) {
        l->be->memory->free(l->be, l->states);
        l->states = NULL;
        l->together = (l->together + 1) / 2;
        status = place_states(s, l, data);
    }
    return status;
}

/* One lane a device, as far as there are points for them. */
static mmc_status choose_lanes(sweep *s, mmc_backend *be) {
    const int more = s->config->more_count;
    if (more < 0 || more > MMC_PATH_MORE_MAX)
        return mmc_fail(MMC_ERR_RANGE, "%d devices for one path: give 1 to %d", more + 1, LANES_MAX);
    s->lane[0].be = be;
    for (s->lanes = 1; s->lanes <= more && s->lanes < s->points; s->lanes++)
        s->lane[s->lanes].be = s->config->more[s->lanes - 1];
    return MMC_OK;
}

/* Room for the rows of `points` points and the plan of `s->points` of them. */
static mmc_status sweep_open(sweep *s, const mmc_dataset *data, int points, mmc_path_result *out) {
    const mmc_path_config *config = s->config;
    mmc_room room;
    s->out = out;
    for (int i = 0; i < s->lanes; i++) {
        lane *l = &s->lane[i];
        MMC_TRY(mmc_room_measure(&room, l->be));
        MMC_TRY(place(s, l, data));
        MMC_TRY(mmc_room_report(&room, l->be, s->hooks ? &s->hooks->progress : NULL));
    }
    const mmc_point_plan *plan = s->lane[0].plan;
    int rows = 0;
    for (int set = 0; set < MMC_SET_COUNT; set++)
        rows += (config->sets >> set) & 1u ? config->split_test + config->split_train : 0;
    out->rows = malloc((size_t)points * (size_t)rows * sizeof *out->rows);
    if (!out->rows)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %d rows of a path", points * rows);
    out->bn_batches_skipped = mmc_point_bn_skipped(plan);
    out->image_forwards_defined = points * (mmc_point_bn_defined(plan) + mmc_point_eval_defined(plan));
    s->point.progress = s->hooks ? &s->hooks->progress : NULL;
    s->point.total = s->points * (mmc_point_bn_images(plan) + mmc_point_eval_images(plan));
    return MMC_OK;
}

/* Leaves the first device selected, as it was found. */
static void sweep_close(sweep *s) {
    for (int i = s->lanes - 1; i >= 0; i--) {
        lane *l = &s->lane[i];
        (void)mmc_backend_select(l->be);
        for (int end = 0; end < MMC_CURVE_POINTS_MAX; end++)
            l->be->memory->free(l->be, l->ends[end]);
        l->be->memory->free(l->be, l->states);
        mmc_point_plan_free(l->plan);
    }
}

static mmc_status read_scores(const sweep *s, const lane *l, int state, mmc_point_scores *scores) {
    memset(scores, 0, sizeof *scores);
    for (int split = 0; split < 2; split++)
        for (int set = 0; set < MMC_SET_COUNT; set++)
            if (mmc_point_evaluator(l->plan, (mmc_split_kind)split) && (s->config->sets >> set) & 1u)
                MMC_TRY(
                    mmc_point_score(l->plan, state, (mmc_split_kind)split, (mmc_set)set, &scores->score[split][set]));
    return MMC_OK;
}

/* Evaluates the states in hand, the first of which is that of t; of several lanes only until it is enqueued. */
static mmc_status sweep_run(sweep *s, const lane *l, double t, int count) {
    s->point.t = t;
    if (s->lanes == 1)
        MMC_TRY(mmc_point_run(l->plan, l->states, count, &s->point));
    else
        MMC_TRY(mmc_point_begin(l->plan, l->states, count, &s->point));
    s->out->image_forwards_bn += count * mmc_point_bn_images(l->plan);
    s->out->image_forwards += count * (mmc_point_bn_images(l->plan) + mmc_point_eval_images(l->plan));
    return MMC_OK;
}

/* Appends the rows of a point, test split first. */
static void sweep_rows(sweep *s, double t, const mmc_point_scores *scores) {
    static const mmc_split_kind order[] = {MMC_SPLIT_TEST, MMC_SPLIT_TRAIN};
    for (int i = 0; i < 2; i++) {
        if (!mmc_point_evaluator(s->lane[0].plan, order[i]))
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

static mmc_status course_open(sweep *s, course *c, mmc_backend *be, const mmc_dataset *data) {
    const int last = s->config->points - 1;
    const size_t points = (size_t)s->config->points;
    c->scores = malloc(points * sizeof *c->scores);
    c->known = calloc(points, sizeof *c->known);
    c->weight = malloc(points * (size_t)c->curve->count * sizeof *c->weight);
    if (!c->scores || !c->known || !c->weight)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the scores of %zu points", points);
    if (c->cache) {
        mmc_point_key common;
        MMC_TRY(mmc_point_key_common(&common, be, s->model, data, s->config));
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

static mmc_status place_ends(const sweep *s, lane *l, const mmc_curve *curve) {
    const size_t size = s->model->state_count * sizeof(float);
    MMC_TRY(mmc_backend_select(l->be));
    for (int i = 0; i < curve->count; i++) {
        MMC_TRY(l->be->memory->alloc(l->be, &l->ends[i], size));
        MMC_TRY(l->be->memory->upload(l->be, l->ends[i], curve->point[i], size));
    }
    return MMC_OK;
}

/* gamma(t) of the points in the states in hand, running values included. */
static mmc_status interpolate(const sweep *s, const lane *l, course *c) {
    const float *end[MMC_CURVE_POINTS_MAX];
    for (int i = 0; i < l->count; i++)
        MMC_TRY(mmc_curve_weights(c->weight + i * c->curve->count, c->curve, t_of(s, l->points[i])));
    for (int i = 0; i < c->curve->count; i++)
        end[i] = l->ends[i];
    mmc_trace_begin(MMC_TRACE_OPERATION, "interpolate");
    return mmc_trace_end(l->be->flat->interpolate(l->be->queue, l->states, s->model->state_count, l->count, end,
                                                  c->curve->count, c->weight, s->model->state_count));
}

static mmc_status begin_points(sweep *s, const lane *l, course *c) {
    MMC_TRY(mmc_backend_select(l->be));
    MMC_TRY(interpolate(s, l, c));
    return sweep_run(s, l, t_of(s, l->points[0]), l->count);
}

static mmc_status end_points(const sweep *s, lane *l, course *c) {
    const int last = s->config->points - 1;
    if (s->lanes > 1) {
        MMC_TRY(mmc_backend_select(l->be));
        MMC_TRY(mmc_point_end(l->plan, l->count));
    }
    for (int i = 0; i < l->count; i++) {
        const int point = l->points[i];
        mmc_point_scores *scores = &c->scores[point];
        MMC_TRY(read_scores(s, l, i, scores));
        c->known[point] = true;
        if (c->cache && (point == 0 || point == last))
            MMC_TRY(mmc_path_cache_add(c->cache, &c->key[point == last], scores));
    }
    if (c->closed && l->points[0] == 0) {
        c->scores[last] = c->scores[0];
        c->known[last] = true;
    }
    l->count = 0;
    return MMC_OK;
}

/* Begins on every lane that has points in hand, then waits for them. */
static mmc_status run_points(sweep *s, course *c) {
    const double start_s = mmc_clock_s();
    for (int i = 0; i < s->lanes; i++)
        if (s->lane[i].count)
            MMC_TRY(begin_points(s, &s->lane[i], c));
    for (int i = 0; i < s->lanes; i++)
        if (s->lane[i].count)
            MMC_TRY(end_points(s, &s->lane[i], c));
    if (s->lanes > 1) /* the devices estimate and evaluate side by side */
        s->point.eval_s += mmc_clock_s() - start_s;
    return MMC_OK;
}

/* Rows of the points that are known, in their order, up to the first that is not. */
static void show_known(sweep *s, course *c) {
    for (; c->shown < s->config->points && c->known[c->shown]; c->shown++)
        sweep_rows(s, t_of(s, c->shown), &c->scores[c->shown]);
}

static mmc_status sweep_curve(sweep *s, course *c) {
    int l = 0; /* the lane that takes the next point */
    show_known(s, c);
    for (int i = 0; i < s->config->points; i++) {
        if (!wanted(s, c, i))
            continue;
        lane *taker = &s->lane[l];
        taker->points[taker->count++] = i;
        if (taker->count < taker->together)
            continue;
        l = (l + 1) % s->lanes;
        if (l == 0) {
            MMC_TRY(run_points(s, c));
            show_known(s, c);
        }
    }
    MMC_TRY(run_points(s, c));
    show_known(s, c);
    return MMC_OK;
}

mmc_status mmc_path_evaluate(mmc_path_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                             const mmc_curve *curve, const mmc_path_config *config, mmc_path_cache *cache,
                             const mmc_path_hooks *hooks) {
    mmc_status status;
    double weight[MMC_CURVE_POINTS_MAX];
    const double start_s = mmc_clock_s();
    sweep s = {.model = model, .config = config, .hooks = hooks, .out = out};
    course c = {.curve = curve, .cache = cache};
    *out = (mmc_path_result){0};
    if (config->points < 2)
        return mmc_fail(MMC_ERR_RANGE, "%d points on a path: give 2 or more, both ends counted", config->points);
    MMC_TRY(mmc_point_check(model, data, config));
    MMC_TRY(mmc_curve_weights(weight, curve, 0));
    MMC_GOTO(cleanup, course_open(&s, &c, be, data));
    MMC_GOTO(cleanup, choose_lanes(&s, be));
    for (int i = 0; i < s.lanes; i++)
        MMC_GOTO(cleanup, place_ends(&s, &s.lane[i], curve));
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
    sweep s = {.model = model, .config = config, .hooks = hooks, .points = 1, .lane = {{.be = be}}, .lanes = 1};
    *out = (mmc_path_result){0};
    MMC_GOTO(cleanup, sweep_open(&s, data, 1, out));
    MMC_GOTO(cleanup, be->memory->upload(be, s.lane[0].states, state, model->state_count * sizeof *state));
    MMC_GOTO(cleanup, sweep_run(&s, &s.lane[0], NAN, 1));
    MMC_GOTO(cleanup, read_scores(&s, &s.lane[0], 0, &scores));
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
