/* The provider `own`: fast CPU kernels in which a SIMD lane is an image.
 *
 * One source, compiled once for each instruction set and chosen at run time by what the processor supports; the
 * environment variable MMC_ISA=avx512|avx2|baseline overrides the choice (tests, comparisons).
 *
 *     const mmc_unit_ops *ops = mmc_own_unit_ops();          NULL: mmc_error_message() says why
 *     printf("%s\n", mmc_own_isa());                         "avx512"
 */
#ifndef MMC_KERNELS_OWN_OWN_H
#define MMC_KERNELS_OWN_OWN_H

#include "kernels/flat.h"
#include "kernels/unit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Instruction set that mmc_own_unit_ops and mmc_own_flat_ops run with: "avx512", "avx2" or "baseline".
 * Errors: NULL, with a recorded message, where MMC_ISA names an unknown or unsupported set; the two tables are NULL
 * then as well. */
const char *mmc_own_isa(void);

/* Does `steps` rounds of independent multiply-adds in the registers of every thread and returns their FLOP: the time
 * that takes tells the processor's peak. */
double mmc_own_probe_fma(long steps);

#ifdef __cplusplus
}
#endif
#endif
