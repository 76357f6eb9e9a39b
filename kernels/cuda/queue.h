/* The queue of the CUDA backend: what an operation needs to know of where it runs. C and CUDA.
 *
 * Layout of activations, every precision: [t][n][h][w][cp], cp = mmc_cuda_pad(c) channels, of which those from c on are
 * zero at any time: whoever writes an activation writes them. Elements are float (fp32, tf32) or bf16 (bf16).
 * Packed weights: [t][r*s][kp][cp] of the same element type; TRAIN has a second array behind it, turned for the
 * gradient by data: [r*s, last first][cp][kp]. tf32 weights are rounded when they are packed; fp32 is computed as
 * 3xTF32 (mma of the high and low halves) or by FMA. Parameters, statistics, representations, logits and losses are
 * float.
 *
 * Kernels and their launchers are in .cu files: `extern "C" cudaError_t mmc_cuda_NAME(..., cudaStream_t stream)`, which
 * return cudaGetLastError() after the launch. The tables of operations (kernels/cuda/NAME.c) turn an error into a
 * status with MMC_CUDA. Order: no floating-point atomics; sums in an order fixed by the shape alone.
 */
#ifndef MMC_KERNELS_CUDA_QUEUE_H
#define MMC_KERNELS_CUDA_QUEUE_H

#include "runtime/status.h"
#include "runtime/tensor.h"

#include <cuda_runtime_api.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_cuda_precision { MMC_CUDA_FP32, MMC_CUDA_TF32, MMC_CUDA_BF16 } mmc_cuda_precision;

enum {
    MMC_CUDA_CHANNELS = 8,    /* channels are padded to a multiple of this */
    MMC_CUDA_COUNTERS = 4096, /* of a queue */
    MMC_CUDA_DEFERRALS = 64
};

/* An output that unit->train has put off: y = act(gamma (z - mean) / sqrt(var + eps) + beta + residual). */
typedef struct mmc_cuda_deferral {
    const void *y; /* memory of the output, where readers look it up; NULL: free entry */
    const void *z;
    const float *mean, *var;   /* (T,K) at stat_stride */
    const float *gamma, *beta; /* (T,K) at set_stride */
    size_t stat_stride, set_stride;
    const void *residual; /* NULL, or an activation that may itself be put off */
    bool relu;
} mmc_cuda_deferral;

struct mmc_queue {
    cudaStream_t stream;
    int device;
    mmc_cuda_precision precision;
    int capability; /* 80, 86, 89, 90, ... */
    int sm_count;
    size_t smem_max; /* bytes of shared memory that a block may have */
    size_t smem_sm;  /* bytes of a multiprocessor */
    size_t l2_bytes;
    unsigned
        *counters; /* (MMC_CUDA_COUNTERS) zero between operations: arrivals of blocks; the last block puts zero back */
    unsigned *fault; /* (1) zero, or the first mmc_cuda_fault that a kernel met; the next download or sync reports it */
    void *cudnn;     /* the provider cudnn's own; NULL: it is not in use */
    mmc_cuda_deferral deferral[MMC_CUDA_DEFERRALS];
};

/* Wrong input that only a kernel can see: it stores the value in *queue->fault and computes something harmless. */
typedef enum mmc_cuda_fault {
    MMC_CUDA_FAULT_NONE,
    MMC_CUDA_FAULT_LABEL, /* a label outside 0..K-1 */
    MMC_CUDA_FAULT_SAMPLE /* a sample outside the store of images */
} mmc_cuda_fault;

static inline int mmc_cuda_pad(int channels) {
    return (channels + MMC_CUDA_CHANNELS - 1) / MMC_CUDA_CHANNELS * MMC_CUDA_CHANNELS;
}

/* Bytes of an element of an activation or a packed weight. */
static inline size_t mmc_cuda_element(const mmc_queue *q) {
    return q->precision == MMC_CUDA_BF16 ? 2 : 4;
}

/* MMC_OK, or MMC_ERR_DEVICE (MMC_ERR_MEMORY where memory ran out) with expression, place, device and a hint; clears the
 * sticky error. */
mmc_status mmc_cuda_status(cudaError_t error, const char *expression, const char *file, int line);
#define MMC_CUDA(e) MMC_TRY(mmc_cuda_status((e), #e, __FILE__, __LINE__))

#ifdef __cplusplus
}
#endif
#endif
