/* Tables 1, 3 and 4: a model on the four counterfactual sets, batch norm as stored. */
#include "suites/execute.h"

#include <math.h>

static mmc_status rows_of_scores(const mmc_execution *x, const mmc_job *job, const mmc_path_result *result) {
    for (int i = 0; i < result->row_count; i++) {
        const mmc_path_row *row = &result->rows[i];
        for (int k = 0; k < 2; k++) {
            mmc_record r = mmc_rows_new(x->rows, job);
            r.item = job->variant;
            r.metric = k == 0 ? "accuracy" : "loss";
            r.value = k == 0 ? row->accuracy : row->loss;
            r.unit = k == 0 ? "1" : "nat";
            r.set = mmc_set_letter(row->set);
            r.split = row->split == MMC_SPLIT_TEST ? "test" : "train";
            r.n = row->n;
            if (!isfinite(r.value))
                r.reason = "the value is not finite";
            MMC_TRY(mmc_rows_append(x->rows, &r));
        }
    }
    return MMC_OK;
}

mmc_status mmc_job_execute_evaluate(const mmc_execution *x, const mmc_job *job) {
    mmc_checkpoint model = {0};
    mmc_path_result result = {0};
    mmc_progress_relay relay = {.request = x->request, .job = job};
    const mmc_path_hooks hooks = {.progress = mmc_progress_relayed(&relay)};
    mmc_path_config config = mmc_job_path_config(job, x->scale);
    mmc_status status = MMC_OK;
    config.bn = MMC_BN_STORED;
    MMC_GOTO(cleanup, mmc_job_model_read(&model, x, job->from));
    MMC_GOTO(cleanup, mmc_model_evaluate(&result, x->be, model.model, &x->data->sets[job->dataset], model.state,
                                         &config, &hooks));
    MMC_GOTO(cleanup, rows_of_scores(x, job, &result));
cleanup:
    mmc_path_result_close(&result);
    mmc_checkpoint_close(&model);
    return status;
}
