/* What the stages of fine-tuning share (runtime/finetune.h): the job in hand, and its two steppers that are not plain
 * training.
 *
 *     mmc_finetune_job job = {.be = be, .model = model, .data = data, .config = config, .start = start, ...};
 *     MMC_TRY(mmc_cbft_run(&result, &job));
 */
#ifndef MMC_RUNTIME_FINETUNE_JOB_H
#define MMC_RUNTIME_FINETUNE_JOB_H

#include "runtime/finetune.h"
#include "runtime/train_loop.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_finetune_job {
    mmc_backend *be;
    const mmc_model *model;
    const mmc_dataset *data;
    const mmc_finetune_config *config;
    const float *start; /* (state_count) */
    const mmc_train_hooks *hooks;
    const int32_t *items; /* (item_count) clean images that are trained on */
    int32_t item_count;
    const char *state_path; /* of this stage */
} mmc_finetune_job;

/* CBFT and its ablations. */
mmc_status mmc_cbft_run(mmc_train_result *out, const mmc_finetune_job *job);

/* LLRT: a new linear layer on the representations of the images, which are computed once: the body is frozen in eval
 * mode, so they are the same in every epoch. Result: the start with the new layer. */
mmc_status mmc_head_run(mmc_train_result *out, const mmc_finetune_job *job);

/* What a bit-identical continuation of the job depends on (mmc_train_describe). */
mmc_status mmc_finetune_describe(char out[MMC_FINGERPRINT_BYTES], const mmc_finetune_job *job);

/* A loop over the job's images with what every stage has in common; sizes, steps and epochs are the stage's. */
mmc_train_loop mmc_finetune_loop(const mmc_finetune_job *job, const mmc_stepper_ops *stepper, void *self,
                                 const char *fingerprint);

/* t of CBFT's barrier step: a Gaussian of mean .5 and deviation .5 truncated to [0,1], or .5 + .5 clip(N(0,1),-.5,.5).
 * Drawn from (seed, MMC_RNG_BARRIER_T, epoch, iteration). */
double mmc_cbft_draw_t(uint64_t seed, int epoch, int64_t iteration, bool authors);

/* Learning rate of CBFT's iteration `step` (counted over the run) of epochs x iterations: the cosine from its start, or
 * the authors': base through epochs 0 and 1 and the first iteration of epoch 2, then the cosine from its start. */
double mmc_cbft_rate(const mmc_finetune_config *config, int64_t iterations, int64_t step);

#ifdef __cplusplus
}
#endif
#endif
