/* The CUDA backend behind runtime/backend.h: one device, one stream, own kernels or cuDNN's convolutions.
 *
 *     if (mmc_backend_cuda_usable(0) == MMC_OK)
 *         MMC_TRY(mmc_backend_cuda_open(&be, &options));
 *
 * One host thread at a time; the thread that opens a backend has its device current. A program with several devices
 * calls mmc_backend_cuda_select before it turns from one backend to another.
 */
#ifndef MMC_RUNTIME_BACKEND_CUDA_H
#define MMC_RUNTIME_BACKEND_CUDA_H

#include "runtime/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Opens a device with a precision (tf32 unless said otherwise) and a provider (own unless said otherwise).
 * Errors: as mmc_backend_open. Owns: the caller, mmc_backend_close. */
mmc_status mmc_backend_cuda_open(mmc_backend **out, const mmc_backend_options *options);

/* Whether device `index` can be used: there is a driver that is new enough, the device exists and has compute
 * capability 8.0 or more. Errors: MMC_ERR_MISSING, MMC_ERR_UNSUPPORTED or MMC_ERR_DEVICE, with what to do. */
mmc_status mmc_backend_cuda_usable(int index);

/* Devices of this machine; 0 also where no driver is there or the build has no CUDA. */
int mmc_backend_cuda_count(void);

/* "NVIDIA H100 80GB HBM3, sm_90, 132 multiprocessors, 79.6 GB, 50 MB L2". Errors: MMC_ERR_DEVICE. */
mmc_status mmc_backend_cuda_describe(char *out, size_t size, int index);

/* What this build has: "cuda 13.0 (driver 13.0), cudnn 9.19.0"; "" in a build without CUDA. */
void mmc_backend_cuda_libraries(char *out, size_t size);

/* Makes the backend's device the calling thread's. Does nothing for other backends. */
mmc_status mmc_backend_cuda_select(mmc_backend *be);

#ifdef __cplusplus
}
#endif
#endif
