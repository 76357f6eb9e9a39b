/* What stands in for the CUDA backend in a build without CUDA. */
#include "runtime/backend_cuda.h"

mmc_status mmc_backend_cuda_usable(int index) {
    (void)index;
    return mmc_fail(MMC_ERR_MISSING, "backend cuda: this build has no CUDA backend; install the CUDA toolkit and "
                                     "configure with -DMMC_CUDA=ON, or use --backend cpu");
}

mmc_status mmc_backend_cuda_open(mmc_backend **out, const mmc_backend_options *options) {
    *out = NULL;
    return mmc_backend_cuda_usable(options->device);
}

int mmc_backend_cuda_count(void) {
    return 0;
}

mmc_status mmc_backend_cuda_describe(char *out, size_t size, int index) {
    if (size)
        *out = '\0';
    return mmc_backend_cuda_usable(index);
}

void mmc_backend_cuda_libraries(char *out, size_t size) {
    if (size)
        *out = '\0';
}

mmc_status mmc_backend_cuda_select(mmc_backend *be) {
    (void)be;
    return MMC_OK;
}
