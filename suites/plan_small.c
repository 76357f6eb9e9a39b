/* Jobs of the small model: one training of all seeds, which the table and the paths read. */
#include "suites/plan_jobs.h"
#include "suites/small.h"

static mmc_job job_of(const mmc_expansion *x, const mmc_suite *suite, mmc_job_kind kind, const char *variant) {
    const mmc_plan_target t = {.suite = suite, .seed = x->settings->seed};
    mmc_job job = mmc_plan_job(x, &t, kind, 0, variant);
    job.test = true;
    return job;
}

/* A job that reads a training's models. */
static mmc_status add_reader(mmc_expansion *x, const mmc_suite *suite, mmc_job_kind kind, const char *variant,
                             int seeds) {
    mmc_job job = job_of(x, suite, kind, variant), train = job_of(x, suite, MMC_JOB_SMALL_TRAIN, variant);
    int index;
    if (!mmc_plan_wants(x, &job))
        return MMC_OK;
    job.seeds = train.seeds = seeds;
    MMC_TRY(mmc_plan_add(&job.from, x, &train));
    return mmc_plan_add(&index, x, &job);
}

mmc_status mmc_plan_add_small(mmc_expansion *x, const mmc_suite *suite) {
    const mmc_scale *scale = &x->settings->scale;
    int index;
    if (x->plan->item_count == MMC_PLAN_ITEMS_MAX)
        return mmc_fail(MMC_ERR_USAGE, "more than %d suites at once; give fewer suites", MMC_PLAN_ITEMS_MAX);
    x->plan->items[x->plan->item_count++] = (mmc_plan_item){suite, MMC_SMALL_ARCH, MMC_SMALL_DATASET};
    if (suite->kind == MMC_SUITE_SMALL_MAP) {
        const mmc_job job = job_of(x, suite, MMC_JOB_SMALL_MAP, "");
        return mmc_plan_wants(x, &job) ? mmc_plan_add(&index, x, &job) : MMC_OK;
    }
    if (suite->kind == MMC_SUITE_SMALL_PATHS)
        return add_reader(x, suite, MMC_JOB_SMALL_PATHS, "", scale->small_seeds);
    MMC_TRY(add_reader(x, suite, MMC_JOB_SMALL_TABLE, "", scale->small_seeds));
    /* what the paper's literal form reaches, by one model: that it cannot do more needs no statistics */
    return scale->small.output == MMC_SMALL_ONES ? MMC_OK
                                                 : add_reader(x, suite, MMC_JOB_SMALL_TABLE, MMC_SMALL_LITERAL, 1);
}
