/* What stands in for the provider cudnn in a build without cuDNN. */
#include "kernels/cudnn/cudnn.h"

const mmc_unit_ops *mmc_cudnn_unit_ops(void) {
    return NULL;
}

const char *mmc_cudnn_version(void) {
    return "";
}

mmc_status mmc_cudnn_attach(mmc_queue *queue) {
    (void)queue;
    return mmc_fail(MMC_ERR_MISSING, "provider cudnn: this build has no cuDNN; install cuDNN 9, configure with "
                                     "-DMMC_CUDNN=ON, or use --provider own");
}

void mmc_cudnn_detach(mmc_queue *queue) {
    (void)queue;
}
