#include "runtime/finetune.h"

#include "runtime/clock.h"
#include "runtime/finetune_job.h"
#include "runtime/finetune_lpft.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mmc_status check_items(const int32_t *items, int32_t count, int32_t images) {
    for (int32_t i = 0; i < count; i++)
        if (items[i] < 0 || items[i] >= images)
            return mmc_fail(MMC_ERR_RANGE, "image %d of the clean split lies outside the %d of the train split",
                            (int)items[i], (int)images);
    return MMC_OK;
}

static mmc_status check(const mmc_model *model, const mmc_dataset *data, const mmc_finetune_config *config,
                        const float *start) {
    const mmc_clean_split *split = config->split;
    const char *name = mmc_method_name(config->method);
    if (!*name)
        return mmc_fail(MMC_ERR_USAGE, "fine-tuning method %d: there are %d", (int)config->method, MMC_METHOD_COUNT);
    MMC_TRY(mmc_dataset_fits(data, model->spec.classes, model->spec.height, "fine-tuned"));
    if (!split || split->clean_count < 1)
        return mmc_fail(MMC_ERR_USAGE, "%s needs the clean images of a split; make one by mmc_clean_split_make", name);
    if (!start && config->method != MMC_METHOD_SCRATCH_CLEAN)
        return mmc_fail(MMC_ERR_USAGE, "%s starts from a trained model; give its state", name);
    if (config->epochs < 0 || config->head_epochs < 0 || config->batch < 1)
        return mmc_fail(MMC_ERR_RANGE, "%d and %d epochs of batches of %d: give 0 or more epochs, and 1 image or more",
                        config->epochs, config->head_epochs, config->batch);
    if (mmc_method_is_cbft(config->method) && split->cue_count < 1)
        return mmc_fail(MMC_ERR_RANGE, "%s needs cue images beside the clean ones; the split has none", name);
    if (config->method == MMC_METHOD_LPFT && split->validation_count < 1)
        return mmc_fail(MMC_ERR_RANGE,
                        "lpft keeps one clean image in %d for validation, and %d leave none; give --clean %d or more",
                        MMC_VALIDATION_SHARE, (int)split->clean_count, MMC_VALIDATION_SHARE);
    MMC_TRY(check_items(split->clean, split->clean_count, data->train.count));
    return check_items(split->cue, split->cue_count, data->train.count);
}

mmc_status mmc_finetune_describe(char out[MMC_FINGERPRINT_BYTES], const mmc_finetune_job *job) {
    const mmc_finetune_config *c = job->config;
    const mmc_clean_split *split = c->split;
    char words[640];
    uint32_t inputs = mmc_train_checksum(job->items, (size_t)job->item_count * sizeof *job->items, 0);
    inputs = mmc_train_checksum(split->cue, (size_t)split->cue_count * sizeof *split->cue, inputs);
    inputs = mmc_train_checksum(job->start, job->model->state_count * sizeof *job->start, inputs);
    if (c->head)
        inputs = mmc_train_checksum(c->head, (job->model->parameter_count - job->model->head_weight) * sizeof *c->head,
                                    inputs);
    snprintf(words, sizeof words,
             "method %s;images %d;batch %d;epochs %d;head epochs %d;lr %.17g;head lr %.17g;momentum %.17g;decay "
             "%.17g;cue %.17g;lambda %.17g;cosine %s;cbft schedule %s;barrier t %s;invariance %s;order %s;seed %llu",
             mmc_method_name(c->method), (int)job->item_count, c->batch, c->epochs, c->head_epochs, c->lr, c->head_lr,
             c->momentum, c->decay, c->cue, c->lambda, c->cosine_authors ? "authors" : "exact",
             c->cbft_schedule_authors ? "authors" : "cosine", c->barrier_t_authors ? "authors" : "truncated",
             c->invariance_plain ? "plain" : "unit", c->sequential ? "sequential" : "shuffled",
             (unsigned long long)c->seed);
    return mmc_train_describe(out, &(mmc_train_description){.be = job->be,
                                                            .model = job->model,
                                                            .data = job->data,
                                                            .words = words,
                                                            .more = c->fingerprint,
                                                            .inputs = inputs});
}

mmc_train_loop mmc_finetune_loop(const mmc_finetune_job *job, const mmc_stepper_ops *stepper, void *self,
                                 const char *fingerprint) {
    return (mmc_train_loop){.stepper = stepper,
                            .self = self,
                            .phase = "train",
                            .vectors = 1,
                            .images = job->item_count,
                            .log_steps = job->config->log_steps,
                            .state_path = job->state_path,
                            .resume = job->config->resume,
                            .fingerprint = fingerprint,
                            .hooks = job->hooks};
}

mmc_status mmc_finetune_whole(mmc_train_result *out, const mmc_finetune_job *job, double rate) {
    const mmc_finetune_config *c = job->config;
    char fingerprint[MMC_FINGERPRINT_BYTES];
    int size = snprintf(fingerprint, sizeof fingerprint, "method %s;%s", mmc_method_name(c->method),
                        c->fingerprint ? c->fingerprint : "");
    if (size < 0 || (size_t)size >= sizeof fingerprint)
        return mmc_fail(MMC_ERR_RANGE,
                        "the description of a training run takes %d bytes, %zu are kept; shorten its fingerprint", size,
                        sizeof fingerprint);
    const mmc_train_config config = {
        .epochs = c->epochs,
        .batch = c->batch,
        .lr = rate,
        .momentum = c->momentum,
        .decay = c->decay,
        .schedule = {.kind = MMC_SCHEDULE_COSINE, .cosine_authors = c->cosine_authors},
        .subset = job->items,
        .subset_count = job->item_count,
        .seed = c->seed,
        .sequential = c->sequential,
        .log_steps = c->log_steps,
        .state_path = job->state_path,
        .resume = c->resume,
        .fingerprint = fingerprint,
    };
    return mmc_train(out, job->be, job->model, job->data, &config, job->start, job->hooks);
}

static mmc_status run_method(mmc_train_result *out, const mmc_finetune_job *job) {
    switch (job->config->method) {
    case MMC_METHOD_LLRT:
        out->rate = job->config->head_lr;
        return mmc_head_run(out, job);
    case MMC_METHOD_LPFT:
        return mmc_lpft_run(out, job);
    case MMC_METHOD_CBFT:
    case MMC_METHOD_CBFT_NO_BARRIER:
    case MMC_METHOD_CBFT_NO_INVARIANCE:
        return mmc_cbft_run(out, job);
    default:
        return mmc_finetune_whole(out, job, job->config->lr);
    }
}

mmc_status mmc_finetune(mmc_train_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                        const mmc_finetune_config *config, const float *start, const mmc_train_hooks *hooks) {
    const double start_s = mmc_clock_s();
    *out = (mmc_train_result){.rate = config->lr, .validation = NAN};
    MMC_TRY(check(model, data, config, start));
    const mmc_finetune_job job = {.be = be,
                                  .model = model,
                                  .data = data,
                                  .config = config,
                                  .start = config->method == MMC_METHOD_SCRATCH_CLEAN ? NULL : start,
                                  .hooks = hooks,
                                  .items = config->split->clean,
                                  .item_count = config->split->clean_count,
                                  .state_path = config->state_path};
    mmc_status status = run_method(out, &job);
    out->wall_s = mmc_clock_s() - start_s;
    return status;
}

mmc_status mmc_finetune_state_remove(const char *state_path, mmc_method method) {
    for (int stage = 0; stage < (method == MMC_METHOD_LPFT ? MMC_LPFT_STAGES : 1); stage++) {
        char *path = NULL;
        MMC_TRY(mmc_finetune_state_path(&path, state_path, method, stage));
        const bool failed = remove(path) != 0 && errno != ENOENT;
        mmc_status status =
            failed ? mmc_fail(MMC_ERR_IO, "%s: %s; remove the file, it is no longer needed", path, strerror(errno))
                   : MMC_OK;
        free(path);
        MMC_TRY(status);
    }
    return MMC_OK;
}
