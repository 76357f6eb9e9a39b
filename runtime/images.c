#include "runtime/images.h"

#include "runtime/counterfactual.h"

#include <stdlib.h>
#include <string.h>

static mmc_status upload(mmc_backend *be, void **out, const void *host, size_t size) {
    MMC_TRY(be->memory->alloc(be, out, size));
    return be->memory->upload(be, *out, host, size);
}

mmc_status mmc_images_upload(mmc_images *out, mmc_backend *be, const mmc_dataset *data, mmc_split_kind split) {
    const mmc_split *s = split == MMC_SPLIT_TRAIN ? &data->train : &data->test;
    const size_t plane = (size_t)MMC_IMAGE_SIDE * MMC_IMAGE_SIDE;
    mmc_status status = MMC_OK;
    memset(out, 0, sizeof *out);
    if (s->count < 1)
        return mmc_fail(MMC_ERR_MISSING, "the %s split of %s holds no image",
                        split == MMC_SPLIT_TRAIN ? "train" : "test", mmc_dataset_name(data->kind));
    out->be = be;
    out->store = (mmc_image_store){
        .count = s->count, .channels = s->channels, .top_count = s->top_count, .height = data->height};
    MMC_GOTO(fail, upload(be, &out->natural, s->natural, (size_t)s->count * (size_t)s->channels * plane));
    out->store.natural = out->natural;
    if (data->height > MMC_IMAGE_SIDE) {
        /* Without a single top image no sample can carry a cue, yet the store must still say "dominoes". */
        static const uint8_t black[MMC_IMAGE_SIDE * MMC_IMAGE_SIDE];
        MMC_GOTO(fail, s->top_count > 0 ? upload(be, &out->top, s->top, (size_t)s->top_count * plane)
                                        : upload(be, &out->top, black, plane));
        out->store.top = out->top;
    }
    return MMC_OK;
fail:
    mmc_images_close(out);
    return status;
}

mmc_status mmc_images_place_no_cue(void **out, mmc_backend *be, const mmc_dataset *data, int32_t count) {
    mmc_status status = MMC_OK;
    mmc_sample *samples = malloc(((size_t)data->train.count + 1) * sizeof *samples);
    if (!samples)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %d images without cue", (int)data->train.count);
    MMC_GOTO(cleanup, mmc_counterfactual_samples(samples, data, MMC_SPLIT_TRAIN, MMC_SET_NC, NULL, NULL, 0));
    MMC_GOTO(cleanup, upload(be, out, samples, (size_t)count * sizeof *samples));
cleanup:
    free(samples);
    return status;
}

void mmc_images_close(mmc_images *images) {
    if (images->be) {
        images->be->memory->free(images->be, images->natural);
        images->be->memory->free(images->be, images->top);
    }
    memset(images, 0, sizeof *images);
}
