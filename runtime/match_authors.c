/* The authors' way of matching by activations (SPEC 5): batch after batch. */
#include "runtime/match_pair.h"

#include <stdlib.h>
#include <string.h>

/* What a batch of the residual network needs besides the pair: a unit computed aside, from another input or with its
 * inputs in another order than the network itself has it. */
typedef struct aside {
    mmc_match_pair *p;
    float *permuted, *weight;                       /* host: the model as permuted so far; one unit's filters */
    int32_t *step;                                  /* (groups->total): the permutations of this batch */
    void *filters, *packed, *workspace, *output[2]; /* device */
} aside;

/* The slot that stands for a unit's input: its own, but the stem for the second block's first convolution. */
static int source_slot(const mmc_model *model, int unit) {
    return strcmp(model->units[unit].conv, "layer1.1.conv1") == 0 ? 1 : model->units[unit].input;
}

static mmc_unit_shape eval_shape(const mmc_unit_info *u, int n) {
    return (mmc_unit_shape){
        .n = n, .c = u->c, .h = u->h, .w = u->w, .k = u->k, .r = u->r, .stride = u->stride, .relu = u->relu};
}

static size_t largest(size_t a, size_t b) {
    return a > b ? a : b;
}

static mmc_status open_aside(aside *s, mmc_match_pair *p) {
    const mmc_unit_ops *unit = p->be->unit;
    size_t filters = 1, packed = 0, workspace = 0, output = 0;
    *s = (aside){.p = p};
    for (int g = 0; g < p->groups->count; g++) {
        const mmc_unit_info *u = &p->model->units[p->groups->group[g].unit];
        const mmc_unit_shape shape = eval_shape(u, p->batch);
        filters = largest(filters, (size_t)u->k * (size_t)u->c * (size_t)u->r * (size_t)u->r);
        packed = largest(packed, unit->pack_size(p->be->queue, &shape, MMC_PACK_EVAL, 1));
        workspace = largest(workspace, unit->workspace_size(p->be->queue, &shape, MMC_PACK_EVAL, 1));
        output = largest(output, unit->activation_size(p->be->queue, 1, p->batch, u->k, mmc_unit_out_h(&shape),
                                                       mmc_unit_out_w(&shape)));
    }
    s->permuted = malloc(p->model->state_count * sizeof *s->permuted);
    s->weight = malloc(filters * sizeof *s->weight);
    s->step = malloc((size_t)p->groups->total * sizeof *s->step);
    if (!s->permuted || !s->weight || !s->step)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: matching a model of %zu values", p->model->state_count);
    const struct {
        void **out;
        size_t size;
    } wanted[] = {{&s->filters, filters * sizeof(float)},
                  {&s->packed, packed},
                  {&s->workspace, workspace},
                  {&s->output[0], output},
                  {&s->output[1], output}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (wanted[i].size) {
            MMC_TRY(p->be->memory->alloc(p->be, wanted[i].out, wanted[i].size));
            MMC_TRY(p->be->memory->zero(p->be, *wanted[i].out, wanted[i].size));
        }
    return MMC_OK;
}

static void close_aside(aside *s) {
    const mmc_memory_ops *memory = s->p->be->memory;
    void *const device[] = {s->filters, s->packed, s->workspace, s->output[0], s->output[1]};
    for (size_t i = 0; i < sizeof device / sizeof device[0]; i++)
        memory->free(s->p->be, device[i]);
    free(s->permuted);
    free(s->weight);
    free(s->step);
}

/* A unit of one of the networks (host weights `state`) from another slot. Input channel c of the unit reads channel
 * order[c] of the slot (NULL: c): its filters are turned round instead of the activation. */
static mmc_status unit_aside(aside *s, mmc_activation *y, int which, int unit, int slot, const float *state,
                             const int32_t *order) {
    mmc_match_pair *p = s->p;
    const mmc_unit_info *u = &p->model->units[unit];
    const mmc_activation x = mmc_network_output(p->net[which], slot - 1);
    const mmc_unit_shape shape = eval_shape(u, x.n);
    const size_t taps = (size_t)u->r * (size_t)u->r, count = (size_t)u->k * (size_t)u->c * taps;
    const float *device = p->state[which];
    for (size_t k = 0; k < (size_t)u->k; k++)
        for (size_t c = 0; c < (size_t)u->c; c++)
            memcpy(s->weight + (k * (size_t)u->c + (order ? (size_t)order[c] : c)) * taps,
                   state + u->weight + (k * (size_t)u->c + c) * taps, taps * sizeof *state);
    MMC_TRY(p->be->memory->upload(p->be, s->filters, s->weight, count * sizeof *s->weight));
    MMC_TRY(p->be->unit->pack(p->be->queue, s->packed, &shape, MMC_PACK_EVAL, 1, s->filters, count));
    *y = (mmc_activation){.data = s->output[which],
                          .t = 1,
                          .n = x.n,
                          .c = u->k,
                          .h = mmc_unit_out_h(&shape),
                          .w = mmc_unit_out_w(&shape)};
    return p->be->unit->eval(p->be->queue, &(mmc_unit_eval_call){.shape = shape,
                                                                 .sets = 1,
                                                                 .y = y,
                                                                 .x = &x,
                                                                 .packed = s->packed,
                                                                 .gamma = device + u->gamma,
                                                                 .beta = device + u->beta,
                                                                 .mean = device + u->mean,
                                                                 .var = device + u->var,
                                                                 .set_stride = p->model->state_count,
                                                                 .workspace = s->workspace});
}

/* The groups whose units read this slot, which has just been computed and whose own group has been matched. */
static mmc_status match_readers(aside *s, int slot, const float *target, mmc_match_score *scores) {
    mmc_match_pair *p = s->p;
    const int32_t *order = s->step + p->groups->group[p->groups->of_slot[slot]].first;
    for (int g = 0; g < p->groups->count; g++) {
        const int unit = p->groups->group[g].unit;
        mmc_activation a, b;
        if (unit == 0 || source_slot(p->model, unit) != slot)
            continue;
        MMC_TRY(unit_aside(s, &a, 0, unit, slot, target, NULL));
        MMC_TRY(unit_aside(s, &b, 1, unit, slot, s->permuted, order));
        MMC_TRY(mmc_match_pair_add(p, g, true, &a, &b));
        MMC_TRY(mmc_match_pair_solve(p, g, s->step + p->groups->group[g].first, &scores[g]));
    }
    return MMC_OK;
}

static mmc_status batch_residual(aside *s, int32_t first, const float *target, mmc_match_score *scores) {
    mmc_match_pair *p = s->p;
    MMC_TRY(mmc_match_pair_load(p, 1, s->permuted));
    MMC_TRY(mmc_match_pair_render(p, first, p->batch));
    for (int i = 0; i < p->model->unit_count; i++) {
        MMC_TRY(mmc_match_pair_unit(p, i));
        if (i == 0) {
            const mmc_activation a = mmc_network_output(p->net[0], 0), b = mmc_network_output(p->net[1], 0);
            MMC_TRY(mmc_match_pair_add(p, 0, true, &a, &b));
            MMC_TRY(mmc_match_pair_solve(p, 0, s->step, &scores[0]));
        }
        MMC_TRY(match_readers(s, i + 1, target, scores));
    }
    return MMC_OK;
}

static mmc_status residual(mmc_match_pair *p, int32_t *permutation, mmc_match_score *scores, int batches,
                           const float *target, const float *state) {
    mmc_status status = MMC_OK;
    aside s;
    int32_t *before = malloc((size_t)p->groups->total * sizeof *before);
    MMC_GOTO(cleanup, open_aside(&s, p));
    if (!before) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: a permutation of %d units", p->groups->total);
        goto cleanup;
    }
    for (int b = 0; b < batches; b++) {
        MMC_GOTO(cleanup, mmc_permutation_apply(s.permuted, state, p->model, p->groups, permutation));
        MMC_GOTO(cleanup, batch_residual(&s, (int32_t)b * p->batch, target, scores));
        memcpy(before, permutation, (size_t)p->groups->total * sizeof *before);
        mmc_permutation_compose(permutation, p->groups, before, s.step);
        MMC_GOTO(cleanup, mmc_match_pair_advance(p, b + 1, batches));
    }
cleanup:
    close_aside(&s);
    free(before);
    return status;
}

/* Every batch matches a layer from scratch, and permuting changes no activation but its order: only the last counts. */
static mmc_status plain(mmc_match_pair *p, int32_t *permutation, mmc_match_score *scores, int batches,
                        const float *state) {
    MMC_TRY(mmc_match_pair_load(p, 1, state));
    MMC_TRY(mmc_match_pair_render(p, (int32_t)(batches - 1) * p->batch, p->batch));
    for (int i = 0; i < p->model->unit_count; i++) {
        MMC_TRY(mmc_match_pair_unit(p, i));
        const mmc_activation a = mmc_network_output(p->net[0], i), b = mmc_network_output(p->net[1], i);
        const int g = p->groups->of_slot[i + 1];
        MMC_TRY(mmc_match_pair_add(p, g, true, &a, &b));
        MMC_TRY(mmc_match_pair_solve(p, g, permutation + p->groups->group[g].first, &scores[g]));
    }
    return mmc_match_pair_advance(p, batches, batches);
}

mmc_status mmc_match_authors(mmc_match_pair *p, int32_t *permutation, mmc_match_score *scores, int batches,
                             const float *target, const float *state) {
    mmc_permutation_identity(permutation, p->groups);
    MMC_TRY(mmc_match_pair_load(p, 0, target));
    if (p->model->spec.arch == MMC_ARCH_VGG13)
        return plain(p, permutation, scores, batches, state);
    return residual(p, permutation, scores, batches, target, state);
}
