#include "runtime/checkpoint.h"

#include "runtime/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 80, METADATA_MAX = 10 };
static const char tracked_suffix[] = ".num_batches_tracked"; /* PyTorch's counters: no part of the function computed */

/* ---- which tensors belong to which state ---- */

/* Splits "mid.K.NAME" into K and NAME; any other name is NAME of the plain state, -1. */
static int split_name(const char *name, const char **rest) {
    *rest = name;
    if (strncmp(name, "mid.", 4) != 0)
        return -1;
    int k = 0, digits = 0;
    const char *p = name + 4;
    for (; *p >= '0' && *p <= '9' && digits < 4; p++, digits++)
        k = 10 * k + (*p - '0');
    if (digits == 0 || *p != '.' || (digits > 1 && name[4] == '0'))
        return -1;
    *rest = p + 1;
    return k;
}

/* The states of a file: a plain one or not, and the bends first_bend .. first_bend + bends - 1. */
typedef struct groups {
    bool plain;
    int first_bend, bends;
} groups;

static mmc_status find_groups(groups *out, const mmc_safetensors *file, const char *path) {
    bool seen[MMC_BENDS_MAX + 1] = {false};
    *out = (groups){0};
    for (size_t i = 0; i < file->count; i++) {
        const char *rest;
        int k = split_name(file->tensors[i].name, &rest);
        if (k > MMC_BENDS_MAX)
            return mmc_fail(MMC_ERR_MISMATCH, "%s: tensor %.100s: at most %d bends are read", path,
                            file->tensors[i].name, (int)MMC_BENDS_MAX);
        if (k < 0)
            out->plain = true;
        else
            seen[k] = true;
    }
    out->first_bend = seen[0] ? 0 : 1; /* files of other programs may count from one */
    while (out->first_bend + out->bends <= MMC_BENDS_MAX && seen[out->first_bend + out->bends])
        out->bends++;
    for (int k = out->first_bend + out->bends; k <= MMC_BENDS_MAX; k++)
        if (seen[k])
            return mmc_fail(MMC_ERR_MISMATCH, "%s: has bend mid.%d but no mid.%d; save all bends, counted from 0", path,
                            k, out->first_bend + out->bends);
    if (out->bends > MMC_BENDS_MAX)
        return mmc_fail(MMC_ERR_MISMATCH, "%s: has %d bends; at most %d are read", path, out->bends,
                        (int)MMC_BENDS_MAX);
    return MMC_OK;
}

static void full_name(char out[NAME_BYTES], int bend, const char *name) {
    if (bend < 0)
        snprintf(out, NAME_BYTES, "%s", name);
    else
        snprintf(out, NAME_BYTES, "mid.%d.%s", bend, name);
}

static const mmc_safetensor *find_in(const mmc_safetensors *file, int bend, const char *name) {
    char full[NAME_BYTES];
    full_name(full, bend, name);
    return mmc_safetensors_find(file, full);
}

/* ---- which network it is ---- */

static mmc_status metadata_number(int value, const mmc_safetensors *file, const char *key, const char *path) {
    const char *text = mmc_safetensors_metadata(file, key);
    char expected[16];
    snprintf(expected, sizeof expected, "%d", value);
    if (text && strcmp(text, expected) != 0)
        return mmc_fail(MMC_ERR_MISMATCH, "%s: metadata says %s %.20s, its tensors say %d; one of them is wrong", path,
                        key, text, value);
    return MMC_OK;
}

/* Reads architecture, width and classes off names and shapes; metadata may not contradict them. */
static mmc_status identify(mmc_model_spec *spec, const mmc_safetensors *file, int bend, const char *path) {
    const mmc_safetensor *vgg = find_in(file, bend, "layers.0.conv1.weight");
    const mmc_safetensor *resnet = find_in(file, bend, "conv1.weight");
    const mmc_safetensor *linear = find_in(file, bend, "linear.weight");
    const mmc_safetensor *stem = vgg ? vgg : resnet;
    if (!stem || stem->rank != 4)
        return mmc_fail(MMC_ERR_MISMATCH,
                        "%s: neither a ResNet-18 (no conv1.weight) nor a VGG-13 (no layers.0.conv1.weight); save the "
                        "state_dict of one of these",
                        path);
    if (!linear || linear->rank != 2)
        return mmc_fail(MMC_ERR_MISMATCH, "%s: tensor linear.weight (classes, features) is missing", path);
    if (stem->shape[0] < MMC_WIDTH_MIN || stem->shape[0] > MMC_WIDTH_MAX)
        return mmc_fail(MMC_ERR_MISMATCH, "%s: tensor %s: width %lld; %d to %d are read", path, stem->name,
                        (long long)stem->shape[0], (int)MMC_WIDTH_MIN, (int)MMC_WIDTH_MAX);
    if (linear->shape[0] < 2 || linear->shape[0] > MMC_CLASSES_MAX)
        return mmc_fail(MMC_ERR_MISMATCH, "%s: tensor %s: %lld classes; 2 to %d are read", path, linear->name,
                        (long long)linear->shape[0], (int)MMC_CLASSES_MAX);
    const char *dataset = mmc_safetensors_metadata(file, "dataset");
    *spec = (mmc_model_spec){.arch = vgg ? MMC_ARCH_VGG13 : MMC_ARCH_RESNET18,
                             .width = (int)stem->shape[0],
                             .classes = (int)linear->shape[0],
                             .height = dataset && strcmp(dataset, "dominoes") == 0 ? 64 : 32};
    const char *arch = mmc_safetensors_metadata(file, "arch");
    if (arch && strcmp(arch, mmc_arch_name(spec->arch)) != 0)
        return mmc_fail(MMC_ERR_MISMATCH, "%s: metadata says arch %.20s, its tensors are those of a %s", path, arch,
                        mmc_arch_name(spec->arch));
    MMC_TRY(metadata_number(spec->width, file, "width", path));
    return metadata_number(spec->classes, file, "classes", path);
}

static const mmc_tensor_info *find_info(const mmc_model *model, const char *name, size_t length) {
    for (int i = 0; i < model->tensor_count; i++)
        if (strlen(model->tensors[i].name) == length && memcmp(model->tensors[i].name, name, length) == 0)
            return &model->tensors[i];
    return NULL;
}

/* `*.num_batches_tracked` of a batch norm that the network has. */
static bool is_counter(const mmc_model *model, const char *name) {
    size_t length = strlen(name), suffix = sizeof tracked_suffix - 1;
    char layer[NAME_BYTES];
    if (length <= suffix || length - suffix > 40 || strcmp(name + length - suffix, tracked_suffix) != 0)
        return false;
    int n = snprintf(layer, sizeof layer, "%.*s.running_var", (int)(length - suffix), name);
    return find_info(model, layer, (size_t)n) != NULL;
}

static mmc_status check_extra(const mmc_safetensors *file, const mmc_model *model, const char *path) {
    for (size_t i = 0; i < file->count; i++) {
        const char *rest;
        split_name(file->tensors[i].name, &rest);
        if (!find_info(model, rest, strlen(rest)) && !is_counter(model, rest))
            return mmc_fail(MMC_ERR_MISMATCH, "%s: tensor %.100s does not belong to a %s; leave it out", path,
                            file->tensors[i].name, mmc_arch_name(model->spec.arch));
    }
    return MMC_OK;
}

/* ---- values ---- */

static void shape_text(char *out, size_t size, int rank, const int64_t *shape) {
    size_t used = (size_t)snprintf(out, size, "(");
    for (int d = 0; d < rank && used < size; d++)
        used += (size_t)snprintf(out + used, size - used, d ? ",%lld" : "%lld", (long long)shape[d]);
    if (used < size)
        snprintf(out + used, size - used, ")");
}

static mmc_status check_shape(const mmc_safetensor *t, const mmc_tensor_info *info, const char *path) {
    int64_t expected[4] = {0};
    bool equal = t->rank == info->rank;
    for (int d = 0; d < info->rank; d++) {
        expected[d] = info->shape[d];
        equal = equal && t->shape[d] == info->shape[d];
    }
    if (equal)
        return MMC_OK;
    char is[160], should[96];
    shape_text(is, sizeof is, t->rank, t->shape);
    shape_text(should, sizeof should, info->rank, expected);
    return mmc_fail(MMC_ERR_MISMATCH, "%s: tensor %.100s has shape %s, its network needs %s", path, t->name, is,
                    should);
}

static mmc_status load_tensor(float *out, const mmc_safetensor *t, const mmc_tensor_info *info, const char *path) {
    if (mmc_safetensor_to_f32(out, t) != MMC_OK)
        return mmc_fail_context(MMC_ERR_MISMATCH, "%s", path);
    for (size_t i = 0; i < t->count; i++) {
        if (!isfinite(out[i]))
            return mmc_fail(MMC_ERR_MISMATCH, "%s: tensor %.100s holds %s at element %zu; the training diverged?", path,
                            t->name, isnan(out[i]) ? "NaN" : "an infinite value", i);
        if (info->role == MMC_ROLE_RUNNING_VAR && out[i] < 0)
            return mmc_fail(MMC_ERR_MISMATCH, "%s: tensor %.100s: a variance is negative (element %zu)", path, t->name,
                            i);
    }
    return MMC_OK;
}

/* Presence and shape of all tensors come first: a file that lies about its width must not cost gigabytes. */
static mmc_status check_tensors(const mmc_safetensors *file, const mmc_model *model, int bend, const char *path) {
    for (int i = 0; i < model->tensor_count; i++) {
        const mmc_tensor_info *info = &model->tensors[i];
        const mmc_safetensor *t = find_in(file, bend, info->name);
        if (!t) {
            char name[NAME_BYTES];
            full_name(name, bend, info->name);
            return mmc_fail(MMC_ERR_MISMATCH, "%s: tensor %s of a %s is missing", path, name,
                            mmc_arch_name(model->spec.arch));
        }
        MMC_TRY(check_shape(t, info, path));
    }
    return MMC_OK;
}

static mmc_status load_state(float **out, const mmc_safetensors *file, const mmc_model *model, int bend,
                             const char *path) {
    MMC_TRY(check_tensors(file, model, bend, path));
    *out = malloc(model->state_count * sizeof **out);
    if (!*out)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for %zu weights", path, model->state_count);
    for (int i = 0; i < model->tensor_count; i++) {
        const mmc_tensor_info *info = &model->tensors[i];
        MMC_TRY(load_tensor(*out + info->offset, find_in(file, bend, info->name), info, path));
    }
    return MMC_OK;
}

static void copy_metadata(char *out, size_t size, const mmc_safetensors *file, const char *key) {
    const char *text = mmc_safetensors_metadata(file, key);
    snprintf(out, size, "%s", text ? text : "");
}

static mmc_status read_open_file(mmc_checkpoint *out, const mmc_safetensors *file, const char *path) {
    groups g;
    mmc_model_spec spec;
    MMC_TRY(find_groups(&g, file, path));
    MMC_TRY(identify(&spec, file, g.plain || !g.bends ? -1 : g.first_bend, path));
    MMC_TRY(mmc_model_create(&out->model, &spec));
    MMC_TRY(check_extra(file, out->model, path));
    if (g.plain)
        MMC_TRY(load_state(&out->state, file, out->model, -1, path));
    for (int k = 0; k < g.bends; k++, out->bends++)
        MMC_TRY(load_state(&out->bend[k], file, out->model, g.first_bend + k, path));
    MMC_TRY(metadata_number(out->bends, file, "bends", path));
    copy_metadata(out->curve, sizeof out->curve, file, "curve");
    copy_metadata(out->dataset, sizeof out->dataset, file, "dataset");
    copy_metadata(out->seed, sizeof out->seed, file, "seed");
    copy_metadata(out->job, sizeof out->job, file, "job");
    copy_metadata(out->program, sizeof out->program, file, "program");
    return MMC_OK;
}

/* Takes over an open file. */
static mmc_status read_file(mmc_checkpoint *out, mmc_safetensors *file, const char *path) {
    mmc_status status = read_open_file(out, file, path);
    mmc_safetensors_close(file);
    if (status != MMC_OK)
        mmc_checkpoint_close(out);
    return status;
}

mmc_status mmc_checkpoint_read(mmc_checkpoint *out, const char *path) {
    mmc_safetensors file;
    *out = (mmc_checkpoint){0};
    MMC_TRY(mmc_safetensors_open(&file, path));
    return read_file(out, &file, path);
}

mmc_status mmc_checkpoint_parse(mmc_checkpoint *out, const void *bytes, size_t size, const char *what) {
    mmc_safetensors file;
    *out = (mmc_checkpoint){0};
    MMC_TRY(mmc_safetensors_parse(&file, bytes, size, what));
    return read_file(out, &file, what);
}

void mmc_checkpoint_close(mmc_checkpoint *c) {
    for (int k = 0; k < MMC_BENDS_MAX; k++)
        free(c->bend[k]);
    free(c->state);
    mmc_model_free(c->model);
    *c = (mmc_checkpoint){0};
}

/* ---- writing ---- */

/* Describes the tensors of one state; names go into `names`. */
static void describe(mmc_safetensor *out, char (*names)[NAME_BYTES], const mmc_model *model, const float *state,
                     int bend) {
    for (int i = 0; i < model->tensor_count; i++) {
        const mmc_tensor_info *info = &model->tensors[i];
        full_name(names[i], bend, info->name);
        out[i] = (mmc_safetensor){.name = names[i],
                                  .dtype = MMC_DTYPE_F32,
                                  .rank = info->rank,
                                  .count = info->count,
                                  .data = state + info->offset};
        for (int d = 0; d < info->rank; d++)
            out[i].shape[d] = info->shape[d];
    }
}

mmc_status mmc_checkpoint_write(const char *path, const mmc_checkpoint *c) {
    const mmc_model *model = c->model;
    size_t states = (size_t)c->bends + (c->state ? 1 : 0), each = (size_t)model->tensor_count;
    mmc_safetensor *tensors = calloc(states * each + 1, sizeof *tensors);
    char(*names)[NAME_BYTES] = calloc(states * each + 1, sizeof *names);
    mmc_status status;
    if (!tensors || !names) {
        status = mmc_fail(MMC_ERR_MEMORY, "%s: no memory for the names of its tensors", path);
        goto cleanup;
    }
    size_t at = 0;
    if (c->state) {
        describe(tensors, names, model, c->state, -1);
        at = each;
    }
    for (int k = 0; k < c->bends; k++, at += each)
        describe(tensors + at, names + at, model, c->bend[k], k);

    char width[16], classes[16], bends[16];
    snprintf(width, sizeof width, "%d", model->spec.width);
    snprintf(classes, sizeof classes, "%d", model->spec.classes);
    const char *keys[METADATA_MAX] = {"arch", "width", "classes"};
    const char *values[METADATA_MAX] = {mmc_arch_name(model->spec.arch), width, classes};
    size_t count = 3;
    snprintf(bends, sizeof bends, "%d", c->bends);
    const char *more[][2] = {{"curve", c->curve},     {"bends", c->curve[0] ? bends : ""},
                             {"dataset", c->dataset}, {"seed", c->seed},
                             {"job", c->job},         {"program", c->program}};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        if (more[i][1][0]) {
            keys[count] = more[i][0];
            values[count++] = more[i][1];
        }
    status = mmc_safetensors_write(path, tensors, states * each, keys, values, count);
cleanup:
    free(names);
    free(tensors);
    return status;
}
