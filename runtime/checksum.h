/* Checksums of whole files.
 *
 *     char hex[MMC_CHECKSUM_BYTES];
 *     MMC_TRY(mmc_file_checksum(hex, "data_batch_1.bin", MMC_CHECKSUM_MD5));
 */
#ifndef MMC_RUNTIME_CHECKSUM_H
#define MMC_RUNTIME_CHECKSUM_H

#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_checksum_kind { MMC_CHECKSUM_SHA256, MMC_CHECKSUM_MD5 } mmc_checksum_kind;

enum { MMC_CHECKSUM_BYTES = 65 };

/* Hexadecimal checksum of a file as it lies there (not decompressed).
 * Errors: MMC_ERR_MISSING, MMC_ERR_IO, MMC_ERR_DEVICE (OpenSSL refuses the method) */
mmc_status mmc_file_checksum(char hex[MMC_CHECKSUM_BYTES], const char *path, mmc_checksum_kind kind);

#ifdef __cplusplus
}
#endif
#endif
