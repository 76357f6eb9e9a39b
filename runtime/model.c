#include "runtime/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGE_CHANNELS = 3, IMAGE_COLUMNS = 32, BEND_STREAM = 1000 };

static const char *const arch_names[MMC_ARCH_COUNT] = {
    [MMC_ARCH_RESNET18] = "resnet18",
    [MMC_ARCH_VGG13] = "vgg13",
};

const char *mmc_arch_name(mmc_arch arch) {
    return arch_names[arch];
}

mmc_status mmc_arch_parse(mmc_arch *out, const char *name) {
    for (int i = 0; i < MMC_ARCH_COUNT; i++)
        if (strcmp(name, arch_names[i]) == 0) {
            *out = (mmc_arch)i;
            return MMC_OK;
        }
    return mmc_fail(MMC_ERR_USAGE, "unknown architecture '%s'; known are resnet18 and vgg13", name);
}

static int out_side(int side, int r, int stride) {
    return (side + 2 * (r / 2) - r) / stride + 1;
}

/* Height, width and channels of a slot. */
static void slot_shape(const mmc_model *m, int slot, int *c, int *h, int *w) {
    if (slot == 0) {
        *c = IMAGE_CHANNELS;
        *h = m->spec.height;
        *w = IMAGE_COLUMNS;
        return;
    }
    const mmc_unit_info *u = &m->units[slot - 1];
    *c = u->k;
    *h = out_side(u->h, u->r, u->stride);
    *w = out_side(u->w, u->r, u->stride);
}

/* Appends a unit and returns the slot that it writes. */
static int add_unit(mmc_model *m, const char *prefix, const char *conv, const char *bn, int k, int r, int stride,
                    int input, int residual, bool relu) {
    mmc_unit_info *u = &m->units[m->unit_count];
    snprintf(u->conv, sizeof u->conv, "%s%s", prefix, conv);
    snprintf(u->bn, sizeof u->bn, "%s%s", prefix, bn);
    slot_shape(m, input, &u->c, &u->h, &u->w);
    u->k = k;
    u->r = r;
    u->stride = stride;
    u->relu = relu;
    u->input = input;
    u->residual = residual;
    return ++m->unit_count;
}

static void vgg13_units(mmc_model *m) {
    static const struct {
        int stage, stride;
    } layer[] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {4, 1}, {4, 2}, {8, 1}, {8, 2}, {8, 1}, {8, 1}};
    int slot = 0;
    for (int i = 0; i < (int)(sizeof layer / sizeof layer[0]); i++) {
        char prefix[16];
        snprintf(prefix, sizeof prefix, "layers.%d.", i);
        slot = add_unit(m, prefix, "conv1", "bn1", m->spec.width * layer[i].stage, 3, layer[i].stride, slot, -1, true);
    }
}

static void resnet18_units(mmc_model *m) {
    int slot = add_unit(m, "", "conv1", "bn1", m->spec.width, 3, 1, 0, -1, true);
    for (int stage = 1; stage <= 4; stage++)
        for (int block = 0; block < 2; block++) {
            char prefix[16];
            snprintf(prefix, sizeof prefix, "layer%d.%d.", stage, block);
            int k = m->spec.width << (stage - 1);
            int stride = stage > 1 && block == 0 ? 2 : 1;
            int shortcut = slot;
            int inner = add_unit(m, prefix, "conv1", "bn1", k, 3, stride, slot, -1, true);
            if (stride == 2)
                shortcut = add_unit(m, prefix, "shortcut_conv", "shortcut_bn", k, 1, stride, slot, -1, false);
            slot = add_unit(m, prefix, "conv2", "bn2", k, 3, 1, inner, shortcut, true);
        }
}

/* Appends a tensor after all others and returns its offset. */
static size_t add_tensor(mmc_model *m, const char *layer, const char *field, mmc_tensor_role role, int unit, int rank,
                         const int *shape) {
    mmc_tensor_info *t = &m->tensors[m->tensor_count++];
    snprintf(t->name, sizeof t->name, "%s.%s", layer, field);
    t->role = role;
    t->unit = unit;
    t->rank = rank;
    t->count = 1;
    for (int i = 0; i < rank; i++) {
        t->shape[i] = shape[i];
        t->count *= (size_t)shape[i];
    }
    t->offset = m->state_count;
    m->state_count += t->count;
    return t->offset;
}

static void add_tensors(mmc_model *m) {
    for (int i = 0; i < m->unit_count; i++) {
        mmc_unit_info *u = &m->units[i];
        u->weight = add_tensor(m, u->conv, "weight", MMC_ROLE_CONV, i, 4, (int[]){u->k, u->c, u->r, u->r});
        m->tensors[m->tensor_count - 1].fan_in = u->c * u->r * u->r;
        u->gamma = add_tensor(m, u->bn, "weight", MMC_ROLE_SCALE, i, 1, (int[]){u->k});
        u->beta = add_tensor(m, u->bn, "bias", MMC_ROLE_SHIFT, i, 1, (int[]){u->k});
    }
    int k = m->spec.classes;
    m->head_weight = add_tensor(m, "linear", "weight", MMC_ROLE_LINEAR_WEIGHT, -1, 2, (int[]){k, m->features});
    m->tensors[m->tensor_count - 1].fan_in = m->features;
    m->head_bias = add_tensor(m, "linear", "bias", MMC_ROLE_LINEAR_BIAS, -1, 1, (int[]){k});
    m->tensors[m->tensor_count - 1].fan_in = m->features;
    m->parameter_count = m->state_count;
    for (int i = 0; i < m->unit_count; i++) {
        mmc_unit_info *u = &m->units[i];
        u->mean = add_tensor(m, u->bn, "running_mean", MMC_ROLE_RUNNING_MEAN, i, 1, (int[]){u->k});
        u->var = add_tensor(m, u->bn, "running_var", MMC_ROLE_RUNNING_VAR, i, 1, (int[]){u->k});
    }
}

mmc_status mmc_model_create(mmc_model **out, const mmc_model_spec *spec) {
    *out = NULL;
    if (spec->arch != MMC_ARCH_RESNET18 && spec->arch != MMC_ARCH_VGG13)
        return mmc_fail(MMC_ERR_RANGE, "architecture %d: known are resnet18 and vgg13", (int)spec->arch);
    if (spec->width < MMC_WIDTH_MIN || spec->width > MMC_WIDTH_MAX)
        return mmc_fail(MMC_ERR_RANGE, "width %d: give %d to %d (64 is the paper's)", spec->width, MMC_WIDTH_MIN,
                        MMC_WIDTH_MAX);
    if (spec->classes < 2 || spec->classes > MMC_CLASSES_MAX)
        return mmc_fail(MMC_ERR_RANGE, "%d classes: give 2 to %d", spec->classes, MMC_CLASSES_MAX);
    if (spec->height != 32 && spec->height != 64)
        return mmc_fail(MMC_ERR_RANGE, "images of %d rows: give 32, or 64 for dominoes", spec->height);
    mmc_model *m = calloc(1, sizeof *m);
    if (!m)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the tables of a model need %zu bytes", sizeof *m);
    m->spec = *spec;
    m->features = 8 * spec->width;
    if (spec->arch == MMC_ARCH_VGG13)
        vgg13_units(m);
    else
        resnet18_units(m);
    add_tensors(m);
    *out = m;
    return MMC_OK;
}

void mmc_model_free(mmc_model *model) {
    free(model);
}

void mmc_model_init(const mmc_model *model, float *state, uint64_t seed, mmc_rng_purpose purpose, uint32_t bend) {
    for (int i = 0; i < model->tensor_count; i++) {
        const mmc_tensor_info *t = &model->tensors[i];
        float *v = state + t->offset;
        if (t->fan_in > 0) {
            float bound = (float)(1.0 / sqrt((double)t->fan_in));
            for (size_t j = 0; j < t->count; j++)
                v[j] = bound *
                       (2.0f * mmc_rng_uniform(mmc_rng_at(seed, purpose, (uint32_t)i + BEND_STREAM * bend, j)) - 1.0f);
        } else {
            float value = t->role == MMC_ROLE_SCALE || t->role == MMC_ROLE_RUNNING_VAR ? 1.0f : 0.0f;
            for (size_t j = 0; j < t->count; j++)
                v[j] = value;
        }
    }
}

double mmc_model_flop(const mmc_model *model) {
    double multiply_adds = (double)model->features * model->spec.classes;
    for (int i = 0; i < model->unit_count; i++) {
        const mmc_unit_info *u = &model->units[i];
        multiply_adds +=
            (double)u->k * u->c * u->r * u->r * out_side(u->h, u->r, u->stride) * out_side(u->w, u->r, u->stride);
    }
    return 2 * multiply_adds;
}
