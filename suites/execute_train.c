#define _POSIX_C_SOURCE 200809L
#include "suites/execute.h"

#include "runtime/file.h"
#include "runtime/version.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the log: one line an epoch ----------------------------------------------------------------------------------- */

static int json_number(char *out, size_t size, double value) {
    return isfinite(value) ? snprintf(out, size, "%.17g", value) : snprintf(out, size, "null");
}

static void log_line(FILE *file, const mmc_epoch_row *e) {
    const struct {
        const char *name;
        double value;
    } fields[] = {{"loss", e->loss},       {"accuracy", e->accuracy}, {"lr", e->lr}, {"images_per_s", e->images_per_s},
                  {"test_nc", e->test_nc}, {"test_c", e->test_c}};
    char text[32];
    fprintf(file, "{\"epoch\":%d", e->epoch);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        json_number(text, sizeof text, fields[i].value);
        fprintf(file, ",\"%s\":%s", fields[i].name, text);
    }
    fputs("}\n", file);
}

/* Written whole after the training from the rows of all its epochs, also those of earlier processes. */
static mmc_status log_write(const mmc_execution *x, const mmc_job *job, const mmc_train_result *result) {
    char path[4096], *text = NULL;
    size_t size = 0;
    MMC_TRY(mmc_artifact_path(path, sizeof path, x, job, "log.jsonl"));
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for %s", path);
    for (int i = 0; i < result->epoch_count; i++)
        log_line(memory, &result->epochs[i]);
    bool good = fclose(memory) == 0;
    mmc_status status =
        good ? mmc_file_write(path, text, size) : mmc_fail(MMC_ERR_MEMORY, "out of memory for %s", path);
    free(text);
    return status;
}

/* --- rows: the learning curves ------------------------------------------------------------------------------------ */

static mmc_status curve_row(const mmc_execution *x, const mmc_job *job, const char *name, const char *metric,
                            const char *set, const char *split, int epoch, double value, int32_t n) {
    char item[MMC_ITEM_MAX];
    mmc_record r = mmc_rows_new(x->rows, job);
    r.item = mmc_job_item(item, job, name);
    r.metric = metric;
    r.set = set;
    r.split = split;
    r.t = epoch;
    r.value = value;
    r.n = n;
    r.unit = strcmp(metric, "loss") == 0 ? "nat" : "1";
    if (!isfinite(value))
        r.reason = "the value is not finite";
    return mmc_rows_append(x->rows, &r);
}

static mmc_status rows_of_curves(const mmc_execution *x, const mmc_job *job, const mmc_train_result *result,
                                 const mmc_dataset *data) {
    for (int i = 0; i < result->epoch_count; i++) {
        const mmc_epoch_row *e = &result->epochs[i];
        int32_t train = data->train.count, test = data->test.count;
        MMC_TRY(curve_row(x, job, "curve-train", "accuracy", NULL, "train", e->epoch, e->accuracy, train));
        MMC_TRY(curve_row(x, job, "curve-train", "loss", NULL, "train", e->epoch, e->loss, train));
        if (isnan(e->test_nc))
            continue; /* no learning curve of the paper's */
        MMC_TRY(curve_row(x, job, "curve-test-nc", "accuracy", "NC", "test", e->epoch, e->test_nc, test));
        MMC_TRY(curve_row(x, job, "curve-test-c", "accuracy", "C", "test", e->epoch, e->test_c, test));
    }
    return MMC_OK;
}

const char *mmc_bend_item(const mmc_job *job) {
    return job->bend_cue ? "bend-cue" : "bend-no-cue";
}

/* Loss and accuracy at gamma(t) of the batches as trained. */
static mmc_status rows_of_bend(const mmc_execution *x, const mmc_job *job, const mmc_train_result *result,
                               const mmc_dataset *data) {
    const char *item = mmc_bend_item(job), *set = job->bend_cue ? "C" : "NC";
    for (int i = 0; i < result->epoch_count; i++) {
        const mmc_epoch_row *e = &result->epochs[i];
        MMC_TRY(curve_row(x, job, item, "accuracy", set, "train", e->epoch, e->accuracy, data->train.count));
        MMC_TRY(curve_row(x, job, item, "loss", set, "train", e->epoch, e->loss, data->train.count));
    }
    return MMC_OK;
}

static mmc_status row_of_speed(const mmc_execution *x, const mmc_job *job, const mmc_train_result *result,
                               const mmc_model *model) {
    if (result->images == 0 || !(result->wall_s > 0))
        return MMC_OK; /* nothing was trained by this process: no speed to report */
    char item[MMC_ITEM_MAX];
    mmc_record r = mmc_rows_new(x->rows, job);
    r.item = mmc_job_item(item, job, mmc_job_kind_name(job->kind));
    r.metric = "images_per_s";
    r.value = (double)result->images / result->wall_s;
    r.unit = "1/s";
    r.samples = &result->wall_s;
    r.sample_count = 1;
    r.median = r.min = result->wall_s;
    r.iqr = 0;
    r.image_forwards = (double)result->images;
    r.flop = 3 * mmc_model_flop(model) * (double)result->images;
    return mmc_rows_append(x->rows, &r);
}

/* --- the job ------------------------------------------------------------------------------------------------------ */

static mmc_status result_write(const mmc_execution *x, const mmc_job *job, mmc_model *model,
                               const mmc_train_result *result) {
    char path[4096];
    MMC_TRY(mmc_artifact_path(path, sizeof path, x, job, "model.safetensors"));
    mmc_checkpoint c = {.model = model};
    if (job->kind == MMC_JOB_MIDPOINT) {
        c.bends = 1;
        c.bend[0] = result->state;
        snprintf(c.curve, sizeof c.curve, "%s", mmc_curve_name(MMC_CURVE_QUADRATIC));
    } else {
        c.state = result->state;
    }
    snprintf(c.dataset, sizeof c.dataset, "%s", mmc_dataset_name(job->dataset));
    snprintf(c.seed, sizeof c.seed, "%" PRIu64, job->training_seed);
    snprintf(c.job, sizeof c.job, "%s", job->key);
    snprintf(c.program, sizeof c.program, "mmcbench %s", mmc_version_get()->version);
    return mmc_checkpoint_write(path, &c);
}

mmc_status mmc_job_execute_training(const mmc_execution *x, const mmc_job *job) {
    const mmc_dataset *data = &x->data->sets[job->dataset];
    const mmc_model_spec spec = mmc_job_model_spec(job, x->scale);
    char state_path[4096], fingerprint[1024];
    mmc_model *model = NULL;
    mmc_checkpoint ends[2] = {0};
    float *bend = NULL;
    mmc_train_result result = {0};
    mmc_curve curve = {.kind = MMC_CURVE_QUADRATIC, .count = 3};
    mmc_progress_relay relay = {.request = x->request, .job = job};
    const mmc_train_hooks hooks = {.progress = mmc_progress_relayed(&relay)};
    mmc_train_config config;
    mmc_status status = MMC_OK;

    MMC_GOTO(cleanup, mmc_model_create(&model, &spec));
    MMC_GOTO(cleanup, mmc_job_train_config(&config, job, x->scale));
    MMC_GOTO(cleanup, mmc_artifact_path(state_path, sizeof state_path, x, job, "state.safetensors"));
    snprintf(fingerprint, sizeof fingerprint, "%s; %s", job->key, x->fingerprint);
    config.state_path = state_path;
    config.resume = true;
    config.fingerprint = fingerprint;
    config.more = x->more;
    config.more_count = x->more_count;
    if (job->from >= 0)
        MMC_GOTO(cleanup, mmc_job_model_read(&ends[0], x, job->from));
    if (job->kind == MMC_JOB_MIDPOINT) {
        MMC_GOTO(cleanup, mmc_job_model_read(&ends[1], x, job->to));
        bend = malloc(model->state_count * sizeof *bend);
        if (!bend)
            MMC_GOTO(cleanup, mmc_fail(MMC_ERR_MEMORY, "out of memory for a bend of %zu values", model->state_count));
        mmc_model_init(model, bend, job->training_seed, MMC_RNG_BEND, 0);
        curve.point[0] = ends[0].state;
        curve.point[1] = bend;
        curve.point[2] = ends[1].state;
        config.curve = &curve;
    }
    MMC_GOTO(cleanup, mmc_train(&result, x->be, model, data, &config, ends[0].state, &hooks));
    MMC_GOTO(cleanup, row_of_speed(x, job, &result, model)); /* first: only this process knows it */
    MMC_GOTO(cleanup, result_write(x, job, model, &result));
    MMC_GOTO(cleanup, log_write(x, job, &result));
    MMC_GOTO(cleanup,
             job->kind == MMC_JOB_TRAIN ? rows_of_curves(x, job, &result, data) : rows_of_bend(x, job, &result, data));
cleanup:
    mmc_train_result_close(&result);
    free(bend);
    mmc_checkpoint_close(&ends[0]);
    mmc_checkpoint_close(&ends[1]);
    mmc_model_free(model);
    return status;
}
