#include "runtime/evaluate.h"

#include <math.h>
#include <stdlib.h>

struct mmc_evaluator {
    mmc_backend *be;
    mmc_network *net;
    const mmc_images *images;
    int batch, classes;
    int32_t count, unique; /* samples of a set, distinct images of all sets */
    unsigned sets;
    void *samples; /* (unique) mmc_sample, device, like all below */
    void *labels;  /* (count) i32 */
    void *rows;    /* (sets asked for, count) i32 */
    void *logits;  /* (unique, classes) f32 */
    void *tally;   /* (2) f64 */
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

mmc_status mmc_evaluator_create(mmc_evaluator **out, mmc_backend *be, mmc_network *net, int batch,
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
    e->count = s->count;
    e->sets = sets;
    MMC_GOTO(fail, draw_samples(e, data, split, draws, seed));
    MMC_GOTO(fail, place(be, &e->labels, s->labels, (size_t)s->count * sizeof *s->labels));
    MMC_GOTO(fail, place(be, &e->logits, NULL, (size_t)e->unique * (size_t)e->classes * sizeof(float)));
    MMC_GOTO(fail, place(be, &e->tally, NULL, 2 * sizeof(double)));
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
    free(e);
}

int32_t mmc_evaluator_images(const mmc_evaluator *e) {
    return e->unique;
}

mmc_status mmc_evaluator_run(mmc_evaluator *e, mmc_evaluator_step step, void *user) {
    const size_t classes = (size_t)e->classes;
    for (int32_t start = 0; start < e->unique; start += e->batch) {
        int n = e->unique - start < e->batch ? (int)(e->unique - start) : e->batch;
        MMC_TRY(mmc_network_render(e->net, &e->images->store, (const mmc_sample *)e->samples + start, n));
        MMC_TRY(mmc_network_forward(e->net));
        MMC_TRY(e->be->memory->copy(e->be, (float *)e->logits + (size_t)start * classes, mmc_network_logits(e->net),
                                    (size_t)n * classes * sizeof(float)));
        if (step)
            MMC_TRY(step(user, n));
    }
    return MMC_OK;
}

mmc_status mmc_evaluator_score(mmc_evaluator *e, mmc_set set, mmc_score *out) {
    double tally[2];
    MMC_TRY(e->be->memory->zero(e->be, e->tally, sizeof tally));
    MMC_TRY(e->be->flat->loss(e->be->queue, &(mmc_loss_call){.n = e->count,
                                                             .k = e->classes,
                                                             .tally = e->tally,
                                                             .logits = e->logits,
                                                             .rows = mmc_evaluator_rows(e, set),
                                                             .labels = e->labels}));
    MMC_TRY(e->be->memory->download(e->be, tally, e->tally, sizeof tally));
    *out = (mmc_score){.loss = tally[0] / e->count, .accuracy = tally[1] / e->count, .n = e->count};
    if (!isfinite(out->loss))
        return mmc_fail(MMC_ERR_WRONG,
                        "the loss on set %s is not finite; the weights or their batch norm statistics "
                        "are broken",
                        mmc_set_letter(set));
    return MMC_OK;
}

const float *mmc_evaluator_logits(const mmc_evaluator *e) {
    return e->logits;
}

const int32_t *mmc_evaluator_rows(const mmc_evaluator *e, mmc_set set) {
    if (!((e->sets >> set) & 1u))
        return NULL;
    return (const int32_t *)e->rows + (size_t)set_count(e->sets & ((1u << set) - 1)) * (size_t)e->count;
}
