/* Evaluation of points in weight space, several at once where the backend gains by it: batch norm estimated anew, then
 * accuracy and loss on the sets of both splits (SPEC 4). Everything is placed once; a point costs no allocation. A
 * point's result does not depend on the points that it is evaluated with.
 *
 *     mmc_point_plan *plan;
 *     MMC_TRY(mmc_point_plan_create(&plan, be, model, data, config, 1));
 *     MMC_TRY(mmc_point_run(plan, state, 1, &hooks));            device state; its running values are replaced
 *     MMC_TRY(mmc_point_score(plan, 0, MMC_SPLIT_TEST, MMC_SET_RC, &score));
 *     mmc_point_plan_free(plan);
 */
#ifndef MMC_RUNTIME_POINT_H
#define MMC_RUNTIME_POINT_H

#include "runtime/evaluate.h"
#include "runtime/path.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A batch weighs 0.1 * 0.9^later in the running average: this many batches leave the rest below 2^-24, half a unit in
 * the last place of fp32. */
enum { MMC_BN_MOMENTUM_BATCHES = 158 };

typedef struct mmc_point_plan mmc_point_plan;

/* Whether model, data and configuration fit together; what _create and mmc_path_evaluate check before anything else.
 * Errors: MMC_ERR_MISMATCH (classes or rows of the data set are not the model's), MMC_ERR_RANGE, MMC_ERR_USAGE. */
mmc_status mmc_point_check(const mmc_model *model, const mmc_dataset *data, const mmc_path_config *config);

/* For up to `states_max` points at once. Errors: MMC_ERR_MISMATCH (classes or rows of the data set are not the
 * model's), MMC_ERR_RANGE, MMC_ERR_USAGE, MMC_ERR_MISSING (empty split), MMC_ERR_MEMORY. Owns: the caller, _free. */
mmc_status mmc_point_plan_create(mmc_point_plan **out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                                 const mmc_path_config *config, int states_max);
void mmc_point_plan_free(mmc_point_plan *plan);

/* Images of one point's batch norm estimate: asked for by the procedure, and really run; leading batches skipped. */
int64_t mmc_point_bn_defined(const mmc_point_plan *plan);
int64_t mmc_point_bn_images(const mmc_point_plan *plan);
int mmc_point_bn_skipped(const mmc_point_plan *plan);
/* Images evaluated at one point: sets x samples of the splits asked for, and the distinct ones among them. */
int64_t mmc_point_eval_defined(const mmc_point_plan *plan);
int64_t mmc_point_eval_images(const mmc_point_plan *plan);

/* Where a point's run stands, for progress; `interrupted` as in runtime/progress.h. */
typedef struct mmc_point_hooks {
    const mmc_progress *progress; /* NULL: silent */
    double t;
    int64_t done, total; /* image-forwards of the job; done is advanced */
    double bn_s, eval_s; /* advanced by the time of both parts */
} mmc_point_hooks;

/* Estimates batch norm into the running values of `states` (device, (count, state_count)) and evaluates them. */
mmc_status mmc_point_run(mmc_point_plan *plan, float *states, int count, mmc_point_hooks *hooks);

/* The two halves of a run: what is enqueued, and the wait for its scores; several devices work at once between them.
 * The time of the parts is not told apart. */
mmc_status mmc_point_begin(mmc_point_plan *plan, float *states, int count, mmc_point_hooks *hooks);
mmc_status mmc_point_end(mmc_point_plan *plan, int count);

/* Score of one of the states on a set after a run. */
mmc_status mmc_point_score(const mmc_point_plan *plan, int state, mmc_split_kind split, mmc_set set, mmc_score *out);

/* The evaluator of a split, for what else it knows (logits, rows); NULL where the split was not asked for. */
mmc_evaluator *mmc_point_evaluator(const mmc_point_plan *plan, mmc_split_kind split);

#ifdef __cplusplus
}
#endif
#endif
