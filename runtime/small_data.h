/* Data of the small model: attributes with exact latents and margins. [SPEC 6]
 *
 *     T_0(z) = unit (z' - 2 delta u z'),                 z' = 2z - 1, unit = sqrt(3/D)
 *     T_K(s) = (2/K) unit (s + delta (2u - 1))           |s| < K/2
 *            = (2/K) unit (s - delta u sign(s))          |s| = K/2;        s odd for z = 0, even for z = 1
 *
 * u is uniform in [0,1). Column 0 carries K = 0, column 1 K = 4, all others are uniform in +-unit. The label y is drawn
 * first; an attribute that is predictive has z = y, another one a z of its own. All other draws do not depend on which
 * attributes are predictive: two data sets of one seed differ in the columns of the attributes alone, and there only in
 * the latent.
 *
 *     mmc_small_data data;
 *     MMC_TRY(mmc_small_data_draw(&data, 10000, 128, .1, seed, MMC_SMALL_TEST, MMC_SMALL_K0 | MMC_SMALL_K4));
 *     data.x, data.y ...
 *     mmc_small_data_close(&data);
 */
#ifndef MMC_RUNTIME_SMALL_DATA_H
#define MMC_RUNTIME_SMALL_DATA_H

#include "runtime/rng.h"
#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_small_attributes { MMC_SMALL_K0 = 1, MMC_SMALL_K4 = 2, MMC_SMALL_BOTH = 3 } mmc_small_attributes;

typedef enum mmc_small_split { MMC_SMALL_TRAIN, MMC_SMALL_TEST } mmc_small_split;

enum { MMC_SMALL_SUPPORT = 16, MMC_SMALL_K_MAX = 2 * MMC_SMALL_SUPPORT - 2 };

/* S_z(K), ascending, into `out` (MMC_SMALL_SUPPORT); returns how many. K even, 2 to MMC_SMALL_K_MAX. */
int mmc_small_support(int *out, int k, int z);

/* T_K of a latent (K = 0: z; else the integer s) and u. */
double mmc_small_attribute(int k, int latent, double u, int inputs, double margin);

/* A latent for z from a random word: z itself for K = 0, else one of S_z(K). */
int mmc_small_latent(int k, int z, uint32_t word);

typedef struct mmc_small_data {
    int32_t samples;
    int inputs;
    float *x; /* (samples, inputs) */
    float *y; /* (samples): 0 or 1 */
} mmc_small_data;

/* Draws a data set. Errors: MMC_ERR_MEMORY. Owns: the caller. */
mmc_status mmc_small_data_draw(mmc_small_data *out, int32_t samples, int inputs, double margin, uint64_t seed,
                               mmc_small_split split, unsigned predictive);
void mmc_small_data_close(mmc_small_data *data);

/* The same into memory of the caller: x (samples, inputs), y (samples). */
void mmc_small_data_fill(float *x, float *y, int32_t samples, int inputs, double margin, uint64_t seed,
                         mmc_small_split split, unsigned predictive);

#ifdef __cplusplus
}
#endif
#endif
