/* Path evaluation as a whole, as `mmcbench bench` times it: two networks of random weights, images drawn here (no
 * files), batch norm `momentum` at every point, the four counterfactual sets.
 *
 *     mmc_bench_path path;
 *     MMC_TRY(mmc_bench_path_open(&path, be, &c, MMC_DATASET_CIFAR10_BOX, batch));
 *     mmc_bench_body body = mmc_bench_path_body(&path);
 *     mmc_bench_path_close(&path);
 */
#ifndef MMC_SUITES_BENCH_PATH_H
#define MMC_SUITES_BENCH_PATH_H

#include "runtime/bench.h"
#include "runtime/path.h"
#include "suites/bench_cases.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_bench_path {
    mmc_backend *be;
    mmc_model *model;
    mmc_dataset data;
    float *end[2]; /* host, (state_count) */
    mmc_curve curve;
    mmc_path_config config;
    mmc_path_hooks hooks;
    int64_t image_forwards; /* of the last run */
} mmc_bench_path;

/* Errors: MMC_ERR_MEMORY. Owns: the caller, _close, which takes one that is partly open. */
mmc_status mmc_bench_path_open(mmc_bench_path *out, mmc_backend *be, const mmc_bench_case *c, mmc_dataset_kind kind,
                               int batch);
void mmc_bench_path_close(mmc_bench_path *path);
mmc_bench_body mmc_bench_path_body(mmc_bench_path *path);

#ifdef __cplusplus
}
#endif
#endif
