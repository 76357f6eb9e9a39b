/* The raw images of a split in device memory, ready to be rendered (kernels/render.h).
 *
 *     mmc_images images;
 *     MMC_TRY(mmc_images_upload(&images, be, &data, MMC_SPLIT_TRAIN));
 *     mmc_network_render(net, &images.store, samples, n);
 *     mmc_images_close(&images);
 */
#ifndef MMC_RUNTIME_IMAGES_H
#define MMC_RUNTIME_IMAGES_H

#include "runtime/backend.h"
#include "runtime/data.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_images {
    mmc_backend *be;
    mmc_image_store store; /* pointers into device memory, owned */
    void *natural, *top;
} mmc_images;

/* Errors: MMC_ERR_MEMORY; MMC_ERR_MISSING when the split is empty. Owns: the caller, mmc_images_close. */
mmc_status mmc_images_upload(mmc_images *out, mmc_backend *be, const mmc_dataset *data, mmc_split_kind split);

/* Places the train split without cue, in file order, `count` samples of it: what batch norm is estimated on and neurons
 * are matched on. *out: (count) mmc_sample in device memory. Errors: MMC_ERR_MEMORY. Owns: the caller, memory->free. */
mmc_status mmc_images_place_no_cue(void **out, mmc_backend *be, const mmc_dataset *data, int32_t count);

/* A zeroed struct is fine. */
void mmc_images_close(mmc_images *images);

#ifdef __cplusplus
}
#endif
#endif
