/* What a test may ask of the emulation beside the calls of CUDA itself. C and C++.
 *
 * The environment sets the same for a whole process:
 *     MMC_SIMT_SEED=7                order of threads, blocks and stream operations (odd seeds: an operation runs only
 * when the host waits for it; even ones let others run ahead) MMC_SIMT_GPU=a100              a100, h100, 4090; v100
 * (too old for this project), none, old-driver MMC_SIMT_DEVICES=2             how many of them
 *     MMC_SIMT_MEMORY=100000000      bytes of each device; by default what the named GPU has
 *     MMC_SIMT_FAIL=cudaMalloc:3     the third call of cudaMalloc fails with its usual error; `cudaMemcpyAsync:1:700`
 * with error 700, which is sticky; `any:12`: the twelfth call, whichever it is. A call that frees or destroys does its
 * work and then returns the error.
 *
 *     simt_seed(3);
 *     simt_fail("cudaStreamCreateWithFlags", 1, 0);
 *     EXPECT_EQ(mmc_backend_open(&be, &options), MMC_ERR_DEVICE);
 *     EXPECT_EQ(simt_leaks(), 0);
 *
 * A mistake (a race, an access out of bounds, a copy not waited for, ...) prints one line and ends the process with 99,
 * leaks found at exit with 98: a test of a mistake forks.
 */
#ifndef MMC_TESTS_SIMT_CONTROL_H
#define MMC_TESTS_SIMT_CONTROL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Draws all orders anew. */
void simt_seed(unsigned seed);

/* Replaces the machine: every stream, event, graph and allocation must be gone. memory 0: what the GPU has. */
void simt_machine(const char *gpu, int devices, size_t memory);

/* The nth call from now (1: the next) of a function fails with `code`, 0 for its usual one. NULL: "any".
 * nth 0 takes back what is set. */
void simt_fail(const char *call, int nth, int code);

/* Whether a failure that was set has happened. */
int simt_failed(void);

/* Calls of a function so far; NULL: of all that can fail. */
long simt_calls(const char *call);

/* Kernels run so far, replayed ones included, and those whose name contains `part` (NULL: all). */
long simt_launches(const char *part);
long simt_launches_on(int device);

/* A digest of all bytes copied from devices to the host since the last call, whatever their order. */
unsigned long long simt_digest(void);

/* Prints what was created and not freed, with the place, and returns how many there are. */
int simt_leaks(void);

/* NVTX ranges of this process so far (begun) and those open now. A range that ends before one begun later, or was never
 * begun, is a mistake. */
long simt_ranges(void);
long simt_ranges_open(void);

/* All events, one a line: "+ depth domain category name payload" and "- depth domain". Owned by the emulation. */
const char *simt_range_log(void);
void simt_range_log_clear(void);

#ifdef __cplusplus
}
#endif
#endif
