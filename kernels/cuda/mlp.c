/* The table of the small model on CUDA. */
#include "kernels/cuda/mlp.h"

#include "kernels/cuda/cuda.h"

enum { SETS_MAX = 65535 }; /* blocks along y */

static mmc_status sets_check(const mmc_mlp_shape *s) {
    if (s->sets > SETS_MAX)
        return mmc_fail(MMC_ERR_UNSUPPORTED, "cuda: %d small models at once; give at most %d", s->sets, SETS_MAX);
    return MMC_OK;
}

static size_t train_workspace_size(mmc_queue *queue, const mmc_mlp_train_call *call) {
    (void)queue;
    return mmc_cuda_mlp_workspace_size(call);
}

static mmc_status train(mmc_queue *queue, const mmc_mlp_train_call *call) {
    MMC_TRY(sets_check(&call->shape));
    if (call->shape.sets > 0 && call->samples > 0)
        MMC_CUDA(mmc_cuda_mlp_train(call, queue->stream));
    return MMC_OK;
}

static size_t eval_workspace_size(mmc_queue *queue, const mmc_mlp_eval_call *call) {
    (void)queue;
    (void)call;
    return 0;
}

static mmc_status eval(mmc_queue *queue, const mmc_mlp_eval_call *call) {
    MMC_TRY(sets_check(&call->shape));
    if (call->shape.sets > 0 && call->samples > 0)
        MMC_CUDA(mmc_cuda_mlp_eval(call, queue->stream));
    return MMC_OK;
}

const mmc_mlp_ops *mmc_cuda_mlp_ops(void) {
    static const mmc_mlp_ops ops = {
        .name = "own",
        .train_workspace_size = train_workspace_size,
        .train = train,
        .eval_workspace_size = eval_workspace_size,
        .eval = eval,
    };
    return &ops;
}
