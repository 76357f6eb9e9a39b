/* Expansion of a plan: the jobs of one suite for one network, data set and seed, each added once (suites/plan.h).
 *
 *     MMC_TRY(mmc_plan_add_pairs(x, &target));          plan_networks.c: paths, bends, matchings, trainings
 *     MMC_TRY(mmc_plan_add_methods(x, &target));        plan_methods.c: fine-tuning methods
 */
#ifndef MMC_SUITES_PLAN_JOBS_H
#define MMC_SUITES_PLAN_JOBS_H

#include "suites/plan.h"

#include <regex.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_PLAN_FILTERS_MAX = 32 };

/* An expansion in progress. */
typedef struct mmc_expansion {
    mmc_plan *plan;
    const mmc_plan_settings *settings;
    mmc_run_data *data;
    regex_t filters[MMC_PLAN_FILTERS_MAX];
    bool exclude[MMC_PLAN_FILTERS_MAX];
    size_t filter_count;
} mmc_expansion;

/* What one suite asks for on one data set. */
typedef struct mmc_plan_target {
    const mmc_suite *suite;
    mmc_arch arch;
    mmc_dataset_kind dataset;
    double cue;
    uint64_t seed;
} mmc_plan_target;

mmc_status mmc_plan_filters_open(mmc_expansion *x);
void mmc_plan_filters_close(mmc_expansion *x);

/* A job of this target without inputs. `variant` as in mmc_job. */
mmc_job mmc_plan_job(const mmc_expansion *x, const mmc_plan_target *t, mmc_job_kind kind, double cue,
                     const char *variant);

/* Whether the filters let a job pass that a suite asks for; jobs that others need are not asked. */
bool mmc_plan_wants(const mmc_expansion *x, const mmc_job *job);

/* Adds a job, or finds the one that another suite asked for and gives it the curves and splits that it lacks.
 * Errors: MMC_ERR_MEMORY, MMC_ERR_RANGE (more curves than a job holds). */
mmc_status mmc_plan_add(int *index, mmc_expansion *x, const mmc_job *job);

/* Learning curves: the training of theta_NC (`cue` 0) or theta_C. */
mmc_status mmc_plan_add_learning_curve(mmc_expansion *x, const mmc_plan_target *t, double cue);

/* The suite's curves at the target's cue, from theta_C to each of their ends. */
mmc_status mmc_plan_add_pairs(mmc_expansion *x, const mmc_plan_target *t);

/* The suite's methods at the target's cue (0: from scratch), and their evaluation. */
mmc_status mmc_plan_add_methods(mmc_expansion *x, const mmc_plan_target *t);

/* A picture of samples. */
mmc_status mmc_plan_add_sheet(mmc_expansion *x, const mmc_plan_target *t);

#ifdef __cplusplus
}
#endif
#endif
