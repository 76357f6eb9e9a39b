/* The linear layer: logits = rep w^T + b. */
#include "kernels/reference/reference.h"

mmc_status mmc_reference_head(mmc_queue *queue, const mmc_head_call *call) {
    (void)queue;
#pragma omp parallel for collapse(2) schedule(static)
    for (int t = 0; t < call->sets; t++)
        for (int n = 0; n < call->n; n++) {
            const float *w = call->w + (size_t)t * call->set_stride, *b = call->b + (size_t)t * call->set_stride;
            size_t row = (size_t)t * call->n + n;
            for (int k = 0; k < call->k; k++) {
                double sum = b[k];
                for (int c = 0; c < call->c; c++)
                    sum += (double)call->rep[row * call->c + c] * w[(size_t)k * call->c + c];
                call->logits[row * call->k + k] = (float)sum;
            }
        }
    return MMC_OK;
}

mmc_status mmc_reference_head_backward(mmc_queue *queue, const mmc_head_backward_call *call) {
    (void)queue;
    size_t features = (size_t)call->c, classes = (size_t)call->k;
#pragma omp parallel for schedule(static)
    for (int k = 0; k < call->k; k++) {
        double bias = 0;
        for (int n = 0; n < call->n; n++)
            bias += call->dlogits[n * classes + k];
        call->db[k] = (float)bias;
        for (int c = 0; c < call->c; c++) {
            double sum = 0;
            for (int n = 0; n < call->n; n++)
                sum += (double)call->dlogits[n * classes + k] * call->rep[n * features + c];
            call->dw[k * features + c] = (float)sum;
        }
    }
    if (!call->drep)
        return MMC_OK;
#pragma omp parallel for schedule(static)
    for (int n = 0; n < call->n; n++)
        for (int c = 0; c < call->c; c++) {
            double sum = 0;
            for (int k = 0; k < call->k; k++)
                sum += (double)call->dlogits[n * classes + k] * call->w[k * features + c];
            call->drep[n * features + c] = (float)sum;
        }
    return MMC_OK;
}
