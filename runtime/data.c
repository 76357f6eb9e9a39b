#include "runtime/data.h"

#include "runtime/checksum.h"
#include "runtime/cifar.h"
#include "runtime/data_files.h"
#include "runtime/idx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLANE = MMC_IMAGE_SIDE * MMC_IMAGE_SIDE };

static const struct {
    const char *name;
    int classes, height;
} kinds[MMC_DATASET_COUNT] = {
    [MMC_DATASET_CIFAR10_BOX] = {"cifar10-box", 10, 32},
    [MMC_DATASET_CIFAR100_BOX] = {"cifar100-box", 100, 32},
    [MMC_DATASET_DOMINOES] = {"dominoes", 10, 64},
    [MMC_DATASET_FASHION_BOX] = {"fashion-box", 10, 32},
};

const char *mmc_dataset_name(mmc_dataset_kind kind) {
    return kinds[kind].name;
}

int mmc_dataset_classes(mmc_dataset_kind kind) {
    return kinds[kind].classes;
}

int mmc_dataset_height(mmc_dataset_kind kind) {
    return kinds[kind].height;
}

mmc_status mmc_dataset_parse(mmc_dataset_kind *out, const char *name) {
    for (int i = 0; i < MMC_DATASET_COUNT; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            *out = (mmc_dataset_kind)i;
            return MMC_OK;
        }
    return mmc_fail(MMC_ERR_USAGE,
                    "unknown data set '%.60s'; known are cifar10-box, cifar100-box, dominoes and fashion-box", name);
}

/* ---- opening files ---- */

static mmc_status open_noted(mmc_stream **stream, mmc_dataset *data, const char *path) {
    MMC_TRY(mmc_stream_open(stream, path));
    snprintf(data->files[data->file_count].path, sizeof data->files[0].path, "%s", path);
    data->file_count++;
    return MMC_OK;
}

static mmc_status append_cifar(mmc_cifar *all, mmc_dataset *data, const char *path, int32_t limit) {
    mmc_stream *stream;
    MMC_TRY(open_noted(&stream, data, path));
    mmc_status status = mmc_cifar_append(all, stream, data->classes, limit);
    mmc_stream_close(stream);
    return status;
}

/* Any subset of the five training batches, in order. */
static mmc_status read_cifar10_train(mmc_cifar *all, mmc_dataset *data, const char *folder, int32_t limit) {
    char path[MMC_DATA_PATH_BYTES];
    bool found = false;
    for (int b = 1; b <= MMC_CIFAR10_BATCHES && (!limit || all->count < limit); b++) {
        char name[32];
        snprintf(name, sizeof name, "data_batch_%d.bin", b);
        if (!mmc_data_find(path, folder, MMC_DATA_CIFAR10_FOLDER, name))
            continue;
        found = true;
        MMC_TRY(append_cifar(all, data, path, limit));
    }
    return found ? MMC_OK : mmc_data_find_cifar(path, folder, 10, "data_batch_1.bin"); /* says what was tried */
}

static mmc_status read_cifar(mmc_split *split, mmc_dataset *data, const char *folder, bool train, int32_t limit) {
    mmc_cifar all = {0};
    char path[MMC_DATA_PATH_BYTES];
    mmc_status status;
    if (data->classes == 10 && train) {
        status = read_cifar10_train(&all, data, folder, limit);
    } else {
        const char *name = train ? "train.bin" : data->classes == 10 ? "test_batch.bin" : "test.bin";
        status = mmc_data_find_cifar(path, folder, data->classes, name);
        if (status == MMC_OK)
            status = append_cifar(&all, data, path, limit);
    }
    *split = (mmc_split){.count = all.count, .channels = 3, .natural = all.images, .labels = all.labels};
    return status;
}

/* ---- Fashion-MNIST ---- */

/* The label file, and the image file left open for reading. Owns: the caller frees labels and closes the stream. */
static mmc_status open_fashion(int32_t **labels, int32_t *count, mmc_stream **images, mmc_dataset *data,
                               const char *folder, bool train) {
    char image_path[MMC_DATA_PATH_BYTES], label_path[MMC_DATA_PATH_BYTES];
    mmc_stream *stream;
    MMC_TRY(mmc_data_find_fashion(image_path, label_path, folder, train ? "train" : "t10k"));
    MMC_TRY(open_noted(&stream, data, label_path));
    mmc_status status = mmc_idx_labels(labels, count, stream);
    mmc_stream_close(stream);
    MMC_TRY(status);
    status = open_noted(images, data, image_path);
    if (status != MMC_OK) {
        free(*labels);
        *labels = NULL;
    }
    return status;
}

/* Reads the first `keep` images and resizes them. Owns: the caller frees *out. */
static mmc_status read_resized(uint8_t **out, mmc_stream *stream, int32_t count, int32_t keep) {
    uint8_t *small;
    MMC_TRY(mmc_idx_images(&small, stream, count, keep));
    *out = malloc((size_t)keep * PLANE + 1);
    if (!*out) {
        free(small);
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for %d images; use --limit-train or --limit-test",
                        mmc_stream_name(stream), (int)keep);
    }
    for (int32_t i = 0; i < keep; i++)
        mmc_resize_28_to_32(*out + (size_t)i * PLANE, small + (size_t)i * MMC_IDX_IMAGE_BYTES);
    free(small);
    return MMC_OK;
}

static mmc_status read_fashion(mmc_split *split, mmc_dataset *data, const char *folder, bool train, int32_t limit) {
    mmc_stream *images;
    int32_t count;
    split->channels = 1;
    MMC_TRY(open_fashion(&split->labels, &count, &images, data, folder, train));
    int32_t keep = limit && limit < count ? limit : count;
    mmc_status status = read_resized(&split->natural, images, count, keep);
    mmc_stream_close(images);
    split->count = keep;
    return status;
}

/* Partners of a split's samples, and as many top images as they or a random cue can ask for. A limit cuts samples, not
 * the supply of partners. */
static mmc_status read_tops(mmc_split *split, mmc_dataset *data, const char *folder, bool train) {
    int32_t *labels = NULL, count;
    mmc_stream *images;
    MMC_TRY(open_fashion(&labels, &count, &images, data, folder, train));
    mmc_status status;
    split->partner = malloc((size_t)split->count * sizeof *split->partner + 1);
    if (!split->partner) {
        status = mmc_fail(MMC_ERR_MEMORY, "no memory for the partners of %d images", (int)split->count);
        goto cleanup;
    }
    mmc_cue_partners(split->partner, split->labels, split->count, labels, count, data->classes);
    int32_t keep = split->count;
    for (int32_t i = 0; i < split->count; i++)
        if (split->partner[i] >= keep)
            keep = split->partner[i] + 1;
    if (keep > count)
        keep = count;
    MMC_GOTO(cleanup, read_resized(&split->top, images, count, keep));
    split->top_count = keep;
cleanup:
    mmc_stream_close(images);
    free(labels);
    return status;
}

/* ---- the data set ---- */

static mmc_status read_split(mmc_split *split, mmc_dataset *data, const mmc_dataset_options *options, bool train) {
    int32_t limit = train ? options->limit_train : options->limit_test;
    if (limit < 0)
        return mmc_fail(MMC_ERR_RANGE, "--limit-%s %d: give 1 or more", train ? "train" : "test", (int)limit);
    if (data->kind == MMC_DATASET_FASHION_BOX)
        return read_fashion(split, data, options->folder, train, limit);
    MMC_TRY(read_cifar(split, data, options->folder, train, limit));
    return data->kind == MMC_DATASET_DOMINOES ? read_tops(split, data, options->folder, train) : MMC_OK;
}

mmc_status mmc_dataset_open(mmc_dataset *out, const mmc_dataset_options *options) {
    *out = (mmc_dataset){.kind = options->kind,
                         .classes = mmc_dataset_classes(options->kind),
                         .height = mmc_dataset_height(options->kind)};
    out->train.channels = out->test.channels = options->kind == MMC_DATASET_FASHION_BOX ? 1 : 3;
    mmc_status status = MMC_OK;
    if (!options->skip_train)
        status = read_split(&out->train, out, options, true);
    if (status == MMC_OK && !options->skip_test)
        status = read_split(&out->test, out, options, false);
    if (status != MMC_OK)
        mmc_dataset_close(out);
    return status;
}

static void close_split(mmc_split *split) {
    free(split->natural);
    free(split->labels);
    free(split->top);
    free(split->partner);
}

mmc_status mmc_dataset_fits(const mmc_dataset *data, int classes, int height, const char *use) {
    if (classes == data->classes && height == data->height)
        return MMC_OK;
    return mmc_fail(MMC_ERR_MISMATCH, "a model of %d classes on %d rows cannot be %s on %s (%d classes, %d rows)",
                    classes, height, use, mmc_dataset_name(data->kind), data->classes, data->height);
}

void mmc_dataset_close(mmc_dataset *data) {
    close_split(&data->train);
    close_split(&data->test);
    *data = (mmc_dataset){0};
}

mmc_status mmc_dataset_checksum(mmc_dataset *data) {
    for (int i = 0; i < data->file_count; i++)
        MMC_TRY(mmc_file_checksum(data->files[i].sha256, data->files[i].path, MMC_CHECKSUM_SHA256));
    return MMC_OK;
}

bool mmc_dataset_present(mmc_dataset_kind kind, const char *folder) {
    char path[MMC_DATA_PATH_BYTES], second[MMC_DATA_PATH_BYTES];
    bool present = true;
    if (kind != MMC_DATASET_FASHION_BOX) {
        bool hundred = kind == MMC_DATASET_CIFAR100_BOX;
        const char *sub = hundred ? MMC_DATA_CIFAR100_FOLDER : MMC_DATA_CIFAR10_FOLDER;
        bool train = hundred && mmc_data_find(path, folder, sub, "train.bin");
        for (int b = 1; b <= MMC_CIFAR10_BATCHES && !hundred; b++) {
            char name[32];
            snprintf(name, sizeof name, "data_batch_%d.bin", b);
            train = train || mmc_data_find(path, folder, sub, name);
        }
        present = train && mmc_data_find(path, folder, sub, hundred ? "test.bin" : "test_batch.bin");
    }
    if (kind == MMC_DATASET_DOMINOES || kind == MMC_DATASET_FASHION_BOX)
        present = present && mmc_data_find_fashion(path, second, folder, "train") == MMC_OK &&
                  mmc_data_find_fashion(path, second, folder, "t10k") == MMC_OK;
    return present;
}
