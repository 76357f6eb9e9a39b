// The product of a warp: MT x 16 rows (pixels) by NT x 8 columns (filters) from shared memory on tensor cores, for
// every precision. Rows and filters hold their channels in pieces of 16 bytes; one step takes two pieces, 16 channels
// of bf16 or 8 of float, so that addresses are the same for all: ldmatrix fetches a float fragment as 8 x 4 pairs of 16
// bits.
#ifndef MMC_KERNELS_CUDA_CONV_TILE_CUH
#define MMC_KERNELS_CUDA_CONV_TILE_CUH

#include "kernels/cuda/compat.cuh"
#include "kernels/cuda/queue.h"

template <mmc_cuda_precision P> struct mmc_precision { using Element = float; };
template <> struct mmc_precision<MMC_CUDA_BF16> { using Element = mmc_bf16; };

enum { MMC_TILE_STEPS = 2, MMC_TILE_STEP_BYTES = 32 }; // of a chunk of 64 bytes

// A float as two tf32: its upper 10 bits of mantissa, rounded or cut off, and what they leave, of which the
// multiplication takes the upper 10 bits. Rounding costs an instruction more. With one factor rounded what is lost of a
// product, 2^-21 at most, has no preferred sign but for what is cut off the other's low half, 2^-22 on average. A NaN
// is one in `low`.
template <bool ROUND> __device__ __forceinline__ void mmc_split(uint32_t &high, uint32_t &low, uint32_t bits) {
    high = (ROUND ? bits + 0x1000u : bits) & 0xffffe000u;
    low = __float_as_uint(__uint_as_float(bits) - __uint_as_float(high));
}

// The place in shared memory that a lane gives to ldmatrix for rows 16 i.. of a tile of pixels: this row, this piece.
__device__ __forceinline__ int mmc_tile_row(int lane) {
    return lane & 15;
}
__device__ __forceinline__ int mmc_tile_row_piece(int lane) {
    return lane >> 4;
}
// ... and for filters 16 j.. of a tile of filters.
__device__ __forceinline__ int mmc_tile_filter(int lane) {
    return (lane & 7) + (lane >> 4 << 3);
}
__device__ __forceinline__ int mmc_tile_filter_piece(int lane) {
    return lane >> 3 & 1;
}

// sum += rows x filters over `steps` (1 or 2) steps; FRESH: sum = rows x filters, whatever it held.
//   rows + row[i]: this lane's row of the 16 rows i;   filters + j PITCH 16: this lane's filter of the 16 filters j
// Order: steps from the first; fp32: low x high, high x low, high x high.
template <mmc_cuda_precision P, int MT, int NT, int PITCH, bool FRESH = false>
__device__ __forceinline__ void mmc_tile_multiply(float (&sum)[MT][NT][4], const unsigned char *rows,
                                                  const int (&row)[MT], const unsigned char *filters, int steps) {
    MMC_UNROLL
    for (int step = 0; step < MMC_TILE_STEPS; step++) {
        if (step >= steps)
            break;
        uint32_t b[NT][2], b_low[NT][2];
        MMC_UNROLL
        for (int j = 0; j < NT; j += 2) {
            uint32_t pair[4];
            mmc_ldmatrix_x4(pair, filters + j * 8 * PITCH + step * MMC_TILE_STEP_BYTES);
            MMC_UNROLL
            for (int i = 0; i < 4; i++) {
                if constexpr (P == MMC_CUDA_FP32)
                    mmc_split<true>(b[j + i / 2][i % 2], b_low[j + i / 2][i % 2], pair[i]);
                else
                    b[j + i / 2][i % 2] = pair[i];
            }
        }
        MMC_UNROLL
        for (int i = 0; i < MT; i++) {
            uint32_t a[4], a_low[4];
            mmc_ldmatrix_x4(a, rows + row[i] + step * MMC_TILE_STEP_BYTES);
            if constexpr (P == MMC_CUDA_FP32) {
                MMC_UNROLL
                for (int e = 0; e < 4; e++)
                    mmc_split<false>(a[e], a_low[e], a[e]);
            }
            MMC_UNROLL
            for (int j = 0; j < NT; j++) {
                if (FRESH && step == 0) {
                    MMC_UNROLL
                    for (int e = 0; e < 4; e++)
                        sum[i][j][e] = 0.0f; // becomes the instruction's zero operand
                }
                if constexpr (P == MMC_CUDA_BF16) {
                    mmc_mma_m16n8k16_bf16(sum[i][j], a, b[j]);
                } else if constexpr (P == MMC_CUDA_TF32) {
                    mmc_mma_m16n8k8_tf32(sum[i][j], a, b[j]);
                } else {
                    mmc_mma_m16n8k8_tf32(sum[i][j], a_low, b[j]);
                    mmc_mma_m16n8k8_tf32(sum[i][j], a, b_low[j]);
                    mmc_mma_m16n8k8_tf32(sum[i][j], a, b[j]);
                }
            }
        }
    }
}
#endif
