#include "runtime/bench.h"

#include "runtime/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

mmc_bench_options mmc_bench_defaults(void) {
    return (mmc_bench_options){.min_samples = 10, .max_noise = 0.005, .timeout_s = 2};
}

const char *mmc_bench_end_name(mmc_bench_end end) {
    static const char *const names[] = {"noise", "timeout", "iterations"};
    return names[end];
}

double mmc_bench_quantile(const double *sorted, size_t count, double q) {
    const double at = q * (double)(count - 1);
    const size_t below = (size_t)at;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

double mmc_bench_roofline_s(const mmc_peaks *peaks, double flop, double bytes) {
    return fmax(flop / peaks->flop_per_s, bytes / peaks->bytes_per_s);
}

/* Two passes: the difference of sums of squares would drown a spread of a thousandth. */
static double relative_deviation(const double *samples, size_t count) {
    if (count < 2)
        return NAN;
    double mean = 0, square = 0;
    for (size_t i = 0; i < count; i++)
        mean += samples[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        square += (samples[i] - mean) * (samples[i] - mean);
    return sqrt(square / (double)(count - 1)) / mean;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static mmc_status summarise(mmc_bench_result *r) {
    double *sorted = malloc(r->count * sizeof *sorted);
    if (!sorted)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for %zu samples", r->count);
    memcpy(sorted, r->samples, r->count * sizeof *sorted);
    qsort(sorted, r->count, sizeof *sorted, ascending);
    r->min_s = sorted[0];
    r->median_s = mmc_bench_quantile(sorted, r->count, 0.5);
    r->iqr_s = mmc_bench_quantile(sorted, r->count, 0.75) - mmc_bench_quantile(sorted, r->count, 0.25);
    r->noise = relative_deviation(r->samples, r->count);
    free(sorted);
    return MMC_OK;
}

static mmc_status take_sample(double *elapsed_s, mmc_timer *timer, const struct mmc_timer_ops *ops,
                              const mmc_bench_body *body, bool flush) {
    if (body->prepare)
        MMC_TRY(body->prepare(body->user));
    if (flush)
        MMC_TRY(ops->flush(timer));
    MMC_TRY(ops->start(timer));
    MMC_TRY(body->run(body->user));
    return ops->stop(timer, elapsed_s);
}

static mmc_status keep_sample(mmc_bench_result *r, size_t *capacity, double sample_s) {
    if (r->count == *capacity) {
        const size_t larger = *capacity ? 2 * *capacity : 64;
        double *samples = realloc(r->samples, larger * sizeof *samples);
        if (!samples)
            return mmc_fail(MMC_ERR_MEMORY, "out of memory for %zu samples", larger);
        r->samples = samples;
        *capacity = larger;
    }
    r->samples[r->count++] = sample_s;
    return MMC_OK;
}

/* Whether sampling ends here, and why. */
static bool enough(mmc_bench_result *r, const mmc_bench_options *o, double began_s) {
    if (o->iterations) {
        r->end = MMC_BENCH_ITERATIONS;
        return r->count >= (size_t)o->iterations;
    }
    r->end = MMC_BENCH_NOISE;
    if (r->count >= (size_t)o->min_samples && relative_deviation(r->samples, r->count) <= o->max_noise)
        return true;
    r->end = MMC_BENCH_TIMEOUT;
    return mmc_clock_s() - began_s >= o->timeout_s;
}

mmc_status mmc_bench_measure(mmc_bench_result *out, mmc_timer *timer, const struct mmc_timer_ops *ops,
                             const mmc_bench_body *body, const mmc_bench_options *options) {
    mmc_status status = MMC_OK;
    size_t capacity = 0;
    double sample_s;
    *out = (mmc_bench_result){.samples = NULL};
    const double began_s = mmc_clock_s();
    if (!options->iterations)
        MMC_TRY(take_sample(&sample_s, timer, ops, body, true));
    (void)ops->clocks(timer); /* what held the device back before does not count */
    do {
        if (options->interrupted && *options->interrupted)
            MMC_GOTO(fail, mmc_fail(MMC_ERR_INTERRUPTED, "interrupted while measuring"));
        MMC_GOTO(fail, take_sample(&sample_s, timer, ops, body, !options->iterations));
        MMC_GOTO(fail, keep_sample(out, &capacity, sample_s));
    } while (!enough(out, options, began_s));
    out->clocks = ops->clocks(timer);
    MMC_GOTO(fail, summarise(out));
    return MMC_OK;
fail:
    mmc_bench_result_close(out);
    return status;
}

void mmc_bench_result_close(mmc_bench_result *result) {
    free(result->samples);
    *result = (mmc_bench_result){.samples = NULL};
}
