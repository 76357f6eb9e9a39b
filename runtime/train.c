#include "runtime/train.h"

#include "runtime/clock.h"
#include "runtime/curve.h"
#include "runtime/evaluate.h"
#include "runtime/room.h"
#include "runtime/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* How many steps may pass before the losses are read, and a broken run is noticed. */
enum { READ_EVERY = 64, FINGERPRINT_BYTES = 4096 };

mmc_train_config mmc_train_defaults(void) {
    return (mmc_train_config){
        .epochs = 100, .batch = 256, .lr = 0.1, .momentum = 0.9, .decay = 1e-4, .schedule_default = true, .seed = 1};
}

mmc_train_config mmc_midpoint_defaults(void) {
    mmc_train_config config = mmc_train_defaults();
    config.epochs = 15;
    config.batch = 128;
    return config;
}

/* Test NC and C after every epoch. */
typedef struct learning_curves {
    mmc_images images;
    mmc_network *net;
    mmc_evaluator *evaluator;
} learning_curves;

static void curves_close(learning_curves *c) {
    mmc_evaluator_free(c->evaluator);
    mmc_network_free(c->net);
    mmc_images_close(&c->images);
}

static mmc_status curves_open(learning_curves *c, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                              const mmc_train_config *config) {
    const int batch = mmc_evaluator_batch(be, config->evaluation_batch > 0 ? config->evaluation_batch : 256);
    MMC_TRY(mmc_images_upload(&c->images, be, data, MMC_SPLIT_TEST));
    MMC_TRY(mmc_network_create(&c->net, be, model, MMC_NETWORK_EVAL, batch, 1));
    return mmc_evaluator_create(&c->evaluator, be, c->net, batch, 1, &c->images, data, MMC_SPLIT_TEST,
                                1u << MMC_SET_NC | 1u << MMC_SET_C, NULL, config->seed);
}

static mmc_status curves_measure(learning_curves *c, const float *state, mmc_epoch_row *row) {
    mmc_score nc, cue;
    MMC_TRY(mmc_network_load(c->net, state, 1));
    MMC_TRY(mmc_evaluator_run(c->evaluator, 1, NULL, NULL));
    MMC_TRY(mmc_evaluator_score(c->evaluator, 0, MMC_SET_NC, &nc));
    MMC_TRY(mmc_evaluator_score(c->evaluator, 0, MMC_SET_C, &cue));
    row->test_nc = nc.accuracy;
    row->test_c = cue.accuracy;
    return MMC_OK;
}

/* A run in progress. */
typedef struct run {
    mmc_backend *be;
    const mmc_train_config *config;
    const mmc_train_hooks *hooks;
    mmc_trainer *trainer;
    mmc_train_state state;
    bool measure_curves;
    learning_curves curves;
    char fingerprint[FINGERPRINT_BYTES];
    int64_t images; /* trained on in this process */
    double loss;    /* latest known, NAN: none */
} run;

static uint32_t checksum(const void *data, size_t size, uint32_t start) {
    uLong crc = start;
    for (size_t done = 0; done < size;) {
        size_t part = size - done < (1u << 30) ? size - done : 1u << 30;
        crc = crc32(crc, (const Bytef *)data + done, (uInt)part);
        done += part;
    }
    return (uint32_t)crc;
}

/* All that a bit-identical continuation depends on, in words. */
static mmc_status describe(run *r, const mmc_model *model, const mmc_dataset *data, const float *start) {
    const mmc_train_config *c = r->config;
    const mmc_backend *be = r->be;
    const size_t count = (size_t)data->train.count, state_size = model->state_count * sizeof(float);
    char schedule[1200];
    uint32_t inputs = checksum(data->train.labels, count * sizeof(int32_t), 0);
    inputs =
        checksum(data->train.natural, count * (size_t)data->train.channels * MMC_IMAGE_SIDE * MMC_IMAGE_SIDE, inputs);
    if (c->flags)
        inputs = checksum(c->flags, count, inputs);
    if (c->subset)
        inputs = checksum(c->subset, (size_t)c->subset_count * sizeof(int32_t), inputs);
    for (int i = 0; c->curve && i < c->curve->count; i++)
        inputs = checksum(c->curve->point[i], state_size, inputs);
    if (start)
        inputs = checksum(start, state_size, inputs);
    mmc_schedule_format(schedule, sizeof schedule, &c->schedule);
    int size = snprintf(
        r->fingerprint, sizeof r->fingerprint,
        "arch %s;width %d;classes %d;rows %d;dataset %s;images %d;batch %d;epochs %d;lr %.17g;momentum %.17g;decay "
        "%.17g;schedule %s%s;cue %.17g;seed %llu;order %s;curve %s;bends %d;learning curves %d;inputs %08x;backend "
        "%s;provider %s;precision %s;isa %s;libraries %s;threads %d;%s",
        mmc_arch_name(model->spec.arch), model->spec.width, model->spec.classes, model->spec.height,
        mmc_dataset_name(data->kind), (int)mmc_trainer_images(r->trainer), c->batch, c->epochs, c->lr, c->momentum,
        c->decay, c->schedule_default ? "default" : schedule, c->schedule.cosine_authors ? " authors" : "", c->cue,
        (unsigned long long)c->seed, c->sequential ? "sequential" : "shuffled",
        c->curve ? mmc_curve_name(c->curve->kind) : "none", c->curve ? mmc_trainer_vectors(r->trainer) : 0,
        (int)r->measure_curves, inputs, be->name, be->provider, be->precision, be->isa, be->libraries, be->threads,
        c->fingerprint ? c->fingerprint : "");
    if (size < 0 || (size_t)size >= sizeof r->fingerprint)
        return mmc_fail(MMC_ERR_RANGE,
                        "the description of a training run takes %d bytes, %zu are kept; shorten its fingerprint", size,
                        sizeof r->fingerprint);
    return MMC_OK;
}

static mmc_status allocate_state(mmc_train_state *s, const mmc_model *model, const mmc_trainer *trainer, int epochs) {
    s->vectors = mmc_trainer_vectors(trainer);
    s->state_count = model->state_count;
    s->parameter_count = model->parameter_count;
    s->rows_max = epochs;
    s->steps_max = mmc_trainer_steps(trainer);
    s->weights = malloc((size_t)s->vectors * s->state_count * sizeof(float));
    s->velocity = malloc((size_t)s->vectors * s->parameter_count * sizeof(float));
    s->rows = malloc(((size_t)epochs + 1) * sizeof *s->rows);
    s->tally = calloc((size_t)s->steps_max * 2, sizeof(double));
    if (!s->weights || !s->velocity || !s->rows || !s->tally)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the training state of %d x %zu floats", s->vectors,
                        s->state_count);
    return MMC_OK;
}

static mmc_status save(run *r) {
    if (!r->config->state_path)
        return MMC_OK;
    MMC_TRY(mmc_trainer_save(r->trainer, &r->state));
    return mmc_train_state_write(&r->state, r->config->state_path, r->fingerprint);
}

static bool interrupted(const run *r) {
    return r->hooks && r->hooks->progress.interrupted && *r->hooks->progress.interrupted;
}

static mmc_status stop(run *r, int epoch) {
    MMC_TRY(save(r));
    if (r->config->state_path)
        return mmc_fail(MMC_ERR_INTERRUPTED, "interrupted in epoch %d of %d; the state is kept in %s, --resume goes on",
                        epoch + 1, r->config->epochs, r->config->state_path);
    return mmc_fail(MMC_ERR_INTERRUPTED, "interrupted in epoch %d of %d; no state was kept", epoch + 1,
                    r->config->epochs);
}

static void report(const run *r, int epoch) {
    if (!r->hooks || !r->hooks->progress.report)
        return;
    const int64_t images = mmc_trainer_images(r->trainer);
    const int64_t steps = r->state.steps_done;
    int64_t done = epoch * images;
    if (steps > 0)
        done += steps == r->state.steps_max ? images : steps * mmc_trainer_batch(r->trainer, 0);
    mmc_progress_event event = {.phase = r->config->curve ? "midpoint" : "train",
                                .done = done,
                                .total = r->config->epochs * images,
                                .epoch = epoch + 1,
                                .epochs = r->config->epochs,
                                .t = NAN,
                                .loss = r->loss};
    r->hooks->progress.report(r->hooks->progress.user, &event);
}

/* Reads the losses of the steps since `first` and checks that they are finite. */
static mmc_status read_losses(run *r, int epoch, int64_t first) {
    mmc_train_state *s = &r->state;
    MMC_TRY(mmc_trainer_tally(r->trainer, s->tally, first, s->steps_done));
    for (int64_t step = first; step < s->steps_done; step++) {
        r->loss = s->tally[2 * step] / mmc_trainer_batch(r->trainer, step);
        if (!isfinite(r->loss))
            return mmc_fail(MMC_ERR_WRONG,
                            "the loss is no longer finite at step %lld (epoch %d); train with a lower --lr",
                            (long long)(epoch * s->steps_max + step), epoch + 1);
    }
    return MMC_OK;
}

static mmc_status train_steps(run *r, int epoch) {
    mmc_train_state *s = &r->state;
    int64_t read = s->steps_done;
    MMC_TRY(mmc_trainer_begin_epoch(r->trainer, epoch));
    while (s->steps_done < s->steps_max) {
        if (interrupted(r)) {
            MMC_TRY(read_losses(r, epoch, read));
            return stop(r, epoch);
        }
        const int64_t step = s->steps_done;
        MMC_TRY(mmc_trainer_step(r->trainer, epoch, step));
        s->steps_done++;
        r->images += mmc_trainer_batch(r->trainer, step);
        if (r->config->log_steps || s->steps_done - read >= READ_EVERY || s->steps_done == s->steps_max) {
            MMC_TRY(read_losses(r, epoch, read));
            read = s->steps_done;
        }
        if (r->config->log_steps && r->hooks && r->hooks->on_step) {
            const int64_t global = epoch * s->steps_max + step;
            r->hooks->on_step(r->hooks->user, global, r->loss, mmc_trainer_rate(r->trainer, global));
        }
        report(r, epoch);
    }
    return MMC_OK;
}

static mmc_status train_epoch(run *r, int epoch) {
    mmc_train_state *s = &r->state;
    const double start_s = mmc_clock_s();
    const int64_t images = r->images;
    MMC_TRY(train_steps(r, epoch));
    mmc_epoch_row *row = &s->rows[epoch];
    *row = (mmc_epoch_row){.epoch = epoch + 1,
                           .lr = mmc_trainer_rate(r->trainer, (epoch + 1) * s->steps_max - 1),
                           .images_per_s = (double)(r->images - images) / (mmc_clock_s() - start_s),
                           .test_nc = NAN,
                           .test_c = NAN};
    for (int64_t step = 0; step < s->steps_max; step++) {
        row->loss += s->tally[2 * step];
        row->accuracy += s->tally[2 * step + 1];
    }
    row->loss /= mmc_trainer_images(r->trainer);
    row->accuracy /= mmc_trainer_images(r->trainer);
    if (r->measure_curves)
        MMC_TRY(curves_measure(&r->curves, mmc_trainer_weights(r->trainer, 0), row));
    s->epochs_done = epoch + 1;
    s->steps_done = 0;
    MMC_TRY(save(r));
    if (r->hooks && r->hooks->on_epoch)
        r->hooks->on_epoch(r->hooks->user, row);
    return MMC_OK;
}

/* Moves the result out of the run. */
static mmc_status finish(run *r, mmc_train_result *out) {
    mmc_train_state *s = &r->state;
    MMC_TRY(mmc_trainer_save(r->trainer, s));
    for (size_t i = 0; i < (size_t)s->vectors * s->state_count; i++)
        if (!isfinite(s->weights[i]))
            return mmc_fail(MMC_ERR_WRONG, "the weights are no longer finite after epoch %d; train with a lower --lr",
                            s->epochs_done);
    out->state = s->weights;
    out->epochs = s->rows;
    out->epoch_count = s->epochs_done;
    out->images = r->images;
    s->weights = NULL;
    s->rows = NULL;
    return MMC_OK;
}

static mmc_status train_run(run *r, const mmc_model *model, const mmc_dataset *data, const float *start,
                            mmc_train_result *out) {
    const mmc_train_config *config = r->config;
    mmc_room room;
    MMC_TRY(mmc_room_measure(&room, r->be));
    MMC_TRY(mmc_trainer_create(&r->trainer, r->be, model, data, config, start));
    MMC_TRY(allocate_state(&r->state, model, r->trainer, config->epochs));
    if (r->measure_curves)
        MMC_TRY(curves_open(&r->curves, r->be, model, data, config));
    MMC_TRY(mmc_room_report(&room, r->be, r->hooks ? &r->hooks->progress : NULL));
    if (config->state_path)
        MMC_TRY(describe(r, model, data, start));
    if (config->state_path && config->resume) {
        bool found;
        MMC_TRY(mmc_train_state_read(&r->state, &found, config->state_path, r->fingerprint));
        if (found)
            MMC_TRY(mmc_trainer_restore(r->trainer, &r->state));
    }
    for (int epoch = r->state.epochs_done; epoch < config->epochs; epoch++)
        MMC_TRY(train_epoch(r, epoch));
    return finish(r, out);
}

mmc_status mmc_train(mmc_train_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                     const mmc_train_config *config, const float *start, const mmc_train_hooks *hooks) {
    mmc_status status = MMC_OK;
    const double start_s = mmc_clock_s();
    float *initial = NULL;
    run r = {
        .be = be, .config = config, .hooks = hooks, .measure_curves = config->curves && !config->curve, .loss = NAN};
    *out = (mmc_train_result){0};
    if (!config->curve && !start) {
        initial = malloc(model->state_count * sizeof *initial);
        if (!initial)
            return mmc_fail(MMC_ERR_MEMORY, "out of memory: %zu initial weights", model->state_count);
        mmc_model_init(model, initial, config->seed, MMC_RNG_INIT, 0);
        start = initial;
    }
    status = train_run(&r, model, data, config->curve ? NULL : start, out);
    out->wall_s = mmc_clock_s() - start_s;
    curves_close(&r.curves);
    mmc_trainer_free(r.trainer);
    free(r.state.weights);
    free(r.state.velocity);
    free(r.state.rows);
    free(r.state.tally);
    free(initial);
    return status;
}

void mmc_train_result_close(mmc_train_result *r) {
    free(r->state);
    free(r->epochs);
    *r = (mmc_train_result){0};
}
