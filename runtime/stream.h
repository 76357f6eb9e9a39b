/* Bytes of a file that is plain, .gz or .xz (by its name), read in order; every end is checked.
 *
 *     mmc_stream *s;
 *     MMC_TRY(mmc_stream_open(&s, "data_batch_1.bin.xz"));
 *     MMC_TRY(mmc_stream_read(s, record, sizeof record, &got));   got < sizeof record: the data end here
 *     MMC_TRY(mmc_stream_end(s));                                 nothing follows, checksums hold
 *     mmc_stream_close(s);
 */
#ifndef MMC_RUNTIME_STREAM_H
#define MMC_RUNTIME_STREAM_H

#include "runtime/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_stream_kind { MMC_STREAM_PLAIN, MMC_STREAM_GZ, MMC_STREAM_XZ } mmc_stream_kind;

typedef struct mmc_stream mmc_stream;

/* Opens a file. Errors: MMC_ERR_MISSING, MMC_ERR_IO, MMC_ERR_MEMORY. Owns: the caller closes. */
mmc_status mmc_stream_open(mmc_stream **out, const char *path);

/* The same from memory (not copied; must outlive the stream); `name` stands in messages. */
mmc_status mmc_stream_open_memory(mmc_stream **out, const void *bytes, size_t size, mmc_stream_kind kind,
                                  const char *name);

/* Reads up to `size` bytes; fewer only at the end of the data.
 * Errors: MMC_ERR_FORMAT (truncated or corrupt compression, garbage after it), MMC_ERR_IO, MMC_ERR_MEMORY */
mmc_status mmc_stream_read(mmc_stream *s, void *out, size_t size, size_t *got);

/* Succeeds where the data end here. Errors: as mmc_stream_read; MMC_ERR_FORMAT where data follow. */
mmc_status mmc_stream_end(mmc_stream *s);

/* Size of the data where it is known before reading: a plain regular file. */
bool mmc_stream_size(const mmc_stream *s, uint64_t *size);

/* The file's name, for messages. Owned by the stream. */
const char *mmc_stream_name(const mmc_stream *s);

/* NULL is fine. */
void mmc_stream_close(mmc_stream *s);

#ifdef __cplusplus
}
#endif
#endif
