/* What stands in for ranges in a build without NVTX. */
#include "runtime/trace.h"

bool mmc_trace_built(void) {
    return false;
}

void mmc_trace_begin(mmc_trace_category category, const char *name) {
    (void)category;
    (void)name;
}

void mmc_trace_begin_unit(const char *name, const mmc_unit_shape *shape, int sets) {
    (void)name;
    (void)shape;
    (void)sets;
}

mmc_status mmc_trace_end(mmc_status status) {
    return status;
}
