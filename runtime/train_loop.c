#include "runtime/train_loop.h"

#include "runtime/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

/* How many steps may pass before the losses are read, and a broken run is noticed. */
enum { READ_EVERY = 64 };

/* A run in progress. */
typedef struct run {
    const mmc_train_loop *loop;
    mmc_train_state state;
    int64_t images; /* trained on in this process */
    double loss;    /* latest known, NAN: none */
} run;

uint32_t mmc_train_checksum(const void *data, size_t size_bytes, uint32_t start) {
    uLong crc = start;
    for (size_t done = 0; done < size_bytes;) {
        size_t part = size_bytes - done < (1u << 30) ? size_bytes - done : 1u << 30;
        crc = crc32(crc, (const Bytef *)data + done, (uInt)part);
        done += part;
    }
    return (uint32_t)crc;
}

mmc_status mmc_train_describe(char out[MMC_FINGERPRINT_BYTES], const mmc_train_description *d) {
    const mmc_split *train = &d->data->train;
    const mmc_model_spec *spec = &d->model->spec;
    const size_t count = (size_t)train->count;
    uint32_t inputs = mmc_train_checksum(train->labels, count * sizeof *train->labels, d->inputs);
    inputs =
        mmc_train_checksum(train->natural, count * (size_t)train->channels * MMC_IMAGE_SIDE * MMC_IMAGE_SIDE, inputs);
    int size = snprintf(out, MMC_FINGERPRINT_BYTES,
                        "arch %s;width %d;classes %d;rows %d;dataset %s;%s;inputs %08x;backend %s;provider "
                        "%s;precision %s;isa %s;libraries %s;threads %d;%s",
                        mmc_arch_name(spec->arch), spec->width, spec->classes, spec->height,
                        mmc_dataset_name(d->data->kind), d->words, inputs, d->be->name, d->be->provider,
                        d->be->precision, d->be->isa, d->be->libraries, d->be->threads, d->more ? d->more : "");
    if (size < 0 || size >= MMC_FINGERPRINT_BYTES)
        return mmc_fail(MMC_ERR_RANGE,
                        "the description of a training run takes %d bytes, %d are kept; shorten its fingerprint", size,
                        (int)MMC_FINGERPRINT_BYTES);
    return MMC_OK;
}

static mmc_status allocate_state(mmc_train_state *s, const mmc_train_loop *loop) {
    s->vectors = loop->vectors;
    s->state_count = loop->state_count;
    s->parameter_count = loop->parameter_count;
    s->rows_max = loop->epochs;
    s->steps_max = loop->steps;
    s->weights = malloc((size_t)s->vectors * s->state_count * sizeof(float));
    s->velocity = malloc((size_t)s->vectors * s->parameter_count * sizeof(float));
    s->rows = malloc(((size_t)loop->epochs + 1) * sizeof *s->rows);
    s->tally = calloc((size_t)s->steps_max * 2, sizeof(double));
    if (!s->weights || !s->velocity || !s->rows || !s->tally)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the training state of %d x %zu floats", s->vectors,
                        s->state_count);
    return MMC_OK;
}

static mmc_status save(run *r) {
    const mmc_train_loop *loop = r->loop;
    if (!loop->state_path)
        return MMC_OK;
    MMC_TRY(loop->stepper->save(loop->self, &r->state));
    return mmc_train_state_write(&r->state, loop->state_path, loop->fingerprint);
}

static bool interrupted(const run *r) {
    const mmc_train_hooks *hooks = r->loop->hooks;
    return hooks && hooks->progress.interrupted && *hooks->progress.interrupted;
}

static mmc_status stop(run *r, int epoch) {
    const mmc_train_loop *loop = r->loop;
    MMC_TRY(save(r));
    if (loop->state_path)
        return mmc_fail(MMC_ERR_INTERRUPTED, "interrupted in epoch %d of %d; the state is kept in %s, --resume goes on",
                        epoch + 1, loop->epochs, loop->state_path);
    return mmc_fail(MMC_ERR_INTERRUPTED, "interrupted in epoch %d of %d; no state was kept", epoch + 1, loop->epochs);
}

static void report(const run *r, int epoch) {
    const mmc_train_loop *loop = r->loop;
    if (!loop->hooks || !loop->hooks->progress.report)
        return;
    const int64_t images = loop->images, steps = r->state.steps_done;
    int64_t done = epoch * images;
    if (steps > 0)
        done += steps == r->state.steps_max ? images : steps * loop->stepper->batch(loop->self, 0);
    mmc_progress_event event = {.phase = loop->phase,
                                .done = done,
                                .total = loop->epochs * images,
                                .epoch = epoch + 1,
                                .epochs = loop->epochs,
                                .t = NAN,
                                .loss = r->loss};
    loop->hooks->progress.report(loop->hooks->progress.user, &event);
}

/* Reads the losses of the steps since `first` and checks that they are finite. */
static mmc_status read_losses(run *r, int epoch, int64_t first) {
    const mmc_train_loop *loop = r->loop;
    mmc_train_state *s = &r->state;
    MMC_TRY(loop->stepper->tally(loop->self, s->tally, epoch, first, s->steps_done));
    for (int64_t step = first; step < s->steps_done; step++) {
        r->loss = s->tally[2 * step] / loop->stepper->batch(loop->self, step);
        if (!isfinite(r->loss))
            return mmc_fail(MMC_ERR_WRONG,
                            "the loss is no longer finite at step %lld (epoch %d); train with a lower --lr",
                            (long long)(epoch * s->steps_max + step), epoch + 1);
    }
    return MMC_OK;
}

static mmc_status train_steps(run *r, int epoch) {
    const mmc_train_loop *loop = r->loop;
    const mmc_stepper_ops *stepper = loop->stepper;
    mmc_train_state *s = &r->state;
    int64_t read = s->steps_done;
    MMC_TRY(stepper->begin_epoch(loop->self, epoch));
    while (s->steps_done < s->steps_max) {
        if (interrupted(r)) {
            MMC_TRY(read_losses(r, epoch, read));
            return stop(r, epoch);
        }
        const int64_t step = s->steps_done;
        MMC_TRY(stepper->step(loop->self, epoch, step));
        s->steps_done++;
        r->images += stepper->batch(loop->self, step);
        if (loop->log_steps || s->steps_done - read >= READ_EVERY || s->steps_done == s->steps_max) {
            MMC_TRY(read_losses(r, epoch, read));
            read = s->steps_done;
        }
        if (loop->log_steps && loop->hooks && loop->hooks->on_step) {
            const int64_t global = epoch * s->steps_max + step;
            loop->hooks->on_step(loop->hooks->user, global, r->loss, stepper->rate(loop->self, global));
        }
        report(r, epoch);
    }
    return MMC_OK;
}

static mmc_status train_epoch(run *r, int epoch) {
    const mmc_train_loop *loop = r->loop;
    mmc_train_state *s = &r->state;
    const double start_s = mmc_clock_s();
    const int64_t images = r->images;
    MMC_TRY(train_steps(r, epoch));
    mmc_epoch_row *row = &s->rows[epoch];
    *row = (mmc_epoch_row){.epoch = epoch + 1,
                           .lr = loop->stepper->rate(loop->self, (epoch + 1) * s->steps_max - 1),
                           .images_per_s = (double)(r->images - images) / (mmc_clock_s() - start_s),
                           .test_nc = NAN,
                           .test_c = NAN};
    for (int64_t step = 0; step < s->steps_max; step++) {
        row->loss += s->tally[2 * step];
        row->accuracy += s->tally[2 * step + 1];
    }
    row->loss /= loop->images;
    row->accuracy /= loop->images;
    if (loop->stepper->measure)
        MMC_TRY(loop->stepper->measure(loop->self, row));
    s->epochs_done = epoch + 1;
    s->steps_done = 0;
    MMC_TRY(save(r));
    if (loop->hooks && loop->hooks->on_epoch)
        loop->hooks->on_epoch(loop->hooks->user, row);
    return MMC_OK;
}

/* Moves the result out of the run. */
static mmc_status finish(run *r, mmc_train_result *out) {
    mmc_train_state *s = &r->state;
    MMC_TRY(r->loop->stepper->save(r->loop->self, s));
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

static mmc_status run_loop(run *r, mmc_train_result *out) {
    const mmc_train_loop *loop = r->loop;
    MMC_TRY(allocate_state(&r->state, loop));
    if (loop->state_path && loop->resume) {
        bool found;
        MMC_TRY(mmc_train_state_read(&r->state, &found, loop->state_path, loop->fingerprint));
        if (found)
            MMC_TRY(loop->stepper->restore(loop->self, &r->state));
    }
    for (int epoch = r->state.epochs_done; epoch < loop->epochs; epoch++)
        MMC_TRY(train_epoch(r, epoch));
    return finish(r, out);
}

mmc_status mmc_train_loop_run(const mmc_train_loop *loop, mmc_train_result *out) {
    run r = {.loop = loop, .loss = NAN};
    mmc_status status = run_loop(&r, out);
    free(r.state.weights);
    free(r.state.velocity);
    free(r.state.rows);
    free(r.state.tally);
    return status;
}
