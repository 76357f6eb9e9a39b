/* What a training leaves in the run directory, whichever way it trained: its speed, model, log and rows.
 *
 *     mmc_trained_write(x, job, &(mmc_trained){.model = model, .result = &result, .images = data->train.count});
 */
#ifndef MMC_SUITES_TRAINED_H
#define MMC_SUITES_TRAINED_H

#include "runtime/train.h"
#include "suites/execute.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_trained {
    mmc_model *model;
    const mmc_train_result *result;
    int32_t images; /* that an epoch goes over */
} mmc_trained;

/* Writes them, rows that are there already left out: a job that was killed in here is done again. */
mmc_status mmc_trained_write(const mmc_execution *x, const mmc_job *job, const mmc_trained *what);

#ifdef __cplusplus
}
#endif
#endif
