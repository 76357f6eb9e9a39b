/* The loop of a training run: epochs, rows, resuming, reporting, and noticing a run that no longer converges. What a
 * step does is the stepper's: SGD on one loss (train.c), a linear layer (finetune_head.c), CBFT (cbft.c).
 *
 *     mmc_train_loop loop = {.stepper = &ops, .self = t, .steps = 10, .epochs = 20, ...};
 *     MMC_TRY(mmc_train_loop_run(&loop, &result));
 *
 * Order: bit-identical from run to run, interrupted or not, where the stepper's steps are.
 */
#ifndef MMC_RUNTIME_TRAIN_LOOP_H
#define MMC_RUNTIME_TRAIN_LOOP_H

#include "runtime/train.h"
#include "runtime/train_state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What takes the steps. Steps are counted within an epoch, rates over the run; epochs from 0. */
typedef struct mmc_stepper_ops {
    int (*batch)(const void *self, int64_t step);   /* images of a step: the last of an epoch may be short */
    double (*rate)(const void *self, int64_t step); /* learning rate */
    mmc_status (*begin_epoch)(void *self, int epoch);
    mmc_status (*step)(void *self, int epoch, int64_t step); /* enqueues one step */
    /* Reads sum of losses and correct answers of the epoch's steps [first, last) into tally[2 * first...]. */
    mmc_status (*tally)(void *self, double *tally, int epoch, int64_t first, int64_t last);
    mmc_status (*save)(void *self, mmc_train_state *s); /* weights and velocity to and from the host arrays of s */
    mmc_status (*restore)(void *self, const mmc_train_state *s);
    mmc_status (*measure)(void *self, mmc_epoch_row *row); /* after an epoch; NULL: nothing to measure */
} mmc_stepper_ops;

typedef struct mmc_train_loop {
    const mmc_stepper_ops *stepper;
    void *self;
    const char *phase; /* of the progress events */
    int vectors;       /* what is trained: vectors of state_count floats, parameter_count of them with a velocity */
    size_t state_count, parameter_count;
    int64_t steps;  /* per epoch */
    int32_t images; /* per epoch */
    int epochs;
    bool log_steps;
    const char *state_path; /* as in mmc_train_config */
    bool resume;
    const char *fingerprint; /* of state_path (mmc_train_describe) */
    const mmc_train_hooks *hooks;
} mmc_train_loop;

/* Runs the epochs that are left and moves the trained vectors and rows into *out (with `images`; the rest is the
 * caller's). Errors: those of mmc_train. */
mmc_status mmc_train_loop_run(const mmc_train_loop *loop, mmc_train_result *out);

enum { MMC_FINGERPRINT_BYTES = 4096 };

/* What a bit-identical continuation depends on, in words separated by ';': the model, the train split, `inputs`
 * (mmc_train_checksum of whatever else went in), the backend, then `words` and `more` (NULL: nothing).
 * Errors: MMC_ERR_RANGE where it does not fit into MMC_FINGERPRINT_BYTES. */
typedef struct mmc_train_description {
    const mmc_backend *be;
    const mmc_model *model;
    const mmc_dataset *data;
    const char *words, *more;
    uint32_t inputs;
} mmc_train_description;
mmc_status mmc_train_describe(char out[MMC_FINGERPRINT_BYTES], const mmc_train_description *description);

/* CRC-32 of some bytes, going on from `start` (0 at first). */
uint32_t mmc_train_checksum(const void *data, size_t size_bytes, uint32_t start);

#ifdef __cplusplus
}
#endif
#endif
