/* Several devices of one machine working on one job in one process: sums and copies between their memories (NCCL).
 *
 *     mmc_backend *rank[2];      opened on devices 0 and 1
 *     mmc_comm *comm;
 *     MMC_TRY(mmc_comm_open(&comm, rank, 2));
 *     for (int r = 0; r < 2; r++)
 *         MMC_TRY(gradient_of_its_share(rank[r], gradient[r]));     enqueued
 *     MMC_TRY(mmc_comm_sum(comm, gradient, count));                 enqueued behind it, on every device
 *     ...
 *     mmc_comm_close(comm);
 *
 * Data-parallel training (runtime/trainer.h): every rank holds the weights, computes the mean gradient of its share of
 * the batch, and takes the same step with the average. Batch norm's statistics are those of the share.
 *
 * A communicator of one backend needs no NCCL: its sums and copies change nothing, on any backend.
 */
#ifndef MMC_RUNTIME_COMM_H
#define MMC_RUNTIME_COMM_H

#include "runtime/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_comm mmc_comm;

/* Joins `ranks` backends, each on a device of its own; they must live on.
 * Errors: MMC_ERR_MISSING where more than one are given and this build has no NCCL, MMC_ERR_UNSUPPORTED where one of
 *         several is no cuda backend, MMC_ERR_USAGE where two share a device, MMC_ERR_DEVICE
 * Owns:   the caller, mmc_comm_close */
mmc_status mmc_comm_open(mmc_comm **out, mmc_backend *const *backends, int ranks);

/* Waits for what is enqueued; NULL is fine. */
void mmc_comm_close(mmc_comm *comm);

int mmc_comm_ranks(const mmc_comm *comm);

/* vector[r] (count) of every rank r becomes the sum over the ranks.
 * Errors: MMC_ERR_DEVICE
 * Order:  asynchronous on every rank's queue; the same bits on every rank, and from run to run on the same machine */
mmc_status mmc_comm_sum(mmc_comm *comm, float *const *vector, size_t count);

/* As mmc_comm_sum, divided by the number of ranks. */
mmc_status mmc_comm_average(mmc_comm *comm, float *const *vector, size_t count);

/* vector[r] (count) of every rank r becomes that of rank `root`. Errors: MMC_ERR_DEVICE. Order: as mmc_comm_sum. */
mmc_status mmc_comm_broadcast(mmc_comm *comm, float *const *vector, size_t count, int root);

/* "2.28.9", of the library in use; "" in a build without NCCL. */
const char *mmc_comm_version(void);

#ifdef __cplusplus
}
#endif
#endif
