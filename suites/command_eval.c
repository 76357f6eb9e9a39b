#include "runtime/path.h"
#include "suites/command.h"
#include "suites/inputs.h"
#include "suites/interrupt.h"

#include <string.h>

static void print_row(void *user, const mmc_path_row *row) {
    mmc_cell cells[] = {mmc_cell_text("set", mmc_set_letter(row->set)),
                        mmc_cell_text("split", row->split == MMC_SPLIT_TEST ? "test" : "train"),
                        mmc_cell_number("accuracy", row->accuracy), mmc_cell_number("loss", row->loss),
                        mmc_cell_integer("n", row->n)};
    mmc_output_row(user, cells, sizeof cells / sizeof *cells, "the model's output is not finite");
}

mmc_status mmc_command_eval(const mmc_options *options, mmc_output *out) {
    if (options->argument_count != 1)
        return mmc_fail(MMC_ERR_USAGE, "eval takes one checkpoint, not %d: mmcbench eval CKPT",
                        options->argument_count);
    const char *path = options->arguments[0];
    mmc_status status = MMC_OK;
    mmc_path_config config;
    MMC_TRY(mmc_inputs_path_config(&config, options, MMC_BN_STORED));

    mmc_checkpoint checkpoint;
    mmc_inputs in = {0};
    mmc_path_result result = {0};
    mmc_dataset_kind kind;
    MMC_TRY(mmc_inputs_model(&checkpoint, path));
    MMC_GOTO(cleanup, mmc_inputs_dataset(&kind, options, &(const mmc_checkpoint *){&checkpoint}, 1));
    MMC_GOTO(cleanup, mmc_inputs_fit(&checkpoint, path, kind));
    MMC_GOTO(cleanup,
             mmc_inputs_open(&in, options, kind, config.split_train || config.bn != MMC_BN_STORED, config.split_test));
    mmc_path_hooks hooks = {
        .progress = {.report = mmc_output_report, .user = out, .interrupted = mmc_interrupt_flag()},
        .on_row = print_row,
        .user = out,
    };
    MMC_GOTO(cleanup,
             mmc_model_evaluate(&result, in.be, checkpoint.model, &in.data, checkpoint.state, &config, &hooks));
cleanup:
    mmc_path_result_close(&result);
    mmc_inputs_close(&in);
    mmc_checkpoint_close(&checkpoint);
    return status;
}
