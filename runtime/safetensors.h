/* The safetensors format: 8 bytes little-endian header length, a JSON header, then the tensors' bytes.
 *
 * The reader trusts nothing: lengths, offsets, overlaps, holes, duplicate names, shapes whose product overflows, UTF-8.
 *
 *     mmc_safetensors file = {0};
 *     MMC_TRY(mmc_safetensors_open(&file, path));
 *     const mmc_safetensor *t = mmc_safetensors_find(&file, "conv1.weight");
 *     mmc_safetensors_close(&file);
 */
#ifndef MMC_RUNTIME_SAFETENSORS_H
#define MMC_RUNTIME_SAFETENSORS_H

#include "runtime/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_dtype {
    MMC_DTYPE_F32,
    MMC_DTYPE_F64,
    MMC_DTYPE_F16,
    MMC_DTYPE_BF16,
    MMC_DTYPE_I64,
    MMC_DTYPE_I32,
    MMC_DTYPE_I16,
    MMC_DTYPE_I8,
    MMC_DTYPE_U8,
    MMC_DTYPE_BOOL,
    MMC_DTYPE_U16,
    MMC_DTYPE_U32,
    MMC_DTYPE_U64,
    MMC_DTYPE_COUNT
} mmc_dtype;

size_t mmc_dtype_size(mmc_dtype dtype);
const char *mmc_dtype_name(mmc_dtype dtype); /* "F32", ... */

enum { MMC_SAFETENSORS_RANK = 8 };

typedef struct mmc_safetensor {
    char *name;
    mmc_dtype dtype;
    int rank;
    int64_t shape[MMC_SAFETENSORS_RANK];
    size_t count;     /* elements */
    const void *data; /* little-endian, may be unaligned: copy out */
} mmc_safetensor;

typedef struct mmc_safetensors {
    mmc_safetensor *tensors; /* in the order of the header */
    size_t count;
    char **keys, **values; /* __metadata__ */
    size_t metadata_count;
    void *bytes; /* the file's contents; owned */
    size_t size;
} mmc_safetensors;

/* Reads a whole file. Errors: MMC_ERR_MISSING, MMC_ERR_IO, MMC_ERR_MEMORY; MMC_ERR_FORMAT naming file, place and
 * remedy; MMC_ERR_MISMATCH for a data type of the format that this program has no use for (8-bit floats). */
mmc_status mmc_safetensors_open(mmc_safetensors *out, const char *path);

/* The same from memory (copied); `what` names it in messages. */
mmc_status mmc_safetensors_parse(mmc_safetensors *out, const void *bytes, size_t size, const char *what);

const mmc_safetensor *mmc_safetensors_find(const mmc_safetensors *file, const char *name); /* NULL: not there */
const char *mmc_safetensors_metadata(const mmc_safetensors *file, const char *key);        /* NULL: not there */

/* Copies a tensor as f32 (from F32, F64, F16, BF16) into out (count). Errors: MMC_ERR_MISMATCH for another dtype. */
mmc_status mmc_safetensor_to_f32(float *out, const mmc_safetensor *t);

void mmc_safetensors_close(mmc_safetensors *file);

/* Writes tensors (name, dtype, rank, shape, data are read) and metadata by mmc_file_write. The header keeps the order
 * given; the data are laid out by falling element size, so that every tensor is aligned to its element.
 * Errors: MMC_ERR_SHAPE (rank, negative extent, overflow), MMC_ERR_FORMAT (a name twice, or not UTF-8), MMC_ERR_IO,
 *         MMC_ERR_MEMORY */
mmc_status mmc_safetensors_write(const char *path, const mmc_safetensor *tensors, size_t count, const char *const *keys,
                                 const char *const *values, size_t metadata_count);

#ifdef __cplusplus
}
#endif
#endif
