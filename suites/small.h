/* What the suites of the small model share: which models are trained, which pairs are connected, and how rows name
 * them. [SPEC 6; Table 5, Figures 12, 13]
 *
 * Rows: arch MMC_SMALL_ARCH, dataset MMC_SMALL_DATASET, width the hidden units, item the name of a model
 * (mmc_small_model_name) or of a pair ("0-4'"; "0-4'-permuted" after matching), set the test data: "D04" where both
 * attributes are predictive, "D0" and "D4" where the latent of the other one is drawn anew.
 */
#ifndef MMC_SUITES_SMALL_H
#define MMC_SUITES_SMALL_H

#include "runtime/small.h"
#include "suites/plan_jobs.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MMC_SMALL_ARCH "mlp"
#define MMC_SMALL_DATASET "attributes"
#define MMC_SMALL_LITERAL "ones" /* variant of the jobs of the paper's literal form */

enum { MMC_SMALL_MODELS = 5, MMC_SMALL_PAIRS = 5 };

/* theta_0, theta_4, theta_{0,4}, theta_0', theta_4'; seed 0. */
extern const mmc_small_model mmc_small_models[MMC_SMALL_MODELS];

/* The pairs of Figure 13, as indices of the models at t = 0 and t = 1. */
extern const struct mmc_small_pair {
    int from, to;
    bool like; /* both rely on the same attribute where both are there */
} mmc_small_pairs[MMC_SMALL_PAIRS];

/* "0-4'"; `out`: 16 bytes. */
void mmc_small_pair_name(char *out, int pair);

/* "D0", "D4", "D04". */
const char *mmc_small_set_name(unsigned predictive);

/* The settings of a job: the scale's, in the literal form where its variant says so. */
mmc_small_config mmc_small_job_config(const mmc_job *job, const mmc_scale *scale);

/* Models that a training job holds for each seed: `models` of them, in the order of mmc_small_models. The literal form
 * is trained on K = 4 alone. Returns how many. */
int mmc_small_job_models(mmc_small_model out[MMC_SMALL_MODELS], const mmc_job *job, uint64_t seed);

/* The jobs of a suite of the small model. Errors: as mmc_plan_expand. */
mmc_status mmc_plan_add_small(mmc_expansion *x, const mmc_suite *suite);

/* Fills config and key (job_config.c). Errors: MMC_ERR_MEMORY. */
mmc_status mmc_small_job_configure(mmc_job *job, const mmc_plan *plan, const mmc_scale *scale, const mmc_backend *be);

/* FLOP a second of a short training of all models of one seed, for the times that a dry run states. */
mmc_status mmc_small_rate(double *flop_per_s, mmc_backend *be, const mmc_small_config *config);

/* The settings in words, for config.json and the report. */
void mmc_small_config_text(char *out, size_t size, const mmc_small_config *config, int seeds);

#ifdef __cplusplus
}
#endif
#endif
