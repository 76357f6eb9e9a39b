#include "runtime/small_match.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* BLOCK: samples that pass through both models at a time, each an image of one position. */
enum { BLOCK = 1024, CHECK_SAMPLES = 1000 };

double mmc_small_pattern_distance(const float *a, const float *b, int32_t samples) {
    double sum = 0;
    for (int32_t i = 0; i < samples; i++)
        sum += fabs((double)a[i] - (double)b[i]);
    return sum / samples;
}

/* --- the correlation of hidden units ---------------------------------------------------------------------------------
 */

/* Hidden units as a convolution of 1x1: relu(W^T x + bias w_last), the batch norm carrying the bias alone. */
typedef struct layer {
    void *weights, *packed, *output; /* device; weights (K,C), then gamma, beta, mean, var (K) each */
} layer;

typedef struct pair {
    mmc_backend *be;
    const mmc_small_config *config;
    layer layer[2];                                                  /* target, model */
    void *input, *dense, *workspace, *state, *correlator, *r, *cost; /* device */
    size_t correlator_size;
    int block;   /* samples of a whole block */
    int tail;    /* samples of the last block */
    float *host; /* (K,C) and 4 (K) */
    int32_t *host_cost;
} pair;

static mmc_unit_shape unit_shape(const mmc_small_config *c, int samples) {
    return (mmc_unit_shape){
        .n = samples, .c = c->inputs, .h = 1, .w = 1, .k = c->hidden, .r = 1, .stride = 1, .relu = true};
}

static mmc_activation activation(void *data, int samples, int channels) {
    return (mmc_activation){.data = data, .t = 1, .n = samples, .c = channels, .h = 1, .w = 1};
}

static mmc_status layer_load(pair *p, layer *l, const float *w) {
    const mmc_small_config *c = p->config;
    const size_t units = (size_t)c->hidden, inputs = (size_t)c->inputs;
    const mmc_mlp_shape shape = mmc_small_shape(c, 1);
    float *gamma = p->host + units * inputs;
    for (size_t k = 0; k < units; k++) {
        for (size_t d = 0; d < inputs; d++)
            p->host[k * inputs + d] = w[d * units + k];
        gamma[k] = (float)sqrt(1 + MMC_BN_EPS);
        gamma[units + k] = shape.bias != 0 ? shape.bias * w[inputs * units + k] : 0; /* beta */
        gamma[2 * units + k] = 0;
        gamma[3 * units + k] = 1;
    }
    const mmc_memory_ops *memory = p->be->memory;
    const mmc_unit_ops *ops = p->be->unit;
    const mmc_unit_shape unit = unit_shape(c, p->block);
    const size_t size = units * (inputs + 4) * sizeof(float);
    MMC_TRY(memory->alloc(p->be, &l->weights, size));
    MMC_TRY(memory->upload(p->be, l->weights, p->host, size));
    MMC_TRY(memory->alloc(p->be, &l->packed, ops->pack_size(p->be->queue, &unit, MMC_PACK_EVAL, 1)));
    MMC_TRY(memory->alloc(p->be, &l->output, ops->activation_size(p->be->queue, 1, p->block, c->hidden, 1, 1)));
    return ops->pack(p->be->queue, l->packed, &unit, MMC_PACK_EVAL, 1, l->weights, 0);
}

static mmc_status pair_open(pair *p, mmc_backend *be, const mmc_small_config *c, const float *target, const float *w,
                            int32_t samples) {
    const size_t units = (size_t)c->hidden, inputs = (size_t)c->inputs;
    const mmc_memory_ops *memory = be->memory;
    *p = (pair){.be = be, .config = c, .block = samples < BLOCK ? (int)samples : BLOCK};
    if (!be->correlation)
        return mmc_fail(MMC_ERR_UNSUPPORTED,
                        "provider %s of backend %s cannot correlate activations; match with --provider own or "
                        "--provider reference",
                        be->provider, be->name);
    p->host = malloc(units * (inputs + 4) * sizeof *p->host);
    p->host_cost = malloc(units * units * sizeof *p->host_cost);
    if (!p->host || !p->host_cost)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the correlation of %zu units", units);
    MMC_TRY(layer_load(p, &p->layer[0], target));
    MMC_TRY(layer_load(p, &p->layer[1], w));
    const mmc_unit_shape unit = unit_shape(c, p->block);
    const mmc_activation output = activation(NULL, p->block, c->hidden);
    p->correlator_size = be->correlation->workspace_size(be->queue, &output, &output);
    MMC_TRY(memory->alloc(be, &p->correlator, p->correlator_size));
    MMC_TRY(memory->alloc(be, &p->workspace, be->unit->workspace_size(be->queue, &unit, MMC_PACK_EVAL, 1)));
    MMC_TRY(memory->alloc(be, &p->input, be->unit->activation_size(be->queue, 1, p->block, c->inputs, 1, 1)));
    MMC_TRY(memory->alloc(be, &p->dense, (size_t)p->block * inputs * sizeof(float)));
    MMC_TRY(memory->alloc(be, &p->state, mmc_correlation_state_count(c->hidden, c->hidden) * sizeof(double)));
    MMC_TRY(memory->alloc(be, &p->r, units * units * sizeof(float)));
    return memory->alloc(be, &p->cost, units * units * sizeof(int32_t));
}

static void pair_close(pair *p) {
    void *const device[] = {p->layer[0].weights,
                            p->layer[0].packed,
                            p->layer[0].output,
                            p->layer[1].weights,
                            p->layer[1].packed,
                            p->layer[1].output,
                            p->input,
                            p->dense,
                            p->workspace,
                            p->state,
                            p->correlator,
                            p->r,
                            p->cost};
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        p->be->memory->free(p->be, device[i]);
    free(p->host);
    free(p->host_cost);
}

/* One block of samples through both models into the correlation. */
static mmc_status add_block(pair *p, const mmc_small_data *data, int32_t first, int count) {
    const int inputs = p->config->inputs, units = p->config->hidden;
    const mmc_unit_shape unit = unit_shape(p->config, count);
    mmc_queue *queue = p->be->queue;
    mmc_activation x = activation(p->input, count, inputs), y[2];
    MMC_TRY(p->be->memory->upload(p->be, p->dense, data->x + (size_t)first * (size_t)inputs,
                                  (size_t)count * (size_t)inputs * sizeof(float)));
    MMC_TRY(p->be->unit->put(queue, &x, p->dense));
    for (int i = 0; i < 2; i++) {
        layer *l = &p->layer[i];
        const float *weights = l->weights, *gamma = weights + (size_t)units * (size_t)inputs;
        y[i] = activation(l->output, count, units);
        MMC_TRY(p->be->unit->eval(queue, &(mmc_unit_eval_call){.shape = unit,
                                                               .sets = 1,
                                                               .y = &y[i],
                                                               .x = &x,
                                                               .packed = l->packed,
                                                               .gamma = gamma,
                                                               .beta = gamma + units,
                                                               .mean = gamma + 2 * (size_t)units,
                                                               .var = gamma + 3 * (size_t)units,
                                                               .workspace = p->workspace}));
    }
    return p->be->correlation->add(queue, &(mmc_correlation_call){.first = first == 0,
                                                                  .state = p->state,
                                                                  .a = &y[0],
                                                                  .b = &y[1],
                                                                  .relu = false,
                                                                  .workspace = p->correlator,
                                                                  .workspace_size = p->correlator_size});
}

/* The integers that the assignments maximise, (N,N) in p->host_cost. */
static mmc_status correlate(pair *p, const mmc_small_data *data) {
    const size_t entries = (size_t)p->config->hidden * (size_t)p->config->hidden;
    for (int32_t first = 0; first < data->samples; first += BLOCK) {
        const int32_t left = data->samples - first;
        MMC_TRY(add_block(p, data, first, left < BLOCK ? (int)left : BLOCK));
    }
    MMC_TRY(p->be->correlation->finish(p->be->queue, &(mmc_correlation_finish){.state = p->state,
                                                                               .a = p->config->hidden,
                                                                               .b = p->config->hidden,
                                                                               .samples = data->samples,
                                                                               .r = p->r,
                                                                               .cost = p->cost}));
    float *r = malloc(entries * sizeof *r);
    if (!r)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the correlation of %d units", p->config->hidden);
    mmc_status status = p->be->memory->download(p->be, r, p->r, entries * sizeof *r);
    for (size_t i = 0; status == MMC_OK && i < entries; i++)
        if (!isfinite(r[i]))
            status = mmc_fail(MMC_ERR_WRONG,
                              "the correlation of hidden units %zu and %zu is not finite; the weights "
                              "of a small model are broken",
                              i / (size_t)p->config->hidden, i % (size_t)p->config->hidden);
    free(r);
    MMC_TRY(status);
    return p->be->memory->download(p->be, p->host_cost, p->cost, entries * sizeof *p->host_cost);
}

/* --- assignment ----------------------------------------------------------------------------------------------------
 */

/* Within the runs of units of equal a. `memory`: 2 N potentials. */
static mmc_status assign(mmc_small_match_result *out, int32_t *permutation, const mmc_small_config *c,
                         const int32_t *cost, int64_t *memory) {
    const int problems = c->output == MMC_SMALL_ONES ? 1 : 2, each = c->hidden / problems;
    const size_t units = (size_t)c->hidden;
    mmc_assign_problem problem[2];
    mmc_assign_result result[2];
    for (int i = 0; i < problems; i++)
        problem[i] = (mmc_assign_problem){
            .rows = each, .columns = each, .cost = (size_t)i * (size_t)each * (units + 1), .stride = units};
    mmc_assign_call call = {.problems = problems,
                            .problem = problem,
                            .type = MMC_ASSIGN_I32,
                            .maximise = true,
                            .cost = cost,
                            .column = permutation,
                            .u = memory,
                            .v = memory + units,
                            .result = result};
    call.workspace_size = mmc_own_assign_ops()->workspace_size(NULL, &call);
    void *workspace = aligned_alloc(64, (call.workspace_size + 63) / 64 * 64 + 64);
    if (!workspace)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: the assignment of %d units", c->hidden);
    call.workspace = workspace;
    mmc_status status = mmc_own_assign_ops()->solve(NULL, &call);
    free(workspace);
    MMC_TRY(status);
    MMC_TRY(mmc_assign_results_check(result, problems));
    for (int i = 0; i < problems; i++) {
        out->score += (double)result[i].total / MMC_CORRELATION_ONE;
        out->duality_gap += (double)result[i].gap;
        for (int k = 0; k < each; k++)
            permutation[i * each + k] += i * each;
    }
    return MMC_OK;
}

/* --- the same function ---------------------------------------------------------------------------------------------
 */

static void units_permute(float *out, const float *w, const mmc_small_config *c, const int32_t *permutation) {
    const size_t units = (size_t)c->hidden, rows = mmc_small_weights(c) / units;
    for (size_t d = 0; d < rows; d++)
        for (size_t i = 0; i < units; i++)
            out[d * units + i] = w[d * units + (size_t)permutation[i]];
}

static mmc_status check_function(mmc_small_match_result *out, const float *permuted, const float *w, mmc_backend *be,
                                 const mmc_small_config *c, const mmc_small_data *data) {
    mmc_small_data some = *data;
    some.samples = data->samples < CHECK_SAMPLES ? data->samples : CHECK_SAMPLES;
    const size_t weights = mmc_small_weights(c), samples = (size_t)some.samples;
    float *both = malloc(2 * weights * sizeof *both), *f = malloc(2 * samples * sizeof *f);
    mmc_status status = MMC_OK;
    double largest = 0;
    if (!both || !f) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: comparing the outputs of two small models");
        goto cleanup;
    }
    memcpy(both, w, weights * sizeof *both);
    memcpy(both + weights, permuted, weights * sizeof *both);
    MMC_GOTO(cleanup, mmc_small_outputs(f, be, c, both, 2, &some));
    for (size_t i = 0; i < samples; i++) {
        const double difference = fabs((double)f[samples + i] - (double)f[i]);
        largest = fmax(largest, fabs((double)f[i]));
        if (!(difference <= out->max_output_difference))
            out->max_output_difference = difference;
    }
    if (!(out->max_output_difference <= 1e-4 * largest))
        status = mmc_fail(MMC_ERR_WRONG,
                          "the permuted small model computes another function: outputs of up to %g differ by %g",
                          largest, out->max_output_difference);
cleanup:
    free(both);
    free(f);
    return status;
}

mmc_status mmc_small_match(mmc_small_match_result *out, float *permuted, int32_t *permutation, mmc_backend *be,
                           const mmc_small_config *config, const float *target, const float *w,
                           const mmc_small_data *data) {
    pair p;
    *out = (mmc_small_match_result){.samples = data->samples};
    int64_t *potentials = malloc(2 * (size_t)config->hidden * sizeof *potentials);
    mmc_status status = potentials ? pair_open(&p, be, config, target, w, data->samples)
                                   : mmc_fail(MMC_ERR_MEMORY, "out of memory: %d potentials", 2 * config->hidden);
    if (!potentials)
        return status;
    if (status == MMC_OK)
        status = correlate(&p, data);
    if (status == MMC_OK)
        status = assign(out, permutation, config, p.host_cost, potentials);
    pair_close(&p);
    free(potentials);
    MMC_TRY(status);
    units_permute(permuted, w, config, permutation);
    return check_function(out, permuted, w, be, config, data);
}
