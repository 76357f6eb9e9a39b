/* Checkpoints: safetensors files with the reference program's state names (SPEC 2, INTERFACE "Files").
 *
 *     mmc_checkpoint c;
 *     MMC_TRY(mmc_checkpoint_read(&c, "theta_c.safetensors"));   understood from its shapes where our metadata is
 * missing
 *     ... c.model->units, c.state ...
 *     mmc_checkpoint_close(&c);
 */
#ifndef MMC_RUNTIME_CHECKPOINT_H
#define MMC_RUNTIME_CHECKPOINT_H

#include "runtime/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_BENDS_MAX = 16 };

typedef struct mmc_checkpoint {
    mmc_model *model;                    /* height is 64 where metadata says dominoes, else 32 */
    float *state;                        /* (model->state_count), f32 */
    int bends;                           /* tensors mid.K.NAME: number of bends; 0: a plain model */
    float *bend[MMC_BENDS_MAX];          /* each (state_count) */
    char curve[16];                      /* kind of the curve that the bends were trained for; "" where the file does
                                            not say */
    char dataset[32];                    /* "" where the file does not say */
    char seed[24], job[72], program[64]; /* metadata as text; "" where missing */
} mmc_checkpoint;

/* Reads and validates a file: architecture, width and classes from names and shapes; F16, BF16, F64 converted;
 * `*.num_batches_tracked` ignored; a file with bends only (midpoints) has state == bend[0]'s values in `state` left
 * NULL. Errors: MMC_ERR_MISSING, MMC_ERR_FORMAT (lying header), MMC_ERR_MISMATCH (neither network; an extra or missing
 * tensor, named; NaN or infinity in a tensor, named; metadata that contradicts the tensors). */
mmc_status mmc_checkpoint_read(mmc_checkpoint *out, const char *path);

/* The same from memory (copied); `what` names it in messages. */
mmc_status mmc_checkpoint_parse(mmc_checkpoint *out, const void *bytes, size_t size, const char *what);

/* Writes state and bends to a temporary name beside `path`, syncs, renames. Nothing is left behind on failure. */
mmc_status mmc_checkpoint_write(const char *path, const mmc_checkpoint *c);

/* Frees what the struct owns; a zeroed struct is fine. */
void mmc_checkpoint_close(mmc_checkpoint *c);

#ifdef __cplusplus
}
#endif
#endif
