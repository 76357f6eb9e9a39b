#include "suites/cost.h"

#include "runtime/point.h"

#include "suites/small.h"

#include <math.h>

static double bn_images(const mmc_path_config *c, const mmc_split *train) {
    double images = c->bn_images && c->bn_images < train->count ? c->bn_images : train->count;
    return c->bn == MMC_BN_MOMENTUM ? fmin(images, (double)MMC_BN_MOMENTUM_BATCHES * c->bn_batch) : images;
}

static double dataset_bytes(const mmc_dataset *d) {
    double bytes = 0;
    const mmc_split *const splits[] = {&d->train, &d->test};
    for (int i = 0; i < 2; i++)
        bytes +=
            ((double)splits[i]->count * splits[i]->channels + splits[i]->top_count) * MMC_IMAGE_SIDE * MMC_IMAGE_SIDE;
    return bytes;
}

static void count_paths(mmc_job_cost *out, const mmc_job *job, const mmc_scale *scale, const mmc_dataset *d) {
    const mmc_path_config c = mmc_job_path_config(job, scale);
    const double train = c.train_images && c.train_images < d->train.count ? c.train_images : d->train.count;
    const double samples = (job->test ? d->test.count : 0) + (job->train ? train : 0);
    const double points = job->curve_count * (c.points - 2) + 2; /* the ends are shared */
    out->images[MMC_PASS_BN] = points * bn_images(&c, &d->train);
    out->images[MMC_PASS_EVAL] = points * MMC_SET_COUNT * samples;
}

static mmc_status count_training(mmc_job_cost *out, const mmc_job *job, const mmc_scale *scale, const mmc_dataset *d) {
    mmc_train_config t;
    MMC_TRY(mmc_job_train_config(&t, job, scale));
    out->images[MMC_PASS_TRAIN] = (double)t.epochs * (d->train.count - (job->pretrain ? scale->methods.clean : 0));
    out->images[MMC_PASS_EVAL] = t.curves ? 2.0 * t.epochs * d->test.count : 0;
    return MMC_OK;
}

/* The body is frozen while a new linear layer is trained: its features are computed once. */
static mmc_status count_method(mmc_job_cost *out, const mmc_job *job, const mmc_scale *scale) {
    mmc_finetune_config c;
    const double clean = scale->methods.clean;
    MMC_TRY(mmc_job_finetune_config(&c, job, scale));
    double networks = 1; /* that an image of an epoch goes through, forwards and back */
    if (c.method == MMC_METHOD_LPFT)
        networks = MMC_LPFT_RATES;
    else if (mmc_method_is_cbft(c.method))
        networks = c.method == MMC_METHOD_CBFT ? 3 : 2;
    out->images[MMC_PASS_TRAIN] = networks * c.epochs * clean;
    out->images[MMC_PASS_EVAL] = mmc_method_has_head(c.method) ? clean : 0;
    return MMC_OK;
}

/* Images of each pass, and how many states are in memory at once. */
static mmc_status count_images(mmc_job_cost *out, int *states, const mmc_job *job, const mmc_scale *scale,
                               const mmc_dataset *d) {
    switch (job->kind) {
    case MMC_JOB_PATHS:
        *states = 5;
        count_paths(out, job, scale, d);
        return MMC_OK;
    case MMC_JOB_MATCH:
        *states = 4;
        out->images[MMC_PASS_EVAL] = 2.0 * d->train.count; /* both networks; the correlations are a few per cent more */
        return MMC_OK;
    case MMC_JOB_EVALUATE:
        *states = 1;
        out->images[MMC_PASS_EVAL] =
            MMC_SET_COUNT * ((double)(job->test ? d->test.count : 0) + (job->train ? d->train.count : 0));
        return MMC_OK;
    case MMC_JOB_FINETUNE:
        *states = 5;
        return count_method(out, job, scale);
    default:
        *states = job->kind == MMC_JOB_MIDPOINT ? 6 : 4;
        return count_training(out, job, scale, d);
    }
}

/* Jobs of the small model: a step is four products of samples, inputs and units, an evaluation two. */
static void count_small(mmc_job_cost *out, const mmc_job *job, const mmc_scale *scale) {
    const mmc_small_config c = mmc_small_job_config(job, scale);
    mmc_small_model models[MMC_SMALL_MODELS];
    const double each = mmc_small_job_models(models, job, 0), seeds = job->seeds;
    const double product = (double)mmc_small_weights(&c);
    if (job->kind == MMC_JOB_SMALL_TRAIN) {
        out->images[MMC_PASS_TRAIN] = seeds * each * c.epochs * c.train;
    } else if (job->kind == MMC_JOB_SMALL_TABLE) {
        out->images[MMC_PASS_EVAL] = seeds * each * 3 * c.test;
    } else if (job->kind == MMC_JOB_SMALL_PATHS) {
        out->images[MMC_PASS_EVAL] = seeds * MMC_SMALL_PAIRS * 2.0 * (scale->points * c.test + c.train);
        out->flop = seeds * MMC_SMALL_PAIRS * 2.0 * c.train * c.hidden * c.hidden; /* correlations */
    }
    out->flop += product * (4 * out->images[MMC_PASS_TRAIN] + 2 * out->images[MMC_PASS_EVAL]);
    for (int i = 0; i < MMC_ROOFLINE_DEVICES; i++)
        out->roofline_s[i] = out->flop / mmc_roofline_devices()[i].peaks.flop_per_s;
    out->memory_bytes = 4.0 * (each * seeds * (c.train * (c.inputs + 2.0) + 3 * product));
}

mmc_status mmc_job_cost_count(mmc_job_cost *out, const mmc_job *job, const mmc_scale *scale, const mmc_run_data *data) {
    const mmc_dataset *d = &data->sets[job->dataset];
    *out = (mmc_job_cost){0};
    if (mmc_job_small(job)) {
        count_small(out, job, scale);
        return MMC_OK;
    }
    out->memory_bytes = dataset_bytes(d);
    if (job->kind == MMC_JOB_SHEET)
        return MMC_OK;
    const mmc_model_spec spec = mmc_job_model_spec(job, scale);
    mmc_model *model;
    int states;
    MMC_TRY(count_images(out, &states, job, scale, d));
    MMC_TRY(mmc_model_create(&model, &spec));
    for (int p = 0; p < MMC_PASS_COUNT; p++) {
        out->flop += out->images[p] * mmc_roofline_image_flop(model, (mmc_pass)p);
        out->bytes += out->images[p] * mmc_roofline_image_bytes(model, (mmc_pass)p);
        for (int i = 0; i < MMC_ROOFLINE_DEVICES; i++)
            out->roofline_s[i] += out->images[p] * mmc_roofline_image_s(&mmc_roofline_devices()[i], model, (mmc_pass)p);
    }
    out->memory_bytes += 4.0 * states * (double)model->state_count;
    mmc_model_free(model);
    return MMC_OK;
}
