/* The small model: two attributes of known complexity in otherwise random inputs, one hidden layer. [SPEC 6]
 *
 *     f(x) = (1/N) a^T relu(W^T [x, bias])          W is trained by SGD (kernels/mlp.h), a is fixed
 *
 * Attribute K = 0 is linear in its coordinate, K = 4 needs five slabs. A model learns what its training data let it
 * learn: with only one attribute predictive it is theta_0 or theta_4, with both theta_{0,4}. Intervening on an
 * attribute (drawing its latent anew) then shows which one a model relies on.
 *
 *     mmc_small_config config = mmc_small_defaults();
 *     const mmc_small_model model[2] = {{.predictive = MMC_SMALL_K0, .seed = 1}, {.predictive = MMC_SMALL_K4, .seed =
 * 1}}; mmc_small_state state; MMC_TRY(mmc_small_state_open(&state, &config, model, 2)); MMC_TRY(mmc_small_train(&state,
 * be, &config, model, NULL));             state.w: two models MMC_TRY(mmc_small_evaluate(score, be, &config, state.w,
 * 2, &data, NULL)); mmc_small_state_close(&state);
 */
#ifndef MMC_RUNTIME_SMALL_H
#define MMC_RUNTIME_SMALL_H

#include "runtime/backend.h"
#include "runtime/progress.h"
#include "runtime/small_data.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_small_output {
    MMC_SMALL_PM1, /* a_i = +1 for the first half of the units, -1 for the rest; W has a row for the bias */
    MMC_SMALL_ONES /* the paper's literal form: a = 1, no bias. f is convex */
} mmc_small_output;

const char *mmc_small_output_name(mmc_small_output output); /* "pm1", "ones" */

/* Errors: MMC_ERR_USAGE for an unknown name (lists the known ones). */
mmc_status mmc_small_output_parse(mmc_small_output *out, const char *name);

typedef struct mmc_small_config {
    int inputs, hidden;      /* D, N */
    int32_t train, test;     /* samples */
    double margin;           /* delta */
    mmc_small_output output; /* and whether there is a bias */
    double bias;             /* constant input of the bias row, MMC_SMALL_PM1 */
    double start;            /* initial weights are uniform in +-start */
    mmc_mlp_loss loss;       /* what is minimised, and what evaluation states */
    int epochs, batch;       /* cosine to 0 over all steps */
    double lr, momentum;
} mmc_small_config;

/* The setting of SPEC 6 but for `start`, .1 there: from smaller weights theta_4 and theta_4' match better, which Figure
 * 13's claim needs in every seed (docs/results.md). */
#define MMC_SMALL_DEFAULTS                                                                                             \
    {                                                                                                                  \
        .inputs = 128, .hidden = 512, .train = 50000, .test = 10000, .margin = .1, .output = MMC_SMALL_PM1,            \
        .bias = .1, .start = .07, .loss = MMC_MLP_SQUARED, .epochs = 100, .batch = 64, .lr = 1000, .momentum = .9      \
    }
mmc_small_config mmc_small_defaults(void);

/* Sets one value from text: "hidden=256", "loss=logistic". Errors: MMC_ERR_USAGE (lists the names), MMC_ERR_RANGE. */
mmc_status mmc_small_config_set(mmc_small_config *config, const char *assignment);

const char *mmc_small_loss_name(mmc_mlp_loss loss); /* "squared", "logistic" */

/* Errors: MMC_ERR_RANGE naming the value and what it may be. */
mmc_status mmc_small_config_check(const mmc_small_config *config);

/* One model: what it is trained on and where it starts. */
typedef struct mmc_small_model {
    unsigned predictive; /* bits of mmc_small_attributes: what follows the label in its training data */
    int variant;         /* 0: theta, 1: theta', which starts elsewhere and sees the samples in another order */
    uint64_t seed;       /* of the experiment: data, start, order */
} mmc_small_model;

/* What a model's name is in records: "0", "4", "0+4", then "'" for theta'. `out`: 8 bytes. */
void mmc_small_model_name(char *out, const mmc_small_model *model);

/* The shape of `sets` models, rows of W and floats of one model's weights. */
mmc_mlp_shape mmc_small_shape(const mmc_small_config *config, int sets);
size_t mmc_small_weights(const mmc_small_config *config);

/* The output weights a (N). */
void mmc_small_output_weights(float *a, const mmc_small_config *config);

/* Training as it stands after `epoch` epochs. */
typedef struct mmc_small_state {
    int models, epoch;
    float *w, *v; /* (models, rows, N) */
    double *loss; /* (models): mean over the batches of the last epoch, each before its step */
} mmc_small_state;

/* Models at their start: w uniform, v = 0. Errors: MMC_ERR_RANGE (configuration), MMC_ERR_MEMORY. Owns: the caller. */
mmc_status mmc_small_state_open(mmc_small_state *out, const mmc_small_config *config, const mmc_small_model *models,
                                int count);
void mmc_small_state_close(mmc_small_state *state); /* a zeroed struct is fine */

/* Trains on from state->epoch to the last epoch; all models at once, each on samples of its own.
 * Errors: MMC_ERR_INTERRUPTED (state holds the last whole epoch), MMC_ERR_WRONG (weights that are not finite),
 *         MMC_ERR_MEMORY. Order: bit-identical at any number of threads and of models. */
mmc_status mmc_small_train(mmc_small_state *state, mmc_backend *be, const mmc_small_config *config,
                           const mmc_small_model *models, const mmc_progress *progress);

typedef struct mmc_small_score {
    double loss;     /* the configuration's: half the mean squared error, or cross entropy */
    double accuracy; /* share of the samples on whose side of the threshold (.5, or 0) f lies */
} mmc_small_score;

/* Outputs f (count, samples) of `count` models w (count, rows, N) on one data set. Errors: MMC_ERR_MEMORY. */
mmc_status mmc_small_outputs(float *f, mmc_backend *be, const mmc_small_config *config, const float *w, int count,
                             const mmc_small_data *data);

/* Loss and accuracy of `count` models w (count, rows, N) on one data set. fraction (count, samples): share of active
 * units of every sample; NULL: not wanted. Errors: MMC_ERR_MEMORY. */
mmc_status mmc_small_evaluate(mmc_small_score *out, mmc_backend *be, const mmc_small_config *config, const float *w,
                              int count, const mmc_small_data *data, float *fraction);

#ifdef __cplusplus
}
#endif
#endif
