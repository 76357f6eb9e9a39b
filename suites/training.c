#define _POSIX_C_SOURCE 200809L
#include "suites/training.h"

#include "runtime/version.h"
#include "suites/interrupt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

mmc_status mmc_training_scale(const mmc_scale **out, const mmc_options *options) {
    *out = mmc_scale_find(options->scale);
    if (!*out)
        return mmc_fail(MMC_ERR_USAGE, "--scale %s: there is no such scale", options->scale);
    return MMC_OK;
}

mmc_status mmc_training_configure(mmc_train_config *config, const mmc_options *options) {
    bool bends = options->command == MMC_COMMAND_MIDPOINT;
    *config = bends ? mmc_midpoint_defaults() : mmc_train_defaults();
    const char *schedule = options->schedule;
    if (mmc_option_given(options, MMC_OPTION_SCALE)) {
        const mmc_scale *scale;
        MMC_TRY(mmc_training_scale(&scale, options));
        const mmc_scale_training *training = bends ? &scale->midpoint : &scale->scratch;
        config->epochs = training->epochs;
        config->batch = training->batch;
        config->lr = training->lr;
        if (!schedule)
            schedule = training->schedule;
    }
    if (mmc_option_given(options, MMC_OPTION_EPOCHS))
        config->epochs = options->epochs;
    if (mmc_option_given(options, MMC_OPTION_BATCH))
        config->batch = options->batch;
    if (mmc_option_given(options, MMC_OPTION_LR))
        config->lr = options->lr;
    config->schedule_default = schedule == NULL;
    if (schedule) {
        mmc_status status = mmc_schedule_parse(&config->schedule, schedule);
        if (status != MMC_OK)
            return mmc_fail_context(status, "--schedule %s", schedule);
    }
    if (options->cosine && (!schedule || config->schedule.kind != MMC_SCHEDULE_COSINE))
        return mmc_fail(MMC_ERR_USAGE, "--cosine authors is a form of --schedule cosine, not of %s",
                        schedule ? schedule : "the default steps");
    config->schedule.cosine_authors = options->cosine == 1;
    config->cue = options->cue;
    config->seed = options->seed;
    config->sequential = options->order == 1;
    config->log_steps = options->log_steps;
    config->resume = options->resume;
    return MMC_OK;
}

/* The network: that of the checkpoint given by `option`, else --arch, --width and the data set's classes. */
static mmc_status choose_spec(mmc_model_spec *spec, const mmc_options *options, const mmc_checkpoint *checkpoint,
                              const char *option, mmc_dataset_kind kind) {
    if (checkpoint->model) {
        *spec = checkpoint->model->spec;
        if (mmc_option_given(options, MMC_OPTION_ARCH) && options->arch != (int)spec->arch)
            return mmc_fail(MMC_ERR_USAGE, "--arch %s contradicts %s, a model of %s",
                            mmc_arch_name((mmc_arch)options->arch), option, mmc_arch_name(spec->arch));
        if (mmc_option_given(options, MMC_OPTION_WIDTH) && options->width != spec->width)
            return mmc_fail(MMC_ERR_USAGE, "--width %d contradicts %s, a model of width %d", options->width, option,
                            spec->width);
        return MMC_OK;
    }
    const mmc_scale *scale;
    MMC_TRY(mmc_training_scale(&scale, options));
    *spec = (mmc_model_spec){.arch = (mmc_arch)options->arch,
                             .width = mmc_option_given(options, MMC_OPTION_WIDTH) ? options->width : scale->width,
                             .classes = mmc_dataset_classes(kind),
                             .height = mmc_dataset_height(kind)};
    return MMC_OK;
}

mmc_status mmc_training_open(mmc_training *t, mmc_model **model, mmc_checkpoint *start, const char *path,
                             const char *option) {
    const mmc_options *options = t->options;
    mmc_dataset_kind kind;
    mmc_model_spec spec;
    if (path)
        MMC_TRY(mmc_inputs_model(start, path));
    MMC_TRY(mmc_inputs_dataset(&kind, options, (const mmc_checkpoint *const[]){start}, path ? 1 : 0));
    if (path)
        MMC_TRY(mmc_inputs_fit(start, path, kind));
    MMC_TRY(choose_spec(&spec, options, start, option, kind));
    MMC_TRY(mmc_model_create(model, &spec));
    MMC_TRY(mmc_output_try("--out", options->out));
    MMC_TRY(mmc_inputs_open(t->in, options, kind, true, false));
    t->model = *model;
    t->start = start->state;
    if (start->state)
        t->start_hash = mmc_hash_bytes(MMC_HASH_START, start->state, (*model)->state_count * sizeof *start->state);
    return MMC_OK;
}

mmc_status mmc_training_clean_split(mmc_clean_split *out, const mmc_options *options, const mmc_inputs *in) {
    const int32_t clean = mmc_option_given(options, MMC_OPTION_CLEAN) ? options->clean : MMC_CLEAN_DEFAULT;
    return mmc_clean_split_make(out, &in->data.train, in->data.classes, clean, options->clean_split == 1,
                                options->seed);
}

static void print_epoch(void *user, const mmc_epoch_row *row) {
    mmc_cell cells[] = {mmc_cell_integer("epoch", row->epoch), mmc_cell_number("loss", row->loss),
                        mmc_cell_number("accuracy", row->accuracy), mmc_cell_number("lr", row->lr),
                        mmc_cell_number("images_per_s", row->images_per_s)};
    mmc_output_row(user, cells, sizeof cells / sizeof *cells, NULL);
}

static void print_step(void *user, int64_t step, double loss, double lr) {
    mmc_cell cells[] = {mmc_cell_integer("step", step), mmc_cell_number("loss", loss), mmc_cell_number("lr", lr)};
    mmc_output_row(user, cells, sizeof cells / sizeof *cells, NULL);
}

/* The settings of the job; those of a fine-tuning method are described by mmc_finetune itself. */
static void describe_job(char *out, size_t size, const mmc_training *t) {
    const mmc_train_config *c = &t->config;
    char schedule[256];
    if (t->finetune) {
        snprintf(out, size, "finetune %s", mmc_method_name(t->finetune->method));
        return;
    }
    if (c->schedule_default)
        snprintf(schedule, sizeof schedule, "default");
    else
        mmc_schedule_format(schedule, sizeof schedule, &c->schedule);
    snprintf(out, size, "%s; cue %.17g; epochs %d batch %d lr %.17g schedule %s%s seed %" PRIu64 " %s",
             c->curve ? "midpoint" : "train", c->cue, c->epochs, c->batch, c->lr, schedule,
             c->schedule.cosine_authors ? " authors" : "", c->seed, c->sequential ? "sequential" : "shuffled");
}

/* Everything that the bits of the result depend on. The data count by their contents, not by their files' names. */
static char *fingerprint(const mmc_training *t) {
    const mmc_dataset *data = &t->in->data;
    const mmc_backend *be = t->in->be;
    size_t image = (size_t)data->train.channels * MMC_IMAGE_SIDE * MMC_IMAGE_SIDE;
    uint64_t hash = mmc_hash_bytes(MMC_HASH_START, data->train.natural, (size_t)data->train.count * image);
    hash = mmc_hash_bytes(hash, data->train.labels, (size_t)data->train.count * sizeof *data->train.labels);
    hash = mmc_hash_bytes(hash, data->train.top,
                          data->train.top ? (size_t)data->train.top_count * MMC_IMAGE_SIDE * MMC_IMAGE_SIDE : 0);
    char what[512];
    describe_job(what, sizeof what, t);
    static const char format[] = "%s; %s width %d classes %d; %s %" PRId32 " images %016" PRIx64 "; start %016" PRIx64
                                 "; %s %s %s %s threads %d devices %d; %s; mmcbench %s";
    const mmc_model_spec *spec = &t->model->spec;
    char *text = NULL;
    size_t size = 0;
    for (int pass = 0; pass < 2; pass++) {
        int length = snprintf(text, size, format, what, mmc_arch_name(spec->arch), spec->width, spec->classes,
                              mmc_dataset_name(data->kind), data->train.count, hash, t->start_hash, be->name,
                              be->provider, be->precision, be->isa, be->threads, 1 + t->in->more_count, be->libraries,
                              mmc_version_get()->version);
        if (pass == 0) {
            size = (size_t)length + 1;
            text = malloc(size);
            if (!text)
                return NULL;
        }
    }
    return text;
}

static char *state_path(const mmc_options *options) {
    size_t size = strlen(options->out) + sizeof ".state";
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s.state", options->out);
    return path;
}

/* Whether there is a state to go on from: lpft begins with that of its linear layer. */
static bool state_is_there(const char *path, const mmc_training *t) {
    const bool stages = t->finetune && t->finetune->method == MMC_METHOD_LPFT;
    char first[4096];
    snprintf(first, sizeof first, "%s%s", path, stages ? ".head" : "");
    return access(first, F_OK) == 0;
}

static mmc_status run_job(mmc_train_result *result, const mmc_training *t, const mmc_train_hooks *hooks) {
    if (!t->finetune)
        return mmc_train(result, t->in->be, t->model, &t->in->data, &t->config, t->start, hooks);
    mmc_finetune_config config = *t->finetune;
    config.state_path = t->config.state_path;
    config.fingerprint = t->config.fingerprint;
    return mmc_finetune(result, t->in->be, t->model, &t->in->data, &config, t->start, hooks);
}

mmc_status mmc_training_run(mmc_train_result *result, mmc_training *training) {
    mmc_status status = MMC_OK;
    char *state = state_path(training->options), *print = fingerprint(training);
    if (!state || !print) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory for the description of the job");
        goto cleanup;
    }
    if (training->options->resume && !state_is_there(state, training))
        mmc_output_message(training->out, "%s is not there: training starts from the beginning", state);
    training->config.more = training->in->more;
    training->config.more_count = training->in->more_count;
    training->config.state_path = state;
    training->config.fingerprint = print;
    mmc_train_hooks hooks = {
        .progress = {.report = mmc_output_report, .user = training->out, .interrupted = mmc_interrupt_flag()},
        .on_epoch = print_epoch,
        .on_step = training->options->log_steps ? print_step : NULL,
        .user = training->out,
    };
    status = run_job(result, training, &hooks);
    if (status == MMC_ERR_INTERRUPTED)
        mmc_fail(status, "interrupted; the state is kept in %s, the same command with --resume goes on from there",
                 state);
cleanup:
    training->config.state_path = training->config.fingerprint = NULL;
    free(state);
    free(print);
    return status;
}

mmc_status mmc_training_save(mmc_checkpoint *checkpoint, const mmc_training *training) {
    const mmc_options *options = training->options;
    const mmc_version *version = mmc_version_get();
    snprintf(checkpoint->dataset, sizeof checkpoint->dataset, "%s", mmc_dataset_name(training->in->data.kind));
    snprintf(checkpoint->seed, sizeof checkpoint->seed, "%" PRIu64, options->seed);
    snprintf(checkpoint->job, sizeof checkpoint->job, "%s%s%s", mmc_command_name(options->command),
             training->finetune ? " " : "", training->finetune ? mmc_method_name(training->finetune->method) : "");
    snprintf(checkpoint->program, sizeof checkpoint->program, "mmcbench %.20s (%.12s%s)", version->version,
             version->commit, version->dirty ? ", dirty" : "");
    MMC_TRY(mmc_checkpoint_write(options->out, checkpoint));
    char *state = state_path(options);
    if (!state)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for the name of the training state");
    const mmc_method method = training->finetune ? training->finetune->method : MMC_METHOD_SCRATCH_CLEAN;
    if (mmc_finetune_state_remove(state, method) != MMC_OK)
        mmc_output_message(training->out, "%s", mmc_error_message());
    free(state);
    return MMC_OK;
}
