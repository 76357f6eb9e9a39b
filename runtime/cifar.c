#include "runtime/cifar.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_RECORDS = 64, RECORD_BYTES_MAX = MMC_CIFAR_IMAGE_BYTES + 2, COARSE_CLASSES = 20 };

static mmc_status reserve(mmc_cifar *all, int32_t capacity, const char *name) {
    if (capacity <= all->capacity)
        return MMC_OK;
    uint8_t *images = realloc(all->images, (size_t)capacity * MMC_CIFAR_IMAGE_BYTES);
    if (images)
        all->images = images;
    int32_t *labels = realloc(all->labels, (size_t)capacity * sizeof *labels);
    if (labels)
        all->labels = labels;
    if (!images || !labels)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for %d images; use --limit-train or --limit-test", name,
                        (int)capacity);
    all->capacity = capacity;
    return MMC_OK;
}

static mmc_status append_record(mmc_cifar *all, const unsigned char *record, int classes, int32_t number,
                                const char *name) {
    int label = record[0];
    if (classes == 100) {
        if (label >= COARSE_CLASSES)
            return mmc_fail(MMC_ERR_FORMAT, "%s: record %d has coarse label %d, the last is 19; get the file again",
                            name, (int)number, label);
        label = *++record;
    }
    if (label >= classes)
        return mmc_fail(MMC_ERR_FORMAT, "%s: record %d has label %d, the last is %d; get the file again", name,
                        (int)number, label, classes - 1);
    memcpy(all->images + (size_t)all->count * MMC_CIFAR_IMAGE_BYTES, record + 1, MMC_CIFAR_IMAGE_BYTES);
    all->labels[all->count++] = label;
    return MMC_OK;
}

/* Records that the file will give, as far as its size tells; else 0. */
static mmc_status expected_records(int32_t *out, const mmc_stream *stream, size_t record) {
    uint64_t size;
    *out = 0;
    if (!mmc_stream_size(stream, &size))
        return MMC_OK;
    if (size % record != 0)
        return mmc_fail(MMC_ERR_FORMAT, "%s: %llu bytes is no multiple of a record's %zu; get the file again",
                        mmc_stream_name(stream), (unsigned long long)size, record);
    if (size / record > MMC_CIFAR_RECORDS_MAX)
        return mmc_fail(MMC_ERR_FORMAT, "%s: %llu records; more than %d is no CIFAR file", mmc_stream_name(stream),
                        (unsigned long long)(size / record), (int)MMC_CIFAR_RECORDS_MAX);
    *out = (int32_t)(size / record);
    return MMC_OK;
}

mmc_status mmc_cifar_append(mmc_cifar *all, mmc_stream *stream, int classes, int32_t limit) {
    const char *name = mmc_stream_name(stream);
    const size_t record = MMC_CIFAR_IMAGE_BYTES + (classes == 100 ? 2 : 1);
    unsigned char chunk[CHUNK_RECORDS * RECORD_BYTES_MAX];
    int32_t first = all->count, expected;
    MMC_TRY(expected_records(&expected, stream, record));
    if (limit && expected > limit - first)
        expected = limit - first;
    MMC_TRY(reserve(all, first + expected, name));
    while (!limit || all->count < limit) {
        size_t want = CHUNK_RECORDS, got;
        if (limit && (size_t)(limit - all->count) < want)
            want = (size_t)(limit - all->count);
        MMC_TRY(mmc_stream_read(stream, chunk, want * record, &got));
        int32_t records = (int32_t)(got / record);
        if (all->count - first + records > MMC_CIFAR_RECORDS_MAX)
            return mmc_fail(MMC_ERR_FORMAT, "%s: more than %d records; this is no CIFAR file", name,
                            (int)MMC_CIFAR_RECORDS_MAX);
        if (all->count + records > all->capacity)
            MMC_TRY(reserve(all, 2 * (all->count + records), name));
        for (int32_t i = 0; i < records; i++)
            MMC_TRY(append_record(all, chunk + (size_t)i * record, classes, all->count - first, name));
        if (got % record != 0)
            return mmc_fail(MMC_ERR_FORMAT, "%s: ends %zu bytes into record %d; get the file again", name, got % record,
                            (int)(all->count - first));
        if (got < want * record)
            break;
    }
    if (all->count == first && (!limit || first < limit))
        return mmc_fail(MMC_ERR_FORMAT, "%s: holds no records; get the file again", name);
    return MMC_OK;
}
