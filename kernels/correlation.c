/* What the providers of the correlation share. */
#include "kernels/correlation.h"

#include <math.h>

mmc_status mmc_correlation_call_check(const mmc_correlation_call *call, size_t workspace_size) {
    const mmc_activation *a = call->a, *b = call->b;
    if (a->t != 1 || b->t != 1)
        return mmc_fail(MMC_ERR_SHAPE, "correlation: %d and %d weight sets; one of each network is correlated", a->t,
                        b->t);
    if (a->n != b->n || a->h != b->h || a->w != b->w)
        return mmc_fail(MMC_ERR_SHAPE,
                        "correlation: %d images of %dx%d against %d of %dx%d; give both networks the same images", a->n,
                        a->h, a->w, b->n, b->h, b->w);
    if (call->workspace_size < workspace_size)
        return mmc_fail(MMC_ERR_MEMORY, "correlation: a workspace of %zu bytes is too small; give %zu",
                        call->workspace_size, workspace_size);
    return MMC_OK;
}

mmc_status mmc_correlation_finish_check(const mmc_correlation_finish *call) {
    if (call->samples < 1)
        return mmc_fail(MMC_ERR_RANGE, "correlation of %lld samples; add a batch first", (long long)call->samples);
    return MMC_OK;
}

/* 1 / |x - mean| of a unit, 0 if it is constant. */
static double inverse_norm(double pivot, double sum, double square, double samples) {
    const double spread = square - sum * sum / samples;
    const double raw = square + 2 * pivot * sum + samples * pivot * pivot;
    return spread > MMC_CORRELATION_CONSTANT * MMC_CORRELATION_CONSTANT * raw ? 1 / sqrt(spread) : 0;
}

mmc_status mmc_correlation_finish_host(mmc_queue *queue, const mmc_correlation_finish *call) {
    (void)queue;
    MMC_TRY(mmc_correlation_finish_check(call));
    const size_t a = (size_t)call->a, b = (size_t)call->b;
    const double samples = (double)call->samples, *pivot_a = call->state, *pivot_b = pivot_a + a;
    const double *sum_a = pivot_b + b, *sum_b = sum_a + a, *square_a = sum_b + b, *square_b = square_a + a;
    for (size_t i = 0; i < a; i++) {
        const double *cross = square_b + b + i * b;
        const double scale = inverse_norm(pivot_a[i], sum_a[i], square_a[i], samples);
        for (size_t j = 0; j < b; j++) {
            const double other = inverse_norm(pivot_b[j], sum_b[j], square_b[j], samples);
            const double r = (cross[j] - sum_a[i] * sum_b[j] / samples) * scale * other;
            if (call->r)
                call->r[i * b + j] = (float)r;
            if (call->cost)
                call->cost[i * b + j] = (int32_t)rint(fmax(-1, fmin(1, r)) * MMC_CORRELATION_ONE);
        }
    }
    return MMC_OK;
}
