/* The table of the flat operations on CUDA. */
#include "kernels/cuda/flat.h"
#include "kernels/cuda/cuda.h"

static mmc_status head(mmc_queue *queue, const mmc_head_call *call) {
    MMC_CUDA(mmc_cuda_head(call, queue->stream));
    return MMC_OK;
}

static mmc_status head_backward(mmc_queue *queue, const mmc_head_backward_call *call) {
    MMC_CUDA(mmc_cuda_head_backward(call, queue->stream));
    return MMC_OK;
}

static mmc_status loss(mmc_queue *queue, const mmc_loss_call *call) {
    if (call->dlogits && call->rows)
        return mmc_fail(MMC_ERR_SHAPE, "loss: a gradient needs one logits row a sample; leave rows out");
    MMC_CUDA(mmc_cuda_loss(call, queue->counters, queue->fault, queue->stream));
    return MMC_OK;
}

static mmc_status mirror(mmc_queue *queue, float *dlogits, size_t count, const double *tally, int n,
                         const double *factor) {
    MMC_CUDA(mmc_cuda_mirror(dlogits, count, tally, n, factor, queue->stream));
    return MMC_OK;
}

static mmc_status interpolate(mmc_queue *queue, float *out, size_t set_stride, int sets, const float *const *end,
                              int ends, const double *coefficient, size_t count) {
    if (ends > MMC_CUDA_ENDS_MAX)
        return mmc_fail(MMC_ERR_UNSUPPORTED,
                        "interpolate: %d end points; on cuda give at most %d, or use --backend cpu", ends,
                        MMC_CUDA_ENDS_MAX);
    MMC_CUDA(mmc_cuda_interpolate(out, set_stride, sets, end, ends, coefficient, count, queue->stream));
    return MMC_OK;
}

static mmc_status sgd(mmc_queue *queue, float *w, float *v, const float *g, size_t count, double lr, double momentum,
                      double decay) {
    MMC_CUDA(mmc_cuda_sgd(w, v, g, count, lr, momentum, decay, queue->stream));
    return MMC_OK;
}

static mmc_status running(mmc_queue *queue, float *out, size_t running_stride, const float *batch, size_t batch_stride,
                          const float *factor, int sets, size_t count, double momentum) {
    MMC_CUDA(mmc_cuda_running(out, running_stride, batch, batch_stride, factor, sets, count, momentum, queue->stream));
    return MMC_OK;
}

static mmc_status pool_add(mmc_queue *queue, double *sum, const float *batch, const int32_t *partner,
                           const float *positions, size_t count, int images) {
    MMC_CUDA(mmc_cuda_pool_add(sum, batch, partner, positions, count, images, queue->stream));
    return MMC_OK;
}

static mmc_status pool_finish(mmc_queue *queue, float *out, const double *sum, const int32_t *partner,
                              const float *positions, size_t count, int64_t images) {
    MMC_CUDA(mmc_cuda_pool_finish(out, sum, partner, positions, count, images, queue->stream));
    return MMC_OK;
}

static mmc_status class_means(mmc_queue *queue, const mmc_class_means_call *call) {
    MMC_CUDA(mmc_cuda_class_means(call, queue->counters, queue->stream));
    return MMC_OK;
}

const mmc_flat_ops *mmc_cuda_flat_ops(void) {
    static const mmc_flat_ops ops = {
        .name = "own",
        .head = head,
        .head_backward = head_backward,
        .loss = loss,
        .mirror = mirror,
        .interpolate = interpolate,
        .sgd = sgd,
        .running = running,
        .pool_add = pool_add,
        .pool_finish = pool_finish,
        .class_means = class_means,
    };
    return &ops;
}
