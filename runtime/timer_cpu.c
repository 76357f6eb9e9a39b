/* The timer of the CPU backend: the wall clock; peaks by an FMA loop and a triad. */
#define _GNU_SOURCE /* _SC_LEVEL3_CACHE_SIZE */
#include "kernels/own/own.h"
#include "runtime/clock.h"
#include "runtime/timer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A machine may have more cache than it tells (a guest sees its share) or less than it has; the bounds keep a flush
 * between useless and slow. */
enum { LEAST_BYTES = 32 << 20, MOST_BYTES = 256 << 20, FMA_ROUNDS = 50, TRIAD_ROUNDS = 8 };
#define FMA_ROUND_S 0.002 /* shorter than the slice of time that a busy system gives */

struct mmc_timer {
    mmc_backend *be;
    double start_s;
    size_t bytes; /* of `sweep`: twice the last-level cache */
    float *sweep;
    long throttle_events; /* of core 0 at the last look; -1: not told */
};

static bool read_number(double *out, const char *path) {
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    bool found = fscanf(file, "%lf", out) == 1;
    fclose(file);
    return found;
}

/* The last-level cache that core 0 shares; sysconf counts those of all cores where the kernel does not tell. */
static size_t cache_bytes(void) {
    double told = 0;
    if (read_number(&told, "/sys/devices/system/cpu/cpu0/cache/index3/size"))
        told *= 1024;
#ifdef _SC_LEVEL3_CACHE_SIZE
    else
        told = (double)sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
    return (size_t)fmin(fmax(told, LEAST_BYTES), MOST_BYTES);
}

static long throttle_events(void) {
    double count;
    return read_number(&count, "/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count") ? (long)count
                                                                                                       : -1;
}

static mmc_status open_timer(mmc_timer **out, mmc_backend *be) {
    *out = NULL;
    mmc_timer *t = calloc(1, sizeof *t);
    if (!t)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for a timer");
    t->be = be;
    t->bytes = 2 * cache_bytes();
    t->throttle_events = throttle_events();
    void *sweep;
    mmc_status status = be->memory->alloc(be, &sweep, t->bytes);
    if (status != MMC_OK) {
        free(t);
        return mmc_fail_context(status, "the buffer that empties the caches");
    }
    t->sweep = sweep;
    memset(t->sweep, 0, t->bytes);
    *out = t;
    return MMC_OK;
}

static void close_timer(mmc_timer *t) {
    if (!t)
        return;
    t->be->memory->free(t->be, t->sweep);
    free(t);
}

static mmc_status flush(mmc_timer *t) {
    const size_t count = t->bytes / sizeof *t->sweep;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++)
        t->sweep[i] += 1.0f;
    return MMC_OK;
}

static mmc_status start(mmc_timer *t) {
    t->start_s = mmc_clock_s();
    return MMC_OK;
}

static mmc_status stop(mmc_timer *t, double *elapsed_s) {
    *elapsed_s = mmc_clock_s() - t->start_s;
    return MMC_OK;
}

/* The best of some rounds, each long enough that starting the threads does not count. */
static double probe_fma(void) {
    double best = 0;
    for (long steps = 1 << 14, round = 0; round < FMA_ROUNDS;) {
        const double begin = mmc_clock_s(), flop = mmc_own_probe_fma(steps), took = mmc_clock_s() - begin;
        if (took < FMA_ROUND_S) {
            steps *= 2;
            continue;
        }
        best = fmax(best, flop / took);
        round++;
    }
    return best;
}

/* a = b + s c over arrays that fit no cache: 12 bytes an element are counted. */
static double probe_triad(mmc_timer *t) {
    const size_t count = t->bytes / sizeof *t->sweep / 3;
    float *a = t->sweep, *b = a + count, *c = b + count;
    double best = 0;
    for (int round = 0; round < TRIAD_ROUNDS; round++) {
        const double begin = mmc_clock_s();
#pragma omp parallel for simd schedule(static)
        for (size_t i = 0; i < count; i++)
            a[i] = b[i] + 0.5f * c[i];
        best = fmax(best, 12.0 * (double)count / (mmc_clock_s() - begin));
    }
    return best;
}

static mmc_status peaks(mmc_timer *t, mmc_peaks *out) {
    *out = (mmc_peaks){.flop_per_s = probe_fma(), .bytes_per_s = probe_triad(t)};
    snprintf(out->source, sizeof out->source, "measured: FMA loop (%s) and triad, %d threads", mmc_own_isa(),
             t->be->threads);
    return MMC_OK;
}

/* Of core 0, as the kernel tells it. */
static double clock_mhz(void) {
    double khz;
    if (read_number(&khz, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"))
        return khz / 1e3;
    double mhz = NAN;
    char line[512];
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && isnan(mhz) && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (colon && strncmp(line, "cpu MHz", 7) == 0)
            mhz = atof(colon + 1);
    }
    if (file)
        fclose(file);
    return mhz;
}

static mmc_clocks clocks(mmc_timer *t) {
    mmc_clocks c = {.clock_mhz = clock_mhz(), .throttled = -1};
    const long events = throttle_events();
    if (events >= 0 && t->throttle_events >= 0)
        c.throttled = events > t->throttle_events;
    t->throttle_events = events;
    if (isnan(c.clock_mhz))
        c.reason = "this system tells neither the clock nor throttling of its cores";
    else if (c.throttled < 0)
        c.reason = "this system does not tell whether its cores are throttled";
    else if (c.throttled)
        c.reason = "thermal throttling";
    return c;
}

static mmc_status profile(mmc_timer *t, bool on) {
    (void)t;
    (void)on;
    return MMC_OK;
}

const struct mmc_timer_ops *mmc_timer_cpu_ops(void) {
    static const struct mmc_timer_ops ops = {
        .open = open_timer,
        .close = close_timer,
        .flush = flush,
        .start = start,
        .stop = stop,
        .peaks = peaks,
        .clocks = clocks,
        .profile = profile,
    };
    return &ops;
}
