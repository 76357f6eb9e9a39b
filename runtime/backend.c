/* Choice of the backend by name. */
#include "runtime/backend.h"

#include "runtime/backend_cpu.h"

#include <string.h>

mmc_status mmc_backend_open(mmc_backend **out, const mmc_backend_options *options) {
    *out = NULL;
    const char *name = options->backend ? options->backend : "auto";
    if (strcmp(name, "auto") == 0 || strcmp(name, "cpu") == 0)
        return mmc_backend_cpu_open(out, options);
    if (strcmp(name, "cuda") == 0)
        return mmc_fail(MMC_ERR_MISSING, "backend cuda: this build has no CUDA backend; use --backend cpu");
    return mmc_fail(MMC_ERR_USAGE, "backend '%s' is not known; known are: auto, cpu, cuda", name);
}

void mmc_backend_close(mmc_backend *be) {
    if (be)
        be->close(be);
}
