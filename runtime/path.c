#include "runtime/path.h"

#include "runtime/clock.h"
#include "runtime/path_cache.h"
#include "runtime/point.h"

#include <math.h>
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
    const mmc_path_config *config;
    const mmc_path_hooks *hooks;
    mmc_point_plan *plan;
    mmc_point_hooks point;
    void *ends[MMC_CURVE_POINTS_MAX]; /* control points, device */
    void *state;                      /* of the point in hand, device */
    mmc_path_result *out;
} sweep;

static mmc_status sweep_open(sweep *s, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                             const mmc_path_config *config, const mmc_path_hooks *hooks, int points,
                             mmc_path_result *out) {
    *out = (mmc_path_result){0};
    s->be = be;
    s->config = config;
    s->hooks = hooks;
    s->out = out;
    MMC_TRY(mmc_point_plan_create(&s->plan, be, model, data, config));
    MMC_TRY(be->memory->alloc(be, &s->state, model->state_count * sizeof(float)));
    int rows = 0;
    for (int set = 0; set < MMC_SET_COUNT; set++)
        rows += (config->sets >> set) & 1u ? config->split_test + config->split_train : 0;
    out->rows = malloc((size_t)points * (size_t)rows * sizeof *out->rows);
    if (!out->rows)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %d rows of a path", points * rows);
    out->bn_batches_skipped = mmc_point_bn_skipped(s->plan);
    out->image_forwards_defined = points * (mmc_point_bn_defined(s->plan) + mmc_point_eval_defined(s->plan));
    s->point.progress = hooks ? &hooks->progress : NULL;
    s->point.total = points * (mmc_point_bn_images(s->plan) + mmc_point_eval_images(s->plan));
    return MMC_OK;
}

static void sweep_close(sweep *s) {
    for (int i = 0; i < MMC_CURVE_POINTS_MAX; i++)
        s->be->memory->free(s->be, s->ends[i]);
    s->be->memory->free(s->be, s->state);
    mmc_point_plan_free(s->plan);
}

/* Evaluates the state in hand. */
static mmc_status sweep_point(sweep *s, double t, mmc_point_scores *scores) {
    memset(scores, 0, sizeof *scores);
    s->point.t = t;
    MMC_TRY(mmc_point_run(s->plan, s->state, &s->point));
    for (int split = 0; split < 2; split++)
        for (int set = 0; set < MMC_SET_COUNT; set++)
            if (mmc_point_evaluator(s->plan, (mmc_split_kind)split) && (s->config->sets >> set) & 1u)
                MMC_TRY(mmc_point_score(s->plan, (mmc_split_kind)split, (mmc_set)set, &scores->score[split][set]));
    s->out->image_forwards_bn += mmc_point_bn_images(s->plan);
    s->out->image_forwards += mmc_point_bn_images(s->plan) + mmc_point_eval_images(s->plan);
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

/* gamma(t) in the state in hand, running values included. */
static mmc_status interpolate(sweep *s, const mmc_model *model, const mmc_curve *curve, double t) {
    double weight[MMC_CURVE_POINTS_MAX];
    const float *end[MMC_CURVE_POINTS_MAX];
    MMC_TRY(mmc_curve_weights(weight, curve, t));
    for (int i = 0; i < curve->count; i++)
        end[i] = s->ends[i];
    return s->be->flat->interpolate(s->be->queue, s->state, model->state_count, 1, end, curve->count, weight,
                                    model->state_count);
}

static mmc_status sweep_curve(sweep *s, const mmc_model *model, const mmc_dataset *data, const mmc_curve *curve,
                              mmc_path_cache *cache) {
    mmc_point_key common, key;
    const size_t size = model->state_count * sizeof(float);
    for (int i = 0; i < curve->count; i++) {
        MMC_TRY(s->be->memory->alloc(s->be, &s->ends[i], size));
        MMC_TRY(s->be->memory->upload(s->be, s->ends[i], curve->point[i], size));
    }
    if (cache)
        MMC_TRY(mmc_point_key_common(&common, s->be, model, data, s->config));
    for (int i = 0; i < s->config->points; i++) {
        const bool is_end = i == 0 || i == s->config->points - 1;
        const double t = (double)i / (s->config->points - 1);
        const mmc_point_scores *known = NULL;
        mmc_point_scores scores;
        if (cache && is_end) {
            MMC_TRY(mmc_point_key_state(&key, &common, model, curve->point[i == 0 ? 0 : curve->count - 1]));
            known = mmc_path_cache_find(cache, &key);
        }
        if (known) {
            scores = *known;
            s->point.total -= mmc_point_bn_images(s->plan) + mmc_point_eval_images(s->plan);
        } else {
            MMC_TRY(interpolate(s, model, curve, t));
            MMC_TRY(sweep_point(s, t, &scores));
            if (cache && is_end)
                MMC_TRY(mmc_path_cache_add(cache, &key, &scores));
        }
        sweep_rows(s, t, &scores);
    }
    return MMC_OK;
}

mmc_status mmc_path_evaluate(mmc_path_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                             const mmc_curve *curve, const mmc_path_config *config, mmc_path_cache *cache,
                             const mmc_path_hooks *hooks) {
    double weight[MMC_CURVE_POINTS_MAX];
    const double start_s = mmc_clock_s();
    sweep s = {.be = be};
    *out = (mmc_path_result){0};
    if (config->points < 2)
        return mmc_fail(MMC_ERR_RANGE, "%d points on a path: give 2 or more, both ends counted", config->points);
    MMC_TRY(mmc_curve_weights(weight, curve, 0));
    mmc_status status = sweep_open(&s, be, model, data, config, hooks, config->points, out);
    if (status == MMC_OK)
        status = sweep_curve(&s, model, data, curve, cache);
    sweep_finish(&s, start_s);
    sweep_close(&s);
    return status;
}

mmc_status mmc_model_evaluate(mmc_path_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                              const float *state, const mmc_path_config *config, const mmc_path_hooks *hooks) {
    mmc_status status;
    mmc_point_scores scores;
    const double start_s = mmc_clock_s();
    sweep s = {.be = be};
    MMC_GOTO(cleanup, sweep_open(&s, be, model, data, config, hooks, 1, out));
    MMC_GOTO(cleanup, be->memory->upload(be, s.state, state, model->state_count * sizeof *state));
    MMC_GOTO(cleanup, sweep_point(&s, NAN, &scores));
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
