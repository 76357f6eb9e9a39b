/* Losses of the small models under interventions (Table 5), and the attribute maps (Figure 12). */
#include "suites/execute_small.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --- Table 5 -------------------------------------------------------------------------------------------------------
 */

static const unsigned sets[] = {MMC_SMALL_BOTH, MMC_SMALL_K0, MMC_SMALL_K4};
enum { SETS = sizeof sets / sizeof *sets };

static mmc_status score_rows(const mmc_execution *x, const mmc_job *job, mmc_small_row *row, const mmc_small_score *s) {
    row->metric = "accuracy";
    row->value = s->accuracy;
    MMC_TRY(mmc_small_row_write(x, job, row));
    row->metric = "loss";
    row->value = s->loss;
    return mmc_small_row_write(x, job, row);
}

/* One seed's models w on each set of test data. */
static mmc_status table_seed(const mmc_execution *x, const mmc_job *job, int seed, const float *w) {
    const mmc_small_config c = mmc_small_job_config(job, x->scale);
    mmc_small_model models[MMC_SMALL_MODELS];
    const int count = mmc_small_job_models(models, job, job->seed + (uint64_t)seed);
    mmc_small_score score[SETS][MMC_SMALL_MODELS];
    for (int k = 0; k < SETS; k++) {
        mmc_small_data data;
        MMC_TRY(mmc_small_data_draw(&data, c.test, c.inputs, c.margin, job->seed + (uint64_t)seed, MMC_SMALL_TEST,
                                    sets[k]));
        mmc_status status = mmc_small_evaluate(score[k], x->be, &c, w, count, &data, NULL);
        mmc_small_data_close(&data);
        MMC_TRY(status);
    }
    for (int m = 0; m < count; m++) {
        mmc_small_row row = {.seed = seed, .t = NAN, .n = c.test};
        mmc_small_model_name(row.item, &models[m]);
        for (int k = 0; k < SETS; k++) {
            row.set = mmc_small_set_name(sets[k]);
            MMC_TRY(score_rows(x, job, &row, &score[k][m]));
            if (k == 0)
                continue;
            row.metric = "loss_difference";
            row.value = fabs(score[0][m].loss - score[k][m].loss);
            MMC_TRY(mmc_small_row_write(x, job, &row));
        }
    }
    return MMC_OK;
}

mmc_status mmc_job_execute_small_table(const mmc_execution *x, const mmc_job *job) {
    const mmc_small_config c = mmc_small_job_config(job, x->scale);
    mmc_small_model models[MMC_SMALL_MODELS];
    const size_t each = (size_t)mmc_small_job_models(models, job, 0) * mmc_small_weights(&c);
    float *w;
    MMC_TRY(mmc_small_models_read(&w, x, job));
    mmc_status status = MMC_OK;
    for (int s = 0; status == MMC_OK && s < job->seeds; s++)
        status = table_seed(x, job, s, w + (size_t)s * each);
    free(w);
    return status;
}

/* --- Figure 12 -------------------------------------------------------------------------------------------------------
 */

/* Bins of the coordinate in units of sqrt(3/D), over [-1, 1]; the stream of an attribute's draws lies above those of
 * data sets. */
enum { BINS = 80, MAP_STREAM = 1000 };

static mmc_status map_of(const mmc_execution *x, const mmc_job *job, int k, int z) {
    const mmc_small_config c = mmc_small_job_config(job, x->scale);
    int64_t count[BINS] = {0};
    for (int32_t i = 0; i < c.test; i++) {
        const mmc_rng_block b =
            mmc_rng_words(job->seed, MMC_RNG_SMALL_LATENT, (uint32_t)(MAP_STREAM + 2 * k + z), (uint64_t)i);
        const double value = mmc_small_attribute(k, mmc_small_latent(k, z, b.v[0]), (double)mmc_rng_uniform(b.v[1]), 3,
                                                 c.margin); /* three inputs: the unit is 1 */
        const int bin = (int)((value + 1) / 2 * BINS);
        count[bin < BINS ? bin : BINS - 1]++;
    }
    for (int i = 0; i < BINS; i++) {
        mmc_small_row row = {.set = z ? "y=1" : "y=0",
                             .metric = "density",
                             .t = -1 + (2 * i + 1) / (double)BINS,
                             .value = (double)count[i] / c.test * BINS / 2,
                             .n = c.test};
        snprintf(row.item, sizeof row.item, "K=%d", k);
        if (count[i])
            MMC_TRY(mmc_small_row_write(x, job, &row));
    }
    return MMC_OK;
}

mmc_status mmc_job_execute_small_map(const mmc_execution *x, const mmc_job *job) {
    for (int k = 0; k <= 6; k += 2)
        for (int z = 0; z < 2; z++)
            MMC_TRY(map_of(x, job, k, z));
    return MMC_OK;
}
