/* The table of the correlation on CUDA. */
#include "kernels/cuda/correlation.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/deferral.h"

static size_t sample_count(const mmc_activation *x) {
    return (size_t)x->n * (size_t)x->h * (size_t)x->w;
}

static size_t workspace_size(mmc_queue *queue, const mmc_activation *a, const mmc_activation *b) {
    (void)queue;
    const size_t part = (size_t)a->c * (size_t)b->c + 2 * ((size_t)a->c + (size_t)b->c);
    return mmc_cuda_correlation_parts(sample_count(a)) * part * sizeof(float);
}

static mmc_status add(mmc_queue *queue, const mmc_correlation_call *call) {
    const mmc_activation *a = call->a, *b = call->b;
    MMC_TRY(mmc_correlation_call_check(call, workspace_size(queue, a, b)));
    MMC_TRY(mmc_cuda_settle(queue, a));
    MMC_TRY(mmc_cuda_settle(queue, b));
    const mmc_cuda_correlation_batch batch = {
        .state = call->state,
        .parts = call->workspace,
        .x = {a->data, b->data},
        .units = {a->c, b->c},
        .pitch = {mmc_cuda_pad(a->c), mmc_cuda_pad(b->c)},
        .samples = sample_count(a),
        .first = call->first,
        .relu = call->relu,
        .bf16 = queue->precision == MMC_CUDA_BF16,
    };
    if (call->first)
        MMC_CUDA(mmc_cuda_correlation_pivot(&batch, queue->stream));
    MMC_CUDA(mmc_cuda_correlation_product(&batch, queue->stream));
    MMC_CUDA(mmc_cuda_correlation_merge(&batch, queue->stream));
    return MMC_OK;
}

static mmc_status finish(mmc_queue *queue, const mmc_correlation_finish *call) {
    MMC_TRY(mmc_correlation_finish_check(call));
    MMC_CUDA(mmc_cuda_correlation_finish(call, queue->stream));
    return MMC_OK;
}

const mmc_correlation_ops *mmc_cuda_correlation_ops(void) {
    static const mmc_correlation_ops ops = {
        .name = "own", .workspace_size = workspace_size, .add = add, .finish = finish};
    return &ops;
}
