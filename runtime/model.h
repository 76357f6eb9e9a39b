/* ResNet-18 and VGG-13 as tables: which tensors a model has, and which units run in which order (SPEC 2).
 *
 * The state of a model is one dense f32 vector: first all parameters, then all running values, each in table order, so
 * that interpolation, SGD and checkpoints are loops over one vector.
 *
 *     mmc_model_spec spec = {.arch = MMC_ARCH_RESNET18, .width = 8, .classes = 10, .height = 32};
 *     mmc_model *model;
 *     MMC_TRY(mmc_model_create(&model, &spec));
 */
#ifndef MMC_RUNTIME_MODEL_H
#define MMC_RUNTIME_MODEL_H

#include "runtime/rng.h"
#include "runtime/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_arch { MMC_ARCH_RESNET18, MMC_ARCH_VGG13, MMC_ARCH_COUNT } mmc_arch;

const char *mmc_arch_name(mmc_arch arch);                   /* "resnet18", "vgg13" */
mmc_status mmc_arch_parse(mmc_arch *out, const char *name); /* MMC_ERR_USAGE lists the known ones */

enum { MMC_WIDTH_MIN = 4, MMC_WIDTH_MAX = 1024, MMC_CLASSES_MAX = 1000, MMC_MODEL_TENSORS = 128, MMC_MODEL_UNITS = 24 };

typedef struct mmc_model_spec {
    mmc_arch arch;
    int width; /* channels of the first stage; stages have w, 2w, 4w, 8w */
    int classes;
    int height; /* rows of the input: 32, or 64 (dominoes); 32 columns. Weights do not depend on it */
} mmc_model_spec;

typedef enum mmc_tensor_role {
    MMC_ROLE_CONV,
    MMC_ROLE_SCALE,
    MMC_ROLE_SHIFT,
    MMC_ROLE_LINEAR_WEIGHT,
    MMC_ROLE_LINEAR_BIAS,
    MMC_ROLE_RUNNING_MEAN,
    MMC_ROLE_RUNNING_VAR
} mmc_tensor_role;

/* One named tensor of the state. */
typedef struct mmc_tensor_info {
    char name[48]; /* the reference program's state name */
    mmc_tensor_role role;
    int rank, shape[4];
    size_t offset, count; /* floats from the start of the state */
    int fan_in;           /* CONV and LINEAR: C R R or C; else 0 */
    int unit;             /* index into units; -1: the head */
} mmc_tensor_info;

/* One unit (kernels/unit.h) of the network. Activation slots: 0 is the input image; every unit writes slot index+1. */
typedef struct mmc_unit_info {
    char conv[32], bn[32]; /* names without ".weight" */
    int c, h, w, k, r, stride;
    bool relu;
    int input;                             /* slot read */
    int residual;                          /* slot added, or -1 */
    size_t weight, gamma, beta, mean, var; /* offsets into the state */
} mmc_unit_info;

typedef struct mmc_model {
    mmc_model_spec spec;
    int tensor_count, unit_count;
    mmc_tensor_info
        tensors[MMC_MODEL_TENSORS]; /* parameters first, then running values, each in unit order then head */
    mmc_unit_info units[MMC_MODEL_UNITS];
    size_t parameter_count;        /* floats */
    size_t state_count;            /* parameters + running values */
    size_t head_weight, head_bias; /* offsets */
    int features;                  /* inputs of the linear layer: 8w */
} mmc_model;

/* Builds the tables. Errors: MMC_ERR_RANGE. Owns: the caller, mmc_model_free. */
mmc_status mmc_model_create(mmc_model **out, const mmc_model_spec *spec);
void mmc_model_free(mmc_model *model);

/* PyTorch's default initialisation law: conv, linear weight and bias U(-1/sqrt(fan_in), 1/sqrt(fan_in)); BN scale 1,
 * shift 0, running mean 0, variance 1. state: (state_count). purpose: MMC_RNG_INIT, or MMC_RNG_BEND with its bend
 * number. */
void mmc_model_init(const mmc_model *model, float *state, uint64_t seed, mmc_rng_purpose purpose, uint32_t bend);

/* FLOP of one image forward (2 per multiply-add; convolutions and linear layer). */
double mmc_model_flop(const mmc_model *model);

#ifdef __cplusplus
}
#endif
#endif
