/* Batch norm in training: statistics of the batch, normalisation with residual and ReLU, and the way back. */
#include "kernels/reference/reference.h"

#include <math.h>

void mmc_reference_batchnorm_train(float *y, float *mean, float *var, const float *z, const float *gamma,
                                   const float *beta, const float *residual, const mmc_unit_shape *s) {
    size_t plane = (size_t)mmc_unit_out_h(s) * mmc_unit_out_w(s);
    double positions = (double)s->n * (double)plane;
#pragma omp parallel for schedule(static)
    for (int k = 0; k < s->k; k++) {
        double sum = 0, squares = 0;
        for (int n = 0; n < s->n; n++)
            for (size_t i = 0; i < plane; i++)
                sum += z[((size_t)n * s->k + k) * plane + i];
        double m = sum / positions;
        for (int n = 0; n < s->n; n++)
            for (size_t i = 0; i < plane; i++) {
                double d = z[((size_t)n * s->k + k) * plane + i] - m;
                squares += d * d;
            }
        double v = squares / positions;
        mean[k] = (float)m;
        var[k] = (float)v;
        for (int n = 0; n < s->n; n++)
            for (size_t i = 0; i < plane; i++) {
                size_t element = ((size_t)n * s->k + k) * plane + i;
                double b = gamma[k] * ((z[element] - m) / sqrt(v + MMC_BN_EPS)) + beta[k];
                if (residual)
                    b += residual[element];
                y[element] = (float)(s->relu && b < 0 ? 0 : b); /* a NaN stays */
            }
    }
}

void mmc_reference_batchnorm_backward(double *dz, const mmc_unit_backward_call *call) {
    const mmc_unit_shape *s = &call->shape;
    const float *dy = call->dy->data, *y = call->y->data, *z = call->z->data;
    float *dresidual = call->dresidual ? call->dresidual->data : NULL;
    size_t plane = (size_t)mmc_unit_out_h(s) * mmc_unit_out_w(s);
    double positions = (double)s->n * (double)plane;
#pragma omp parallel for schedule(static)
    for (int k = 0; k < s->k; k++) {
        double inverse = 1 / sqrt(call->var[k] + MMC_BN_EPS), dbeta = 0, dgamma = 0;
        for (int n = 0; n < s->n; n++)
            for (size_t i = 0; i < plane; i++) {
                size_t element = ((size_t)n * s->k + k) * plane + i;
                float g = s->relu && !(y[element] > 0) ? 0 : dy[element];
                dbeta += g;
                dgamma += g * ((double)z[element] - call->mean[k]) * inverse;
                if (dresidual)
                    dresidual[element] = call->dresidual_add ? dresidual[element] + g : g;
            }
        for (int n = 0; n < s->n; n++)
            for (size_t i = 0; i < plane; i++) {
                size_t element = ((size_t)n * s->k + k) * plane + i;
                double g = s->relu && !(y[element] > 0) ? 0 : dy[element];
                double xhat = ((double)z[element] - call->mean[k]) * inverse;
                dz[((size_t)n * plane + i) * s->k + k] =
                    call->gamma[k] * inverse * (g - dbeta / positions - xhat * dgamma / positions);
            }
        call->dbeta[k] = (float)dbeta;
        call->dgamma[k] = (float)dgamma;
    }
}
