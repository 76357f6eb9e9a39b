/* Counterfactual rendering: raw uint8 image + cue -> the image as the network sees it (SPEC 1).
 *
 * Eq:     natural pixel v = 2 (x/255 - 1/2), each float32 step rounded (equals x/127.5 - 1 bit for bit);
 *         box: its 3x3 pixels are replaced by `colour`; dominoes: rows 0..31 are top/255 (or 0), rows 32..63 natural.
 * Cost:   reads 1 byte, writes 4 bytes an element; no arithmetic to speak of.
 *
 * A sample is everything that the rendering depends on, so two samples with equal bytes are the same image: that is how
 * identical evaluations are found (never by comparing pixels). No box is always written as cue = -1, colour = 0.
 */
#ifndef MMC_KERNELS_RENDER_H
#define MMC_KERNELS_RENDER_H

#include "runtime/status.h"
#include "runtime/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_IMAGE_SIDE = 32, MMC_BOX_SIDE = 3, MMC_BOX_PLACES = 10 };

/* Top-left corners (row, column) of the box places 0..9. */
extern const int mmc_box_corner[MMC_BOX_PLACES][2];

typedef struct mmc_sample {
    int32_t image;   /* index into `natural` */
    int32_t cue;     /* -1: none; box sets: place 0..9; dominoes: index into `top` */
    float colour[3]; /* box sets: stored channels of the box, else 0 */
} mmc_sample;

/* Raw images of one split, in device memory. */
typedef struct mmc_image_store {
    const uint8_t *natural; /* (count, channels, 32, 32); one channel is replicated to three */
    const uint8_t *top;     /* (top_count, 32, 32), or NULL: box sets */
    int32_t count, top_count;
    int32_t channels; /* 1 or 3 */
    int32_t height;   /* rows of a rendered image: 32, or 64 where `top` is not NULL */
} mmc_image_store;

/* One rendered image, (3, height, 32) f32: the definition, used by every host layout.
 * Errors: none; `s` must lie inside the store. */
void mmc_render_one(float *out, const mmc_image_store *store, const mmc_sample *s);

#ifdef __cplusplus
}
#endif
#endif
