/* Devices of one process joined by NCCL: one communicator a device, every call of all of them in one group, so that the
 * one host thread waits for none. */
#include "runtime/comm.h"

#include "kernels/cuda/queue.h"
#include "runtime/backend_cuda.h"

#include <nccl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS_MAX = 64 };

struct mmc_comm {
    int ranks;
    bool joined; /* several ranks: the communicators are open */
    mmc_backend *be[RANKS_MAX];
    ncclComm_t rank[RANKS_MAX];
};

static mmc_status nccl_status(ncclResult_t result, const char *expression, int line) {
    if (result == ncclSuccess)
        return MMC_OK;
    (void)cudaGetLastError();
    return mmc_fail(MMC_ERR_DEVICE, "NCCL error %d (%s) in %.160s at runtime/comm_nccl.c:%d; NCCL_DEBUG=INFO says more",
                    (int)result, ncclGetErrorString(result), expression, line);
}
#define MMC_NCCL(e) MMC_TRY(nccl_status((e), #e, __LINE__))
#define MMC_NCCL_GOTO(label, e) MMC_GOTO(label, nccl_status((e), #e, __LINE__))

static mmc_status check(mmc_backend *const *backends, int ranks) {
    if (ranks < 1 || ranks > RANKS_MAX)
        return mmc_fail(MMC_ERR_RANGE, "%d devices for one job; give 1 to %d", ranks, RANKS_MAX);
    for (int r = 0; ranks > 1 && r < ranks; r++) {
        if (strcmp(backends[r]->name, "cuda") != 0)
            return mmc_fail(MMC_ERR_UNSUPPORTED,
                            "several devices for one job: only cuda backends can be joined, not %s", backends[r]->name);
        for (int other = 0; other < r; other++)
            if (backends[r]->queue->device == backends[other]->queue->device)
                return mmc_fail(MMC_ERR_USAGE, "device %d is given twice for one job; give each once",
                                backends[r]->queue->device);
    }
    return MMC_OK;
}

mmc_status mmc_comm_open(mmc_comm **out, mmc_backend *const *backends, int ranks) {
    mmc_status status = MMC_OK;
    int devices[RANKS_MAX];
    *out = NULL;
    MMC_TRY(check(backends, ranks));
    mmc_comm *comm = calloc(1, sizeof *comm);
    if (!comm)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: a communicator");
    comm->ranks = ranks;
    for (int r = 0; r < ranks; r++)
        comm->be[r] = backends[r];
    if (ranks > 1) {
        for (int r = 0; r < ranks; r++)
            devices[r] = backends[r]->queue->device;
        MMC_NCCL_GOTO(fail, ncclCommInitAll(comm->rank, ranks, devices));
        comm->joined = true;
    }
    *out = comm;
    return MMC_OK;
fail:
    mmc_comm_close(comm);
    return status;
}

void mmc_comm_close(mmc_comm *comm) {
    if (!comm)
        return;
    for (int r = 0; comm->joined && r < comm->ranks; r++) {
        (void)mmc_backend_cuda_select(comm->be[r]);
        (void)ncclCommDestroy(comm->rank[r]);
    }
    free(comm);
}

int mmc_comm_ranks(const mmc_comm *comm) {
    return comm->ranks;
}

/* A group that was begun is always ended; the first failure is the one that is told. */
static mmc_status end_group(mmc_status status) {
    const ncclResult_t result = ncclGroupEnd();
    return status != MMC_OK ? status : nccl_status(result, "ncclGroupEnd()", __LINE__);
}

static mmc_status reduce_rank(mmc_comm *comm, int r, float *vector, size_t count, ncclRedOp_t operation) {
    MMC_NCCL(ncclAllReduce(vector, vector, count, ncclFloat32, operation, comm->rank[r], comm->be[r]->queue->stream));
    return MMC_OK;
}

static mmc_status broadcast_rank(mmc_comm *comm, int r, float *vector, size_t count, int root) {
    MMC_NCCL(ncclBroadcast(vector, vector, count, ncclFloat32, root, comm->rank[r], comm->be[r]->queue->stream));
    return MMC_OK;
}

static mmc_status reduce(mmc_comm *comm, float *const *vector, size_t count, ncclRedOp_t operation) {
    mmc_status status = MMC_OK;
    if (!comm->joined || !count)
        return MMC_OK;
    MMC_NCCL(ncclGroupStart());
    for (int r = 0; r < comm->ranks && status == MMC_OK; r++)
        status = reduce_rank(comm, r, vector[r], count, operation);
    return end_group(status);
}

mmc_status mmc_comm_sum(mmc_comm *comm, float *const *vector, size_t count) {
    return reduce(comm, vector, count, ncclSum);
}

mmc_status mmc_comm_average(mmc_comm *comm, float *const *vector, size_t count) {
    return reduce(comm, vector, count, ncclAvg);
}

mmc_status mmc_comm_broadcast(mmc_comm *comm, float *const *vector, size_t count, int root) {
    mmc_status status = MMC_OK;
    if (root < 0 || root >= comm->ranks)
        return mmc_fail(MMC_ERR_RANGE, "broadcast from rank %d of %d", root, comm->ranks);
    if (!comm->joined || !count)
        return MMC_OK;
    MMC_NCCL(ncclGroupStart());
    for (int r = 0; r < comm->ranks && status == MMC_OK; r++)
        status = broadcast_rank(comm, r, vector[r], count, root);
    return end_group(status);
}

const char *mmc_comm_version(void) {
    static char text[32]; /* the same text at every call */
    int v = 0;
    if (ncclGetVersion(&v) == ncclSuccess)
        snprintf(text, sizeof text, "%d.%d.%d", v / 10000, v / 100 % 100, v % 100);
    return text;
}
