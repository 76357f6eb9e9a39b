/* Parts of the reference provider: the definition of every operation in plain loops, sums in double (SPEC 2).
 *
 * Activations are (T,N,C,H,W) dense, packed weights are doubles with the output channel fastest. Loops run so that the
 * innermost one goes over channels that lie next to each other; each output element is one sum in a fixed order.
 *
 *     mmc_reference_conv_forward(z, x, packed, &shape, NULL);      one weight set
 */
#ifndef MMC_KERNELS_REFERENCE_REFERENCE_H
#define MMC_KERNELS_REFERENCE_REFERENCE_H

#include "kernels/flat.h"
#include "kernels/unit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What happens to a convolution's sum before it is rounded: y = relu(scale sum + shift + residual). */
typedef struct mmc_reference_fold {
    const float *gamma, *beta, *mean, *var; /* (K) */
    const float *residual;                  /* (N,K,Hout,Wout) or NULL */
    bool relu;
} mmc_reference_fold;

/* Doubles of one set: (C,R,R,K), and for training (K,R,R,C) behind it. */
size_t mmc_reference_pack_count(const mmc_unit_shape *s, mmc_pack_mode mode);
void mmc_reference_pack_one(double *packed, const mmc_unit_shape *s, mmc_pack_mode mode, const float *w);

/* out (N,K,Hout,Wout) = conv(x,w), folded when `fold` is given. */
void mmc_reference_conv_forward(float *out, const float *x, const double *packed, const mmc_unit_shape *s,
                                const mmc_reference_fold *fold);
/* dx (N,C,H,W) (+)= conv gradient by data; dz: (N,Hout,Wout,K) doubles. */
void mmc_reference_conv_backward_data(float *dx, bool add, const double *dz, const double *packed,
                                      const mmc_unit_shape *s);
/* dw (K,C,R,R) = conv gradient by weights. */
void mmc_reference_conv_backward_weights(float *dw, const double *dz, const float *x, const mmc_unit_shape *s);

/* Biased statistics of z (N,K,Hout,Wout), then y = relu(gamma xhat + beta + residual); y may be z. */
void mmc_reference_batchnorm_train(float *y, float *mean, float *var, const float *z, const float *gamma,
                                   const float *beta, const float *residual, const mmc_unit_shape *s);
/* From dy to dz (N,Hout,Wout,K), dresidual, dgamma, dbeta: the equations of mmc_unit_backward_call. */
void mmc_reference_batchnorm_backward(double *dz, const mmc_unit_backward_call *call);

mmc_status mmc_reference_pool(mmc_queue *queue, float *rep, const mmc_activation *x);
mmc_status mmc_reference_pool_backward(mmc_queue *queue, mmc_activation *dx, const float *drep);

mmc_status mmc_reference_head(mmc_queue *queue, const mmc_head_call *call);
mmc_status mmc_reference_head_backward(mmc_queue *queue, const mmc_head_backward_call *call);
mmc_status mmc_reference_loss(mmc_queue *queue, const mmc_loss_call *call);
mmc_status mmc_reference_mirror(mmc_queue *queue, float *dlogits, size_t count, const double *tally, int n,
                                const double *factor);
mmc_status mmc_reference_class_means(mmc_queue *queue, const mmc_class_means_call *call);

#ifdef __cplusplus
}
#endif
#endif
