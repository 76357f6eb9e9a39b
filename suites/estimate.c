#define _POSIX_C_SOURCE 200809L
#include "suites/estimate.h"

#include "suites/cost.h"
#include "suites/rates.h"
#include "suites/small.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static bool artifact_done(const char *directory, const char *key) {
    char path[4096];
    snprintf(path, sizeof path, "%s/artifacts/%s/done", directory, key);
    return access(path, F_OK) == 0;
}

static void total_add(mmc_run_plan_total *total, const mmc_run_plan_row *row) {
    total->images += row->images;
    total->flop += row->flop;
    total->bytes += row->bytes;
    total->time_s += row->time_s;
    total->memory_bytes = fmax(total->memory_bytes, row->memory_bytes);
    for (int i = 0; i < MMC_ROOFLINE_DEVICES; i++)
        total->roofline_s[i] += row->roofline_s[i];
}

static mmc_status row_of_job(mmc_run_plan_row *row, mmc_run_plan_total *total, const mmc_job *job,
                             const mmc_scale *scale, const mmc_run_data *data, mmc_backend *be, mmc_rates *rates) {
    mmc_job_cost cost;
    mmc_rate rate;
    MMC_TRY(mmc_job_cost_count(&cost, job, scale, data));
    for (int p = 0; p < MMC_PASS_COUNT; p++)
        row->images += cost.images[p];
    row->flop = cost.flop;
    row->bytes = cost.bytes;
    row->memory_bytes = cost.memory_bytes;
    for (int i = 0; i < MMC_ROOFLINE_DEVICES; i++)
        row->roofline_s[i] = cost.roofline_s[i];
    if (!(cost.flop > 0))
        return MMC_OK;
    if (mmc_job_small(job)) {
        MMC_TRY(mmc_small_rate(&rate.flop_per_s, be, &scale->small));
        rate.source = "measured: a short training of the small model";
    } else {
        const mmc_model_spec spec = mmc_job_model_spec(job, scale);
        MMC_TRY(mmc_rates_of(&rate, rates, &spec));
    }
    row->time_s = cost.flop / rate.flop_per_s;
    if (!total->rate_flops) { /* of the first network; the others' are in their times */
        total->rate_flops = rate.flop_per_s;
        total->rate_source = rate.source;
    }
    return MMC_OK;
}

static void tell_absent(const mmc_plan *plan, const mmc_run_hooks *hooks) {
    for (int i = 0; i < plan->absent_count; i++) {
        const mmc_plan_absent *a = &plan->absent[i];
        const mmc_run_plan_row row = {.suite = a->suite->name,
                                      .job = a->key,
                                      .kind = "none",
                                      .label = a->item,
                                      .state = "skipped",
                                      .reason = a->reason};
        if (hooks->on_plan)
            hooks->on_plan(hooks->user, &row);
    }
}

mmc_status mmc_run_estimate(const mmc_plan *plan, const mmc_plan_settings *settings, mmc_backend *be,
                            const mmc_run_data *data, const char *directory, const char *bench,
                            const mmc_run_hooks *hooks) {
    mmc_status status = MMC_OK;
    mmc_run_plan_total total = {.jobs = plan->count};
    mmc_rates *rates;
    MMC_TRY(mmc_rates_open(&rates, be, bench));
    for (int i = 0; i < plan->count; i++) {
        const mmc_job *job = &plan->jobs[i];
        const bool done = directory && artifact_done(directory, job->key);
        mmc_run_plan_row row = {.suite = job->suite->name,
                                .job = job->key,
                                .kind = mmc_job_kind_name(job->kind),
                                .label = job->label,
                                .state = done ? "done" : "to do"};
        MMC_GOTO(cleanup, row_of_job(&row, &total, job, &settings->scale, data, be, rates));
        total.jobs_done += done;
        if (!done)
            total_add(&total, &row);
        if (hooks->on_plan)
            hooks->on_plan(hooks->user, &row);
    }
    tell_absent(plan, hooks);
    if (!total.rate_flops) {
        total.rate_flops = NAN;
        total.rate_source = "none: no network to run";
    }
    if (hooks->on_plan_total)
        hooks->on_plan_total(hooks->user, &total);
cleanup:
    mmc_rates_close(rates);
    return status;
}
