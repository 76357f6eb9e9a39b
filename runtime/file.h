/* Whole files: read with a limit, written so that a reader never sees half of one.
 *
 *     void *bytes;
 *     size_t size;
 *     MMC_TRY(mmc_file_read(&bytes, &size, "config.json", 1 << 20));
 *     ...
 *     free(bytes);
 *     MMC_TRY(mmc_file_write("out/result.json", text, strlen(text)));
 */
#ifndef MMC_RUNTIME_FILE_H
#define MMC_RUNTIME_FILE_H

#include "runtime/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a whole file; one zero byte follows the last, so that text can be used as a string.
 * Errors: MMC_ERR_MISSING (no such file), MMC_ERR_IO (not readable, a folder), MMC_ERR_FORMAT (more than `limit`
 * bytes), MMC_ERR_MEMORY Owns:   the caller frees *out */
mmc_status mmc_file_read(void **out, size_t *size, const char *path, size_t limit);

/* One run of bytes of a file to be written. */
typedef struct mmc_file_part {
    const void *bytes;
    size_t size;
} mmc_file_part;

/* Writes a file as a whole: missing folders made, a temporary name beside `path`, synced, renamed, the folder synced.
 * A file that was there before stays as it was until the new one is complete; nothing is left behind on failure. A
 * symbolic link is followed, anything but a regular file is refused.
 * Errors: MMC_ERR_IO naming file and remedy (disk full, not writable), MMC_ERR_MEMORY */
mmc_status mmc_file_write(const char *path, const void *bytes, size_t size);

/* The same from several runs of bytes. */
mmc_status mmc_file_write_parts(const char *path, const mmc_file_part *parts, size_t count);

/* Makes a folder and those above it; one that exists is fine. Errors: MMC_ERR_IO, MMC_ERR_MEMORY */
mmc_status mmc_folder_create(const char *path);

#ifdef __cplusplus
}
#endif
#endif
