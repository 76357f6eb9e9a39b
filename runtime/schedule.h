/* Learning-rate schedules (SPEC 3).
 *
 *     mmc_schedule s;
 *     MMC_TRY(mmc_schedule_parse(&s, "step:40,80:0.1"));
 *     double lr = mmc_schedule_rate(&s, 0.1, step, epochs, steps_per_epoch);
 */
#ifndef MMC_RUNTIME_SCHEDULE_H
#define MMC_RUNTIME_SCHEDULE_H

#include "runtime/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_schedule_kind { MMC_SCHEDULE_STEP, MMC_SCHEDULE_COSINE, MMC_SCHEDULE_CONSTANT } mmc_schedule_kind;

enum { MMC_SCHEDULE_STEPS = 64 };

typedef struct mmc_schedule {
    mmc_schedule_kind kind;
    int step_count,
        step_epoch[MMC_SCHEDULE_STEPS]; /* STEP: lr is multiplied by factor from these epochs (0-based) on */
    double factor;
    bool cosine_authors; /* COSINE: lags by one iteration */
} mmc_schedule;

/* "step:40,80:0.1", "cosine", "constant". Errors: MMC_ERR_USAGE. */
mmc_status mmc_schedule_parse(mmc_schedule *out, const char *text);
void mmc_schedule_format(char *out, size_t size, const mmc_schedule *s);

/* The default of a from-scratch run of E epochs: steps at floor(.4 E) and floor(.8 E), factor .1. */
mmc_schedule mmc_schedule_scratch(int epochs);
/* The default of bends: x .1 every 10 epochs. */
mmc_schedule mmc_schedule_bends(int epochs);

/* Learning rate of `step` (0-based over the whole run) of `epochs` x `steps_per_epoch`. */
double mmc_schedule_rate(const mmc_schedule *s, double base, int64_t step, int epochs, int64_t steps_per_epoch);

#ifdef __cplusplus
}
#endif
#endif
