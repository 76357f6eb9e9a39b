// The small model: f = (1/N) a^T relu(W^T [x, bias]), SGD steps of many models at once (kernels/mlp.h).
//
// mlp_step_kernel(step): what lies between two sums over all hidden units, so that a launch is the only barrier:
// residuals
//   of batch step-1, its gradient and update of the block's units, then the forward pass of batch `step` with them.
//   Mapping: block (slice, t) owns 32 hidden units of model t; lane = unit. Gradient: warp i has rows 8i .. 8i+7 of a
//   chunk of 32 rows of W. Forward: warp i has samples 16i .. 16i+15 of 64.
//   Shared memory: 17 KiB: chunks of x (either way round), of W and of the units' activity. W and v are read and
//   written once a step, x twice a block.
// mlp_eval_kernel: the same forward pass over all units, block (64 samples, t).
//
// FLOP: 4 batch (D+1) N a step and model by FFMA; 8 (D+1) N + 2 slices batch D bytes of 4: bound by the launch for few
// models, which is why they are batched (16 blocks a model at N = 512).
// Order: sums over inputs and over samples in order, over units by lanes, then slices in order; loss in double by a
// tree.
#include "kernels/cuda/compat.cuh"
#include "kernels/cuda/mlp.h"

constexpr int THREADS = 128, UNITS = MMC_CUDA_MLP_UNITS, CHUNK = 32, SAMPLES = 64, EACH = 16, ROWS = 8;
constexpr int PITCH_SAMPLES = SAMPLES + 4, PITCH_ROWS = CHUNK + 4;

namespace {

struct mlp_args {
    mmc_mlp_shape shape;
    int rows, slices, batch;
    float *w, *v;
    size_t set_stride;
    const float *a, *x, *y;
    size_t x_stride, y_stride;
    const int32_t *order;
    size_t order_stride;
    float momentum;
    mmc_mlp_loss objective;
    double *loss;
    int steps;
    float *share[2], *residual; // (T, slices, batch)
    uint32_t *active;           // (T, slices, batch)
};

struct eval_args {
    mmc_mlp_shape shape;
    int rows, samples;
    const float *w;
    size_t set_stride;
    const float *a, *x;
    size_t x_stride;
    float *f, *fraction;
};

// A batch of one model: its samples `first` .. `first + count - 1`.
struct samples {
    const float *x;
    const int32_t *order;
    int first, count;
};

__device__ __forceinline__ size_t row_of(const samples &s, int b) {
    return s.order ? s.order[s.first + b] : s.first + b;
}

// Input d of sample b; the bias; zero outside.
__device__ __forceinline__ float input_of(const samples &s, const mmc_mlp_shape &shape, int rows, int b, int d) {
    if (b >= s.count || d >= rows)
        return 0;
    return d < shape.inputs ? s.x[row_of(s, b) * shape.inputs + d] : shape.bias;
}

// h[i] = input of the lane's unit for sample first_b + 16 warp + i; w: (rows, N) of the model. Uses both tiles.
__device__ __forceinline__ void hidden_inputs(float (&h)[EACH], float (&x_tile)[CHUNK][PITCH_SAMPLES],
                                              float (&w_tile)[CHUNK][UNITS], const samples &s,
                                              const mmc_mlp_shape &shape, int rows, const float *w, int unit,
                                              int first_b) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
    for (int i = 0; i < EACH; i++)
        h[i] = 0;
    for (int first_d = 0; first_d < rows; first_d += CHUNK) {
        __syncthreads(); // the tiles have been read
        for (int i = warp; i < SAMPLES; i += THREADS / 32)
            x_tile[lane][i] = input_of(s, shape, rows, first_b + i, first_d + lane);
        for (int i = warp; i < CHUNK; i += THREADS / 32)
            w_tile[i][lane] = first_d + i < rows && unit < shape.hidden
                                  ? w[static_cast<size_t>(first_d + i) * shape.hidden + unit]
                                  : 0;
        __syncthreads();
#pragma unroll 4
        for (int d = 0; d < CHUNK; d++) {
            const float v = w_tile[d][lane];
            const float4 *x = reinterpret_cast<const float4 *>(&x_tile[d][warp * EACH]);
#pragma unroll
            for (int i = 0; i < EACH / 4; i++) {
                const float4 four = x[i];
                h[4 * i] += v * four.x;
                h[4 * i + 1] += v * four.y;
                h[4 * i + 2] += v * four.z;
                h[4 * i + 3] += v * four.w;
            }
        }
    }
}

__device__ __forceinline__ float add_lanes(float v) {
#pragma unroll
    for (int d = 16; d > 0; d /= 2)
        v += __shfl_xor_sync(0xffffffffu, v, d);
    return v;
}

// relu that lets NaN pass.
__device__ __forceinline__ float positive(float v) {
    return v <= 0 ? 0 : v;
}

// Residuals dloss/df / count of the batch into `residual`, as every block of a model computes them; the loss by slice
// 0.
__device__ __forceinline__ void residuals(const mlp_args &a, const samples &s, int t, int step, const float *share,
                                          float *residual, double (&losses)[THREADS]) {
    const int thread = threadIdx.x;
    double sum = 0;
    for (int b = thread; b < s.count; b += THREADS) {
        double f = 0;
        for (int slice = 0; slice < a.slices; slice++)
            f += share[(static_cast<size_t>(t) * a.slices + slice) * a.batch + b];
        const double y = a.y[t * a.y_stride + row_of(s, b)];
        const bool logistic = a.objective == MMC_MLP_LOGISTIC;
        const double r = (logistic ? 1 / (1 + exp(-f)) : f) - y;
        residual[b] = static_cast<float>(r) / static_cast<float>(s.count);
        sum += logistic ? fmax(f, 0.0) + log1p(exp(-fabs(f))) - y * f : r * r / 2;
    }
    losses[thread] = sum;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (thread < half)
            losses[thread] += losses[thread + half];
    }
    if (thread == 0 && blockIdx.x == 0 && a.loss)
        a.loss[static_cast<size_t>(t) * a.steps + step] = losses[0] / s.count;
    __syncthreads();
}

// Gradient of the block's units over the batch, momentum and step, by chunks of 32 rows.
__device__ __forceinline__ void update(const mlp_args &a, const samples &s, float *w, float *v, int unit, float scale,
                                       float lr, const float *residual, const uint32_t *active,
                                       float (&x_tile)[CHUNK][PITCH_ROWS], float (&slope)[CHUNK][UNITS]) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (int first_d = 0; first_d < a.rows; first_d += CHUNK) {
        float g[ROWS];
#pragma unroll
        for (int i = 0; i < ROWS; i++)
            g[i] = 0;
        for (int first_b = 0; first_b < s.count; first_b += CHUNK) {
            __syncthreads();
            for (int i = warp; i < CHUNK; i += THREADS / 32) {
                const int b = first_b + i;
                const bool real = b < s.count;
                x_tile[i][lane] = real ? residual[b] * input_of(s, a.shape, a.rows, b, first_d + lane) : 0;
                slope[i][lane] = real && (active[b] >> lane & 1) ? scale : 0;
            }
            __syncthreads();
#pragma unroll 4
            for (int i = 0; i < CHUNK; i++) {
                const float up = slope[i][lane];
                const float4 *x = reinterpret_cast<const float4 *>(&x_tile[i][warp * ROWS]);
#pragma unroll
                for (int j = 0; j < ROWS / 4; j++) {
                    const float4 four = x[j];
                    g[4 * j] += up * four.x;
                    g[4 * j + 1] += up * four.y;
                    g[4 * j + 2] += up * four.z;
                    g[4 * j + 3] += up * four.w;
                }
            }
        }
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
            const int d = first_d + warp * ROWS + i;
            if (d < a.rows && unit < a.shape.hidden) {
                const size_t at = static_cast<size_t>(d) * a.shape.hidden + unit;
                const float velocity = a.momentum * v[at] + g[i];
                v[at] = velocity;
                w[at] -= lr * velocity;
            }
        }
    }
    __syncthreads(); // W of this block is complete
}

__device__ __forceinline__ samples batch_of(const mlp_args &a, int t, int step, int total) {
    const int first = step * a.batch;
    return {a.x + t * a.x_stride, a.order ? a.order + t * a.order_stride : nullptr, first, min(a.batch, total - first)};
}

__global__ void __launch_bounds__(THREADS, 2) mlp_step_kernel(mlp_args a, int step, int total, float lr) {
    __shared__ __align__(16) float x_tile[CHUNK][PITCH_SAMPLES];
    __shared__ __align__(16) float x_rows[CHUNK][PITCH_ROWS];
    __shared__ __align__(16) float w_tile[CHUNK][UNITS];
    __shared__ double losses[THREADS];
    const int t = blockIdx.y, lane = threadIdx.x % 32, warp = threadIdx.x / 32, unit = blockIdx.x * UNITS + lane;
    const float scale = unit < a.shape.hidden ? a.a[unit] / static_cast<float>(a.shape.hidden) : 0;
    const size_t own = (static_cast<size_t>(t) * a.slices + blockIdx.x) * a.batch;
    float *w = a.w + t * a.set_stride;
    if (step > 0) {
        const samples s = batch_of(a, t, step - 1, total);
        residuals(a, s, t, step - 1, a.share[(step - 1) % 2], a.residual + own, losses);
        update(a, s, w, a.v + t * a.set_stride, unit, scale, lr, a.residual + own, a.active + own, x_rows, w_tile);
    }
    if (step == a.steps)
        return;
    const samples s = batch_of(a, t, step, total);
    for (int first_b = 0; first_b < s.count; first_b += SAMPLES) {
        float h[EACH];
        hidden_inputs(h, x_tile, w_tile, s, a.shape, a.rows, w, unit, first_b);
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            const float sum = add_lanes(scale * positive(h[i]));
            const unsigned active = __ballot_sync(0xffffffffu, h[i] > 0);
            const int b = first_b + warp * EACH + i;
            if (lane == 0 && b < s.count) {
                a.share[step % 2][own + b] = sum;
                a.active[own + b] = active;
            }
        }
    }
}

__global__ void __launch_bounds__(THREADS, 2) mlp_eval_kernel(eval_args a) {
    __shared__ __align__(16) float x_tile[CHUNK][PITCH_SAMPLES];
    __shared__ __align__(16) float w_tile[CHUNK][UNITS];
    const int t = blockIdx.y, lane = threadIdx.x % 32, warp = threadIdx.x / 32, first = blockIdx.x * SAMPLES;
    const samples s = {a.x + t * a.x_stride, nullptr, 0, a.samples};
    float f[EACH];
    int active[EACH];
#pragma unroll
    for (int i = 0; i < EACH; i++)
        f[i] = 0, active[i] = 0;
    for (int first_unit = 0; first_unit < a.shape.hidden; first_unit += UNITS) {
        const int unit = first_unit + lane;
        const float scale = unit < a.shape.hidden ? a.a[unit] / static_cast<float>(a.shape.hidden) : 0;
        float h[EACH];
        hidden_inputs(h, x_tile, w_tile, s, a.shape, a.rows, a.w + t * a.set_stride, unit, first);
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            f[i] += scale * positive(h[i]);
            active[i] += h[i] > 0;
        }
    }
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        const float sum = add_lanes(f[i]), units = add_lanes(static_cast<float>(active[i]));
        const int b = first + warp * EACH + i;
        const size_t at = static_cast<size_t>(t) * a.samples + b;
        if (lane == 0 && b < a.samples) {
            a.f[at] = sum;
            if (a.fraction)
                a.fraction[at] = units / static_cast<float>(a.shape.hidden);
        }
    }
}

} // namespace

extern "C" cudaError_t mmc_cuda_mlp_train(const mmc_mlp_train_call *call, cudaStream_t stream) {
    mlp_args a = {};
    a.shape = call->shape;
    a.rows = mmc_mlp_rows(&call->shape);
    a.slices = mmc_cuda_mlp_slices(&call->shape);
    a.batch = call->batch;
    a.w = call->w, a.v = call->v, a.set_stride = call->set_stride;
    a.a = call->a, a.x = call->x, a.y = call->y, a.x_stride = call->x_stride, a.y_stride = call->y_stride;
    a.order = call->order, a.order_stride = call->order_stride;
    a.momentum = static_cast<float>(call->momentum);
    a.objective = call->objective;
    a.loss = call->loss;
    a.steps = mmc_mlp_steps(call);
    const size_t array = static_cast<size_t>(call->shape.sets) * a.slices * a.batch;
    a.share[0] = static_cast<float *>(call->workspace);
    a.share[1] = a.share[0] + array;
    a.residual = a.share[1] + array;
    a.active = reinterpret_cast<uint32_t *>(a.residual + array);
    const dim3 grid(a.slices, call->shape.sets);
    for (int step = 0; step <= a.steps; step++) {
        const float lr = step > 0 ? static_cast<float>(call->lr[step - 1]) : 0;
        MMC_LAUNCH(mlp_step_kernel, grid, THREADS, 0, stream, a, step, call->samples, lr);
        const cudaError_t error = cudaGetLastError();
        if (error != cudaSuccess)
            return error;
    }
    return cudaSuccess;
}

extern "C" cudaError_t mmc_cuda_mlp_eval(const mmc_mlp_eval_call *call, cudaStream_t stream) {
    eval_args a = {};
    a.shape = call->shape;
    a.rows = mmc_mlp_rows(&call->shape);
    a.samples = call->samples;
    a.w = call->w, a.set_stride = call->set_stride;
    a.a = call->a, a.x = call->x, a.x_stride = call->x_stride;
    a.f = call->f, a.fraction = call->fraction;
    MMC_LAUNCH(mlp_eval_kernel, dim3((call->samples + SAMPLES - 1) / SAMPLES, call->shape.sets), THREADS, 0, stream, a);
    return cudaGetLastError();
}
