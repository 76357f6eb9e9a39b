#include "suites/command.h"
#include "suites/training.h"

#include <math.h>

/* Options of CBFT alone, and which of the methods do not know them. */
static mmc_status check_cbft_options(const mmc_options *options, mmc_method method) {
    static const struct {
        mmc_option_id id;
        const char *name;
        mmc_method without; /* the ablation that lacks this part */
    } of_cbft[] = {{MMC_OPTION_CUE, "--cue", MMC_METHOD_COUNT},
                   {MMC_OPTION_CBFT_SCHEDULE, "--cbft-schedule", MMC_METHOD_COUNT},
                   {MMC_OPTION_BARRIER_T, "--barrier-t", MMC_METHOD_CBFT_NO_BARRIER},
                   {MMC_OPTION_INVARIANCE, "--invariance", MMC_METHOD_CBFT_NO_INVARIANCE}};
    for (size_t i = 0; i < sizeof of_cbft / sizeof *of_cbft; i++)
        if (mmc_option_given(options, of_cbft[i].id) && (!mmc_method_is_cbft(method) || method == of_cbft[i].without))
            return mmc_fail(MMC_ERR_USAGE, "%s belongs to cbft; %s has no such part", of_cbft[i].name,
                            mmc_method_name(method));
    if (!mmc_method_is_cbft(method))
        return MMC_OK;
    if (!mmc_option_given(options, MMC_OPTION_CUE))
        return mmc_fail(MMC_ERR_USAGE,
                        "--cue is required: %s also takes cue images, with the proportion P that --from was trained "
                        "with",
                        mmc_method_name(method));
    if (mmc_option_given(options, MMC_OPTION_COSINE))
        return mmc_fail(MMC_ERR_USAGE, "--cosine is not of %s, which has --cbft-schedule", mmc_method_name(method));
    return MMC_OK;
}

static mmc_status check_options(const mmc_options *options, mmc_method method) {
    const bool scratch = method == MMC_METHOD_SCRATCH_CLEAN;
    const char *name = mmc_method_name(method);
    if (!options->out)
        return mmc_fail(MMC_ERR_USAGE, "--out is required: the name of the checkpoint to write");
    if (!options->from && !scratch)
        return mmc_fail(MMC_ERR_USAGE, "--from is required: the checkpoint that %s starts from", name);
    if (options->from && scratch)
        return mmc_fail(MMC_ERR_USAGE, "--from %s: %s starts from random weights; give --arch and --width",
                        options->from, name);
    if (mmc_option_given(options, MMC_OPTION_HEAD_EPOCHS) && !mmc_method_has_head(method))
        return mmc_fail(MMC_ERR_USAGE, "--head-epochs belongs to llrt and lpft; %s trains no layer by itself", name);
    if (method == MMC_METHOD_LLRT && mmc_option_given(options, MMC_OPTION_HEAD_EPOCHS) &&
        mmc_option_given(options, MMC_OPTION_EPOCHS) && options->epochs != options->head_epochs)
        return mmc_fail(MMC_ERR_USAGE, "--epochs %d contradicts --head-epochs %d: llrt trains its layer alone",
                        options->epochs, options->head_epochs);
    return check_cbft_options(options, method);
}

/* SPEC 3's values of the method, or those of a given --scale, then what the options say. */
static mmc_status configure(mmc_finetune_config *config, const mmc_options *options, mmc_method method) {
    const bool head_only = method == MMC_METHOD_LLRT;
    *config = mmc_finetune_defaults(method);
    if (mmc_option_given(options, MMC_OPTION_SCALE)) {
        const mmc_scale *scale;
        MMC_TRY(mmc_training_scale(&scale, options));
        if (mmc_method_has_head(method))
            config->head_epochs = scale->methods.head_epochs;
        if (!head_only)
            config->epochs = method == MMC_METHOD_SCRATCH_CLEAN ? scale->methods.scratch_epochs : scale->methods.epochs;
        config->batch = scale->methods.batch;
    }
    if (mmc_option_given(options, MMC_OPTION_EPOCHS))
        *(head_only ? &config->head_epochs : &config->epochs) = options->epochs;
    if (mmc_option_given(options, MMC_OPTION_HEAD_EPOCHS))
        config->head_epochs = options->head_epochs;
    if (mmc_option_given(options, MMC_OPTION_LR))
        *(head_only ? &config->head_lr : &config->lr) = options->lr;
    if (mmc_option_given(options, MMC_OPTION_BATCH))
        config->batch = options->batch;
    config->cue = options->cue;
    config->cosine_authors = options->cosine == 1;
    config->cbft_schedule_authors = options->cbft_schedule == 1;
    config->barrier_t_authors = options->barrier_t == 1;
    config->invariance_plain = options->invariance == 1;
    config->sequential = options->order == 1;
    config->seed = options->seed;
    config->log_steps = options->log_steps;
    config->resume = options->resume;
    return MMC_OK;
}

static void print_summary(mmc_output *out, mmc_method method, const mmc_train_result *result) {
    mmc_cell cells[] = {mmc_cell_bool("summary", true), mmc_cell_text("method", mmc_method_name(method)),
                        mmc_cell_number("lr", result->rate), mmc_cell_number("validation", result->validation)};
    mmc_output_summary(out, cells, sizeof cells / sizeof *cells, "only lpft chooses by validation images");
}

mmc_status mmc_command_finetune(const mmc_options *options, mmc_output *out) {
    if (options->argument_count != 1)
        return mmc_fail(MMC_ERR_USAGE,
                        "finetune takes one method, not %d: mmcbench finetune METHOD --from CKPT --out "
                        "FILE (mmcbench list methods)",
                        options->argument_count);
    mmc_inputs in = {0};
    mmc_checkpoint from = {0};
    mmc_clean_split split = {0};
    mmc_train_result result = {0};
    mmc_model *model = NULL;
    mmc_method method;
    mmc_finetune_config config;
    MMC_TRY(mmc_method_parse(&method, options->arguments[0]));
    MMC_TRY(check_options(options, method));
    MMC_TRY(configure(&config, options, method));
    mmc_training training = {
        .options = options, .out = out, .in = &in, .finetune = &config, .start_hash = MMC_HASH_START};
    mmc_status status = MMC_OK;
    MMC_GOTO(cleanup, mmc_training_open(&training, &model, &from, options->from, "--from"));
    MMC_GOTO(cleanup, mmc_training_clean_split(&split, options, &in));
    config.split = &split;
    MMC_GOTO(cleanup, mmc_training_run(&result, &training));
    print_summary(out, method, &result);
    /* the checkpoint borrows model and state: it is not closed */
    mmc_checkpoint checkpoint = {.model = model, .state = result.state};
    MMC_GOTO(cleanup, mmc_training_save(&checkpoint, &training));
cleanup:
    mmc_train_result_close(&result);
    mmc_clean_split_close(&split);
    mmc_inputs_close(&in);
    mmc_model_free(model);
    mmc_checkpoint_close(&from);
    return status;
}
