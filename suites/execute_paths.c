#include "suites/execute.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The checkpoints of one pair. */
typedef struct pair {
    mmc_checkpoint from, to; /* at t = 0 and t = 1 */
    mmc_checkpoint permuted; /* `from` matched to `to`, where a curve wants it */
    mmc_path_cache *cache;
} pair;

/* --- rows --------------------------------------------------------------------------------------------------------- */

static mmc_record row_new(const mmc_execution *x, const mmc_job *job, const char *item, const char *metric,
                          double value, const char *unit) {
    mmc_record r = mmc_rows_new(x->rows, job);
    r.item = item;
    r.metric = metric;
    r.value = value;
    r.unit = unit;
    if (!isfinite(value))
        r.reason = "the value is not finite";
    return r;
}

static const char *split_name(mmc_split_kind split) {
    return split == MMC_SPLIT_TEST ? "test" : "train";
}

static mmc_status rows_of_points(const mmc_execution *x, const mmc_job *job, const char *item,
                                 const mmc_path_result *result) {
    for (int i = 0; i < result->row_count; i++) {
        const mmc_path_row *row = &result->rows[i];
        for (int k = 0; k < 2; k++) {
            mmc_record r = row_new(x, job, item, k == 0 ? "accuracy" : "loss", k == 0 ? row->accuracy : row->loss,
                                   k == 0 ? "1" : "nat");
            r.t = row->t;
            r.set = mmc_set_letter(row->set);
            r.split = split_name(row->split);
            r.n = row->n;
            MMC_TRY(mmc_rows_append(x->rows, &r));
        }
    }
    return MMC_OK;
}

static mmc_status rows_of_summary(const mmc_execution *x, const mmc_job *job, const char *item,
                                  const mmc_path_result *result) {
    for (int split = 0; split < 2; split++) {
        if (split == MMC_SPLIT_TEST ? !job->test : !job->train)
            continue;
        for (int set = 0; set < MMC_SET_COUNT; set++) {
            mmc_path_summary s = mmc_path_summarise(result, (mmc_set)set, (mmc_split_kind)split);
            for (int k = 0; k < 2; k++) {
                mmc_record r =
                    row_new(x, job, item, k == 0 ? "barrier" : "dip", k == 0 ? s.barrier : s.dip, k == 0 ? "nat" : "1");
                r.set = mmc_set_letter((mmc_set)set);
                r.split = split_name((mmc_split_kind)split);
                MMC_TRY(mmc_rows_append(x->rows, &r));
            }
        }
    }
    return MMC_OK;
}

/* Speed, and how much less was run than the procedure defines: two different things, two rows. */
static mmc_status rows_of_speed(const mmc_execution *x, const mmc_job *job, const char *item,
                                const mmc_path_result *result, const mmc_model *model) {
    mmc_record defined = row_new(x, job, item, "image_forwards_defined", (double)result->image_forwards_defined, "1");
    MMC_TRY(mmc_rows_append(x->rows, &defined));
    mmc_record skipped = row_new(x, job, item, "bn_batches_skipped", result->bn_batches_skipped, "1");
    MMC_TRY(mmc_rows_append(x->rows, &skipped));
    if (!(result->wall_s > 0))
        return MMC_OK;
    mmc_record r = row_new(x, job, item, "images_per_s", (double)result->image_forwards / result->wall_s, "1/s");
    r.samples = &result->wall_s;
    r.sample_count = 1;
    r.median = r.min = result->wall_s;
    r.iqr = 0;
    r.image_forwards = (double)result->image_forwards;
    r.flop = mmc_model_flop(model) * r.image_forwards;
    return mmc_rows_append(x->rows, &r);
}

/* --- one curve ---------------------------------------------------------------------------------------------------- */

/* Speed rows come last: where they are, the curve is whole. */
bool mmc_curve_measured(const mmc_execution *x, const mmc_job *job, const char *item) {
    mmc_record r = row_new(x, job, item, "images_per_s", 0, NULL);
    return mmc_rows_has(x->rows, &r);
}

static mmc_status curve_evaluate(const mmc_execution *x, const mmc_job *job, int index, const pair *p) {
    const mmc_suite_curve *asked = job->curves[index];
    mmc_checkpoint bend = {0};
    mmc_path_result result = {0};
    mmc_curve curve = {.kind = asked->kind};
    mmc_progress_relay relay = {.request = x->request, .job = job};
    const mmc_path_hooks hooks = {.progress = mmc_progress_relayed(&relay)};
    mmc_path_config config = mmc_job_path_config(job, x->scale);
    mmc_status status = MMC_OK;

    config.more = x->more;
    config.more_count = x->more_count;
    curve.point[curve.count++] = asked->permuted ? p->permuted.state : p->from.state;
    if (job->bend[index] >= 0) {
        MMC_GOTO(cleanup, mmc_job_model_read(&bend, x, job->bend[index]));
        if (bend.bends != 1)
            MMC_GOTO(cleanup, mmc_fail(MMC_ERR_MISMATCH, "artifact %s holds %d bends, one is needed; remove its folder",
                                       x->plan->jobs[job->bend[index]].key, bend.bends));
        curve.point[curve.count++] = bend.bend[0];
    }
    curve.point[curve.count++] = p->to.state;
    MMC_GOTO(cleanup, mmc_path_evaluate(&result, x->be, p->from.model, &x->data->sets[job->dataset], &curve, &config,
                                        p->cache, &hooks));
    MMC_GOTO(cleanup, rows_of_points(x, job, asked->item, &result));
    MMC_GOTO(cleanup, rows_of_summary(x, job, asked->item, &result));
    MMC_GOTO(cleanup, rows_of_speed(x, job, asked->item, &result, p->from.model));
cleanup:
    mmc_path_result_close(&result);
    mmc_checkpoint_close(&bend);
    return status;
}

/* A curve that lacks an input has a row that says so; the others are measured all the same. */
static mmc_status curve_without(const mmc_execution *x, const mmc_job *job, const char *item, const mmc_job *input) {
    char reason[sizeof input->reason + 64];
    snprintf(reason, sizeof reason, "%s: %s",
             input->kind == MMC_JOB_MATCH ? "theta_C could not be matched" : "its bend could not be trained",
             input->reason);
    mmc_record r = row_new(x, job, item, "accuracy", NAN, NULL);
    r.reason = reason;
    MMC_TRY(mmc_rows_append(x->rows, &r));
    return mmc_fail(MMC_ERR_WRONG, "%s: %s", item, reason);
}

mmc_status mmc_job_execute_paths(const mmc_execution *x, const mmc_job *job) {
    pair p = {0};
    mmc_status status = MMC_OK, failed = MMC_OK;
    char message[1024] = "";
    MMC_GOTO(cleanup, mmc_job_model_read(&p.from, x, job->from));
    MMC_GOTO(cleanup, mmc_job_model_read(&p.to, x, job->to));
    MMC_GOTO(cleanup, mmc_path_cache_create(&p.cache));
    for (int i = 0; i < job->curve_count; i++) {
        const char *item = job->curves[i]->item;
        const int from = job->curves[i]->permuted ? job->match : job->bend[i];
        const mmc_job *input = from >= 0 ? &x->plan->jobs[from] : NULL;
        if (mmc_curve_measured(x, job, item))
            continue;
        if (input && input->state == MMC_JOB_FAILED) {
            status = curve_without(x, job, item, input);
        } else {
            status = job->curves[i]->permuted && !p.permuted.state ? mmc_job_model_read(&p.permuted, x, from) : MMC_OK;
            if (status == MMC_OK)
                status = curve_evaluate(x, job, i, &p);
        }
        if (status == MMC_ERR_INTERRUPTED)
            goto cleanup;
        if (status != MMC_OK) {
            failed = status;
            snprintf(message, sizeof message, "%s", mmc_error_message());
        }
    }
    status = failed == MMC_OK ? MMC_OK : mmc_fail(failed, "%s", message);
cleanup:
    mmc_path_cache_free(p.cache);
    mmc_checkpoint_close(&p.from);
    mmc_checkpoint_close(&p.to);
    mmc_checkpoint_close(&p.permuted);
    return status;
}
