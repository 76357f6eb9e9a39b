#include "runtime/point.h"

#include "runtime/clock.h"
#include "runtime/trace.h"

#include <math.h>
#include <stdlib.h>

enum { SPLITS = 2 };

struct mmc_point_plan {
    mmc_backend *be;
    const mmc_model *model;
    mmc_path_config config;
    int32_t bn_count; /* images of the estimate; 0: stored values */
    int states_max, bn_batch, bn_batches, bn_skipped;
    size_t running;
    mmc_images images[SPLITS];
    mmc_network *stats, *eval;
    void *bn_samples;                 /* (bn_count) mmc_sample, device */
    void *pool;                       /* (states_max, running) f64, device; pooled only */
    mmc_evaluator *evaluator[SPLITS]; /* by mmc_split_kind; NULL: not asked for */
    int64_t eval_defined, eval_images;
};

mmc_status mmc_point_check(const mmc_model *model, const mmc_dataset *data, const mmc_path_config *config) {
    MMC_TRY(mmc_dataset_fits(data, model->spec.classes, model->spec.height, "evaluated"));
    if (config->bn_batch < 1 || config->batch < 1 || config->bn_images < 0 || config->train_images < 0)
        return mmc_fail(MMC_ERR_RANGE,
                        "batches of %d and %d images, %d batch norm and %d train images: give 1 image or more a batch",
                        config->bn_batch, config->batch, (int)config->bn_images, (int)config->train_images);
    if (!config->split_test && !config->split_train)
        return mmc_fail(MMC_ERR_USAGE, "no split to evaluate; give test, train or both");
    return MMC_OK;
}

static size_t pool_size(const mmc_point_plan *p, int states) {
    return (size_t)states * p->running * sizeof(double);
}

static mmc_status plan_bn(mmc_point_plan *p, const mmc_dataset *data) {
    const int32_t wanted = p->config.bn_images;
    p->bn_count = wanted > 0 && wanted < data->train.count ? wanted : data->train.count;
    p->bn_batch = p->config.bn_batch < p->bn_count ? p->config.bn_batch : p->bn_count;
    p->bn_batches = (p->bn_count + p->bn_batch - 1) / p->bn_batch;
    if (p->config.bn == MMC_BN_MOMENTUM && p->bn_batches > MMC_BN_MOMENTUM_BATCHES)
        p->bn_skipped = p->bn_batches - MMC_BN_MOMENTUM_BATCHES;
    MMC_TRY(mmc_images_place_no_cue(&p->bn_samples, p->be, data, p->bn_count));
    if (p->config.bn == MMC_BN_POOLED)
        MMC_TRY(p->be->memory->alloc(p->be, &p->pool, pool_size(p, p->states_max)));
    return mmc_network_create(&p->stats, p->be, p->model, MMC_NETWORK_STATS, p->bn_batch, p->states_max);
}

static mmc_status plan_evaluation(mmc_point_plan *p, const mmc_dataset *data, mmc_split_kind split) {
    const int32_t limit = p->config.train_images;
    mmc_dataset shown = *data; /* borrows; not closed */
    int sets = 0;
    if (split == MMC_SPLIT_TRAIN && limit > 0 && limit < shown.train.count)
        shown.train.count = limit;
    for (int i = 0; i < MMC_SET_COUNT; i++)
        sets += (p->config.sets >> i) & 1u;
    MMC_TRY(mmc_evaluator_create(&p->evaluator[split], p->be, p->eval, p->config.batch, p->states_max,
                                 &p->images[split], &shown, split, p->config.sets,
                                 split == MMC_SPLIT_TEST ? p->config.draws : NULL, p->config.seed));
    p->eval_defined += (int64_t)sets * (split == MMC_SPLIT_TRAIN ? shown.train.count : shown.test.count);
    p->eval_images += mmc_evaluator_images(p->evaluator[split]);
    return MMC_OK;
}

mmc_status mmc_point_plan_create(mmc_point_plan **out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                                 const mmc_path_config *config, int states_max) {
    mmc_status status = MMC_OK;
    *out = NULL;
    MMC_TRY(mmc_point_check(model, data, config));
    if (states_max < 1)
        return mmc_fail(MMC_ERR_RANGE, "%d points evaluated at once: give 1 or more", states_max);
    mmc_point_plan *p = calloc(1, sizeof *p);
    if (!p)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the plan of an evaluation needs %zu bytes", sizeof *p);
    p->be = be;
    p->model = model;
    p->config = *config;
    p->states_max = states_max;
    p->config.batch = mmc_evaluator_batch(be, config->batch);
    p->running = model->state_count - model->parameter_count;
    if (config->split_train || config->bn != MMC_BN_STORED)
        MMC_GOTO(fail, mmc_images_upload(&p->images[MMC_SPLIT_TRAIN], be, data, MMC_SPLIT_TRAIN));
    if (config->split_test)
        MMC_GOTO(fail, mmc_images_upload(&p->images[MMC_SPLIT_TEST], be, data, MMC_SPLIT_TEST));
    if (config->bn != MMC_BN_STORED)
        MMC_GOTO(fail, plan_bn(p, data));
    MMC_GOTO(fail, mmc_network_create(&p->eval, be, model, MMC_NETWORK_EVAL, p->config.batch, states_max));
    if (config->split_test)
        MMC_GOTO(fail, plan_evaluation(p, data, MMC_SPLIT_TEST));
    if (config->split_train)
        MMC_GOTO(fail, plan_evaluation(p, data, MMC_SPLIT_TRAIN));
    *out = p;
    return MMC_OK;
fail:
    mmc_point_plan_free(p);
    return status;
}

void mmc_point_plan_free(mmc_point_plan *p) {
    if (!p)
        return;
    for (int i = 0; i < SPLITS; i++) {
        mmc_evaluator_free(p->evaluator[i]);
        mmc_images_close(&p->images[i]);
    }
    mmc_network_free(p->stats);
    mmc_network_free(p->eval);
    p->be->memory->free(p->be, p->bn_samples);
    p->be->memory->free(p->be, p->pool);
    free(p);
}

int64_t mmc_point_bn_defined(const mmc_point_plan *p) {
    return p->bn_count;
}

int64_t mmc_point_bn_images(const mmc_point_plan *p) {
    return (int64_t)p->bn_count - (int64_t)p->bn_skipped * p->bn_batch;
}

int mmc_point_bn_skipped(const mmc_point_plan *p) {
    return p->bn_skipped;
}

int64_t mmc_point_eval_defined(const mmc_point_plan *p) {
    return p->eval_defined;
}

int64_t mmc_point_eval_images(const mmc_point_plan *p) {
    return p->eval_images;
}

static mmc_status advance(mmc_point_hooks *hooks, const char *phase, int images) {
    if (!hooks)
        return MMC_OK;
    hooks->done += images;
    if (!hooks->progress)
        return MMC_OK;
    if (hooks->progress->report) {
        mmc_progress_event event = {
            .phase = phase, .done = hooks->done, .total = hooks->total, .t = hooks->t, .loss = NAN};
        hooks->progress->report(hooks->progress->user, &event);
    }
    if (hooks->progress->interrupted && *hooks->progress->interrupted)
        return mmc_fail(MMC_ERR_INTERRUPTED, "interrupted while evaluating");
    return MMC_OK;
}

static mmc_status advance_evaluation(void *user, int images) {
    return advance(user, "eval", images);
}

/* Adds the statistics of the batch in hand, n images, to what is pooled. */
static mmc_status pool(mmc_point_plan *p, int states, int n) {
    for (int i = 0; i < states; i++)
        MMC_TRY(p->be->flat->pool_add(p->be->queue, (double *)p->pool + (size_t)i * p->running,
                                      mmc_network_statistics(p->stats) + (size_t)i * p->running,
                                      mmc_network_partner(p->stats), mmc_network_positions(p->stats), p->running, n));
    return MMC_OK;
}

static mmc_status finish_pool(mmc_point_plan *p, float *running, int states) {
    for (int i = 0; i < states; i++)
        MMC_TRY(p->be->flat->pool_finish(
            p->be->queue, running + (size_t)i * p->model->state_count, (const double *)p->pool + (size_t)i * p->running,
            mmc_network_partner(p->stats), mmc_network_positions(p->stats), p->running, p->bn_count));
    return MMC_OK;
}

/* Batch norm estimated anew into the running values behind the parameters of each state. */
static mmc_status estimate(mmc_point_plan *p, float *state, int states, mmc_point_hooks *hooks) {
    float *running = state + p->model->parameter_count;
    const bool pooled = p->config.bn == MMC_BN_POOLED;
    MMC_TRY(mmc_network_load(p->stats, state, states));
    if (pooled)
        MMC_TRY(p->be->memory->zero(p->be, p->pool, pool_size(p, states)));
    for (int b = p->bn_skipped; b < p->bn_batches; b++) {
        const int32_t first = b * p->bn_batch;
        const int n = p->bn_count - first < p->bn_batch ? (int)(p->bn_count - first) : p->bn_batch;
        MMC_TRY(mmc_network_pass(p->stats, &p->images[MMC_SPLIT_TRAIN].store, (const mmc_sample *)p->bn_samples + first,
                                 n));
        if (pooled)
            MMC_TRY(pool(p, states, n));
        else
            MMC_TRY(p->be->flat->running(p->be->queue, running, p->model->state_count, mmc_network_statistics(p->stats),
                                         p->running, mmc_network_unbias_factor(p->stats), states, p->running, 0.1));
        MMC_TRY(advance(hooks, "bn", n * states));
    }
    return pooled ? finish_pool(p, running, states) : MMC_OK;
}

mmc_status mmc_point_run(mmc_point_plan *p, float *states, int count, mmc_point_hooks *hooks) {
    const double start_s = mmc_clock_s();
    if (p->stats) {
        mmc_trace_begin(MMC_TRACE_PHASE, "bn");
        MMC_TRY(mmc_trace_end(estimate(p, states, count, hooks)));
        MMC_TRY(p->be->memory->sync(p->be));
    }
    const double estimated_s = mmc_clock_s();
    MMC_TRY(mmc_network_load(p->eval, states, count));
    for (int split = SPLITS - 1; split >= 0; split--)
        if (p->evaluator[split]) {
            mmc_trace_begin(MMC_TRACE_PHASE, "eval");
            MMC_TRY(mmc_trace_end(mmc_evaluator_run(p->evaluator[split], count, advance_evaluation, hooks)));
        }
    MMC_TRY(p->be->memory->sync(p->be));
    if (hooks) {
        hooks->bn_s += estimated_s - start_s;
        hooks->eval_s += mmc_clock_s() - estimated_s;
    }
    return MMC_OK;
}

mmc_status mmc_point_begin(mmc_point_plan *p, float *states, int count, mmc_point_hooks *hooks) {
    if (p->stats) {
        mmc_trace_begin(MMC_TRACE_PHASE, "bn");
        MMC_TRY(mmc_trace_end(estimate(p, states, count, hooks)));
    }
    MMC_TRY(mmc_network_load(p->eval, states, count));
    for (int split = SPLITS - 1; split >= 0; split--)
        if (p->evaluator[split]) {
            mmc_trace_begin(MMC_TRACE_PHASE, "eval");
            MMC_TRY(mmc_trace_end(mmc_evaluator_begin(p->evaluator[split], count, advance_evaluation, hooks)));
        }
    return MMC_OK;
}

mmc_status mmc_point_end(mmc_point_plan *p, int count) {
    for (int split = SPLITS - 1; split >= 0; split--)
        if (p->evaluator[split])
            MMC_TRY(mmc_evaluator_end(p->evaluator[split], count));
    return MMC_OK;
}

mmc_status mmc_point_score(const mmc_point_plan *p, int state, mmc_split_kind split, mmc_set set, mmc_score *out) {
    return mmc_evaluator_score(p->evaluator[split], state, set, out);
}

mmc_evaluator *mmc_point_evaluator(const mmc_point_plan *p, mmc_split_kind split) {
    return p->evaluator[split];
}
