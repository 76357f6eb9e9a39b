#include "suites/settings.h"

#include "suites/small.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

mmc_run_request mmc_run_request_defaults(void) {
    return (mmc_run_request){.lr = NAN};
}

/* "fig4, fig7, ..." of the suites, or the scales. */
static void names_list(char *out, size_t size, const char *(*name)(size_t), size_t count) {
    size_t used = 0;
    *out = '\0';
    for (size_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", name(i));
}

static const char *suite_name(size_t i) {
    size_t count;
    return mmc_suite_all(&count)[i]->name;
}

static const char *scale_name(size_t i) {
    size_t count;
    return mmc_scale_all(&count)[i]->name;
}

static mmc_status add_suite(mmc_plan_settings *s, const mmc_suite *suite) {
    for (int i = 0; i < s->suite_count; i++)
        if (s->suites[i] == suite)
            return MMC_OK;
    if (s->suite_count == MMC_SCALE_SUITES_MAX)
        return mmc_fail(MMC_ERR_USAGE, "more than %d suites at once; give fewer", MMC_SCALE_SUITES_MAX);
    s->suites[s->suite_count++] = suite;
    return MMC_OK;
}

static mmc_status add_suite_named(mmc_plan_settings *s, const char *name) {
    size_t count;
    const mmc_suite *const *all = mmc_suite_all(&count);
    if (strcmp(name, "all") == 0) {
        for (size_t i = 0; i < count; i++)
            MMC_TRY(add_suite(s, all[i]));
        return MMC_OK;
    }
    const mmc_suite *suite = mmc_suite_find(name);
    if (!suite) {
        char list[512];
        names_list(list, sizeof list, suite_name, count);
        return mmc_fail(MMC_ERR_USAGE, "%s: no suite of this version; there are: %s, all", name, list);
    }
    return add_suite(s, suite);
}

static mmc_status choose_scale(mmc_scale *out, const mmc_run_request *r) {
    const char *name = r->scale ? r->scale : "quick";
    const mmc_scale *scale = r->scale_given ? r->scale_given : mmc_scale_find(name);
    if (!scale) {
        char list[128];
        size_t count;
        mmc_scale_all(&count);
        names_list(list, sizeof list, scale_name, count);
        return mmc_fail(MMC_ERR_USAGE, "--scale %s: there are: %s", name, list);
    }
    *out = *scale;
    return MMC_OK;
}

/* Epochs, batch, rate and steps are those of SPEC 3's one schedule, which theta_NC, theta_C, theta_FT and the
 * pre-trained models share; a fine-tuning figure keeps its rates. */
static mmc_status override_training(mmc_scale *c, const mmc_run_request *r) {
    mmc_scale_training *const trainings[] = {&c->scratch, &c->pretrain, &c->fine_tune};
    mmc_schedule parsed;
    if (r->schedule)
        MMC_TRY(mmc_schedule_parse(&parsed, r->schedule));
    for (int i = 0; i < 3; i++) {
        mmc_scale_training *t = trainings[i];
        t->epochs = r->epochs ? r->epochs : t->epochs;
        t->batch = r->batch ? r->batch : t->batch;
        t->schedule = r->schedule ? r->schedule : t->schedule;
        if (!isnan(r->lr) && t != &c->fine_tune)
            t->lr = r->lr;
    }
    return MMC_OK;
}

static void override_methods(mmc_scale_methods *m, const mmc_run_request *r) {
    if (r->clean)
        m->clean = r->clean;
    m->clean_split_authors |= r->clean_split_authors;
    m->cosine_authors |= r->cosine_authors;
    m->cbft_schedule_authors |= r->cbft_schedule_authors;
    m->barrier_t_authors |= r->barrier_t_authors;
    m->invariance_plain |= r->invariance_plain;
}

static bool same_training(const mmc_scale_training *a, const mmc_scale_training *b) {
    return a->epochs == b->epochs && a->batch == b->batch && a->lr == b->lr &&
           strcmp(a->schedule ? a->schedule : "", b->schedule ? b->schedule : "") == 0;
}

/* Whether what decides the values is the same; the authors' ways are named beside the values instead. */
static bool same_protocol(const mmc_scale *a, const mmc_scale *b) {
    char small[2][400];
    mmc_small_config_text(small[0], sizeof small[0], &a->small, 1);
    mmc_small_config_text(small[1], sizeof small[1], &b->small, 1);
    return strcmp(small[0], small[1]) == 0 && a->width == b->width && same_training(&a->scratch, &b->scratch) &&
           same_training(&a->pretrain, &b->pretrain) && same_training(&a->fine_tune, &b->fine_tune) &&
           a->methods.clean == b->methods.clean && a->points == b->points && a->bn == b->bn &&
           a->bn_batch == b->bn_batch && a->limit_train == b->limit_train && a->limit_test == b->limit_test;
}

static mmc_status override_scale(mmc_scale *c, const mmc_run_request *r) {
    const mmc_scale named = *c;
    if (r->width)
        c->width = r->width;
    MMC_TRY(override_training(c, r));
    override_methods(&c->methods, r);
    if (r->points)
        c->points = r->points;
    if (r->bn_batch)
        c->bn_batch = r->bn_batch;
    if (r->bn)
        MMC_TRY(mmc_bn_parse(&c->bn, r->bn));
    if (r->limit_train)
        c->limit_train = r->limit_train;
    if (r->limit_test)
        c->limit_test = r->limit_test;
    if (r->limit_train || r->limit_test)
        c->other_train = c->other_test = 0; /* what was asked for holds for all data sets */
    for (size_t i = 0; i < r->small_count; i++)
        MMC_TRY(mmc_small_config_set(&c->small, r->small[i]));
    if (r->small_output)
        MMC_TRY(mmc_small_output_parse(&c->small.output, r->small_output));
    MMC_TRY(mmc_small_config_check(&c->small));
    if (c->bn == MMC_BN_STORED)
        return mmc_fail(MMC_ERR_USAGE, "--bn stored: running values of points between two models mean nothing; a run "
                                       "accepts momentum or pooled");
    if (c->width < MMC_WIDTH_MIN || c->width > MMC_WIDTH_MAX)
        return mmc_fail(MMC_ERR_RANGE, "--width %d: give %d to %d", c->width, MMC_WIDTH_MIN, MMC_WIDTH_MAX);
    if (c->points < 2)
        return mmc_fail(MMC_ERR_RANGE, "--points %d: both ends are points; give 2 or more", c->points);
    c->reduced = c->reduced || !same_protocol(c, &named); /* no longer the paper's: not to be set beside it */
    return MMC_OK;
}

static mmc_status choose_cues(mmc_plan_settings *s, const mmc_run_request *r) {
    for (int i = 0; i < r->cue_count && i < MMC_SUITE_CUES_MAX; i++) {
        if (!(r->cues[i] > 0 && r->cues[i] <= 1))
            return mmc_fail(MMC_ERR_RANGE,
                            "--cue %g: a suite compares theta_NC with models trained with cues; give a proportion "
                            "above 0, up to 1",
                            r->cues[i]);
        s->cues[s->cue_count++] = r->cues[i];
    }
    return MMC_OK;
}

mmc_status mmc_run_settings(mmc_plan_settings *out, const mmc_run_request *r) {
    *out = (mmc_plan_settings){.arch = r->arch,
                               .dataset = r->dataset,
                               .seed = r->seed_given ? r->seed : 1,
                               .filters = r->filters,
                               .devices = r->devices > 1 ? r->devices : 1,
                               .filter_count = r->filter_count};
    mmc_arch arch;
    mmc_dataset_kind dataset;
    if (r->arch)
        MMC_TRY(mmc_arch_parse(&arch, r->arch));
    if (r->dataset)
        MMC_TRY(mmc_dataset_parse(&dataset, r->dataset));
    if (r->shard_count && (r->shard < 0 || r->shard >= r->shard_count))
        return mmc_fail(MMC_ERR_RANGE, "--shard %d/%d: the first of n is 0, the last n-1", r->shard, r->shard_count);
    if (out->devices > 1 + MMC_PATH_MORE_MAX)
        return mmc_fail(MMC_ERR_RANGE, "--devices %d: give 1 to %d", r->devices, 1 + MMC_PATH_MORE_MAX);
    MMC_TRY(choose_scale(&out->scale, r));
    MMC_TRY(override_scale(&out->scale, r));
    MMC_TRY(choose_cues(out, r));
    for (size_t i = 0; i < r->suite_count; i++)
        MMC_TRY(add_suite_named(out, r->suites[i]));
    for (const char *const *name = out->scale.suites; r->suite_count == 0 && *name; name++)
        MMC_TRY(add_suite_named(out, *name));
    return MMC_OK;
}
