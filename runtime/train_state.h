/* The state of a training run on disk, for going on where it stopped (INTERFACE, --resume).
 *
 * A safetensors file: weights and velocity of every trained vector, rows of the finished epochs, the sums of the steps
 * done in the epoch in hand. Written to a temporary name and renamed, so a killed run leaves the last whole state.
 *
 *     mmc_train_state s = {.vectors = 1, .state_count = n, .parameter_count = p, ...};
 *     MMC_TRY(mmc_train_state_write(&s, path, fingerprint));
 */
#ifndef MMC_RUNTIME_TRAIN_STATE_H
#define MMC_RUNTIME_TRAIN_STATE_H

#include "runtime/train.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_train_state {
    int vectors; /* 1, or the number of bends */
    size_t state_count, parameter_count;
    float *weights;            /* (vectors, state_count) */
    float *velocity;           /* (vectors, parameter_count) */
    mmc_epoch_row *rows;       /* room for all epochs */
    int rows_max, epochs_done; /* rows of the finished epochs */
    double *tally;             /* (steps, 2): sum of losses and correct answers of each step of the epoch in hand */
    int64_t steps_max, steps_done;
} mmc_train_state;

mmc_status mmc_train_state_write(const mmc_train_state *s, const char *path, const char *fingerprint);

/* Fills the arrays of `s`, whose sizes are given. *found is false where there is no file. A fingerprint is a list of
 * words separated by ';'. Errors: MMC_ERR_MISMATCH names the first word that differs, MMC_ERR_FORMAT. */
mmc_status mmc_train_state_read(mmc_train_state *s, bool *found, const char *path, const char *fingerprint);

/* Copies weights and velocity of all vectors from device memory, and back to it. Errors: MMC_ERR_DEVICE. */
mmc_status mmc_train_state_download(mmc_train_state *s, mmc_backend *be, const void *weights, const void *velocity);
mmc_status mmc_train_state_upload(const mmc_train_state *s, mmc_backend *be, void *weights, void *velocity);

#ifdef __cplusplus
}
#endif
#endif
