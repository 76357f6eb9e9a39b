#define _POSIX_C_SOURCE 200809L
#include "runtime/data_check.h"

#include "runtime/cifar.h"
#include "runtime/file.h"
#include "runtime/idx.h"
#include "runtime/stream.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef enum file_kind { CIFAR10, CIFAR100, IDX_IMAGES, IDX_LABELS } file_kind;

/* What is known of the official files. content_md5: of the uncompressed bytes (Fashion-MNIST: as Debian ships them);
 * packed_md5: of the official compressed file. NULL: not known for a single file (CIFAR: the archive is verified when
 * it is fetched). */
static const struct known_file {
    file_kind kind;
    const char *name;
    int32_t records;
    const char *content_md5, *packed_md5;
} known[MMC_DATA_REPORTS] = {
    {CIFAR10, "data_batch_1.bin", 10000, NULL, NULL},
    {CIFAR10, "data_batch_2.bin", 10000, NULL, NULL},
    {CIFAR10, "data_batch_3.bin", 10000, NULL, NULL},
    {CIFAR10, "data_batch_4.bin", 10000, NULL, NULL},
    {CIFAR10, "data_batch_5.bin", 10000, NULL, NULL},
    {CIFAR10, "test_batch.bin", 10000, NULL, NULL},
    {CIFAR100, "train.bin", 50000, NULL, NULL},
    {CIFAR100, "test.bin", 10000, NULL, NULL},
    {IDX_IMAGES, "train-images-idx3-ubyte", 60000, "f4a8712d7a061bf5bd6d2ca38dc4d50a",
     "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
    {IDX_LABELS, "train-labels-idx1-ubyte", 60000, "9018921c3c673c538a1fc5bad174d6f9",
     "25c81989df183df01b3e8a0aad5dffbe"},
    {IDX_IMAGES, "t10k-images-idx3-ubyte", 10000, "8181f5470baa50b63fa0f6fddb340f0a",
     "bef4ecab320f06d8554ea6380940ec79"},
    {IDX_LABELS, "t10k-labels-idx1-ubyte", 10000, "15d484375f8d13e6eb1aabb0c3f46965",
     "bb300cfdad3c16e7a12a480ee83cd310"},
};

const char *mmc_data_verdict_text(mmc_data_verdict verdict) {
    static const char *const text[MMC_DATA_VERDICTS] = {
        [MMC_DATA_OFFICIAL] = "official", [MMC_DATA_COMPLETE] = "complete", [MMC_DATA_PART] = "part",
        [MMC_DATA_OTHER] = "other",       [MMC_DATA_MISSING] = "missing",   [MMC_DATA_CORRUPT] = "corrupt",
    };
    return (unsigned)verdict < MMC_DATA_VERDICTS ? text[verdict] : "unknown";
}

/* ---- one file ---- */

static bool find_known(char path[MMC_DATA_PATH_BYTES], const char *folder, const struct known_file *file) {
    switch (file->kind) {
    case CIFAR10:
        return mmc_data_find(path, folder, MMC_DATA_CIFAR10_FOLDER, file->name);
    case CIFAR100:
        return mmc_data_find(path, folder, MMC_DATA_CIFAR100_FOLDER, file->name);
    default:
        return mmc_data_find(path, folder, MMC_DATA_FASHION_FOLDER, file->name) ||
               mmc_data_find(path, MMC_DATA_DEBIAN_FASHION, "", file->name);
    }
}

static void count_classes(mmc_data_report *r, const int32_t *labels, int32_t count, int classes) {
    int32_t per_class[100] = {0};
    for (int32_t i = 0; i < count; i++)
        per_class[labels[i]]++;
    r->records = count;
    r->class_min = r->class_max = per_class[0];
    for (int c = 1; c < classes; c++) {
        if (per_class[c] < r->class_min)
            r->class_min = per_class[c];
        if (per_class[c] > r->class_max)
            r->class_max = per_class[c];
    }
}

static mmc_status read_cifar(mmc_data_report *r, mmc_stream *stream, int classes) {
    mmc_cifar all = {0};
    mmc_status status = mmc_cifar_append(&all, stream, classes, 0);
    if (status == MMC_OK)
        count_classes(r, all.labels, all.count, classes);
    free(all.images);
    free(all.labels);
    return status;
}

/* The number of images stands in the header; the reader wants to be told what to expect. */
static mmc_status read_idx_images(mmc_data_report *r, mmc_stream *stream) {
    mmc_stream *peek;
    unsigned char head[8] = {0};
    size_t got;
    uint8_t *images;
    MMC_TRY(mmc_stream_open(&peek, r->path));
    mmc_status status = mmc_stream_read(peek, head, sizeof head, &got);
    mmc_stream_close(peek);
    MMC_TRY(status);
    uint32_t count = (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 | head[7];
    int32_t expected = count <= MMC_IDX_COUNT_MAX ? (int32_t)count : 0;
    MMC_TRY(mmc_idx_images(&images, stream, expected, expected));
    free(images);
    r->records = expected;
    return MMC_OK;
}

static mmc_status read_idx_labels(mmc_data_report *r, mmc_stream *stream) {
    int32_t *labels, count;
    MMC_TRY(mmc_idx_labels(&labels, &count, stream));
    count_classes(r, labels, count, MMC_IDX_CLASSES);
    free(labels);
    return MMC_OK;
}

static mmc_status read_records(mmc_data_report *r, file_kind kind) {
    mmc_stream *stream;
    MMC_TRY(mmc_stream_open(&stream, r->path));
    mmc_status status = kind == CIFAR10      ? read_cifar(r, stream, 10)
                        : kind == CIFAR100   ? read_cifar(r, stream, 100)
                        : kind == IDX_IMAGES ? read_idx_images(r, stream)
                                             : read_idx_labels(r, stream);
    mmc_stream_close(stream);
    return status;
}

/* md5 of the uncompressed bytes. */
static mmc_status content_md5(char hex[MMC_CHECKSUM_BYTES], const char *path) {
    unsigned char chunk[1 << 14], digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    size_t got = sizeof chunk;
    mmc_stream *stream;
    MMC_TRY(mmc_stream_open(&stream, path));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    mmc_status status = MMC_OK;
    if (!context || EVP_DigestInit_ex(context, EVP_md5(), NULL) != 1)
        status = mmc_fail(MMC_ERR_DEVICE, "%s: OpenSSL refuses md5", path);
    while (status == MMC_OK && got == sizeof chunk) {
        status = mmc_stream_read(stream, chunk, sizeof chunk, &got);
        if (status == MMC_OK && EVP_DigestUpdate(context, chunk, got) != 1)
            status = mmc_fail(MMC_ERR_DEVICE, "%s: OpenSSL cannot compute its checksum", path);
    }
    if (status == MMC_OK && EVP_DigestFinal_ex(context, digest, &size) != 1)
        status = mmc_fail(MMC_ERR_DEVICE, "%s: OpenSSL cannot compute its checksum", path);
    for (unsigned i = 0; i < size && 2 * i + 2 < MMC_CHECKSUM_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    EVP_MD_CTX_free(context);
    mmc_stream_close(stream);
    return status;
}

enum sums { SUMS_NONE, SUMS_EQUAL, SUMS_DIFFER };

/* Compares with the sums that fetching left beside the file. A list that cannot be read is no list. */
static enum sums compare_sums(const mmc_data_report *r) {
    char path[MMC_DATA_PATH_BYTES + sizeof MMC_DATA_SUMS];
    void *bytes;
    size_t size;
    int folder = (int)(strrchr(r->path, '/') - r->path);
    snprintf(path, sizeof path, "%.*s/%s", folder, r->path, MMC_DATA_SUMS);
    if (mmc_file_read(&bytes, &size, path, 1 << 16) != MMC_OK)
        return SUMS_NONE;
    const char *base = r->path + folder + 1;
    enum sums result = SUMS_NONE;
    char *rest = NULL;
    for (char *line = strtok_r(bytes, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strlen(line) > 34 && strcmp(line + 34, base) == 0)
            result = strncmp(line, r->md5, 32) == 0 ? SUMS_EQUAL : SUMS_DIFFER;
    free(bytes);
    return result;
}

static mmc_status judge(mmc_data_report *r, const struct known_file *file) {
    char md5[MMC_CHECKSUM_BYTES] = "";
    bool whole = r->records == file->records;
    if (whole && file->content_md5)
        MMC_TRY(content_md5(md5, r->path));
    enum sums sums = file->content_md5 ? SUMS_NONE : compare_sums(r);
    if (sums == SUMS_DIFFER)
        return mmc_fail(MMC_ERR_FORMAT,
                        "%s: changed since it was fetched (see %s beside it); remove it and fetch again", r->path,
                        MMC_DATA_SUMS);
    bool official =
        sums == SUMS_EQUAL ||
        (file->content_md5 && (strcmp(md5, file->content_md5) == 0 || strcmp(r->md5, file->packed_md5) == 0));
    r->verdict = official                      ? MMC_DATA_OFFICIAL
                 : r->records < file->records  ? MMC_DATA_PART
                 : whole && !file->content_md5 ? MMC_DATA_COMPLETE
                                               : MMC_DATA_OTHER;
    char balance[80] = "";
    if (r->class_max && r->class_min == r->class_max)
        snprintf(balance, sizeof balance, ", %d a class", (int)r->class_min);
    else if (r->class_max)
        snprintf(balance, sizeof balance, ", %d to %d a class", (int)r->class_min, (int)r->class_max);
    snprintf(r->reason, sizeof r->reason, "%d of the official file's %d records%s%s", (int)r->records,
             (int)file->records, balance,
             r->verdict == MMC_DATA_COMPLETE ? "; no checksum of this file is published" : "");
    return MMC_OK;
}

static mmc_status check_file(mmc_data_report *r, const struct known_file *file) {
    struct stat info;
    if (stat(r->path, &info) == 0)
        r->size_bytes = (uint64_t)info.st_size;
    MMC_TRY(mmc_file_checksum(r->md5, r->path, MMC_CHECKSUM_MD5));
    MMC_TRY(mmc_file_checksum(r->sha256, r->path, MMC_CHECKSUM_SHA256));
    MMC_TRY(read_records(r, file->kind));
    return judge(r, file);
}

/* ---- all files ---- */

mmc_status mmc_data_check(mmc_data_report report[MMC_DATA_REPORTS], const char *folder) {
    static const char *const set_name[] = {"CIFAR-10", "CIFAR-100", "Fashion-MNIST", "Fashion-MNIST"};
    mmc_status worst = MMC_OK;
    char message[512] = "";
    int found = 0;
    for (int i = 0; i < MMC_DATA_REPORTS; i++) {
        mmc_data_report *r = &report[i];
        *r = (mmc_data_report){.dataset = set_name[known[i].kind],
                               .name = known[i].name,
                               .verdict = MMC_DATA_MISSING,
                               .official_records = known[i].records};
        if (!find_known(r->path, folder, &known[i])) {
            r->path[0] = '\0';
            snprintf(r->reason, sizeof r->reason, "not found; get it by: mmcbench data fetch --data DIR");
            continue;
        }
        found++;
        mmc_status status = check_file(r, &known[i]);
        if (status == MMC_OK)
            continue;
        r->verdict = MMC_DATA_CORRUPT;
        snprintf(r->reason, sizeof r->reason, "%s", mmc_error_message());
        if (worst == MMC_OK) {
            worst = status;
            snprintf(message, sizeof message, "%s", mmc_error_message());
        }
    }
    if (worst != MMC_OK)
        return mmc_fail(worst, "%s", message);
    if (!found)
        return mmc_fail(MMC_ERR_MISSING, "no data file in %s and %s; get them by: mmcbench data fetch --data DIR",
                        folder && *folder ? folder : "(no --data DIR given)", MMC_DATA_DEBIAN_FASHION);
    return MMC_OK;
}
