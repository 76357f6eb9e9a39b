/* Finding a device that can be used, and saying why one cannot. */
#include "kernels/cudnn/cudnn.h"
#include "runtime/backend_cuda.h"
#include "runtime/backend_cuda/state.h"

#include <stdio.h>

/* CUDA's versions are 1000 major + 10 minor. */
enum { MAJOR = 1000, MINOR = 10 };

static mmc_status check_driver(void) {
    int driver = 0, runtime = 0;
    MMC_CUDA(cudaDriverGetVersion(&driver));
    MMC_CUDA(cudaRuntimeGetVersion(&runtime));
    if (driver == 0)
        return mmc_fail(MMC_ERR_MISSING, "backend cuda: no NVIDIA driver is installed (libcuda.so.1 was not found); "
                                         "install it, or use --backend cpu");
    if (driver / MAJOR < runtime / MAJOR)
        return mmc_fail(MMC_ERR_MISSING,
                        "backend cuda: the driver supports CUDA %d.%d, this build needs %d.x; update the driver, build "
                        "with an older toolkit, or use --backend cpu",
                        driver / MAJOR, driver % MAJOR / MINOR, runtime / MAJOR);
    return MMC_OK;
}

mmc_status mmc_cuda_device_find(struct cudaDeviceProp *out, int index) {
    MMC_TRY(check_driver());
    int count = 0;
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) {
        (void)cudaGetLastError();
        return mmc_fail(MMC_ERR_MISSING,
                        "backend cuda: there is a driver, but no device (CUDA_VISIBLE_DEVICES may hide "
                        "it; in a container: --gpus all); or use --backend cpu");
    }
    MMC_CUDA(error);
    if (index < 0 || index >= count)
        return mmc_fail(MMC_ERR_MISSING, "--device %d: this machine has %d CUDA device%s, numbered from 0", index,
                        count, count == 1 ? "" : "s");
    MMC_CUDA(cudaGetDeviceProperties(out, index));
    if (10 * out->major + out->minor < MMC_CUDA_CAPABILITY_MIN)
        return mmc_fail(MMC_ERR_UNSUPPORTED,
                        "--device %d: %s has compute capability %d.%d; the kernels need 8.0 (Ampere) or newer; choose "
                        "another device or use --backend cpu",
                        index, out->name, out->major, out->minor);
    return MMC_OK;
}

mmc_status mmc_backend_cuda_usable(int index) {
    struct cudaDeviceProp properties;
    return mmc_cuda_device_find(&properties, index);
}

int mmc_backend_cuda_count(void) {
    int count = 0;
    if (check_driver() != MMC_OK || cudaGetDeviceCount(&count) != cudaSuccess) {
        (void)cudaGetLastError();
        return 0;
    }
    return count;
}

mmc_status mmc_backend_cuda_describe(char *out, size_t size, int index) {
    struct cudaDeviceProp p;
    MMC_CUDA(cudaGetDeviceProperties(&p, index));
    snprintf(out, size, "%s, sm_%d%d, %d multiprocessors, %.1f GB, %.0f MB L2", p.name, p.major, p.minor,
             p.multiProcessorCount, (double)p.totalGlobalMem / 1e9, (double)p.l2CacheSize / 1e6);
    return MMC_OK;
}

void mmc_backend_cuda_libraries(char *out, size_t size) {
    int driver = 0, runtime = 0;
    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    char of_driver[32] = "no driver";
    if (driver)
        snprintf(of_driver, sizeof of_driver, "driver %d.%d", driver / MAJOR, driver % MAJOR / MINOR);
    snprintf(out, size, "cuda %d.%d (%s)%s%s", runtime / MAJOR, runtime % MAJOR / MINOR, of_driver,
             *mmc_cudnn_version() ? "; cudnn " : "", mmc_cudnn_version());
}

mmc_status mmc_backend_cuda_select(mmc_backend *be) {
    if (be->memory == mmc_cuda_memory_ops())
        MMC_CUDA(cudaSetDevice(be->queue->device));
    return MMC_OK;
}
