#include "runtime/match.h"
#include "suites/execute.h"

#include <stdio.h>

static mmc_status row(const mmc_execution *x, const mmc_job *job, const char *name, const char *metric, double value,
                      int32_t images) {
    char item[MMC_ITEM_MAX];
    mmc_record r = mmc_rows_new(x->rows, job);
    r.item = mmc_job_item(item, job, name);
    r.metric = metric;
    r.method = mmc_match_method_name(MMC_MATCH_ACTIVATION);
    r.value = value;
    r.unit = "1";
    r.n = images;
    return mmc_rows_append(x->rows, &r);
}

static mmc_status rows_of_match(const mmc_execution *x, const mmc_job *job, const mmc_match_result *result) {
    for (int g = 0; g < result->groups.count; g++) {
        char item[64];
        snprintf(item, sizeof item, "match-%s", result->groups.group[g].name);
        MMC_TRY(row(x, job, item, "score", result->score[g].score, result->images));
        MMC_TRY(row(x, job, item, "duality_gap", result->score[g].gap, result->images));
    }
    return row(x, job, "match", "max_logit_difference", result->max_logit_difference, result->images);
}

mmc_status mmc_job_execute_match(const mmc_execution *x, const mmc_job *job) {
    char path[4096];
    mmc_checkpoint model = {0}, target = {0};
    mmc_match_result result = {0};
    mmc_progress_relay relay = {.request = x->request, .job = job};
    const mmc_progress progress = mmc_progress_relayed(&relay);
    const mmc_match_config config = mmc_match_defaults();
    mmc_status status = MMC_OK;
    MMC_GOTO(cleanup, mmc_artifact_path(path, sizeof path, x, job, "model.safetensors"));
    MMC_GOTO(cleanup, mmc_job_model_read(&model, x, job->from));
    MMC_GOTO(cleanup, mmc_job_model_read(&target, x, job->to));
    MMC_GOTO(cleanup, mmc_match(&result, x->be, model.model, &x->data->sets[job->dataset], &config, target.state,
                                model.state, &progress));
    mmc_checkpoint permuted = model; /* borrows all it points to: it is not closed */
    permuted.state = result.state;
    snprintf(permuted.job, sizeof permuted.job, "%s", job->key);
    MMC_GOTO(cleanup, mmc_checkpoint_write(path, &permuted));
    MMC_GOTO(cleanup, rows_of_match(x, job, &result));
cleanup:
    mmc_match_result_close(&result);
    mmc_checkpoint_close(&model);
    mmc_checkpoint_close(&target);
    return status;
}
