/* The small model in plain loops, sums in double (kernels/mlp.h). */
#include "kernels/mlp.h"

#include <string.h>

/* Inputs of hidden units first .. first+count-1 for one sample. */
static void hidden_inputs(double *h, const mmc_mlp_shape *s, const float *w, const float *x, int first, int count) {
    memset(h, 0, (size_t)count * sizeof *h);
    for (int d = 0; d < mmc_mlp_rows(s); d++) {
        double v = d < s->inputs ? x[d] : s->bias;
        for (int i = 0; i < count; i++)
            h[i] += v * w[(size_t)d * s->hidden + first + i];
    }
}

/* a^T relu(h); a NaN stays. */
static double output(const double *h, const float *a, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += h[i] <= 0 ? 0 : a[i] * h[i];
    return sum;
}

static size_t train_workspace_size(mmc_queue *queue, const mmc_mlp_train_call *call) {
    (void)queue;
    return (size_t)(mmc_mlp_rows(&call->shape) + 1) * (size_t)call->shape.hidden * sizeof(double);
}

/* One batch of one model: its loss; the gradient is added up in g. */
static double batch_gradient(double *g, double *h, const mmc_mlp_train_call *call, int t, int first, int count) {
    const mmc_mlp_shape *s = &call->shape;
    const float *w = call->w + (size_t)t * call->set_stride;
    double loss = 0;
    memset(g, 0, (size_t)mmc_mlp_rows(s) * s->hidden * sizeof *g);
    for (int b = first; b < first + count; b++) {
        size_t row = call->order ? (size_t)call->order[(size_t)t * call->order_stride + b] : (size_t)b;
        const float *x = call->x + (size_t)t * call->x_stride + row * s->inputs;
        hidden_inputs(h, s, w, x, 0, s->hidden);
        const double f = output(h, call->a, s->hidden) / s->hidden, y = call->y[(size_t)t * call->y_stride + row];
        const double r = mmc_mlp_residual(call->objective, f, y);
        loss += mmc_mlp_sample_loss(call->objective, f, y);
        for (int d = 0; d < mmc_mlp_rows(s); d++) {
            double v = (d < s->inputs ? x[d] : s->bias) * r / count / s->hidden;
            for (int i = 0; i < s->hidden; i++)
                g[(size_t)d * s->hidden + i] += h[i] > 0 ? v * call->a[i] : 0;
        }
    }
    return loss / count;
}

static mmc_status train(mmc_queue *queue, const mmc_mlp_train_call *call) {
    (void)queue;
    const int steps = mmc_mlp_steps(call);
    const size_t count = (size_t)mmc_mlp_rows(&call->shape) * call->shape.hidden;
    double *g = call->workspace, *h = g + count;
    for (int t = 0; t < call->shape.sets; t++)
        for (int step = 0; step < steps; step++) {
            int first = step * call->batch, left = call->samples - first;
            double loss = batch_gradient(g, h, call, t, first, left < call->batch ? left : call->batch);
            if (call->loss)
                call->loss[(size_t)t * steps + step] = loss;
            float *w = call->w + (size_t)t * call->set_stride, *v = call->v + (size_t)t * call->set_stride;
            for (size_t i = 0; i < count; i++) {
                v[i] = (float)(call->momentum * v[i] + g[i]);
                w[i] = (float)(w[i] - call->lr[step] * v[i]);
            }
        }
    return MMC_OK;
}

static size_t eval_workspace_size(mmc_queue *queue, const mmc_mlp_eval_call *call) {
    (void)queue;
    (void)call;
    return 0;
}

static mmc_status eval(mmc_queue *queue, const mmc_mlp_eval_call *call) {
    (void)queue;
    enum { SOME = 64 };
    const mmc_mlp_shape *s = &call->shape;
    for (int t = 0; t < s->sets; t++)
        for (int i = 0; i < call->samples; i++) {
            const float *w = call->w + (size_t)t * call->set_stride;
            const float *x = call->x + (size_t)t * call->x_stride + (size_t)i * s->inputs;
            double h[SOME], sum = 0;
            int active = 0;
            for (int first = 0; first < s->hidden; first += SOME) {
                int count = s->hidden - first < SOME ? s->hidden - first : SOME;
                hidden_inputs(h, s, w, x, first, count);
                sum += output(h, call->a + first, count);
                for (int k = 0; k < count; k++)
                    active += h[k] > 0;
            }
            call->f[(size_t)t * call->samples + i] = (float)(sum / s->hidden);
            if (call->fraction)
                call->fraction[(size_t)t * call->samples + i] = (float)((double)active / s->hidden);
        }
    return MMC_OK;
}

const mmc_mlp_ops *mmc_reference_mlp_ops(void) {
    static const mmc_mlp_ops ops = {
        .name = "reference",
        .train_workspace_size = train_workspace_size,
        .train = train,
        .eval_workspace_size = eval_workspace_size,
        .eval = eval,
    };
    return &ops;
}
