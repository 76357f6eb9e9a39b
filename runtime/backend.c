/* Choice of the backend by name. */
#include "runtime/backend.h"

#include "runtime/backend_cpu.h"
#include "runtime/backend_cuda.h"

#include <stdio.h>
#include <string.h>

static bool is_any_of(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (name && strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* cuda where a device can be used and nothing else that was asked for belongs to the CPU. */
static mmc_status open_auto(mmc_backend **out, const mmc_backend_options *options) {
    static const char *const cpu_providers[] = {"onednn", "reference"};
    static const char *const cuda_only[] = {"cudnn", "tf32", "bf16"};
    const bool cpu_asked = is_any_of(options->provider, cpu_providers, 2);
    const bool cuda_asked =
        is_any_of(options->provider, cuda_only, 1) || is_any_of(options->precision, cuda_only + 1, 2);
    if (cpu_asked || (!cuda_asked && mmc_backend_cuda_usable(options->device) != MMC_OK)) {
        char why[sizeof(*out)->why];
        snprintf(why, sizeof why, "%.*s", (int)sizeof why - 1,
                 cpu_asked ? "the provider asked for computes on the CPU" : mmc_error_message());
        MMC_TRY(mmc_backend_cpu_open(out, options));
        memcpy((*out)->why, why, sizeof why);
        return MMC_OK;
    }
    return mmc_backend_cuda_open(out, options);
}

mmc_status mmc_backend_open(mmc_backend **out, const mmc_backend_options *options) {
    *out = NULL;
    const char *name = options->backend ? options->backend : "auto";
    if (strcmp(name, "auto") == 0)
        return open_auto(out, options);
    if (strcmp(name, "cpu") == 0)
        return mmc_backend_cpu_open(out, options);
    if (strcmp(name, "cuda") == 0)
        return mmc_backend_cuda_open(out, options);
    return mmc_fail(MMC_ERR_USAGE, "backend '%s' is not known; known are: auto, cpu, cuda", name);
}

mmc_status mmc_backend_select(mmc_backend *be) {
    return mmc_backend_cuda_select(be);
}

void mmc_backend_close(mmc_backend *be) {
    if (be)
        be->close(be);
}
