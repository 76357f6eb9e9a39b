/* What long work tells its caller: one callback for progress, one flag for interruption.
 *
 *     static void show(void *user, const mmc_progress_event *e) { ... }
 */
#ifndef MMC_RUNTIME_PROGRESS_H
#define MMC_RUNTIME_PROGRESS_H

#include <signal.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_progress_event {
    const char *phase;   /* "train", "midpoint", "bn", "eval", "match"; "memory": once, before the work begins */
    int64_t done, total; /* image-forwards (training: images) of the job; memory: bytes it takes of those free */
    int epoch, epochs;   /* 0 where it does not apply */
    double t;            /* path point, NAN where it does not apply */
    double loss;         /* latest, NAN where there is none */
} mmc_progress_event;

typedef struct mmc_progress {
    void (*report)(void *user, const mmc_progress_event *event); /* NULL: silent */
    void *user;
    const volatile sig_atomic_t
        *interrupted; /* non-zero: stop at the next batch with MMC_ERR_INTERRUPTED; NULL: never */
} mmc_progress;

#ifdef __cplusplus
}
#endif
#endif
