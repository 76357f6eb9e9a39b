/* Softmax cross-entropy, its gradient, and the count of correct answers. */
#include "kernels/reference/reference.h"

#include <math.h>

mmc_status mmc_reference_mirror(mmc_queue *queue, float *dlogits, size_t count, const double *tally, int n,
                                const double *factor) {
    (void)queue;
    const double above = tally[0] / n - 1, scale = factor[0] * (above > 0 ? 1 : above < 0 ? -1 : above);
    for (size_t i = 0; i < count; i++)
        dlogits[i] = (float)(dlogits[i] * scale);
    return MMC_OK;
}

mmc_status mmc_reference_loss(mmc_queue *queue, const mmc_loss_call *call) {
    (void)queue;
    if (call->dlogits && call->rows)
        return mmc_fail(MMC_ERR_SHAPE, "loss: a gradient needs one logits row a sample; leave rows out");
    double total = 0, correct = 0;
    for (int n = 0; n < call->n; n++) {
        const float *z = call->logits + (size_t)(call->rows ? call->rows[n] : n) * call->k;
        int label = call->labels[n];
        if (label < 0 || label >= call->k)
            return mmc_fail(MMC_ERR_RANGE, "loss: label %d of sample %d; %d classes are known", label, n, call->k);
        double largest = z[0], sum = 0;
        bool right = !isnan(z[label]);
        for (int k = 0; k < call->k; k++) {
            largest = fmax(largest, z[k]);
            if (k != label && !(k < label ? z[label] > z[k] : z[label] >= z[k])) /* false with a NaN */
                right = false;
        }
        for (int k = 0; k < call->k; k++)
            sum += exp(z[k] - largest);
        double loss = log(sum) + largest - z[label];
        total += loss;
        correct += right;
        if (call->loss)
            call->loss[n] = (float)loss;
        if (call->dlogits)
            for (int k = 0; k < call->k; k++)
                call->dlogits[(size_t)n * call->k + k] =
                    (float)((exp(z[k] - largest) / sum - (k == label)) * call->gradient_scale);
    }
    if (call->tally) {
        call->tally[0] += total;
        call->tally[1] += correct;
    }
    return MMC_OK;
}
