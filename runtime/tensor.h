/* Dimension letters and the two views that operations work on.
 *
 * Letters, fixed for the whole project:
 *   T  weight sets (points of a path evaluated together)      N  images of a batch
 *   C  input channels (features)                              H  rows, W columns
 *   K  output channels of a convolution, classes of a head    R  rows = columns of a filter
 *
 * Boundary layouts: images and activations that cross a backend's boundary are (T,N,C,H,W) f32, dense, W fastest;
 * convolution weights are (K,C,R,R); linear weights (K,C); logits (T,N,K); representations (T,N,C).
 * Inside a backend the layout of an activation is the backend's own business.
 */
#ifndef MMC_RUNTIME_TENSOR_H
#define MMC_RUNTIME_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where operations are enqueued: a device's stream with its precision and scratch memory. Operations of one queue run
 * in the order in which they were given to it. A CPU has none: its operations are done when they return, and take NULL.
 */
typedef struct mmc_queue mmc_queue;

/* An activation in the layout of the backend that made it. A view: the memory belongs to an arena. */
typedef struct mmc_activation {
    void *data;        /* device memory of unit_ops->activation_size bytes */
    int t, n, c, h, w; /* weight sets, images per set, channels, rows, columns */
} mmc_activation;

/* Number of elements of an activation at the boundary. */
static inline size_t mmc_activation_count(const mmc_activation *a) {
    return (size_t)a->t * (size_t)a->n * (size_t)a->c * (size_t)a->h * (size_t)a->w;
}

#ifdef __cplusplus
}
#endif
#endif
