/* What the files of the CUDA backend share (runtime/backend_cuda*.c). */
#ifndef MMC_RUNTIME_BACKEND_CUDA_STATE_H
#define MMC_RUNTIME_BACKEND_CUDA_STATE_H

#include "kernels/cuda/queue.h"
#include "runtime/backend.h"

#include <cuda_runtime_api.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    MMC_CUDA_CAPABILITY_MIN = 80,
    MMC_CUDA_STAGE_BYTES = 1 << 20, /* of one half */
    MMC_CUDA_STAGE_HALVES = 2
};

/* Bytes on their way to the device. The halves are filled in turn: while the device reads one, the host fills the
 * other, and waits only where it comes round to a half that is still being read. */
typedef struct mmc_cuda_stage {
    char *bytes; /* (MMC_CUDA_STAGE_HALVES, MMC_CUDA_STAGE_BYTES) pinned */
    cudaEvent_t read[MMC_CUDA_STAGE_HALVES];
    int half;    /* the one being filled */
    size_t used; /* bytes of it */
} mmc_cuda_stage;

/* What memory_free must know of an allocation: outputs noted as put off in it are forgotten with it. */
typedef struct mmc_cuda_allocation {
    void *base;
    size_t size;
    struct mmc_cuda_allocation *next;
} mmc_cuda_allocation;

typedef struct mmc_cuda_state {
    mmc_queue queue;
    mmc_cuda_allocation *allocations;
    mmc_cuda_stage stage;
    unsigned *fault_seen; /* (1) pinned: queue.fault as of the last download or sync */
    bool recording;
} mmc_cuda_state;

static inline mmc_cuda_state *mmc_cuda_state_of(const mmc_backend *be) {
    return (mmc_cuda_state *)be->state;
}

/* The device's properties, where it can be used. Errors: as mmc_backend_cuda_usable. */
mmc_status mmc_cuda_device_find(struct cudaDeviceProp *out, int index);

/* The stage of a device that is current; mmc_cuda_stage_close takes one that is partly open. */
mmc_status mmc_cuda_stage_open(mmc_cuda_stage *stage);
void mmc_cuda_stage_close(mmc_cuda_stage *stage);

/* Waits for the queue's work before something that it uses is freed; what failed was or will be said elsewhere. */
void mmc_cuda_wait_idle(const mmc_queue *queue);

const mmc_memory_ops *mmc_cuda_memory_ops(void);
const mmc_graph_ops *mmc_cuda_graph_ops(void);
const struct mmc_timer_ops *mmc_cuda_timer_ops(void);

#ifdef __cplusplus
}
#endif
#endif
