/* The data sets of a run: each is opened once, when a suite first asks for it.
 *
 *     mmc_run_data data = {.folder = "data"};
 *     mmc_run_data_limit(&data, &scale);
 *     MMC_TRY(mmc_run_data_open(&data, MMC_DATASET_CIFAR10_BOX));
 *     data.sets[MMC_DATASET_CIFAR10_BOX].train ...
 *     mmc_run_data_close(&data);
 */
#ifndef MMC_SUITES_RUN_DATA_H
#define MMC_SUITES_RUN_DATA_H

#include "runtime/data.h"
#include "suites/scale.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_run_data {
    const char *folder;
    int32_t limit_train[MMC_DATASET_COUNT], limit_test[MMC_DATASET_COUNT]; /* as mmc_dataset_options; 0: none */
    bool open[MMC_DATASET_COUNT];
    mmc_dataset sets[MMC_DATASET_COUNT];
    char digest[MMC_DATASET_COUNT][17]; /* of the files' checksums: 16 hex digits */
} mmc_run_data;

/* The scale's limits of each data set. */
void mmc_run_data_limit(mmc_run_data *data, const mmc_scale *scale);

/* Opens a data set with its checksums; one that is open already is kept. Errors: as mmc_dataset_open. */
mmc_status mmc_run_data_open(mmc_run_data *data, mmc_dataset_kind kind);
void mmc_run_data_close(mmc_run_data *data);

/* First 16 hex digits of the SHA-256 of a text: job keys and digests. */
mmc_status mmc_run_digest(char out[17], const char *text);

#ifdef __cplusplus
}
#endif
#endif
