/* Evaluation of models and of paths between models on the counterfactual sets (SPEC 4).
 *
 * A path is evaluated with the exact savings: batch norm re-estimated once a point for all sets and splits; identical
 * renderings evaluated once; under `momentum` leading batches of total weight below 2^-24 skipped; end points shared
 * through a cache by (weights, BN procedure, samples).
 *
 *     mmc_path_config config = mmc_path_defaults();
 *     MMC_TRY(mmc_path_evaluate(&result, be, model, &data, &curve, &config, &hooks));
 */
#ifndef MMC_RUNTIME_PATH_H
#define MMC_RUNTIME_PATH_H

#include "runtime/backend.h"
#include "runtime/counterfactual.h"
#include "runtime/curve.h"
#include "runtime/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_bn_mode { MMC_BN_MOMENTUM, MMC_BN_POOLED, MMC_BN_STORED, MMC_BN_COUNT } mmc_bn_mode;

const char *mmc_bn_name(mmc_bn_mode mode);
mmc_status mmc_bn_parse(mmc_bn_mode *out, const char *name);

typedef struct mmc_path_config {
    int points; /* both ends counted, 2 or more; t = i/(points-1) */
    mmc_bn_mode bn;
    int bn_batch;      /* 128 */
    int32_t bn_images; /* first N images of the train split; 0: all */
    unsigned sets;     /* bit mask of mmc_set */
    bool split_test, split_train;
    int32_t train_images;   /* the train split is evaluated as if it ended after so many; 0: all */
    int batch;              /* evaluation batch, 256 */
    uint64_t seed;          /* of the counterfactual draws */
    const mmc_draws *draws; /* given draws for the test split; NULL: Philox */
    /* Backends on further devices, which take points of a path in turn with the first; results are the same. */
    mmc_backend *const *more;
    int more_count; /* at most MMC_PATH_MORE_MAX */
} mmc_path_config;

enum { MMC_PATH_MORE_MAX = 15 };

mmc_path_config mmc_path_defaults(void); /* 11 points, momentum, 128, all sets, test split, batch 256, seed 1 */

typedef struct mmc_path_row {
    double t;
    mmc_set set;
    mmc_split_kind split;
    double accuracy, loss; /* fraction, nats (mean over samples) */
    int32_t n;
} mmc_path_row;

/* Barrier and dip of one set and split (SPEC 4, "words"). */
typedef struct mmc_path_summary {
    double barrier, dip;
} mmc_path_summary;

typedef struct mmc_path_result {
    mmc_path_row *rows; /* points x splits x sets, t outermost, test before train. Owns: the caller, _close */
    int row_count;
    int64_t image_forwards_defined; /* points x (BN images + sets x samples): what the procedure asks for */
    int64_t image_forwards;         /* really run */
    int64_t image_forwards_bn;      /* those of them that estimated batch norm; the rest evaluated */
    int bn_batches_skipped;         /* leading batches left out at each point */
    double wall_s, bn_s, eval_s;
} mmc_path_result;

/* End points shared between curves: remembers finished points by what they depend on. Zeroed struct is empty. */
typedef struct mmc_path_cache mmc_path_cache;
mmc_status mmc_path_cache_create(mmc_path_cache **out);
void mmc_path_cache_free(mmc_path_cache *cache);

typedef struct mmc_path_hooks {
    mmc_progress progress;
    void (*on_row)(void *user, const mmc_path_row *row); /* as soon as a row is known; NULL: silent */
    void *user;
} mmc_path_hooks;

mmc_status mmc_path_evaluate(mmc_path_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                             const mmc_curve *curve, const mmc_path_config *config, mmc_path_cache *cache,
                             const mmc_path_hooks *hooks);
void mmc_path_result_close(mmc_path_result *r);

/* Barrier(set) = max_t loss(t) - ((1-t) loss(0) + t loss(1));  dip(set) = min(ends' accuracy) - min_t accuracy. */
mmc_path_summary mmc_path_summarise(const mmc_path_result *r, mmc_set set, mmc_split_kind split);

/* One model on the sets: config->points is ignored, rows have t = NAN. BN stored: the state's own running values. */
mmc_status mmc_model_evaluate(mmc_path_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                              const float *state, const mmc_path_config *config, const mmc_path_hooks *hooks);

#ifdef __cplusplus
}
#endif
#endif
