/* Wall time.
 *
 *     double start_s = mmc_clock_s();
 *     ...
 *     double wall_s = mmc_clock_s() - start_s;
 */
#ifndef MMC_RUNTIME_CLOCK_H
#define MMC_RUNTIME_CLOCK_H

#ifdef __cplusplus
extern "C" {
#endif

/* Seconds since an arbitrary start; never goes back. */
double mmc_clock_s(void);

#ifdef __cplusplus
}
#endif
#endif
