/* How many FLOP a second this machine does, for the times that a dry run states: from what `mmcbench bench --out DIR`
 * measured of whole path evaluation, or else from one forward timed now.
 *
 *     mmc_rates *rates;
 *     MMC_TRY(mmc_rates_open(&rates, be, "runs/bench"));
 *     MMC_TRY(mmc_rates_of(&rate, rates, &spec));
 *     mmc_rates_close(rates);
 */
#ifndef MMC_SUITES_RATES_H
#define MMC_SUITES_RATES_H

#include "runtime/backend.h"
#include "runtime/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_rate {
    double flop_per_s;
    const char *source; /* "measured: ..."; lives as long as the rates */
} mmc_rate;

typedef struct mmc_rates mmc_rates;

/* bench: the run directory of `bench`, NULL: none. Errors: MMC_ERR_MISSING, MMC_ERR_FORMAT (no records there),
 * MMC_ERR_MISMATCH where it holds no path evaluation of this backend, provider, precision, device and thread count,
 * MMC_ERR_MEMORY. Owns: the caller. */
mmc_status mmc_rates_open(mmc_rates **out, mmc_backend *be, const char *bench);
void mmc_rates_close(mmc_rates *rates);

/* The rate of a network; each is found once. Errors: MMC_ERR_MISMATCH where `bench` measured other networks only. */
mmc_status mmc_rates_of(mmc_rate *out, mmc_rates *rates, const mmc_model_spec *spec);

#ifdef __cplusplus
}
#endif
#endif
