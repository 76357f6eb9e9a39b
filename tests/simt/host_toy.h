// y = factor x, the kernel that the tests of the host side launch.
#ifndef MMC_TESTS_SIMT_HOST_TOY_H
#define MMC_TESTS_SIMT_HOST_TOY_H

#include <cuda_runtime_api.h>

extern "C" cudaError_t host_toy_scale(float *y, const float *x, float factor, int count, cudaStream_t stream);
#endif
