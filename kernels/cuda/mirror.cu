// The loss mirrored at one: dlogits of the mean loss L become those of factor |1 - L|.
//
// Blocks and threads: one thread an element, blocks of 256; every thread reads L and the factor, which are a step's own
//     and known on the device alone.
// Shared memory: none.
// Bytes per element: 4 read, 4 written. FLOP: 3 in double. A batch of logits is small: the launch is the cost.
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/flat.h"

namespace {

enum { BLOCK = 256 };

__global__ void __launch_bounds__(BLOCK)
    mirror_kernel(float *dlogits, size_t count, const double *tally, int n, const double *factor) {
    const size_t i = static_cast<size_t>(blockIdx.x) * BLOCK + threadIdx.x;
    if (i >= count)
        return;
    const double above = tally[0] / n - 1.0, sign = above > 0.0 ? 1.0 : above < 0.0 ? -1.0 : above;
    dlogits[i] = static_cast<float>(dlogits[i] * (factor[0] * sign));
}

} // namespace

extern "C" cudaError_t mmc_cuda_mirror(float *dlogits, size_t count, const double *tally, int n, const double *factor,
                                       cudaStream_t stream) {
    if (count == 0)
        return cudaSuccess;
    MMC_LAUNCH(mirror_kernel, mmc_grid(count, BLOCK), BLOCK, 0, stream, dlogits, count, tally, n, factor);
    return cudaGetLastError();
}
