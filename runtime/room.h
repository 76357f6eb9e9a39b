/* Room on the device: what a job's plan takes of it, said before the job runs, and what is missing where it does not
 * fit. Silent on backends that do not know how much is free (the CPU: the host's memory is not planned).
 *
 *     mmc_room room;
 *     MMC_TRY(mmc_room_measure(&room, be));
 *     MMC_TRY(plan(...));                                 which checks by mmc_room_check before it allocates
 *     MMC_TRY(mmc_room_report(&room, be, progress));
 */
#ifndef MMC_RUNTIME_ROOM_H
#define MMC_RUNTIME_ROOM_H

#include "runtime/backend.h"
#include "runtime/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_room {
    size_t free_bytes;
} mmc_room;

/* What is free now; 0 where that is not known. */
mmc_status mmc_room_measure(mmc_room *room, mmc_backend *be);

/* Reports what was allocated since: an event of phase "memory". `progress` may be NULL. */
mmc_status mmc_room_report(const mmc_room *room, mmc_backend *be, const mmc_progress *progress);

/* Errors: MMC_ERR_MEMORY where `bytes` more do not fit, with what is missing. */
mmc_status mmc_room_check(mmc_backend *be, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
