#include "runtime/match_weight.h"

#include "kernels/products.h"
#include "runtime/match_solver.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct matcher {
    const mmc_model *model;
    const mmc_permutation_groups *groups;
    const float *target, *state;
    size_t length; /* of the longest unit of any group: its values in all parameters */
    int units;     /* of the largest group */
    float *a, *b;  /* (units, length): a group's units, target's and the model's as the other groups permute it */
    int32_t *column;
    mmc_match_solver solver;
    double *score;   /* (units, units): the solver's costs */
    void *workspace; /* of the products */
} matcher;

/* --- a group's parameters as a matrix: one row a unit --- */

static size_t unit_length(const mmc_model *model, const mmc_permutation_groups *groups, int g) {
    size_t length = 0;
    for (int i = 0; i < model->unit_count; i++) {
        const mmc_unit_info *u = &model->units[i];
        const size_t taps = (size_t)u->r * (size_t)u->r;
        if (groups->of_slot[i + 1] == g)
            length += (size_t)u->c * taps + 2;
        if (groups->of_slot[u->input] == g)
            length += (size_t)u->k * taps;
    }
    if (groups->of_slot[model->unit_count] == g)
        length += (size_t)model->spec.classes;
    return length;
}

/* Appends to every row of `out` the filter of this unit of `in`, inputs in the order `inputs` (NULL: as they are). */
static size_t take_outputs(float *out, size_t at, size_t length, const float *in, const mmc_unit_info *u,
                           const int32_t *inputs) {
    const size_t taps = (size_t)u->r * (size_t)u->r;
    for (int k = 0; k < u->k; k++)
        for (int c = 0; c < u->c; c++) {
            const size_t from = (size_t)k * (size_t)u->c + (size_t)(inputs ? inputs[c] : c);
            memcpy(out + (size_t)k * length + at + (size_t)c * taps, in + u->weight + from * taps, taps * sizeof *out);
        }
    at += (size_t)u->c * taps;
    for (int k = 0; k < u->k; k++) {
        out[(size_t)k * length + at] = in[u->gamma + (size_t)k];
        out[(size_t)k * length + at + 1] = in[u->beta + (size_t)k];
    }
    return at + 2;
}

/* Appends to every row what a consumer of (rows, columns, taps) weights multiplies this channel with, its own outputs
 * in the order `outputs`. */
static size_t take_inputs(float *out, size_t at, size_t length, const float *weight, int rows, int columns, size_t taps,
                          const int32_t *outputs) {
    for (int c = 0; c < columns; c++)
        for (int k = 0; k < rows; k++) {
            const size_t from = (size_t)(outputs ? outputs[k] : k) * (size_t)columns + (size_t)c;
            memcpy(out + (size_t)c * length + at + (size_t)k * taps, weight + from * taps, taps * sizeof *out);
        }
    return at + (size_t)rows * taps;
}

static const int32_t *order_of(const matcher *m, const int32_t *permutation, int slot) {
    const int g = m->groups->of_slot[slot];
    return g < 0 || !permutation ? NULL : permutation + m->groups->group[g].first;
}

/* Rows of group g of `in`, whose other groups are permuted (permutation NULL: they are not). */
static void gather(const matcher *m, float *out, size_t length, int g, const float *in, const int32_t *permutation) {
    const mmc_model *model = m->model;
    size_t at = 0;
    for (int i = 0; i < model->unit_count; i++) {
        const mmc_unit_info *u = &model->units[i];
        if (m->groups->of_slot[i + 1] == g)
            at = take_outputs(out, at, length, in, u, order_of(m, permutation, u->input));
        if (m->groups->of_slot[u->input] == g)
            at = take_inputs(out, at, length, in + u->weight, u->k, u->c, (size_t)u->r * (size_t)u->r,
                             order_of(m, permutation, i + 1));
    }
    if (m->groups->of_slot[model->unit_count] == g)
        take_inputs(out, at, length, in + model->head_weight, model->spec.classes, model->features, 1, NULL);
}

static double inner(const float *a, const float *b, size_t count) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static double score_of(const matcher *m, int units, const int32_t *column) {
    double sum = 0;
    for (int i = 0; i < units; i++)
        sum += m->score[(size_t)i * (size_t)units + (size_t)column[i]];
    return sum;
}

/* What group g scores depends on the groups that some weight joins it to: they are to be looked at again. */
static void mark_stale(const matcher *m, bool *stale, int g) {
    for (int i = 0; i < m->model->unit_count; i++) {
        const int in = m->groups->of_slot[m->model->units[i].input], out = m->groups->of_slot[i + 1];
        if (in == g)
            stale[out] = true;
        if (out == g && in >= 0)
            stale[in] = true;
    }
}

/* The best assignment of group g given the others; `moved` where it is better than the one that stands. */
static mmc_status improve(matcher *m, int32_t *permutation, mmc_match_score *out, bool *moved, int g) {
    const mmc_permutation_group *group = &m->groups->group[g];
    const size_t length = unit_length(m->model, m->groups, g);
    gather(m, m->a, length, g, m->target, NULL);
    gather(m, m->b, length, g, m->state, permutation);
    MMC_TRY(mmc_own_products(m->score, m->a, m->b, group->units, length, m->workspace));
    mmc_assign_result result;
    if (mmc_match_solver_solve(&m->solver, group->units, m->column, &result) != MMC_OK)
        return mmc_fail(MMC_ERR_WRONG, "group %s cannot be matched: its weights are not finite", group->name);
    const double old = score_of(m, group->units, permutation + group->first),
                 best = score_of(m, group->units, m->column);
    if (best > old + 1e-12 * fabs(old)) {
        memcpy(permutation + group->first, m->column, (size_t)group->units * sizeof *permutation);
        *moved = true;
    }
    *out = (mmc_match_score){.score = best > old ? best : old, .gap = (double)result.gap, .unique = result.unique == 1};
    return MMC_OK;
}

/* One descent from the identity to a fixed point. */
static mmc_status descend(matcher *m, int32_t *permutation, mmc_match_score *scores, int *sweeps, int start,
                          uint64_t seed) {
    const int count = m->groups->count;
    int32_t order[MMC_MODEL_UNITS];
    bool stale[MMC_MODEL_UNITS];
    mmc_permutation_identity(permutation, m->groups);
    for (int g = 0; g < count; g++)
        stale[g] = true;
    for (int sweep = 0; sweep < MMC_MATCH_SWEEPS; sweep++) {
        bool moved = false;
        for (int32_t g = 0; g < count; g++)
            order[g] = g;
        if (start > 0)
            mmc_rng_permutation(order, (size_t)count, seed, MMC_RNG_MATCH,
                                (uint32_t)start * MMC_MATCH_SWEEPS + (uint32_t)sweep);
        for (int i = 0; i < count; i++) {
            const int g = order[i];
            bool changed = false;
            if (!stale[g])
                continue; /* would find what stands */
            stale[g] = false;
            MMC_TRY(improve(m, permutation, &scores[g], &changed, g));
            if (changed)
                mark_stale(m, stale, g);
            moved |= changed;
        }
        if (!moved) {
            *sweeps = sweep + 1;
            return MMC_OK;
        }
    }
    return mmc_fail(MMC_ERR_WRONG, "weight matching found no fixed point in %d sweeps over the groups",
                    MMC_MATCH_SWEEPS);
}

static mmc_status prepare(matcher *m) {
    m->length = 1;
    m->units = 1;
    for (int g = 0; g < m->groups->count; g++) {
        const size_t length = unit_length(m->model, m->groups, g) * (size_t)m->groups->group[g].units;
        if (length > m->length)
            m->length = length;
        if (m->groups->group[g].units > m->units)
            m->units = m->groups->group[g].units;
    }
    m->a = malloc(m->length * sizeof *m->a);
    m->b = malloc(m->length * sizeof *m->b);
    m->column = malloc((size_t)m->units * sizeof *m->column);
    m->workspace = aligned_alloc(64, mmc_products_workspace_size(m->units));
    if (!m->a || !m->b || !m->column || !m->workspace)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: matching %d units by their %zu weights", m->units, m->length);
    MMC_TRY(mmc_match_solver_open(&m->solver, m->units, MMC_ASSIGN_F64));
    m->score = m->solver.cost;
    return MMC_OK;
}

static void release(matcher *m) {
    free(m->a);
    free(m->b);
    free(m->column);
    free(m->workspace);
    mmc_match_solver_close(&m->solver);
}

mmc_status mmc_match_weight(int32_t *permutation, mmc_match_score *scores, mmc_match_weight_report *report,
                            const mmc_model *model, const mmc_permutation_groups *groups, const float *target,
                            const float *state, int starts, uint64_t seed) {
    mmc_status status = MMC_OK;
    matcher m = {.model = model, .groups = groups, .target = target, .state = state};
    mmc_match_score found[MMC_MODEL_UNITS];
    if (starts < 1 || starts > 1000)
        return mmc_fail(MMC_ERR_RANGE, "%d descents of weight matching: give 1 to 1000", starts);
    int32_t *trial = malloc((size_t)groups->total * sizeof *trial);
    float *permuted = malloc(model->state_count * sizeof *permuted);
    if (!trial || !permuted) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: matching a model of %zu values", model->state_count);
        goto cleanup;
    }
    MMC_GOTO(cleanup, prepare(&m));
    report->before = inner(target, state, model->parameter_count);
    report->after = -INFINITY;
    for (int start = 0; start < starts; start++) {
        int sweeps = 0;
        MMC_GOTO(cleanup, descend(&m, trial, found, &sweeps, start, seed));
        MMC_GOTO(cleanup, mmc_permutation_apply(permuted, state, model, groups, trial));
        const double after = inner(target, permuted, model->parameter_count);
        if (after <= report->after)
            continue;
        report->after = after;
        report->start = start;
        report->sweeps = sweeps;
        memcpy(permutation, trial, (size_t)groups->total * sizeof *trial);
        memcpy(scores, found, (size_t)groups->count * sizeof *found);
    }
cleanup:
    release(&m);
    free(trial);
    free(permuted);
    return status;
}
