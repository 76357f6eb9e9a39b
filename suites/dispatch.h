/* Which job next: claims, order, waiting for other processes, failures.
 *
 *     MMC_TRY(mmc_plan_dispatch(&execution, &plan));
 *     plan.jobs[i].state ...
 */
#ifndef MMC_SUITES_DISPATCH_H
#define MMC_SUITES_DISPATCH_H

#include "suites/execute.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Does the jobs whose artifacts are not there, inputs first, this shard's own before others'; waits where one of its
 * own hangs on a job that another process holds. A failed job fails those that need it; all others go on. On return
 * each job is DONE, FAILED, or PENDING (in the hands of other shards).
 * Errors: MMC_ERR_INTERRUPTED, MMC_ERR_IO (the run directory cannot be written). */
mmc_status mmc_plan_dispatch(const mmc_execution *x, mmc_plan *plan);

#ifdef __cplusplus
}
#endif
#endif
