/* The idx files of (Fashion-)MNIST: a magic number, extents (both big-endian), then bytes.
 *
 *     MMC_TRY(mmc_idx_labels(&labels, &count, label_stream));
 *     MMC_TRY(mmc_idx_images(&images, image_stream, count, count));
 */
#ifndef MMC_RUNTIME_IDX_H
#define MMC_RUNTIME_IDX_H

#include "runtime/status.h"
#include "runtime/stream.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_IDX_SIDE = 28, MMC_IDX_IMAGE_BYTES = 784, MMC_IDX_CLASSES = 10, MMC_IDX_COUNT_MAX = 100000 };

/* Reads a whole label file: values 0..9; *count as its header says.
 * Errors: MMC_ERR_FORMAT (magic, extents, truncated, trailing bytes, label out of range), MMC_ERR_IO, MMC_ERR_MEMORY
 * Owns:   the caller frees *labels; NULL on failure */
mmc_status mmc_idx_labels(int32_t **labels, int32_t *count, mmc_stream *stream);

/* Reads the first `keep` images, (keep, 28, 28), of a file that must hold `count`. With keep == count the end of the
 * file is checked too. Errors: as above. Owns: the caller frees *images; NULL on failure */
mmc_status mmc_idx_images(uint8_t **images, mmc_stream *stream, int32_t count, int32_t keep);

#ifdef __cplusplus
}
#endif
#endif
