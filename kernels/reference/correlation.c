/* Correlation of two activations (T,N,C,H,W) in plain loops: the definition of kernels/correlation.h. */
#include "kernels/correlation.h"

#include <string.h>

/* A NaN stays one. */
static double value_of(float v, bool relu) {
    return relu && v < 0 ? 0.0 : (double)v;
}

/* The mean of every unit over the batch. */
static void pivot_take(double *pivot, const mmc_activation *x, bool relu) {
    const size_t plane = (size_t)x->h * (size_t)x->w;
    const float *data = x->data;
    for (int k = 0; k < x->c; k++) {
        double sum = 0;
        for (int n = 0; n < x->n; n++)
            for (size_t s = 0; s < plane; s++)
                sum += value_of(data[((size_t)n * (size_t)x->c + (size_t)k) * plane + s], relu);
        pivot[k] = sum / ((double)x->n * (double)plane);
    }
}

/* out (C,plane) = the values of one image less the pivot; adds to the sums. */
static void image_centre(double *out, double *sum, double *square, const double *pivot, const mmc_activation *x, int n,
                         bool relu) {
    const size_t plane = (size_t)x->h * (size_t)x->w;
    const float *in = (const float *)x->data + (size_t)n * (size_t)x->c * plane;
    for (int k = 0; k < x->c; k++)
        for (size_t s = 0; s < plane; s++) {
            const double v = value_of(*in++, relu) - pivot[k];
            *out++ = v;
            sum[k] += v;
            square[k] += v * v;
        }
}

static size_t reference_workspace_size(mmc_queue *queue, const mmc_activation *a, const mmc_activation *b) {
    (void)queue;
    return ((size_t)a->c + (size_t)b->c) * (size_t)a->h * (size_t)a->w * sizeof(double);
}

static mmc_status reference_add(mmc_queue *queue, const mmc_correlation_call *call) {
    const mmc_activation *a = call->a, *b = call->b;
    MMC_TRY(mmc_correlation_call_check(call, reference_workspace_size(queue, a, b)));
    const size_t plane = (size_t)a->h * (size_t)a->w;
    double *pivot_a = call->state, *pivot_b = pivot_a + a->c, *sum_a = pivot_b + b->c, *sum_b = sum_a + a->c;
    double *square_a = sum_b + b->c, *square_b = square_a + a->c, *cross = square_b + b->c;
    double *value_a = call->workspace, *value_b = value_a + (size_t)a->c * plane;
    if (call->first) {
        memset(call->state, 0, mmc_correlation_state_count(a->c, b->c) * sizeof(double));
        pivot_take(pivot_a, a, call->relu);
        pivot_take(pivot_b, b, call->relu);
    }
    for (int n = 0; n < a->n; n++) {
        image_centre(value_a, sum_a, square_a, pivot_a, a, n, call->relu);
        image_centre(value_b, sum_b, square_b, pivot_b, b, n, call->relu);
        for (int i = 0; i < a->c; i++)
            for (int j = 0; j < b->c; j++)
                for (size_t s = 0; s < plane; s++)
                    cross[(size_t)i * (size_t)b->c + (size_t)j] +=
                        value_a[(size_t)i * plane + s] * value_b[(size_t)j * plane + s];
    }
    return MMC_OK;
}

static const mmc_correlation_ops reference_correlation_table = {
    .name = "reference",
    .workspace_size = reference_workspace_size,
    .add = reference_add,
    .finish = mmc_correlation_finish_host,
};

const mmc_correlation_ops *mmc_reference_correlation_ops(void) {
    return &reference_correlation_table;
}
