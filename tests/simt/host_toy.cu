// The kernels of the tests of the host side.
#include "kernels/cuda/compat.cuh"

#include "tests/simt/host_toy.h"

__global__ void scale_kernel(float *y, const float *x, float factor, int count) {
    int i = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < count)
        y[i] = factor * x[i];
}

extern "C" cudaError_t host_toy_scale(float *y, const float *x, float factor, int count, cudaStream_t stream) {
    MMC_LAUNCH(scale_kernel, dim3(unsigned(count + 127) / 128), dim3(128), 0, stream, y, x, factor, count);
    return cudaGetLastError();
}
