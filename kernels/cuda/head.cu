// The linear layer and its gradients.
#include "kernels/cuda/element.cuh"
#include "kernels/cuda/flat.h"

namespace {

enum { WARP = 32, WARPS = 8, BLOCK = WARP * WARPS, ROWS = 8 };

// head: logits = rep w^T + b.
//
// Blocks and threads: one block eight images of one set, one warp a class (then the class eight further on), one lane
//     every 32nd feature of the eight images, so that a weight is loaded once for eight products; every load of a warp
//     is a run of 128 bytes, at any alignment.
// Shared memory: none.
// Bytes per image: 4 C read, 4 K written, and K C / 8 * 4 of weights out of the caches. FLOP: 2 K C.
// Order: chains of C / 32 products in float, then a tree over the lanes, then the bias.
__global__ void __launch_bounds__(BLOCK) head_kernel(mmc_head_call call, unsigned row_blocks) {
    const unsigned set = blockIdx.x / row_blocks;
    const int first = static_cast<int>(blockIdx.x % row_blocks) * ROWS, last = call.n - 1;
    const int lane = static_cast<int>(threadIdx.x % WARP), warp = static_cast<int>(threadIdx.x / WARP);
    const float *rep = call.rep + static_cast<size_t>(set) * call.n * call.c;
    for (int k = warp; k < call.k; k += WARPS) {
        const float *w = call.w + set * call.set_stride + static_cast<size_t>(k) * call.c;
        float sum[ROWS] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll 2
        for (int c = lane; c < call.c; c += WARP) {
            const float weight = w[c];
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const int row = first + r < last ? first + r : last; // behind the last: the last again
                sum[r] += weight * rep[static_cast<size_t>(row) * call.c + c];
            }
        }
        float mine = 0.0f;
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            for (int step = WARP / 2; step > 0; step /= 2)
                sum[r] += __shfl_xor_sync(0xffffffffu, sum[r], step);
            mine = lane == r ? sum[r] : mine;
        }
        if (lane < ROWS && first + lane <= last)
            call.logits[(static_cast<size_t>(set) * call.n + first + lane) * call.k + k] =
                mine + call.b[set * call.set_stride + k];
    }
}

// head_backward: dw = dlogits^T rep, db = column sums of dlogits, drep = dlogits w.
//
// Blocks and threads: the first blocks own 32 columns of one class of dw, where column C stands for the bias (its
//     input is 1): lane = column, warp w sums images w, w + 8, ...; the others own 256 elements of drep each.
// Shared memory: 8 x 32 floats, 1 KiB.
// Bytes: rep is read K times, w N times, both out of L2; C (K + N) + K written once, 4 bytes each. FLOP: 4 N K C.
// Order: dw, db: chains of N / 8 images, then the eight chains in their order; drep: the classes in their order.
__global__ void __launch_bounds__(BLOCK)
    head_backward_kernel(mmc_head_backward_call call, unsigned column_blocks, unsigned weight_blocks) {
    __shared__ __align__(16) float part[WARPS][WARP];
    const int lane = static_cast<int>(threadIdx.x % WARP), warp = static_cast<int>(threadIdx.x / WARP);
    if (blockIdx.x >= weight_blocks) {
        const size_t index = static_cast<size_t>(blockIdx.x - weight_blocks) * BLOCK + threadIdx.x;
        const size_t row = index / call.c;
        const int c = static_cast<int>(index % call.c);
        if (row >= static_cast<size_t>(call.n))
            return;
        float sum = 0.0f;
        for (int k = 0; k < call.k; k++)
            sum += call.dlogits[row * call.k + k] * call.w[static_cast<size_t>(k) * call.c + c];
        call.drep[index] = sum;
        return;
    }
    const int k = static_cast<int>(blockIdx.x / column_blocks);
    const int c = static_cast<int>(blockIdx.x % column_blocks) * WARP + lane;
    float sum = 0.0f;
    if (c <= call.c)
        for (int n = warp; n < call.n; n += WARPS) {
            const float g = call.dlogits[static_cast<size_t>(n) * call.k + k];
            sum += c < call.c ? g * call.rep[static_cast<size_t>(n) * call.c + c] : g;
        }
    part[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || c > call.c)
        return;
    for (int i = 1; i < WARPS; i++)
        sum += part[i][lane];
    if (c < call.c)
        call.dw[static_cast<size_t>(k) * call.c + c] = sum;
    else
        call.db[k] = sum;
}

} // namespace

extern "C" cudaError_t mmc_cuda_head(const mmc_head_call *call, cudaStream_t stream) {
    const unsigned row_blocks = mmc_grid(static_cast<size_t>(call->n), ROWS);
    const unsigned blocks = row_blocks * static_cast<unsigned>(call->sets);
    if (blocks == 0)
        return cudaSuccess;
    MMC_LAUNCH(head_kernel, blocks, BLOCK, 0, stream, *call, row_blocks);
    return cudaGetLastError();
}

extern "C" cudaError_t mmc_cuda_head_backward(const mmc_head_backward_call *call, cudaStream_t stream) {
    const unsigned column_blocks = mmc_grid(static_cast<size_t>(call->c) + 1, WARP);
    const unsigned weight_blocks = column_blocks * static_cast<unsigned>(call->k);
    const unsigned rep_blocks = call->drep ? mmc_grid(static_cast<size_t>(call->n) * call->c, BLOCK) : 0;
    MMC_LAUNCH(head_backward_kernel, weight_blocks + rep_blocks, BLOCK, 0, stream, *call, column_blocks, weight_blocks);
    return cudaGetLastError();
}
