/* CBFT: two SGD steps an iteration that share one momentum state (SPEC 3; runtime/finetune.h has the equations).
 *
 * Two networks lie on the device: the clean batch goes through one, the cue batch through the other, first at gamma for
 * the barrier, then at theta for the invariance, whose two backward passes add up.
 */
#include "runtime/counterfactual.h"
#include "runtime/finetune_job.h"
#include "runtime/images.h"
#include "runtime/network.h"
#include "runtime/rng.h"
#include "runtime/room.h"
#include "runtime/trace.h"

#include <math.h>
#include <stdlib.h>

static const double PI = 3.14159265358979323846;

enum { TRIALS = 64 /* of a draw: each is taken with probability .86 */ };

/* One of the two streams of batches. */
typedef struct stream {
    mmc_network *net;
    int batch;
    int32_t count;               /* images of an epoch */
    mmc_sample *split, *ordered; /* host: (train images), (count) in the order of the epoch */
    int32_t *labels;             /* host: (count) */
    void *d_samples, *d_labels;  /* device: (count) */
} stream;

typedef struct cbft {
    const mmc_finetune_job *job;
    int64_t iterations; /* of an epoch */
    mmc_images images;
    stream clean, cue;
    int32_t *order; /* host: a permutation of the cue or clean images */
    double *t;      /* host: (iterations) of the epoch in hand */
    double *values; /* host: (iterations, 2) for what is read back */
    /* device */
    void *theta, *theta_c, *gamma, *velocity; /* (state_count) x 3, (parameter_count) */
    void *slope;                              /* (iterations) 1 - t */
    void *tally, *barrier;                    /* (iterations, 2): sum of losses, correct answers: clean, cue at gamma */
    void *distance;                           /* (iterations): invariance term */
    void *workspace;                          /* of class_means */
} cbft;

double mmc_cbft_draw_t(uint64_t seed, int epoch, int64_t iteration, bool authors) {
    double z = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        const mmc_rng_block word =
            mmc_rng_words(seed, MMC_RNG_BARRIER_T, (uint32_t)epoch, (uint64_t)iteration * TRIALS + trial);
        const double u = mmc_rng_uniform_double(word.v[0], word.v[1]), v = mmc_rng_uniform_double(word.v[2], word.v[3]);
        if (authors) { /* Box and Muller */
            z = sqrt(-2 * log(1 - u)) * cos(2 * PI * v);
            z = z > 0.5 ? 0.5 : z < -0.5 ? -0.5 : z;
            break;
        }
        z = 2 * u - 1; /* the density within one deviation, by rejection from the uniform */
        if (v < exp(-0.5 * z * z))
            break;
    }
    return 0.5 + 0.5 * z;
}

double mmc_cbft_rate(const mmc_finetune_config *config, int64_t iterations, int64_t step) {
    const mmc_schedule cosine = {.kind = MMC_SCHEDULE_COSINE};
    const int64_t lead = config->cbft_schedule_authors ? 2 * iterations + 1 : 0;
    return step < lead ? config->lr : mmc_schedule_rate(&cosine, config->lr, step - lead, config->epochs, iterations);
}

/* --- set up --- */

static mmc_status place(mmc_backend *be, void **out, const void *host, size_t size_bytes) {
    MMC_TRY(be->memory->alloc(be, out, size_bytes));
    return host ? be->memory->upload(be, *out, host, size_bytes) : be->memory->zero(be, *out, size_bytes);
}

static mmc_status open_stream(stream *s, const cbft *c, double cue) {
    mmc_status status = MMC_OK;
    const mmc_finetune_job *job = c->job;
    const size_t all = (size_t)job->data->train.count, count = (size_t)s->count;
    int32_t *labels = malloc(all * sizeof *labels);
    s->split = malloc(all * sizeof *s->split);
    s->ordered = malloc(count * sizeof *s->ordered);
    s->labels = malloc(count * sizeof *s->labels);
    if (!labels || !s->split || !s->ordered || !s->labels) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: the order of %zu training images", all);
        goto cleanup;
    }
    MMC_GOTO(cleanup,
             mmc_training_samples(
                 s->split, labels, job->data,
                 &(mmc_training_choice){.cue = cue, .count = job->data->train.count, .seed = job->config->seed}));
    MMC_GOTO(cleanup, place(job->be, &s->d_samples, NULL, count * sizeof *s->ordered));
    MMC_GOTO(cleanup, place(job->be, &s->d_labels, NULL, count * sizeof *s->labels));
    MMC_GOTO(cleanup, mmc_network_create(&s->net, job->be, job->model, MMC_NETWORK_TRAIN, s->batch, 1));
cleanup:
    free(labels);
    return status;
}

static void close_stream(stream *s, mmc_backend *be) {
    mmc_network_free(s->net);
    be->memory->free(be, s->d_samples);
    be->memory->free(be, s->d_labels);
    free(s->split);
    free(s->ordered);
    free(s->labels);
}

static void cbft_close(cbft *c) {
    mmc_backend *be = c->job->be;
    void *const device[] = {c->theta, c->theta_c,  c->gamma,   c->velocity, c->slope,
                            c->tally, c->distance, c->barrier, c->workspace};
    close_stream(&c->clean, be);
    close_stream(&c->cue, be);
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        be->memory->free(be, device[i]);
    mmc_images_close(&c->images);
    free(c->order);
    free(c->t);
    free(c->values);
}

static mmc_status cbft_open(cbft *c) {
    const mmc_finetune_job *job = c->job;
    const mmc_finetune_config *config = job->config;
    const mmc_clean_split *split = config->split;
    mmc_backend *be = job->be;
    const size_t state_size = job->model->state_count * sizeof(float);
    c->clean.count = job->item_count;
    c->clean.batch = config->batch < job->item_count ? config->batch : job->item_count;
    c->iterations = (c->clean.count + c->clean.batch - 1) / c->clean.batch;
    c->cue.batch = config->batch < split->cue_count ? config->batch : split->cue_count;
    c->cue.count = (int32_t)c->iterations * c->cue.batch;
    const size_t iterations = (size_t)c->iterations,
                 longest = (size_t)(split->cue_count > c->clean.count ? split->cue_count : c->clean.count);
    c->order = malloc(longest * sizeof *c->order);
    c->t = malloc(iterations * sizeof *c->t);
    c->values = malloc(2 * iterations * sizeof *c->values);
    if (!c->order || !c->t || !c->values)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the order of %zu training images", longest);
    MMC_TRY(mmc_images_upload(&c->images, be, job->data, MMC_SPLIT_TRAIN));
    MMC_TRY(open_stream(&c->clean, c, 0));
    MMC_TRY(open_stream(&c->cue, c, config->cue));
    MMC_TRY(place(be, &c->theta, job->start, state_size));
    MMC_TRY(place(be, &c->theta_c, job->start, state_size));
    MMC_TRY(place(be, &c->gamma, job->start, state_size));
    MMC_TRY(place(be, &c->velocity, NULL, job->model->parameter_count * sizeof(float)));
    MMC_TRY(place(be, &c->slope, NULL, iterations * sizeof(double)));
    MMC_TRY(place(be, &c->tally, NULL, 2 * iterations * sizeof(double)));
    MMC_TRY(place(be, &c->barrier, NULL, 2 * iterations * sizeof(double)));
    MMC_TRY(place(be, &c->distance, NULL, iterations * sizeof(double)));
    return place(be, &c->workspace, NULL,
                 mmc_class_means_workspace_size(job->model->spec.classes, job->model->features));
}

/* --- an epoch --- */

static int cbft_batch(const void *self, int64_t step) {
    const cbft *c = self;
    const int64_t left = c->clean.count - step * c->clean.batch;
    return left < c->clean.batch ? (int)left : c->clean.batch;
}

static double cbft_rate(const void *self, int64_t step) {
    const cbft *c = self;
    return mmc_cbft_rate(c->job->config, c->iterations, step);
}

static mmc_status upload_stream(stream *s, const cbft *c) {
    mmc_backend *be = c->job->be;
    MMC_TRY(be->memory->upload(be, s->d_samples, s->ordered, (size_t)s->count * sizeof *s->ordered));
    return be->memory->upload(be, s->d_labels, s->labels, (size_t)s->count * sizeof *s->labels);
}

static void take(stream *s, const cbft *c, int32_t at, int32_t image) {
    s->ordered[at] = s->split[image];
    s->labels[at] = c->job->data->train.labels[image];
}

static void order_clean(cbft *c, int epoch) {
    const mmc_finetune_config *config = c->job->config;
    const int32_t count = c->clean.count;
    mmc_rng_permutation(c->order, (size_t)count, config->seed, MMC_RNG_SHUFFLE, (uint32_t)epoch);
    for (int32_t i = 0; i < count; i++)
        take(&c->clean, c, i,
             config->clean_order  ? config->clean_order[(size_t)epoch * (size_t)count + (size_t)i]
             : config->sequential ? c->job->items[i]
                                  : c->job->items[c->order[i]]);
}

static void order_cue(cbft *c, int epoch) {
    const mmc_finetune_config *config = c->job->config;
    const mmc_clean_split *split = config->split;
    const int32_t count = c->cue.count;
    mmc_rng_permutation(c->order, (size_t)split->cue_count, config->seed, MMC_RNG_CUE_BATCH, (uint32_t)epoch);
    for (int32_t i = 0; i < count; i++)
        take(&c->cue, c, i,
             config->cue_order ? config->cue_order[(size_t)epoch * (size_t)count + (size_t)i]
                               : split->cue[c->order[i % split->cue_count]]);
}

static mmc_status cbft_begin_epoch(void *self, int epoch) {
    cbft *c = self;
    const mmc_finetune_config *config = c->job->config;
    const mmc_memory_ops *memory = c->job->be->memory;
    const size_t iterations = (size_t)c->iterations;
    order_clean(c, epoch);
    order_cue(c, epoch);
    MMC_TRY(upload_stream(&c->clean, c));
    MMC_TRY(upload_stream(&c->cue, c));
    for (int64_t i = 0; i < c->iterations; i++) {
        c->t[i] = config->barrier_t ? config->barrier_t[(int64_t)epoch * c->iterations + i]
                                    : mmc_cbft_draw_t(config->seed, epoch, i, config->barrier_t_authors);
        c->values[i] = 1 - c->t[i];
    }
    MMC_TRY(memory->upload(c->job->be, c->slope, c->values, iterations * sizeof(double)));
    MMC_TRY(memory->zero(c->job->be, c->tally, 2 * iterations * sizeof(double)));
    MMC_TRY(memory->zero(c->job->be, c->barrier, 2 * iterations * sizeof(double)));
    return memory->zero(c->job->be, c->distance, iterations * sizeof(double));
}

/* --- an iteration --- */

/* The batch of an iteration at `state`. */
static mmc_network_step_call batch_of(const cbft *c, const stream *s, const float *state, int64_t step, int n) {
    const size_t first = (size_t)step * (size_t)s->batch;
    return (mmc_network_step_call){.state = state,
                                   .store = &c->images.store,
                                   .samples = (const mmc_sample *)s->d_samples + first,
                                   .labels = (const int32_t *)s->d_labels + first,
                                   .n = n,
                                   .tally = (double *)c->tally + 2 * step};
}

static mmc_status move(const cbft *c, const stream *s, double rate) {
    const mmc_finetune_job *job = c->job;
    mmc_trace_begin(MMC_TRACE_OPERATION, "sgd");
    return mmc_trace_end(job->be->flat->sgd(job->be->queue, c->theta, c->velocity, mmc_network_gradient(s->net),
                                            job->model->parameter_count, rate, job->config->momentum,
                                            job->config->decay));
}

/* Step 1: theta is pushed away from where the way from theta_C to it is free of a barrier on cue images. */
static mmc_status barrier_step(const cbft *c, int64_t step, double rate) {
    mmc_backend *be = c->job->be;
    const float *const end[] = {c->theta_c, c->theta};
    const double weight[] = {c->t[step], 1 - c->t[step]};
    const size_t count = c->job->model->parameter_count;
    mmc_trace_begin(MMC_TRACE_OPERATION, "interpolate");
    MMC_TRY(mmc_trace_end(be->flat->interpolate(be->queue, c->gamma, count, 1, end, 2, weight, count)));
    mmc_network_step_call call = batch_of(c, &c->cue, c->gamma, step, c->cue.batch);
    call.tally = (double *)c->barrier + 2 * step;
    call.mirror = (const double *)c->slope + step;
    MMC_TRY(mmc_network_step(c->cue.net, &call));
    return move(c, &c->cue, rate);
}

static mmc_status add_invariance(const cbft *c, int64_t step, int n) {
    const mmc_finetune_job *job = c->job;
    const mmc_finetune_config *config = job->config;
    const size_t first = (size_t)step * (size_t)c->clean.batch, first_cue = (size_t)step * (size_t)c->cue.batch;
    const mmc_class_means_call call = {
        .classes = job->model->spec.classes,
        .c = job->model->features,
        .unit = !config->invariance_plain,
        .weight = (float)config->lambda,
        .distance = (double *)c->distance + step,
        .batch = {{.n = n,
                   .rep = mmc_network_representation(c->clean.net),
                   .label = (const int32_t *)c->clean.d_labels + first,
                   .drep = mmc_network_drep(c->clean.net),
                   .add = true},
                  {.n = c->cue.batch,
                   .rep = mmc_network_representation(c->cue.net),
                   .label = (const int32_t *)c->cue.d_labels + first_cue,
                   .drep = mmc_network_drep(c->cue.net)}},
        .workspace = c->workspace,
    };
    mmc_trace_begin(MMC_TRACE_OPERATION, "class means");
    return mmc_trace_end(job->be->flat->class_means(job->be->queue, &call));
}

static mmc_status move_running(const cbft *c, const stream *s) {
    const mmc_finetune_job *job = c->job;
    const size_t parameters = job->model->parameter_count, count = job->model->state_count - parameters;
    mmc_trace_begin(MMC_TRACE_OPERATION, "running");
    return mmc_trace_end(job->be->flat->running(job->be->queue, (float *)c->theta + parameters, count,
                                                mmc_network_statistics(s->net), count,
                                                mmc_network_unbias_factor(s->net), 1, count, 0.1));
}

/* Step 2 without the invariance term: the clean batch alone. */
static mmc_status fit(const cbft *c, int64_t step) {
    const mmc_network_step_call call = batch_of(c, &c->clean, c->theta, step, cbft_batch(c, step));
    MMC_TRY(mmc_network_step(c->clean.net, &call));
    return move_running(c, &c->clean);
}

/* Step 2 with it: both gradients end in that of the clean network. */
static mmc_status fit_and_invariance(const cbft *c, int64_t step) {
    mmc_backend *be = c->job->be;
    const int n = cbft_batch(c, step);
    const mmc_network_step_call clean = batch_of(c, &c->clean, c->theta, step, n);
    mmc_network_step_call cue = batch_of(c, &c->cue, c->theta, step, c->cue.batch);
    cue.labels = NULL;
    MMC_TRY(mmc_network_step_begin(c->clean.net, &clean));
    MMC_TRY(mmc_network_step_begin(c->cue.net, &cue));
    MMC_TRY(add_invariance(c, step, n));
    MMC_TRY(mmc_network_step_end(c->clean.net));
    MMC_TRY(mmc_network_step_end(c->cue.net));
    MMC_TRY(move_running(c, &c->clean));
    MMC_TRY(move_running(c, &c->cue));
    float *sum = mmc_network_gradient(c->clean.net);
    const float *const part[] = {sum, mmc_network_gradient(c->cue.net)};
    const double weight[] = {1, 1};
    const size_t count = c->job->model->parameter_count;
    mmc_trace_begin(MMC_TRACE_OPERATION, "add gradients");
    return mmc_trace_end(be->flat->interpolate(be->queue, sum, count, 1, part, 2, weight, count));
}

static mmc_status cbft_step(void *self, int epoch, int64_t step) {
    const cbft *c = self;
    const mmc_method method = c->job->config->method;
    const double rate = cbft_rate(c, (int64_t)epoch * c->iterations + step);
    if (method != MMC_METHOD_CBFT_NO_BARRIER)
        MMC_TRY(barrier_step(c, step, rate));
    const bool warm = epoch == 0 || method == MMC_METHOD_CBFT_NO_INVARIANCE;
    MMC_TRY(warm ? fit(c, step) : fit_and_invariance(c, step));
    return move(c, &c->clean, rate);
}

/* --- reading back --- */

static mmc_status fill_trace(cbft *c, const double *tally, int epoch, int64_t first, int64_t last) {
    mmc_backend *be = c->job->be;
    const mmc_finetune_config *config = c->job->config;
    const size_t count = (size_t)(last - first);
    mmc_cbft_row *row = config->trace + (size_t)epoch * (size_t)c->iterations;
    MMC_TRY(be->memory->download(be, c->values, (const double *)c->barrier + 2 * first, 2 * count * sizeof(double)));
    for (int64_t i = first; i < last; i++) {
        row[i].barrier =
            config->method == MMC_METHOD_CBFT_NO_BARRIER ? NAN : fabs(1 - c->values[2 * (i - first)] / c->cue.batch);
        row[i].fit = tally[2 * i] / cbft_batch(c, i);
        row[i].lr = cbft_rate(c, (int64_t)epoch * c->iterations + i);
    }
    MMC_TRY(be->memory->download(be, c->values, (const double *)c->distance + first, count * sizeof(double)));
    for (int64_t i = first; i < last; i++)
        row[i].invariance = c->values[i - first];
    return MMC_OK;
}

static mmc_status cbft_tally(void *self, double *tally, int epoch, int64_t first, int64_t last) {
    cbft *c = self;
    const size_t size_bytes = 2 * (size_t)(last - first) * sizeof *tally;
    MMC_TRY(
        c->job->be->memory->download(c->job->be, tally + 2 * first, (const double *)c->tally + 2 * first, size_bytes));
    return c->job->config->trace ? fill_trace(c, tally, epoch, first, last) : MMC_OK;
}

static mmc_status cbft_save(void *self, mmc_train_state *s) {
    const cbft *c = self;
    return mmc_train_state_download(s, c->job->be, c->theta, c->velocity);
}

static mmc_status cbft_restore(void *self, const mmc_train_state *s) {
    const cbft *c = self;
    return mmc_train_state_upload(s, c->job->be, c->theta, c->velocity);
}

mmc_status mmc_cbft_run(mmc_train_result *out, const mmc_finetune_job *job) {
    static const mmc_stepper_ops stepper = {.batch = cbft_batch,
                                            .rate = cbft_rate,
                                            .begin_epoch = cbft_begin_epoch,
                                            .step = cbft_step,
                                            .tally = cbft_tally,
                                            .save = cbft_save,
                                            .restore = cbft_restore};
    mmc_status status = MMC_OK;
    char fingerprint[MMC_FINGERPRINT_BYTES];
    mmc_room room;
    cbft c = {.job = job};
    MMC_GOTO(cleanup, mmc_finetune_describe(fingerprint, job));
    MMC_GOTO(cleanup, mmc_room_measure(&room, job->be));
    MMC_GOTO(cleanup, cbft_open(&c));
    MMC_GOTO(cleanup, mmc_room_report(&room, job->be, job->hooks ? &job->hooks->progress : NULL));
    mmc_train_loop loop = mmc_finetune_loop(job, &stepper, &c, fingerprint);
    loop.state_count = job->model->state_count;
    loop.parameter_count = job->model->parameter_count;
    loop.steps = c.iterations;
    loop.epochs = job->config->epochs;
    MMC_GOTO(cleanup, mmc_train_loop_run(&loop, out));
cleanup:
    cbft_close(&c);
    return status;
}
