/* Tables 1, 3 and 4: a fine-tuning method on the clean samples that pre-training left out. */
#include "runtime/finetune.h"
#include "suites/trained.h"

#include <math.h>
#include <stdio.h>

mmc_status mmc_job_clean_split(mmc_clean_split *out, const mmc_execution *x, const mmc_job *job) {
    const mmc_dataset *data = &x->data->sets[job->dataset];
    const mmc_scale_methods *m = &x->scale->methods;
    return mmc_clean_split_make(out, &data->train, data->classes, m->clean, m->clean_split_authors, job->seed);
}

/* Which of its rates LPFT chose, and by how much. */
static mmc_status rows_of_choice(const mmc_execution *x, const mmc_job *job, const mmc_train_result *result,
                                 int32_t validation) {
    if (isnan(result->validation))
        return MMC_OK;
    for (int k = 0; k < 2; k++) {
        mmc_record r = mmc_rows_new(x->rows, job);
        r.item = job->variant;
        r.metric = k == 0 ? "rate" : "validation";
        r.value = k == 0 ? result->rate : result->validation;
        r.unit = "1";
        r.split = "train";
        r.n = k == 0 ? -1 : validation;
        MMC_TRY(mmc_rows_append(x->rows, &r));
    }
    return MMC_OK;
}

mmc_status mmc_job_execute_finetune(const mmc_execution *x, const mmc_job *job) {
    const mmc_dataset *data = &x->data->sets[job->dataset];
    const mmc_model_spec spec = mmc_job_model_spec(job, x->scale);
    char state_path[4096], fingerprint[1024];
    mmc_model *model = NULL;
    mmc_checkpoint start = {0};
    mmc_clean_split split = {0};
    mmc_finetune_config config;
    mmc_train_result result = {0};
    mmc_progress_relay relay = {.request = x->request, .job = job};
    const mmc_train_hooks hooks = {.progress = mmc_progress_relayed(&relay)};
    mmc_status status = MMC_OK;
    MMC_GOTO(cleanup, mmc_model_create(&model, &spec));
    MMC_GOTO(cleanup, mmc_job_finetune_config(&config, job, x->scale));
    MMC_GOTO(cleanup, mmc_job_clean_split(&split, x, job));
    MMC_GOTO(cleanup, mmc_artifact_path(state_path, sizeof state_path, x, job, MMC_JOB_STATE));
    snprintf(fingerprint, sizeof fingerprint, "%s; %s", job->key, x->fingerprint);
    config.split = &split;
    config.state_path = state_path;
    config.resume = true;
    config.fingerprint = fingerprint;
    if (job->from >= 0)
        MMC_GOTO(cleanup, mmc_job_model_read(&start, x, job->from));
    MMC_GOTO(cleanup, mmc_finetune(&result, x->be, model, data, &config, start.state, &hooks));
    const mmc_trained trained = {.model = model, .result = &result, .images = split.clean_count};
    MMC_GOTO(cleanup, mmc_trained_write(x, job, &trained));
    MMC_GOTO(cleanup, rows_of_choice(x, job, &result, split.validation_count));
cleanup:
    mmc_train_result_close(&result);
    mmc_clean_split_close(&split);
    mmc_checkpoint_close(&start);
    mmc_model_free(model);
    return status;
}
