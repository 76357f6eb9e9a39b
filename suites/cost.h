/* What a job costs before it runs: passes of images through its network, FLOP, bytes, memory, and the shortest time on
 * named devices (suites/roofline.h).
 *
 *     mmc_job_cost cost;
 *     MMC_TRY(mmc_job_cost_count(&cost, job, scale, data));
 */
#ifndef MMC_SUITES_COST_H
#define MMC_SUITES_COST_H

#include "suites/plan.h"
#include "suites/roofline.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_job_cost {
    double images[MMC_PASS_COUNT];           /* image passes of each kind */
    double flop, bytes;                      /* of all passes */
    double memory_bytes;                     /* the data set, and the states held at once */
    double roofline_s[MMC_ROOFLINE_DEVICES]; /* shortest time of all passes, one device */
} mmc_job_cost;

/* Data that the job's data set lacks counts as nothing. Errors: MMC_ERR_MEMORY, MMC_ERR_RANGE. */
mmc_status mmc_job_cost_count(mmc_job_cost *out, const mmc_job *job, const mmc_scale *scale, const mmc_run_data *data);

#ifdef __cplusplus
}
#endif
#endif
