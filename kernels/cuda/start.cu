// The first kernel of a queue: sets what operations expect to be zero. That it runs shows that this build has code for
// the device.
//
// Mapping: one thread an element of `counters`; 4 bytes written an element, no arithmetic, no shared memory.
#include "kernels/cuda/compat.cuh"

#include "kernels/cuda/start.h"

namespace {

enum { BLOCK = 256 };

__global__ void __launch_bounds__(BLOCK) start_kernel(unsigned *counters, int count, unsigned *fault) {
    const int i = static_cast<int>(blockIdx.x) * BLOCK + static_cast<int>(threadIdx.x);
    if (i < count)
        counters[i] = 0;
    if (i == 0)
        *fault = 0;
}

} // namespace

extern "C" cudaError_t mmc_cuda_start(unsigned *counters, int count, unsigned *fault, cudaStream_t stream) {
    MMC_LAUNCH(start_kernel, dim3((count + BLOCK - 1) / BLOCK), dim3(BLOCK), 0, stream, counters, count, fault);
    return cudaGetLastError();
}
