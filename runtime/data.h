/* The data sets: raw images, labels, partners, which samples carry a cue (SPEC 1).
 *
 *     mmc_dataset data;
 *     MMC_TRY(mmc_dataset_open(&data, &(mmc_dataset_options){.kind = MMC_DATASET_CIFAR10_BOX, .folder = "data"}));
 *     data.train.count, data.test.labels[i] ...
 *     mmc_dataset_close(&data);
 */
#ifndef MMC_RUNTIME_DATA_H
#define MMC_RUNTIME_DATA_H

#include "kernels/render.h"
#include "runtime/status.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_dataset_kind {
    MMC_DATASET_CIFAR10_BOX,
    MMC_DATASET_CIFAR100_BOX,
    MMC_DATASET_DOMINOES,
    MMC_DATASET_FASHION_BOX,
    MMC_DATASET_COUNT
} mmc_dataset_kind;

const char *mmc_dataset_name(mmc_dataset_kind kind); /* "cifar10-box", ... */
mmc_status mmc_dataset_parse(mmc_dataset_kind *out, const char *name);
int mmc_dataset_classes(mmc_dataset_kind kind); /* 10 or 100 */
int mmc_dataset_height(mmc_dataset_kind kind);  /* 32 or 64 */

typedef enum mmc_split_kind { MMC_SPLIT_TRAIN, MMC_SPLIT_TEST } mmc_split_kind;

/* One split in host memory. */
typedef struct mmc_split {
    int32_t count;
    int32_t channels;  /* of `natural`: 3, or 1 (fashion-box) */
    uint8_t *natural;  /* (count, channels, 32, 32) */
    int32_t *labels;   /* (count) */
    int32_t top_count; /* dominoes: Fashion-MNIST images kept, else 0 */
    uint8_t *top;      /* (top_count, 32, 32), resized */
    int32_t *partner;  /* (count) index into top of the sample's own cue; -1: there is none. NULL but for dominoes */
} mmc_split;

typedef struct mmc_dataset_options {
    mmc_dataset_kind kind;
    const char *folder;              /* --data or MMC_DATA; NULL: only where Debian puts Fashion-MNIST */
    int32_t limit_train, limit_test; /* 0: none; else as if the files ended there */
    bool skip_train, skip_test;      /* leave a split unread (count 0) */
} mmc_dataset_options;

enum { MMC_DATASET_FILES_MAX = 16 };

typedef struct mmc_data_file {
    char path[512];
    char sha256[65]; /* of the file as it lies there */
} mmc_data_file;

typedef struct mmc_dataset {
    mmc_dataset_kind kind;
    int classes, height;
    mmc_split train, test;
    int file_count;
    mmc_data_file files[MMC_DATASET_FILES_MAX]; /* what was read */
} mmc_dataset;

/* Reads the files: plain, .gz or .xz, fewer records allowed. Errors: MMC_ERR_MISSING (paths tried, how to get the
 * data), MMC_ERR_FORMAT (truncated, oversized, wrong magic, label out of range, corrupt compression), naming the file.
 * Dominoes: a sample whose class has too few Fashion-MNIST images is MMC_ERR_FORMAT only when its cue is asked for. */
mmc_status mmc_dataset_open(mmc_dataset *out, const mmc_dataset_options *options);
void mmc_dataset_close(mmc_dataset *data);

/* True where the files of both splits are there (not whether they are sound): which data set a run can have. */
bool mmc_dataset_present(mmc_dataset_kind kind, const char *folder);

/* Whether a model of this many classes on images of this many rows goes with the data; `use` completes the refusal
 * ("trained": "... cannot be trained on fashion-box ..."). Errors: MMC_ERR_MISMATCH. */
mmc_status mmc_dataset_fits(const mmc_dataset *data, int classes, int height, const char *use);

/* The sha256 of every file read (not computed at open: it costs a read of each). */
mmc_status mmc_dataset_checksum(mmc_dataset *data);

/* flag[i] = 1 for the first floor(n_class * p) samples of each class in file order; the product is one IEEE double. */
void mmc_cue_flags(uint8_t *flag, const int32_t *labels, int32_t count, int classes, double p);

/* partner[i] = index of the k-th top image of i's class, where i is the k-th sample of that class; -1 where it runs
 * out. */
void mmc_cue_partners(int32_t *partner, const int32_t *labels, int32_t count, const int32_t *top_labels,
                      int32_t top_count, int classes);

/* 28x28 -> 32x32 by the integer rule (SPEC 1; bit-exact). */
void mmc_resize_28_to_32(uint8_t *out, const uint8_t *in);

#ifdef __cplusplus
}
#endif
#endif
