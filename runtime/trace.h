/* Ranges for profilers: what the program is doing, as Nsight Systems and Nsight Compute show it (NVTX domain
 * "mmcbench", categories job, phase, operation). Without a profiler, or in a build without NVTX, a range costs a few
 * nanoseconds.
 *
 *     mmc_trace_begin(MMC_TRACE_PHASE, "bn pass");
 *     return mmc_trace_end(pass_over_batches(net));       closes the range whether it went well or not
 *
 * Ranges of a thread nest: the last one begun is the first to end.
 */
#ifndef MMC_RUNTIME_TRACE_H
#define MMC_RUNTIME_TRACE_H

#include "kernels/unit.h"
#include "runtime/status.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_trace_category { MMC_TRACE_JOB = 1, MMC_TRACE_PHASE, MMC_TRACE_OPERATION } mmc_trace_category;

/* Whether this build has NVTX. */
bool mmc_trace_built(void);

/* Begins a range. `name` is copied. */
void mmc_trace_begin(mmc_trace_category category, const char *name);

/* Begins the range of an operation on a unit; its payload is mmc_trace_shape. */
void mmc_trace_begin_unit(const char *name, const mmc_unit_shape *shape, int sets);

/* Ends the range begun last, and returns `status`. */
mmc_status mmc_trace_end(mmc_status status);

/* A shape in 64 bits, lowest first: sets 8, n 12, c 12, k 12, h 8, w 8, r 2, stride 2. A size that does not fit stands
 * as the largest that does. */
static inline uint64_t mmc_trace_shape(const mmc_unit_shape *s, int sets) {
    const int size[] = {sets, s->n, s->c, s->k, s->h, s->w, s->r, s->stride};
    const int bits[] = {8, 12, 12, 12, 8, 8, 2, 2};
    uint64_t packed = 0;
    for (int i = 0, at = 0; i < 8; at += bits[i++]) {
        const int largest = (1 << bits[i]) - 1;
        packed |= (uint64_t)(size[i] < largest ? size[i] : largest) << at;
    }
    return packed;
}

#ifdef __cplusplus
}
#endif
#endif
