/* Launchers of the correlation (kernels/correlation.h says what they compute). C and CUDA.
 *
 *     MMC_CUDA(mmc_cuda_correlation_product(&batch, queue->stream));
 *     MMC_CUDA(mmc_cuda_correlation_merge(&batch, queue->stream));
 */
#ifndef MMC_KERNELS_CUDA_CORRELATION_H
#define MMC_KERNELS_CUDA_CORRELATION_H

#include "kernels/correlation.h"
#include "kernels/cuda/queue.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_CUDA_CORRELATION_SAMPLES = 512 }; /* of a part: summed in float */

typedef struct mmc_cuda_correlation_batch {
    double *state;
    float *parts;           /* (parts, A B + 2 A + 2 B): cross products, sums a, sums b, squares a, squares b */
    const void *x[2];       /* (samples, pitch) activations of the precision of the queue */
    int units[2], pitch[2]; /* pitch: padded units */
    size_t samples;
    bool first, relu, bf16;
} mmc_cuda_correlation_batch;

static inline size_t mmc_cuda_correlation_parts(size_t samples) {
    return (samples + MMC_CUDA_CORRELATION_SAMPLES - 1) / MMC_CUDA_CORRELATION_SAMPLES;
}

/* Pivots of a first batch. */
cudaError_t mmc_cuda_correlation_pivot(const mmc_cuda_correlation_batch *batch, cudaStream_t stream);
/* The parts: products, sums and squares of values less the pivots. */
cudaError_t mmc_cuda_correlation_product(const mmc_cuda_correlation_batch *batch, cudaStream_t stream);
/* The parts added up in their order and put into the state. */
cudaError_t mmc_cuda_correlation_merge(const mmc_cuda_correlation_batch *batch, cudaStream_t stream);
cudaError_t mmc_cuda_correlation_finish(const mmc_correlation_finish *call, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
