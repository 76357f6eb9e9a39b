/* Operations that do not depend on the layout of activations: the linear head with its loss, and the arithmetic on
 * whole parameter vectors (interpolation, SGD, running statistics).
 *
 * One mmc_flat_ops table a provider family: `reference` (float64 inside) and `own` (OpenMP, float32 with wide sums).
 * All pointers are device memory. Order: bit-identical at any thread count.
 */
#ifndef MMC_KERNELS_FLAT_H
#define MMC_KERNELS_FLAT_H

#include "kernels/class_means.h"
#include "runtime/status.h"
#include "runtime/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_head_call {
    int sets, n, c, k;
    float *logits;      /* out: (T,N,K) */
    const float *rep;   /* (T,N,C) */
    const float *w, *b; /* (T,K,C), (T,K) at set_stride */
    size_t set_stride;
} mmc_head_call;

typedef struct mmc_head_backward_call {
    int n, c, k;
    float *drep;    /* out: (N,C); NULL: not wanted */
    float *dw, *db; /* out: (K,C), (K) */
    const float *dlogits, *rep, *w;
} mmc_head_backward_call;

/* Softmax cross-entropy of one weight set, sample i using logits row rows[i] (rows NULL: row i).
 * loss_i = log sum_k exp(z_k) - z_label. A row counts as correct where its label has the largest logit, the lowest
 * index winning ties; a NaN logit makes the loss NaN and the answer wrong. A label outside 0..K-1 is MMC_ERR_RANGE, on
 * a device at the next download or sync. */
typedef struct mmc_loss_call {
    int n, k;
    double *tally;         /* in/out: [0] += sum of losses, [1] += correct answers; NULL: not wanted */
    float *loss;           /* out: (N), NULL: not wanted */
    float *dlogits;        /* out: (N,K) = (softmax - onehot) * gradient_scale; NULL: not wanted (needs rows NULL) */
    float gradient_scale;  /* 1/N for the mean */
    const float *logits;   /* (rows,K) */
    const int32_t *rows;   /* (N) or NULL */
    const int32_t *labels; /* (N) */
} mmc_loss_call;

typedef struct mmc_flat_ops {
    const char *name;
    mmc_status (*head)(mmc_queue *queue, const mmc_head_call *call);
    mmc_status (*head_backward)(mmc_queue *queue, const mmc_head_backward_call *call);
    mmc_status (*loss)(mmc_queue *queue, const mmc_loss_call *call);

    /* dlogits[i] *= factor[0] * sign(tally[0] / n - 1), count = n K of them: the gradient of the mean loss L = tally[0]
     * / n becomes that of factor |1 - L|; 0 at L = 1, NaN where L is. `factor` is device memory. [SPEC 3, CBFT's
     * barrier] */
    mmc_status (*mirror)(mmc_queue *queue, float *dlogits, size_t count, const double *tally, int n,
                         const double *factor);

    /* out[t] = sum_e coefficient[t*ends+e] end[e]   (T,count) at set_stride; coefficients in double, products and sum
     * in double, one rounding. `end` and `coefficient` are host arrays (of device pointers); out may be an end. [SPEC
     * 4] */
    mmc_status (*interpolate)(mmc_queue *queue, float *out, size_t set_stride, int sets, const float *const *end,
                              int ends, const double *coefficient, size_t count);

    /* v <- momentum v + g + decay w;  w <- w - lr v   [SPEC 3] */
    mmc_status (*sgd)(mmc_queue *queue, float *w, float *v, const float *g, size_t count, double lr, double momentum,
                      double decay);

    /* running <- (1-m) running + m factor batch, elementwise; factor turns a biased into an unbiased variance and is 1
     * for means. (T,count), sets at their strides; factor (count) is shared. */
    mmc_status (*running)(mmc_queue *queue, float *running, size_t running_stride, const float *batch,
                          size_t batch_stride, const float *factor, int sets, size_t count, double momentum);

    /* Pooled statistics of several batches (SPEC 4, `pooled`), float64. Layout of `batch`: for every layer its K means
     * then its K biased variances; partner[i] is the index of the mean of element i (i itself for means). add: sum[i]
     * += m_i * mean                        (means) sum[i] += m_i * (var + mean^2)              (variances); m_i =
     * positions[i] * images finish: mean = S1/M, var = (S2/M - mean^2) * M/(M-1), M = positions[i] * total images. */
    mmc_status (*pool_add)(mmc_queue *queue, double *sum, const float *batch, const int32_t *partner,
                           const float *positions, size_t count, int images);
    mmc_status (*pool_finish)(mmc_queue *queue, float *running, const double *sum, const int32_t *partner,
                              const float *positions, size_t count, int64_t images);

    /* How far the class means of two batches lie apart, and the gradient (kernels/class_means.h). [SPEC 3] */
    mmc_status (*class_means)(mmc_queue *queue, const mmc_class_means_call *call);
} mmc_flat_ops;

const mmc_flat_ops *mmc_reference_flat_ops(void);
const mmc_flat_ops *mmc_own_flat_ops(void);

#ifdef __cplusplus
}
#endif
#endif
