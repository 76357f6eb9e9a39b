#include "runtime/curve.h"

#include <math.h>
#include <string.h>

static const char *const names[MMC_CURVE_COUNT] = {
    [MMC_CURVE_LINEAR] = "linear",
    [MMC_CURVE_QUADRATIC] = "quadratic",
    [MMC_CURVE_POLYLINE] = "polyline",
    [MMC_CURVE_BEZIER] = "bezier",
};

const char *mmc_curve_name(mmc_curve_kind kind) {
    return names[kind];
}

mmc_status mmc_curve_parse(mmc_curve_kind *out, const char *name) {
    for (int i = 0; i < MMC_CURVE_COUNT; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (mmc_curve_kind)i;
            return MMC_OK;
        }
    return mmc_fail(MMC_ERR_USAGE, "unknown curve '%s'; known are linear, quadratic, polyline and bezier", name);
}

static void polyline(double *weight, int count, double t) {
    double place = t * (count - 1);
    int left = (int)place;
    if (left > count - 2)
        left = count - 2;
    for (int i = 0; i < count; i++)
        weight[i] = 0;
    weight[left + 1] = place - left;
    weight[left] = 1 - weight[left + 1];
}

static void bernstein(double *weight, int count, double t) {
    const int degree = count - 1;
    double binomial = 1;
    for (int i = 0; i < count; i++) {
        weight[i] = binomial * pow(t, i) * pow(1 - t, degree - i);
        binomial = binomial * (degree - i) / (i + 1);
    }
}

mmc_status mmc_curve_weights(double *weight, const mmc_curve *curve, double t) {
    const int bends = curve->count - 2;
    if (!(t >= 0 && t <= 1))
        return mmc_fail(MMC_ERR_RANGE, "t = %g on a path: give a value from 0 to 1", t);
    if (bends < 0 || bends > MMC_BENDS_MAX || (curve->kind == MMC_CURVE_LINEAR && bends != 0) ||
        (curve->kind == MMC_CURVE_QUADRATIC && bends != 1))
        return mmc_fail(MMC_ERR_USAGE,
                        "a %s curve with %d bends: linear takes none, quadratic one, polyline and bezier up to %d",
                        names[curve->kind], bends, MMC_BENDS_MAX);
    switch (curve->kind) {
    case MMC_CURVE_LINEAR:
    case MMC_CURVE_POLYLINE:
        polyline(weight, curve->count, t);
        return MMC_OK;
    case MMC_CURVE_QUADRATIC:
        weight[0] = (1 - t) * (1 - t);
        weight[1] = 2 * t * (1 - t);
        weight[2] = t * t;
        return MMC_OK;
    default:
        bernstein(weight, curve->count, t);
        return MMC_OK;
    }
}
