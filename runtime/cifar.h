/* Records of the CIFAR binary files: one label byte (CIFAR-100: coarse, then fine), then 3072 bytes, planes R,G,B.
 *
 *     mmc_cifar all = {0};
 *     MMC_TRY(mmc_cifar_append(&all, stream, 10, 0));
 *     ... all.count, all.images, all.labels; both freed by the caller ...
 */
#ifndef MMC_RUNTIME_CIFAR_H
#define MMC_RUNTIME_CIFAR_H

#include "runtime/status.h"
#include "runtime/stream.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_CIFAR_IMAGE_BYTES = 3072, MMC_CIFAR_RECORDS_MAX = 100000 }; /* the largest official file holds 50,000 */

typedef struct mmc_cifar {
    uint8_t *images; /* (count, 3, 32, 32) */
    int32_t *labels; /* (count); CIFAR-100: fine */
    int32_t count, capacity;
} mmc_cifar;

/* Appends the records of one file, up to `limit` records in all (0: none); classes is 10 or 100.
 * Errors: MMC_ERR_FORMAT (a record cut short, a label out of range, no record, more than MMC_CIFAR_RECORDS_MAX),
 *         MMC_ERR_IO, MMC_ERR_MEMORY
 * Owns:   the caller frees images and labels, also after a failure */
mmc_status mmc_cifar_append(mmc_cifar *all, mmc_stream *stream, int classes, int32_t limit);

#ifdef __cplusplus
}
#endif
#endif
