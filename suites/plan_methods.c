/* Jobs of Tables 1, 3 and 4: pre-training, the methods on its clean samples, their evaluation. */
#include "suites/plan_jobs.h"

#include <string.h>

enum { PRETRAINED_SEED_OFFSET = 3000, METHOD_SEED_OFFSET = 4000 };

static mmc_status add_pretrained(int *index, mmc_expansion *x, const mmc_plan_target *t) {
    mmc_job job = mmc_plan_job(x, t, MMC_JOB_TRAIN, t->cue, MMC_PRETRAINED);
    job.training_seed += PRETRAINED_SEED_OFFSET;
    job.pretrain = true;
    return mmc_plan_add(index, x, &job);
}

static mmc_status add_method(mmc_expansion *x, const mmc_plan_target *t, const char *method) {
    mmc_job evaluate = mmc_plan_job(x, t, MMC_JOB_EVALUATE, t->cue, method);
    int index;
    if (!mmc_plan_wants(x, &evaluate))
        return MMC_OK;
    if (strcmp(method, MMC_PRETRAINED) == 0) {
        MMC_TRY(add_pretrained(&evaluate.from, x, t));
    } else {
        mmc_job tune = mmc_plan_job(x, t, MMC_JOB_FINETUNE, t->cue, method);
        tune.training_seed += METHOD_SEED_OFFSET;
        if (!t->suite->from_scratch)
            MMC_TRY(add_pretrained(&tune.from, x, t));
        MMC_TRY(mmc_plan_add(&evaluate.from, x, &tune));
    }
    evaluate.test = t->suite->test;
    evaluate.train = t->suite->train;
    return mmc_plan_add(&index, x, &evaluate);
}

mmc_status mmc_plan_add_methods(mmc_expansion *x, const mmc_plan_target *t) {
    for (const char *const *method = t->suite->methods; *method; method++)
        MMC_TRY(add_method(x, t, *method));
    return MMC_OK;
}
