/* How long a network's passes take at best on named devices: what a dry run says of machines that are not here.
 *
 * Eq: a kernel takes max(FLOP / peak, bytes / bandwidth); a pass takes the sum over its kernels. Bytes are those of the
 *     kernels of docs/kernels.md, activations of 4 bytes, weights left out (they are shared by the images of a batch):
 *     batch norm pass and evaluation, one kernel a unit: reads its input (and the residual), writes its output;
 *     training: that forward, then per unit two passes of batch norm's backward over three arrays, one of which is
 *     written, then the gradients by data (reads dz, writes dx) and by weights (reads dz, x)
 *
 *     size_t count;
 *     const mmc_roofline_device *devices = mmc_roofline_devices(&count);
 *     double s = images * mmc_roofline_image_s(&devices[0], model, MMC_PASS_TRAIN);
 */
#ifndef MMC_SUITES_ROOFLINE_H
#define MMC_SUITES_ROOFLINE_H

#include "runtime/model.h"
#include "runtime/timer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_ROOFLINE_DEVICES = 2 };

typedef enum mmc_pass {
    MMC_PASS_BN,    /* forward with batch statistics */
    MMC_PASS_EVAL,  /* forward with batch norm folded in */
    MMC_PASS_TRAIN, /* forward and both gradients */
    MMC_PASS_COUNT
} mmc_pass;

/* Dense tf32 peak of the tensor cores and bandwidth of the memory, as published. */
typedef struct mmc_roofline_device {
    const char *name;
    mmc_peaks peaks;
} mmc_roofline_device;

/* (MMC_ROOFLINE_DEVICES): A100 80G SXM, H100 SXM. */
const mmc_roofline_device *mmc_roofline_devices(void);

/* FLOP and bytes of one image, and its shortest time on a device. */
double mmc_roofline_image_flop(const mmc_model *model, mmc_pass pass);
double mmc_roofline_image_bytes(const mmc_model *model, mmc_pass pass);
double mmc_roofline_image_s(const mmc_roofline_device *device, const mmc_model *model, mmc_pass pass);

#ifdef __cplusplus
}
#endif
#endif
