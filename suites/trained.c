#define _POSIX_C_SOURCE 200809L
#include "suites/trained.h"

#include "runtime/file.h"
#include "runtime/version.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Of the batches as trained; the test accuracies where the figure has them. */
static mmc_status rows_of_epochs(const mmc_execution *x, const mmc_job *job, const mmc_trained *what) {
    const int32_t test = x->data->sets[job->dataset].test.count;
    const bool bend = job->kind == MMC_JOB_MIDPOINT;
    const char *name = bend ? mmc_bend_item(job) : "curve-train";
    const char *set = bend ? (job->bend_cue ? "C" : "NC") : NULL;
    for (int i = 0; i < what->result->epoch_count; i++) {
        const mmc_epoch_row *e = &what->result->epochs[i];
        MMC_TRY(curve_row(x, job, name, "accuracy", set, "train", e->epoch, e->accuracy, what->images));
        MMC_TRY(curve_row(x, job, name, "loss", set, "train", e->epoch, e->loss, what->images));
        if (isnan(e->test_nc))
            continue;
        MMC_TRY(curve_row(x, job, "curve-test-nc", "accuracy", "NC", "test", e->epoch, e->test_nc, test));
        MMC_TRY(curve_row(x, job, "curve-test-c", "accuracy", "C", "test", e->epoch, e->test_c, test));
    }
    return MMC_OK;
}

const char *mmc_bend_item(const mmc_job *job) {
    return job->bend_cue ? "bend-cue" : "bend-no-cue";
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
    if (job->kind != MMC_JOB_FINETUNE) /* methods run parts of the network, or two networks, on an image */
        r.flop = 3 * mmc_model_flop(model) * (double)result->images;
    return mmc_rows_append(x->rows, &r);
}

/* --- the model ---------------------------------------------------------------------------------------------------- */

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

mmc_status mmc_trained_write(const mmc_execution *x, const mmc_job *job, const mmc_trained *what) {
    MMC_TRY(row_of_speed(x, job, what->result, what->model)); /* first: only this process knows it */
    MMC_TRY(result_write(x, job, what->model, what->result));
    MMC_TRY(log_write(x, job, what->result));
    return rows_of_epochs(x, job, what);
}
