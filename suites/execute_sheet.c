#include "runtime/data_render.h"
#include "suites/execute.h"

mmc_status mmc_job_execute_sheet(const mmc_execution *x, const mmc_job *job) {
    char path[4096];
    const mmc_dataset *data = &x->data->sets[job->dataset];
    const mmc_data_render_options options = {
        .data = data, .split = MMC_SPLIT_TEST, .sets = (1u << MMC_SET_COUNT) - 1, .seed = job->seed};
    MMC_TRY(mmc_artifact_path(path, sizeof path, x, job, "sheet.png"));
    MMC_TRY(mmc_data_sheet(&options, path));
    mmc_record r = mmc_rows_new(x->rows, job);
    r.item = "sheet";
    r.metric = "sheet"; /* its value: the classes shown; the picture lies in the job's artifact */
    r.split = "test";
    r.value = data->classes < 10 ? data->classes : 10;
    r.unit = "1";
    r.n = data->test.count;
    return mmc_rows_append(x->rows, &r);
}
