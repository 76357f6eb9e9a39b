/* Matching the hidden units of two small models, and how far apart two models' activation patterns lie. [SPEC 6]
 *
 *     mmc_small_match_result match;
 *     MMC_TRY(mmc_small_match(&match, permuted, permutation, be, &config, target_w, w, &train));
 *     ... `permuted` computes the same function as w, its units in the target's order
 */
#ifndef MMC_RUNTIME_SMALL_MATCH_H
#define MMC_RUNTIME_SMALL_MATCH_H

#include "runtime/small.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_small_match_result {
    double score;                 /* sum of the correlations of the matched units */
    double duality_gap;           /* of all assignments together; 0: proven optimal */
    double max_output_difference; /* between the model before and after, largest over the samples */
    int32_t samples;
} mmc_small_match_result;

/* permutation (N): unit i of `permuted` is unit permutation[i] of w. Maximises the sum of C[i][permutation[i]], with
 * C[i][j] the correlation of the ReLU outputs of unit i of the target and unit j of w over the samples, in integers of
 * 2^-20 (kernels/correlation.h); units with a = +1 and a = -1 apart, since a is fixed: two assignment problems of N/2,
 * or one of N where all a are equal. That the function is the same is checked on up to 1,000 of the samples.
 * Shapes: target, w, permuted: (rows, N). Errors: MMC_ERR_UNSUPPORTED (a provider without correlation), MMC_ERR_WRONG
 * (correlations that are not finite, another function), MMC_ERR_MEMORY. Order: bit-identical at any thread count. */
mmc_status mmc_small_match(mmc_small_match_result *out, float *permuted, int32_t *permutation, mmc_backend *be,
                           const mmc_small_config *config, const float *target, const float *w,
                           const mmc_small_data *data);

/* Wasserstein-1 distance of two activation patterns.
 * Eq: mean over samples of |a - b|, with a and b the shares of active units of one sample (mmc_small_evaluate). */
double mmc_small_pattern_distance(const float *fraction_a, const float *fraction_b, int32_t samples);

#ifdef __cplusplus
}
#endif
#endif
