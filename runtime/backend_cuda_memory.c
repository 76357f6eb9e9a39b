/* Memory of a CUDA device: allocation, staged uploads, and the waits at which the device's complaints are heard. */
#include "kernels/cuda/deferral.h"
#include "runtime/backend_cuda.h"
#include "runtime/backend_cuda/state.h"

#include <stdlib.h>
#include <string.h>

enum { STAGE_ALIGN = 64, ALLOCATION_MIN = 64 };

static mmc_status refuse_recording(const mmc_backend *be, const char *what) {
    if (mmc_cuda_state_of(be)->recording)
        return mmc_fail(MMC_ERR_USAGE, "%s cannot be part of a recorded step: do it before graph->begin", what);
    return MMC_OK;
}

/* --- allocation --- */

static mmc_status memory_available(mmc_backend *be, size_t *out) {
    size_t total = 0;
    *out = 0;
    MMC_TRY(mmc_backend_cuda_select(be));
    MMC_CUDA(cudaMemGetInfo(out, &total));
    return MMC_OK;
}

static mmc_status memory_alloc(mmc_backend *be, void **out, size_t size) {
    *out = NULL;
    MMC_TRY(refuse_recording(be, "an allocation"));
    MMC_TRY(mmc_backend_cuda_select(be));
    mmc_cuda_state *state = mmc_cuda_state_of(be);
    mmc_cuda_allocation *entry = malloc(sizeof *entry);
    if (!entry)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the list of allocations needs %zu bytes", sizeof *entry);
    cudaError_t error = cudaMalloc(out, size ? size : ALLOCATION_MIN);
    if (error == cudaSuccess) {
        *entry = (mmc_cuda_allocation){*out, size, state->allocations};
        state->allocations = entry;
        return MMC_OK;
    }
    free(entry);
    *out = NULL;
    if (error != cudaErrorMemoryAllocation)
        return mmc_cuda_status(error, "cudaMalloc", __FILE__, __LINE__);
    (void)cudaGetLastError();
    size_t available = 0, total = 0;
    MMC_CUDA(cudaMemGetInfo(&available, &total));
    if (available < size)
        return mmc_fail(MMC_ERR_MEMORY,
                        "out of memory on %s: %.1f MB were asked for, %.1f of %.1f MB are free, %.1f MB are missing; a "
                        "smaller batch or width needs less",
                        be->device, (double)size / 1e6, (double)available / 1e6, (double)total / 1e6,
                        (double)(size - available) / 1e6);
    return mmc_fail(MMC_ERR_MEMORY,
                    "out of memory on %s: no %.1f MB in one piece, though %.1f MB are free; a smaller batch or width "
                    "needs less",
                    be->device, (double)size / 1e6, (double)available / 1e6);
}

static void memory_free(mmc_backend *be, void *p) {
    if (!p)
        return;
    mmc_cuda_state *state = mmc_cuda_state_of(be);
    for (mmc_cuda_allocation **at = &state->allocations; *at; at = &(*at)->next) {
        if ((*at)->base != p)
            continue;
        mmc_cuda_allocation *entry = *at;
        *at = entry->next;
        mmc_cuda_deferral_forget(&state->queue, entry->base, entry->size);
        free(entry);
        break;
    }
    (void)mmc_backend_cuda_select(be);
    (void)cudaFree(p);        /* waits for the work that may use it */
    (void)cudaGetLastError(); /* what is wrong with the device was or will be said by an operation */
}

/* --- waiting --- */

/* Waits for the stream and reports what a kernel found wrong with its input. */
static mmc_status wait(mmc_backend *be) {
    mmc_cuda_state *state = mmc_cuda_state_of(be);
    mmc_queue *q = &state->queue;
    MMC_CUDA(cudaMemcpyAsync(state->fault_seen, q->fault, sizeof *q->fault, cudaMemcpyDeviceToHost, q->stream));
    MMC_CUDA(cudaStreamSynchronize(q->stream));
    const unsigned fault = *state->fault_seen;
    if (fault == MMC_CUDA_FAULT_NONE)
        return MMC_OK;
    MMC_CUDA(cudaMemsetAsync(q->fault, 0, sizeof *q->fault, q->stream));
    MMC_CUDA(cudaStreamSynchronize(q->stream));
    if (fault == MMC_CUDA_FAULT_LABEL)
        return mmc_fail(MMC_ERR_RANGE, "loss: a label lies outside the classes of the network");
    if (fault == MMC_CUDA_FAULT_SAMPLE)
        return mmc_fail(MMC_ERR_RANGE, "render: a sample lies outside the store of images");
    return mmc_fail(MMC_ERR_DEVICE, "a kernel reported the unknown fault %u", fault);
}

void mmc_cuda_wait_idle(const mmc_queue *queue) {
    if (queue->stream && cudaStreamSynchronize(queue->stream) != cudaSuccess)
        (void)cudaDeviceSynchronize();
    (void)cudaGetLastError();
}

static mmc_status memory_sync(mmc_backend *be) {
    MMC_TRY(refuse_recording(be, "a wait"));
    MMC_TRY(mmc_backend_cuda_select(be));
    return wait(be);
}

/* --- copies --- */

mmc_status mmc_cuda_stage_open(mmc_cuda_stage *stage) {
    MMC_CUDA(cudaHostAlloc((void **)&stage->bytes, (size_t)MMC_CUDA_STAGE_HALVES * MMC_CUDA_STAGE_BYTES,
                           cudaHostAllocDefault));
    for (int i = 0; i < MMC_CUDA_STAGE_HALVES; i++)
        MMC_CUDA(cudaEventCreateWithFlags(&stage->read[i], cudaEventDisableTiming));
    return MMC_OK;
}

void mmc_cuda_stage_close(mmc_cuda_stage *stage) {
    for (int i = 0; i < MMC_CUDA_STAGE_HALVES; i++)
        if (stage->read[i])
            (void)cudaEventDestroy(stage->read[i]);
    if (stage->bytes)
        (void)cudaFreeHost(stage->bytes);
    memset(stage, 0, sizeof *stage);
}

/* Turns to the other half, as soon as the device has read it. An event never recorded is no wait. */
static mmc_status turn_stage(mmc_cuda_stage *stage, cudaStream_t stream) {
    MMC_CUDA(cudaEventRecord(stage->read[stage->half], stream));
    stage->half = (stage->half + 1) % MMC_CUDA_STAGE_HALVES;
    stage->used = 0;
    MMC_CUDA(cudaEventSynchronize(stage->read[stage->half]));
    return MMC_OK;
}

static mmc_status memory_upload(mmc_backend *be, void *device, const void *host, size_t size) {
    mmc_cuda_stage *stage = &mmc_cuda_state_of(be)->stage;
    MMC_TRY(refuse_recording(be, "an upload"));
    MMC_TRY(mmc_backend_cuda_select(be));
    for (size_t done = 0; done < size;) {
        if (stage->used == MMC_CUDA_STAGE_BYTES)
            MMC_TRY(turn_stage(stage, be->queue->stream));
        const size_t room = MMC_CUDA_STAGE_BYTES - stage->used, piece = size - done < room ? size - done : room;
        char *at = stage->bytes + (size_t)stage->half * MMC_CUDA_STAGE_BYTES + stage->used;
        memcpy(at, (const char *)host + done, piece);
        stage->used += (piece + STAGE_ALIGN - 1) / STAGE_ALIGN * STAGE_ALIGN;
        MMC_CUDA(cudaMemcpyAsync((char *)device + done, at, piece, cudaMemcpyHostToDevice, be->queue->stream));
        done += piece;
    }
    return MMC_OK;
}

static mmc_status memory_download(mmc_backend *be, void *host, const void *device, size_t size) {
    MMC_TRY(refuse_recording(be, "a download"));
    MMC_TRY(mmc_backend_cuda_select(be));
    if (size)
        MMC_CUDA(cudaMemcpyAsync(host, device, size, cudaMemcpyDeviceToHost, be->queue->stream));
    return wait(be);
}

static mmc_status memory_copy(mmc_backend *be, void *out, const void *in, size_t size) {
    MMC_TRY(mmc_backend_cuda_select(be));
    if (size)
        MMC_CUDA(cudaMemcpyAsync(out, in, size, cudaMemcpyDeviceToDevice, be->queue->stream));
    return MMC_OK;
}

static mmc_status memory_zero(mmc_backend *be, void *out, size_t size) {
    MMC_TRY(mmc_backend_cuda_select(be));
    if (size)
        MMC_CUDA(cudaMemsetAsync(out, 0, size, be->queue->stream));
    return MMC_OK;
}

const mmc_memory_ops *mmc_cuda_memory_ops(void) {
    static const mmc_memory_ops ops = {
        .alloc = memory_alloc,
        .free = memory_free,
        .upload = memory_upload,
        .download = memory_download,
        .copy = memory_copy,
        .zero = memory_zero,
        .sync = memory_sync,
        .available = memory_available,
    };
    return &ops;
}
