/* The small model: f(x) = (1/N) a^T relu(W^T [x, bias]), trained by SGD.  [SPEC 6]
 *
 *     W is (D,N), or (D+1,N) with a bias: its last row multiplies the constant `bias`. a is fixed.
 *     loss = 1/2 mean over the batch of (f - y)^2, or the mean of log(1 + e^f) - y f
 *     v <- momentum v + dloss/dW;   W <- W - lr v
 *
 * T models are trained at once, each on its own samples or all on shared ones. One call walks many batches, so that a
 * device is kept busy and a CPU keeps W in its cache.
 *
 *     mmc_mlp_train_call call = {.shape = {.sets = 5, .inputs = 128, .hidden = 512, .bias = 0.1f},
 *                                .samples = 50000, .batch = 64, .lr = lr, .momentum = 0.9, .w = w, .v = v, ...};
 *     call.workspace = p;                                  ops->train_workspace_size(queue, &call) bytes
 *     MMC_TRY(ops->train(queue, &call));                   one epoch: 782 steps
 *
 * All pointers are device memory unless said otherwise. Cost of a step: 4 batch (D+1) N FLOP a model.
 * Order: every sum in an order fixed by the shape; bit-identical at any thread count.
 */
#ifndef MMC_KERNELS_MLP_H
#define MMC_KERNELS_MLP_H

#include "runtime/status.h"
#include "runtime/tensor.h"

#include <math.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_mlp_loss {
    MMC_MLP_SQUARED, /* half the mean squared error */
    MMC_MLP_LOGISTIC /* cross entropy of sigmoid(f) and y */
} mmc_mlp_loss;

typedef struct mmc_mlp_shape {
    int sets;           /* T models */
    int inputs, hidden; /* D, N */
    float bias;         /* constant input of the last row of W; 0: W has no such row */
} mmc_mlp_shape;

/* Rows of W. */
static inline int mmc_mlp_rows(const mmc_mlp_shape *s) {
    return s->inputs + (s->bias != 0.0f);
}

typedef struct mmc_mlp_train_call {
    mmc_mlp_shape shape;
    int samples, batch; /* samples walked, in batches; the last one may be short */
    const double *lr;   /* (steps) of every batch, host memory, read before `train` returns */
    double momentum;
    mmc_mlp_loss objective; /* what is minimised */
    float *w, *v;           /* in/out: (T,rows,N) at set_stride */
    size_t set_stride;
    const float *a;     /* (N) */
    const float *x, *y; /* (T,rows of data,D) at x_stride, (T,rows of data) at y_stride; stride 0: shared */
    size_t x_stride, y_stride;
    const int32_t *order; /* (T,samples) at order_stride: rows of x and y; NULL: in order */
    size_t order_stride;
    double *loss;    /* out: (T,steps), loss of every batch before its step; NULL: not wanted */
    void *workspace; /* train_workspace_size bytes, aligned to 64 */
} mmc_mlp_train_call;

/* Loss of one sample, and its derivative by f. */
static inline double mmc_mlp_sample_loss(mmc_mlp_loss objective, double f, double y) {
    if (objective == MMC_MLP_LOGISTIC)
        return fmax(f, 0) + log1p(exp(-fabs(f))) - y * f; /* without overflow */
    return (f - y) * (f - y) / 2;
}

static inline double mmc_mlp_residual(mmc_mlp_loss objective, double f, double y) {
    return (objective == MMC_MLP_LOGISTIC ? 1 / (1 + exp(-f)) : f) - y;
}

static inline int mmc_mlp_steps(const mmc_mlp_train_call *call) {
    return (call->samples + call->batch - 1) / call->batch;
}

typedef struct mmc_mlp_eval_call {
    mmc_mlp_shape shape;
    int samples;
    const float *w; /* (T,rows,N) at set_stride */
    size_t set_stride;
    const float *a;
    const float *x; /* (T,samples,D) at x_stride; stride 0: shared */
    size_t x_stride;
    float *f;        /* out: (T,samples) */
    float *fraction; /* out: (T,samples), (1/N) number of hidden units with a positive input; NULL: not wanted */
    void *workspace; /* eval_workspace_size bytes, aligned to 64 */
} mmc_mlp_eval_call;

typedef struct mmc_mlp_ops {
    const char *name;
    size_t (*train_workspace_size)(mmc_queue *queue, const mmc_mlp_train_call *call);
    mmc_status (*train)(mmc_queue *queue, const mmc_mlp_train_call *call);
    size_t (*eval_workspace_size)(mmc_queue *queue, const mmc_mlp_eval_call *call);
    mmc_status (*eval)(mmc_queue *queue, const mmc_mlp_eval_call *call);
} mmc_mlp_ops;

/* The providers. mmc_own_mlp_ops: NULL, with a recorded message, as mmc_own_flat_ops (kernels/own/own.h). */
const mmc_mlp_ops *mmc_reference_mlp_ops(void);
const mmc_mlp_ops *mmc_own_mlp_ops(void);

#ifdef __cplusplus
}
#endif
#endif
