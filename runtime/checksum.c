#include "runtime/checksum.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 16 };

static mmc_status digest_file(EVP_MD_CTX *context, FILE *file, const char *path) {
    unsigned char chunk[CHUNK_BYTES];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        if (EVP_DigestUpdate(context, chunk, n) != 1)
            return mmc_fail(MMC_ERR_DEVICE, "%s: OpenSSL cannot compute its checksum", path);
    if (ferror(file))
        return mmc_fail(MMC_ERR_IO, "%s: reading failed; check the disk", path);
    return MMC_OK;
}

mmc_status mmc_file_checksum(char hex[MMC_CHECKSUM_BYTES], const char *path, mmc_checksum_kind kind) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    mmc_status status = MMC_OK;
    EVP_MD_CTX *context = NULL;
    FILE *file = fopen(path, "rb");
    if (!file)
        return mmc_fail(errno == ENOENT ? MMC_ERR_MISSING : MMC_ERR_IO, "%s: cannot be opened (%s); check the path",
                        path, strerror(errno));
    context = EVP_MD_CTX_new();
    if (!context || EVP_DigestInit_ex(context, kind == MMC_CHECKSUM_MD5 ? EVP_md5() : EVP_sha256(), NULL) != 1) {
        status = mmc_fail(MMC_ERR_DEVICE, "%s: OpenSSL refuses this checksum method", path);
        goto cleanup;
    }
    MMC_GOTO(cleanup, digest_file(context, file, path));
    if (EVP_DigestFinal_ex(context, digest, &size) != 1 || 2 * size + 1 > MMC_CHECKSUM_BYTES) {
        status = mmc_fail(MMC_ERR_DEVICE, "%s: OpenSSL cannot compute its checksum", path);
        goto cleanup;
    }
    for (unsigned i = 0; i < size; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
cleanup:
    EVP_MD_CTX_free(context);
    fclose(file);
    return status;
}
