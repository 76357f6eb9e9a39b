/* Class means: how far two batches lie apart class by class, and the gradient, the invariance term of CBFT. [SPEC 3]
 *
 *     m_k(b) = mean of rep[i] over the samples i of batch b with label k
 *     u_k    = m_k, or m_k / |m_k| with `unit`; a mean shorter than 1e-12 has u_k = m_k / 1e-12 and no gradient then
 *     distance = (1/K) sum over the classes k that both batches hold of |u_k(0) - u_k(1)|^2
 *     drep_b[i] (+)= weight d distance / d rep_b[i]: for a sample of class k, (2 weight / K n_k(b)) J (u_k(b) -
 * u_k(1-b)), J = 1, or (1 - u u^T) / |m_k| with `unit`; zero where the other batch lacks the class
 *
 *     mmc_class_means_call call = {.classes = 10, .c = 512, .unit = true, .weight = 1, .distance = d,
 *                                  .batch = {{n, rep_nc, y_nc, drep_nc, true}, {n, rep_c, y_c, drep_c, false}},
 *                                  .workspace = p};           p: mmc_class_means_workspace_size(10, 512) bytes
 *     MMC_TRY(be->flat->class_means(be->queue, &call));
 *
 * Cost:  about 10 (N0 + N1) C FLOP; both batches are read twice, drep is written once. Order: samples, channels and
 * classes in a fixed order, in double; bit-identical at any thread count.
 */
#ifndef MMC_KERNELS_CLASS_MEANS_H
#define MMC_KERNELS_CLASS_MEANS_H

#include "runtime/status.h"
#include "runtime/tensor.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MMC_CLASS_MEANS_SHORTEST 1e-12

typedef struct mmc_class_batch {
    int n;
    const float *rep;     /* (N,C) */
    const int32_t *label; /* (N); a label outside 0..K-1 belongs to no class */
    float *drep;          /* out: (N,C), NULL: not wanted */
    bool add;             /* drep += instead of drep = */
} mmc_class_batch;

typedef struct mmc_class_means_call {
    int classes, c;
    bool unit;
    float weight;     /* of the gradient */
    double *distance; /* out: (1), without `weight` */
    mmc_class_batch batch[2];
    void *workspace; /* mmc_class_means_workspace_size bytes, aligned to 8 */
} mmc_class_means_call;

/* Means of both batches, the distance and the two counts of each class. */
static inline size_t mmc_class_means_workspace_size(int classes, int c) {
    return (2 * (size_t)c + 3) * (size_t)classes * sizeof(double);
}

#ifdef __cplusplus
}
#endif
#endif
