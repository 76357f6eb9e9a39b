/* What stands in for NCCL in a build without it: one rank. */
#include "runtime/comm.h"

#include <stdlib.h>

struct mmc_comm {
    int ranks;
};

mmc_status mmc_comm_open(mmc_comm **out, mmc_backend *const *backends, int ranks) {
    (void)backends;
    *out = NULL;
    if (ranks < 1)
        return mmc_fail(MMC_ERR_RANGE, "%d devices for one job; give 1 or more", ranks);
    if (ranks > 1)
        return mmc_fail(MMC_ERR_MISSING,
                        "%d devices for one job, but this build has no NCCL; install it (pip: nvidia-nccl-cu13), "
                        "configure with -DMMC_CUDA=ON -DMMC_NCCL=ON, or use one device a job",
                        ranks);
    mmc_comm *comm = malloc(sizeof *comm);
    if (!comm)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: a communicator");
    comm->ranks = ranks;
    *out = comm;
    return MMC_OK;
}

void mmc_comm_close(mmc_comm *comm) {
    free(comm);
}

int mmc_comm_ranks(const mmc_comm *comm) {
    return comm->ranks;
}

mmc_status mmc_comm_sum(mmc_comm *comm, float *const *vector, size_t count) {
    (void)comm;
    (void)vector;
    (void)count;
    return MMC_OK;
}

mmc_status mmc_comm_average(mmc_comm *comm, float *const *vector, size_t count) {
    return mmc_comm_sum(comm, vector, count);
}

mmc_status mmc_comm_broadcast(mmc_comm *comm, float *const *vector, size_t count, int root) {
    (void)comm;
    (void)vector;
    (void)count;
    (void)root;
    return MMC_OK;
}

const char *mmc_comm_version(void) {
    return "";
}
