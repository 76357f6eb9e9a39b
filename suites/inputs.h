/* What the commands on models share: which data set, whether the files fit together, opening data and backend,
 * trying the output before the work.
 *
 *     mmc_inputs in = {0};
 *     MMC_TRY(mmc_inputs_dataset(&kind, options, &checkpoint, 1));
 *     MMC_TRY(mmc_inputs_open(&in, options, kind, false, true));
 *     mmc_inputs_close(&in);
 */
#ifndef MMC_SUITES_INPUTS_H
#define MMC_SUITES_INPUTS_H

#include "runtime/backend.h"
#include "runtime/checkpoint.h"
#include "runtime/data.h"
#include "runtime/path.h"
#include "suites/options.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_inputs {
    mmc_backend *be;
    mmc_backend *more[MMC_PATH_MORE_MAX]; /* on the devices after be's, where --devices asks for them */
    int more_count;
    mmc_dataset data;
} mmc_inputs;

/* --dataset, else what the checkpoints' metadata says. Errors: MMC_ERR_USAGE where nothing says it, MMC_ERR_MISMATCH
 * where the files disagree. */
mmc_status mmc_inputs_dataset(mmc_dataset_kind *out, const mmc_options *options,
                              const mmc_checkpoint *const *checkpoints, int count);

/* Reads a checkpoint that must hold a plain model. Errors: those of mmc_checkpoint_read; MMC_ERR_MISMATCH for a file
 * that holds bends only. Owns: the caller, mmc_checkpoint_close. */
mmc_status mmc_inputs_model(mmc_checkpoint *out, const char *path);

/* Makes the model of a checkpoint take this data set's images. Errors: MMC_ERR_MISMATCH for other classes. */
mmc_status mmc_inputs_fit(mmc_checkpoint *checkpoint, const char *path, mmc_dataset_kind kind);

/* Whether two checkpoints are of one network. Errors: MMC_ERR_MISMATCH naming both. */
mmc_status mmc_inputs_alike(const mmc_checkpoint *a, const char *path_a, const mmc_checkpoint *b, const char *path_b);

/* Opens the splits that are needed, then the backends. Errors: MMC_ERR_USAGE for several devices of the cpu. */
mmc_status mmc_inputs_open(mmc_inputs *in, const mmc_options *options, mmc_dataset_kind kind, bool train, bool test);
void mmc_inputs_close(mmc_inputs *in);

/* The backend that the options ask for. */
mmc_backend_options mmc_inputs_backend(const mmc_options *options);

/* Whether `path`, given by `option`, can be written: makes its folder and tries a file in it, so that an hour of
 * training is not lost to a misspelt name. Errors: MMC_ERR_IO. */
mmc_status mmc_output_try(const char *option, const char *path);

/* FNV-1a, 64 bits, of a run of bytes; starts with MMC_HASH_START. For fingerprints. */
#define MMC_HASH_START UINT64_C(14695981039346656037)
uint64_t mmc_hash_bytes(uint64_t hash, const void *bytes, size_t size);

/* What eval and path measure, from the options; bn: the procedure where --bn is not given.
 * Errors: MMC_ERR_USAGE for an unknown set. */
mmc_status mmc_inputs_path_config(mmc_path_config *out, const mmc_options *options, mmc_bn_mode bn);

#ifdef __cplusplus
}
#endif
#endif
