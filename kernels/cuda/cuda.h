/* The tables of the CUDA backend. Every function needs a queue (kernels/cuda/queue.h). */
#ifndef MMC_KERNELS_CUDA_CUDA_H
#define MMC_KERNELS_CUDA_CUDA_H

#include "kernels/assign.h"
#include "kernels/correlation.h"
#include "kernels/flat.h"
#include "kernels/mlp.h"
#include "kernels/unit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Provider own. */
const mmc_unit_ops *mmc_cuda_unit_ops(void);
const mmc_flat_ops *mmc_cuda_flat_ops(void);
const mmc_assign_ops *mmc_cuda_assign_ops(void);
const mmc_correlation_ops *mmc_cuda_correlation_ops(void);
const mmc_mlp_ops *mmc_cuda_mlp_ops(void);

#ifdef __cplusplus
}
#endif
#endif
