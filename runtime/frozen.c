#include "runtime/frozen.h"

#include <math.h>
#include <stdlib.h>

enum { BATCH = 256 };

/* A pass in hand; device memory. */
typedef struct frozen {
    mmc_images images;
    mmc_network *net;
    void *samples, *labels; /* (count) */
    void *state;            /* (state_count) */
    void *tally;            /* (2) */
    int batch;
} frozen;

static mmc_status place(mmc_backend *be, void **out, const void *host, size_t size_bytes) {
    MMC_TRY(be->memory->alloc(be, out, size_bytes));
    return be->memory->upload(be, *out, host, size_bytes);
}

static mmc_status place_samples(frozen *f, const mmc_frozen_pass *pass) {
    mmc_status status = MMC_OK;
    const size_t count = (size_t)pass->count;
    mmc_sample *samples = malloc(count * sizeof *samples);
    int32_t *labels = malloc(count * sizeof *labels);
    if (!samples || !labels) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: %zu images for a frozen network", count);
        goto cleanup;
    }
    MMC_GOTO(cleanup, mmc_training_samples(samples, labels, pass->data,
                                           &(mmc_training_choice){.subset = pass->items, .count = pass->count}));
    MMC_GOTO(cleanup, place(pass->be, &f->samples, samples, count * sizeof *samples));
    MMC_GOTO(cleanup, place(pass->be, &f->labels, labels, count * sizeof *labels));
cleanup:
    free(samples);
    free(labels);
    return status;
}

static mmc_status frozen_open(frozen *f, const mmc_frozen_pass *pass, const float *state) {
    const double zero[2] = {0, 0};
    f->batch = mmc_evaluator_batch(pass->be, pass->count < BATCH ? (int)pass->count : BATCH);
    MMC_TRY(place_samples(f, pass));
    MMC_TRY(mmc_images_upload(&f->images, pass->be, pass->data, MMC_SPLIT_TRAIN));
    MMC_TRY(mmc_network_create(&f->net, pass->be, pass->model, MMC_NETWORK_EVAL, f->batch, 1));
    MMC_TRY(place(pass->be, &f->state, state, pass->model->state_count * sizeof *state));
    MMC_TRY(place(pass->be, &f->tally, zero, sizeof zero));
    return mmc_network_load(f->net, f->state, 1);
}

static void frozen_close(frozen *f, mmc_backend *be) {
    mmc_network_free(f->net);
    be->memory->free(be, f->samples);
    be->memory->free(be, f->labels);
    be->memory->free(be, f->state);
    be->memory->free(be, f->tally);
    mmc_images_close(&f->images);
}

static mmc_status run_batch(frozen *f, const mmc_frozen_pass *pass, int32_t first, float *representation) {
    mmc_backend *be = pass->be;
    const int n = pass->count - first < f->batch ? (int)(pass->count - first) : f->batch;
    const size_t features = (size_t)pass->model->features;
    MMC_TRY(mmc_network_pass(f->net, &f->images.store, (const mmc_sample *)f->samples + first, n));
    MMC_TRY(be->flat->loss(be->queue, &(mmc_loss_call){.n = n,
                                                       .k = pass->model->spec.classes,
                                                       .tally = f->tally,
                                                       .logits = mmc_network_logits(f->net),
                                                       .labels = (const int32_t *)f->labels + first}));
    if (!representation)
        return MMC_OK;
    return be->memory->download(be, representation + (size_t)first * features, mmc_network_representation(f->net),
                                (size_t)n * features * sizeof *representation);
}

mmc_status mmc_frozen_run(const mmc_frozen_pass *pass, const float *state, float *representation, mmc_score *score) {
    mmc_status status = MMC_OK;
    double tally[2];
    frozen f = {0};
    MMC_GOTO(cleanup, frozen_open(&f, pass, state));
    for (int32_t first = 0; first < pass->count; first += f.batch)
        MMC_GOTO(cleanup, run_batch(&f, pass, first, representation));
    MMC_GOTO(cleanup, pass->be->memory->download(pass->be, tally, f.tally, sizeof tally));
    if (!isfinite(tally[0])) {
        status = mmc_fail(MMC_ERR_WRONG,
                          "the loss of the frozen network is not finite on %d images; start from a "
                          "model that was trained with a lower --lr",
                          (int)pass->count);
        goto cleanup;
    }
    if (score)
        *score = (mmc_score){.accuracy = tally[1] / pass->count, .loss = tally[0] / pass->count, .n = pass->count};
cleanup:
    frozen_close(&f, pass->be);
    return status;
}
