/* Small kernels, each with its seeded faults (0: none), for the emulator's own tests. C and C++. */
#ifndef MMC_TESTS_SIMT_TOY_H
#define MMC_TESTS_SIMT_TOY_H

#include <cuda_runtime_api.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y[i] = factor x[i]. 1: one past the end; 2: neighbouring blocks write one element; 3: 16 bytes at an odd place. */
cudaError_t toy_scale(float *y, const float *x, float factor, int n, int fault, cudaStream_t stream);

/* c (m,n) = a (m,k) b (k,n) in tiles of 16. 1: no barrier before the product; 2: none after it; 3: a row not filled;
 * 4: a row beside its tile. */
cudaError_t toy_product(float *c, const float *a, const float *b, int m, int n, int k, int fault, cudaStream_t stream);

/* sums[block] of x by shuffles, then a tree of the first warp in dynamic shared memory. 1: no barrier; 2: a shuffle for
 * __syncwarp; 3: past the end of dynamic shared memory; 4: half a warp shuffles, the rest ends; 5: half a warp
 * shuffles, the rest waits at a barrier. */
cudaError_t toy_reduce(float *sums, const float *x, int n, int fault, cudaStream_t stream);

/* y[i] = 2 x[i] + (mirror of x in its tile of 512), tiles double-buffered by cp.async; zero from n on.
 * 1: no wait; 2: no barrier after the wait; 3: no barrier before the refill; 4: ends without waiting; 5: a misaligned
 * target; 6: a misaligned source. */
cudaError_t toy_pipeline(float *y, const float *x, int n, int tiles, int fault, cudaStream_t stream);

/* d (16,8) += a (16,k) b (k,8), one warp; a row-major, b as (8,k). bf16: a and b hold 16-bit elements, read by
 * ldmatrix; b is (k,8) and read transposed. 1: the second row of fragments is wrong; 2: a row of ldmatrix misaligned;
 * 3: read before a barrier. */
cudaError_t toy_mma_tf32(float *d, const float *a, const float *b, int k, int fault, cudaStream_t stream);
cudaError_t toy_mma_bf16(float *d, const uint16_t *a, const uint16_t *b, int k, int fault, cudaStream_t stream);

/* The block that arrives last adds what all blocks left, in order. 1: no fence. */
cudaError_t toy_total(float *sum, float *part, unsigned *arrived, int blocks, int fault, cudaStream_t stream);

/* 1: threads of a block at different barriers; 2: index past a static array; 3: the same through a pointer, into no
 * variable; 4: atomic beside plain write; 5: a device pointer is the host's; 6: one that a lane outside its mask gives.
 */
cudaError_t toy_misc(float *y, const float *x, int n, int fault, cudaStream_t stream);

/* out[32 i + lane]: what lane gets from operation i. */
enum { TOY_WARP_RESULTS = 16 };
cudaError_t toy_warp(unsigned *out, cudaStream_t stream);

/* Sums of predicates at barriers: out[0..2] of thread 0. */
cudaError_t toy_votes(int *out, int threads, cudaStream_t stream);

/* Rounding of v to tf32 and bf16: out[0], out[1]. */
cudaError_t toy_round(uint32_t *out, const float *v, int n, cudaStream_t stream);

/* Launches only: a kernel of at most 128 threads; one with `bytes` of dynamic and 16 KiB of static shared memory. */
cudaError_t toy_threads(int threads, unsigned grid_y, cudaStream_t stream);
cudaError_t toy_shared(float *y, int bytes, int opt_in, cudaStream_t stream);

/* y[i] = number of the block that came i-th (shows the order), and of the lane that first took the ticket. */
cudaError_t toy_order(unsigned *y, unsigned *ticket, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
