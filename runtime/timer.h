/* Timing of enqueued work: events of a device, the clock of a CPU; caches emptied before a sample; clocks and peaks.
 *
 *     mmc_timer *timer;
 *     MMC_TRY(be->timer->open(&timer, be));
 *     MMC_TRY(be->timer->flush(timer));
 *     MMC_TRY(be->timer->start(timer));
 *     ... enqueue ...
 *     MMC_TRY(be->timer->stop(timer, &elapsed_s));
 *     be->timer->close(timer);
 */
#ifndef MMC_RUNTIME_TIMER_H
#define MMC_RUNTIME_TIMER_H

#include "runtime/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the device could do at best, and how that is known. */
typedef struct mmc_peaks {
    double flop_per_s;  /* of convolutions at the backend's precision */
    double bytes_per_s; /* of its memory */
    char source[96];
} mmc_peaks;

/* The device right now. */
typedef struct mmc_clocks {
    double clock_mhz;   /* NAN: not known */
    int throttled;      /* 1: held back by heat or power since the last look, 0: not, -1: not known */
    const char *reason; /* why something is not known, or what holds the device back; NULL: nothing to say */
} mmc_clocks;

typedef struct mmc_timer mmc_timer;

struct mmc_timer_ops {
    /* Errors: MMC_ERR_MEMORY, MMC_ERR_DEVICE. Owns: the caller closes it before the backend. */
    mmc_status (*open)(mmc_timer **out, mmc_backend *be);
    void (*close)(mmc_timer *timer); /* NULL is fine */

    /* Enqueues writes that evict everything from the caches. */
    mmc_status (*flush)(mmc_timer *timer);

    /* Seconds between the two of what was enqueued in between; stop waits for it. */
    mmc_status (*start)(mmc_timer *timer);
    mmc_status (*stop)(mmc_timer *timer, double *elapsed_s);

    /* From a device's properties, or (a CPU) measured by short loops. */
    mmc_status (*peaks)(mmc_timer *timer, mmc_peaks *out);
    mmc_clocks (*clocks)(mmc_timer *timer);

    /* Opens and closes the range of an attached profiler that records between the two (cudaProfilerStart and Stop).
     * Does nothing on a CPU. */
    mmc_status (*profile)(mmc_timer *timer, bool on);
};

const struct mmc_timer_ops *mmc_timer_cpu_ops(void);

#ifdef __cplusplus
}
#endif
#endif
