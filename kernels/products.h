/* Inner products of all rows of two matrices, in double: how alike the units of two networks are by their weights.
 * [SPEC 5, weight matching]
 *
 *     out[i][j] = sum_k a[i][k] b[j][k]
 *
 * The products of float32 values are exact in double; what is rounded are their sums, so that a descent over such
 * scores can tell a gain of 1e-12 from none.
 *
 *     void *workspace = aligned_alloc(64, mmc_products_workspace_size(512));
 *     MMC_TRY(mmc_own_products(score, a, b, 512, 9216, workspace));
 *
 * Cost:  2 rows^2 length FLOP in double.
 * Order: sums over 128 k at a time, these in turn; bit-identical at any thread count.
 */
#ifndef MMC_KERNELS_PRODUCTS_H
#define MMC_KERNELS_PRODUCTS_H

#include "runtime/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of workspace, a multiple of 64, for this many rows. */
size_t mmc_products_workspace_size(int rows);

/* Shapes: out (rows, rows); a, b (rows, length), host memory; workspace 64-byte aligned, as above.
 * Errors: MMC_ERR_USAGE (MMC_ISA names an instruction set that cannot run here). */
mmc_status mmc_own_products(double *out, const float *a, const float *b, int rows, size_t length, void *workspace);

#ifdef __cplusplus
}
#endif
#endif
