#include "suites/command.h"
#include "suites/training.h"

mmc_status mmc_command_train(const mmc_options *options, mmc_output *out) {
    if (options->argument_count)
        return mmc_fail(MMC_ERR_USAGE, "train takes no argument '%s'; the result goes to --out FILE",
                        options->arguments[0]);
    if (mmc_option_given(options, MMC_OPTION_CLEAN_SPLIT) && !mmc_option_given(options, MMC_OPTION_CLEAN))
        return mmc_fail(MMC_ERR_USAGE, "--clean-split says how --clean N draws; give --clean as well");
    if (!options->out)
        return mmc_fail(MMC_ERR_USAGE, "--out is required: the name of the checkpoint to write");
    mmc_inputs in = {0};
    mmc_checkpoint init = {0};
    mmc_train_result result = {0};
    mmc_clean_split split = {0};
    mmc_model *model = NULL;
    mmc_dataset_kind kind;
    mmc_model_spec spec;
    mmc_training training = {.options = options, .out = out, .in = &in, .start_hash = MMC_HASH_START};
    mmc_status status = mmc_training_configure(&training.config, options);
    if (status != MMC_OK)
        return status;
    if (options->init)
        MMC_GOTO(cleanup, mmc_inputs_model(&init, options->init));
    MMC_GOTO(cleanup,
             mmc_inputs_dataset(&kind, options, (const mmc_checkpoint *const[]){&init}, options->init ? 1 : 0));
    if (options->init)
        MMC_GOTO(cleanup, mmc_inputs_fit(&init, options->init, kind));
    MMC_GOTO(cleanup, mmc_training_spec(&spec, options, &init, "--init", kind));
    MMC_GOTO(cleanup, mmc_model_create(&model, &spec));
    MMC_GOTO(cleanup, mmc_output_try("--out", options->out));
    MMC_GOTO(cleanup, mmc_inputs_open(&in, options, kind, true, false));
    if (mmc_option_given(options, MMC_OPTION_CLEAN)) {
        MMC_GOTO(cleanup, mmc_training_clean_split(&split, options, &in));
        training.config.subset = split.cue;
        training.config.subset_count = split.cue_count;
    }
    training.model = model;
    training.start = init.state;
    if (init.state)
        training.start_hash = mmc_hash_bytes(MMC_HASH_START, init.state, model->state_count * sizeof *init.state);
    MMC_GOTO(cleanup, mmc_training_run(&result, &training));
    /* the checkpoint borrows model and state: it is not closed */
    mmc_checkpoint checkpoint = {.model = model, .state = result.state};
    MMC_GOTO(cleanup, mmc_training_save(&checkpoint, &training));
cleanup:
    mmc_train_result_close(&result);
    mmc_clean_split_close(&split);
    mmc_inputs_close(&in);
    mmc_model_free(model);
    mmc_checkpoint_close(&init);
    return status;
}
