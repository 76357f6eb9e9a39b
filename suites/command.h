/* The commands of the program, one function a command (INTERFACE, "Commands").
 *
 *     MMC_TRY(mmc_command_eval(&options, &out));
 */
#ifndef MMC_SUITES_COMMAND_H
#define MMC_SUITES_COMMAND_H

#include "suites/options.h"
#include "suites/output.h"

#ifdef __cplusplus
extern "C" {
#endif

mmc_status mmc_command_run(const mmc_options *options, mmc_output *out);
mmc_status mmc_command_list(const mmc_options *options, mmc_output *out);
mmc_status mmc_command_report(const mmc_options *options, mmc_output *out);
mmc_status mmc_command_train(const mmc_options *options, mmc_output *out);
mmc_status mmc_command_finetune(const mmc_options *options, mmc_output *out);
mmc_status mmc_command_midpoint(const mmc_options *options, mmc_output *out);
mmc_status mmc_command_eval(const mmc_options *options, mmc_output *out);
mmc_status mmc_command_match(const mmc_options *options, mmc_output *out);
mmc_status mmc_command_path(const mmc_options *options, mmc_output *out);
mmc_status mmc_command_bench(const mmc_options *options, mmc_output *out);
mmc_status mmc_command_data(const mmc_options *options, mmc_output *out);
mmc_status mmc_command_info(const mmc_options *options, mmc_output *out);
mmc_status mmc_command_help(const mmc_options *options, mmc_output *out);

/* Help of one command, or of the program (MMC_COMMAND_NONE), as text. */
void mmc_help_print(FILE *f, mmc_command_id command);

#ifdef __cplusplus
}
#endif
#endif
