/* Mean over space. */
#include "kernels/reference/reference.h"

mmc_status mmc_reference_pool(mmc_queue *queue, float *rep, const mmc_activation *x) {
    (void)queue;
    size_t plane = (size_t)x->h * x->w, rows = (size_t)x->t * x->n * x->c;
    const float *in = x->data;
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < rows; row++) {
        double sum = 0;
        for (size_t i = 0; i < plane; i++)
            sum += in[row * plane + i];
        rep[row] = (float)(sum / (double)plane);
    }
    return MMC_OK;
}

mmc_status mmc_reference_pool_backward(mmc_queue *queue, mmc_activation *dx, const float *drep) {
    (void)queue;
    size_t plane = (size_t)dx->h * dx->w, rows = (size_t)dx->t * dx->n * dx->c;
    float *out = dx->data;
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < plane; i++)
            out[row * plane + i] = (float)((double)drep[row] / (double)plane);
    return MMC_OK;
}
