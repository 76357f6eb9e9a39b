/* Measuring how long an operation takes, as nvbench does its cold measurement: caches emptied before every sample, one
 * run to warm up, samples until their spread is small enough or the time is up, every raw sample kept.
 *
 *     mmc_bench_body body = {.prepare = restore, .run = launch, .user = &operation};
 *     mmc_bench_options options = mmc_bench_defaults();
 *     MMC_TRY(mmc_bench_measure(&result, timer, be->timer, &body, &options));
 *     printf("%g s +- %g\n", result.median_s, result.noise * result.median_s);
 *     mmc_bench_result_close(&result);
 */
#ifndef MMC_RUNTIME_BENCH_H
#define MMC_RUNTIME_BENCH_H

#include "runtime/timer.h"

#include <signal.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is measured. `prepare` (NULL: nothing to do) puts back what `run` destroys and is not timed. */
typedef struct mmc_bench_body {
    mmc_status (*prepare)(void *user);
    mmc_status (*run)(void *user);
    void *user;
} mmc_bench_body;

typedef struct mmc_bench_options {
    int min_samples;  /* at least so many, unless the time is up */
    double max_noise; /* relative standard deviation at which sampling ends */
    double timeout_s; /* of wall time, in which sampling ends whatever the spread */
    int iterations;   /* 0; else: exactly so many runs, without warming up and emptying caches (profilers) */
    const volatile sig_atomic_t *interrupted; /* NULL: never */
} mmc_bench_options;

/* nvbench's defaults but the time: 10 samples, 0.5%, 2 s. */
mmc_bench_options mmc_bench_defaults(void);

typedef enum mmc_bench_end { MMC_BENCH_NOISE, MMC_BENCH_TIMEOUT, MMC_BENCH_ITERATIONS } mmc_bench_end;

typedef struct mmc_bench_result {
    double *samples; /* (count) seconds, in the order taken. Owns: the caller, _close */
    size_t count;
    double median_s, min_s, iqr_s;
    double noise; /* standard deviation / mean; NAN with one sample */
    mmc_bench_end end;
    mmc_clocks clocks; /* after the last sample; throttled: since the first */
} mmc_bench_result;

/* Errors: those of the body; MMC_ERR_INTERRUPTED, MMC_ERR_MEMORY. */
mmc_status mmc_bench_measure(mmc_bench_result *out, mmc_timer *timer, const struct mmc_timer_ops *ops,
                             const mmc_bench_body *body, const mmc_bench_options *options);
void mmc_bench_result_close(mmc_bench_result *result);

/* "noise", "timeout", "iterations": why sampling ended. */
const char *mmc_bench_end_name(mmc_bench_end end);

/* Quantile q of `count` values in ascending order, between neighbours by weight. */
double mmc_bench_quantile(const double *sorted, size_t count, double q);

/* Shortest time in which a device of these peaks could do the work; the larger of the two times. */
double mmc_bench_roofline_s(const mmc_peaks *peaks, double flop, double bytes);

#ifdef __cplusplus
}
#endif
#endif
