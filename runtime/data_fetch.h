/* Downloads the official files by curl or wget, verifies their md5 and puts them in place whole or not at all.
 *
 *     MMC_TRY(mmc_data_fetch("data", MMC_FETCH_CIFAR10 | MMC_FETCH_FASHION, NULL, NULL));
 */
#ifndef MMC_RUNTIME_DATA_FETCH_H
#define MMC_RUNTIME_DATA_FETCH_H

#include "runtime/status.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_FETCH_CIFAR10 = 1, MMC_FETCH_CIFAR100 = 2, MMC_FETCH_FASHION = 4, MMC_FETCH_ALL = 7 };

/* One official file. An archive (.tar.gz) is unpacked to the folder `name` (with MMC_DATA_SUMS of
 * its .bin files), any other file lands at `name`. */
typedef struct mmc_data_source {
    unsigned set; /* MMC_FETCH_... */
    const char *url;
    const char *name; /* below the data folder: "cifar-10-batches-bin", "fashion-mnist/train-images-idx3-ubyte.gz" */
    const char *md5;
    bool archive; /* a tar.gz whose top folder is `name` */
} mmc_data_source;

enum { MMC_DATA_SOURCES = 6 };
extern const mmc_data_source mmc_data_sources[MMC_DATA_SOURCES];

/* Fetches one file into `folder`. What is there already is left alone and reported. Temporary files lie in `folder`
 * and are removed on failure. `report` (may be NULL) gets one line per step.
 * Errors: MMC_ERR_MISSING (neither curl nor wget, or no tar: what to install), MMC_ERR_IO (no network, disk),
 *         MMC_ERR_FORMAT (checksum differs) */
mmc_status mmc_data_fetch_one(const char *folder, const mmc_data_source *source,
                              void (*report)(void *user, const char *line), void *user);

/* The same for every source of `sets` (MMC_FETCH_... bits). Stops at the first failure. */
mmc_status mmc_data_fetch(const char *folder, unsigned sets, void (*report)(void *user, const char *line), void *user);

#ifdef __cplusplus
}
#endif
#endif
