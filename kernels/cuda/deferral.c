#include "kernels/cuda/deferral.h"

static mmc_cuda_deferral *find(mmc_queue *queue, const void *y) {
    for (int i = 0; i < MMC_CUDA_DEFERRALS; i++)
        if (queue->deferral[i].y == y)
            return &queue->deferral[i];
    return NULL;
}

void mmc_cuda_deferral_drop(mmc_queue *queue, const void *y) {
    mmc_cuda_deferral *noted = y ? find(queue, y) : NULL;
    if (noted)
        *noted = (mmc_cuda_deferral){0};
}

void mmc_cuda_deferral_forget(mmc_queue *queue, const void *base, size_t bytes) {
    const char *from = base;
    for (int i = 0; i < MMC_CUDA_DEFERRALS; i++) {
        const char *y = queue->deferral[i].y;
        if (y && y >= from && y < from + bytes)
            queue->deferral[i] = (mmc_cuda_deferral){0};
    }
}

mmc_status mmc_cuda_deferral_note(mmc_queue *queue, const mmc_cuda_deferral *deferral) {
    mmc_cuda_deferral_drop(queue, deferral->y);
    mmc_cuda_deferral *entry = find(queue, NULL);
    if (!entry)
        return mmc_fail(
            MMC_ERR_DEVICE,
            "cuda: more than %d outputs are put off at once; read some of them, or free the memory of those "
            "that nobody will read",
            MMC_CUDA_DEFERRALS);
    *entry = *deferral;
    return MMC_OK;
}

static mmc_cuda_norm norm_of(const mmc_cuda_deferral *d) {
    return (mmc_cuda_norm){.mean = d->mean,
                           .var = d->var,
                           .gamma = d->gamma,
                           .beta = d->beta,
                           .stat_stride = d->stat_stride,
                           .set_stride = d->set_stride};
}

/* The source of a put-off activation. A residual that is itself put off with a residual or a ReLU is settled first: a
 * reader normalises two levels, and the second without either. */
static mmc_status describe(mmc_queue *queue, mmc_cuda_source *out, const mmc_activation *x,
                           const mmc_cuda_deferral *d) {
    *out = mmc_cuda_source_plain(x);
    out->z = d->z;
    out->relu = d->relu;
    out->norm = norm_of(d);
    out->residual = d->residual;
    const mmc_cuda_deferral *inner = d->residual ? find(queue, d->residual) : NULL;
    if (!inner)
        return MMC_OK;
    if (inner->residual || inner->relu) {
        mmc_activation residual = *x;
        residual.data = (void *)d->residual;
        return mmc_cuda_settle(queue, &residual);
    }
    out->residual = inner->z;
    out->residual_norm = norm_of(inner);
    return MMC_OK;
}

mmc_status mmc_cuda_settle(mmc_queue *queue, const mmc_activation *activation) {
    const mmc_cuda_deferral *noted = find(queue, activation->data);
    if (!noted)
        return MMC_OK;
    mmc_cuda_source source;
    MMC_TRY(describe(queue, &source, activation, noted));
    source.y = activation->data;
    source.shared = false;
    MMC_CUDA(mmc_cuda_normalise(&source, activation->t, activation->n, activation->c, activation->h, activation->w,
                                queue->precision, queue->stream));
    mmc_cuda_deferral_drop(queue, activation->data);
    return MMC_OK;
}

mmc_status mmc_cuda_source_of(mmc_queue *queue, mmc_cuda_source *out, const mmc_activation *x, bool stores) {
    const mmc_cuda_deferral *noted = find(queue, x->data);
    if (!noted) {
        *out = mmc_cuda_source_plain(x);
        return MMC_OK;
    }
    if (noted->z == x->data)
        return describe(queue, out, x, noted);
    if (!stores) {
        MMC_TRY(mmc_cuda_settle(queue, x));
        *out = mmc_cuda_source_plain(x);
        return MMC_OK;
    }
    MMC_TRY(describe(queue, out, x, noted));
    out->y = x->data;
    mmc_cuda_deferral_drop(queue, x->data);
    return MMC_OK;
}
