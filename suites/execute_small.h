/* Jobs of the small model: what their files share (suites/execute.h).
 *
 *     artifacts/KEY/model.safetensors   w (seeds, models, rows, N), loss (seeds, models): mean of the last epoch
 *     artifacts/KEY/state.safetensors   an interrupted training: the same, and v of the seeds in hand
 */
#ifndef MMC_SUITES_EXECUTE_SMALL_H
#define MMC_SUITES_EXECUTE_SMALL_H

#include "suites/execute.h"
#include "suites/small.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What differs from row to row. */
typedef struct mmc_small_row {
    char item[32];
    const char *set, *split, *metric, *method; /* split NULL: "test" */
    int seed;                                  /* counted from the job's */
    double t, value;
    int64_t n;
} mmc_small_row;

/* Writes a row; the job's variant is put behind the item ("4-ones"). */
mmc_status mmc_small_row_write(const mmc_execution *x, const mmc_job *job, const mmc_small_row *row);

/* The weights (seeds, models, rows, N) of the training that `reader` reads. Owns: the caller, free. */
mmc_status mmc_small_models_read(float **w, const mmc_execution *x, const mmc_job *reader);

#ifdef __cplusplus
}
#endif
#endif
