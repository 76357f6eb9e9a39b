// Backward of batch norm, residual and ReLU in two kernels (equations: mmc_unit_backward_call).
//
// batchnorm_backward_sum_kernel: per channel dbeta = sum g and dgamma = sum g xhat, g = dy where y > 0; writes
// dresidual.
//   Mapping: blockDim = (channel groups of 8, rows), 256 threads at most; block (x, y) takes a slab of pixels of its
//   channel groups, a thread every blockDim.y-th pixel. Shared memory: 32 KiB.
//   Order: at most 8 pixels are added in float, those sums in double; then a tree over the rows; the last block of a
//   channel group (a counter of the queue) adds the slabs in double, and turns the sums into four coefficients a
//   channel.
// batchnorm_backward_apply_kernel: dz = p g - q (z - mean) - r over dy, p = gamma/sqrt(var+eps), r = p dbeta/M, q = p
//   dgamma/(M sqrt(var+eps)); rounded to what the tensor cores take. Same mapping; coefficients stay in registers.
//
// Bytes per element of size e: sum 3 e (2 e without ReLU; + e for dresidual, 2 e where it is added), apply 4 e (3 e).
// FLOP per element: 4 and 4: bound by memory.
#include "kernels/cuda/backward_tile.cuh"

constexpr int GROUP = 8, THREADS = 256, SLABS = 512, GROUPS = 32, RUN = 8;

namespace {

struct batchnorm_args {
    void *dy, *dresidual;
    bool add;
    float *dgamma, *dbeta;
    const void *y, *z;
    const float *gamma, *mean, *var;
    int pixels, channels, padded, slab; // pixels of a block
    double *partial;                    // (slabs, 2, padded)
    float *coefficient;                 // (4, padded): mean, p, q, r
    unsigned *counters;
};

__device__ __forceinline__ void load8(float (&v)[GROUP], const float *p) {
    float4 a = *reinterpret_cast<const float4 *>(p), b = *reinterpret_cast<const float4 *>(p + 4);
    v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w, v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}
__device__ __forceinline__ void load8(float (&v)[GROUP], const mmc_bf16 *p) {
    uint4 a = *reinterpret_cast<const uint4 *>(p);
    v[0] = mmc_bf16_low(a.x), v[1] = mmc_bf16_high(a.x), v[2] = mmc_bf16_low(a.y), v[3] = mmc_bf16_high(a.y);
    v[4] = mmc_bf16_low(a.z), v[5] = mmc_bf16_high(a.z), v[6] = mmc_bf16_low(a.w), v[7] = mmc_bf16_high(a.w);
}
__device__ __forceinline__ void store8(float *p, const float (&v)[GROUP]) {
    *reinterpret_cast<float4 *>(p) = make_float4(v[0], v[1], v[2], v[3]);
    *reinterpret_cast<float4 *>(p + 4) = make_float4(v[4], v[5], v[6], v[7]);
}
__device__ __forceinline__ void store8(mmc_bf16 *p, const float (&v)[GROUP]) {
    uint4 a;
    a.x = mmc_to_bf16x2(v[0], v[1]), a.y = mmc_to_bf16x2(v[2], v[3]);
    a.z = mmc_to_bf16x2(v[4], v[5]), a.w = mmc_to_bf16x2(v[6], v[7]);
    *reinterpret_cast<uint4 *>(p) = a;
}

// g of 8 channels of a pixel.
template <class E> __device__ __forceinline__ void masked(float (&g)[GROUP], const batchnorm_args &a, size_t at) {
    load8(g, static_cast<const E *>(a.dy) + at);
    if (a.y) {
        float y[GROUP];
        load8(y, static_cast<const E *>(a.y) + at);
#pragma unroll
        for (int i = 0; i < GROUP; i++)
            g[i] = y[i] > 0 ? g[i] : 0;
    }
}

__device__ __forceinline__ float inverse_deviation(float var) {
    return static_cast<float>(1 / sqrt(static_cast<double>(var) + MMC_BN_EPS));
}

// Adds the rows of the block to row 0: sum[i] of thread (x, 0) becomes the sum over all y, in an order fixed by
// blockDim.
__device__ __forceinline__ void add_rows(double *shared, double (&sum)[2 * GROUP]) {
    const int width = blockDim.x, x = threadIdx.x, y = threadIdx.y;
#pragma unroll
    for (int i = 0; i < 2 * GROUP; i++)
        shared[(i * static_cast<int>(blockDim.y) + y) * width + x] = sum[i];
    for (int left = blockDim.y; left > 1;) {
        const int half = (left + 1) / 2;
        __syncthreads();
        if (y + half < left)
#pragma unroll
            for (int i = 0; i < 2 * GROUP; i++) {
                double *row = shared + (i * static_cast<int>(blockDim.y) + y) * width + x;
                *row += row[half * width];
            }
        left = half;
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 2 * GROUP; i++)
        sum[i] = shared[i * static_cast<int>(blockDim.y) * width + x];
}

template <class E> __global__ void __launch_bounds__(THREADS) batchnorm_backward_sum_kernel(batchnorm_args a) {
    __shared__ double shared[2 * GROUP * THREADS];
    __shared__ bool last;
    const int group = blockIdx.x * blockDim.x + threadIdx.x, c = group * GROUP;
    const bool inside = c < a.padded;
    const int end = min(a.pixels, static_cast<int>(blockIdx.y + 1) * a.slab);
    double sum[2 * GROUP];
#pragma unroll
    for (int i = 0; i < 2 * GROUP; i++)
        sum[i] = 0;
    if (inside) {
        float mean[GROUP], inverse[GROUP];
#pragma unroll
        for (int i = 0; i < GROUP; i++) {
            mean[i] = c + i < a.channels ? a.mean[c + i] : 0;
            inverse[i] = c + i < a.channels ? inverse_deviation(a.var[c + i]) : 0;
        }
        for (int p = blockIdx.y * a.slab + threadIdx.y; p < end;) {
            float some[2 * GROUP];
#pragma unroll
            for (int i = 0; i < 2 * GROUP; i++)
                some[i] = 0;
            for (int run = 0; run < RUN && p < end; run++, p += blockDim.y) {
                const size_t at = static_cast<size_t>(p) * a.padded + c;
                float g[GROUP], z[GROUP];
                masked<E>(g, a, at);
                load8(z, static_cast<const E *>(a.z) + at);
#pragma unroll
                for (int i = 0; i < GROUP; i++) {
                    some[i] += g[i];
                    some[GROUP + i] += g[i] * ((z[i] - mean[i]) * inverse[i]);
                }
                if (a.dresidual) {
                    E *out = static_cast<E *>(a.dresidual) + at;
                    if (a.add) {
                        float before[GROUP];
                        load8(before, out);
#pragma unroll
                        for (int i = 0; i < GROUP; i++)
                            g[i] += before[i];
                    }
                    store8(out, g);
                }
            }
#pragma unroll
            for (int i = 0; i < 2 * GROUP; i++)
                sum[i] += some[i];
        }
    }
    add_rows(shared, sum);
    if (inside && threadIdx.y == 0) {
        double *out = a.partial + static_cast<size_t>(blockIdx.y) * 2 * a.padded + c;
#pragma unroll
        for (int i = 0; i < 2 * GROUP; i++)
            out[i / GROUP * a.padded + i % GROUP] = sum[i];
    }
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0 && threadIdx.y == 0)
        last = atomicAdd(&a.counters[blockIdx.x], 1u) == gridDim.y - 1;
    __syncthreads();
    if (!last)
        return;
    __threadfence();
#pragma unroll
    for (int i = 0; i < 2 * GROUP; i++)
        sum[i] = 0;
    if (inside)
        for (int slab = threadIdx.y; slab < static_cast<int>(gridDim.y); slab += blockDim.y) {
            const double *in = a.partial + static_cast<size_t>(slab) * 2 * a.padded + c;
#pragma unroll
            for (int i = 0; i < 2 * GROUP; i++)
                sum[i] += in[i / GROUP * a.padded + i % GROUP];
        }
    add_rows(shared, sum);
    if (threadIdx.x == 0 && threadIdx.y == 0)
        a.counters[blockIdx.x] = 0;
    if (!inside || threadIdx.y)
        return;
#pragma unroll
    for (int i = 0; i < GROUP; i++) {
        const bool real = c + i < a.channels;
        double p = 0, inverse = 0;
        if (real) {
            a.dbeta[c + i] = static_cast<float>(sum[i]);
            a.dgamma[c + i] = static_cast<float>(sum[GROUP + i]);
            inverse = 1 / sqrt(static_cast<double>(a.var[c + i]) + MMC_BN_EPS);
            p = a.gamma[c + i] * inverse;
        }
        a.coefficient[c + i] = real ? a.mean[c + i] : 0;
        a.coefficient[a.padded + c + i] = static_cast<float>(p);
        a.coefficient[2 * a.padded + c + i] = static_cast<float>(p * inverse * sum[GROUP + i] / a.pixels);
        a.coefficient[3 * a.padded + c + i] = static_cast<float>(p * sum[i] / a.pixels);
    }
}

template <int PRECISION> __global__ void __launch_bounds__(THREADS) batchnorm_backward_apply_kernel(batchnorm_args a) {
    typedef typename mmc_element<PRECISION>::type E;
    const int c = (blockIdx.x * blockDim.x + threadIdx.x) * GROUP;
    if (c >= a.padded)
        return;
    float mean[GROUP], p[GROUP], q[GROUP], r[GROUP];
    load8(mean, a.coefficient + c);
    load8(p, a.coefficient + a.padded + c);
    load8(q, a.coefficient + 2 * a.padded + c);
    load8(r, a.coefficient + 3 * a.padded + c);
    const int end = min(a.pixels, static_cast<int>(blockIdx.y + 1) * a.slab);
    for (int pixel = blockIdx.y * a.slab + threadIdx.y; pixel < end; pixel += blockDim.y) {
        const size_t at = static_cast<size_t>(pixel) * a.padded + c;
        float g[GROUP], z[GROUP];
        masked<E>(g, a, at);
        load8(z, static_cast<const E *>(a.z) + at);
#pragma unroll
        for (int i = 0; i < GROUP; i++) {
            g[i] = (p[i] * g[i] - q[i] * (z[i] - mean[i])) - r[i];
            if (PRECISION == MMC_CUDA_TF32)
                g[i] = __uint_as_float(mmc_to_tf32(g[i]));
        }
        store8(static_cast<E *>(a.dy) + at, g);
    }
}

// Rows of a block and pixels of a slab follow from the shape alone.
dim3 block_of(int channels) {
    int groups = mmc_cuda_pad(channels) / GROUP;
    int width = groups < GROUPS ? groups : GROUPS;
    return dim3(width, THREADS / width);
}
int slab_of(int pixels, int rows) {
    int slab = (pixels + SLABS - 1) / SLABS;
    return slab > 4 * rows ? slab : 4 * rows;
}

} // namespace

extern "C" size_t mmc_cuda_batchnorm_backward_workspace_size(int pixels, int channels) {
    size_t padded = mmc_cuda_pad(channels);
    const int most = pixels / (4 * static_cast<int>(block_of(channels).y)) + 1;
    const size_t slabs = most < SLABS ? most : SLABS;
    return (slabs * 2 * sizeof(double) + 4 * sizeof(float)) * padded;
}

extern "C" cudaError_t mmc_cuda_batchnorm_backward(const mmc_cuda_batchnorm_backward_call *call, cudaStream_t stream) {
    const dim3 block = block_of(call->channels);
    const int padded = mmc_cuda_pad(call->channels), slab = slab_of(call->pixels, block.y);
    const dim3 grid((padded / GROUP + block.x - 1) / block.x, (call->pixels + slab - 1) / slab);
    double *partial = static_cast<double *>(call->workspace);
    const batchnorm_args a = {call->dz,
                              call->dresidual,
                              call->dresidual_add,
                              call->dgamma,
                              call->dbeta,
                              call->y,
                              call->z,
                              call->gamma,
                              call->mean,
                              call->var,
                              call->pixels,
                              call->channels,
                              padded,
                              slab,
                              partial,
                              reinterpret_cast<float *>(partial + static_cast<size_t>(grid.y) * 2 * padded),
                              call->counters};
    if (call->precision == MMC_CUDA_BF16)
        MMC_LAUNCH((batchnorm_backward_sum_kernel<mmc_bf16>), grid, block, 0, stream, a);
    else
        MMC_LAUNCH((batchnorm_backward_sum_kernel<float>), grid, block, 0, stream, a);
    cudaError_t error = cudaGetLastError();
    if (error != cudaSuccess)
        return error;
    if (call->precision == MMC_CUDA_BF16)
        MMC_LAUNCH((batchnorm_backward_apply_kernel<MMC_CUDA_BF16>), grid, block, 0, stream, a);
    else if (call->precision == MMC_CUDA_TF32)
        MMC_LAUNCH((batchnorm_backward_apply_kernel<MMC_CUDA_TF32>), grid, block, 0, stream, a);
    else
        MMC_LAUNCH((batchnorm_backward_apply_kernel<MMC_CUDA_FP32>), grid, block, 0, stream, a);
    return cudaGetLastError();
}
