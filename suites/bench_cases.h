/* What `mmcbench bench` measures: the operations, and for each the shapes that the two networks give it. One list for
 * every backend and provider.
 *
 *     mmc_bench_scope scope = {.archs = 1u << MMC_ARCH_RESNET18, .width = 64, .classes = 10, .height = 32, .batch =
 * 128, .sets = 1, .element_bytes = 4, .points = 11, .bn_images = 512, .images = 256}; mmc_bench_list list;
 *     MMC_TRY(mmc_bench_list_create(&list, &scope));
 *     mmc_bench_list_close(&list);
 *
 * Counts: FLOP of the definition (2 a multiply-add, whatever the algorithm does); bytes that must cross the memory at
 * least once: every input read once, every output written once.
 */
#ifndef MMC_SUITES_BENCH_CASES_H
#define MMC_SUITES_BENCH_CASES_H

#include "kernels/unit.h"
#include "runtime/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(ID, name, what it does, what of the paper needs it) */
#define MMC_BENCH_OP_MAP(X)                                                                                            \
    X(CONV_EVAL, "conv_eval", "unit with given statistics, folded", "every network")                                   \
    X(CONV_STATS, "conv_stats", "unit with the batch's statistics, nothing kept (batch norm pass of a point)",         \
      "Figures 4, 14-19")                                                                                              \
    X(CONV_FORWARD, "conv_forward", "unit with the batch's statistics, kept for backward", "every training")           \
    X(CONV_BACKWARD, "conv_backward", "gradients of a unit", "every training")                                         \
    X(PACK, "pack", "weights into the provider's form", "every network")                                               \
    X(RENDER, "render", "counterfactual images from uint8", "Figures 7-9")                                             \
    X(PUT, "put", "images into the backend's layout", "tests")                                                         \
    X(GET, "get", "activations out of the backend's layout", "tests")                                                  \
    X(POOL, "pool", "mean over space", "every network")                                                                \
    X(POOL_BACKWARD, "pool_backward", "its gradient", "every training")                                                \
    X(HEAD, "head", "linear layer", "every network")                                                                   \
    X(HEAD_BACKWARD, "head_backward", "its gradients", "every training")                                               \
    X(LOSS, "loss", "softmax cross-entropy with the count of correct answers", "every accuracy and loss")              \
    X(MIRROR, "mirror", "gradient of a loss mirrored at one (the barrier step)", "CBFT")                               \
    X(INTERPOLATE, "interpolate", "weights of the points of a path", "Figures 4, 14-19")                               \
    X(SGD, "sgd", "step of the optimiser over all parameters", "every training")                                       \
    X(RUNNING, "running", "running statistics", "every training")                                                      \
    X(POOL_ADD, "pool_add", "pooled statistics: a batch more", "Figures 4, 14-19")                                     \
    X(POOL_FINISH, "pool_finish", "pooled statistics: the result", "Figures 4, 14-19")                                 \
    X(CLASS_MEANS, "class_means", "distance of two batches' class means, with the gradients", "CBFT")                  \
    X(CORRELATE, "correlate", "correlation of the units of two networks, a batch", "matching")                         \
    X(ASSIGN, "assign", "linear assignment, a batch of problems, with certificates", "matching")                       \
    X(MLP_TRAIN, "mlp_train", "an epoch of the small model", "Appendix F; Table 5, Figures 12, 13")                    \
    X(MLP_EVAL, "mlp_eval", "outputs of the small model", "Appendix F; Table 5, Figures 12, 13")                       \
    X(PATH, "path", "path evaluation as a whole", "Figures 4, 14-19")

typedef enum mmc_bench_op {
#define X(id, name, text, paper) MMC_BENCH_##id,
    MMC_BENCH_OP_MAP(X)
#undef X
        MMC_BENCH_OP_COUNT
} mmc_bench_op;

const char *mmc_bench_op_name(mmc_bench_op op);
const char *mmc_bench_op_text(mmc_bench_op op);
const char *mmc_bench_op_paper(mmc_bench_op op);
mmc_status mmc_bench_op_parse(mmc_bench_op *out, const char *name); /* MMC_ERR_USAGE lists the known ones */

typedef struct mmc_bench_case {
    mmc_bench_op op;
    char name[64];    /* "resnet18.layer1.0.conv2": of units the first that has the shape */
    bool small_model; /* mlp_*: of no network; shape is samples n, inputs c, hidden units k */
    mmc_model_spec spec;
    mmc_unit_shape shape; /* conv_*, pack; render, put, get, pool: n, c, h, w */
    int times;            /* units of the network that have this shape */
    int sets, ends;       /* weight sets, or problems; end points of the curve */
    size_t count;         /* elements of a set's vector; rows of an assignment problem */
    int classes;
    bool gradient;                 /* loss */
    int points, bn_images, images; /* path */
    double flop, bytes, image_forwards;
} mmc_bench_case;

typedef struct mmc_bench_scope {
    unsigned archs; /* bit mask of mmc_arch */
    int width, classes, height;
    int batch;             /* images of a batch */
    int sets;              /* weight sets that the backend takes together */
    int element_bytes;     /* of an activation */
    int points;            /* of a path */
    int bn_images, images; /* of the batch norm pass, and of each evaluated set, of a path */
} mmc_bench_scope;

typedef struct mmc_bench_list {
    mmc_bench_case *cases;
    size_t count;
} mmc_bench_list;

/* Errors: MMC_ERR_RANGE for a network that cannot be, MMC_ERR_MEMORY. Owns: the caller, _close. */
mmc_status mmc_bench_list_create(mmc_bench_list *out, const mmc_bench_scope *scope);
void mmc_bench_list_close(mmc_bench_list *list);

/* The same operation on few images or elements, for comparison with the reference. */
mmc_bench_case mmc_bench_case_small(const mmc_bench_case *c);

/* "128x64x32x32 -> 64, 3x3/1 +residual": the shape in a few characters. */
void mmc_bench_case_shape(char *out, size_t size, const mmc_bench_case *c);

#ifdef __cplusplus
}
#endif
#endif
