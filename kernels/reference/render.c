#include "kernels/render.h"

#include <string.h>

enum { PLANE = MMC_IMAGE_SIDE * MMC_IMAGE_SIDE };

const int mmc_box_corner[MMC_BOX_PLACES][2] = {{0, 0},   {0, 14}, {0, 29},  {14, 0},  {14, 14},
                                               {14, 29}, {29, 0}, {29, 14}, {29, 29}, {6, 6}};

static void natural_plane(float *out, const uint8_t *in) {
    for (int i = 0; i < PLANE; i++) {
        float v = (float)in[i] / 255.0f;
        out[i] = (v - 0.5f) / 0.5f; /* the division doubles exactly, so nothing can be contracted */
    }
}

static void top_plane(float *out, const uint8_t *in) {
    for (int i = 0; i < PLANE; i++)
        out[i] = (float)in[i] / 255.0f;
}

static void box_plane(float *out, int place, float value) {
    float *corner = out + mmc_box_corner[place][0] * MMC_IMAGE_SIDE + mmc_box_corner[place][1];
    for (int y = 0; y < MMC_BOX_SIDE; y++)
        for (int x = 0; x < MMC_BOX_SIDE; x++)
            corner[y * MMC_IMAGE_SIDE + x] = value;
}

void mmc_render_one(float *out, const mmc_image_store *store, const mmc_sample *s) {
    const uint8_t *natural = store->natural + (size_t)s->image * (size_t)store->channels * PLANE;
    for (int c = 0; c < 3; c++) {
        float *plane = out + (size_t)c * (size_t)store->height * MMC_IMAGE_SIDE;
        if (store->top) {
            if (s->cue >= 0)
                top_plane(plane, store->top + (size_t)s->cue * PLANE);
            else
                memset(plane, 0, PLANE * sizeof *plane);
            plane += PLANE;
        }
        natural_plane(plane, store->channels == 3 ? natural + (size_t)c * PLANE : natural);
        if (!store->top && s->cue >= 0)
            box_plane(plane, s->cue, s->colour[c]);
    }
}
