#define _POSIX_C_SOURCE 200809L
#include "suites/plan_jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- filters ------------------------------------------------------------------------------------------------------ */

mmc_status mmc_plan_filters_open(mmc_expansion *x) {
    for (size_t i = 0; i < x->settings->filter_count; i++) {
        const char *text = x->settings->filters[i];
        if (i == MMC_PLAN_FILTERS_MAX)
            return mmc_fail(MMC_ERR_USAGE, "--filter: at most %d may be given", MMC_PLAN_FILTERS_MAX);
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

void mmc_plan_filters_close(mmc_expansion *x) {
    for (size_t i = 0; i < x->filter_count; i++)
        regfree(&x->filters[i]);
}

/* Any of the including filters (or none given), and none of the excluding ones. */
bool mmc_plan_wants(const mmc_expansion *x, const mmc_job *job) {
    bool included = true, any = false;
    for (size_t i = 0; i < x->filter_count; i++) {
        bool match = regexec(&x->filters[i], job->label, 0, NULL, 0) == 0;
        if (x->exclude[i] && match)
            return false;
        if (!x->exclude[i]) {
            included = (any && included) || match;
            any = true;
        }
    }
    return included;
}

/* --- one job ------------------------------------------------------------------------------------------------------ */

static void label_make(mmc_job *job, const mmc_scale *scale) {
    if (mmc_job_small(job)) {
        snprintf(job->label, sizeof job->label, "%s n%d%s%s seed=%llu", mmc_job_kind_name(job->kind),
                 scale->small.hidden, *job->variant ? " " : "", job->variant, (unsigned long long)job->seed);
        return;
    }
    if (job->kind == MMC_JOB_SHEET) {
        snprintf(job->label, sizeof job->label, "sheet %s", mmc_dataset_name(job->dataset));
        return;
    }
    snprintf(job->label, sizeof job->label, "%s %s-w%d %s p=%g%s%s%s seed=%llu", mmc_job_kind_name(job->kind),
             mmc_arch_name(job->arch), scale->width, mmc_dataset_name(job->dataset), job->cue, *job->variant ? " " : "",
             job->variant, job->kind != MMC_JOB_MIDPOINT ? "" : (job->bend_cue ? " cue" : " no-cue"),
             (unsigned long long)job->seed);
}

mmc_job mmc_plan_job(const mmc_expansion *x, const mmc_plan_target *t, mmc_job_kind kind, double cue,
                     const char *variant) {
    mmc_job job = {.kind = kind,
                   .suite = t->suite,
                   .arch = t->arch,
                   .dataset = t->dataset,
                   .cue = cue,
                   .seed = t->seed,
                   .training_seed = t->seed,
                   .from = -1,
                   .to = -1,
                   .match = -1};
    snprintf(job.variant, sizeof job.variant, "%s", variant);
    label_make(&job, &x->settings->scale);
    return job;
}

/* The curves and splits that the same job of another suite has not. */
static mmc_status job_merge(mmc_job *there, const mmc_job *job) {
    there->test |= job->test;
    there->train |= job->train;
    for (int i = 0; i < job->curve_count; i++) {
        int k = 0;
        while (k < there->curve_count && strcmp(there->curves[k]->item, job->curves[i]->item) != 0)
            k++;
        if (k < there->curve_count)
            continue;
        if (k == MMC_JOB_CURVES_MAX)
            return mmc_fail(MMC_ERR_RANGE, "%s: more than %d curves of one pair; give fewer suites", job->label,
                            MMC_JOB_CURVES_MAX);
        there->curves[k] = job->curves[i];
        there->bend[k] = job->bend[i];
        there->curve_count++;
    }
    if (there->match < 0)
        there->match = job->match;
    return MMC_OK;
}

mmc_status mmc_plan_add(int *index, mmc_expansion *x, const mmc_job *job) {
    mmc_plan *plan = x->plan;
    mmc_job labelled = *job;
    label_make(&labelled, &x->settings->scale);
    for (int i = 0; i < plan->count; i++)
        if (strcmp(plan->jobs[i].label, labelled.label) == 0) {
            *index = i;
            return job_merge(&plan->jobs[i], &labelled);
        }
    if (plan->count == plan->capacity) {
        int capacity = plan->capacity ? 2 * plan->capacity : 32;
        mmc_job *grown = realloc(plan->jobs, (size_t)capacity * sizeof *grown);
        if (!grown)
            return mmc_fail(MMC_ERR_MEMORY, "out of memory while planning %d jobs", capacity);
        plan->jobs = grown;
        plan->capacity = capacity;
    }
    *index = plan->count;
    plan->jobs[plan->count++] = labelled;
    return MMC_OK;
}

mmc_status mmc_plan_add_sheet(mmc_expansion *x, const mmc_plan_target *t) {
    mmc_job job = mmc_plan_job(x, t, MMC_JOB_SHEET, 0, "");
    int index;
    job.test = true;
    return mmc_plan_wants(x, &job) ? mmc_plan_add(&index, x, &job) : MMC_OK;
}
