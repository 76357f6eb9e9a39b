/* One backend, or several of a kind on neighbouring devices (--devices).
 *
 *     mmc_backend *be, *more[MMC_PATH_MORE_MAX];
 *     MMC_TRY(mmc_devices_open(&be, more, &options, 2));     be on --device, more[0] on the one after it
 *     ...
 *     mmc_devices_close(be, more, 1);
 */
#ifndef MMC_SUITES_DEVICES_H
#define MMC_SUITES_DEVICES_H

#include "runtime/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Opens `devices` backends: `be` and devices - 1 of `more`, of be's kind. be's device is the calling thread's then.
 * Errors: those of mmc_backend_open, MMC_ERR_USAGE for several devices of the cpu; nothing is left open
 * Owns:   the caller, mmc_devices_close */
mmc_status mmc_devices_open(mmc_backend **be, mmc_backend **more, const mmc_backend_options *options, int devices);

/* NULL is fine. */
void mmc_devices_close(mmc_backend *be, mmc_backend *const *more, int more_count);

#ifdef __cplusplus
}
#endif
#endif
