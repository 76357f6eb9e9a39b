/* LLRT: a new linear layer on a frozen body (SPEC 3). The body runs once over the clean images; an epoch then takes
 * their representations in its order. */
#include "runtime/finetune_job.h"
#include "runtime/frozen.h"
#include "runtime/rng.h"
#include "runtime/trace.h"

#include <stdlib.h>
#include <string.h>

typedef struct head {
    const mmc_finetune_job *job;
    mmc_schedule schedule;
    int batch;
    int64_t steps;
    size_t features, size; /* floats of a representation; of the layer: weight, then bias */
    /* host: (images, features) in the order of the items and of the epoch; labels alike */
    float *rep, *epoch_rep;
    int32_t *labels, *order;
    /* device */
    void *d_rep, *d_labels;                       /* (images, features), (images) in the order of the epoch */
    void *weights, *velocity, *gradient, *logits; /* (size) x 3, (batch, classes) */
    void *dlogits, *tally;                        /* (batch, classes), (steps, 2) */
} head;

static mmc_status place(mmc_backend *be, void **out, const void *host, size_t size_bytes) {
    MMC_TRY(be->memory->alloc(be, out, size_bytes));
    return host ? be->memory->upload(be, *out, host, size_bytes) : be->memory->zero(be, *out, size_bytes);
}

static void head_close(head *h) {
    mmc_backend *be = h->job->be;
    void *const device[] = {h->d_rep,    h->d_labels, h->weights, h->velocity,
                            h->gradient, h->logits,   h->dlogits, h->tally};
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        be->memory->free(be, device[i]);
    free(h->rep);
    free(h->epoch_rep);
    free(h->labels);
    free(h->order);
}

/* The start of the layer: given, or random by PyTorch's law. */
static mmc_status place_start(head *h) {
    mmc_status status = MMC_OK;
    const mmc_finetune_job *job = h->job;
    const mmc_model *model = job->model;
    if (job->config->head)
        return place(job->be, &h->weights, job->config->head, h->size * sizeof(float));
    float *fresh = malloc(model->state_count * sizeof *fresh);
    if (!fresh)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %zu initial weights", model->state_count);
    mmc_model_init(model, fresh, job->config->seed, MMC_RNG_HEAD, 0);
    status = place(job->be, &h->weights, fresh + model->head_weight, h->size * sizeof(float));
    free(fresh);
    return status;
}

static mmc_status head_open(head *h) {
    const mmc_finetune_job *job = h->job;
    mmc_backend *be = job->be;
    const size_t images = (size_t)job->item_count, classes = (size_t)job->model->spec.classes;
    h->schedule = (mmc_schedule){.kind = MMC_SCHEDULE_COSINE, .cosine_authors = job->config->cosine_authors};
    h->features = (size_t)job->model->features;
    h->size = job->model->parameter_count - job->model->head_weight;
    h->batch = job->config->batch < job->item_count ? job->config->batch : job->item_count;
    h->steps = (job->item_count + h->batch - 1) / h->batch;
    h->rep = malloc(images * h->features * sizeof *h->rep);
    h->epoch_rep = malloc(images * h->features * sizeof *h->epoch_rep);
    h->labels = malloc(images * sizeof *h->labels);
    h->order = malloc(images * sizeof *h->order);
    if (!h->rep || !h->epoch_rep || !h->labels || !h->order)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the representations of %zu images", images);
    const mmc_frozen_pass pass = {
        .be = be, .model = job->model, .data = job->data, .items = job->items, .count = job->item_count};
    MMC_TRY(mmc_frozen_run(&pass, job->start, h->rep, NULL));
    MMC_TRY(place_start(h));
    MMC_TRY(place(be, &h->d_rep, NULL, images * h->features * sizeof(float)));
    MMC_TRY(place(be, &h->d_labels, NULL, images * sizeof(int32_t)));
    MMC_TRY(place(be, &h->velocity, NULL, h->size * sizeof(float)));
    MMC_TRY(place(be, &h->gradient, NULL, h->size * sizeof(float)));
    MMC_TRY(place(be, &h->logits, NULL, (size_t)h->batch * classes * sizeof(float)));
    MMC_TRY(place(be, &h->dlogits, NULL, (size_t)h->batch * classes * sizeof(float)));
    return place(be, &h->tally, NULL, 2 * (size_t)h->steps * sizeof(double));
}

static int head_batch(const void *self, int64_t step) {
    const head *h = self;
    const int64_t left = h->job->item_count - step * h->batch;
    return left < h->batch ? (int)left : h->batch;
}

static double head_rate(const void *self, int64_t step) {
    const head *h = self;
    const mmc_finetune_config *config = h->job->config;
    return mmc_schedule_rate(&h->schedule, config->head_lr, step, config->head_epochs, h->steps);
}

static mmc_status head_begin_epoch(void *self, int epoch) {
    head *h = self;
    const mmc_finetune_job *job = h->job;
    const mmc_memory_ops *memory = job->be->memory;
    const size_t images = (size_t)job->item_count;
    mmc_rng_permutation(h->order, images, job->config->seed, MMC_RNG_SHUFFLE, (uint32_t)epoch);
    for (size_t i = 0; i < images; i++) {
        const size_t from = job->config->sequential ? i : (size_t)h->order[i];
        memcpy(h->epoch_rep + i * h->features, h->rep + from * h->features, h->features * sizeof *h->rep);
        h->labels[i] = job->data->train.labels[job->items[from]];
    }
    MMC_TRY(memory->upload(job->be, h->d_rep, h->epoch_rep, images * h->features * sizeof *h->epoch_rep));
    MMC_TRY(memory->upload(job->be, h->d_labels, h->labels, images * sizeof *h->labels));
    return memory->zero(job->be, h->tally, 2 * (size_t)h->steps * sizeof(double));
}

static mmc_status head_step(void *self, int epoch, int64_t step) {
    const head *h = self;
    mmc_backend *be = h->job->be;
    const mmc_flat_ops *flat = be->flat;
    const int n = head_batch(h, step), c = (int)h->features, k = h->job->model->spec.classes;
    const size_t first = (size_t)step * (size_t)h->batch, bias = (size_t)k * h->features;
    const float *rep = (const float *)h->d_rep + first * h->features, *w = h->weights;
    mmc_trace_begin(MMC_TRACE_OPERATION, "head");
    MMC_TRY(mmc_trace_end(flat->head(
        be->queue,
        &(mmc_head_call){.sets = 1, .n = n, .c = c, .k = k, .logits = h->logits, .rep = rep, .w = w, .b = w + bias})));
    mmc_trace_begin(MMC_TRACE_OPERATION, "loss");
    MMC_TRY(mmc_trace_end(flat->loss(be->queue, &(mmc_loss_call){.n = n,
                                                                 .k = k,
                                                                 .tally = (double *)h->tally + 2 * step,
                                                                 .dlogits = h->dlogits,
                                                                 .gradient_scale = 1.0f / (float)n,
                                                                 .logits = h->logits,
                                                                 .labels = (const int32_t *)h->d_labels + first})));
    mmc_trace_begin(MMC_TRACE_OPERATION, "head backward");
    MMC_TRY(mmc_trace_end(flat->head_backward(be->queue, &(mmc_head_backward_call){.n = n,
                                                                                   .c = c,
                                                                                   .k = k,
                                                                                   .dw = h->gradient,
                                                                                   .db = (float *)h->gradient + bias,
                                                                                   .dlogits = h->dlogits,
                                                                                   .rep = rep,
                                                                                   .w = w})));
    mmc_trace_begin(MMC_TRACE_OPERATION, "sgd");
    return mmc_trace_end(flat->sgd(be->queue, h->weights, h->velocity, h->gradient, h->size,
                                   head_rate(h, (int64_t)epoch * h->steps + step), h->job->config->momentum, 0));
}

static mmc_status head_tally(void *self, double *tally, int epoch, int64_t first, int64_t last) {
    const head *h = self;
    (void)epoch;
    return h->job->be->memory->download(h->job->be, tally + 2 * first, (const double *)h->tally + 2 * first,
                                        2 * (size_t)(last - first) * sizeof *tally);
}

static mmc_status head_save(void *self, mmc_train_state *s) {
    const head *h = self;
    return mmc_train_state_download(s, h->job->be, h->weights, h->velocity);
}

static mmc_status head_restore(void *self, const mmc_train_state *s) {
    const head *h = self;
    return mmc_train_state_upload(s, h->job->be, h->weights, h->velocity);
}

/* The trained layer on the frozen body. */
static mmc_status join_body(const head *h, mmc_train_result *out) {
    const mmc_model *model = h->job->model;
    float *state = malloc(model->state_count * sizeof *state);
    if (!state)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %zu weights", model->state_count);
    memcpy(state, h->job->start, model->state_count * sizeof *state);
    memcpy(state + model->head_weight, out->state, h->size * sizeof *state);
    free(out->state);
    out->state = state;
    return MMC_OK;
}

mmc_status mmc_head_run(mmc_train_result *out, const mmc_finetune_job *job) {
    static const mmc_stepper_ops stepper = {.batch = head_batch,
                                            .rate = head_rate,
                                            .begin_epoch = head_begin_epoch,
                                            .step = head_step,
                                            .tally = head_tally,
                                            .save = head_save,
                                            .restore = head_restore};
    mmc_status status = MMC_OK;
    char fingerprint[MMC_FINGERPRINT_BYTES];
    head h = {.job = job};
    MMC_GOTO(cleanup, mmc_finetune_describe(fingerprint, job));
    MMC_GOTO(cleanup, head_open(&h));
    mmc_train_loop loop = mmc_finetune_loop(job, &stepper, &h, fingerprint);
    loop.state_count = loop.parameter_count = h.size;
    loop.steps = h.steps;
    loop.epochs = job->config->head_epochs;
    MMC_GOTO(cleanup, mmc_train_loop_run(&loop, out));
    MMC_GOTO(cleanup, join_body(&h, out));
cleanup:
    head_close(&h);
    return status;
}
