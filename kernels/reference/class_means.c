/* Distance of the class means of two batches, as kernels/class_means.h defines it. */
#include "kernels/reference/reference.h"

#include <math.h>
#include <string.h>

/* Mean of class k; the number of its samples. */
static int mean_of(double *mean, const mmc_class_batch *b, int k, int c) {
    int count = 0;
    memset(mean, 0, (size_t)c * sizeof *mean);
    for (int i = 0; i < b->n; i++)
        if (b->label[i] == k) {
            count++;
            for (int j = 0; j < c; j++)
                mean[j] += b->rep[(size_t)i * c + j];
        }
    for (int j = 0; j < c && count; j++)
        mean[j] /= count;
    return count;
}

static double product(const double *a, const double *b, int c) {
    double sum = 0;
    for (int j = 0; j < c; j++)
        sum += a[j] * b[j];
    return sum;
}

/* Scales a mean to unit length; the inverse of its length, 0 where it has no direction. */
static double normalise(double *mean, int c) {
    double length = sqrt(product(mean, mean, c));
    bool directed = length >= MMC_CLASS_MEANS_SHORTEST;
    for (int j = 0; j < c; j++)
        mean[j] /= directed ? length : MMC_CLASS_MEANS_SHORTEST;
    return directed ? 1 / length : 0;
}

/* drep += scale J (u - other) for the samples of class k. */
static void gradient_add(const mmc_class_batch *b, const double *u, const double *other, int k, int c, double scale,
                         bool unit) {
    double along = 0;
    for (int j = 0; j < c && unit; j++)
        along += u[j] * (u[j] - other[j]);
    for (int i = 0; i < b->n; i++)
        if (b->label[i] == k)
            for (int j = 0; j < c; j++)
                b->drep[(size_t)i * c + j] += (float)(scale * (u[j] - other[j] - along * u[j]));
}

mmc_status mmc_reference_class_means(mmc_queue *queue, const mmc_class_means_call *call) {
    (void)queue;
    const int c = call->c;
    double total = 0, *mean[2] = {call->workspace, (double *)call->workspace + c};
    for (int side = 0; side < 2; side++)
        if (call->batch[side].drep && !call->batch[side].add)
            memset(call->batch[side].drep, 0, (size_t)call->batch[side].n * c * sizeof(float));
    for (int k = 0; k < call->classes; k++) {
        double inverse[2] = {1, 1};
        int count[2];
        for (int side = 0; side < 2; side++)
            count[side] = mean_of(mean[side], &call->batch[side], k, c);
        if (!count[0] || !count[1])
            continue;
        for (int side = 0; side < 2 && call->unit; side++)
            inverse[side] = normalise(mean[side], c);
        for (int j = 0; j < c; j++)
            total += (mean[0][j] - mean[1][j]) * (mean[0][j] - mean[1][j]);
        for (int side = 0; side < 2; side++)
            if (call->batch[side].drep)
                gradient_add(&call->batch[side], mean[side], mean[1 - side], k, c,
                             2 * (double)call->weight * inverse[side] / ((double)call->classes * count[side]),
                             call->unit);
    }
    *call->distance = total / call->classes;
    return MMC_OK;
}
