/* Recorded steps: work that comes again with the same shapes and addresses is recorded once and then launched as a
 * whole (mmc_graph_ops in runtime/backend.h), so that a step costs one launch instead of one a kernel.
 *
 *     mmc_recording_key key = {.kind = PASS, .shape = {n, sets}, .address = {state, store->natural}};
 *     MMC_TRY(mmc_recordings_run(&net->recordings, net->be, &key, pass_body, net));
 *
 * The first time a step is run as it is, so that whatever its operations choose or prepare once is done; the second
 * time it is recorded and launched; from then on it is launched. A key holds all that the body's operations are given
 * (shapes, addresses, settings): another value makes another recording. Contents of device memory may change freely.
 */
#ifndef MMC_RUNTIME_RECORDING_H
#define MMC_RUNTIME_RECORDING_H

#include "runtime/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_RECORDINGS = 16, MMC_RECORDING_SHAPE = 4, MMC_RECORDING_ADDRESSES = 4 };

typedef struct mmc_recording_key {
    int kind;
    int shape[MMC_RECORDING_SHAPE];
    const void *address[MMC_RECORDING_ADDRESSES];
} mmc_recording_key;

typedef struct mmc_recording {
    mmc_recording_key key;
    mmc_graph *graph; /* NULL: seen once, not yet recorded */
    uint64_t used;    /* time of the last use; 0: free entry */
} mmc_recording;

/* Zeroed struct is empty. Where all entries are taken the one unused for longest makes room. */
typedef struct mmc_recordings {
    mmc_recording entry[MMC_RECORDINGS];
    uint64_t clock;
} mmc_recordings;

/* Enqueues the step; it may not allocate, upload, download or wait. */
typedef mmc_status (*mmc_recording_body)(void *user);

/* Runs, records or launches the step that `key` stands for; always runs it where the backend records nothing.
 * Errors: the body's, the backend's; a failed recording leaves nothing behind. */
mmc_status mmc_recordings_run(mmc_recordings *recordings, mmc_backend *be, const mmc_recording_key *key,
                              mmc_recording_body body, void *user);

/* Waits for the work in hand and frees what was recorded. */
void mmc_recordings_close(mmc_recordings *recordings, mmc_backend *be);

#ifdef __cplusplus
}
#endif
#endif
