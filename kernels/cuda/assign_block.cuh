// What the threads of a block do together for one assignment problem: reductions, and the choice among equal optima.
#ifndef MMC_KERNELS_CUDA_ASSIGN_BLOCK_CUH
#define MMC_KERNELS_CUDA_ASSIGN_BLOCK_CUH

#include "kernels/cuda/assign.h"
#include "kernels/cuda/compat.cuh"

// Arrays of one problem of n rows, in shared memory or in the workspace.
struct mmc_assign_arrays {
    int n, words;
    int64_t *v;        // (N) potentials of columns
    int64_t *distance; // (N)
    int64_t *u;        // (N) potentials of rows
    int32_t *before;   // (N) column: row from which it was reached
    int32_t *row;      // (N) row of a column; -1: none
    int32_t *column;   // (N) column of a row; -1: none
    int32_t *list;     // (N) column: 1 when it is done; later a queue of rows
    uint32_t *alive;   // (words) columns whose rows may have a choice
    uint32_t *barred;  // (words) columns given away or seen
    uint32_t *tight;   // (N,words) entries of no reduced cost; in the workspace

    __device__ __forceinline__ mmc_assign_arrays(char *arrays, char *workspace, int count)
        : n(count), words((count + 31) / 32), v(reinterpret_cast<int64_t *>(arrays)), distance(v + n), u(distance + n),
          before(reinterpret_cast<int32_t *>(u + n)), row(before + n), column(row + n), list(column + n),
          alive(reinterpret_cast<uint32_t *>(list + n)), barred(alive + words),
          tight(reinterpret_cast<uint32_t *>(workspace)) {
    }
};

// A value and where it is.
struct mmc_assign_best {
    int64_t value;
    int at;
};

__device__ __forceinline__ bool mmc_assign_less(const mmc_assign_best &a, const mmc_assign_best &b) {
    return a.value < b.value || (a.value == b.value && a.at < b.at);
}

// The least of the block's values, of equal ones the lowest place; for every thread. `part`: 33 entries of shared
// memory.
__device__ __forceinline__ mmc_assign_best mmc_assign_least(mmc_assign_best best, mmc_assign_best *part) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        mmc_assign_best other;
        other.value = __shfl_xor_sync(~0u, best.value, step);
        other.at = __shfl_xor_sync(~0u, best.at, step);
        if (mmc_assign_less(other, best))
            best = other;
    }
    if (lane == 0)
        part[warp] = best;
    __syncthreads();
    best = part[0];
    for (int w = 1; w < warps; w++)
        if (mmc_assign_less(part[w], best))
            best = part[w];
    __syncthreads(); // `part` may be written again
    return best;
}

// Leaves alive the columns of rows that reach a cycle of tight entries: again and again takes away the rows whose tight
// entries, but their own, all lie in columns no longer alive. Returns whether any is left.
__device__ __forceinline__ bool mmc_assign_choices(const mmc_assign_arrays &a) {
    for (int w = threadIdx.x; w < a.words; w += blockDim.x)
        a.alive[w] = w * 32 + 32 <= a.n ? ~0u : (1u << (a.n % 32)) - 1;
    __syncthreads();
    for (;;) {
        for (int w = threadIdx.x; w < a.words; w += blockDim.x)
            a.barred[w] = 0; // here: columns to be taken away
        __syncthreads();
        int taken = 0;
        for (int i = threadIdx.x; i < a.n; i += blockDim.x) {
            const int own = a.column[i];
            if ((a.alive[own / 32] >> (own % 32) & 1u) == 0)
                continue;
            uint32_t others = 0;
            for (int w = 0; w < a.words && others == 0; w++) {
                others = a.tight[static_cast<size_t>(i) * a.words + w] & a.alive[w];
                if (w == own / 32)
                    others &= ~(1u << (own % 32));
            }
            if (others == 0) {
                atomicOr(&a.barred[own / 32], 1u << (own % 32));
                taken = 1;
            }
        }
        if (__syncthreads_or(taken) == 0)
            break;
        for (int w = threadIdx.x; w < a.words; w += blockDim.x)
            a.alive[w] &= ~a.barred[w];
        __syncthreads();
    }
    int left = 0;
    for (int w = threadIdx.x; w < a.words; w += blockDim.x)
        left |= a.alive[w] != 0;
    return __syncthreads_or(left) != 0;
}

// One warp: whether the row that has column `taken` reaches, over tight entries in columns that are not barred, column
// `mine` of row i. If so everybody moves along and row i takes `taken`. Bars what it has seen.
__device__ __forceinline__ bool mmc_assign_trade(const mmc_assign_arrays &a, int i, int taken) {
    const int lane = threadIdx.x % 32, mine = a.column[i];
    int count = 1;
    if (lane == 0) {
        a.barred[taken / 32] |= 1u << (taken % 32);
        a.list[0] = a.row[taken];
    }
    __syncwarp();
    for (int at = 0; at < count; at++) {
        const int from = a.list[at];
        for (int base = 0; base < a.words; base += 32) {
            const int w = base + lane;
            uint32_t bits = 0;
            if (w < a.words) {
                bits = a.tight[static_cast<size_t>(from) * a.words + w] & a.alive[w] & ~a.barred[w];
                a.barred[w] |= bits;
            }
            // The queue takes them by column.
            int place = __popc(bits);
#pragma unroll
            for (int step = 1; step < 32; step *= 2) {
                const int below = __shfl_up_sync(~0u, place, step);
                if (lane >= step)
                    place += below;
            }
            const int found = __shfl_sync(~0u, place, 31);
            place += count - __popc(bits);
            for (; bits; bits &= bits - 1) {
                const int c = w * 32 + __ffs(static_cast<int>(bits)) - 1;
                a.before[c] = from;
                a.list[place++] = a.row[c];
            }
            count += found;
            __syncwarp();
        }
        const bool reached = (a.barred[mine / 32] >> (mine % 32) & 1u) != 0;
        __syncwarp();
        if (!reached)
            continue;
        if (lane == 0) {
            for (int to = mine; to != taken;) {
                const int giver = a.before[to], next = a.column[giver];
                a.row[to] = giver;
                a.column[giver] = to;
                to = next;
            }
            a.row[taken] = i;
            a.column[i] = taken;
        }
        __syncwarp();
        return true;
    }
    return false;
}

// One warp: turns the matching into the lexicographically smallest optimum.
__device__ __forceinline__ void mmc_assign_settle(const mmc_assign_arrays &a) {
    const int lane = threadIdx.x % 32;
    for (int i = 0; i < a.n; i++) {
        const int own = a.column[i];
        if (a.alive[own / 32] >> (own % 32) & 1u) {
            // Only row i itself takes from here on; what the rows before it have is no longer alive.
            for (int w = lane; w < a.words; w += 32)
                a.barred[w] = 0;
            __syncwarp();
            for (int w = 0; w <= own / 32; w++) {
                uint32_t bits = a.tight[static_cast<size_t>(i) * a.words + w] & a.alive[w];
                if (w == own / 32)
                    bits &= (1u << (own % 32)) - 1;
                bool traded = false;
                for (; bits && !traded; bits &= bits - 1) {
                    const int c = w * 32 + __ffs(static_cast<int>(bits)) - 1;
                    const bool seen = (a.barred[w] >> (c % 32) & 1u) != 0;
                    __syncwarp();
                    traded = !seen && mmc_assign_trade(a, i, c);
                }
                if (traded)
                    break;
            }
        }
        const int given = a.column[i];
        __syncwarp();
        if (lane == 0)
            a.alive[given / 32] &= ~(1u << (given % 32));
        __syncwarp();
    }
}
#endif
