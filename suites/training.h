/* What `train`, `finetune` and `midpoint` share: the configuration from the options, running with progress, rows and
 * resume state, and writing the checkpoint.
 *
 *     mmc_training t = {.options = options, .out = out, .in = &in, .model = model, .start = start};
 *     MMC_TRY(mmc_training_configure(&t.config, options));
 *     MMC_TRY(mmc_training_run(&result, &t));
 */
#ifndef MMC_SUITES_TRAINING_H
#define MMC_SUITES_TRAINING_H

#include "runtime/finetune.h"
#include "runtime/train.h"
#include "suites/inputs.h"
#include "suites/output.h"
#include "suites/scale.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_training {
    const mmc_options *options;
    mmc_output *out;
    mmc_inputs *in;
    const mmc_model *model;
    const float *start;            /* initial state, or NULL */
    uint64_t start_hash;           /* of everything the job starts from: weights of --init, A, B */
    mmc_train_config config;       /* config.curve set: bends are trained */
    mmc_finetune_config *finetune; /* what is done instead of it; NULL: training */
} mmc_training;

/* The scale that the options name. Errors: MMC_ERR_USAGE. */
mmc_status mmc_training_scale(const mmc_scale **out, const mmc_options *options);

/* Defaults of SPEC 3 (train) or 4 (midpoint), or of a given --scale, then what the options say. */
mmc_status mmc_training_configure(mmc_train_config *config, const mmc_options *options);

/* Opens what a training starts from: the checkpoint at `path` (NULL: none) given by `option` ("--init"), the network
 * (the checkpoint's, else --arch, --width and the data set's classes), the data, the place of the result. Errors:
 * MMC_ERR_USAGE where --arch or --width contradicts the checkpoint; those of reading. Owns: the caller, *model and
 * *start, also after an error. */
mmc_status mmc_training_open(mmc_training *training, mmc_model **model, mmc_checkpoint *start, const char *path,
                             const char *option);

/* --clean: the clean / cue split of the train split that was opened; 2500 clean images where it is not given.
 * Errors: MMC_ERR_RANGE. Owns: the caller, mmc_clean_split_close. */
mmc_status mmc_training_clean_split(mmc_clean_split *out, const mmc_options *options, const mmc_inputs *in);

/* Trains, printing rows. Errors: those of mmc_train; MMC_ERR_INTERRUPTED says where the state lies. */
mmc_status mmc_training_run(mmc_train_result *result, mmc_training *training);

/* Writes the checkpoint to --out with the job's metadata and removes the training state. */
mmc_status mmc_training_save(mmc_checkpoint *checkpoint, const mmc_training *training);

#ifdef __cplusplus
}
#endif
#endif
