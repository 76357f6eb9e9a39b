/* What crosses the boundary of the layout: rendering, images in, activations out, pooling. Private to kernels/own. */
#ifndef MMC_KERNELS_OWN_BOUNDARY_H
#define MMC_KERNELS_OWN_BOUNDARY_H

#include "kernels/own/lane.h"

size_t OWN(activation_size)(mmc_queue *queue, int t, int n, int c, int h, int w);
mmc_status OWN(put)(mmc_queue *queue, mmc_activation *out, const float *in);
mmc_status OWN(get)(mmc_queue *queue, float *out, const mmc_activation *in);
mmc_status OWN(render)(mmc_queue *queue, mmc_activation *out, const mmc_image_store *store, const mmc_sample *samples);
mmc_status OWN(pool)(mmc_queue *queue, float *rep, const mmc_activation *x);
mmc_status OWN(pool_backward)(mmc_queue *queue, mmc_activation *dx, const float *drep);

#endif
