#define _POSIX_C_SOURCE 200809L
#include "suites/inputs.h"

#include "runtime/file.h"
#include "suites/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

mmc_status mmc_inputs_dataset(mmc_dataset_kind *out, const mmc_options *options,
                              const mmc_checkpoint *const *checkpoints, int count) {
    if (mmc_option_given(options, MMC_OPTION_DATASET)) {
        *out = (mmc_dataset_kind)options->dataset;
        return MMC_OK;
    }
    const char *name = "";
    for (int i = 0; i < count; i++) {
        const char *other = checkpoints[i]->dataset;
        if (*name && *other && strcmp(name, other) != 0)
            return mmc_fail(MMC_ERR_MISMATCH, "the checkpoints were trained on %s and on %s; say --dataset", name,
                            other);
        if (*other)
            name = other;
    }
    for (int kind = 0; kind < MMC_DATASET_COUNT; kind++)
        if (strcmp(name, mmc_dataset_name((mmc_dataset_kind)kind)) == 0) {
            *out = (mmc_dataset_kind)kind;
            return MMC_OK;
        }
    char accepts[128];
    mmc_option_accepts(accepts, sizeof accepts, mmc_option_find(MMC_OPTION_DATASET));
    if (*name)
        return mmc_fail(MMC_ERR_USAGE, "the checkpoint's data set '%s' is none of this version; --dataset accepts %s",
                        name, accepts);
    return mmc_fail(MMC_ERR_USAGE, "--dataset is required%s; it accepts %s",
                    count ? " (the checkpoint does not say)" : "", accepts);
}

mmc_status mmc_inputs_model(mmc_checkpoint *out, const char *path) {
    MMC_TRY(mmc_checkpoint_read(out, path));
    if (!out->state) {
        mmc_checkpoint_close(out);
        return mmc_fail(MMC_ERR_MISMATCH, "%s: holds bends of a curve, no model; give it to `mmcbench path` as --mid",
                        path);
    }
    return MMC_OK;
}

mmc_status mmc_inputs_fit(mmc_checkpoint *checkpoint, const char *path, mmc_dataset_kind kind) {
    mmc_model_spec spec = checkpoint->model->spec;
    if (spec.classes != mmc_dataset_classes(kind))
        return mmc_fail(MMC_ERR_MISMATCH, "%s: a model of %d classes does not fit %s, which has %d", path, spec.classes,
                        mmc_dataset_name(kind), mmc_dataset_classes(kind));
    if (spec.height == mmc_dataset_height(kind))
        return MMC_OK;
    /* weights do not depend on the height of the images, so the state stays as it is */
    spec.height = mmc_dataset_height(kind);
    mmc_model *model;
    MMC_TRY(mmc_model_create(&model, &spec));
    mmc_model_free(checkpoint->model);
    checkpoint->model = model;
    return MMC_OK;
}

mmc_status mmc_inputs_alike(const mmc_checkpoint *a, const char *path_a, const mmc_checkpoint *b, const char *path_b) {
    const mmc_model_spec *x = &a->model->spec, *y = &b->model->spec;
    if (x->arch == y->arch && x->width == y->width && x->classes == y->classes)
        return MMC_OK;
    return mmc_fail(MMC_ERR_MISMATCH,
                    "%s (%s, width %d, %d classes) and %s (%s, width %d, %d classes) are not one network", path_a,
                    mmc_arch_name(x->arch), x->width, x->classes, path_b, mmc_arch_name(y->arch), y->width, y->classes);
}

mmc_backend_options mmc_inputs_backend(const mmc_options *options) {
    return (mmc_backend_options){.backend = options->backend,
                                 .provider = options->provider,
                                 .precision = options->precision,
                                 .device = options->device,
                                 .threads = options->threads};
}

mmc_status mmc_inputs_open(mmc_inputs *in, const mmc_options *options, mmc_dataset_kind kind, bool train, bool test) {
    mmc_dataset_options data = {.kind = kind,
                                .folder = options->data,
                                .limit_train = options->limit_train,
                                .limit_test = options->limit_test,
                                .skip_train = !train,
                                .skip_test = !test};
    memset(in, 0, sizeof *in);
    MMC_TRY(mmc_dataset_open(&in->data, &data));
    mmc_backend_options backend = mmc_inputs_backend(options);
    mmc_status status = mmc_devices_open(&in->be, in->more, &backend, options->devices);
    if (status == MMC_OK)
        in->more_count = options->devices - 1;
    else
        mmc_inputs_close(in);
    return status;
}

void mmc_inputs_close(mmc_inputs *in) {
    mmc_devices_close(in->be, in->more, in->more_count);
    mmc_dataset_close(&in->data);
    memset(in, 0, sizeof *in);
}

mmc_status mmc_output_try(const char *option, const char *path) {
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return mmc_fail(MMC_ERR_IO, "%s %s: not a regular file; give the name of a file", option, path);
    size_t length = strlen(path);
    char *name = malloc(length + 16);
    if (!name)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for a path of %zu bytes", length);
    memcpy(name, path, length + 1);
    char *slash = strrchr(name, '/');
    mmc_status status = MMC_OK;
    if (slash && slash != name) {
        *slash = '\0';
        status = mmc_folder_create(name);
        *slash = '/';
    }
    if (status == MMC_OK) {
        snprintf(name + length, 16, ".try-%d", (int)(getpid() % 1000000));
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0)
            status = mmc_fail(MMC_ERR_IO, "%s %s: %s; give a place that can be written", option, path, strerror(errno));
        else {
            close(fd);
            unlink(name);
        }
    }
    free(name);
    return status;
}

uint64_t mmc_hash_bytes(uint64_t hash, const void *bytes, size_t size) {
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * UINT64_C(1099511628211);
    return hash;
}

mmc_status mmc_inputs_path_config(mmc_path_config *out, const mmc_options *options, mmc_bn_mode bn) {
    *out = mmc_path_defaults();
    out->bn = mmc_option_given(options, MMC_OPTION_BN) ? (mmc_bn_mode)options->bn : bn;
    out->bn_batch = options->bn_batch;
    out->split_test = options->split == MMC_SPLIT_TEST;
    out->split_train = options->split == MMC_SPLIT_TRAIN;
    out->seed = options->seed;
    if (mmc_option_given(options, MMC_OPTION_BATCH))
        out->batch = options->batch;
    mmc_status status = mmc_set_parse(&out->sets, options->sets);
    return status == MMC_OK ? MMC_OK : mmc_fail_context(status, "--sets %s", options->sets);
}
