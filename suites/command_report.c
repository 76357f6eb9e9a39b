#include "reports/report.h"
#include "suites/command.h"

mmc_status mmc_command_report(const mmc_options *options, mmc_output *out) {
    if (options->argument_count != 1)
        return mmc_fail(MMC_ERR_USAGE, "report takes one run directory, not %d: mmcbench report DIR",
                        options->argument_count);
    char page[4096];
    MMC_TRY(mmc_report_draw(page, sizeof page, options->arguments[0]));
    mmc_cell cell = mmc_cell_text("report", page);
    if (out->json)
        mmc_output_row(out, &cell, 1, NULL);
    else
        mmc_output_line(out, "%s", page);
    return MMC_OK;
}
