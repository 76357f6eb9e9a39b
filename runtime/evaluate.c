#include "runtime/evaluate.h"

#include <math.h>
#include <stdlib.h>

struct mmc_evaluator {
    mmc_backend *be;
    mmc_network *net;
    const mmc_images *images;
    int batch, classes, states_max;
    int32_t count, unique; /* samples of a set, distinct images of all sets */
    unsigned sets;
    void *samples; /* (unique) mmc_sample, device, like all below */
    void *labels;  /* (count) i32 */
    void *rows;    /* (sets asked for, count) i32 */
    void *logits;  /* (states_max, unique, classes) f32 */
    void *tally;   /* (states_max, MMC_SET_COUNT, 2) f64 */
    double *host_tally;
};

int mmc_evaluator_batch(const mmc_backend *be, int batch) {
    return be->pass_images > 0 && be->pass_images < batch ? be->pass_images : batch;
}

static int set_count(unsigned sets) {
    int n = 0;
    for (int s = 0; s < MMC_SET_COUNT; s++)
        n += (sets >> s) & 1u;
    return n;
}

/* Logits of one state. */
static size_t logits_count(const mmc_evaluator *e) {
    return (size_t)e->unique * (size_t)e->classes;
}

static size_t tally_size(int states) {
    return (size_t)states * MMC_SET_COUNT * 2 * sizeof(double);
}

static mmc_status place(mmc_backend *be, void **out, const void *host, size_t size) {
    MMC_TRY(be->memory->alloc(be, out, size));
    return host ? be->memory->upload(be, *out, host, size) : MMC_OK;
}

/* Draws the samples of all sets, finds the distinct ones and puts them on the device. */
static mmc_status draw_samples(mmc_evaluator *e, const mmc_dataset *data, mmc_split_kind split, const mmc_draws *draws,
                               uint64_t seed) {
    mmc_status status = MMC_OK;
    const size_t count = (size_t)e->count, all = (size_t)set_count(e->sets) * count;
    mmc_sample *samples = malloc(2 * all * sizeof *samples);
    int32_t *rows = malloc(all * sizeof *rows);
    if (!samples || !rows) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: %zu samples of the counterfactual sets", all);
        goto cleanup;
    }
    mmc_sample *next = samples, *unique = samples + all;
    for (int s = 0; s < MMC_SET_COUNT; s++)
        if ((e->sets >> s) & 1u) {
            MMC_GOTO(cleanup, mmc_counterfactual_samples(next, data, split, (mmc_set)s, NULL, draws, seed));
            next += count;
        }
    MMC_GOTO(cleanup, mmc_sample_unique(unique, rows, &e->unique, samples, (int32_t)all));
    MMC_GOTO(cleanup, place(e->be, &e->samples, unique, (size_t)e->unique * sizeof *unique));
    MMC_GOTO(cleanup, place(e->be, &e->rows, rows, all * sizeof *rows));
    MMC_GOTO(cleanup, e->be->memory->sync(e->be));
cleanup:
    free(samples);
    free(rows);
    return status;
}

mmc_status mmc_evaluator_create(mmc_evaluator **out, mmc_backend *be, mmc_network *net, int batch, int states_max,
                                const mmc_images *images, const mmc_dataset *data, mmc_split_kind split, unsigned sets,
                                const mmc_draws *draws, uint64_t seed) {
    mmc_status status = MMC_OK;
    const mmc_split *s = split == MMC_SPLIT_TRAIN ? &data->train : &data->test;
    *out = NULL;
    if (set_count(sets) == 0)
        return mmc_fail(MMC_ERR_USAGE, "no counterfactual set to evaluate; give some of NC,C,RC,RI");
    mmc_evaluator *e = calloc(1, sizeof *e);
    if (!e)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: an evaluator needs %zu bytes", sizeof *e);
    e->be = be;
    e->net = net;
    e->images = images;
    e->batch = batch;
    e->classes = data->classes;
    e->states_max = states_max;
    e->count = s->count;
    e->sets = sets;
    MMC_GOTO(fail, draw_samples(e, data, split, draws, seed));
    MMC_GOTO(fail, place(be, &e->labels, s->labels, (size_t)s->count * sizeof *s->labels));
    MMC_GOTO(fail, place(be, &e->logits, NULL, (size_t)states_max * logits_count(e) * sizeof(float)));
    MMC_GOTO(fail, place(be, &e->tally, NULL, tally_size(states_max)));
    e->host_tally = malloc(tally_size(states_max));
    if (!e->host_tally) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: the scores of %d states", states_max);
        goto fail;
    }
    *out = e;
    return MMC_OK;
fail:
    mmc_evaluator_free(e);
    return status;
}

void mmc_evaluator_free(mmc_evaluator *e) {
    if (!e)
        return;
    e->be->memory->free(e->be, e->samples);
    e->be->memory->free(e->be, e->labels);
    e->be->memory->free(e->be, e->rows);
    e->be->memory->free(e->be, e->logits);
    e->be->memory->free(e->be, e->tally);
    free(e->host_tally);
    free(e);
}

int32_t mmc_evaluator_images(const mmc_evaluator *e) {
    return e->unique;
}

/* Sums of losses and correct answers of every state and set. */
static mmc_status tally_all(mmc_evaluator *e, int states) {
    MMC_TRY(e->be->memory->zero(e->be, e->tally, tally_size(states)));
    for (int state = 0; state < states; state++)
        for (int set = 0; set < MMC_SET_COUNT; set++) {
            if (!((e->sets >> set) & 1u))
                continue;
            mmc_loss_call call = {.n = e->count,
                                  .k = e->classes,
                                  .tally = (double *)e->tally + 2 * (state * MMC_SET_COUNT + set),
                                  .logits = mmc_evaluator_logits(e, state),
                                  .rows = mmc_evaluator_rows(e, (mmc_set)set),
                                  .labels = e->labels};
            MMC_TRY(e->be->flat->loss(e->be->queue, &call));
        }
    return MMC_OK;
}

mmc_status mmc_evaluator_begin(mmc_evaluator *e, int states, mmc_evaluator_step step, void *user) {
    const size_t classes = (size_t)e->classes;
    if (states < 1 || states > e->states_max)
        return mmc_fail(MMC_ERR_RANGE, "%d states for an evaluation planned for %d", states, e->states_max);
    for (int32_t start = 0; start < e->unique; start += e->batch) {
        int n = e->unique - start < e->batch ? (int)(e->unique - start) : e->batch;
        const size_t count = (size_t)n * classes;
        MMC_TRY(mmc_network_pass(e->net, &e->images->store, (const mmc_sample *)e->samples + start, n));
        for (int state = 0; state < states; state++)
            MMC_TRY(e->be->memory->copy(e->be,
                                        (float *)e->logits + (size_t)state * logits_count(e) + (size_t)start * classes,
                                        mmc_network_logits(e->net) + (size_t)state * count, count * sizeof(float)));
        if (step)
            MMC_TRY(step(user, n * states));
    }
    return tally_all(e, states);
}

mmc_status mmc_evaluator_end(mmc_evaluator *e, int states) {
    return e->be->memory->download(e->be, e->host_tally, e->tally, tally_size(states));
}

mmc_status mmc_evaluator_run(mmc_evaluator *e, int states, mmc_evaluator_step step, void *user) {
    MMC_TRY(mmc_evaluator_begin(e, states, step, user));
    return mmc_evaluator_end(e, states);
}

mmc_status mmc_evaluator_score(const mmc_evaluator *e, int state, mmc_set set, mmc_score *out) {
    const double *tally = e->host_tally + 2 * (state * MMC_SET_COUNT + (int)set);
    *out = (mmc_score){.loss = tally[0] / e->count, .accuracy = tally[1] / e->count, .n = e->count};
    if (!isfinite(out->loss))
        return mmc_fail(MMC_ERR_WRONG,
                        "the loss on set %s is not finite; the weights or their batch norm statistics "
                        "are broken",
                        mmc_set_letter(set));
    return MMC_OK;
}

const float *mmc_evaluator_logits(const mmc_evaluator *e, int state) {
    return (const float *)e->logits + (size_t)state * logits_count(e);
}

const int32_t *mmc_evaluator_rows(const mmc_evaluator *e, mmc_set set) {
    if (!((e->sets >> set) & 1u))
        return NULL;
    return (const int32_t *)e->rows + (size_t)set_count(e->sets & ((1u << set) - 1)) * (size_t)e->count;
}
