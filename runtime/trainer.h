/* The device side of training: what is placed once, and one SGD step (SPEC 3, 4). The loop over epochs, resuming and
 * reporting is train.c's.
 *
 *     mmc_trainer *t;
 *     MMC_TRY(mmc_trainer_create(&t, be, model, data, config, start));
 *     MMC_TRY(mmc_trainer_begin_epoch(t, epoch));
 *     for (int64_t step = 0; step < mmc_trainer_steps(t); step++)
 *         MMC_TRY(mmc_trainer_step(t, epoch, step));
 *
 * On several devices (config->more) every device holds the weights. A batch that their number divides is shared out;
 * gradients are averaged between the devices, so that all take the same step. Any other batch (the last of an epoch, as
 * a rule) is computed by each of them whole. Running statistics and what is saved are those of the first device.
 */
#ifndef MMC_RUNTIME_TRAINER_H
#define MMC_RUNTIME_TRAINER_H

#include "runtime/train.h"
#include "runtime/train_state.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_trainer mmc_trainer;

/* Uploads the images, plans the network, places the start (plain: `start`; curve: its bends) with zero velocity.
 * Errors: MMC_ERR_MISMATCH, MMC_ERR_RANGE, MMC_ERR_MEMORY. Owns: the caller, _free; config and data must live on. */
mmc_status mmc_trainer_create(mmc_trainer **out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                              const mmc_train_config *config, const float *start);
void mmc_trainer_free(mmc_trainer *t);

int64_t mmc_trainer_steps(const mmc_trainer *t);               /* per epoch */
int32_t mmc_trainer_images(const mmc_trainer *t);              /* per epoch */
int mmc_trainer_batch(const mmc_trainer *t, int64_t step);     /* images of a step: the last batch may be short */
int mmc_trainer_vectors(const mmc_trainer *t);                 /* 1, or the number of bends */
double mmc_trainer_rate(const mmc_trainer *t, int64_t step);   /* schedule's rate; step counted over the run */
const float *mmc_trainer_weights(const mmc_trainer *t, int v); /* device, (state_count) */

/* Orders and uploads the samples of an epoch (0-based). */
mmc_status mmc_trainer_begin_epoch(mmc_trainer *t, int epoch);

/* One SGD step; enqueued, allocates nothing. */
mmc_status mmc_trainer_step(mmc_trainer *t, int epoch, int64_t step);

/* Reads sum of losses and correct answers of the epoch's steps [first, last) into tally[2 * first...]. */
mmc_status mmc_trainer_tally(mmc_trainer *t, double *tally, int64_t first, int64_t last);

/* Copies weights and velocity of all vectors to and from the host arrays of `s`, whose sizes are given. */
mmc_status mmc_trainer_save(mmc_trainer *t, mmc_train_state *s);
mmc_status mmc_trainer_restore(mmc_trainer *t, const mmc_train_state *s);

#ifdef __cplusplus
}
#endif
#endif
