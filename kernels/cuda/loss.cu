// Softmax cross-entropy, its gradient, and the count of correct answers.
//
// Blocks and threads: eight lanes a sample, each every eighth class; a block of 256 threads takes 32 samples, then the
//     32 that lie grid x 32 further on; at most 128 blocks.
// Shared memory: two doubles a sample of the block and a flag, 516 bytes.
// Bytes per sample: 4 K read (out of L1 the second and third time), 4 K written with a gradient. FLOP: about 60 K, in
//     double, as losses are summed over thousands of samples and differ little from point to point.
// Order: classes: chains of K / 8, then a tree over eight lanes. Samples: each thread its own in turn, a tree over the
// 32
//     of a block; then the last block to arrive adds the blocks' sums, each lane every 32nd, then a tree. Fixed by n.
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/flat.h"

namespace {

enum { WARP = 32, GROUP = 8, BLOCK = 256, SAMPLES = BLOCK / GROUP, BLOCKS_MAX = 128, SUMS_AT = 4 };
static_assert(SAMPLES == WARP, "one warp adds up the samples of a block");
static_assert(SUMS_AT + BLOCKS_MAX * 4 <= MMC_CUDA_COUNTERS, "the sums of the blocks lie among the counters");

struct sample_score {
    double loss;
    bool right;
};

template <class T> __device__ __forceinline__ T tree_sum(T v, int lanes) {
    for (int step = lanes / 2; step > 0; step /= 2)
        v += __shfl_xor_sync(0xffffffffu, v, step);
    return v;
}

// Of one sample, by its eight lanes together. A lane that stands in for no sample computes, and stores nothing.
__device__ __forceinline__ sample_score score(const mmc_loss_call &call, int sample, int lane, bool stores,
                                              unsigned *fault) {
    const size_t row = static_cast<size_t>(call.rows ? call.rows[sample] : sample);
    const float *z = call.logits + row * call.k;
    const int label = call.labels[sample];
    const bool known = label >= 0 && label < call.k;
    if (!known && stores && lane == 0)
        atomicCAS(fault, MMC_CUDA_FAULT_NONE, MMC_CUDA_FAULT_LABEL);
    const float of_label = known ? z[label] : __uint_as_float(0x7fffffffu);
    float top = __uint_as_float(0xff800000u); // -infinity
    int wrong = of_label != of_label;         // not a number
    for (int k = lane; k < call.k; k += GROUP) {
        const float v = z[k];
        top = fmaxf(top, v);
        if (k != label && !(k < label ? of_label > v : of_label >= v)) // not a number: wrong
            wrong = 1;
    }
    for (int step = GROUP / 2; step > 0; step /= 2) {
        top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, step));
        wrong |= __shfl_xor_sync(0xffffffffu, wrong, step);
    }
    double sum = 0.0;
    for (int k = lane; k < call.k; k += GROUP)
        sum += exp(static_cast<double>(z[k]) - top);
    sum = tree_sum(sum, GROUP);
    const double level = log(sum) + top; // a softmax is exp(z - level): dividing would cost registers
    if (call.dlogits && stores)
        for (int k = lane; k < call.k; k += GROUP) {
            const double softmax = exp(static_cast<double>(z[k]) - level);
            const double target = known ? (k == label ? 1.0 : 0.0) : of_label;
            call.dlogits[row * call.k + k] = static_cast<float>((softmax - target) * call.gradient_scale);
        }
    return {level - of_label, wrong == 0};
}

// There are at most 128 blocks, so registers cost nothing: two blocks a multiprocessor are enough.
__global__ void __launch_bounds__(BLOCK, 2) loss_kernel(mmc_loss_call call, unsigned *counters, unsigned *fault) {
    __shared__ __align__(16) double losses[SAMPLES], answers[SAMPLES];
    __shared__ unsigned last;
    const int lane = static_cast<int>(threadIdx.x % GROUP), slot = static_cast<int>(threadIdx.x / GROUP);
    double loss = 0.0, right = 0.0;
    for (int first = static_cast<int>(blockIdx.x) * SAMPLES; first < call.n; first += gridDim.x * SAMPLES) {
        const int sample = first + slot;
        const bool exists = sample < call.n;
        const sample_score s = score(call, exists ? sample : call.n - 1, lane, exists, fault);
        if (!exists)
            continue;
        loss += s.loss;
        right += s.right ? 1.0 : 0.0;
        if (call.loss && lane == 0)
            call.loss[sample] = static_cast<float>(s.loss);
    }
    if (!call.tally)
        return;
    if (lane == 0) {
        losses[slot] = loss;
        answers[slot] = right;
    }
    __syncthreads();
    volatile double *sums = reinterpret_cast<double *>(counters + SUMS_AT);
    if (threadIdx.x < WARP) {
        loss = tree_sum(losses[threadIdx.x], WARP);
        right = tree_sum(answers[threadIdx.x], WARP);
        if (threadIdx.x == 0) {
            sums[2 * blockIdx.x] = loss;
            sums[2 * blockIdx.x + 1] = right;
            __threadfence();
            last = atomicAdd(counters, 1u) == gridDim.x - 1;
        }
    }
    __syncthreads();
    if (!last || threadIdx.x >= WARP)
        return;
    __threadfence();
    loss = 0.0;
    right = 0.0;
    for (unsigned i = threadIdx.x; i < gridDim.x; i += WARP) {
        loss += sums[2 * i];
        right += sums[2 * i + 1];
        sums[2 * i] = 0.0;
        sums[2 * i + 1] = 0.0;
    }
    loss = tree_sum(loss, WARP);
    right = tree_sum(right, WARP);
    if (threadIdx.x == 0) {
        call.tally[0] += loss;
        call.tally[1] += right;
        *counters = 0;
    }
}

} // namespace

extern "C" cudaError_t mmc_cuda_loss(const mmc_loss_call *call, unsigned *counters, unsigned *fault,
                                     cudaStream_t stream) {
    const unsigned wanted = mmc_grid(static_cast<size_t>(call->n), SAMPLES), most = BLOCKS_MAX;
    if (wanted == 0)
        return cudaSuccess;
    MMC_LAUNCH(loss_kernel, wanted < most ? wanted : most, BLOCK, 0, stream, *call, counters, fault);
    return cudaGetLastError();
}
