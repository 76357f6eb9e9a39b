#include "suites/plan_jobs.h"
#include "suites/small.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mmc_status add_absent(mmc_expansion *x, const mmc_suite *suite, const char *item, const char *arch,
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
static mmc_status dataset_open(mmc_dataset_kind *kind, const mmc_expansion *x, const char *name) {
    MMC_TRY(mmc_dataset_parse(kind, name));
    mmc_status status = mmc_run_data_open(x->data, *kind);
    const char *const *stand_in = x->settings->scale.stand_in;
    if (status == MMC_ERR_MISSING && !x->settings->dataset && stand_in[0] && strcmp(name, stand_in[0]) == 0) {
        MMC_TRY(mmc_dataset_parse(kind, stand_in[1]));
        status = mmc_run_data_open(x->data, *kind);
    }
    return status;
}

/* The scale's choice of cue proportions for this kind of suite; none: all. */
static const double *scale_cues(const mmc_suite *suite, const mmc_scale *scale) {
    if (suite->kind == MMC_SUITE_METHODS)
        return scale->table_cues;
    return mmc_suite_fine_tunes(suite) ? scale->fine_tune_cues : scale->cues;
}

static int suite_cues(double cues[MMC_SUITE_CUES_MAX], const mmc_suite *suite, const mmc_plan_settings *s) {
    const double *chosen = scale_cues(suite, &s->scale);
    int count = 0;
    if (s->cue_count) {
        memcpy(cues, s->cues, sizeof *cues * (size_t)s->cue_count);
        return s->cue_count;
    }
    for (int i = 0; i < MMC_SUITE_CUES_MAX && suite->cues[i] > 0; i++) {
        bool wanted = !(chosen[0] > 0);
        for (int k = 0; k < MMC_SCALE_CUES_MAX && chosen[k] > 0; k++)
            wanted = wanted || chosen[k] == suite->cues[i];
        if (wanted)
            cues[count++] = suite->cues[i];
    }
    return count;
}

static mmc_status add_at_cue(mmc_expansion *x, const mmc_plan_target *t) {
    switch (t->suite->kind) {
    case MMC_SUITE_CURVES:
        return mmc_plan_add_learning_curve(x, t, t->cue);
    case MMC_SUITE_METHODS:
        return mmc_plan_add_methods(x, t);
    default:
        return mmc_plan_add_pairs(x, t);
    }
}

static mmc_status add_networks(mmc_expansion *x, mmc_plan_target t) {
    double cues[MMC_SUITE_CUES_MAX];
    int cue_count = suite_cues(cues, t.suite, x->settings);
    const mmc_scale *scale = &x->settings->scale;
    int seeds = t.suite->kind == MMC_SUITE_METHODS ? scale->table_seeds : scale->seeds;
    for (int k = 0; k < seeds; k++) {
        t.seed = x->settings->seed + (uint64_t)k;
        t.cue = 0;
        if (t.suite->scratch_no_cue || t.suite->from_scratch)
            MMC_TRY(add_at_cue(x, &t));
        for (int i = 0; i < cue_count && !t.suite->from_scratch; i++) {
            t.cue = cues[i];
            MMC_TRY(add_at_cue(x, &t));
        }
    }
    return MMC_OK;
}

/* `arch` NULL: a suite without network. */
static mmc_status add_suite_on(mmc_expansion *x, const mmc_suite *suite, const char *arch, const char *dataset) {
    mmc_plan_target t = {.suite = suite, .seed = x->settings->seed};
    if (arch)
        MMC_TRY(mmc_arch_parse(&t.arch, arch));
    mmc_status status = dataset_open(&t.dataset, x, dataset);
    if (status == MMC_ERR_MISSING)
        return add_absent(x, suite, suite->name, arch, dataset, mmc_error_message());
    if (status != MMC_OK)
        return status;
    if (suite->kind == MMC_SUITE_SHEET)
        return mmc_plan_add_sheet(x, &t);
    if (x->plan->item_count == MMC_PLAN_ITEMS_MAX)
        return mmc_fail(MMC_ERR_USAGE, "more than %d suites at once; give fewer suites", MMC_PLAN_ITEMS_MAX);
    x->plan->items[x->plan->item_count++] = (mmc_plan_item){suite, mmc_arch_name(t.arch), mmc_dataset_name(t.dataset)};
    return add_networks(x, t);
}

/* For each of the suite's networks, or the one that was asked for in their place. */
static mmc_status add_suite_dataset(mmc_expansion *x, const mmc_suite *suite, const char *dataset) {
    if (!suite->archs[0] || x->settings->arch)
        return add_suite_on(x, suite, suite->archs[0] ? x->settings->arch : NULL, dataset);
    for (const char *const *arch = suite->archs; *arch; arch++)
        MMC_TRY(add_suite_on(x, suite, *arch, dataset));
    return MMC_OK;
}

static mmc_status add_suite(mmc_expansion *x, const mmc_suite *suite) {
    if (mmc_suite_small(suite))
        return mmc_plan_add_small(x, suite);
    if (x->settings->dataset)
        return add_suite_dataset(x, suite, x->settings->dataset);
    for (const char *const *d = suite->datasets; *d; d++)
        if (dataset_wanted(suite, &x->settings->scale, *d))
            MMC_TRY(add_suite_dataset(x, suite, *d));
    return MMC_OK;
}

mmc_status mmc_plan_expand(mmc_plan *plan, const mmc_plan_settings *settings, const mmc_backend *be,
                           mmc_run_data *data) {
    mmc_expansion x = {.plan = plan, .settings = settings, .data = data};
    mmc_status status = MMC_OK;
    MMC_GOTO(cleanup, mmc_plan_filters_open(&x));
    for (int i = 0; i < settings->suite_count; i++)
        MMC_GOTO(cleanup, add_suite(&x, settings->suites[i]));
    if (plan->count == 0 && settings->filter_count && plan->item_count)
        MMC_GOTO(cleanup, mmc_fail(MMC_ERR_USAGE, "--filter leaves no job; --dry-run without it shows the labels"));
    MMC_GOTO(cleanup, mmc_plan_keys(plan, &settings->scale, be, data));
cleanup:
    mmc_plan_filters_close(&x);
    return status;
}

void mmc_plan_close(mmc_plan *plan) {
    for (int i = 0; i < plan->count; i++)
        free(plan->jobs[i].config);
    free(plan->jobs);
    *plan = (mmc_plan){0};
}
