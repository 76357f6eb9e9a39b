/* The oneDNN provider of a build without oneDNN: not there. */
#include "kernels/onednn/onednn.h"
#include "kernels/unit.h"

const mmc_unit_ops *mmc_onednn_unit_ops(void) {
    return NULL;
}

const char *mmc_onednn_version(void) {
    return NULL;
}
