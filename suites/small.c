#include "suites/small.h"

#include "runtime/clock.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const mmc_small_model mmc_small_models[MMC_SMALL_MODELS] = {
    {.predictive = MMC_SMALL_K0},
    {.predictive = MMC_SMALL_K4},
    {.predictive = MMC_SMALL_BOTH},
    {.predictive = MMC_SMALL_K0, .variant = 1},
    {.predictive = MMC_SMALL_K4, .variant = 1},
};

const struct mmc_small_pair mmc_small_pairs[MMC_SMALL_PAIRS] = {
    {.from = 0, .to = 3, .like = true},
    {.from = 1, .to = 4, .like = true},
    {.from = 0, .to = 1},
    {.from = 0, .to = 2, .like = true},
    {.from = 1, .to = 2},
};

void mmc_small_pair_name(char *out, int pair) {
    char from[8], to[8];
    mmc_small_model_name(from, &mmc_small_models[mmc_small_pairs[pair].from]);
    mmc_small_model_name(to, &mmc_small_models[mmc_small_pairs[pair].to]);
    snprintf(out, 16, "%s-%s", from, to);
}

const char *mmc_small_set_name(unsigned predictive) {
    return predictive == MMC_SMALL_BOTH ? "D04" : predictive == MMC_SMALL_K4 ? "D4" : "D0";
}

mmc_small_config mmc_small_job_config(const mmc_job *job, const mmc_scale *scale) {
    mmc_small_config c = scale->small;
    if (strcmp(job->variant, MMC_SMALL_LITERAL) == 0)
        c.output = MMC_SMALL_ONES;
    return c;
}

int mmc_small_job_models(mmc_small_model out[MMC_SMALL_MODELS], const mmc_job *job, uint64_t seed) {
    const bool literal = strcmp(job->variant, MMC_SMALL_LITERAL) == 0;
    int count = 0;
    for (int m = 0; m < MMC_SMALL_MODELS; m++)
        if (!literal || (mmc_small_models[m].predictive == MMC_SMALL_K4 && !mmc_small_models[m].variant)) {
            out[count] = mmc_small_models[m];
            out[count++].seed = seed;
        }
    return count;
}

/* Whether the job runs models, so that its values depend on the machine and not on the seed alone. */
static bool runs_models(const mmc_job *job) {
    return job->kind != MMC_JOB_SMALL_MAP;
}

mmc_status mmc_small_job_configure(mmc_job *job, const mmc_plan *plan, const mmc_scale *scale, const mmc_backend *be) {
    const mmc_small_config c = mmc_small_job_config(job, scale);
    json_t *config = json_pack("{s:i,s:s,s:s,s:s,s:I,s:i,s:i,s:f,s:i}", "schema", MMC_JOB_SCHEMA, "kind",
                               mmc_job_kind_name(job->kind), "dataset", MMC_SMALL_DATASET, "variant", job->variant,
                               "seed", (json_int_t)job->seed, "seeds", job->seeds, "inputs", c.inputs, "margin",
                               c.margin, "test", (int)c.test);
    json_t *models =
        json_pack("{s:i,s:i,s:s,s:s,s:f,s:f,s:i,s:i,s:f,s:f,s:s,s:s,s:s,s:s}", "hidden", c.hidden, "train",
                  (int)c.train, "output", mmc_small_output_name(c.output), "loss", mmc_small_loss_name(c.loss), "bias",
                  c.bias, "start", c.start, "epochs", c.epochs, "batch", c.batch, "lr", c.lr, "momentum", c.momentum,
                  "arch", MMC_SMALL_ARCH, "backend", be->name, "provider", be->provider, "precision", be->precision);
    bool good = config && models;
    if (good && runs_models(job))
        good = json_object_update(config, models) == 0;
    if (good && job->kind == MMC_JOB_SMALL_PATHS)
        good = json_object_set_new(config, "points", json_integer(scale->points)) == 0;
    if (good && job->from >= 0)
        good = json_object_set_new(config, "from", json_string(plan->jobs[job->from].key)) == 0;
    job->config = good ? json_dumps(config, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    json_decref(config);
    json_decref(models);
    if (!job->config)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory while describing %s", job->label);
    return mmc_run_digest(job->key, job->config);
}

void mmc_small_config_text(char *out, size_t size, const mmc_small_config *c, int seeds) {
    char output[64] = "all 1, no bias";
    if (c->output == MMC_SMALL_PM1)
        snprintf(output, sizeof output, "+1 and -1, bias input %g", c->bias);
    snprintf(out, size,
             "%d inputs, %d hidden units, output weights %s, initial weights up to %g, margin %g, %d train and %d test "
             "samples, %s, %d epochs, batch %d, lr %g cosine, momentum %g, %d seed%s",
             c->inputs, c->hidden, output, c->start, c->margin, (int)c->train, (int)c->test,
             c->loss == MMC_MLP_LOGISTIC ? "cross entropy" : "half the mean squared error", c->epochs, c->batch, c->lr,
             c->momentum, seeds, seeds == 1 ? "" : "s");
}

mmc_status mmc_small_rate(double *flop_per_s, mmc_backend *be, const mmc_small_config *config) {
    enum { STEPS = 40, TRIES = 3 };
    mmc_small_config c = *config;
    mmc_small_state state;
    mmc_status status = MMC_OK;
    double best_s = INFINITY;
    c.train = STEPS * c.batch < c.train ? STEPS * c.batch : c.train;
    c.epochs = TRIES;
    MMC_TRY(mmc_small_state_open(&state, &c, mmc_small_models, MMC_SMALL_MODELS));
    for (int i = 0; status == MMC_OK && i < TRIES; i++) {
        c.epochs = i + 1;
        const double start_s = mmc_clock_s();
        status = mmc_small_train(&state, be, &c, mmc_small_models, NULL);
        best_s = fmin(best_s, mmc_clock_s() - start_s);
    }
    mmc_small_state_close(&state);
    *flop_per_s = 4.0 * MMC_SMALL_MODELS * c.train * (double)mmc_small_weights(&c) / fmax(best_s, 1e-9);
    return status;
}
