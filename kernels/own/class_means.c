/* Class means of the provider own: one pass over the rows adds each to its class, one gives each its gradient. */
#include "kernels/own/lane.h"

#include "kernels/flat.h"

#include <math.h>
#include <string.h>

/* Sums by class in the order of the samples, threads sharing the channels. */
static void class_sums(double *sum, double *count, const mmc_class_batch *b, int classes, int c) {
    memset(count, 0, (size_t)classes * sizeof *count);
    for (int i = 0; i < b->n; i++)
        if (b->label[i] >= 0 && b->label[i] < classes)
            count[b->label[i]]++;
#pragma omp parallel for schedule(static)
    for (int j0 = 0; j0 < c; j0 += 64) {
        const int width = c - j0 < 64 ? c - j0 : 64;
        for (int k = 0; k < classes; k++)
            memset(sum + (size_t)k * (size_t)c + j0, 0, (size_t)width * sizeof *sum);
        for (int i = 0; i < b->n; i++) {
            const int k = b->label[i];
            if (k < 0 || k >= classes)
                continue;
            const float *rep = b->rep + (size_t)i * (size_t)c + j0;
            double *out = sum + (size_t)k * (size_t)c + j0;
            for (int j = 0; j < width; j++)
                out[j] += (double)rep[j];
        }
    }
}

static double dot(const double *a, const double *b, int c) {
    double sum = 0;
    for (int j = 0; j < c; j++)
        sum += a[j] * b[j];
    return sum;
}

/* From sums to u; the inverse of the mean's length (1 without `unit`, 0 where it has no direction). */
static double scale_mean(double *mean, double count, int c, bool unit) {
    double factor = 1 / count, inverse = 1;
    if (unit) {
        const double length = sqrt(dot(mean, mean, c)) / count;
        inverse = length >= MMC_CLASS_MEANS_SHORTEST ? 1 / length : 0;
        factor *= inverse > 0 ? inverse : 1 / MMC_CLASS_MEANS_SHORTEST;
    }
    for (int j = 0; j < c; j++)
        mean[j] *= factor;
    return inverse;
}

/* Replaces both means of a class by the gradients that its samples get; its distance. */
static double gradients(double *a, double *b, double scale_a, double scale_b, int c, bool unit) {
    double squares = 0, along_a = 0, along_b = 0;
    for (int j = 0; j < c; j++) {
        const double d = a[j] - b[j];
        squares += d * d;
        along_a += a[j] * d;
        along_b -= b[j] * d;
    }
    if (!unit)
        along_a = along_b = 0;
    for (int j = 0; j < c; j++) {
        const double d = a[j] - b[j], u = a[j];
        a[j] = scale_a * (d - along_a * u);
        b[j] = scale_b * (-d - along_b * b[j]);
    }
    return squares;
}

mmc_status OWN(class_means)(mmc_queue *queue, const mmc_class_means_call *call);
mmc_status OWN(class_means)(mmc_queue *queue, const mmc_class_means_call *call) {
    (void)queue;
    const int c = call->c, classes = call->classes;
    const size_t all = (size_t)classes * (size_t)c;
    double *mean[2] = {call->workspace, (double *)call->workspace + all}, *distance = mean[1] + all;
    double *count[2] = {distance + classes, distance + 2 * classes};
    for (int side = 0; side < 2; side++)
        class_sums(mean[side], count[side], &call->batch[side], classes, c);
#pragma omp parallel for schedule(static)
    for (int k = 0; k < classes; k++) {
        double *a = mean[0] + (size_t)k * (size_t)c, *b = mean[1] + (size_t)k * (size_t)c;
        distance[k] = 0;
        if (count[0][k] > 0 && count[1][k] > 0) {
            const double scale = 2 * (double)call->weight / classes;
            const double scale_a = scale / count[0][k] * scale_mean(a, count[0][k], c, call->unit);
            const double scale_b = scale / count[1][k] * scale_mean(b, count[1][k], c, call->unit);
            distance[k] = gradients(a, b, scale_a, scale_b, c, call->unit);
        } else {
            memset(a, 0, (size_t)c * sizeof *a);
            memset(b, 0, (size_t)c * sizeof *b);
        }
    }
    double total = 0;
    for (int k = 0; k < classes; k++)
        total += distance[k];
    *call->distance = total / classes;
    for (int side = 0; side < 2; side++) {
        const mmc_class_batch *b = &call->batch[side];
        if (!b->drep)
            continue;
#pragma omp parallel for schedule(static)
        for (int i = 0; i < b->n; i++) {
            const int k = b->label[i];
            const bool real = k >= 0 && k < classes;
            const double *g = mean[side] + (real ? (size_t)k * (size_t)c : 0);
            float *out = b->drep + (size_t)i * (size_t)c;
            for (int j = 0; j < c; j++)
                out[j] = (b->add ? out[j] : 0.0f) + (real ? (float)g[j] : 0.0f);
        }
    }
    return MMC_OK;
}
