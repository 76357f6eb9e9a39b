#include "runtime/train.h"

#include "runtime/clock.h"
#include "runtime/curve.h"
#include "runtime/evaluate.h"
#include "runtime/room.h"
#include "runtime/train_loop.h"
#include "runtime/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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
    mmc_trainer *trainer;
    bool measure_curves;
    learning_curves curves;
    char fingerprint[MMC_FINGERPRINT_BYTES];
} run;

/* --- the trainer as the loop's stepper --- */

static int stepper_batch(const void *self, int64_t step) {
    return mmc_trainer_batch(((const run *)self)->trainer, step);
}

static double stepper_rate(const void *self, int64_t step) {
    return mmc_trainer_rate(((const run *)self)->trainer, step);
}

static mmc_status stepper_begin_epoch(void *self, int epoch) {
    return mmc_trainer_begin_epoch(((run *)self)->trainer, epoch);
}

static mmc_status stepper_step(void *self, int epoch, int64_t step) {
    return mmc_trainer_step(((run *)self)->trainer, epoch, step);
}

static mmc_status stepper_tally(void *self, double *tally, int epoch, int64_t first, int64_t last) {
    (void)epoch;
    return mmc_trainer_tally(((run *)self)->trainer, tally, first, last);
}

static mmc_status stepper_save(void *self, mmc_train_state *s) {
    return mmc_trainer_save(((run *)self)->trainer, s);
}

static mmc_status stepper_restore(void *self, const mmc_train_state *s) {
    return mmc_trainer_restore(((run *)self)->trainer, s);
}

static mmc_status stepper_measure(void *self, mmc_epoch_row *row) {
    run *r = self;
    return r->measure_curves ? curves_measure(&r->curves, mmc_trainer_weights(r->trainer, 0), row) : MMC_OK;
}

static const mmc_stepper_ops stepper = {.batch = stepper_batch,
                                        .rate = stepper_rate,
                                        .begin_epoch = stepper_begin_epoch,
                                        .step = stepper_step,
                                        .tally = stepper_tally,
                                        .save = stepper_save,
                                        .restore = stepper_restore,
                                        .measure = stepper_measure};

/* All that a bit-identical continuation depends on. */
static mmc_status describe(run *r, const mmc_model *model, const mmc_dataset *data, const float *start) {
    const mmc_train_config *c = r->config;
    const size_t state_size = model->state_count * sizeof(float);
    char schedule[1200], words[2400];
    uint32_t inputs = 0;
    if (c->flags)
        inputs = mmc_train_checksum(c->flags, (size_t)data->train.count, inputs);
    if (c->subset)
        inputs = mmc_train_checksum(c->subset, (size_t)c->subset_count * sizeof(int32_t), inputs);
    for (int i = 0; c->curve && i < c->curve->count; i++)
        inputs = mmc_train_checksum(c->curve->point[i], state_size, inputs);
    if (start)
        inputs = mmc_train_checksum(start, state_size, inputs);
    mmc_schedule_format(schedule, sizeof schedule, &c->schedule);
    snprintf(words, sizeof words,
             "images %d;batch %d;epochs %d;lr %.17g;momentum %.17g;decay %.17g;schedule %s%s;cue %.17g;seed %llu;order "
             "%s;curve %s;bends %d;learning curves %d",
             (int)mmc_trainer_images(r->trainer), c->batch, c->epochs, c->lr, c->momentum, c->decay,
             c->schedule_default ? "default" : schedule, c->schedule.cosine_authors ? " authors" : "", c->cue,
             (unsigned long long)c->seed, c->sequential ? "sequential" : "shuffled",
             c->curve ? mmc_curve_name(c->curve->kind) : "none", c->curve ? mmc_trainer_vectors(r->trainer) : 0,
             (int)r->measure_curves);
    return mmc_train_describe(
        r->fingerprint,
        &(mmc_train_description){
            .be = r->be, .model = model, .data = data, .words = words, .more = c->fingerprint, .inputs = inputs});
}

static mmc_status train_run(run *r, const mmc_model *model, const mmc_dataset *data, const float *start,
                            const mmc_train_hooks *hooks, mmc_train_result *out) {
    const mmc_train_config *config = r->config;
    mmc_room room;
    MMC_TRY(mmc_room_measure(&room, r->be));
    MMC_TRY(mmc_trainer_create(&r->trainer, r->be, model, data, config, start));
    if (r->measure_curves)
        MMC_TRY(curves_open(&r->curves, r->be, model, data, config));
    MMC_TRY(mmc_room_report(&room, r->be, hooks ? &hooks->progress : NULL));
    if (config->state_path)
        MMC_TRY(describe(r, model, data, start));
    return mmc_train_loop_run(&(mmc_train_loop){.stepper = &stepper,
                                                .self = r,
                                                .phase = config->curve ? "midpoint" : "train",
                                                .vectors = mmc_trainer_vectors(r->trainer),
                                                .state_count = model->state_count,
                                                .parameter_count = model->parameter_count,
                                                .steps = mmc_trainer_steps(r->trainer),
                                                .images = mmc_trainer_images(r->trainer),
                                                .epochs = config->epochs,
                                                .log_steps = config->log_steps,
                                                .state_path = config->state_path,
                                                .resume = config->resume,
                                                .fingerprint = r->fingerprint,
                                                .hooks = hooks},
                              out);
}

mmc_status mmc_train(mmc_train_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                     const mmc_train_config *config, const float *start, const mmc_train_hooks *hooks) {
    mmc_status status = MMC_OK;
    const double start_s = mmc_clock_s();
    float *initial = NULL;
    run r = {.be = be, .config = config, .measure_curves = config->curves && !config->curve};
    *out = (mmc_train_result){.rate = config->lr, .validation = NAN};
    if (!config->curve && !start) {
        initial = malloc(model->state_count * sizeof *initial);
        if (!initial)
            return mmc_fail(MMC_ERR_MEMORY, "out of memory: %zu initial weights", model->state_count);
        mmc_model_init(model, initial, config->seed, MMC_RNG_INIT, 0);
        start = initial;
    }
    status = train_run(&r, model, data, config->curve ? NULL : start, hooks, out);
    out->wall_s = mmc_clock_s() - start_s;
    curves_close(&r.curves);
    mmc_trainer_free(r.trainer);
    free(initial);
    return status;
}

void mmc_train_result_close(mmc_train_result *r) {
    free(r->state);
    free(r->epochs);
    *r = (mmc_train_result){0};
}
