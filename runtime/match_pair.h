/* Two networks of one architecture that run side by side over the train split without cue, and the correlation of what
 * their units put out: what both ways of matching by activations stand on. Internal to runtime/match*.c. */
#ifndef MMC_RUNTIME_MATCH_PAIR_H
#define MMC_RUNTIME_MATCH_PAIR_H

#include "runtime/images.h"
#include "runtime/match.h"
#include "runtime/match_solver.h"
#include "runtime/network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_match_pair {
    mmc_backend *be;
    const mmc_model *model;
    const mmc_permutation_groups *groups;
    const mmc_progress *progress;
    int batch;
    int32_t count; /* images of the split */
    mmc_images images;
    void *samples;                      /* (count) mmc_sample, device */
    mmc_network *net[2];                /* target, model */
    void *state[2];                     /* (state_count) each, device */
    void *moments[MMC_MODEL_UNITS];     /* correlation state of every group, device */
    int64_t positions[MMC_MODEL_UNITS]; /* samples of every group so far */
    void *workspace;                    /* of the correlation, device */
    size_t workspace_size;
    void *correlation, *cost; /* (units, units) f32, i32 of the largest group, device */
    float *host_correlation;
    mmc_match_solver solver;
    double forward_s, correlation_s, assignment_s;
} mmc_match_pair;

/* Errors: as mmc_match. Owns: the caller, _close, also after an error. */
mmc_status mmc_match_pair_open(mmc_match_pair *p, mmc_backend *be, const mmc_model *model,
                               const mmc_permutation_groups *groups, const mmc_dataset *data, int batch,
                               const mmc_progress *progress);
void mmc_match_pair_close(mmc_match_pair *p);

/* Places the weights of one of the two (0: target) and renders a batch for both. */
mmc_status mmc_match_pair_load(mmc_match_pair *p, int which, const float *state);
mmc_status mmc_match_pair_render(mmc_match_pair *p, int32_t first, int n);

/* Runs a unit of both networks. */
mmc_status mmc_match_pair_unit(mmc_match_pair *p, int unit);

/* Adds two activations to a group's correlation; `first` starts it anew. */
mmc_status mmc_match_pair_add(mmc_match_pair *p, int group, bool first, const mmc_activation *a,
                              const mmc_activation *b);

/* The best assignment of a group by what has been added: column (units), score. Waits for the device. */
mmc_status mmc_match_pair_solve(mmc_match_pair *p, int group, int32_t *column, mmc_match_score *score);

/* One step of progress. Errors: MMC_ERR_INTERRUPTED. */
mmc_status mmc_match_pair_advance(mmc_match_pair *p, int64_t done, int64_t total);

/* The authors' way over the first `batches` whole batches: permutation (groups->total), scores of the last batch. */
mmc_status mmc_match_authors(mmc_match_pair *p, int32_t *permutation, mmc_match_score *scores, int batches,
                             const float *target, const float *state);

#ifdef __cplusplus
}
#endif
#endif
