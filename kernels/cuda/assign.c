/* The table of the assignment on CUDA. */
#include "kernels/cuda/assign.h"
#include "kernels/cuda/cuda.h"

/* Shared memory that the kernel's own variables and the driver take. */
enum { RESERVED = 2048, ALIGNMENT = 64 };

static size_t aligned(size_t size) {
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t workspace_size(mmc_queue *queue, const mmc_assign_call *call) {
    (void)queue;
    size_t size = 0;
    for (int p = 0; p < call->problems; p++)
        size += aligned(mmc_cuda_assign_arrays((size_t)call->problem[p].rows)) +
                aligned(mmc_cuda_assign_tight((size_t)call->problem[p].rows));
    return size;
}

static mmc_status solve(mmc_queue *queue, const mmc_assign_call *call) {
    MMC_TRY(mmc_assign_call_check(call));
    if (call->workspace_size < workspace_size(queue, call))
        return mmc_fail(MMC_ERR_MEMORY,
                        "assignment: a workspace of %zu bytes is too small; give workspace_size() bytes",
                        call->workspace_size);
    mmc_cuda_assign_batch batch = {.cost = call->cost,
                                   .column = call->column,
                                   .u = call->u,
                                   .v = call->v,
                                   .workspace = call->workspace,
                                   .type = call->type,
                                   .maximise = call->maximise};
    size_t work = 0, out = 0;
    for (int p = 0; p < call->problems; p++) {
        const mmc_assign_problem *problem = &call->problem[p];
        if (batch.problems == 0) {
            batch.result = call->result + p;
            batch.rows = 0;
        }
        const size_t n = (size_t)problem->rows, tight = work + aligned(mmc_cuda_assign_arrays(n));
        batch.problem[batch.problems++] = (mmc_cuda_assign_problem){.n = problem->rows,
                                                                    .cost = problem->cost,
                                                                    .stride = problem->stride,
                                                                    .out = out,
                                                                    .arrays = work,
                                                                    .tight = tight};
        batch.rows = problem->rows > batch.rows ? problem->rows : batch.rows;
        out += n;
        work = tight + aligned(mmc_cuda_assign_tight(n));
        if (batch.problems < MMC_CUDA_ASSIGN_BATCH && p + 1 < call->problems)
            continue;
        batch.shared = mmc_cuda_assign_arrays((size_t)batch.rows) + RESERVED <= queue->smem_max;
        MMC_CUDA(mmc_cuda_assign(&batch, queue->stream));
        batch.problems = 0;
    }
    return MMC_OK;
}

const mmc_assign_ops *mmc_cuda_assign_ops(void) {
    static const mmc_assign_ops ops = {.name = "own", .workspace_size = workspace_size, .solve = solve};
    return &ops;
}
