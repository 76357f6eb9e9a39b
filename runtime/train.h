/* Training from scratch or from a checkpoint (SPEC 3), and the bends of a curve (SPEC 4): one loop, two losses.
 *
 * Loss of a step: mean cross-entropy at the trained weights, or at gamma(t) of a curve with t ~ U(0,1) drawn per step
 * and the step size lr * b(t), b the weight of the bend at t. Update: v <- m v + g + wd w; w <- w - lr v.
 *
 *     mmc_train_config config = mmc_train_defaults();
 *     config.epochs = 4; ...
 *     MMC_TRY(mmc_train(&result, be, model, &data, &config, &hooks));
 */
#ifndef MMC_RUNTIME_TRAIN_H
#define MMC_RUNTIME_TRAIN_H

#include "runtime/backend.h"
#include "runtime/checkpoint.h"
#include "runtime/counterfactual.h"
#include "runtime/progress.h"
#include "runtime/schedule.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_TRAIN_MORE_MAX = 15 };

typedef struct mmc_train_config {
    int epochs, batch;
    double lr, momentum, decay;
    mmc_schedule schedule;
    bool schedule_default; /* the SPEC's steps for these epochs: floor(.4 E), floor(.8 E) (bends: every 10) */
    double cue;            /* cue proportion p of the training images */
    const uint8_t *flags;  /* given cue flags of the whole train split instead of p's; NULL */
    const int32_t *subset; /* indices of the train images to train on, in order; NULL: all. Flags are the split's */
    int32_t subset_count;
    const double *rates; /* given rate of each step of the run instead of the schedule's (tests); NULL */
    uint64_t seed;
    bool sequential;      /* batches in file order instead of reshuffled each epoch */
    bool curves;          /* evaluate test NC and test C after every epoch (learning curves) */
    bool log_steps;       /* call on_step */
    int evaluation_batch; /* 0: 256 */
    /* bends: train theta_12 of a quadratic (bends 1), or the bends of a polyline or Bezier curve */
    const struct mmc_curve
        *curve;            /* NULL: plain training. Its end points are fixed; its bends are the start and the result */
    const double *curve_t; /* given t for each step of the run instead of Philox's (tests); NULL */
    /* The training state is kept at state_path after every epoch and on interruption; resume goes on from it if it is
     * there and its configuration is the same, else MMC_ERR_MISMATCH. The caller removes it. NULL: kept nowhere. */
    const char *state_path;
    bool resume;
    /* Backends on further devices, which take a share of every batch that can be shared out evenly (runtime/trainer.h);
     * the result is not that of one device, since batch norm's statistics are of the share. */
    struct mmc_backend *const *more;
    int more_count;          /* at most MMC_TRAIN_MORE_MAX */
    const char *fingerprint; /* what else must be equal for a bit-identical resume (commit, files); NULL: nothing */
} mmc_train_config;

/* SPEC 3's from-scratch values: 100 epochs, batch 256, lr .1, momentum .9, decay 1e-4, the SPEC's steps, p 0, seed 1.
 */
mmc_train_config mmc_train_defaults(void);
/* SPEC 4's midpoint values: 15 epochs, batch 128, lr .1 x .1 every 10 epochs. */
mmc_train_config mmc_midpoint_defaults(void);

typedef struct mmc_epoch_row {
    int epoch;             /* from 1 */
    double loss, accuracy; /* of the batches as trained */
    double lr;             /* of the epoch's last step */
    double images_per_s;
    double test_nc, test_c; /* accuracy, NAN unless curves (never for the bends of a curve) */
} mmc_epoch_row;

typedef struct mmc_train_hooks {
    mmc_progress progress;
    void (*on_epoch)(void *user, const mmc_epoch_row *row);
    void (*on_step)(void *user, int64_t step, double loss, double lr); /* loss of the batch before its update */
    void *user;
} mmc_train_hooks;

typedef struct mmc_train_result {
    float *state;          /* plain: (state_count); curve: bends x state_count. Owns: the caller frees */
    mmc_epoch_row *epochs; /* (epoch_count). Owns: the caller frees */
    int epoch_count;
    double wall_s;
    int64_t images;    /* images trained on, this process */
    double rate;       /* base rate; lpft: of the three, that which did best on validation data */
    double validation; /* lpft: accuracy of the result on validation data; else NAN */
} mmc_train_result;

/* Trains. start: initial state (state_count), NULL: mmc_model_init(seed); ignored with a curve.
 * Errors: MMC_ERR_WRONG when the loss is no longer finite (says the step), MMC_ERR_INTERRUPTED (state kept),
 * MMC_ERR_MISMATCH (classes or rows of the data set are not the model's; another run's state file).
 * Order: bit-identical from run to run, interrupted or not, at the same thread count and libraries. */
mmc_status mmc_train(mmc_train_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                     const mmc_train_config *config, const float *start, const mmc_train_hooks *hooks);
void mmc_train_result_close(mmc_train_result *r);

#ifdef __cplusplus
}
#endif
#endif
