// K3: correlation of two activations, as a product over samples that is split into parts.
//
// product  Blocks and threads: block (part, tile of a, tile of b) of 128 threads takes at most 512 samples and a tile
// of
//          64 x 64 units; a thread 8 x 4 of them. Rows of samples lie as they are in memory, channels fastest, which is
//          the order that the product wants. Pivots are taken off on the way to shared memory; blocks of the first
//          tile of the other side add up sums and squares of what they load.
//          Shared memory: 2 stages x 2 sides x 16 samples x 64 units, 16 KB.
//          Bytes per sample and tile: 512 read. FLOP: 8192, fp32 FMA (tensor cores cut off their sums, which would bias
//          correlations near 1). Bound by FMA; 3 shared loads of 16 bytes to 32 FMA.
// merge    One thread an element: parts in their order, in double.
// pivot    One block 32 units: mean over the first 512 samples. finish: one thread a pair.
// Order: samples of a part in ascending order (sums: eight interleaved ones, then these), parts in ascending order.
#include "kernels/cuda/correlation.h"
#include "kernels/cuda/element.cuh"

#include <cmath>

namespace {

enum { BLOCK = 128, TILE = 64, STEP = 16, ROWS = 8, COLUMNS = 4, MERGE = 256, PIVOT_ROWS = 8 };
constexpr int LOADS = STEP * TILE / 4 / BLOCK; // quads of a stage and side that a thread loads
constexpr int LOADERS = BLOCK / (TILE / 4);    // threads that load the same units
static_assert(LOADS * BLOCK * 4 == STEP * TILE && STEP == LOADS * LOADERS, "every quad of a stage has a thread");

// NaN stays: a diverged network must not look matched.
__device__ __forceinline__ float value_of(float v, bool relu) {
    return relu && v < 0.0f ? 0.0f : v;
}

// One side of a block's tile: four units of this thread, their pivots, sums and squares.
template <class Element> struct tile_side {
    const Element *data; // of the first unit
    int pitch;
    bool relu;
    bool exists; // the four units lie within the padded ones
    float4 pivot, sum, square;

    __device__ __forceinline__ tile_side(const mmc_cuda_correlation_batch &batch, int side, int tile)
        : pitch(batch.pitch[side]), relu(batch.relu), sum(make_float4(0, 0, 0, 0)), square(sum) {
        const int units = batch.units[side], first = tile * TILE + threadIdx.x % (TILE / 4) * 4;
        const double *at = batch.state + (side ? batch.units[0] : 0) + first;
        exists = first < pitch;
        data = static_cast<const Element *>(batch.x[side]) + first;
        pivot = make_float4(
            first < units ? static_cast<float>(at[0]) : 0.0f, first + 1 < units ? static_cast<float>(at[1]) : 0.0f,
            first + 2 < units ? static_cast<float>(at[2]) : 0.0f, first + 3 < units ? static_cast<float>(at[3]) : 0.0f);
    }
    // A value less its pivot; nothing beyond the last sample.
    __device__ __forceinline__ float4 load(size_t sample, size_t end) {
        float4 v = make_float4(0, 0, 0, 0);
        if (exists && sample < end) {
            v = mmc_load4(data + sample * pitch);
            v.x = value_of(v.x, relu) - pivot.x;
            v.y = value_of(v.y, relu) - pivot.y;
            v.z = value_of(v.z, relu) - pivot.z;
            v.w = value_of(v.w, relu) - pivot.w;
        }
        return v;
    }
    __device__ __forceinline__ void count(const float4 &v) {
        sum.x += v.x;
        sum.y += v.y;
        sum.z += v.z;
        sum.w += v.w;
        square.x = fmaf(v.x, v.x, square.x);
        square.y = fmaf(v.y, v.y, square.y);
        square.z = fmaf(v.z, v.z, square.z);
        square.w = fmaf(v.w, v.w, square.w);
    }
};

// Adds up what the threads of the same units counted, in the order of the threads, and writes it. `scratch`: BLOCK * 4.
__device__ __forceinline__ void counts_store(float *out, const float4 &mine, float *scratch, int first, int units) {
    __syncthreads();
    *reinterpret_cast<float4 *>(scratch + threadIdx.x * 4) = mine;
    __syncthreads();
    if (threadIdx.x < TILE && first + static_cast<int>(threadIdx.x) < units) {
        float total = 0;
#pragma unroll
        for (int i = 0; i < LOADERS; i++)
            total += scratch[i * TILE + threadIdx.x];
        out[first + threadIdx.x] = total;
    }
}

template <class Element>
__global__ void __launch_bounds__(BLOCK)
    correlation_product_kernel(const __grid_constant__ mmc_cuda_correlation_batch batch) {
    __shared__ __align__(16) float stage[2][2][STEP][TILE];
    const int tile_a = blockIdx.y, tile_b = blockIdx.z, a = batch.units[0], b = batch.units[1];
    const size_t start = static_cast<size_t>(blockIdx.x) * MMC_CUDA_CORRELATION_SAMPLES;
    const size_t end = min(start + MMC_CUDA_CORRELATION_SAMPLES, batch.samples);
    const int row = threadIdx.x / (TILE / 4), unit = threadIdx.x % (TILE / 4) * 4;
    const int mine_a = threadIdx.x / (TILE / COLUMNS) * ROWS, mine_b = threadIdx.x % (TILE / COLUMNS) * COLUMNS;
    tile_side<Element> side_a(batch, 0, tile_a), side_b(batch, 1, tile_b);
    float4 next_a[LOADS], next_b[LOADS];
    float sum[ROWS][COLUMNS] = {};

#pragma unroll
    for (int i = 0; i < LOADS; i++) {
        next_a[i] = side_a.load(start + row + i * LOADERS, end);
        next_b[i] = side_b.load(start + row + i * LOADERS, end);
    }
    int at = 0;
    for (size_t sample = start; sample < end; sample += STEP, at ^= 1) {
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            *reinterpret_cast<float4 *>(&stage[at][0][row + i * LOADERS][unit]) = next_a[i];
            *reinterpret_cast<float4 *>(&stage[at][1][row + i * LOADERS][unit]) = next_b[i];
            side_a.count(next_a[i]);
            side_b.count(next_b[i]);
            next_a[i] = side_a.load(sample + STEP + row + i * LOADERS, end);
            next_b[i] = side_b.load(sample + STEP + row + i * LOADERS, end);
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < STEP; k++) {
            float x[ROWS], y[COLUMNS];
#pragma unroll
            for (int i = 0; i < ROWS; i += 4)
                *reinterpret_cast<float4 *>(x + i) = *reinterpret_cast<const float4 *>(&stage[at][0][k][mine_a + i]);
            *reinterpret_cast<float4 *>(y) = *reinterpret_cast<const float4 *>(&stage[at][1][k][mine_b]);
#pragma unroll
            for (int i = 0; i < ROWS; i++)
#pragma unroll
                for (int j = 0; j < COLUMNS; j++)
                    sum[i][j] = fmaf(x[i], y[j], sum[i][j]);
        }
    }

    const size_t cross = static_cast<size_t>(a) * b;
    float *out = batch.parts + blockIdx.x * (cross + 2 * (static_cast<size_t>(a) + b));
#pragma unroll
    for (int i = 0; i < ROWS; i++)
#pragma unroll
        for (int j = 0; j < COLUMNS; j++) {
            const int at_a = tile_a * TILE + mine_a + i, at_b = tile_b * TILE + mine_b + j;
            if (at_a < a && at_b < b)
                out[static_cast<size_t>(at_a) * b + at_b] = sum[i][j];
        }
    float *scratch = &stage[0][0][0][0];
    if (tile_b == 0) {
        counts_store(out + cross, side_a.sum, scratch, tile_a * TILE, a);
        counts_store(out + cross + a + b, side_a.square, scratch, tile_a * TILE, a);
    }
    if (tile_a == 0) {
        counts_store(out + cross + a, side_b.sum, scratch, tile_b * TILE, b);
        counts_store(out + cross + 2 * a + b, side_b.square, scratch, tile_b * TILE, b);
    }
}

__global__ void __launch_bounds__(MERGE)
    correlation_merge_kernel(const __grid_constant__ mmc_cuda_correlation_batch batch) {
    const size_t a = batch.units[0], b = batch.units[1], cross = a * b, size = cross + 2 * (a + b);
    const size_t parts = (batch.samples + MMC_CUDA_CORRELATION_SAMPLES - 1) / MMC_CUDA_CORRELATION_SAMPLES;
    const size_t at = static_cast<size_t>(blockIdx.x) * MERGE + threadIdx.x;
    if (at >= size)
        return;
    double total = 0;
    for (size_t p = 0; p < parts; p++)
        total += static_cast<double>(batch.parts[p * size + at]);
    // In the state the cross products come last, behind pivots, sums and squares.
    double *out = batch.state + a + b + (at < cross ? 2 * (a + b) + at : at - cross);
    *out = batch.first ? total : *out + total;
}

template <class Element>
__global__ void __launch_bounds__(32 * PIVOT_ROWS)
    correlation_pivot_kernel(const __grid_constant__ mmc_cuda_correlation_batch batch) {
    __shared__ float part[PIVOT_ROWS][32];
    const int side = blockIdx.y, lane = threadIdx.x % 32, row = threadIdx.x / 32, unit = blockIdx.x * 32 + lane;
    const int units = batch.units[side], pitch = batch.pitch[side];
    const int samples = static_cast<int>(min(batch.samples, static_cast<size_t>(MMC_CUDA_CORRELATION_SAMPLES)));
    const Element *x = static_cast<const Element *>(batch.x[side]);
    float sum = 0;
    if (unit < units)
        for (int s = row; s < samples; s += PIVOT_ROWS)
            sum += value_of(mmc_to_float(x[static_cast<size_t>(s) * pitch + unit]), batch.relu);
    part[row][lane] = sum;
    __syncthreads();
    if (row == 0 && unit < units) {
        for (int i = 1; i < PIVOT_ROWS; i++)
            sum += part[i][lane];
        batch.state[(side ? batch.units[0] : 0) + unit] = static_cast<double>(sum / static_cast<float>(samples));
    }
}

// 1 / |x - mean| of a unit, 0 if it is constant.
__device__ __forceinline__ double inverse_norm(double pivot, double sum, double square, double samples) {
    const double spread = square - sum * sum / samples;
    const double raw = square + 2 * pivot * sum + samples * pivot * pivot;
    return spread > MMC_CORRELATION_CONSTANT * MMC_CORRELATION_CONSTANT * raw ? 1 / sqrt(spread) : 0;
}

__global__ void __launch_bounds__(MERGE)
    correlation_finish_kernel(float *r, int32_t *cost, const double *state, int a, int b, double samples) {
    const size_t at = static_cast<size_t>(blockIdx.x) * MERGE + threadIdx.x;
    if (at >= static_cast<size_t>(a) * b)
        return;
    const double *pivot = state, *sum = state + a + b, *square = sum + a + b, *cross = square + a + b;
    const size_t i = at / b, j = a + at % b;
    const double value = (cross[at] - sum[i] * sum[j] / samples) * inverse_norm(pivot[i], sum[i], square[i], samples) *
                         inverse_norm(pivot[j], sum[j], square[j], samples);
    if (r)
        r[at] = static_cast<float>(value);
    if (cost)
        cost[at] = static_cast<int32_t>(rint(fmax(-1.0, fmin(1.0, value)) * MMC_CORRELATION_ONE));
}

inline unsigned tiles(int units) {
    return mmc_grid(static_cast<size_t>(units), TILE);
}

} // namespace

extern "C" cudaError_t mmc_cuda_correlation_pivot(const mmc_cuda_correlation_batch *batch, cudaStream_t stream) {
    const dim3 grid(mmc_grid(static_cast<size_t>(max(batch->units[0], batch->units[1])), 32), 2);
    if (batch->bf16)
        MMC_LAUNCH(correlation_pivot_kernel<mmc_bf16>, grid, 32 * PIVOT_ROWS, 0, stream, *batch);
    else
        MMC_LAUNCH(correlation_pivot_kernel<float>, grid, 32 * PIVOT_ROWS, 0, stream, *batch);
    return cudaGetLastError();
}

extern "C" cudaError_t mmc_cuda_correlation_product(const mmc_cuda_correlation_batch *batch, cudaStream_t stream) {
    const dim3 grid(static_cast<unsigned>(mmc_cuda_correlation_parts(batch->samples)), tiles(batch->units[0]),
                    tiles(batch->units[1]));
    if (batch->bf16)
        MMC_LAUNCH(correlation_product_kernel<mmc_bf16>, grid, BLOCK, 0, stream, *batch);
    else
        MMC_LAUNCH(correlation_product_kernel<float>, grid, BLOCK, 0, stream, *batch);
    return cudaGetLastError();
}

extern "C" cudaError_t mmc_cuda_correlation_merge(const mmc_cuda_correlation_batch *batch, cudaStream_t stream) {
    const size_t a = static_cast<size_t>(batch->units[0]), b = static_cast<size_t>(batch->units[1]);
    MMC_LAUNCH(correlation_merge_kernel, mmc_grid(a * b + 2 * (a + b), MERGE), MERGE, 0, stream, *batch);
    return cudaGetLastError();
}

extern "C" cudaError_t mmc_cuda_correlation_finish(const mmc_correlation_finish *call, cudaStream_t stream) {
    const size_t pairs = static_cast<size_t>(call->a) * call->b;
    MMC_LAUNCH(correlation_finish_kernel, mmc_grid(pairs, MERGE), MERGE, 0, stream, call->r, call->cost, call->state,
               call->a, call->b, static_cast<double>(call->samples));
    return cudaGetLastError();
}
