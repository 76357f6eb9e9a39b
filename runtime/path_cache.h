/* Finished points remembered by what they depend on, so that curves which share an end evaluate it once (SPEC 4).
 *
 *     MMC_TRY(mmc_point_key_state(&key, &common, model, state));
 *     const mmc_point_scores *known = mmc_path_cache_find(cache, &key);      NULL: not yet
 *     MMC_TRY(mmc_path_cache_add(cache, &key, &scores));
 */
#ifndef MMC_RUNTIME_PATH_CACHE_H
#define MMC_RUNTIME_PATH_CACHE_H

#include "runtime/evaluate.h"
#include "runtime/path.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_POINT_KEY_BYTES = 32 };

/* SHA-256 of weights, batch norm procedure, samples, backend. */
typedef struct mmc_point_key {
    unsigned char digest[MMC_POINT_KEY_BYTES];
} mmc_point_key;

typedef struct mmc_point_scores {
    mmc_score score[2][MMC_SET_COUNT]; /* by mmc_split_kind and mmc_set; those not asked for are zero */
} mmc_point_scores;

/* The part of the key that all points of a curve share: procedure, images, draws, backend. Reads every image once.
 * Errors: MMC_ERR_MEMORY. */
mmc_status mmc_point_key_common(mmc_point_key *out, const mmc_backend *be, const mmc_model *model,
                                const mmc_dataset *data, const mmc_path_config *config);

/* The key of a state (host, state_count). */
mmc_status mmc_point_key_state(mmc_point_key *out, const mmc_point_key *common, const mmc_model *model,
                               const float *state);

const mmc_point_scores *mmc_path_cache_find(const mmc_path_cache *cache, const mmc_point_key *key);
mmc_status mmc_path_cache_add(mmc_path_cache *cache, const mmc_point_key *key, const mmc_point_scores *scores);

#ifdef __cplusplus
}
#endif
#endif
