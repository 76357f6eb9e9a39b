// Distance of the class means of two batches and its gradient (kernels/class_means.h).
//
// Mapping: block k makes both means of class k, its distance and the gradients of its samples; one more block takes the
//   samples that belong to no class. A thread has channels j, j + 256, ... Shared memory: 6 KiB for the sums over
//   channels, 1 KiB of labels.
// Bytes: each batch is read once for the means, drep written once (read where added); means stay in the workspace,
// where
//   a thread reads back what it wrote. FLOP: about 10 per element, in double: launch-bound at any batch.
// Order: samples in order within a class; channels by thread, then a tree; classes in order by the last block.
#include "kernels/class_means.h"
#include "kernels/cuda/compat.cuh"
#include "kernels/cuda/flat.h"

constexpr int THREADS = 256;

namespace {

struct sums {
    double a, b, c;
};

// 1/x and 1/sqrt(x) by two steps of Newton's method from the float approximation, to about 1e-15: double division and
// root are calls, which spill. x is a number of samples or a squared length of at least 1e-24.
__device__ __forceinline__ double inverse_of(double x) {
    double r = __fdividef(1.0f, static_cast<float>(x));
    r *= 2 - x * r;
    r *= 2 - x * r;
    return r;
}
__device__ __forceinline__ double inverse_root_of(double x) {
    double r = rsqrtf(static_cast<float>(x));
    r *= 1.5 - 0.5 * x * r * r;
    r *= 1.5 - 0.5 * x * r * r;
    return r;
}

// The sums over the block, the same in every thread.
__device__ __forceinline__ sums add_threads(double (&shared)[3][THREADS], sums mine) {
    const int t = threadIdx.x;
    __syncthreads(); // the last sums have been read
    shared[0][t] = mine.a, shared[1][t] = mine.b, shared[2][t] = mine.c;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half)
            for (int i = 0; i < 3; i++)
                shared[i][t] += shared[i][t + half];
    }
    __syncthreads();
    return {shared[0][0], shared[1][0], shared[2][0]};
}

__device__ __forceinline__ bool belongs(int label, int k, int classes) {
    return k < classes ? label == k : label < 0 || label >= classes;
}

// drep (+)= the gradient of class k, gradient[j] of thread j's channels; NULL: zero.
__device__ __forceinline__ void spread(const mmc_class_batch &b, int (&labels)[THREADS], int k, int classes, int c,
                                       const double *gradient) {
    if (!b.drep)
        return;
    for (int first = 0; first < b.n; first += THREADS) {
        const int some = min(THREADS, b.n - first);
        __syncthreads();
        if (static_cast<int>(threadIdx.x) < some)
            labels[threadIdx.x] = b.label[first + threadIdx.x];
        __syncthreads();
        for (int i = 0; i < some; i++) {
            if (!belongs(labels[i], k, classes))
                continue;
            float *out = b.drep + static_cast<size_t>(first + i) * c;
            for (int j = threadIdx.x; j < c; j += THREADS)
                out[j] = (b.add ? out[j] : 0) + (gradient ? static_cast<float>(gradient[j]) : 0);
        }
    }
}

__global__ void __launch_bounds__(THREADS, 1) class_means_kernel(mmc_class_means_call call, unsigned *counter) {
    __shared__ double shared[3][THREADS];
    __shared__ int labels[THREADS];
    __shared__ bool last;
    const int k = blockIdx.x, c = call.c, thread = threadIdx.x;
    double *distances = static_cast<double *>(call.workspace) + 2 * static_cast<size_t>(call.classes) * c;
    bool both = k < call.classes;
    if (both) {
        double *mean[2], count[2];
#pragma unroll
        for (int side = 0; side < 2; side++) {
            const mmc_class_batch &b = call.batch[side];
            mean[side] = static_cast<double *>(call.workspace) + (static_cast<size_t>(side) * call.classes + k) * c;
            int members = 0;
            for (int j = thread; j < c; j += THREADS)
                mean[side][j] = 0;
            for (int first = 0; first < b.n; first += THREADS) {
                const int some = min(THREADS, b.n - first);
                __syncthreads();
                if (thread < some)
                    labels[thread] = b.label[first + thread];
                __syncthreads();
                for (int i = 0; i < some; i++)
                    members += labels[i] == k;
                for (int j = thread; j < c; j += THREADS) {
                    double sum = mean[side][j];
                    for (int i = 0; i < some; i++)
                        if (labels[i] == k)
                            sum += b.rep[static_cast<size_t>(first + i) * c + j];
                    mean[side][j] = sum;
                }
            }
            count[side] = members;
        }
        both = count[0] > 0 && count[1] > 0;
        double distance = 0;
        if (both) {
            const double share[2] = {inverse_of(count[0]), inverse_of(count[1])};
            sums s = {0, 0, 0};
            for (int j = thread; j < c; j += THREADS) {
                mean[0][j] *= share[0];
                mean[1][j] *= share[1];
                s.a += mean[0][j] * mean[0][j];
                s.b += mean[1][j] * mean[1][j];
            }
            double inverse[2] = {1, 1}, factor[2] = {1, 1};
            if (call.unit) {
                s = add_threads(shared, s);
                constexpr double SHORTEST = MMC_CLASS_MEANS_SHORTEST;
                const double squares[2] = {s.a, s.b};
#pragma unroll
                for (int side = 0; side < 2; side++) {
                    const bool directed = squares[side] >= SHORTEST * SHORTEST;
                    inverse[side] = directed ? inverse_root_of(squares[side]) : 0;
                    factor[side] = directed ? inverse[side] : 1 / SHORTEST;
                }
            }
            s = {0, 0, 0};
            for (int j = thread; j < c; j += THREADS) {
                const double u = mean[0][j] * factor[0], v = mean[1][j] * factor[1], d = u - v;
                mean[0][j] = u;
                mean[1][j] = v;
                s.a += u * d;
                s.b -= v * d;
                s.c += d * d;
            }
            s = add_threads(shared, s);
            distance = s.c;
            const double scale = 2 * static_cast<double>(call.weight) * inverse_of(call.classes);
            for (int j = thread; j < c; j += THREADS) {
                const double u = mean[0][j], v = mean[1][j], d = u - v;
                mean[0][j] = scale * share[0] * inverse[0] * (d - (call.unit ? s.a * u : 0));
                mean[1][j] = scale * share[1] * inverse[1] * (-d - (call.unit ? s.b * v : 0));
            }
        }
        if (thread == 0)
            distances[k] = distance;
#pragma unroll
        for (int side = 0; side < 2; side++)
            spread(call.batch[side], labels, k, call.classes, c, both ? mean[side] : nullptr);
    } else {
#pragma unroll
        for (int side = 0; side < 2; side++)
            spread(call.batch[side], labels, k, call.classes, c, nullptr);
    }
    __threadfence();
    __syncthreads();
    if (thread == 0)
        last = atomicAdd(counter, 1u) == gridDim.x - 1;
    __syncthreads();
    if (!last || thread)
        return;
    __threadfence();
    double total = 0;
    for (int i = 0; i < call.classes; i++)
        total += distances[i];
    *call.distance = total * inverse_of(call.classes);
    *counter = 0;
}

} // namespace

extern "C" cudaError_t mmc_cuda_class_means(const mmc_class_means_call *call, unsigned *counters, cudaStream_t stream) {
    MMC_LAUNCH(class_means_kernel, call->classes + 1, THREADS, 0, stream, *call, counters);
    return cudaGetLastError();
}
