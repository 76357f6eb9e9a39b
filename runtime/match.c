#include "runtime/match.h"

#include "runtime/clock.h"
#include "runtime/match_pair.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LOGIT_IMAGES = 16 };

const char *mmc_match_method_name(mmc_match_method method) {
    static const char *const name[MMC_MATCH_METHODS] = {"activation", "activation-authors", "weight"};
    return name[method];
}

mmc_match_config mmc_match_defaults(void) {
    return (mmc_match_config){.method = MMC_MATCH_ACTIVATION,
                              .batch = 128,
                              .author_batches = MMC_MATCH_AUTHORS_BATCHES,
                              .starts = 5,
                              .seed = 1};
}

/* One correlation a group over all images, then one assignment each. */
static mmc_status match_exact(mmc_match_pair *p, mmc_match_result *out, const float *target, const float *state) {
    MMC_TRY(mmc_match_pair_load(p, 0, target));
    MMC_TRY(mmc_match_pair_load(p, 1, state));
    for (int32_t first = 0; first < p->count; first += p->batch) {
        const int n = p->count - first < p->batch ? (int)(p->count - first) : p->batch;
        MMC_TRY(mmc_match_pair_render(p, first, n));
        for (int i = 0; i < p->model->unit_count; i++) {
            MMC_TRY(mmc_match_pair_unit(p, i));
            const int g = p->groups->of_slot[i + 1];
            if (p->groups->group[g].unit != i)
                continue;
            const mmc_activation a = mmc_network_output(p->net[0], i), b = mmc_network_output(p->net[1], i);
            MMC_TRY(mmc_match_pair_add(p, g, first == 0, &a, &b));
        }
        MMC_TRY(mmc_match_pair_advance(p, 2 * (int64_t)(first + n), 2 * (int64_t)p->count));
    }
    for (int g = 0; g < p->groups->count; g++)
        MMC_TRY(mmc_match_pair_solve(p, g, out->permutation + p->groups->group[g].first, &out->score[g]));
    out->images = p->count;
    return MMC_OK;
}

static mmc_status match_authors(mmc_match_pair *p, mmc_match_result *out, const mmc_match_config *config,
                                const float *target, const float *state) {
    int batches = p->count / config->batch;
    if (batches < 1)
        return mmc_fail(MMC_ERR_MISSING,
                        "matching the authors' way needs a whole batch of %d images, the train split "
                        "has %d; use --method activation",
                        config->batch, (int)p->count);
    if (batches > config->author_batches)
        batches = config->author_batches;
    MMC_TRY(mmc_match_authors(p, out->permutation, out->score, batches, target, state));
    out->images = batches * p->batch;
    return MMC_OK;
}

static mmc_status match_activations(mmc_match_result *out, mmc_backend *be, const mmc_model *model,
                                    const mmc_dataset *data, const mmc_match_config *config, const float *target,
                                    const float *state, const mmc_progress *progress) {
    mmc_status status = MMC_OK;
    mmc_match_pair pair;
    MMC_GOTO(cleanup, mmc_match_pair_open(&pair, be, model, &out->groups, data, config->batch, progress));
    if (config->method == MMC_MATCH_ACTIVATION_AUTHORS)
        MMC_GOTO(cleanup, match_authors(&pair, out, config, target, state));
    else
        MMC_GOTO(cleanup, match_exact(&pair, out, target, state));
    out->forward_s = pair.forward_s;
    out->correlation_s = pair.correlation_s;
    out->assignment_s = pair.assignment_s;
cleanup:
    mmc_match_pair_close(&pair);
    return status;
}

/* Logits of a model on images drawn at random: any input shows whether two models are the same function. */
static mmc_status logits_of(float *logits, mmc_network *net, mmc_backend *be, void *device, const mmc_model *model,
                            const float *state, const float *images) {
    MMC_TRY(be->memory->upload(be, device, state, model->state_count * sizeof *state));
    MMC_TRY(mmc_network_load(net, device, 1));
    MMC_TRY(mmc_network_images(net, images, LOGIT_IMAGES));
    MMC_TRY(mmc_network_forward(net));
    return be->memory->download(be, logits, mmc_network_logits(net),
                                (size_t)LOGIT_IMAGES * (size_t)model->spec.classes * sizeof *logits);
}

static mmc_status check_function(mmc_match_result *out, mmc_backend *be, const mmc_model *model, const float *state) {
    mmc_status status = MMC_OK;
    const size_t pixels = (size_t)LOGIT_IMAGES * 3 * (size_t)model->spec.height * 32;
    const size_t count = (size_t)LOGIT_IMAGES * (size_t)model->spec.classes;
    mmc_network *net = NULL;
    void *device = NULL;
    float *images = malloc(pixels * sizeof *images), *before = malloc(2 * count * sizeof *before);
    if (!images || !before) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: comparing the logits of %d images", LOGIT_IMAGES);
        goto cleanup;
    }
    for (size_t i = 0; i < pixels; i++)
        images[i] = 2.0f * mmc_rng_uniform(mmc_rng_at(0, MMC_RNG_MATCH, UINT32_MAX, i)) - 1.0f;
    MMC_GOTO(cleanup, mmc_network_create(&net, be, model, MMC_NETWORK_EVAL, LOGIT_IMAGES, 1));
    MMC_GOTO(cleanup, be->memory->alloc(be, &device, model->state_count * sizeof *state));
    MMC_GOTO(cleanup, logits_of(before, net, be, device, model, state, images));
    MMC_GOTO(cleanup, logits_of(before + count, net, be, device, model, out->state, images));
    for (size_t i = 0; i < count; i++) {
        const double difference = fabs((double)before[count + i] - (double)before[i]);
        out->largest_logit = fmax(out->largest_logit, fabs((double)before[i]));
        if (!(difference <= out->max_logit_difference))
            out->max_logit_difference = difference;
    }
    if (!(out->max_logit_difference <= 1e-4 * out->largest_logit))
        status =
            mmc_fail(MMC_ERR_WRONG, "the permuted model computes another function: logits of up to %g differ by %g",
                     out->largest_logit, out->max_logit_difference);
cleanup:
    mmc_network_free(net);
    be->memory->free(be, device);
    free(images);
    free(before);
    return status;
}

mmc_status mmc_match(mmc_match_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                     const mmc_match_config *config, const float *target, const float *state,
                     const mmc_progress *progress) {
    mmc_status status = MMC_OK;
    const double start = mmc_clock_s();
    *out = (mmc_match_result){0};
    mmc_permutation_groups_of(&out->groups, model);
    out->permutation = malloc((size_t)out->groups.total * sizeof *out->permutation);
    out->state = malloc(model->state_count * sizeof *out->state);
    if (!out->permutation || !out->state) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: a permuted model of %zu values", model->state_count);
        goto fail;
    }
    if (config->method == MMC_MATCH_WEIGHT)
        MMC_GOTO(fail, mmc_match_weight(out->permutation, out->score, &out->weight, model, &out->groups, target, state,
                                        config->starts, config->seed));
    else
        MMC_GOTO(fail, match_activations(out, be, model, data, config, target, state, progress));
    MMC_GOTO(fail, mmc_permutation_apply(out->state, state, model, &out->groups, out->permutation));
    MMC_GOTO(fail, check_function(out, be, model, state));
    out->wall_s = mmc_clock_s() - start;
    return MMC_OK;
fail:
    mmc_match_result_close(out);
    return status;
}

void mmc_match_result_close(mmc_match_result *result) {
    free(result->permutation);
    free(result->state);
    *result = (mmc_match_result){0};
}
