/* Outputs that are put off until they are read (kernels/unit.h): notes of a queue, under the address of the output.
 *
 *     mmc_cuda_deferral_drop(queue, out->data);     before any activation is written
 *     MMC_TRY(mmc_cuda_settle(queue, in));          before a kernel reads one that cannot normalise on the way
 *     MMC_TRY(mmc_cuda_source_of(queue, &source, x, true));   where it can
 *
 * A note is made when work is enqueued, so notes and the work of the queue have the same order, recorded or not.
 */
#ifndef MMC_KERNELS_CUDA_DEFERRAL_H
#define MMC_KERNELS_CUDA_DEFERRAL_H

#include "kernels/cuda/conv.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Notes that deferral->y is put off, in place of an earlier note of that address.
 * Errors: MMC_ERR_DEVICE where all MMC_CUDA_DEFERRALS notes are taken. */
mmc_status mmc_cuda_deferral_note(mmc_queue *queue, const mmc_cuda_deferral *deferral);

/* Forgets what is noted of the activation at y: it has been, or is about to be, written as a whole. */
void mmc_cuda_deferral_drop(mmc_queue *queue, const void *y);

/* Forgets all notes of outputs in [base, base + bytes): that memory is given back. */
void mmc_cuda_deferral_forget(mmc_queue *queue, const void *base, size_t bytes);

/* Computes an activation that is put off; nothing to do for any other. */
mmc_status mmc_cuda_settle(mmc_queue *queue, const mmc_activation *activation);

/* How a convolution reads x. A put-off x is normalised on the way; with `stores` the reader also writes y where z and y
 * are different memory, and x is final from then on. Without it, such an x is settled here. */
mmc_status mmc_cuda_source_of(mmc_queue *queue, mmc_cuda_source *out, const mmc_activation *x, bool stores);

#ifdef __cplusplus
}
#endif
#endif
