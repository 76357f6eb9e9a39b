#include "suites/execute.h"

#include "runtime/file.h"
#include "runtime/trace.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

mmc_status mmc_artifact_path(char *out, size_t size, const mmc_execution *x, const mmc_job *job, const char *name) {
    int n = snprintf(out, size, "%s/artifacts/%s%s%s", x->directory, job->key, *name ? "/" : "", name);
    if (n < 0 || (size_t)n >= size)
        return mmc_fail(MMC_ERR_RANGE, "--out %s: the path is too long", x->directory);
    return MMC_OK;
}

const char *mmc_job_item(char out[MMC_ITEM_MAX], const mmc_job *job, const char *name) {
    snprintf(out, MMC_ITEM_MAX, "%s%s%s", job->variant, *job->variant ? "-" : "", name);
    return out;
}

mmc_status mmc_job_model_read(mmc_checkpoint *out, const mmc_execution *x, int job) {
    char path[4096];
    MMC_TRY(mmc_artifact_path(path, sizeof path, x, &x->plan->jobs[job], "model.safetensors"));
    return mmc_checkpoint_read(out, path);
}

static void relay_progress(void *user, const mmc_progress_event *event) {
    const mmc_progress_relay *relay = user;
    const mmc_run_hooks *hooks = &relay->request->hooks;
    if (hooks->on_progress)
        hooks->on_progress(hooks->user, relay->job->label, event);
}

mmc_progress mmc_progress_relayed(mmc_progress_relay *relay) {
    return (mmc_progress){.report = relay_progress, .user = relay, .interrupted = relay->request->interrupted};
}

static mmc_status execute(const mmc_execution *x, const mmc_job *job) {
    switch (job->kind) {
    case MMC_JOB_MATCH:
        return mmc_job_execute_match(x, job);
    case MMC_JOB_PATHS:
        return mmc_job_execute_paths(x, job);
    case MMC_JOB_SHEET:
        return mmc_job_execute_sheet(x, job);
    case MMC_JOB_FINETUNE:
        return mmc_job_execute_finetune(x, job);
    case MMC_JOB_EVALUATE:
        return mmc_job_execute_evaluate(x, job);
    case MMC_JOB_SMALL_TRAIN:
        return mmc_job_execute_small_train(x, job);
    case MMC_JOB_SMALL_TABLE:
        return mmc_job_execute_small_table(x, job);
    case MMC_JOB_SMALL_MAP:
        return mmc_job_execute_small_map(x, job);
    case MMC_JOB_SMALL_PATHS:
        return mmc_job_execute_small_paths(x, job);
    default:
        return mmc_job_execute_training(x, job);
    }
}

mmc_status mmc_job_execute(const mmc_execution *x, const mmc_job *job) {
    char path[4096];
    MMC_TRY(mmc_artifact_path(path, sizeof path, x, job, "config.json"));
    MMC_TRY(mmc_file_write(path, job->config, strlen(job->config)));
    mmc_trace_begin(MMC_TRACE_JOB, job->label);
    return mmc_trace_end(execute(x, job));
}

static mmc_status write_null(const mmc_execution *x, const mmc_job *job, const char *item, const char *metric,
                             const char *reason) {
    mmc_record r = mmc_rows_new(x->rows, job);
    r.item = item;
    r.metric = metric;
    r.reason = reason;
    return mmc_rows_append(x->rows, &r);
}

mmc_status mmc_job_write_failure(const mmc_execution *x, const mmc_job *job, const char *reason) {
    char item[MMC_ITEM_MAX];
    switch (job->kind) {
    case MMC_JOB_EVALUATE:
        return write_null(x, job, job->variant, "accuracy", reason);
    case MMC_JOB_TRAIN:
    case MMC_JOB_FINETUNE:
        return write_null(x, job, mmc_job_item(item, job, "curve-train"), "accuracy", reason);
    case MMC_JOB_MIDPOINT:
        return write_null(x, job, mmc_job_item(item, job, mmc_bend_item(job)), "loss", reason);
    case MMC_JOB_MATCH: /* of these no row may have the key of a value that a later attempt measures: so none has an
                           item */
        return write_null(x, job, NULL, "score", reason);
    case MMC_JOB_SHEET:
        return write_null(x, job, "sheet", "sheet", reason);
    case MMC_JOB_SMALL_TRAIN:
    case MMC_JOB_SMALL_TABLE:
    case MMC_JOB_SMALL_PATHS:
        return write_null(x, job, NULL, "loss", reason);
    case MMC_JOB_SMALL_MAP:
        return write_null(x, job, NULL, "density", reason);
    default:
        for (int i = 0; i < job->curve_count; i++)
            if (!mmc_curve_measured(x, job, job->curves[i]->item))
                MMC_TRY(write_null(x, job, job->curves[i]->item, "accuracy", reason));
        return MMC_OK;
    }
}
