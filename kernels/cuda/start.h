/* The first kernel of a queue.
 *
 *     MMC_CUDA(mmc_cuda_start(q->counters, MMC_CUDA_COUNTERS, q->fault, q->stream));
 */
#ifndef MMC_KERNELS_CUDA_START_H
#define MMC_KERNELS_CUDA_START_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* counters[0..count) and *fault become zero.
 * Errors: cudaErrorNoKernelImageForDevice and its like where the build has no code for the device. */
cudaError_t mmc_cuda_start(unsigned *counters, int count, unsigned *fault, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
