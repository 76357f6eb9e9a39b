#include "runtime/idx.h"

#include <stdlib.h>

enum { MAGIC_LABELS = 0x00000801, MAGIC_IMAGES = 0x00000803, WORD = 4 };

static mmc_status corrupt(const mmc_stream *stream, const char *reason) {
    return mmc_fail(MMC_ERR_FORMAT, "%s: %s; get the file again", mmc_stream_name(stream), reason);
}

static mmc_status read_all(mmc_stream *stream, void *out, size_t size) {
    size_t got;
    MMC_TRY(mmc_stream_read(stream, out, size, &got));
    return got == size ? MMC_OK : corrupt(stream, "truncated: its header promises more than it holds");
}

static mmc_status read_words(mmc_stream *stream, uint32_t *out, int words) {
    unsigned char bytes[4 * WORD];
    MMC_TRY(read_all(stream, bytes, (size_t)words * WORD));
    for (int i = 0; i < words; i++) {
        const unsigned char *p = bytes + i * WORD;
        out[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    return MMC_OK;
}

static mmc_status check_magic(const mmc_stream *stream, uint32_t magic, uint32_t expected, const char *what) {
    if (magic == expected)
        return MMC_OK;
    return mmc_fail(MMC_ERR_FORMAT, "%s: begins with %08x, an idx file of %s begins with %08x; get the file again",
                    mmc_stream_name(stream), (unsigned)magic, what, (unsigned)expected);
}

/* A plain file's size is known at once: better said before anything is read. */
static mmc_status check_size(const mmc_stream *stream, uint64_t expected) {
    uint64_t size;
    if (!mmc_stream_size(stream, &size) || size == expected)
        return MMC_OK;
    return mmc_fail(MMC_ERR_FORMAT, "%s: has %llu bytes, its header promises %llu; get the file again",
                    mmc_stream_name(stream), (unsigned long long)size, (unsigned long long)expected);
}

static mmc_status check_count(const mmc_stream *stream, uint32_t count) {
    if (count == 0 || count > MMC_IDX_COUNT_MAX)
        return mmc_fail(MMC_ERR_FORMAT, "%s: %lu entries; 1 to %d are read", mmc_stream_name(stream),
                        (unsigned long)count, (int)MMC_IDX_COUNT_MAX);
    return MMC_OK;
}

static mmc_status labels_into(int32_t *labels, int32_t count, mmc_stream *stream) {
    unsigned char chunk[4096];
    for (int32_t done = 0; done < count;) {
        int32_t n = count - done < (int32_t)sizeof chunk ? count - done : (int32_t)sizeof chunk;
        MMC_TRY(read_all(stream, chunk, (size_t)n));
        for (int32_t i = 0; i < n; i++, done++) {
            if (chunk[i] >= MMC_IDX_CLASSES)
                return mmc_fail(MMC_ERR_FORMAT, "%s: label %d of image %d, the last is 9; get the file again",
                                mmc_stream_name(stream), chunk[i], (int)done);
            labels[done] = chunk[i];
        }
    }
    return mmc_stream_end(stream);
}

mmc_status mmc_idx_labels(int32_t **labels, int32_t *count, mmc_stream *stream) {
    uint32_t header[2];
    *labels = NULL;
    MMC_TRY(read_words(stream, header, 2));
    MMC_TRY(check_magic(stream, header[0], MAGIC_LABELS, "labels"));
    MMC_TRY(check_count(stream, header[1]));
    MMC_TRY(check_size(stream, 2 * WORD + (uint64_t)header[1]));
    int32_t *out = malloc(header[1] * sizeof *out);
    if (!out)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for its labels", mmc_stream_name(stream));
    mmc_status status = labels_into(out, (int32_t)header[1], stream);
    if (status != MMC_OK) {
        free(out);
        return status;
    }
    *labels = out;
    *count = (int32_t)header[1];
    return MMC_OK;
}

mmc_status mmc_idx_images(uint8_t **images, mmc_stream *stream, int32_t count, int32_t keep) {
    uint32_t header[4];
    *images = NULL;
    MMC_TRY(read_words(stream, header, 4));
    MMC_TRY(check_magic(stream, header[0], MAGIC_IMAGES, "images"));
    MMC_TRY(check_count(stream, header[1]));
    if (header[2] != MMC_IDX_SIDE || header[3] != MMC_IDX_SIDE)
        return mmc_fail(MMC_ERR_FORMAT, "%s: images of %lu x %lu, 28 x 28 is needed; get the file again",
                        mmc_stream_name(stream), (unsigned long)header[2], (unsigned long)header[3]);
    if (header[1] != (uint32_t)count)
        return mmc_fail(MMC_ERR_FORMAT, "%s: %lu images, but its label file has %d labels; get both files again",
                        mmc_stream_name(stream), (unsigned long)header[1], (int)count);
    MMC_TRY(check_size(stream, 4 * WORD + (uint64_t)header[1] * MMC_IDX_IMAGE_BYTES));
    size_t size = (size_t)keep * MMC_IDX_IMAGE_BYTES;
    uint8_t *out = malloc(size + 1);
    if (!out)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for %d images", mmc_stream_name(stream), (int)keep);
    mmc_status status = read_all(stream, out, size);
    if (status == MMC_OK && keep == count)
        status = mmc_stream_end(stream);
    if (status != MMC_OK) {
        free(out);
        return status;
    }
    *images = out;
    return MMC_OK;
}
