/* Jobs of the figures: theta_NC, theta_C and theta_FT, and what lies between them. */
#include "suites/plan_jobs.h"

#include <stdio.h>

/* Models differ in the weights that they start from and in the order of their images. */
enum { THETA_C_SEED_OFFSET = 1000, THETA_FT_SEED_OFFSET = 2000 };

static mmc_status add_training(int *index, mmc_expansion *x, const mmc_plan_target *t, double cue) {
    mmc_job job = mmc_plan_job(x, t, MMC_JOB_TRAIN, cue, "");
    if (cue > 0)
        job.training_seed += THETA_C_SEED_OFFSET;
    return mmc_plan_add(index, x, &job);
}

mmc_status mmc_plan_add_learning_curve(mmc_expansion *x, const mmc_plan_target *t, double cue) {
    mmc_job job = mmc_plan_job(x, t, MMC_JOB_TRAIN, cue, "");
    int index;
    return mmc_plan_wants(x, &job) ? add_training(&index, x, t, cue) : MMC_OK;
}

/* "ft-0.01"; "": the pair of theta_C and theta_NC. */
static void pair_name(char out[MMC_VARIANT_MAX], double lr) {
    *out = '\0';
    if (lr > 0)
        snprintf(out, MMC_VARIANT_MAX, "ft-%g", lr);
}

/* The two ends of a pair: theta_C, and theta_NC or theta_FT. */
static mmc_status add_ends(mmc_job *pair, mmc_expansion *x, const mmc_plan_target *t, double lr) {
    MMC_TRY(lr > 0 ? MMC_OK : add_training(&pair->to, x, t, 0));
    MMC_TRY(add_training(&pair->from, x, t, t->cue));
    if (!(lr > 0))
        return MMC_OK;
    mmc_job tuned = mmc_plan_job(x, t, MMC_JOB_TRAIN, t->cue, pair->variant);
    tuned.training_seed += THETA_FT_SEED_OFFSET;
    tuned.from = pair->from;
    tuned.lr = lr;
    return mmc_plan_add(&pair->to, x, &tuned);
}

/* A curve with the job of its bend or of its permuted end. */
static mmc_status add_curve(mmc_job *pair, mmc_expansion *x, const mmc_plan_target *t, const mmc_suite_curve *curve) {
    int bend = -1;
    if (curve->permuted) {
        mmc_job match = mmc_plan_job(x, t, MMC_JOB_MATCH, t->cue, pair->variant);
        match.from = pair->from;
        match.to = pair->to;
        MMC_TRY(mmc_plan_add(&pair->match, x, &match));
    }
    if (curve->kind == MMC_CURVE_QUADRATIC) {
        mmc_job mid = mmc_plan_job(x, t, MMC_JOB_MIDPOINT, t->cue, pair->variant);
        mid.bend_cue = curve->cue;
        mid.from = pair->from;
        mid.to = pair->to;
        MMC_TRY(mmc_plan_add(&bend, x, &mid));
    }
    pair->curves[pair->curve_count] = curve;
    pair->bend[pair->curve_count++] = bend;
    return MMC_OK;
}

static mmc_status add_pair(mmc_expansion *x, const mmc_plan_target *t, double lr) {
    char name[MMC_VARIANT_MAX];
    pair_name(name, lr);
    mmc_job pair = mmc_plan_job(x, t, MMC_JOB_PATHS, t->cue, name);
    int index;
    if (!mmc_plan_wants(x, &pair))
        return MMC_OK;
    MMC_TRY(add_ends(&pair, x, t, lr));
    for (const mmc_suite_curve *c = t->suite->curves; c->item; c++)
        if (c->lr == lr)
            MMC_TRY(add_curve(&pair, x, t, c));
    pair.test = t->suite->test;
    pair.train = t->suite->train;
    return mmc_plan_add(&index, x, &pair);
}

mmc_status mmc_plan_add_pairs(mmc_expansion *x, const mmc_plan_target *t) {
    const mmc_suite_curve *curves = t->suite->curves;
    for (int i = 0; curves[i].item; i++) {
        int first = 0; /* of the curves between these ends */
        while (curves[first].lr != curves[i].lr)
            first++;
        if (first == i)
            MMC_TRY(add_pair(x, t, curves[i].lr));
    }
    return MMC_OK;
}
