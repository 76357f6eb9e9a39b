// K4: assignment problems, one block each, by shortest augmenting paths in int64, with certificate.
//
// Blocks and threads: block p solves problem p; thread x owns columns x, x + B, ... of B = 32 to 512 threads.
// Shared memory: 40 bytes a row for potentials, distances and the matching (dynamic) where the largest problem of the
//     launch fits; beyond, the same arrays in the workspace. Costs stay in global memory (in L2 for n <= 1024); one bit
//     an entry for the tight ones in the workspace.
// Bytes per entry: 3 reads (range, column reduction, certificate) and one a step; a step reads one row. FLOP: none; 5
//     integer operations an entry.
// Order: ties of distances go to the lowest column; among equal optima the lexicographically smallest is taken at the
//     end, so that the answer does not depend on the order of any step (kernels/assign.h).
#include "kernels/cuda/assign.h"
#include "kernels/cuda/assign_block.cuh"
#include "kernels/cuda/compat.cuh"

#include <cmath>
#include <type_traits>

namespace {

enum { BLOCK_MAX = 512 };
constexpr int64_t FARTHEST = INT64_MAX;

// Entry (i,j) as the integer to be minimised.
template <class T> struct entries {
    const T *cost;
    size_t stride;
    int64_t sign;
    double scale1, scale2; // floats: two factors, each a power of two in range

    __device__ __forceinline__ T given(int i, int j) const {
        return cost[static_cast<size_t>(i) * stride + j];
    }
    __device__ __forceinline__ int64_t at(int i, int j) const {
        if constexpr (std::is_floating_point<T>::value)
            return sign * static_cast<int64_t>(rint(static_cast<double>(given(i, j)) * scale1 * scale2));
        else
            return sign * static_cast<int64_t>(given(i, j));
    }
};

// Whether an entry is refused; otherwise its magnitude, ordered as an integer.
__device__ __forceinline__ bool entry_refused(double c, int64_t, int64_t *magnitude) {
    *magnitude = __double_as_longlong(fabs(c));
    return !(fabs(c) <= 1.7976931348623157e308);
}
__device__ __forceinline__ bool entry_refused(int64_t c, int64_t limit, int64_t *magnitude) {
    *magnitude = c < 0 ? -c : c;
    return c > limit || c < -limit;
}

// The exponent e of a positive double given as its bits: it is below 2^e and not below 2^(e-1).
__device__ __forceinline__ int exponent_of(int64_t bits) {
    const int field = static_cast<int>(bits >> 52);
    return field ? field - 1022 : 64 - __clzll(bits) - 1074;
}
// 2^e, -1022 <= e <= 1023.
__device__ __forceinline__ double power_of_two(int e) {
    return __longlong_as_double(static_cast<long long>(e + 1023) << 52);
}

// Looks at every entry. Refuses the problem (false), or finds the unit of floating-point costs.
template <class T>
__device__ bool entries_check(entries<T> &e, mmc_assign_result &result, int n, mmc_assign_best *part) {
    constexpr bool floats = std::is_floating_point<T>::value;
    using Wide = typename std::conditional<floats, double, int64_t>::type;
    const int64_t limit = min(static_cast<int64_t>(MMC_ASSIGN_LIMIT), static_cast<int64_t>(MMC_ASSIGN_TOTAL_LIMIT) / n);
    mmc_assign_best refused = {FARTHEST, 0}, largest = {0, 0}; // largest: its magnitude, negated
    for (int i = 0; i < n; i++)
        for (int j = threadIdx.x; j < n; j += blockDim.x) {
            int64_t magnitude;
            if (entry_refused(static_cast<Wide>(e.given(i, j)), limit, &magnitude))
                refused.value = min(refused.value, static_cast<int64_t>(i) * n + j);
            else
                largest.value = min(largest.value, -magnitude);
        }
    refused = mmc_assign_least(refused, part);
    largest = mmc_assign_least(largest, part);
    result = mmc_assign_result();
    if (refused.value != FARTHEST) {
        result.state = floats ? MMC_ASSIGN_NOT_FINITE : MMC_ASSIGN_TOO_LARGE;
        result.row = static_cast<int32_t>(refused.value / n);
        result.column = static_cast<int32_t>(refused.value % n);
        return false;
    }
    result.state = MMC_ASSIGN_SOLVED;
    e.scale1 = e.scale2 = 1;
    if (floats && largest.value < 0) {
        int bits = 62;
        for (int log = 0; (1 << log) < n; log++)
            bits--;
        result.exponent = exponent_of(-largest.value) - min(bits, 52);
        e.scale1 = power_of_two(-result.exponent / 2);
        e.scale2 = power_of_two(-result.exponent - -result.exponent / 2);
    }
    return true;
}

// Potentials of columns: their least costs; of a row that is the cheapest of several columns the lowest one takes it.
template <class T> __device__ void columns_reduce(const mmc_assign_arrays &a, const entries<T> &e) {
    for (int i = threadIdx.x; i < a.n; i += blockDim.x) {
        a.column[i] = INT32_MAX;
        a.row[i] = -1;
    }
    __syncthreads();
    for (int j = threadIdx.x; j < a.n; j += blockDim.x) {
        int64_t least = e.at(0, j);
        int where = 0;
        for (int i = 1; i < a.n; i++) {
            const int64_t c = e.at(i, j);
            if (c < least) {
                least = c;
                where = i;
            }
        }
        a.v[j] = least;
        atomicMin(&a.column[where], j);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < a.n; i += blockDim.x) {
        const int j = a.column[i];
        if (j == INT32_MAX)
            a.column[i] = -1;
        else
            a.row[j] = i;
    }
    __syncthreads();
}

// Adds row `start` to the matching along a shortest path.
template <class T>
__device__ void row_add(const mmc_assign_arrays &a, const entries<T> &e, int start, mmc_assign_best *part) {
    for (int j = threadIdx.x; j < a.n; j += blockDim.x) {
        a.distance[j] = FARTHEST;
        a.list[j] = 0;
    }
    int i = start;
    int64_t offset = 0;
    mmc_assign_best nearest;
    for (;;) {
        mmc_assign_best best = {FARTHEST, INT32_MAX};
        for (int j = threadIdx.x; j < a.n; j += blockDim.x) {
            if (a.list[j])
                continue;
            mmc_assign_best d = {e.at(i, j) - a.v[j] + offset, j};
            if (d.value < a.distance[j]) {
                a.distance[j] = d.value;
                a.before[j] = i;
            } else
                d.value = a.distance[j];
            if (mmc_assign_less(d, best))
                best = d;
        }
        nearest = mmc_assign_least(best, part);
        i = a.row[nearest.at];
        if (i < 0)
            break;
        if (nearest.at % blockDim.x == threadIdx.x)
            a.list[nearest.at] = 1;
        offset = nearest.value - (e.at(i, nearest.at) - a.v[nearest.at]);
    }
    __syncthreads(); // everybody has read a.v and a.row
    for (int j = threadIdx.x; j < a.n; j += blockDim.x)
        if (a.list[j])
            a.v[j] += a.distance[j] - nearest.value;
    if (threadIdx.x == 0)
        for (int j = nearest.at; j >= 0;) {
            const int from = a.before[j], next = a.column[from];
            a.row[j] = from;
            a.column[from] = j;
            j = next;
        }
    __syncthreads();
}

// Potentials of rows, least reduced cost, one bit for each tight entry; one warp a row.
template <class T> __device__ int64_t certify(const mmc_assign_arrays &a, const entries<T> &e, mmc_assign_best *part) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    mmc_assign_best slack = {FARTHEST, 0};
    for (int i = warp; i < a.n; i += blockDim.x / 32) {
        const int64_t u = e.at(i, a.column[i]) - a.v[a.column[i]];
        if (lane == 0)
            a.u[i] = u;
        for (int w = 0; w < a.words; w++) {
            const int j = w * 32 + lane;
            int64_t reduced = FARTHEST;
            if (j < a.n)
                reduced = e.at(i, j) - u - a.v[j];
            slack.value = min(slack.value, reduced);
            const unsigned bits = __ballot_sync(~0u, reduced == 0);
            if (lane == 0)
                a.tight[static_cast<size_t>(i) * a.words + w] = bits;
        }
    }
    return mmc_assign_least(slack, part).value; // its barriers end the writes
}

template <class T>
__global__ void __launch_bounds__(BLOCK_MAX, 1) assign_kernel(const __grid_constant__ mmc_cuda_assign_batch batch) {
    __shared__ __align__(16) mmc_assign_best part[BLOCK_MAX / 32];
    MMC_DYN_SHARED(char, dynamic);
    const mmc_cuda_assign_problem &problem = batch.problem[blockIdx.x];
    const int n = problem.n;
    const mmc_assign_arrays a(batch.shared ? dynamic : batch.workspace + problem.arrays,
                              batch.workspace + problem.tight, n);
    entries<T> e = {static_cast<const T *>(batch.cost) + problem.cost, problem.stride, batch.maximise ? -1 : 1, 1, 1};
    mmc_assign_result result;
    if (!entries_check(e, result, n, part)) {
        if (threadIdx.x == 0)
            batch.result[blockIdx.x] = result;
        return;
    }
    columns_reduce(a, e);
    for (int i = 0; i < n; i++)
        if (a.column[i] < 0)
            row_add(a, e, i, part);
    result.slack = certify(a, e, part);
    const bool choice = mmc_assign_choices(a);
    result.unique = !choice;
    if (choice && threadIdx.x < 32)
        mmc_assign_settle(a);
    __syncthreads();

    // The chosen costs by rows, for sums in that order.
    double *value = reinterpret_cast<double *>(a.distance);
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        batch.column[problem.out + i] = a.column[i];
        batch.u[problem.out + i] = e.sign * a.u[i];
        batch.v[problem.out + i] = e.sign * a.v[i];
        value[i] = static_cast<double>(e.given(i, a.column[i]));
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        uint64_t dual = 0; // modulo 2^64, for 2n potentials may be larger than the total
        for (int i = 0; i < n; i++) {
            result.value += value[i];
            result.total += e.sign * e.at(i, a.column[i]);
            dual += static_cast<uint64_t>(e.sign * (a.u[i] + a.v[i]));
        }
        const int64_t gap = static_cast<int64_t>(static_cast<uint64_t>(result.total) - dual);
        result.gap = gap < 0 ? -gap : gap;
        batch.result[blockIdx.x] = result;
    }
}

template <class T> cudaError_t assign_launch(const mmc_cuda_assign_batch &batch, cudaStream_t stream) {
    const unsigned threads = min(BLOCK_MAX, (batch.rows + 31) / 32 * 32);
    const size_t shared = batch.shared ? mmc_cuda_assign_arrays(batch.rows) : 0;
    const cudaError_t error =
        cudaFuncSetAttribute(assign_kernel<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
    if (error != cudaSuccess)
        return error;
    MMC_LAUNCH(assign_kernel<T>, batch.problems, threads, shared, stream, batch);
    return cudaGetLastError();
}

} // namespace

extern "C" cudaError_t mmc_cuda_assign(const mmc_cuda_assign_batch *batch, cudaStream_t stream) {
    if (batch->problems == 0)
        return cudaSuccess;
    switch (batch->type) {
    case MMC_ASSIGN_I32:
        return assign_launch<int32_t>(*batch, stream);
    case MMC_ASSIGN_I64:
        return assign_launch<int64_t>(*batch, stream);
    case MMC_ASSIGN_F32:
        return assign_launch<float>(*batch, stream);
    default:
        return assign_launch<double>(*batch, stream);
    }
}
