/* Flat operations of the provider `own`: sums in float64 or in short float32 chains, one thread per row or element. */
#include "kernels/own/lane.h"

#include "kernels/flat.h"

#include <math.h>

enum { BLOCK = 64, LOSS_ROWS = 256, VECTOR_BLOCK = 1024 };

static mmc_status own_head(mmc_queue *queue, const mmc_head_call *call) {
    (void)queue;
    const int c = call->c, k = call->k;
#pragma omp parallel for schedule(static)
    for (int row = 0; row < call->sets * call->n; row++) {
        const size_t set = (size_t)(row / call->n) * call->set_stride;
        const float *rep = call->rep + (size_t)row * (size_t)c;
        for (int i = 0; i < k; i++) {
            const float *w = call->w + set + (size_t)i * (size_t)c;
            double sum = (double)call->b[set + (size_t)i];
            for (int j0 = 0; j0 < c; j0 += BLOCK) {
                const int end = j0 + BLOCK < c ? j0 + BLOCK : c;
                float part[LANES] = {0};
                int j = j0;
                for (; j + LANES <= end; j += LANES)
                    for (int lane = 0; lane < LANES; lane++)
                        part[lane] += rep[j + lane] * w[j + lane];
                for (; j < end; j++)
                    sum += (double)rep[j] * (double)w[j];
                for (int lane = 0; lane < LANES; lane++)
                    sum += (double)part[lane];
            }
            call->logits[(size_t)row * (size_t)k + (size_t)i] = (float)sum;
        }
    }
    return MMC_OK;
}

static mmc_status own_head_backward(mmc_queue *queue, const mmc_head_backward_call *call) {
    (void)queue;
    const int n = call->n, c = call->c, k = call->k;
#pragma omp parallel
    {
        if (call->drep) {
#pragma omp for schedule(static) nowait
            for (int row = 0; row < n; row++)
                for (int j0 = 0; j0 < c; j0 += BLOCK) {
                    const int count = c - j0 < BLOCK ? c - j0 : BLOCK;
                    double sum[BLOCK] = {0};
                    for (int i = 0; i < k; i++) {
                        const double g = (double)call->dlogits[(size_t)row * (size_t)k + (size_t)i];
                        const float *w = call->w + (size_t)i * (size_t)c + j0;
                        for (int j = 0; j < count; j++)
                            sum[j] += g * (double)w[j];
                    }
                    for (int j = 0; j < count; j++)
                        call->drep[(size_t)row * (size_t)c + (size_t)(j0 + j)] = (float)sum[j];
                }
        }
#pragma omp for schedule(static)
        for (int i = 0; i < k; i++) {
            double bias = 0;
            for (int row = 0; row < n; row++)
                bias += (double)call->dlogits[(size_t)row * (size_t)k + (size_t)i];
            call->db[i] = (float)bias;
            for (int j0 = 0; j0 < c; j0 += BLOCK) {
                const int count = c - j0 < BLOCK ? c - j0 : BLOCK;
                double sum[BLOCK] = {0};
                for (int row = 0; row < n; row++) {
                    const double g = (double)call->dlogits[(size_t)row * (size_t)k + (size_t)i];
                    const float *rep = call->rep + (size_t)row * (size_t)c + j0;
                    for (int j = 0; j < count; j++)
                        sum[j] += g * (double)rep[j];
                }
                for (int j = 0; j < count; j++)
                    call->dw[(size_t)i * (size_t)c + (size_t)(j0 + j)] = (float)sum[j];
            }
        }
    }
    return MMC_OK;
}

/* Loss of one row; *correct: the label has the largest logit, the lowest index winning ties. */
static double row_loss(const float *z, int k, int label, int *correct, float *dlogits, float gradient_scale) {
    float top = z[0];
    int best = 1;
    for (int i = 0; i < k; i++) {
        top = z[i] > top ? z[i] : top;
        best &= i < label ? z[i] < z[label] : z[i] <= z[label];
    }
    double sum = 0;
    for (int i = 0; i < k; i++)
        sum += exp((double)z[i] - (double)top);
    if (dlogits)
        for (int i = 0; i < k; i++) {
            const double softmax = exp((double)z[i] - (double)top) / sum;
            dlogits[i] = (float)((softmax - (i == label ? 1.0 : 0.0)) * (double)gradient_scale);
        }
    *correct = best;
    return log(sum) + (double)top - (double)z[label];
}

static mmc_status own_loss(mmc_queue *queue, const mmc_loss_call *call) {
    (void)queue;
    if (call->dlogits && call->rows)
        return mmc_fail(MMC_ERR_SHAPE, "loss: dlogits needs one logits row a sample; give rows NULL");
    const size_t k = (size_t)call->k;
    double total = 0;
    long right = 0;
    for (int row0 = 0; row0 < call->n; row0 += LOSS_ROWS) {
        const int count = call->n - row0 < LOSS_ROWS ? call->n - row0 : LOSS_ROWS;
        double loss[LOSS_ROWS];
        int correct[LOSS_ROWS];
#pragma omp parallel for schedule(static)
        for (int i = 0; i < count; i++) {
            const size_t row = (size_t)(row0 + i);
            const float *z = call->logits + (call->rows ? (size_t)call->rows[row] : row) * k;
            loss[i] = row_loss(z, call->k, call->labels[row], &correct[i],
                               call->dlogits ? call->dlogits + row * k : NULL, call->gradient_scale);
            if (call->loss)
                call->loss[row] = (float)loss[i];
        }
        for (int i = 0; i < count; i++) {
            total += loss[i];
            right += correct[i];
        }
    }
    if (call->tally) {
        call->tally[0] += total;
        call->tally[1] += (double)right;
    }
    return MMC_OK;
}

static mmc_status own_mirror(mmc_queue *queue, float *dlogits, size_t count, const double *tally, int n,
                             const double *factor) {
    (void)queue;
    const double above = tally[0] / n - 1;
    const double scale = factor[0] * (above > 0 ? 1.0 : above < 0 ? -1.0 : above);
    for (size_t i = 0; i < count; i++)
        dlogits[i] = (float)((double)dlogits[i] * scale);
    return MMC_OK;
}

static mmc_status own_interpolate(mmc_queue *queue, float *out, size_t set_stride, int sets, const float *const *end,
                                  int ends, const double *coefficient, size_t count) {
    (void)queue;
    for (int t = 0; t < sets; t++)
#pragma omp parallel for schedule(static)
        for (size_t at = 0; at < count; at += VECTOR_BLOCK) {
            const size_t width = count - at < VECTOR_BLOCK ? count - at : VECTOR_BLOCK;
            double sum[VECTOR_BLOCK] = {0};
            for (int e = 0; e < ends; e++) {
                const double f = coefficient[t * ends + e];
                for (size_t i = 0; i < width; i++)
                    sum[i] += f * (double)end[e][at + i];
            }
            for (size_t i = 0; i < width; i++)
                out[(size_t)t * set_stride + at + i] = (float)sum[i];
        }
    return MMC_OK;
}

static mmc_status own_sgd(mmc_queue *queue, float *w, float *v, const float *g, size_t count, double lr,
                          double momentum, double decay) {
    (void)queue;
    const float rate = (float)lr, keep_v = (float)momentum, shrink = (float)decay;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < count; i++) {
        v[i] = keep_v * v[i] + (g[i] + shrink * w[i]);
        w[i] -= rate * v[i];
    }
    return MMC_OK;
}

static mmc_status own_running(mmc_queue *queue, float *running, size_t running_stride, const float *batch,
                              size_t batch_stride, const float *factor, int sets, size_t count, double momentum) {
    (void)queue;
    for (int t = 0; t < sets; t++) {
        float *r = running + (size_t)t * running_stride;
        const float *b = batch + (size_t)t * batch_stride;
        for (size_t i = 0; i < count; i++)
            r[i] = (float)((1.0 - momentum) * (double)r[i] + momentum * (double)factor[i] * (double)b[i]);
    }
    return MMC_OK;
}

static mmc_status own_pool_add(mmc_queue *queue, double *sum, const float *batch, const int32_t *partner,
                               const float *positions, size_t count, int images) {
    (void)queue;
    for (size_t i = 0; i < count; i++) {
        const double m = (double)positions[i] * images, mean = (double)batch[partner[i]];
        sum[i] += (size_t)partner[i] == i ? m * mean : m * ((double)batch[i] + mean * mean);
    }
    return MMC_OK;
}

static mmc_status own_pool_finish(mmc_queue *queue, float *running, const double *sum, const int32_t *partner,
                                  const float *positions, size_t count, int64_t images) {
    (void)queue;
    for (size_t i = 0; i < count; i++) {
        const double m = (double)positions[i] * (double)images, mean = sum[partner[i]] / m;
        running[i] = (float)((size_t)partner[i] == i ? mean : (sum[i] / m - mean * mean) * (m / (m - 1.0)));
    }
    return MMC_OK;
}

extern mmc_status OWN(class_means)(mmc_queue *queue, const mmc_class_means_call *call);
extern const mmc_flat_ops OWN(flat_table);
const mmc_flat_ops OWN(flat_table) = {
    .name = "own",
    .head = own_head,
    .head_backward = own_head_backward,
    .loss = own_loss,
    .mirror = own_mirror,
    .interpolate = own_interpolate,
    .sgd = own_sgd,
    .running = own_running,
    .pool_add = own_pool_add,
    .pool_finish = own_pool_finish,
    .class_means = OWN(class_means),
};
