/* What the provider cudnn adds to cuDNN's convolutions: weights in its filter layout, batch statistics. C and CUDA.
 *
 *     MMC_CUDA(mmc_cudnn_filter_pack(packed, w, set_stride, sets, k, c, r, queue->precision, queue->stream));
 *
 * Activations are in the layout of kernels/cuda/queue.h, which is cuDNN's NHWC with the padded number of channels;
 * filters are [k][r][s][c] (cuDNN's NHWC for filters), padded with zeros. All pointers are device memory.
 * Errors: that of the launch. Order: asynchronous on `stream`; every sum in an order fixed by the shape.
 */
#ifndef MMC_KERNELS_CUDNN_FILTER_H
#define MMC_KERNELS_CUDNN_FILTER_H

#include "kernels/cuda/queue.h"

#ifdef __cplusplus
extern "C" {
#endif

/* w (T sets of (K,C,R,R) at set_stride) -> (T,pad(K),R,R,pad(C)) of float or bf16. */
cudaError_t mmc_cudnn_filter_pack(void *packed, const float *w, size_t set_stride, int sets, int k, int c, int r,
                                  mmc_cuda_precision precision, cudaStream_t stream);

/* (pad(K),R,R,pad(C)) of float or bf16 -> w (K,C,R,R). */
cudaError_t mmc_cudnn_filter_unpack(float *w, const void *packed, int k, int c, int r, mmc_cuda_precision precision,
                                    cudaStream_t stream);

/* Bytes that mmc_cudnn_statistics needs as workspace, aligned to 16; grows with pixels. */
size_t mmc_cudnn_statistics_bytes(int sets, size_t pixels, int channels);

/* mean and biased variance (T,K) at stat_stride of z (T,pixels,pad(K)). */
cudaError_t mmc_cudnn_statistics(float *mean, float *var, size_t stat_stride, const void *z, int sets, size_t pixels,
                                 int channels, void *workspace, mmc_cuda_precision precision, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
