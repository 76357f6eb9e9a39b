#include "kernels/own/boundary.h"

size_t OWN(activation_size)(mmc_queue *queue, int t, int n, int c, int h, int w) {
    (void)queue;
    return (size_t)t * (size_t)block_count(n) * block_floats(c, h, w) * sizeof(float);
}

mmc_status OWN(put)(mmc_queue *queue, mmc_activation *out, const float *in) {
    (void)queue;
    const int blocks = block_count(out->n), c = out->c, pixels = out->h * out->w;
    const size_t image = (size_t)c * (size_t)pixels;
#pragma omp parallel for schedule(static)
    for (int task = 0; task < out->t * blocks; task++) {
        const int set = task / blocks, block = task % blocks, images = block_images(out->n, block);
        float *to = (float *)out->data + (size_t)task * image * LANES;
        const float *from = in + ((size_t)set * (size_t)out->n + (size_t)block * LANES) * image;
        for (int p = 0; p < pixels; p++)
            for (int k = 0; k < c; k++, to += LANES)
                for (int lane = 0; lane < LANES; lane++)
                    to[lane] = lane < images ? from[(size_t)lane * image + (size_t)(k * pixels + p)] : 0.0f;
    }
    return MMC_OK;
}

mmc_status OWN(get)(mmc_queue *queue, float *out, const mmc_activation *in) {
    (void)queue;
    const int blocks = block_count(in->n), c = in->c, pixels = in->h * in->w;
    const size_t image = (size_t)c * (size_t)pixels;
#pragma omp parallel for schedule(static)
    for (int task = 0; task < in->t * blocks; task++) {
        const int set = task / blocks, block = task % blocks, images = block_images(in->n, block);
        const float *from = (const float *)in->data + (size_t)task * image * LANES;
        float *to = out + ((size_t)set * (size_t)in->n + (size_t)block * LANES) * image;
        for (int p = 0; p < pixels; p++)
            for (int k = 0; k < c; k++, from += LANES)
                for (int lane = 0; lane < images; lane++)
                    to[(size_t)lane * image + (size_t)(k * pixels + p)] = from[lane];
    }
    return MMC_OK;
}

/* The natural pixels of one image block, rows from `row0` on; one channel is replicated. */
static void render_natural(float *out, const mmc_image_store *s, const mmc_sample *samples, int images, int row0,
                           const float *level) {
    const int plane = MMC_IMAGE_SIDE * MMC_IMAGE_SIDE;
    const uint8_t *from[LANES];
    for (int lane = 0; lane < images; lane++)
        from[lane] = s->natural + (size_t)samples[lane].image * (size_t)(s->channels * plane);
    out += (size_t)row0 * MMC_IMAGE_SIDE * 3 * LANES;
    for (int p = 0; p < plane; p++)
        for (int c = 0; c < 3; c++, out += LANES) {
            const int at = (s->channels == 3 ? c * plane : 0) + p;
            for (int lane = 0; lane < LANES; lane++)
                out[lane] = lane < images ? level[from[lane][at]] : 0.0f;
        }
}

static void render_top(float *out, const mmc_image_store *s, const mmc_sample *samples, int images,
                       const float *level) {
    const int plane = MMC_IMAGE_SIDE * MMC_IMAGE_SIDE;
    for (int p = 0; p < plane; p++)
        for (int c = 0; c < 3; c++, out += LANES)
            for (int lane = 0; lane < LANES; lane++)
                out[lane] = lane < images && samples[lane].cue >= 0
                                ? level[s->top[(size_t)samples[lane].cue * (size_t)plane + (size_t)p]]
                                : 0.0f;
}

static void render_box(float *out, const mmc_sample *sample, int lane) {
    const int *corner = mmc_box_corner[sample->cue];
    for (int y = corner[0]; y < corner[0] + MMC_BOX_SIDE; y++)
        for (int x = corner[1]; x < corner[1] + MMC_BOX_SIDE; x++)
            for (int c = 0; c < 3; c++)
                out[((y * MMC_IMAGE_SIDE + x) * 3 + c) * LANES + lane] = sample->colour[c];
}

mmc_status OWN(render)(mmc_queue *queue, mmc_activation *out, const mmc_image_store *s, const mmc_sample *samples) {
    (void)queue;
    float natural[256], top[256];
    for (int i = 0; i < 256; i++) {
        top[i] = (float)i / 255.0f;
        const float centred = top[i] - 0.5f;
        natural[i] = 2.0f * centred;
    }
#pragma omp parallel for schedule(static)
    for (int block = 0; block < block_count(out->n); block++) {
        const int images = block_images(out->n, block);
        const mmc_sample *first = samples + (size_t)block * LANES;
        float *to = (float *)out->data + (size_t)block * block_floats(3, s->height, MMC_IMAGE_SIDE);
        render_natural(to, s, first, images, s->height - MMC_IMAGE_SIDE, natural);
        if (s->top)
            render_top(to, s, first, images, top);
        else
            for (int lane = 0; lane < images; lane++)
                if (first[lane].cue >= 0)
                    render_box(to, &first[lane], lane);
    }
    return MMC_OK;
}

mmc_status OWN(pool)(mmc_queue *queue, float *rep, const mmc_activation *x) {
    (void)queue;
    const int blocks = block_count(x->n), c = x->c;
#pragma omp parallel for schedule(static)
    for (int task = 0; task < x->t * blocks; task++) {
        const int set = task / blocks, block = task % blocks, images = block_images(x->n, block);
        const float *from = (const float *)x->data + (size_t)task * block_floats(c, x->h, x->w);
        float *to = rep + ((size_t)set * (size_t)x->n + (size_t)block * LANES) * (size_t)c;
        const float inverse = 1.0f / (float)(x->h * x->w);
        for (int k = 0; k < c; k++) {
            vf sum = {0}; /* rows first: short chains keep the rounding small */
            for (int y = 0; y < x->h; y++) {
                vf row = {0};
                for (int i = 0; i < x->w; i++)
                    row += load(from + ((size_t)(y * x->w + i) * (size_t)c + (size_t)k) * LANES);
                sum += row;
            }
            sum *= inverse;
            for (int lane = 0; lane < images; lane++)
                to[(size_t)lane * (size_t)c + (size_t)k] = sum[lane];
        }
    }
    return MMC_OK;
}

mmc_status OWN(pool_backward)(mmc_queue *queue, mmc_activation *dx, const float *drep) {
    (void)queue;
    const int blocks = block_count(dx->n), c = dx->c, pixels = dx->h * dx->w;
#pragma omp parallel for schedule(static)
    for (int task = 0; task < dx->t * blocks; task++) {
        const int set = task / blocks, block = task % blocks, images = block_images(dx->n, block);
        float *to = (float *)dx->data + (size_t)task * block_floats(c, dx->h, dx->w);
        const float *from = drep + ((size_t)set * (size_t)dx->n + (size_t)block * LANES) * (size_t)c;
        const float inverse = 1.0f / (float)pixels;
        for (int k = 0; k < c; k++) {
            vf v = {0};
            for (int lane = 0; lane < images; lane++)
                v[lane] = from[(size_t)lane * (size_t)c + (size_t)k] * inverse;
            for (int p = 0; p < pixels; p++)
                store(to + ((size_t)p * (size_t)c + (size_t)k) * LANES, v);
        }
    }
    return MMC_OK;
}
