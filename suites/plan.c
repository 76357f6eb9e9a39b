#define _POSIX_C_SOURCE 200809L
#include "suites/plan.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Seeds of theta_C lie this far from theta_NC's: two models that have nothing in common but the data's images. */
enum { THETA_C_SEED_OFFSET = 1000 };

typedef struct expansion {
    mmc_plan *plan;
    const mmc_plan_settings *settings;
    mmc_run_data *data;
    regex_t filters[32];
    bool exclude[32];
    size_t filter_count;
} expansion;

/* --- filters ------------------------------------------------------------------------------------------------------ */

static mmc_status filters_open(expansion *x) {
    size_t limit = sizeof x->filters / sizeof *x->filters;
    for (size_t i = 0; i < x->settings->filter_count; i++) {
        const char *text = x->settings->filters[i];
        if (i == limit)
            return mmc_fail(MMC_ERR_USAGE, "--filter: at most %zu may be given", limit);
        x->exclude[i] = *text == '-';
        int error = regcomp(&x->filters[i], text + (*text == '-'), REG_EXTENDED | REG_NOSUB);
        if (error) {
            char why[128];
            regerror(error, &x->filters[i], why, sizeof why);
            return mmc_fail(MMC_ERR_USAGE,
                            "--filter %s: %s; give an extended regular expression on job labels, as "
                            "--dry-run shows them",
                            text, why);
        }
        x->filter_count = i + 1;
    }
    return MMC_OK;
}

static void filters_close(expansion *x) {
    for (size_t i = 0; i < x->filter_count; i++)
        regfree(&x->filters[i]);
}

/* Any of the including filters (or none given), and none of the excluding ones. */
static bool filters_pass(const expansion *x, const char *label) {
    bool included = true, any = false;
    for (size_t i = 0; i < x->filter_count; i++) {
        bool match = regexec(&x->filters[i], label, 0, NULL, 0) == 0;
        if (x->exclude[i] && match)
            return false;
        if (!x->exclude[i]) {
            included = (any && included) || match;
            any = true;
        }
    }
    return included;
}

/* --- jobs --------------------------------------------------------------------------------------------------------- */

static bool job_same(const mmc_job *a, const mmc_job *b) {
    return a->kind == b->kind && a->dataset == b->dataset && a->seed == b->seed &&
           (a->kind == MMC_JOB_SHEET || (a->arch == b->arch && a->cue == b->cue && a->bend_cue == b->bend_cue));
}

static void label_make(char *out, size_t size, const mmc_job *job, const mmc_scale *scale) {
    if (job->kind == MMC_JOB_SHEET) {
        snprintf(out, size, "sheet %s", mmc_dataset_name(job->dataset));
        return;
    }
    snprintf(out, size, "%s %s-w%d %s p=%g%s seed=%llu", mmc_job_kind_name(job->kind), mmc_arch_name(job->arch),
             scale->width, mmc_dataset_name(job->dataset), job->cue,
             job->kind != MMC_JOB_MIDPOINT ? "" : (job->bend_cue ? " cue" : " no-cue"), (unsigned long long)job->seed);
}

/* Adds a job, or finds the one that another suite asked for. */
static mmc_status job_add(int *index, expansion *x, mmc_job job) {
    mmc_plan *plan = x->plan;
    for (int i = 0; i < plan->count; i++)
        if (job_same(&plan->jobs[i], &job)) {
            plan->jobs[i].test |= job.test;
            plan->jobs[i].train |= job.train;
            *index = i;
            return MMC_OK;
        }
    if (plan->count == plan->capacity) {
        int capacity = plan->capacity ? 2 * plan->capacity : 32;
        mmc_job *grown = realloc(plan->jobs, (size_t)capacity * sizeof *grown);
        if (!grown)
            return mmc_fail(MMC_ERR_MEMORY, "out of memory while planning %d jobs", capacity);
        plan->jobs = grown;
        plan->capacity = capacity;
    }
    label_make(job.label, sizeof job.label, &job, &x->settings->scale);
    *index = plan->count;
    plan->jobs[plan->count++] = job;
    return MMC_OK;
}

/* What one suite asks for on one data set. */
typedef struct target {
    const mmc_suite *suite;
    mmc_arch arch;
    mmc_dataset_kind dataset;
    double cue;
    uint64_t seed;
} target;

static mmc_job job_of(const target *t, mmc_job_kind kind, double cue) {
    return (mmc_job){.kind = kind,
                     .suite = t->suite,
                     .arch = t->arch,
                     .dataset = t->dataset,
                     .cue = cue,
                     .seed = t->seed,
                     .training_seed = t->seed,
                     .theta_c = -1,
                     .theta_nc = -1,
                     .match = -1};
}

static mmc_status add_training(int *index, expansion *x, const target *t, double cue) {
    mmc_job job = job_of(t, MMC_JOB_TRAIN, cue);
    if (cue > 0)
        job.training_seed += THETA_C_SEED_OFFSET;
    return job_add(index, x, job);
}

static mmc_status add_pair(expansion *x, const target *t) {
    mmc_job job = job_of(t, MMC_JOB_PATHS, t->cue);
    char label[sizeof job.label];
    label_make(label, sizeof label, &job, &x->settings->scale);
    if (!filters_pass(x, label))
        return MMC_OK;
    int theta_nc, theta_c, index;
    MMC_TRY(add_training(&theta_nc, x, t, 0));
    MMC_TRY(add_training(&theta_c, x, t, t->cue));
    for (const mmc_suite_curve *c = t->suite->curves; c->item; c++) {
        int bend = -1;
        if (c->permuted) {
            mmc_job match = job_of(t, MMC_JOB_MATCH, t->cue);
            match.theta_c = theta_c;
            match.theta_nc = theta_nc;
            MMC_TRY(job_add(&job.match, x, match));
        }
        if (c->kind == MMC_CURVE_QUADRATIC) {
            mmc_job mid = job_of(t, MMC_JOB_MIDPOINT, t->cue);
            mid.bend_cue = c->cue;
            mid.theta_c = theta_c;
            mid.theta_nc = theta_nc;
            MMC_TRY(job_add(&bend, x, mid));
        }
        job.curves[job.curve_count] = c;
        job.bend[job.curve_count++] = bend;
    }
    job.theta_c = theta_c;
    job.theta_nc = theta_nc;
    job.test = t->suite->test;
    job.train = t->suite->train;
    return job_add(&index, x, job);
}

static mmc_status add_learning_curve(expansion *x, const target *t, double cue) {
    mmc_job job = job_of(t, MMC_JOB_TRAIN, cue);
    char label[sizeof job.label];
    label_make(label, sizeof label, &job, &x->settings->scale);
    int index;
    return filters_pass(x, label) ? add_training(&index, x, t, cue) : MMC_OK;
}

static mmc_status add_sheet(expansion *x, const target *t) {
    mmc_job job = job_of(t, MMC_JOB_SHEET, 0);
    job.test = true;
    char label[sizeof job.label];
    label_make(label, sizeof label, &job, &x->settings->scale);
    int index;
    return filters_pass(x, label) ? job_add(&index, x, job) : MMC_OK;
}

/* --- suites ------------------------------------------------------------------------------------------------------- */

static mmc_status add_absent(expansion *x, const mmc_suite *suite, const char *item, const char *arch,
                             const char *dataset, const char *reason) {
    mmc_plan *plan = x->plan;
    if (plan->absent_count == MMC_PLAN_ABSENT_MAX)
        return mmc_fail(MMC_ERR_USAGE, "too many suites at once lack data; give fewer suites");
    mmc_plan_absent *a = &plan->absent[plan->absent_count++];
    *a = (mmc_plan_absent){.suite = suite, .item = item, .arch = arch, .dataset = dataset};
    snprintf(a->reason, sizeof a->reason, "%s", reason);
    char text[512];
    snprintf(text, sizeof text, "absent|%s|%s|%s|%s|%s", suite->name, item, arch ? arch : "", dataset,
             x->settings->scale.name);
    return mmc_run_digest(a->key, text);
}

static bool listed(const char *const *list, const char *name) {
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

/* The scale's choice among a suite's data sets, unless it would leave nothing. */
static bool dataset_wanted(const mmc_suite *suite, const mmc_scale *scale, const char *name) {
    bool any = false;
    for (const char *const *d = suite->datasets; *d; d++)
        any = any || listed(scale->datasets, *d);
    return !any || listed(scale->datasets, name);
}

/* Opens the data set, or its stand-in where the scale has one. MMC_ERR_MISSING: neither is there. */
static mmc_status dataset_open(mmc_dataset_kind *kind, const expansion *x, const char *name) {
    MMC_TRY(mmc_dataset_parse(kind, name));
    mmc_status status = mmc_run_data_open(x->data, *kind);
    const char *const *stand_in = x->settings->scale.stand_in;
    if (status == MMC_ERR_MISSING && !x->settings->dataset && stand_in[0] && strcmp(name, stand_in[0]) == 0) {
        MMC_TRY(mmc_dataset_parse(kind, stand_in[1]));
        status = mmc_run_data_open(x->data, *kind);
    }
    return status;
}

static int suite_cues(double cues[MMC_SUITE_CUES_MAX], const mmc_suite *suite, const mmc_plan_settings *s) {
    int count = 0;
    if (s->cue_count) {
        memcpy(cues, s->cues, sizeof *cues * (size_t)s->cue_count);
        return s->cue_count;
    }
    for (int i = 0; i < MMC_SUITE_CUES_MAX && suite->cues[i] > 0; i++) {
        bool wanted = !(s->scale.cues[0] > 0);
        for (int k = 0; k < MMC_SCALE_CUES_MAX && s->scale.cues[k] > 0; k++)
            wanted = wanted || s->scale.cues[k] == suite->cues[i];
        if (wanted)
            cues[count++] = suite->cues[i];
    }
    return count;
}

static mmc_status add_networks(expansion *x, target t) {
    double cues[MMC_SUITE_CUES_MAX];
    int cue_count = suite_cues(cues, t.suite, x->settings);
    bool curves = t.suite->kind == MMC_SUITE_CURVES;
    for (int k = 0; k < x->settings->scale.seeds; k++) {
        t.seed = x->settings->seed + (uint64_t)k;
        if (curves && t.suite->scratch_no_cue)
            MMC_TRY(add_learning_curve(x, &t, 0));
        for (int i = 0; i < cue_count; i++) {
            t.cue = cues[i];
            if (curves)
                MMC_TRY(add_learning_curve(x, &t, t.cue));
            else
                MMC_TRY(add_pair(x, &t));
        }
    }
    return MMC_OK;
}

static mmc_status add_suite_on(expansion *x, const mmc_suite *suite, const char *dataset) {
    target t = {.suite = suite, .seed = x->settings->seed};
    const char *arch = suite->arch && x->settings->arch ? x->settings->arch : suite->arch;
    if (arch)
        MMC_TRY(mmc_arch_parse(&t.arch, arch));
    mmc_status status = dataset_open(&t.dataset, x, dataset);
    if (status == MMC_ERR_MISSING)
        return add_absent(x, suite, suite->name, arch, dataset, mmc_error_message());
    if (status != MMC_OK)
        return status;
    dataset = mmc_dataset_name(t.dataset);
    arch = suite->arch ? mmc_arch_name(t.arch) : NULL;
    if (suite->kind == MMC_SUITE_SHEET)
        return add_sheet(x, &t);
    if (x->plan->item_count == MMC_PLAN_ITEMS_MAX)
        return mmc_fail(MMC_ERR_USAGE, "more than %d suites at once; give fewer suites", MMC_PLAN_ITEMS_MAX);
    x->plan->items[x->plan->item_count++] = (mmc_plan_item){suite, arch, dataset};
    return add_networks(x, t);
}

static mmc_status add_suite(expansion *x, const mmc_suite *suite) {
    if (x->settings->dataset)
        return add_suite_on(x, suite, x->settings->dataset);
    for (const char *const *d = suite->datasets; *d; d++)
        if (dataset_wanted(suite, &x->settings->scale, *d))
            MMC_TRY(add_suite_on(x, suite, *d));
    return MMC_OK;
}

mmc_status mmc_plan_expand(mmc_plan *plan, const mmc_plan_settings *settings, const mmc_backend *be,
                           mmc_run_data *data) {
    expansion x = {.plan = plan, .settings = settings, .data = data};
    mmc_status status = MMC_OK;
    MMC_GOTO(cleanup, filters_open(&x));
    for (int i = 0; i < settings->suite_count; i++)
        MMC_GOTO(cleanup, add_suite(&x, settings->suites[i]));
    if (plan->count == 0 && settings->filter_count && plan->item_count)
        MMC_GOTO(cleanup, mmc_fail(MMC_ERR_USAGE, "--filter leaves no job; --dry-run without it shows the labels"));
    MMC_GOTO(cleanup, mmc_plan_keys(plan, &settings->scale, be, data));
cleanup:
    filters_close(&x);
    return status;
}

void mmc_plan_close(mmc_plan *plan) {
    for (int i = 0; i < plan->count; i++)
        free(plan->jobs[i].config);
    free(plan->jobs);
    *plan = (mmc_plan){0};
}
