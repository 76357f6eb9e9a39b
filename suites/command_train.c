#include "suites/command.h"
#include "suites/training.h"

#include <string.h>

/* The network: that of --init, else --arch, --width and the data set's classes. */
static mmc_status choose_spec(mmc_model_spec *spec, const mmc_options *options, const mmc_checkpoint *init,
                              mmc_dataset_kind kind) {
    if (init->model) {
        *spec = init->model->spec;
        if (mmc_option_given(options, MMC_OPTION_ARCH) && options->arch != (int)spec->arch)
            return mmc_fail(MMC_ERR_USAGE, "--arch %s contradicts --init %s, which is %s",
                            mmc_arch_name((mmc_arch)options->arch), options->init, mmc_arch_name(spec->arch));
        if (mmc_option_given(options, MMC_OPTION_WIDTH) && options->width != spec->width)
            return mmc_fail(MMC_ERR_USAGE, "--width %d contradicts --init %s, which has width %d", options->width,
                            options->init, spec->width);
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

mmc_status mmc_command_train(const mmc_options *options, mmc_output *out) {
    if (options->argument_count)
        return mmc_fail(MMC_ERR_USAGE, "train takes no argument '%s'; the result goes to --out FILE",
                        options->arguments[0]);
    if (!options->out)
        return mmc_fail(MMC_ERR_USAGE, "--out is required: the name of the checkpoint to write");
    mmc_inputs in = {0};
    mmc_checkpoint init = {0};
    mmc_train_result result = {0};
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
    MMC_GOTO(cleanup, choose_spec(&spec, options, &init, kind));
    MMC_GOTO(cleanup, mmc_model_create(&model, &spec));
    MMC_GOTO(cleanup, mmc_output_try("--out", options->out));
    MMC_GOTO(cleanup, mmc_inputs_open(&in, options, kind, true, false));
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
    mmc_inputs_close(&in);
    mmc_model_free(model);
    mmc_checkpoint_close(&init);
    return status;
}
