/* The unit: convolution + batch norm (+ residual) (+ ReLU), the one building block of ResNet-18 and VGG-13, forward,
 * folded and backward; and what depends on the layout of activations: rendering, pooling, crossing the boundary.
 *
 *     z = conv(x, w)                       pad R/2, no bias
 *     batch norm                           xhat = (z - mean) / sqrt(var + 1e-5),   b = gamma xhat + beta
 *     y = relu(b + residual)               residual and ReLU each optional         [SPEC 2]
 *
 * A provider (reference, onednn, own; later CUDA's own and cuDNN) is one mmc_unit_ops table. The layout of activations
 * and of packed weights is the provider's own; all other arrays are dense f32 in the layouts of runtime/tensor.h.
 * T weight sets: activations hold T x N images; parameters of set t lie `set_stride` floats after those of set t-1,
 * packed weights pack_size(shape, mode, 1) bytes. The images of set t see the parameters and the batch statistics of
 * set t only. An x with t == 1 is shared by all sets (the rendered images).
 *
 * Every operation takes the queue that it is enqueued on; size functions and `detail` take it for its precision.
 *
 * A provider whose backend says `defers` may put off y = relu(b + residual) of `train` until an operation reads y:
 * until then z, mean, var, gamma, beta and the residual must stay as they are, and z must not share memory with y where
 * shape.residual is set. The first operation of the same queue that reads y (as input, residual or through pool and
 * get) computes it on the way.
 *
 * Cost:  forward 2 N K C R^2 Hout Wout FLOP; backward twice that.
 * Order: every sum runs in an order that does not depend on the number of threads: bit-identical from run to run.
 */
#ifndef MMC_KERNELS_UNIT_H
#define MMC_KERNELS_UNIT_H

#include "kernels/render.h"
#include "runtime/status.h"
#include "runtime/tensor.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MMC_BN_EPS 1e-5

typedef struct mmc_unit_shape {
    int n, c, h, w;   /* images per set, input channels, rows, columns */
    int k, r, stride; /* output channels, filter side (1 or 3), stride (1 or 2) */
    bool relu, residual;
} mmc_unit_shape;

static inline int mmc_unit_out_h(const mmc_unit_shape *s) {
    return (s->h + 2 * (s->r / 2) - s->r) / s->stride + 1;
}

static inline int mmc_unit_out_w(const mmc_unit_shape *s) {
    return (s->w + 2 * (s->r / 2) - s->r) / s->stride + 1;
}

/* What weights are packed for. TRAIN serves unit_train and unit_backward. */
typedef enum mmc_pack_mode { MMC_PACK_EVAL, MMC_PACK_STATS, MMC_PACK_TRAIN } mmc_pack_mode;

/* Forward with the statistics of the batch. */
typedef struct mmc_unit_train_call {
    mmc_unit_shape shape;
    int sets;
    mmc_activation *y;         /* out: (T,N,K,Hout,Wout) */
    mmc_activation *z;         /* out: conv(x,w), kept for backward. May be the same memory as y where backward is not
                                  wanted (packed for STATS), but see `defers` */
    float *mean, *var;         /* out: (T,K) at stat_stride; biased variance */
    size_t stat_stride;        /* floats between the statistics of two sets */
    const mmc_activation *x;   /* (T or 1,N,C,H,W) */
    const void *packed;        /* pack(mode STATS or TRAIN) */
    const float *gamma, *beta; /* (T,K) at set_stride */
    size_t set_stride;         /* floats between two sets */
    const mmc_activation *residual; /* (T,N,K,Hout,Wout), NULL unless shape.residual */
    void *workspace;                /* workspace_size bytes */
} mmc_unit_train_call;

/* Forward with given statistics (the folded form): y = relu(scale conv(x,w) + shift + residual),
 * scale = gamma / sqrt(var + eps), shift = beta - mean scale. */
typedef struct mmc_unit_eval_call {
    mmc_unit_shape shape;
    int sets;
    mmc_activation *y;
    const mmc_activation *x;
    const void *packed;        /* pack(mode EVAL) */
    const float *gamma, *beta; /* (T,K) at set_stride */
    const float *mean, *var;   /* (T,K) at set_stride: running values */
    size_t set_stride;
    const mmc_activation *residual;
    void *workspace;
} mmc_unit_eval_call;

/* Gradients of the unit; one set. With g = dy where y > 0 (g = dy without ReLU):
 *   dresidual = g;  dbeta = sum g;  dgamma = sum g xhat;  dz = gamma/sqrt(var+eps) (g - dbeta/M - xhat dgamma/M), M = N
 * Hout Wout; dw = conv gradient by weights;  dx = conv gradient by data. */
typedef struct mmc_unit_backward_call {
    mmc_unit_shape shape;
    mmc_activation *dx;        /* out: (1,N,C,H,W); NULL: not wanted (the stem) */
    bool dx_add;               /* dx += instead of dx = */
    mmc_activation *dresidual; /* out: NULL unless shape.residual */
    bool dresidual_add;
    float *dw, *dgamma, *dbeta;      /* out: (K,C,R,R), (K), (K) */
    mmc_activation *dy;              /* in: (1,N,K,Hout,Wout); destroyed */
    const mmc_activation *y, *z, *x; /* as unit_train left them */
    const void *packed;              /* pack(mode TRAIN) */
    const float *gamma, *mean, *var;
    void *workspace;
} mmc_unit_backward_call;

typedef struct mmc_unit_ops {
    const char *name; /* provider, as in every record */

    /* --- crossing the boundary; (T,N,C,H,W) f32 dense on the other side --- */
    size_t (*activation_size)(mmc_queue *queue, int t, int n, int c, int h, int w);
    mmc_status (*put)(mmc_queue *queue, mmc_activation *out, const float *in);
    mmc_status (*get)(mmc_queue *queue, float *out, const mmc_activation *in);
    /* out->n images, `samples` in device memory */
    mmc_status (*render)(mmc_queue *queue, mmc_activation *out, const mmc_image_store *store,
                         const mmc_sample *samples);

    /* --- weights (T sets of (K,C,R,R) at set_stride) -> the provider's own form --- */
    size_t (*pack_size)(mmc_queue *queue, const mmc_unit_shape *shape, mmc_pack_mode mode, int sets);
    mmc_status (*pack)(mmc_queue *queue, void *packed, const mmc_unit_shape *shape, mmc_pack_mode mode, int sets,
                       const float *w, size_t set_stride);
    size_t (*workspace_size)(mmc_queue *queue, const mmc_unit_shape *shape, mmc_pack_mode mode, int sets);

    /* --- the unit --- */
    mmc_status (*train)(mmc_queue *queue, const mmc_unit_train_call *call);
    mmc_status (*eval)(mmc_queue *queue, const mmc_unit_eval_call *call);
    mmc_status (*backward)(mmc_queue *queue, const mmc_unit_backward_call *call);

    /* --- mean over space: rep (T,N,C) --- */
    mmc_status (*pool)(mmc_queue *queue, float *rep, const mmc_activation *x);
    mmc_status (*pool_backward)(mmc_queue *queue, mmc_activation *dx, const float *drep);

    /* Which algorithm a shape gets ("direct", "winograd-2x2", "jit:avx512_core", ...): provider detail for config.json.
     */
    const char *(*detail)(mmc_queue *queue, const mmc_unit_shape *shape, mmc_pack_mode mode);
} mmc_unit_ops;

/* The providers of the CPU. mmc_onednn_unit_ops is NULL in a build without oneDNN. */
const mmc_unit_ops *mmc_reference_unit_ops(void);
const mmc_unit_ops *mmc_onednn_unit_ops(void);
const mmc_unit_ops *mmc_own_unit_ops(void);

#ifdef __cplusplus
}
#endif
#endif
