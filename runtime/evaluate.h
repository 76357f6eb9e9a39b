/* Accuracy and loss of one or more states on counterfactual sets of one split, each distinct rendering evaluated once
 * (SPEC 4).
 *
 *     mmc_evaluator *e;
 *     MMC_TRY(mmc_evaluator_create(&e, be, net, 256, 1, &images, &data, MMC_SPLIT_TEST, sets, NULL, seed));
 *     MMC_TRY(mmc_evaluator_run(e, 1, NULL, NULL));             net has been loaded with the state
 *     MMC_TRY(mmc_evaluator_score(e, 0, MMC_SET_RC, &score));
 *     mmc_evaluator_free(e);
 */
#ifndef MMC_RUNTIME_EVALUATE_H
#define MMC_RUNTIME_EVALUATE_H

#include "runtime/counterfactual.h"
#include "runtime/images.h"
#include "runtime/network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_evaluator mmc_evaluator;

typedef struct mmc_score {
    double accuracy, loss; /* fraction; nats, mean over samples */
    int32_t n;
} mmc_score;

/* Images to run at once where up to `batch` are allowed: fewer where that keeps activations in cache (ResNet-18 of
 * width 8: 1.5 times as fast with 32 images a thread as with 256). Each image's result stays the same. */
int mmc_evaluator_batch(const mmc_backend *be, int batch);

/* Plans the evaluation of up to `states_max` states at once: which samples the sets (bit mask) hold and which of them
 * are the same image; `net` runs in EVAL mode and may be shared by several evaluators. Errors: MMC_ERR_MEMORY and those
 * of mmc_counterfactual_samples. Owns: the caller, _free; net, images and data's labels must live as long. */
mmc_status mmc_evaluator_create(mmc_evaluator **out, mmc_backend *be, mmc_network *net, int batch, int states_max,
                                const mmc_images *images, const mmc_dataset *data, mmc_split_kind split, unsigned sets,
                                const mmc_draws *draws, uint64_t seed);
void mmc_evaluator_free(mmc_evaluator *e);

/* Number of distinct images: what one run costs. */
int32_t mmc_evaluator_images(const mmc_evaluator *e);

/* Called after each batch with its image-forwards (images x states); a status other than MMC_OK ends the run with it.
 */
typedef mmc_status (*mmc_evaluator_step)(void *user, int image_forwards);

/* Evaluates every distinct image with each of the `states` that the network has been loaded with; allocates nothing. */
mmc_status mmc_evaluator_run(mmc_evaluator *e, int states, mmc_evaluator_step step, void *user);

/* The two halves of a run: what is enqueued, and the wait for its scores; several devices work at once between them. */
mmc_status mmc_evaluator_begin(mmc_evaluator *e, int states, mmc_evaluator_step step, void *user);
mmc_status mmc_evaluator_end(mmc_evaluator *e, int states);

/* The score of a state on one of the sets after a run. Errors: MMC_ERR_WRONG when the loss is not finite. */
mmc_status mmc_evaluator_score(const mmc_evaluator *e, int state, mmc_set set, mmc_score *out);

/* After a run: logits (images, K) of a state in device memory, and the row of each sample of a set in them, (count),
 * device memory; NULL for a set that was not asked for. */
const float *mmc_evaluator_logits(const mmc_evaluator *e, int state);
const int32_t *mmc_evaluator_rows(const mmc_evaluator *e, mmc_set set);

#ifdef __cplusplus
}
#endif
#endif
