/* The program: commands over the library. Only this file exits. */
#include "runtime/trace.h"
#include "runtime/version.h"
#include "suites/command.h"
#include "suites/interrupt.h"
#include "suites/threads.h"

extern char **environ;

static void warn(void *user, const char *line) {
    mmc_output_message(user, "%s", line);
}

static void print_version(mmc_output *out) {
    const mmc_version *v = mmc_version_get();
    mmc_cell cells[] = {mmc_cell_text("version", v->version), mmc_cell_text("commit", v->commit),
                        mmc_cell_bool("dirty", v->dirty), mmc_cell_text("compiler", v->compiler),
                        mmc_cell_text("build", v->build_type)};
    if (out->json)
        mmc_output_row(out, cells, sizeof cells / sizeof *cells, NULL);
    else
        mmc_output_line(out, "mmcbench %s (%.12s%s, %s, %s)", v->version, v->commit, v->dirty ? ", dirty" : "",
                        v->compiler, v->build_type);
}

typedef mmc_status (*command_function)(const mmc_options *options, mmc_output *out);

static const command_function functions[MMC_COMMAND_COUNT] = {
    [MMC_COMMAND_RUN] = mmc_command_run,           [MMC_COMMAND_LIST] = mmc_command_list,
    [MMC_COMMAND_REPORT] = mmc_command_report,     [MMC_COMMAND_TRAIN] = mmc_command_train,
    [MMC_COMMAND_FINETUNE] = mmc_command_finetune, [MMC_COMMAND_MIDPOINT] = mmc_command_midpoint,
    [MMC_COMMAND_EVAL] = mmc_command_eval,         [MMC_COMMAND_PATH] = mmc_command_path,
    [MMC_COMMAND_MATCH] = mmc_command_match,       [MMC_COMMAND_DATA] = mmc_command_data,
    [MMC_COMMAND_BENCH] = mmc_command_bench,       [MMC_COMMAND_INFO] = mmc_command_info,
    [MMC_COMMAND_HELP] = mmc_command_help,
};

static mmc_status run(int argc, char **argv, mmc_output *out) {
    mmc_options options;
    MMC_TRY(mmc_options_parse(&options, argc, argv, environ, warn, out));
    out->json = options.json;
    out->quiet = options.quiet;
    if (options.version)
        print_version(out);
    else if (options.help)
        mmc_help_print(out->rows, options.command);
    else {
        mmc_trace_begin(MMC_TRACE_JOB, mmc_command_name(options.command));
        return mmc_trace_end(functions[options.command](&options, out));
    }
    return MMC_OK;
}

int main(int argc, char **argv) {
    mmc_threads_settle(argv);
    mmc_interrupt_install();
    mmc_output out;
    mmc_output_init(&out, stdout, stderr, false, false);
    mmc_status status = run(argc, argv, &out);
    if (status != MMC_OK)
        mmc_output_message(&out, "%s", mmc_error_message());
    mmc_status closed = mmc_output_close(&out);
    if (closed != MMC_OK)
        mmc_output_message(&out, "%s", mmc_error_message());
    return mmc_status_exit_code(status != MMC_OK ? status : closed);
}
