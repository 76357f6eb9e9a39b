/* Training of the small models, and what their other jobs share. */
#define _POSIX_C_SOURCE 200809L
#include "suites/execute_small.h"

#include "runtime/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

mmc_status mmc_small_row_write(const mmc_execution *x, const mmc_job *job, const mmc_small_row *row) {
    mmc_record r = mmc_rows_new(x->rows, job);
    char item[MMC_ITEM_MAX];
    snprintf(item, sizeof item, "%s%s%s", row->item, *job->variant ? "-" : "", job->variant);
    r.item = item;
    r.seed += row->seed;
    r.set = row->set;
    r.split = row->split ? row->split : "test";
    r.t = row->t;
    r.metric = row->metric;
    r.unit = "1";
    r.value = row->value;
    r.n = row->n;
    r.method = row->method;
    return mmc_rows_append(x->rows, &r);
}

/* --- models of a training ------------------------------------------------------------------------------------------
 */

/* All seeds' models of a training job in the making. Models are trained in groups of seeds: on a device all together,
 * on a CPU as many seeds as there are threads, since each model is one thread's and has samples of its own. */
typedef struct training {
    const mmc_execution *x;
    const mmc_job *job;
    mmc_small_config config;
    int each, group;         /* models of a seed; seeds of a group */
    size_t weights;          /* of one model */
    float *w;                /* (seeds, each, weights) */
    double *loss;            /* (seeds, each) */
    int first;               /* seed of the group in hand; those before are done */
    mmc_small_state state;   /* of that group */
    mmc_small_model *models; /* of that group */
} training;

static int group_seeds(const training *t) {
    const int left = t->job->seeds - t->first;
    return left < t->group ? left : t->group;
}

/* The group from `first` on, at its start. */
static mmc_status group_open(training *t) {
    const int count = group_seeds(t) * t->each;
    for (int s = 0; s < group_seeds(t); s++)
        mmc_small_job_models(t->models + s * t->each, t->job, t->job->seed + (uint64_t)(t->first + s));
    mmc_small_state_close(&t->state);
    return mmc_small_state_open(&t->state, &t->config, t->models, count);
}

static void group_keep(training *t) {
    const size_t at = (size_t)t->first * (size_t)t->each, count = (size_t)t->state.models;
    memcpy(t->w + at * t->weights, t->state.w, count * t->weights * sizeof *t->w);
    memcpy(t->loss + at, t->state.loss, count * sizeof *t->loss);
}

static mmc_status training_open(training *t, const mmc_execution *x, const mmc_job *job) {
    mmc_small_model models[MMC_SMALL_MODELS];
    *t = (training){.x = x, .job = job, .config = mmc_small_job_config(job, x->scale)};
    t->each = mmc_small_job_models(models, job, 0);
    t->group = x->be->max_sets > 1 || x->be->threads > job->seeds ? job->seeds : x->be->threads;
    t->weights = mmc_small_weights(&t->config);
    const size_t count = (size_t)job->seeds * (size_t)t->each;
    t->w = calloc(count * t->weights, sizeof *t->w);
    t->loss = calloc(count, sizeof *t->loss);
    t->models = calloc(count, sizeof *t->models);
    if (!t->w || !t->loss || !t->models)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %zu small models of %zu weights", count, t->weights);
    return MMC_OK;
}

static void training_close(training *t) {
    mmc_small_state_close(&t->state);
    free(t->w);
    free(t->loss);
    free(t->models);
}

/* --- files ---------------------------------------------------------------------------------------------------------
 */

/* Writes the models; with `going_on` also what the group in hand needs to go on. */
static mmc_status models_write(const training *t, const char *name, bool going_on) {
    char path[4096], first[16], epoch[16];
    const int64_t rows = (int64_t)(t->weights / (size_t)t->config.hidden);
    MMC_TRY(mmc_artifact_path(path, sizeof path, t->x, t->job, name));
    snprintf(first, sizeof first, "%d", t->first);
    snprintf(epoch, sizeof epoch, "%d", t->state.epoch);
    char w[] = "w", loss[] = "loss", v[] = "v";
    const mmc_safetensor tensors[] = {
        {.name = w,
         .dtype = MMC_DTYPE_F32,
         .rank = 4,
         .shape = {t->job->seeds, t->each, rows, t->config.hidden},
         .data = t->w},
        {.name = loss, .dtype = MMC_DTYPE_F64, .rank = 2, .shape = {t->job->seeds, t->each}, .data = t->loss},
        {.name = v,
         .dtype = MMC_DTYPE_F32,
         .rank = 3,
         .shape = {t->state.models, rows, t->config.hidden},
         .data = t->state.v},
    };
    const char *const keys[] = {"job", "first", "epoch"}, *const values[] = {t->job->key, first, epoch};
    return mmc_safetensors_write(path, tensors, going_on ? 3 : 2, keys, values, going_on ? 3 : 1);
}

/* Copies a tensor of `count` values of `size` bytes, or says what is wrong with the file. */
static mmc_status tensor_take(void *out, const mmc_safetensors *file, const char *name, mmc_dtype dtype, size_t count,
                              const char *path) {
    const mmc_safetensor *t = mmc_safetensors_find(file, name);
    if (!t || t->dtype != dtype || t->count != count)
        return mmc_fail(MMC_ERR_FORMAT, "%s: no tensor %s of %zu values; remove the file, the job is done again", path,
                        name, count);
    memcpy(out, t->data, count * mmc_dtype_size(dtype));
    return MMC_OK;
}

static int metadata_number(const mmc_safetensors *file, const char *key) {
    const char *text = mmc_safetensors_metadata(file, key);
    return text ? (int)strtol(text, NULL, 10) : -1;
}

/* Takes up an interrupted training. */
static mmc_status state_read(training *t, const char *path) {
    mmc_safetensors file = {0};
    mmc_status status = MMC_OK;
    const size_t count = (size_t)t->job->seeds * (size_t)t->each;
    MMC_TRY(mmc_safetensors_open(&file, path));
    t->first = metadata_number(&file, "first");
    const int epoch = metadata_number(&file, "epoch");
    if (t->first < 0 || t->first >= t->job->seeds || epoch < 0 || epoch > t->config.epochs) {
        status = mmc_fail(MMC_ERR_FORMAT,
                          "%s: says neither which seed nor which epoch; remove the file, the job is "
                          "done again",
                          path);
        goto cleanup;
    }
    MMC_GOTO(cleanup, tensor_take(t->w, &file, "w", MMC_DTYPE_F32, count * t->weights, path));
    MMC_GOTO(cleanup, tensor_take(t->loss, &file, "loss", MMC_DTYPE_F64, count, path));
    MMC_GOTO(cleanup, group_open(t));
    const size_t models = (size_t)t->state.models, at = (size_t)t->first * (size_t)t->each;
    MMC_GOTO(cleanup, tensor_take(t->state.v, &file, "v", MMC_DTYPE_F32, models * t->weights, path));
    if (epoch > 0)
        memcpy(t->state.w, t->w + at * t->weights, models * t->weights * sizeof *t->w);
    t->state.epoch = epoch;
cleanup:
    mmc_safetensors_close(&file);
    return status;
}

mmc_status mmc_small_models_read(float **w, const mmc_execution *x, const mmc_job *reader) {
    const mmc_job *job = &x->plan->jobs[reader->from];
    const mmc_small_config c = mmc_small_job_config(job, x->scale);
    mmc_small_model models[MMC_SMALL_MODELS];
    const size_t each = (size_t)mmc_small_job_models(models, job, 0);
    const size_t count = (size_t)job->seeds * each * mmc_small_weights(&c);
    char path[4096];
    mmc_safetensors file = {0};
    MMC_TRY(mmc_artifact_path(path, sizeof path, x, job, "model.safetensors"));
    MMC_TRY(mmc_safetensors_open(&file, path));
    *w = malloc(count * sizeof **w);
    mmc_status status = *w ? tensor_take(*w, &file, "w", MMC_DTYPE_F32, count, path)
                           : mmc_fail(MMC_ERR_MEMORY, "out of memory: %zu weights of small models", count);
    mmc_safetensors_close(&file);
    if (status != MMC_OK) {
        free(*w);
        *w = NULL;
    }
    return status;
}

/* --- training ------------------------------------------------------------------------------------------------------
 */

static mmc_status train_rows(const training *t) {
    for (int s = 0; s < t->job->seeds; s++) {
        mmc_small_model models[MMC_SMALL_MODELS];
        mmc_small_job_models(models, t->job, 0);
        for (int m = 0; m < t->each; m++) {
            mmc_small_row row = {.seed = s, .set = mmc_small_set_name(models[m].predictive), .t = NAN};
            mmc_small_model_name(row.item, &models[m]);
            row.metric = "loss";
            row.split = "train";
            row.value = t->loss[s * t->each + m];
            row.n = t->config.train;
            MMC_TRY(mmc_small_row_write(t->x, t->job, &row));
        }
    }
    return MMC_OK;
}

static mmc_status train_groups(training *t, const mmc_progress *progress) {
    while (t->first < t->job->seeds) {
        if (!t->state.models)
            MMC_TRY(group_open(t));
        mmc_status status = mmc_small_train(&t->state, t->x->be, &t->config, t->models, progress);
        if (status != MMC_OK && status != MMC_ERR_INTERRUPTED)
            return status;
        group_keep(t);
        if (status == MMC_ERR_INTERRUPTED) {
            MMC_TRY(models_write(t, "state.safetensors", true));
            return mmc_fail(status, "interrupted while training the small model");
        }
        t->first += group_seeds(t);
        mmc_small_state_close(&t->state);
        if (t->first < t->job->seeds) { /* a finished group is not lost with the process */
            MMC_TRY(group_open(t));
            MMC_TRY(models_write(t, "state.safetensors", true));
        }
    }
    return MMC_OK;
}

mmc_status mmc_job_execute_small_train(const mmc_execution *x, const mmc_job *job) {
    training t;
    char path[4096];
    mmc_progress_relay relay = {.request = x->request, .job = job};
    const mmc_progress progress = mmc_progress_relayed(&relay);
    mmc_status status = training_open(&t, x, job);
    if (status == MMC_OK)
        status = mmc_artifact_path(path, sizeof path, x, job, "state.safetensors");
    if (status == MMC_OK && access(path, F_OK) == 0)
        status = state_read(&t, path);
    if (status == MMC_OK)
        status = train_groups(&t, &progress);
    if (status == MMC_OK)
        status = models_write(&t, "model.safetensors", false);
    if (status == MMC_OK)
        status = train_rows(&t);
    training_close(&t);
    return status;
}
