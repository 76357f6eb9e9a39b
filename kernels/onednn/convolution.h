/* Convolutions of oneDNN, made on first use and kept: later calls of a shape allocate nothing of ours.
 *
 * Activations are NHWC, so that a channel count needs no padding. Packed weights have one form a shape and pass, which
 * does not depend on the number of images; a primitive that wants another form keeps a converted copy of its own.
 *
 *     MMC_TRY(mmc_onednn_pack(packed, &shape, MMC_DNNL_FORWARD, w));
 *     MMC_TRY(mmc_onednn_convolve(&shape, MMC_DNNL_FORWARD, x, packed, z));
 */
#ifndef MMC_KERNELS_ONEDNN_CONVOLUTION_H
#define MMC_KERNELS_ONEDNN_CONVOLUTION_H

#include "kernels/onednn/compat.h"
#include "kernels/unit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of one set of packed weights, a multiple of 64; FORWARD or DATA. 0: oneDNN refuses the shape, pack says why. */
size_t mmc_onednn_pack_size(const mmc_unit_shape *s, mmc_dnnl_pass pass);
mmc_status mmc_onednn_pack(void *packed, const mmc_unit_shape *s, mmc_dnnl_pass pass, const float *w);

/* One weight set. FORWARD: z = conv(x,w);  DATA: x = gradient by data of z and w;  WEIGHTS: w (K,C,R,R dense) =
 * gradient by weights of x and z.
 * Errors: MMC_ERR_DEVICE names the convolution. Order: fixed for a given number of threads. */
mmc_status mmc_onednn_convolve(const mmc_unit_shape *s, mmc_dnnl_pass pass, float *x, void *w, float *z);

/* The implementation that oneDNN chose, "jit:avx512_core"; "unsupported" where it has none. */
const char *mmc_onednn_implementation(const mmc_unit_shape *s, mmc_dnnl_pass pass);

#ifdef __cplusplus
}
#endif
#endif
