#include "suites/trained.h"

#include <stdio.h>
#include <stdlib.h>

/* A training in the making: what it begins with, and what it is to leave behind. */
typedef struct training {
    mmc_model *model;
    mmc_checkpoint from, to; /* the start, or the ends of a bend */
    mmc_clean_split split;   /* of pre-training */
    float *bend;
    mmc_curve curve;
    mmc_train_config config;
    char state_path[4096], fingerprint[1024];
} training;

static void training_close(training *t) {
    free(t->bend);
    mmc_clean_split_close(&t->split);
    mmc_checkpoint_close(&t->from);
    mmc_checkpoint_close(&t->to);
    mmc_model_free(t->model);
}

static mmc_status bend_open(training *t, const mmc_execution *x, const mmc_job *job) {
    MMC_TRY(mmc_job_model_read(&t->to, x, job->to));
    t->bend = malloc(t->model->state_count * sizeof *t->bend);
    if (!t->bend)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for a bend of %zu values", t->model->state_count);
    mmc_model_init(t->model, t->bend, job->training_seed, MMC_RNG_BEND, 0);
    t->curve = (mmc_curve){.kind = MMC_CURVE_QUADRATIC, .count = 3, .point = {t->from.state, t->bend, t->to.state}};
    t->config.curve = &t->curve;
    return MMC_OK;
}

static mmc_status training_open(training *t, const mmc_execution *x, const mmc_job *job) {
    const mmc_model_spec spec = mmc_job_model_spec(job, x->scale);
    MMC_TRY(mmc_model_create(&t->model, &spec));
    MMC_TRY(mmc_job_train_config(&t->config, job, x->scale));
    MMC_TRY(mmc_artifact_path(t->state_path, sizeof t->state_path, x, job, MMC_JOB_STATE));
    snprintf(t->fingerprint, sizeof t->fingerprint, "%s; %s", job->key, x->fingerprint);
    t->config.state_path = t->state_path;
    t->config.resume = true;
    t->config.fingerprint = t->fingerprint;
    t->config.more = x->more;
    t->config.more_count = x->more_count;
    if (job->from >= 0)
        MMC_TRY(mmc_job_model_read(&t->from, x, job->from));
    if (job->pretrain) {
        MMC_TRY(mmc_job_clean_split(&t->split, x, job));
        t->config.subset = t->split.cue;
        t->config.subset_count = t->split.cue_count;
    }
    return job->kind == MMC_JOB_MIDPOINT ? bend_open(t, x, job) : MMC_OK;
}

mmc_status mmc_job_execute_training(const mmc_execution *x, const mmc_job *job) {
    const mmc_dataset *data = &x->data->sets[job->dataset];
    training t = {0};
    mmc_train_result result = {0};
    mmc_progress_relay relay = {.request = x->request, .job = job};
    const mmc_train_hooks hooks = {.progress = mmc_progress_relayed(&relay)};
    mmc_status status = MMC_OK;
    MMC_GOTO(cleanup, training_open(&t, x, job));
    MMC_GOTO(cleanup, mmc_train(&result, x->be, t.model, data, &t.config, t.from.state, &hooks));
    const mmc_trained trained = {
        .model = t.model, .result = &result, .images = t.config.subset ? t.config.subset_count : data->train.count};
    MMC_GOTO(cleanup, mmc_trained_write(x, job, &trained));
cleanup:
    mmc_train_result_close(&result);
    training_close(&t);
    return status;
}
