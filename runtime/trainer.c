#include "runtime/trainer.h"

#include "runtime/comm.h"
#include "runtime/curve.h"
#include "runtime/images.h"
#include "runtime/network.h"
#include "runtime/trace.h"

#include <stdlib.h>
#include <string.h>

struct mmc_trainer {
    mmc_backend *be;
    const mmc_model *model;
    const mmc_train_config *config;
    mmc_schedule schedule;
    int32_t count;
    int batch, vectors;
    int64_t steps;
    mmc_images images;
    mmc_network *net;
    /* host */
    mmc_sample *samples, *epoch_samples; /* (count) in file order, in the order of the epoch */
    int32_t *labels, *epoch_labels, *order;
    /* device */
    void *d_samples, *d_labels, *d_tally; /* (count), (count), (steps, 2) */
    void *weights, *velocity;             /* (vectors, state_count), (vectors, parameter_count) */
    void *ends, *gamma;                   /* curve: (2, state_count), (state_count) */
    /* several devices: this is rank 0, which holds the others */
    int rank, ranks;
    mmc_trainer *other[MMC_TRAIN_MORE_MAX];
    mmc_comm *comm;
    double *other_tally; /* host (steps, 2) */
};

static mmc_status check(const mmc_model *model, const mmc_dataset *data, const mmc_train_config *config) {
    MMC_TRY(mmc_dataset_fits(data, model->spec.classes, model->spec.height, "trained"));
    if (config->epochs < 0 || config->batch < 1)
        return mmc_fail(MMC_ERR_RANGE, "%d epochs of batches of %d: give 0 or more epochs, and 1 image or more",
                        config->epochs, config->batch);
    if (config->curve && config->curve->count < 3)
        return mmc_fail(MMC_ERR_USAGE, "a curve without a bend has nothing to train; give one bend or more");
    return MMC_OK;
}

/* The samples to train on, in file order. */
static mmc_status choose_samples(mmc_trainer *t, const mmc_dataset *data) {
    const mmc_train_config *config = t->config;
    const size_t count = (size_t)t->count;
    t->samples = malloc(count * sizeof *t->samples);
    t->epoch_samples = malloc(count * sizeof *t->epoch_samples);
    t->labels = malloc(count * sizeof *t->labels);
    t->epoch_labels = malloc(count * sizeof *t->epoch_labels);
    t->order = malloc(count * sizeof *t->order);
    if (!t->samples || !t->epoch_samples || !t->labels || !t->epoch_labels || !t->order)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the order of %zu training images", count);
    return mmc_training_samples(t->samples, t->labels, data,
                                &(mmc_training_choice){.flags = config->flags,
                                                       .cue = config->cue,
                                                       .subset = config->subset,
                                                       .count = t->count,
                                                       .seed = config->seed});
}

/* Places host vectors one after another in device memory. */
static mmc_status place(mmc_backend *be, void *out, size_t first, const float *host, size_t count) {
    return be->memory->upload(be, (float *)out + first, host, count * sizeof(float));
}

static mmc_status place_start(mmc_trainer *t, const float *start) {
    const mmc_curve *curve = t->config->curve;
    const mmc_memory_ops *memory = t->be->memory;
    const size_t n = t->model->state_count;
    MMC_TRY(memory->alloc(t->be, &t->weights, (size_t)t->vectors * n * sizeof(float)));
    const size_t velocity_size = (size_t)t->vectors * t->model->parameter_count * sizeof(float);
    MMC_TRY(memory->alloc(t->be, &t->velocity, velocity_size));
    MMC_TRY(memory->zero(t->be, t->velocity, velocity_size));
    if (!curve)
        return place(t->be, t->weights, 0, start, n);
    MMC_TRY(memory->alloc(t->be, &t->gamma, n * sizeof(float)));
    MMC_TRY(memory->alloc(t->be, &t->ends, 2 * n * sizeof(float)));
    MMC_TRY(place(t->be, t->ends, 0, curve->point[0], n));
    MMC_TRY(place(t->be, t->ends, n, curve->point[curve->count - 1], n));
    for (int v = 0; v < t->vectors; v++)
        MMC_TRY(place(t->be, t->weights, (size_t)v * n, curve->point[v + 1], n));
    return MMC_OK;
}

static mmc_status create_rank(mmc_trainer **out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                              const mmc_train_config *config, const float *start, int rank) {
    mmc_status status = MMC_OK;
    *out = NULL;
    MMC_TRY(mmc_backend_select(be));
    mmc_trainer *t = calloc(1, sizeof *t);
    if (!t)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: a trainer needs %zu bytes", sizeof *t);
    t->rank = rank;
    t->ranks = 1 + config->more_count;
    t->be = be;
    t->model = model;
    t->config = config;
    t->schedule = config->schedule;
    if (config->schedule_default)
        t->schedule = config->curve ? mmc_schedule_bends(config->epochs) : mmc_schedule_scratch(config->epochs);
    t->count = config->subset ? config->subset_count : data->train.count;
    t->batch = config->batch < t->count ? config->batch : t->count;
    t->vectors = config->curve ? config->curve->count - 2 : 1;
    if (t->count < 1) {
        status = mmc_fail(MMC_ERR_MISSING, "no image to train on in %s", mmc_dataset_name(data->kind));
        goto fail;
    }
    t->steps = (t->count + t->batch - 1) / t->batch;
    MMC_GOTO(fail, choose_samples(t, data));
    MMC_GOTO(fail, mmc_images_upload(&t->images, be, data, MMC_SPLIT_TRAIN));
    MMC_GOTO(fail, mmc_network_create(&t->net, be, model, MMC_NETWORK_TRAIN, t->batch, 1));
    MMC_GOTO(fail, be->memory->alloc(be, &t->d_samples, (size_t)t->count * sizeof(mmc_sample)));
    MMC_GOTO(fail, be->memory->alloc(be, &t->d_labels, (size_t)t->count * sizeof(int32_t)));
    MMC_GOTO(fail, be->memory->alloc(be, &t->d_tally, (size_t)t->steps * 2 * sizeof(double)));
    MMC_GOTO(fail, place_start(t, start));
    *out = t;
    return MMC_OK;
fail:
    mmc_trainer_free(t);
    return status;
}

/* Joins the other devices to rank 0. */
static mmc_status join(mmc_trainer *t, const mmc_dataset *data, const float *start) {
    mmc_backend *be[1 + MMC_TRAIN_MORE_MAX] = {t->be};
    t->other_tally = malloc((size_t)t->steps * 2 * sizeof *t->other_tally);
    if (!t->other_tally)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the tallies of %d devices", t->ranks);
    for (int r = 1; r < t->ranks; r++) {
        be[r] = t->config->more[r - 1];
        MMC_TRY(create_rank(&t->other[r - 1], be[r], t->model, data, t->config, start, r));
    }
    MMC_TRY(mmc_comm_open(&t->comm, be, t->ranks));
    return mmc_backend_select(t->be);
}

mmc_status mmc_trainer_create(mmc_trainer **out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                              const mmc_train_config *config, const float *start) {
    *out = NULL;
    MMC_TRY(check(model, data, config));
    if (config->more_count < 0 || config->more_count > MMC_TRAIN_MORE_MAX)
        return mmc_fail(MMC_ERR_RANGE, "%d devices for one training: give 1 to %d", config->more_count + 1,
                        1 + MMC_TRAIN_MORE_MAX);
    MMC_TRY(create_rank(out, be, model, data, config, start, 0));
    mmc_status status = config->more_count ? join(*out, data, start) : MMC_OK;
    if (status != MMC_OK) {
        mmc_trainer_free(*out);
        *out = NULL;
    }
    return status;
}

void mmc_trainer_free(mmc_trainer *t) {
    if (!t)
        return;
    mmc_comm_close(t->comm);
    for (int i = 0; i < MMC_TRAIN_MORE_MAX; i++)
        mmc_trainer_free(t->other[i]);
    free(t->other_tally);
    (void)mmc_backend_select(t->be);
    void *const device[] = {t->d_samples, t->d_labels, t->d_tally, t->weights, t->velocity, t->ends, t->gamma};
    for (size_t i = 0; i < sizeof device / sizeof device[0]; i++)
        t->be->memory->free(t->be, device[i]);
    mmc_network_free(t->net);
    mmc_images_close(&t->images);
    free(t->samples);
    free(t->epoch_samples);
    free(t->labels);
    free(t->epoch_labels);
    free(t->order);
    free(t);
}

int64_t mmc_trainer_steps(const mmc_trainer *t) {
    return t->steps;
}

int32_t mmc_trainer_images(const mmc_trainer *t) {
    return t->count;
}

int mmc_trainer_batch(const mmc_trainer *t, int64_t step) {
    int64_t left = t->count - step * t->batch;
    return left < t->batch ? (int)left : t->batch;
}

int mmc_trainer_vectors(const mmc_trainer *t) {
    return t->vectors;
}

double mmc_trainer_rate(const mmc_trainer *t, int64_t step) {
    if (t->config->rates)
        return t->config->rates[step];
    return mmc_schedule_rate(&t->schedule, t->config->lr, step, t->config->epochs, t->steps);
}

const float *mmc_trainer_weights(const mmc_trainer *t, int v) {
    return (const float *)t->weights + (size_t)v * t->model->state_count;
}

mmc_status mmc_trainer_begin_epoch(mmc_trainer *t, int epoch) {
    const mmc_memory_ops *memory = t->be->memory;
    if (!t->config->sequential)
        mmc_rng_permutation(t->order, (size_t)t->count, t->config->seed, MMC_RNG_SHUFFLE, (uint32_t)epoch);
    for (int32_t i = 0; i < t->count; i++) {
        int32_t from = t->config->sequential ? i : t->order[i];
        t->epoch_samples[i] = t->samples[from];
        t->epoch_labels[i] = t->labels[from];
    }
    MMC_TRY(memory->upload(t->be, t->d_samples, t->epoch_samples, (size_t)t->count * sizeof *t->epoch_samples));
    MMC_TRY(memory->upload(t->be, t->d_labels, t->epoch_labels, (size_t)t->count * sizeof *t->epoch_labels));
    for (int r = 1; t->rank == 0 && r < t->ranks; r++)
        MMC_TRY(mmc_trainer_begin_epoch(t->other[r - 1], epoch));
    return memory->zero(t->be, t->d_tally, (size_t)t->steps * 2 * sizeof(double));
}

/* Whether the batch of a step is shared out between the devices. */
static bool shared(const mmc_trainer *t, int64_t step) {
    return t->ranks > 1 && mmc_trainer_batch(t, step) % t->ranks == 0;
}

/* Mean cross-entropy of this device's part of the batch at `state` in training mode, and its gradient. */
static mmc_status gradient_at(mmc_trainer *t, const float *state, int64_t step) {
    const int batch = mmc_trainer_batch(t, step), n = shared(t, step) ? batch / t->ranks : batch;
    const size_t first = (size_t)step * (size_t)t->batch + (shared(t, step) ? (size_t)t->rank * (size_t)n : 0);
    return mmc_network_step(t->net, &(mmc_network_step_call){.state = state,
                                                             .store = &t->images.store,
                                                             .samples = (const mmc_sample *)t->d_samples + first,
                                                             .labels = (const int32_t *)t->d_labels + first,
                                                             .n = n,
                                                             .tally = (double *)t->d_tally + 2 * step});
}

/* A step's draw of t on the curve, as the weights of its control points. */
static mmc_status draw_weights(double *weight, const mmc_trainer *t, int epoch, int64_t step) {
    double at;
    if (t->config->curve_t) {
        at = t->config->curve_t[(int64_t)epoch * t->steps + step];
    } else {
        mmc_rng_block word = mmc_rng_words(t->config->seed, MMC_RNG_CURVE_T, (uint32_t)epoch, (uint64_t)step);
        at = mmc_rng_uniform_double(word.v[0], word.v[1]);
    }
    return mmc_curve_weights(weight, t->config->curve, at);
}

/* gamma(t) on this device. */
static mmc_status place_gamma(mmc_trainer *t, const double *weight) {
    const mmc_curve *curve = t->config->curve;
    const size_t n = t->model->state_count;
    const float *point[MMC_CURVE_POINTS_MAX];
    point[0] = t->ends;
    point[curve->count - 1] = (const float *)t->ends + n;
    for (int v = 0; v < t->vectors; v++)
        point[v + 1] = mmc_trainer_weights(t, v);
    mmc_trace_begin(MMC_TRACE_OPERATION, "interpolate");
    return mmc_trace_end(t->be->flat->interpolate(t->be->queue, t->gamma, n, 1, point, curve->count, weight, n));
}

static mmc_status compute(mmc_trainer *t, int64_t step, const double *weight) {
    MMC_TRY(mmc_backend_select(t->be));
    if (!t->config->curve)
        return gradient_at(t, t->weights, step);
    MMC_TRY(place_gamma(t, weight));
    return gradient_at(t, t->gamma, step);
}

static mmc_status move(mmc_trainer *t, int v, double rate) {
    const size_t parameters = t->model->parameter_count;
    mmc_trace_begin(MMC_TRACE_OPERATION, "sgd");
    return mmc_trace_end(t->be->flat->sgd(t->be->queue, (float *)t->weights + (size_t)v * t->model->state_count,
                                          (float *)t->velocity + (size_t)v * parameters, mmc_network_gradient(t->net),
                                          parameters, rate, t->config->momentum, t->config->decay));
}

/* Takes the step. One draw of t moves every bend that has weight there; a bend without weight is not touched. */
static mmc_status apply(mmc_trainer *t, double rate, const double *weight) {
    const size_t parameters = t->model->parameter_count, running = t->model->state_count - parameters;
    MMC_TRY(mmc_backend_select(t->be));
    if (!t->config->curve) {
        mmc_trace_begin(MMC_TRACE_OPERATION, "running");
        MMC_TRY(mmc_trace_end(t->be->flat->running(t->be->queue, (float *)t->weights + parameters, running,
                                                   mmc_network_statistics(t->net), running,
                                                   mmc_network_unbias_factor(t->net), 1, running, 0.1)));
        return move(t, 0, rate);
    }
    for (int v = 0; v < t->vectors; v++)
        if (weight[v + 1] > 0)
            MMC_TRY(move(t, v, rate * weight[v + 1]));
    return MMC_OK;
}

static mmc_status average_gradients(mmc_trainer *t) {
    float *gradient[1 + MMC_TRAIN_MORE_MAX] = {mmc_network_gradient(t->net)};
    for (int r = 1; r < t->ranks; r++)
        gradient[r] = mmc_network_gradient(t->other[r - 1]->net);
    mmc_trace_begin(MMC_TRACE_OPERATION, "average gradients");
    return mmc_trace_end(mmc_comm_average(t->comm, gradient, t->model->parameter_count));
}

mmc_status mmc_trainer_step(mmc_trainer *t, int epoch, int64_t step) {
    const double rate = mmc_trainer_rate(t, (int64_t)epoch * t->steps + step);
    double weight[MMC_CURVE_POINTS_MAX] = {0};
    if (t->config->curve)
        MMC_TRY(draw_weights(weight, t, epoch, step));
    MMC_TRY(compute(t, step, weight));
    for (int r = 1; r < t->ranks; r++)
        MMC_TRY(compute(t->other[r - 1], step, weight));
    if (shared(t, step))
        MMC_TRY(average_gradients(t));
    for (int r = 1; r < t->ranks; r++)
        MMC_TRY(apply(t->other[r - 1], rate, weight));
    return apply(t, rate, weight);
}

mmc_status mmc_trainer_tally(mmc_trainer *t, double *tally, int64_t first, int64_t last) {
    const size_t size = (size_t)(last - first) * 2 * sizeof(double);
    MMC_TRY(t->be->memory->download(t->be, tally + 2 * first, (const double *)t->d_tally + 2 * first, size));
    for (int r = 1; r < t->ranks; r++) {
        const mmc_trainer *other = t->other[r - 1];
        MMC_TRY(other->be->memory->download(other->be, t->other_tally + 2 * first,
                                            (const double *)other->d_tally + 2 * first, size));
        for (int64_t i = 2 * first; i < 2 * last; i++)
            tally[i] += shared(t, i / 2) ? t->other_tally[i] : 0;
    }
    return mmc_backend_select(t->be);
}

mmc_status mmc_trainer_save(mmc_trainer *t, mmc_train_state *s) {
    return mmc_train_state_download(s, t->be, t->weights, t->velocity);
}

mmc_status mmc_trainer_restore(mmc_trainer *t, const mmc_train_state *s) {
    for (int r = 1; t->rank == 0 && r < t->ranks; r++)
        MMC_TRY(mmc_trainer_restore(t->other[r - 1], s));
    return mmc_train_state_upload(s, t->be, t->weights, t->velocity);
}
