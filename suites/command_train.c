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
    mmc_training training = {.options = options, .out = out, .in = &in, .start_hash = MMC_HASH_START};
    mmc_status status = mmc_training_configure(&training.config, options);
    if (status != MMC_OK)
        return status;
    MMC_GOTO(cleanup, mmc_training_open(&training, &model, &init, options->init, "--init"));
    if (mmc_option_given(options, MMC_OPTION_CLEAN)) {
        MMC_GOTO(cleanup, mmc_training_clean_split(&split, options, &in));
        training.config.subset = split.cue;
        training.config.subset_count = split.cue_count;
    }
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
