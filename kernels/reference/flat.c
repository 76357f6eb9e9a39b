/* Arithmetic on whole parameter vectors, and the table of flat operations. */
#include "kernels/reference/reference.h"

static mmc_status interpolate(mmc_queue *queue, float *out, size_t set_stride, int sets, const float *const *end,
                              int ends, const double *coefficient, size_t count) {
    (void)queue;
    for (int t = 0; t < sets; t++)
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < count; i++) {
            double sum = 0;
            for (int e = 0; e < ends; e++)
                sum += coefficient[(size_t)t * ends + e] * end[e][i];
            out[(size_t)t * set_stride + i] = (float)sum;
        }
    return MMC_OK;
}

static mmc_status sgd(mmc_queue *queue, float *w, float *v, const float *g, size_t count, double lr, double momentum,
                      double decay) {
    (void)queue;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++) {
        double velocity = momentum * v[i] + g[i] + decay * w[i];
        v[i] = (float)velocity;
        w[i] = (float)(w[i] - lr * velocity);
    }
    return MMC_OK;
}

static mmc_status running(mmc_queue *queue, float *out, size_t running_stride, const float *batch, size_t batch_stride,
                          const float *factor, int sets, size_t count, double momentum) {
    (void)queue;
    for (int t = 0; t < sets; t++)
        for (size_t i = 0; i < count; i++) {
            float *r = &out[(size_t)t * running_stride + i];
            *r = (float)((1 - momentum) * *r + momentum * factor[i] * batch[(size_t)t * batch_stride + i]);
        }
    return MMC_OK;
}

static mmc_status pool_add(mmc_queue *queue, double *sum, const float *batch, const int32_t *partner,
                           const float *positions, size_t count, int images) {
    (void)queue;
    for (size_t i = 0; i < count; i++) {
        double weight = (double)positions[i] * images, value = batch[i];
        if ((size_t)partner[i] != i) {
            double mean = batch[partner[i]];
            value += mean * mean;
        }
        sum[i] += weight * value;
    }
    return MMC_OK;
}

static mmc_status pool_finish(mmc_queue *queue, float *out, const double *sum, const int32_t *partner,
                              const float *positions, size_t count, int64_t images) {
    (void)queue;
    for (size_t i = 0; i < count; i++) {
        double total = (double)positions[i] * (double)images, value = sum[i] / total;
        if ((size_t)partner[i] != i) {
            double mean = sum[partner[i]] / total;
            value = (value - mean * mean) * (total / (total - 1));
        }
        out[i] = (float)value;
    }
    return MMC_OK;
}

const mmc_flat_ops *mmc_reference_flat_ops(void) {
    static const mmc_flat_ops ops = {
        .name = "reference",
        .head = mmc_reference_head,
        .head_backward = mmc_reference_head_backward,
        .loss = mmc_reference_loss,
        .mirror = mmc_reference_mirror,
        .interpolate = interpolate,
        .sgd = sgd,
        .running = running,
        .pool_add = pool_add,
        .pool_finish = pool_finish,
        .class_means = mmc_reference_class_means,
    };
    return &ops;
}
