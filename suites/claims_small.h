/* Claims of the small model: Table 5 and Figure 13 (SPEC 7). */
#ifndef MMC_SUITES_CLAIMS_SMALL_H
#define MMC_SUITES_CLAIMS_SMALL_H

#include "suites/claims.h"

#ifdef __cplusplus
extern "C" {
#endif

/* NULL-terminated. */
extern const mmc_claim *const mmc_claims_of_table5[];
extern const mmc_claim *const mmc_claims_of_fig13[];

/* The zero pattern of Table 5: of three models trained on K = 0, K = 4 and both, the changes of loss by {D_0, D_4}. A
 * change is zero where the attribute drawn anew was not used: every such entry lies below 2% of the smallest other one.
 * *zero, *large: the largest and the smallest of the two kinds. False also where a value is missing (NAN). */
bool mmc_claim_zero_pattern(double *zero, double *large, const double entry[3][2]);

#ifdef __cplusplus
}
#endif
#endif
