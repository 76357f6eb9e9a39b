/* Recorded steps as CUDA graphs. Capture is thread-local: other threads of the process may go on with their devices. */
#include "runtime/backend_cuda.h"
#include "runtime/backend_cuda/state.h"

#include <stdlib.h>

struct mmc_graph {
    cudaGraphExec_t exec;
};

static mmc_status graph_begin(mmc_backend *be) {
    mmc_cuda_state *state = mmc_cuda_state_of(be);
    if (state->recording)
        return mmc_fail(MMC_ERR_USAGE, "graph->begin inside a recorded step: end that one first");
    MMC_TRY(mmc_backend_cuda_select(be));
    MMC_CUDA(cudaStreamBeginCapture(state->queue.stream, cudaStreamCaptureModeThreadLocal));
    state->recording = true;
    return MMC_OK;
}

static mmc_status graph_end(mmc_backend *be, mmc_graph **out) {
    mmc_cuda_state *state = mmc_cuda_state_of(be);
    cudaGraph_t recorded = NULL;
    mmc_graph *graph = NULL;
    mmc_status status = MMC_OK;
    *out = NULL;
    if (!state->recording)
        return mmc_fail(MMC_ERR_USAGE, "graph->end without graph->begin");
    state->recording = false;
    MMC_CUDA(cudaStreamEndCapture(state->queue.stream, &recorded)); /* first, or the stream stays a recording one */
    graph = calloc(1, sizeof *graph);
    if (!graph) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory for a recorded step");
        goto cleanup;
    }
    MMC_GOTO(cleanup, mmc_backend_cuda_select(be));
    MMC_GOTO(cleanup, mmc_cuda_status(cudaGraphInstantiate(&graph->exec, recorded, 0), "cudaGraphInstantiate", __FILE__,
                                      __LINE__));
    *out = graph;
cleanup:
    if (recorded)
        (void)cudaGraphDestroy(recorded);
    if (status != MMC_OK)
        free(graph);
    return status;
}

static mmc_status graph_launch(mmc_backend *be, mmc_graph *graph) {
    MMC_TRY(mmc_backend_cuda_select(be));
    MMC_CUDA(cudaGraphLaunch(graph->exec, be->queue->stream));
    return MMC_OK;
}

static void graph_free(mmc_backend *be, mmc_graph *graph) {
    if (!graph)
        return;
    (void)mmc_backend_cuda_select(be);
    mmc_cuda_wait_idle(be->queue); /* it may be running */
    (void)cudaGraphExecDestroy(graph->exec);
    (void)cudaGetLastError();
    free(graph);
}

const mmc_graph_ops *mmc_cuda_graph_ops(void) {
    static const mmc_graph_ops ops = {
        .begin = graph_begin,
        .end = graph_end,
        .launch = graph_launch,
        .free = graph_free,
    };
    return &ops;
}
