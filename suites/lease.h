/* A lease on an artifact: which process is making it (INTERFACE, "Several processes, one run directory").
 *
 * The lease is the file `claim` in the artifact's folder, created exclusively, holding host, process and a token; its
 * modification time is the heartbeat, renewed by a thread. A claim that was silent for two minutes, or whose process
 * is known to be gone, is taken over. Takeovers are serialised by a lock file, so two waiting processes cannot both
 * win.
 *
 *     mmc_lease *lease;
 *     MMC_TRY(mmc_lease_take(&lease, "run/artifacts/0123456789abcdef", "run/artifacts/claims.lock"));
 *     if (lease) { ... mmc_lease_release(lease); }        NULL: another process is at work
 */
#ifndef MMC_SUITES_LEASE_H
#define MMC_SUITES_LEASE_H

#include "runtime/status.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MMC_LEASE_SILENT_S 120.0 /* a claim this long without heartbeat is nobody's */
#define MMC_LEASE_BEAT_S 10.0

typedef struct mmc_lease mmc_lease;

/* Takes the claim of `folder` (which exists); *out is NULL when another process holds it. `lock`: one lock file for
 * all artifacts of a run directory.
 * Errors: MMC_ERR_IO, MMC_ERR_MEMORY. Owns: the caller, mmc_lease_release. */
mmc_status mmc_lease_take(mmc_lease **out, const char *folder, const char *lock);

/* Whether the claim is still this process's (another may have taken it over while this one was stopped). */
bool mmc_lease_held(const mmc_lease *lease);

/* Gives the claim back; one that was lost is left alone. NULL is fine. */
void mmc_lease_release(mmc_lease *lease);

#ifdef __cplusplus
}
#endif
#endif
