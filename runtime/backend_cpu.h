/* The CPU backend behind runtime/backend.h: host memory and one of the CPU providers. */
#ifndef MMC_RUNTIME_BACKEND_CPU_H
#define MMC_RUNTIME_BACKEND_CPU_H

#include "runtime/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Opens the CPU backend: sets the number of OpenMP threads of this process.
 * Errors: as mmc_backend_open. Owns: the caller, mmc_backend_close. */
mmc_status mmc_backend_cpu_open(mmc_backend **out, const mmc_backend_options *options);

#ifdef __cplusplus
}
#endif
#endif
