#include "runtime/match_pair.h"

#include "runtime/clock.h"
#include "runtime/counterfactual.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Memory of the correlation and of the assignment, for the largest of the groups. */
static mmc_status place_moments(mmc_match_pair *p) {
    const mmc_memory_ops *memory = p->be->memory;
    size_t units = 1;
    for (int g = 0; g < p->groups->count; g++) {
        const int k = p->groups->group[g].units;
        mmc_activation output = mmc_network_output(p->net[0], p->groups->group[g].unit);
        output.t = 1; /* as when the networks run; nothing has been loaded or rendered yet */
        output.n = p->batch;
        const size_t size = p->be->correlation->workspace_size(p->be->queue, &output, &output);
        if (size > p->workspace_size)
            p->workspace_size = size;
        if ((size_t)k > units)
            units = (size_t)k;
        MMC_TRY(memory->alloc(p->be, &p->moments[g], mmc_correlation_state_count(k, k) * sizeof(double)));
    }
    MMC_TRY(mmc_match_solver_open(&p->solver, (int)units, MMC_ASSIGN_I32));
    MMC_TRY(memory->alloc(p->be, &p->workspace, p->workspace_size));
    MMC_TRY(memory->alloc(p->be, &p->cost, units * units * sizeof(int32_t)));
    MMC_TRY(memory->alloc(p->be, &p->correlation, units * units * sizeof(float)));
    p->host_correlation = malloc(units * units * sizeof *p->host_correlation);
    if (!p->host_correlation)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the correlations of %zu units", units);
    return MMC_OK;
}

mmc_status mmc_match_pair_open(mmc_match_pair *p, mmc_backend *be, const mmc_model *model,
                               const mmc_permutation_groups *groups, const mmc_dataset *data, int batch,
                               const mmc_progress *progress) {
    *p = (mmc_match_pair){.be = be, .model = model, .groups = groups, .progress = progress};
    if (!be->correlation)
        return mmc_fail(MMC_ERR_UNSUPPORTED,
                        "provider %s of backend %s cannot correlate activations; match with "
                        "--provider own or --provider reference, or by --method weight",
                        be->provider, be->name);
    MMC_TRY(mmc_dataset_fits(data, model->spec.classes, model->spec.height, "matched"));
    if (batch < 1)
        return mmc_fail(MMC_ERR_RANGE, "matching in batches of %d images: give 1 or more", batch);
    p->count = data->train.count;
    if (p->count < 1)
        return mmc_fail(MMC_ERR_MISSING, "no image to match on in %s", mmc_dataset_name(data->kind));
    p->batch = batch < p->count ? batch : (int)p->count;
    MMC_TRY(mmc_images_upload(&p->images, be, data, MMC_SPLIT_TRAIN));
    MMC_TRY(mmc_images_place_no_cue(&p->samples, be, data, p->count));
    for (int i = 0; i < 2; i++) {
        MMC_TRY(mmc_network_create(&p->net[i], be, model, MMC_NETWORK_EVAL, p->batch, 1));
        MMC_TRY(be->memory->alloc(be, &p->state[i], model->state_count * sizeof(float)));
    }
    return place_moments(p);
}

void mmc_match_pair_close(mmc_match_pair *p) {
    if (!p->be)
        return;
    const mmc_memory_ops *memory = p->be->memory;
    void *const device[] = {p->samples, p->state[0], p->state[1], p->workspace, p->cost, p->correlation};
    for (size_t i = 0; i < sizeof device / sizeof device[0]; i++)
        memory->free(p->be, device[i]);
    for (int g = 0; g < MMC_MODEL_UNITS; g++)
        memory->free(p->be, p->moments[g]);
    mmc_network_free(p->net[0]);
    mmc_network_free(p->net[1]);
    mmc_images_close(&p->images);
    free(p->host_correlation);
    mmc_match_solver_close(&p->solver);
}

mmc_status mmc_match_pair_load(mmc_match_pair *p, int which, const float *state) {
    MMC_TRY(p->be->memory->upload(p->be, p->state[which], state, p->model->state_count * sizeof *state));
    return mmc_network_load(p->net[which], p->state[which], 1);
}

mmc_status mmc_match_pair_render(mmc_match_pair *p, int32_t first, int n) {
    const double start = mmc_clock_s();
    for (int i = 0; i < 2; i++)
        MMC_TRY(mmc_network_render(p->net[i], &p->images.store, (const mmc_sample *)p->samples + first, n));
    p->forward_s += mmc_clock_s() - start;
    return MMC_OK;
}

mmc_status mmc_match_pair_unit(mmc_match_pair *p, int unit) {
    const double start = mmc_clock_s();
    for (int i = 0; i < 2; i++)
        MMC_TRY(mmc_network_forward_unit(p->net[i], unit));
    p->forward_s += mmc_clock_s() - start;
    return MMC_OK;
}

mmc_status mmc_match_pair_add(mmc_match_pair *p, int group, bool first, const mmc_activation *a,
                              const mmc_activation *b) {
    const double start = mmc_clock_s();
    MMC_TRY(p->be->correlation->add(p->be->queue, &(mmc_correlation_call){.first = first,
                                                                          .state = p->moments[group],
                                                                          .a = a,
                                                                          .b = b,
                                                                          .relu = p->groups->group[group].relu,
                                                                          .workspace = p->workspace,
                                                                          .workspace_size = p->workspace_size}));
    p->positions[group] = (first ? 0 : p->positions[group]) + (int64_t)a->n * a->h * a->w;
    p->correlation_s += mmc_clock_s() - start;
    return MMC_OK;
}

/* The integers that a group's assignment maximises, in host memory. */
static mmc_status fetch_cost(mmc_match_pair *p, int group) {
    const double start = mmc_clock_s();
    const mmc_memory_ops *memory = p->be->memory;
    const mmc_permutation_group *g = &p->groups->group[group];
    const size_t entries = (size_t)g->units * (size_t)g->units;
    MMC_TRY(p->be->correlation->finish(p->be->queue, &(mmc_correlation_finish){.state = p->moments[group],
                                                                               .a = g->units,
                                                                               .b = g->units,
                                                                               .samples = p->positions[group],
                                                                               .r = p->correlation,
                                                                               .cost = p->cost}));
    MMC_TRY(memory->download(p->be, p->solver.cost, p->cost, entries * sizeof(int32_t)));
    MMC_TRY(memory->download(p->be, p->host_correlation, p->correlation, entries * sizeof *p->host_correlation));
    for (size_t i = 0; i < entries; i++)
        if (!isfinite(p->host_correlation[i]))
            return mmc_fail(MMC_ERR_WRONG,
                            "group %s: the correlation of units %zu and %zu is not finite; the weights or the batch "
                            "norm statistics of a model are broken",
                            g->name, i / (size_t)g->units, i % (size_t)g->units);
    p->correlation_s += mmc_clock_s() - start;
    return MMC_OK;
}

mmc_status mmc_match_pair_solve(mmc_match_pair *p, int group, int32_t *column, mmc_match_score *score) {
    mmc_assign_result result;
    MMC_TRY(fetch_cost(p, group));
    const double start = mmc_clock_s();
    MMC_TRY(mmc_match_solver_solve(&p->solver, p->groups->group[group].units, column, &result));
    p->assignment_s += mmc_clock_s() - start;
    *score = (mmc_match_score){
        .score = (double)result.total / MMC_CORRELATION_ONE, .gap = (double)result.gap, .unique = result.unique == 1};
    return MMC_OK;
}

mmc_status mmc_match_pair_advance(mmc_match_pair *p, int64_t done, int64_t total) {
    if (!p->progress)
        return MMC_OK;
    if (p->progress->report) {
        mmc_progress_event event = {.phase = "match", .done = done, .total = total, .t = NAN, .loss = NAN};
        p->progress->report(p->progress->user, &event);
    }
    if (p->progress->interrupted && *p->progress->interrupted)
        return mmc_fail(MMC_ERR_INTERRUPTED, "interrupted while matching");
    return MMC_OK;
}
