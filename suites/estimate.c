#define _POSIX_C_SOURCE 200809L
#include "suites/estimate.h"

#include "runtime/clock.h"
#include "runtime/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PROBE_IMAGES = 64, PROBE_TRIES = 20 };
#define PROBE_S                                                                                                        \
    0.3 /* tried again until this long, for the best of the tries: a busy machine must not tell the rate               \
         */

/* --- the rate ------------------------------------------------------------------------------------------------------
 */

typedef struct probe {
    mmc_model *model;
    mmc_network *net;
    float *state, *images;
    void *device;
} probe;

static mmc_status probe_open(probe *p, mmc_backend *be, const mmc_model_spec *spec) {
    MMC_TRY(mmc_model_create(&p->model, spec));
    size_t size = p->model->state_count * sizeof(float);
    p->state = malloc(size);
    p->images = calloc((size_t)PROBE_IMAGES * 3 * (size_t)spec->height * MMC_IMAGE_SIDE, sizeof(float));
    if (!p->state || !p->images)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for a probe of %zu bytes", size);
    mmc_model_init(p->model, p->state, 1, MMC_RNG_INIT, 0);
    MMC_TRY(be->memory->alloc(be, &p->device, size));
    MMC_TRY(be->memory->upload(be, p->device, p->state, size));
    MMC_TRY(mmc_network_create(&p->net, be, p->model, MMC_NETWORK_EVAL, PROBE_IMAGES, 1));
    MMC_TRY(mmc_network_load(p->net, p->device, 1));
    return mmc_network_images(p->net, p->images, PROBE_IMAGES);
}

static void probe_close(probe *p, mmc_backend *be) {
    mmc_network_free(p->net);
    be->memory->free(be, p->device);
    mmc_model_free(p->model);
    free(p->state);
    free(p->images);
}

/* FLOP/s of the fastest of some forwards. */
static mmc_status rate_measure(double *flops, mmc_backend *be, const mmc_model_spec *spec) {
    probe p = {0};
    mmc_status status = MMC_OK;
    MMC_GOTO(cleanup, probe_open(&p, be, spec));
    double best_s = INFINITY, begin_s = mmc_clock_s();
    for (int i = 0; i < PROBE_TRIES && (i < 2 || mmc_clock_s() - begin_s < PROBE_S); i++) {
        double start_s = mmc_clock_s();
        MMC_GOTO(cleanup, mmc_network_forward(p.net));
        MMC_GOTO(cleanup, be->memory->sync(be));
        best_s = fmin(best_s, mmc_clock_s() - start_s);
    }
    *flops = PROBE_IMAGES * mmc_model_flop(p.model) / fmax(best_s, 1e-9);
cleanup:
    probe_close(&p, be);
    return status;
}

/* --- one job --------------------------------------------------------------------------------------------------------
 */

static double bn_images(const mmc_path_config *c, const mmc_split *train) {
    double images = c->bn_images && c->bn_images < train->count ? c->bn_images : train->count;
    if (c->bn == MMC_BN_MOMENTUM) /* .9^158 < 2^-24: earlier batches are skipped */
        images = fmin(images, 158.0 * c->bn_batch);
    return images;
}

static double dataset_bytes(const mmc_dataset *d) {
    double bytes = 0;
    const mmc_split *const splits[] = {&d->train, &d->test};
    for (int i = 0; i < 2; i++)
        bytes +=
            ((double)splits[i]->count * splits[i]->channels + splits[i]->top_count) * MMC_IMAGE_SIDE * MMC_IMAGE_SIDE;
    return bytes;
}

static mmc_status estimate_job(mmc_run_plan_row *row, const mmc_job *job, const mmc_scale *scale,
                               const mmc_run_data *data) {
    const mmc_dataset *d = &data->sets[job->dataset];
    row->memory_bytes = dataset_bytes(d);
    if (job->kind == MMC_JOB_SHEET) {
        row->images = row->flop = 0;
        return MMC_OK;
    }
    const mmc_model_spec spec = mmc_job_model_spec(job, scale);
    mmc_model *model;
    MMC_TRY(mmc_model_create(&model, &spec));
    double flop = mmc_model_flop(model), state_bytes = 4.0 * (double)model->state_count;
    mmc_model_free(model);
    if (job->kind == MMC_JOB_PATHS) {
        mmc_path_config c = mmc_job_path_config(job, scale);
        double samples = (job->test ? d->test.count : 0) + (job->train ? d->train.count : 0);
        double points = job->curve_count * (c.points - 2) + 2; /* the ends are shared */
        row->images = points * (bn_images(&c, &d->train) + MMC_SET_COUNT * samples);
        row->flop = flop * row->images;
        row->memory_bytes += 5 * state_bytes;
        return MMC_OK;
    }
    if (job->kind == MMC_JOB_MATCH) {
        row->images = 2.0 * d->train.count; /* both networks; the correlations are a few per cent more */
        row->flop = flop * row->images;
        row->memory_bytes += 4 * state_bytes;
        return MMC_OK;
    }
    mmc_train_config t;
    MMC_TRY(mmc_job_train_config(&t, job, scale));
    row->images = (double)t.epochs * d->train.count;
    row->flop = flop * (3 * row->images + (t.curves ? 2.0 * t.epochs * d->test.count : 0));
    row->memory_bytes += (t.curves ? 4 : 6) * state_bytes;
    return MMC_OK;
}

static bool artifact_done(const char *directory, const char *key) {
    char path[4096];
    snprintf(path, sizeof path, "%s/artifacts/%s/done", directory, key);
    return access(path, F_OK) == 0;
}

static const mmc_job *first_network(const mmc_plan *plan) {
    for (int i = 0; i < plan->count; i++)
        if (plan->jobs[i].kind != MMC_JOB_SHEET)
            return &plan->jobs[i];
    return NULL;
}

mmc_status mmc_run_estimate(const mmc_plan *plan, const mmc_plan_settings *settings, mmc_backend *be,
                            const mmc_run_data *data, const char *directory, const mmc_run_hooks *hooks) {
    mmc_run_plan_total total = {.jobs = plan->count, .rate_flops = NAN, .rate_source = "none: no network to run"};
    char source[160];
    const mmc_job *first = first_network(plan);
    if (first) {
        mmc_model_spec spec = mmc_job_model_spec(first, &settings->scale);
        MMC_TRY(rate_measure(&total.rate_flops, be, &spec));
        snprintf(source, sizeof source,
                 "measured: one forward of %d images, %s width %d, %d threads; training counts as three forwards",
                 PROBE_IMAGES, mmc_arch_name(spec.arch), spec.width, be->threads);
        total.rate_source = source;
    }
    for (int i = 0; i < plan->count; i++) {
        const mmc_job *job = &plan->jobs[i];
        bool done = directory && artifact_done(directory, job->key);
        mmc_run_plan_row row = {.suite = job->suite->name,
                                .job = job->key,
                                .kind = mmc_job_kind_name(job->kind),
                                .label = job->label,
                                .state = done ? "done" : "to do"};
        MMC_TRY(estimate_job(&row, job, &settings->scale, data));
        row.time_s = row.flop > 0 ? row.flop / total.rate_flops : 0;
        if (!done) {
            total.images += row.images;
            total.flop += row.flop;
            total.time_s += row.time_s;
            total.memory_bytes = fmax(total.memory_bytes, row.memory_bytes);
        }
        total.jobs_done += done;
        if (hooks->on_plan)
            hooks->on_plan(hooks->user, &row);
    }
    for (int i = 0; i < plan->absent_count; i++) {
        const mmc_plan_absent *a = &plan->absent[i];
        mmc_run_plan_row row = {.suite = a->suite->name,
                                .job = a->key,
                                .kind = "none",
                                .label = a->item,
                                .state = "skipped",
                                .reason = a->reason};
        if (hooks->on_plan)
            hooks->on_plan(hooks->user, &row);
    }
    if (hooks->on_plan_total)
        hooks->on_plan_total(hooks->user, &total);
    return MMC_OK;
}
