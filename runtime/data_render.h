/* Counterfactual images written out: a safetensors file for programs, a PNG sheet for people (Figures 7-9).
 *
 *     mmc_data_render_options o = {.data = &data, .split = MMC_SPLIT_TEST, .sets = 15, .seed = 1};
 *     MMC_TRY(mmc_data_render(&o, "images.safetensors"));
 *     MMC_TRY(mmc_data_sheet(&o, "sheet.png"));
 */
#ifndef MMC_RUNTIME_DATA_RENDER_H
#define MMC_RUNTIME_DATA_RENDER_H

#include "runtime/counterfactual.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_data_render_options {
    const mmc_dataset *data; /* a limit given at its opening is the range of the draws */
    mmc_split_kind split;
    unsigned sets;        /* bits 1 << mmc_set */
    int32_t count;        /* the first images of the split; 0: all */
    const uint8_t *flags; /* which samples carry their cue (of the whole split); NULL: all */
    uint64_t seed;
} mmc_data_render_options;

/* Writes images_NC, images_C, ... (N,3,H,W) f32 as the network sees them, labels (N) i64, and every draw: place (N) i32
 * and, on cifar100-box, hue (N) f32; on dominoes cue_index (N) i32; image_index (N) i32. Metadata: dataset, split,
 * seed, program. Errors: MMC_ERR_RANGE (count), MMC_ERR_FORMAT (a partner is missing), MMC_ERR_IO, MMC_ERR_MEMORY */
mmc_status mmc_data_render(const mmc_data_render_options *options, const char *path);

/* Writes a PNG: one row a class (100 classes: 0, 11, 22 ... 99, so that every place and colour shows), one column a
 * set, the first image of each class, enlarged three times; cues in their own levels 0..1. A class without images is an
 * empty row. Errors: as above. */
mmc_status mmc_data_sheet(const mmc_data_render_options *options, const char *path);

#ifdef __cplusplus
}
#endif
#endif
