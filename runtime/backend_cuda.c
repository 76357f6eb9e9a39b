/* The CUDA backend: opening and closing a device. */
#include "runtime/backend_cuda.h"

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/queue.h"
#include "kernels/cuda/start.h"
#include "kernels/cudnn/cudnn.h"
#include "runtime/backend_cuda/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* MAX_SETS: points of a path that are evaluated together; 11 is a whole path of the paper, and fills the device where
 * the planes are small. */
enum { MAX_SETS = 11 };

static const char *const precision_names[] = {"fp32", "tf32", "bf16"};

static mmc_status choose_precision(mmc_backend *be, const char *name) {
    for (size_t i = 0; i < sizeof precision_names / sizeof *precision_names; i++)
        if (strcmp(name, precision_names[i]) == 0) {
            be->queue->precision = (mmc_cuda_precision)i;
            snprintf(be->precision, sizeof be->precision, "%s", name);
            return MMC_OK;
        }
    return mmc_fail(MMC_ERR_USAGE, "precision '%s' is not known; known are: fp32, tf32, bf16", name);
}

static mmc_status choose_provider(mmc_backend *be, const char *name) {
    be->flat = mmc_cuda_flat_ops();
    be->assign = mmc_cuda_assign_ops();
    be->correlation = mmc_cuda_correlation_ops();
    be->mlp = mmc_cuda_mlp_ops();
    be->unit = mmc_cuda_unit_ops();
    if (strcmp(name, "cudnn") == 0) {
        MMC_TRY(mmc_cudnn_attach(be->queue));
        be->unit = mmc_cudnn_unit_ops();
    } else if (strcmp(name, "onednn") == 0 || strcmp(name, "reference") == 0)
        return mmc_fail(MMC_ERR_UNSUPPORTED, "provider %s belongs to backend cpu; cuda has own and cudnn", name);
    else if (strcmp(name, "auto") != 0 && strcmp(name, "own") != 0)
        return mmc_fail(MMC_ERR_USAGE, "provider '%s' is not known; backend cuda has: auto, own, cudnn", name);
    snprintf(be->provider, sizeof be->provider, "%s", be->unit->name);
    be->defers = be->unit == mmc_cuda_unit_ops();
    return MMC_OK;
}

/* Stream, scratch and stage of a device that is current. */
static mmc_status open_queue(mmc_cuda_state *state) {
    mmc_queue *q = &state->queue;
    MMC_CUDA(cudaStreamCreateWithFlags(&q->stream, cudaStreamNonBlocking));
    MMC_CUDA(cudaMalloc((void **)&q->counters, MMC_CUDA_COUNTERS * sizeof *q->counters));
    MMC_CUDA(cudaMalloc((void **)&q->fault, sizeof *q->fault));
    MMC_CUDA(cudaHostAlloc((void **)&state->fault_seen, sizeof *state->fault_seen, cudaHostAllocDefault));
    MMC_TRY(mmc_cuda_stage_open(&state->stage));
    MMC_CUDA(mmc_cuda_start(q->counters, MMC_CUDA_COUNTERS, q->fault, q->stream));
    MMC_CUDA(cudaStreamSynchronize(q->stream));
    return MMC_OK;
}

/* Errors are left unsaid: what is wrong with the device was said before. Takes a backend that is partly open. */
static void close_backend(mmc_backend *be) {
    mmc_cuda_state *state = mmc_cuda_state_of(be);
    mmc_queue *q = &state->queue;
    mmc_graph *unfinished = NULL;
    (void)cudaSetDevice(q->device);
    if (state->recording && be->graph->end(be, &unfinished) == MMC_OK)
        be->graph->free(be, unfinished);
    mmc_cuda_wait_idle(q);
    mmc_cudnn_detach(q);
    mmc_cuda_stage_close(&state->stage);
    (void)cudaFreeHost(state->fault_seen);
    (void)cudaFree(q->fault);
    (void)cudaFree(q->counters);
    if (q->stream)
        (void)cudaStreamDestroy(q->stream);
    (void)cudaGetLastError();
    free(state);
    free(be);
}

mmc_status mmc_backend_cuda_open(mmc_backend **out, const mmc_backend_options *options) {
    struct cudaDeviceProp properties;
    mmc_status status = MMC_OK;
    *out = NULL;
    MMC_TRY(mmc_cuda_device_find(&properties, options->device));
    mmc_backend *be = calloc(1, sizeof *be);
    mmc_cuda_state *state = calloc(1, sizeof *state);
    if (!be || !state) {
        free(be);
        free(state);
        return mmc_fail(MMC_ERR_MEMORY, "out of memory opening the backend");
    }
    be->state = state;
    be->queue = &state->queue;
    be->memory = mmc_cuda_memory_ops();
    be->graph = mmc_cuda_graph_ops();
    be->timer = mmc_cuda_timer_ops();
    be->close = close_backend;
    be->threads = options->threads > 0 ? options->threads : 1;
    be->max_sets = MAX_SETS;
    snprintf(be->name, sizeof be->name, "cuda");
    snprintf(be->device, sizeof be->device, "%.95s", properties.name);
    snprintf(be->isa, sizeof be->isa, "sm_%d%d", properties.major, properties.minor);
    mmc_backend_cuda_libraries(be->libraries, sizeof be->libraries);

    mmc_queue *q = be->queue;
    q->device = options->device;
    q->capability = 10 * properties.major + properties.minor;
    q->sm_count = properties.multiProcessorCount;
    q->smem_max = properties.sharedMemPerBlockOptin;
    q->smem_sm = properties.sharedMemPerMultiprocessor;
    q->l2_bytes = (size_t)properties.l2CacheSize;
    MMC_GOTO(fail, choose_precision(be, options->precision ? options->precision : "tf32"));
    MMC_GOTO(fail, mmc_backend_cuda_select(be));
    MMC_GOTO(fail, open_queue(state));
    MMC_GOTO(fail, choose_provider(be, options->provider ? options->provider : "auto"));
    *out = be;
    return MMC_OK;
fail:
    close_backend(be);
    return status;
}
