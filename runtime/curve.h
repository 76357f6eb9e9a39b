/* Curves in weight space: gamma(t) = sum_i b_i(t) theta_i over the control points theta_0 = A, bends, theta_last = B.
 *
 * Eq: linear     (1-t) A + t B
 *     quadratic  (1-t)^2 A + 2t(1-t) M + t^2 B                                  [SPEC 4]
 *     bezier     binomial(n+1, i) t^i (1-t)^(n+1-i), n bends                    [Garipov et al. 2018]
 *     polyline   piecewise linear through n bends at t = i/(n+1)                [Garipov et al. 2018]
 */
#ifndef MMC_RUNTIME_CURVE_H
#define MMC_RUNTIME_CURVE_H

#include "runtime/checkpoint.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_curve_kind {
    MMC_CURVE_LINEAR,
    MMC_CURVE_QUADRATIC,
    MMC_CURVE_POLYLINE,
    MMC_CURVE_BEZIER,
    MMC_CURVE_COUNT
} mmc_curve_kind;

const char *mmc_curve_name(mmc_curve_kind kind);
mmc_status mmc_curve_parse(mmc_curve_kind *out, const char *name);

enum { MMC_CURVE_POINTS_MAX = MMC_BENDS_MAX + 2 };

typedef struct mmc_curve {
    mmc_curve_kind kind;
    int count;                                /* control points: 2 + bends */
    const float *point[MMC_CURVE_POINTS_MAX]; /* host, (state_count): A, bends in order, B */
} mmc_curve;

/* Weights of the control points at t, (count). Errors: MMC_ERR_RANGE if t is outside [0,1], MMC_ERR_USAGE if the number
 * of bends does not fit the kind (linear 0, quadratic 1). */
mmc_status mmc_curve_weights(double *weight, const mmc_curve *curve, double t);

#ifdef __cplusplus
}
#endif
#endif
