// Small kernels with seeded faults (toy.h): what the emulator has to catch, and the correct forms it has to let pass.
#include "kernels/cuda/compat.cuh"
#include "tests/simt/toy.h"

__global__ void toy_scale_kernel(float *y, const float *x, float factor, int n, int fault) {
    int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (fault == 1 && i <= n) {
        y[i] = 0.0f;
    }
    if (fault == 2) {
        y[i / 300] = factor;
        return;
    }
    if (fault == 3 && i == 0) {
        *reinterpret_cast<float4 *>(y + 1) = make_float4(1, 2, 3, 4);
    }
    if (i < n) {
        y[i] = factor * __ldg(x + i);
    }
}

template <int T>
__global__ void __launch_bounds__(T *T)
    toy_product_kernel(float *c, const float *a, const float *b, int m, int n, int k, int fault) {
    __shared__ float as[T][T];
    __shared__ float bs[T][T + 1];
    int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
    int row = static_cast<int>(blockIdx.y) * T + ty, column = static_cast<int>(blockIdx.x) * T + tx;
    float sum = 0;
    for (int k0 = 0; k0 < k; k0 += T) {
        as[ty + (fault == 4)][tx] = row < m && k0 + tx < k ? a[row * k + k0 + tx] : 0.0f;
        if (fault != 3 || ty) {
            bs[ty][tx] = k0 + ty < k && column < n ? b[(k0 + ty) * n + column] : 0.0f;
        }
        if (fault != 1) {
            __syncthreads();
        }
        for (int i = 0; i < T; i++) {
            sum += as[ty][i] * bs[i][tx];
        }
        if (fault != 2) {
            __syncthreads();
        }
    }
    if (row < m && column < n) {
        c[row * n + column] = sum;
    }
}

__global__ void toy_reduce_kernel(float *sums, const float *x, int n, int fault) {
    MMC_DYN_SHARED(float, part);
    int t = static_cast<int>(threadIdx.x), w = t / 32, lane = t % 32, threads = static_cast<int>(blockDim.x);
    float v = 0;
    for (int i = static_cast<int>(blockIdx.x) * threads + t; i < n; i += static_cast<int>(gridDim.x) * threads) {
        v += x[i];
    }
    if (fault == 4 && lane >= 16) {
        return;
    }
    if (fault == 5 && lane >= 16) {
        __syncthreads();
        return;
    }
    for (int d = 16; d; d /= 2) {
        v += __shfl_down_sync(~0u, v, static_cast<unsigned>(d));
    }
    if (lane == 0) {
        part[fault == 3 ? w + 25 : w] = v;
    }
    if (fault != 1) {
        __syncthreads();
    }
    if (w) {
        return;
    }
    if (lane >= threads / 32) {
        part[lane] = 0;
    }
    for (int d = 16; d; d /= 2) {
        if (fault != 2) {
            __syncwarp();
        } else {
            v = __shfl_xor_sync(~0u, v, 0); // keeps the lanes in step but orders no memory
        }
        float other = lane < d ? part[lane + d] : 0.0f;
        if (lane < d) {
            part[lane] += other;
        }
    }
    if (lane == 0) {
        sums[blockIdx.x] = part[0];
    }
}

__global__ void toy_pipeline_kernel(float *y, const float *x, int n, int tiles, int fault) {
    __shared__ __align__(16) float tile[2][512];
    int t = static_cast<int>(threadIdx.x), start = static_cast<int>(blockIdx.x) * tiles * 512;
    auto load = [&](int i) {
        int at = start + i * 512 + t * 4, left = n - at;
        int bytes = left >= 4 ? 16 : left > 0 ? left * 4 : 0;
        float *to = &tile[i % 2][t * 4];
        mmc_cp_async16(fault == 5 ? to + 1 : to, fault == 6 ? x + at + 1 : x + at, bytes);
        mmc_cp_commit();
    };
    load(0);
    for (int i = 0; i < tiles; i++) {
        if (i + 1 < tiles) {
            load(i + 1);
            if (fault != 1) {
                mmc_cp_wait<1>();
            }
        } else if (fault != 4) {
            mmc_cp_wait<0>();
        } else {
            return;
        }
        if (fault != 2) {
            __syncthreads();
        }
        for (int j = t; j < 512; j += 128) {
            y[start + i * 512 + j] = 2 * tile[i % 2][j] + tile[i % 2][511 - j];
        }
        if (fault != 3) {
            __syncthreads();
        }
    }
}

__global__ void toy_mma_tf32_kernel(float *d, const float *a, const float *b, int k, int fault) {
    int lane = static_cast<int>(threadIdx.x), g = lane / 4, q = lane % 4;
    float acc[4];
    for (int i = 0; i < 4; i++) {
        acc[i] = d[(g + i / 2 * 8) * 8 + 2 * q + i % 2];
    }
    for (int k0 = 0; k0 < k; k0 += 8) {
        uint32_t fa[4], fb[2];
        for (int i = 0; i < 4; i++) {
            int row = g + (fault == 1 ? i / 2 : i % 2) * 8;
            fa[i] = mmc_to_tf32(a[row * k + k0 + q + i / 2 * 4]);
        }
        for (int i = 0; i < 2; i++) {
            fb[i] = mmc_to_tf32(b[g * k + k0 + q + 4 * i]);
        }
        mmc_mma_m16n8k8_tf32(acc, fa, fb);
    }
    for (int i = 0; i < 4; i++) {
        d[(g + i / 2 * 8) * 8 + 2 * q + i % 2] = acc[i];
    }
}

__global__ void toy_mma_bf16_kernel(float *d, const uint16_t *a, const uint16_t *b, int k, int fault) {
    __shared__ __align__(16) uint16_t as[16][24]; // 16 and some bytes apart, as against bank conflicts
    __shared__ __align__(16) uint16_t bs[32][8];
    int lane = static_cast<int>(threadIdx.x), g = lane / 4, q = lane % 4;
    float acc[4];
    for (int i = 0; i < 4; i++) {
        acc[i] = d[(g + i / 2 * 8) * 8 + 2 * q + i % 2];
    }
    for (int k0 = 0; k0 < k; k0 += 16) {
        for (int i = lane; i < 16 * 16; i += 32) {
            as[i / 16][i % 16] = a[i / 16 * k + k0 + i % 16];
        }
        for (int i = lane; i < 32 * 8; i += 32) {
            bs[i / 8][i % 8] = i / 8 < 16 ? b[(k0 + i / 8) * 8 + i % 8] : static_cast<uint16_t>(0);
        }
        if (fault != 3) {
            __syncthreads();
        }
        uint32_t fa[4], fb[4];
        mmc_ldmatrix_x4(fa, &as[lane % 16][lane / 16 * 8 + (fault == 2)]);
        mmc_ldmatrix_x4_trans(fb, &bs[lane][0]);
        uint32_t pair[2] = {fb[0], fb[fault == 1 ? 2 : 1]};
        mmc_mma_m16n8k16_bf16(acc, fa, pair);
        __syncthreads();
    }
    for (int i = 0; i < 4; i++) {
        d[(g + i / 2 * 8) * 8 + 2 * q + i % 2] = acc[i];
    }
}

__global__ void toy_total_kernel(float *sum, float *part, unsigned *arrived, int fault) {
    __shared__ bool last;
    part[blockIdx.x * blockDim.x + threadIdx.x] = static_cast<float>(blockIdx.x + 1);
    __syncthreads();
    if (threadIdx.x == 0) {
        if (fault != 1) {
            __threadfence();
        }
        last = atomicInc(arrived, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last || threadIdx.x) {
        return;
    }
    float v = 0;
    for (unsigned i = 0; i < gridDim.x * blockDim.x; i++) {
        v += part[i];
    }
    *sum = v;
}

__global__ void toy_misc_kernel(float *y, const float *x, int n, int fault) {
    __shared__ float s[64];
    int t = static_cast<int>(threadIdx.x);
    s[t] = t < n ? x[t] : 0.0f;
    if (fault == 1) {
        if (t < 32) {
            s[t] += 1;
            __syncthreads();
            y[t] = s[t];
        } else {
            __syncthreads();
            y[t] = 2 * s[t];
        }
        return;
    }
    if (fault == 2 && t == n - 1) {
        s[t + 1] = 0;
    }
    if (fault == 3 && t == n - 1) {
        float *p = s;
        asm("" : "+r"(p)); // the compiler no longer knows its size
        p[t + 1] = 0;
    }
    unsigned *counter = reinterpret_cast<unsigned *>(y);
    if (fault == 4) {
        if (t) {
            atomicAdd(counter, 1);
        } else {
            *counter = 0;
        }
    }
    if (fault == 5) {
        y[t] = x[t];
    }
    if (fault == 6) {
        s[t] = __shfl_sync(0xffffu, s[t], 0);
    }
    if (fault == 0) {
        atomicMax(reinterpret_cast<int *>(y), t);
    }
}

__global__ void toy_warp_kernel(unsigned *out) {
    unsigned lane = threadIdx.x, i = 0;
    auto put = [&](unsigned v) { out[32 * i++ + lane] = v; };
    put(__shfl_sync(~0u, lane, 5));
    put(__shfl_up_sync(~0u, lane, 3));
    put(__shfl_down_sync(~0u, lane, 3));
    put(__shfl_xor_sync(~0u, lane, 9));
    put(__shfl_xor_sync(~0u, lane, 1, 2));
    put(__shfl_down_sync(~0u, lane, 1, 8));
    put(__shfl_sync(~0u, lane, 3, 8));
    put(__ballot_sync(~0u, lane % 3 == 0));
    put(static_cast<unsigned>(__any_sync(~0u, lane == 7)));
    put(static_cast<unsigned>(__all_sync(~0u, lane != 7)));
    put(__match_any_sync(~0u, lane % 5));
    put(__reduce_add_sync(~0u, lane));
    put(static_cast<unsigned>(__reduce_min_sync(~0u, static_cast<int>(lane) - 4)));
    if (lane < 16) { // two halves at once
        put(__shfl_xor_sync(0x0000ffffu, lane, 15));
    } else {
        put(__shfl_xor_sync(0xffff0000u, lane, 1));
    }
    unsigned long long wide = __shfl_sync(~0u, static_cast<unsigned long long>(lane) << 40, 2);
    put(static_cast<unsigned>(wide >> 40));
    __syncwarp(lane % 2 ? 0xaaaaaaaau : 0x55555555u);
    put(__activemask() >> lane & 1);
}

__global__ void toy_votes_kernel(int *out) {
    int t = static_cast<int>(threadIdx.x);
    int count = __syncthreads_count(t % 3 == 0);
    int all = __syncthreads_and(t >= 0), some = __syncthreads_or(t == 5);
    if (t == 0) {
        out[0] = count;
        out[1] = all;
        out[2] = some;
    }
}

__global__ void toy_round_kernel(uint32_t *out, const float *v, int n) {
    int i = static_cast<int>(threadIdx.x);
    if (i < n) {
        out[2 * i] = mmc_to_tf32(v[i]);
        out[2 * i + 1] = mmc_to_bf16x2(v[i], 1.0f);
    }
}

__global__ void __launch_bounds__(128) toy_threads_kernel() {
}

__global__ void toy_shared_kernel(float *y) {
    __shared__ float fixed[4096];
    MMC_DYN_SHARED(float, moving);
    int t = static_cast<int>(threadIdx.x);
    fixed[t] = 1.0f;
    moving[t] = 2.0f;
    y[t] = fixed[t] + moving[t];
}

__global__ void toy_order_kernel(unsigned *y, unsigned *ticket) {
    unsigned mine = atomicAdd(ticket, 1);
    y[mine] = blockIdx.x * blockDim.x + threadIdx.x;
}

extern "C" {
cudaError_t toy_scale(float *y, const float *x, float factor, int n, int fault, cudaStream_t stream) {
    MMC_LAUNCH(toy_scale_kernel, static_cast<unsigned>((n + 255) / 256), 256, 0, stream, y, x, factor, n, fault);
    return cudaGetLastError();
}
cudaError_t toy_product(float *c, const float *a, const float *b, int m, int n, int k, int fault, cudaStream_t stream) {
    dim3 grid(static_cast<unsigned>((n + 15) / 16), static_cast<unsigned>((m + 15) / 16));
    MMC_LAUNCH((toy_product_kernel<16>), grid, dim3(16, 16), 0, stream, c, a, b, m, n, k, fault);
    return cudaGetLastError();
}
cudaError_t toy_reduce(float *sums, const float *x, int n, int fault, cudaStream_t stream) {
    MMC_LAUNCH(toy_reduce_kernel, 4, 256, 32 * sizeof(float), stream, sums, x, n, fault);
    return cudaGetLastError();
}
cudaError_t toy_pipeline(float *y, const float *x, int n, int tiles, int fault, cudaStream_t stream) {
    MMC_LAUNCH(toy_pipeline_kernel, 4, 128, 0, stream, y, x, n, tiles, fault);
    return cudaGetLastError();
}
cudaError_t toy_mma_tf32(float *d, const float *a, const float *b, int k, int fault, cudaStream_t stream) {
    MMC_LAUNCH(toy_mma_tf32_kernel, 1, 32, 0, stream, d, a, b, k, fault);
    return cudaGetLastError();
}
cudaError_t toy_mma_bf16(float *d, const uint16_t *a, const uint16_t *b, int k, int fault, cudaStream_t stream) {
    MMC_LAUNCH(toy_mma_bf16_kernel, 1, 32, 0, stream, d, a, b, k, fault);
    return cudaGetLastError();
}
cudaError_t toy_total(float *sum, float *part, unsigned *arrived, int blocks, int fault, cudaStream_t stream) {
    MMC_LAUNCH(toy_total_kernel, static_cast<unsigned>(blocks), 32, 0, stream, sum, part, arrived, fault);
    return cudaGetLastError();
}
cudaError_t toy_misc(float *y, const float *x, int n, int fault, cudaStream_t stream) {
    MMC_LAUNCH(toy_misc_kernel, 1, 64, 0, stream, y, x, n, fault);
    return cudaGetLastError();
}
cudaError_t toy_warp(unsigned *out, cudaStream_t stream) {
    MMC_LAUNCH(toy_warp_kernel, 1, 32, 0, stream, out);
    return cudaGetLastError();
}
cudaError_t toy_votes(int *out, int threads, cudaStream_t stream) {
    MMC_LAUNCH(toy_votes_kernel, 1, static_cast<unsigned>(threads), 0, stream, out);
    return cudaGetLastError();
}
cudaError_t toy_round(uint32_t *out, const float *v, int n, cudaStream_t stream) {
    MMC_LAUNCH(toy_round_kernel, 1, static_cast<unsigned>(n), 0, stream, out, v, n);
    return cudaGetLastError();
}
cudaError_t toy_threads(int threads, unsigned grid_y, cudaStream_t stream) {
    MMC_LAUNCH(toy_threads_kernel, dim3(1, grid_y), static_cast<unsigned>(threads), 0, stream);
    return cudaGetLastError();
}
cudaError_t toy_shared(float *y, int bytes, int opt_in, cudaStream_t stream) {
    if (opt_in) {
        cudaError_t e = cudaFuncSetAttribute(toy_shared_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
        if (e != cudaSuccess) {
            cudaGetLastError();
            return e;
        }
    }
    MMC_LAUNCH(toy_shared_kernel, 1, 64, static_cast<size_t>(bytes), stream, y);
    return cudaGetLastError();
}
cudaError_t toy_order(unsigned *y, unsigned *ticket, cudaStream_t stream) {
    MMC_LAUNCH(toy_order_kernel, 8, 64, 0, stream, y, ticket);
    return cudaGetLastError();
}
}
