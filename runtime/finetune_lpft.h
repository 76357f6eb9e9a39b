/* LPFT: a new linear layer first, then the whole network at three rates, of which validation chooses (SPEC 3). */
#ifndef MMC_RUNTIME_FINETUNE_LPFT_H
#define MMC_RUNTIME_FINETUNE_LPFT_H

#include "runtime/finetune_job.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_LPFT_STAGES = 1 + MMC_LPFT_RATES };

/* Stage 0 is the layer, the others the rates lr, lr/10, lr/100; each keeps a state of its own, so that a resumed run
 * goes through the finished stages at once. Result: the model with the highest accuracy on the validation images (then
 * the lowest loss, then the highest rate), and the rows of all stages one after another.
 * Errors: those of mmc_finetune. */
mmc_status mmc_lpft_run(mmc_train_result *out, const mmc_finetune_job *job);

/* The whole network on the job's items, cosine from `rate` (finetune.c). */
mmc_status mmc_finetune_whole(mmc_train_result *out, const mmc_finetune_job *job, double rate);

/* Name of the file that holds the state of a stage: the path itself, or with lpft PATH.head, PATH.rate1, ...
 * Owns: the caller frees. Errors: MMC_ERR_MEMORY. */
mmc_status mmc_finetune_state_path(char **out, const char *state_path, mmc_method method, int stage);

#ifdef __cplusplus
}
#endif
#endif
