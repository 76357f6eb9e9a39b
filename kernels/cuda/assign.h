/* Launcher of the assignment (kernels/assign.h says what it computes). C and CUDA.
 *
 *     MMC_CUDA(mmc_cuda_assign(&batch, queue->stream));
 */
#ifndef MMC_KERNELS_CUDA_ASSIGN_H
#define MMC_KERNELS_CUDA_ASSIGN_H

#include "kernels/assign.h"
#include "kernels/cuda/queue.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_CUDA_ASSIGN_BATCH = 64 }; /* problems of a launch: what fits into the parameters of a kernel */

typedef struct mmc_cuda_assign_problem {
    int n;
    size_t cost, stride;  /* entries */
    size_t out;           /* of its first row in column, u, v */
    size_t arrays, tight; /* of its memory in the workspace, bytes */
} mmc_cuda_assign_problem;

typedef struct mmc_cuda_assign_batch {
    const void *cost;
    int32_t *column;
    int64_t *u, *v;
    mmc_assign_result *result; /* of the first problem */
    char *workspace;
    mmc_assign_type type;
    bool maximise;
    bool shared;  /* the arrays of a problem are in shared memory, not in the workspace */
    int problems; /* at most MMC_CUDA_ASSIGN_BATCH */
    int rows;     /* of the largest */
    mmc_cuda_assign_problem problem[MMC_CUDA_ASSIGN_BATCH];
} mmc_cuda_assign_batch;

/* 32-bit words of a row's tight entries. */
static inline size_t mmc_cuda_assign_words(size_t n) {
    return (n + 31) / 32;
}

/* Bytes of a problem's arrays; the tight entries in the workspace come on top. */
static inline size_t mmc_cuda_assign_arrays(size_t n) {
    return n * (3 * sizeof(int64_t) + 4 * sizeof(int32_t)) + 2 * mmc_cuda_assign_words(n) * sizeof(uint32_t);
}
static inline size_t mmc_cuda_assign_tight(size_t n) {
    return n * mmc_cuda_assign_words(n) * sizeof(uint32_t);
}

cudaError_t mmc_cuda_assign(const mmc_cuda_assign_batch *batch, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
