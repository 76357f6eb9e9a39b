#include "kernels/own/norm.h"

#include <math.h>

/* Pixels that one task takes: sums of a task are float32, sums of tasks float64. */
enum { TASK_PIXELS = 128, SUM_K = 4 };

void OWN(affine)(const own_affine_call *call) {
    for (int t = 0; t < call->sets; t++)
        for (int k = 0; k < call->k; k++) {
            const size_t set = (size_t)t * call->set_stride + (size_t)k,
                         stat = (size_t)t * call->stat_stride + (size_t)k;
            const size_t at = (size_t)t * (size_t)call->k + (size_t)k;
            const double scale = (double)call->gamma[set] / sqrt((double)call->var[stat] + MMC_BN_EPS);
            call->scale[at] = (float)scale;
            call->shift[at] = (float)((double)call->beta[set] - (double)call->mean[stat] * scale);
        }
}

INLINE void normalise_pixels(float *y, const float *z, const float *residual, const float *scale, const float *shift,
                             int k, int pixels, bool use_residual, bool use_relu, vi mask) {
    for (int p = 0; p < pixels; p++)
        for (int i = 0; i < k; i++) {
            const size_t at = ((size_t)p * (size_t)k + (size_t)i) * LANES;
            vf v = load(z + at) * scale[i] + shift[i];
            if (use_residual)
                v += load(residual + at);
            if (use_relu)
                v = relu(v);
            store(y + at, keep(v, mask));
        }
}

void OWN(normalise)(const own_normalise_call *call) {
    const int blocks = block_count(call->n), parts = ceil_div(call->pixels, TASK_PIXELS);
    const int tasks = call->sets * blocks * parts;
#pragma omp parallel for schedule(static)
    for (int task = 0; task < tasks; task++) {
        const int set = task / (blocks * parts), block = task / parts % blocks, p0 = task % parts * TASK_PIXELS;
        const int pixels = call->pixels - p0 < TASK_PIXELS ? call->pixels - p0 : TASK_PIXELS;
        const size_t at = ((size_t)(task / parts) * (size_t)call->pixels + (size_t)p0) * (size_t)call->k * LANES;
        const float *scale = call->scale + (size_t)set * (size_t)call->k,
                    *shift = call->shift + (size_t)set * (size_t)call->k;
        const vi mask = lane_mask(block_images(call->n, block));
        const float *residual = call->residual ? call->residual + at : NULL;
        if (residual && call->relu)
            normalise_pixels(call->y + at, call->z + at, residual, scale, shift, call->k, pixels, true, true, mask);
        else if (residual)
            normalise_pixels(call->y + at, call->z + at, residual, scale, shift, call->k, pixels, true, false, mask);
        else if (call->relu)
            normalise_pixels(call->y + at, call->z + at, residual, scale, shift, call->k, pixels, false, true, mask);
        else
            normalise_pixels(call->y + at, call->z + at, residual, scale, shift, call->k, pixels, false, false, mask);
    }
}

/* Workspace of backward: (tasks, k, 2) partial sums, then the three coefficients of dz. */
size_t OWN(norm_backward_workspace)(int n, int k, int pixels) {
    const size_t tasks = (size_t)block_count(n) * (size_t)ceil_div(pixels, TASK_PIXELS);
    return tasks * (size_t)k * 2 * sizeof(double) + (size_t)k * 3 * sizeof(float) + 64;
}

/* Sums of g and g (z - mean) of `count` channels from k0 on, and dresidual. */
INLINE void sums_run(double *part, const own_norm_backward_call *call, size_t at0, int pixels, int k0, int count) {
    vf s0[SUM_K], s1[SUM_K];
    UNROLL
    for (int i = 0; i < count; i++)
        s0[i] = s1[i] = (vf){0};
    for (int p = 0; p < pixels; p++) {
        const size_t at = at0 + ((size_t)p * (size_t)call->k + (size_t)k0) * LANES;
        UNROLL
        for (int i = 0; i < count; i++) {
            vf g = load(call->dy + at + i * LANES);
            if (call->relu)
                g = where_positive(g, load(call->y + at + i * LANES));
            if (call->dresidual) {
                float *r = call->dresidual + at + i * LANES;
                vf sum = g;
                if (call->dresidual_add)
                    sum += load(r);
                store(r, sum);
            }
            s0[i] += g;
            s1[i] += g * (load(call->z + at + i * LANES) - call->mean[k0 + i]);
        }
    }
    for (int i = 0; i < count; i++) {
        double a = 0, b = 0;
        for (int lane = 0; lane < LANES; lane++) {
            a += (double)s0[i][lane];
            b += (double)s1[i][lane];
        }
        part[2 * (k0 + i)] = a;
        part[2 * (k0 + i) + 1] = b;
    }
}

void OWN(norm_backward)(const own_norm_backward_call *call) {
    const int blocks = block_count(call->n), parts = ceil_div(call->pixels, TASK_PIXELS), tasks = blocks * parts;
    double *partials = call->workspace;
    float *a = (float *)(partials + (size_t)tasks * (size_t)call->k * 2), *b = a + call->k, *c = b + call->k;
#pragma omp parallel for schedule(static)
    for (int task = 0; task < tasks; task++) {
        const int p0 = task % parts * TASK_PIXELS;
        const int pixels = call->pixels - p0 < TASK_PIXELS ? call->pixels - p0 : TASK_PIXELS;
        const size_t at = ((size_t)(task / parts) * (size_t)call->pixels + (size_t)p0) * (size_t)call->k * LANES;
        double *part = partials + (size_t)task * (size_t)call->k * 2;
        int k0 = 0;
        for (; k0 + SUM_K <= call->k; k0 += SUM_K)
            sums_run(part, call, at, pixels, k0, SUM_K);
        for (; k0 < call->k; k0++)
            sums_run(part, call, at, pixels, k0, 1);
    }
    /* dz = a g + b + c (z - mean) */
    const double m = (double)call->n * call->pixels;
    for (int k = 0; k < call->k; k++) {
        double s0 = 0, s1 = 0;
        for (int task = 0; task < tasks; task++) {
            s0 += partials[((size_t)task * (size_t)call->k + (size_t)k) * 2];
            s1 += partials[((size_t)task * (size_t)call->k + (size_t)k) * 2 + 1];
        }
        const double inverse = 1.0 / sqrt((double)call->var[k] + MMC_BN_EPS), scale = (double)call->gamma[k] * inverse;
        call->dbeta[k] = (float)s0;
        call->dgamma[k] = (float)(s1 * inverse);
        a[k] = (float)scale;
        b[k] = (float)(-scale * s0 / m);
        c[k] = (float)(-scale * s1 * inverse * inverse / m);
    }
#pragma omp parallel for schedule(static)
    for (int task = 0; task < tasks; task++) {
        const int p0 = task % parts * TASK_PIXELS;
        const int pixels = call->pixels - p0 < TASK_PIXELS ? call->pixels - p0 : TASK_PIXELS;
        const size_t at0 = ((size_t)(task / parts) * (size_t)call->pixels + (size_t)p0) * (size_t)call->k * LANES;
        const vi mask = lane_mask(block_images(call->n, task / parts));
        for (int p = 0; p < pixels; p++)
            for (int i = 0; i < call->k; i++) {
                const size_t at = at0 + ((size_t)p * (size_t)call->k + (size_t)i) * LANES;
                vf g = load(call->dy + at);
                if (call->relu)
                    g = where_positive(g, load(call->y + at));
                const vf dz = g * a[i] + (load(call->z + at) - call->mean[i]) * c[i] + b[i];
                store(call->dy + at, keep(dz, mask));
            }
    }
}
