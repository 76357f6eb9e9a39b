#include "suites/devices.h"

#include <string.h>

mmc_status mmc_devices_open(mmc_backend **be, mmc_backend **more, const mmc_backend_options *options, int devices) {
    mmc_backend_options next = *options;
    int count = 0;
    *be = NULL;
    MMC_TRY(mmc_backend_open(be, options));
    mmc_status status = MMC_OK;
    if (devices > 1 && strcmp((*be)->name, "cuda") != 0)
        MMC_GOTO(fail, mmc_fail(MMC_ERR_USAGE, "--devices %d: backend %s has one device%s%s", devices, (*be)->name,
                                *(*be)->why ? "; " : "", (*be)->why));
    next.backend = (*be)->name;
    for (; count < devices - 1; count++) {
        next.device++;
        MMC_GOTO(fail, mmc_backend_open(&more[count], &next));
    }
    MMC_GOTO(fail, mmc_backend_select(*be));
    return MMC_OK;
fail:
    mmc_devices_close(*be, more, count);
    *be = NULL;
    return status;
}

void mmc_devices_close(mmc_backend *be, mmc_backend *const *more, int more_count) {
    for (int i = 0; i < more_count; i++)
        mmc_backend_close(more[i]);
    mmc_backend_close(be);
}
