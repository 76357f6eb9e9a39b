#include "runtime/network.h"

#include "runtime/arena.h"

#include <stdlib.h>
#include <string.h>

enum {
    IMAGE_CHANNELS = 3,
    IMAGE_COLUMNS = 32,
    SLOTS = MMC_MODEL_UNITS + 1,
    /* Blocks of the activation arena: staged images, slots, kept convolutions, gradients of slots. */
    BLOCK_STAGE = 0,
    BLOCK_SLOT = 1,
    BLOCK_Z = BLOCK_SLOT + SLOTS,
    BLOCK_GRADIENT = BLOCK_Z + SLOTS,
    BLOCKS = BLOCK_GRADIENT + SLOTS
};

struct mmc_network {
    mmc_backend *be;
    const mmc_model *model;
    mmc_network_mode mode;
    int batch_max, sets_max;
    int n, sets;        /* of the pass in hand */
    const float *state; /* (sets, state_count), the caller's */
    mmc_network_memory memory;

    void *parameters, *activations, *workspace, *vectors; /* the arenas, and the small vectors */
    size_t packed[MMC_MODEL_UNITS]; /* offsets into parameters, one set each apart by the pack's size */
    mmc_arena_block block[BLOCKS];

    size_t running_count;
    float *statistics, *factor, *positions; /* (sets, running_count), (running_count), (running_count) */
    int32_t *partner;                       /* (running_count) */
    float *rep, *logits, *dlogits, *drep, *gradient;
    float *host_factor; /* staging of factor, (running_count) */
    int factor_n;       /* batch size that factor holds for */
};

static const mmc_unit_info *unit_of(const mmc_network *net, int i) {
    return &net->model->units[i];
}

static mmc_pack_mode pack_mode(mmc_network_mode mode) {
    return mode == MMC_NETWORK_EVAL ? MMC_PACK_EVAL : mode == MMC_NETWORK_STATS ? MMC_PACK_STATS : MMC_PACK_TRAIN;
}

static mmc_unit_shape unit_shape(const mmc_unit_info *u, int n) {
    return (mmc_unit_shape){.n = n,
                            .c = u->c,
                            .h = u->h,
                            .w = u->w,
                            .k = u->k,
                            .r = u->r,
                            .stride = u->stride,
                            .relu = u->relu,
                            .residual = u->residual >= 0};
}

/* --- views into the activation arena --- */

static mmc_activation view(const mmc_network *net, int block, int slot, int n) {
    mmc_activation a = {.t = net->sets, .n = n};
    if (slot == 0) {
        a.t = 1; /* the images are the same for all sets */
        a.c = IMAGE_CHANNELS;
        a.h = net->model->spec.height;
        a.w = IMAGE_COLUMNS;
    } else {
        mmc_unit_shape shape = unit_shape(unit_of(net, slot - 1), n);
        a.c = shape.k;
        a.h = mmc_unit_out_h(&shape);
        a.w = mmc_unit_out_w(&shape);
    }
    if (net->activations)
        a.data = (char *)net->activations + net->block[block + slot].offset;
    return a;
}

static mmc_activation slot_view(const mmc_network *net, int slot) {
    return view(net, BLOCK_SLOT, slot, net->n);
}

static mmc_activation gradient_view(const mmc_network *net, int slot) {
    return view(net, BLOCK_GRADIENT, slot, net->n);
}

static size_t slot_size(const mmc_network *net, int slot) {
    mmc_activation a = view(net, BLOCK_SLOT, slot, net->batch_max);
    return net->be->unit->activation_size(net->be->queue, a.t, a.n, a.c, a.h, a.w);
}

/* --- planning --- */

/* Steps of a pass: unit i runs forward at step i, the head at step U, unit i runs backward at step 2U - i. */
static int backward_step(const mmc_network *net, int unit) {
    return 2 * net->model->unit_count - unit;
}

static void use_at(mmc_arena_block *b, int step) {
    if (step < b->first)
        b->first = step;
    if (step > b->last)
        b->last = step;
}

static void plan_activations(mmc_network *net) {
    const int units = net->model->unit_count;
    const bool train = net->mode == MMC_NETWORK_TRAIN;
    for (int s = 0; s <= units; s++) {
        int written = s > 0 ? s - 1 : 0;
        net->block[BLOCK_SLOT + s] = (mmc_arena_block){.size = slot_size(net, s), .first = written, .last = written};
        if (!train)
            continue;
        size_t kept = s > 0 ? slot_size(net, s) : 0; /* the images need no gradient */
        int back = backward_step(net, s - 1);
        net->block[BLOCK_Z + s] = (mmc_arena_block){.size = kept, .first = written, .last = back};
        net->block[BLOCK_GRADIENT + s] = (mmc_arena_block){.size = kept, .first = back, .last = back};
        if (s > 0)
            use_at(&net->block[BLOCK_SLOT + s], back);
    }
    for (int i = 0; i < units; i++) {
        const int read[2] = {unit_of(net, i)->input, unit_of(net, i)->residual};
        for (int j = 0; j < 2; j++) {
            if (read[j] < 0)
                continue;
            use_at(&net->block[BLOCK_SLOT + read[j]], i);
            if (train) {
                use_at(&net->block[BLOCK_SLOT + read[j]], backward_step(net, i));
                use_at(&net->block[BLOCK_GRADIENT + read[j]], backward_step(net, i));
            }
        }
    }
    use_at(&net->block[BLOCK_SLOT + units], units);
    if (train)
        use_at(&net->block[BLOCK_GRADIENT + units], units);
    net->block[BLOCK_STAGE] = (mmc_arena_block){.size = (size_t)net->batch_max * IMAGE_CHANNELS *
                                                        (size_t)net->model->spec.height * IMAGE_COLUMNS * sizeof(float),
                                                .first = -1,
                                                .last = -1};
    net->block[BLOCK_SLOT].first = -1; /* filled from the stage */
    net->memory.activations_bytes = mmc_arena_plan(net->block, BLOCKS);
}

static void plan_parameters(mmc_network *net) {
    for (int i = 0; i < net->model->unit_count; i++) {
        mmc_unit_shape shape = unit_shape(unit_of(net, i), net->batch_max);
        net->packed[i] = net->memory.parameters_bytes;
        size_t size = net->be->unit->pack_size(net->be->queue, &shape, pack_mode(net->mode), net->sets_max);
        net->memory.parameters_bytes += (size + MMC_ARENA_ALIGN - 1) / MMC_ARENA_ALIGN * MMC_ARENA_ALIGN;
        size_t workspace = net->be->unit->workspace_size(net->be->queue, &shape, pack_mode(net->mode), net->sets_max);
        if (workspace > net->memory.workspace_bytes)
            net->memory.workspace_bytes = workspace;
    }
}

static mmc_status allocate(mmc_network *net, void **out, size_t size, const char *what) {
    if (size == 0)
        return MMC_OK;
    mmc_status status = net->be->memory->alloc(net->be, out, size);
    if (status == MMC_OK)
        status = net->be->memory->zero(net->be, *out, size);
    if (status != MMC_OK)
        return mmc_fail_context(status,
                                "%s of %s, width %d, batch %d (parameters %zu, activations %zu, workspace %zu "
                                "bytes)",
                                what, mmc_arch_name(net->model->spec.arch), net->model->spec.width, net->batch_max,
                                net->memory.parameters_bytes, net->memory.activations_bytes,
                                net->memory.workspace_bytes);
    return MMC_OK;
}

/* The next `count` four-byte values of the vectors' memory; NULL where `base` is, or where none are wanted. */
static void *take(char *base, size_t *offset, size_t count) {
    void *at = base && count ? base + *offset : NULL;
    *offset += (count * sizeof(float) + MMC_ARENA_ALIGN - 1) / MMC_ARENA_ALIGN * MMC_ARENA_ALIGN;
    return at;
}

/* The small vectors lie in one allocation, one after another; `base` NULL only measures. */
static size_t place_vectors(mmc_network *net, char *base) {
    const bool train = net->mode == MMC_NETWORK_TRAIN;
    const size_t rows = (size_t)net->sets_max * (size_t)net->batch_max;
    const size_t classes = (size_t)net->model->spec.classes, features = (size_t)net->model->features;
    size_t offset = 0;
    net->statistics = take(base, &offset, (size_t)net->sets_max * net->running_count);
    net->factor = take(base, &offset, net->running_count);
    net->positions = take(base, &offset, net->running_count);
    net->partner = take(base, &offset, net->running_count);
    net->rep = take(base, &offset, rows * features);
    net->logits = take(base, &offset, rows * classes);
    net->dlogits = take(base, &offset, train ? rows * classes : 0);
    net->drep = take(base, &offset, train ? rows * features : 0);
    net->gradient = take(base, &offset, train ? net->model->parameter_count : 0);
    return offset;
}

/* What pooling statistics needs to know of every running value. */
static mmc_status describe_running_values(mmc_network *net) {
    mmc_status status = MMC_OK;
    float *positions = malloc(net->running_count * sizeof *positions);
    int32_t *partner = malloc(net->running_count * sizeof *partner);
    net->host_factor = malloc(net->running_count * sizeof *net->host_factor);
    if (!positions || !partner || !net->host_factor) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: tables of %zu running values", net->running_count);
        goto cleanup;
    }
    for (int i = 0; i < net->model->unit_count; i++) {
        const mmc_unit_info *u = unit_of(net, i);
        mmc_unit_shape shape = unit_shape(u, 1);
        size_t mean = u->mean - net->model->parameter_count, var = u->var - net->model->parameter_count;
        for (size_t k = 0; k < (size_t)u->k; k++) {
            positions[mean + k] = positions[var + k] = (float)(mmc_unit_out_h(&shape) * mmc_unit_out_w(&shape));
            partner[mean + k] = partner[var + k] = (int32_t)(mean + k);
        }
    }
    MMC_GOTO(cleanup, net->be->memory->upload(net->be, net->positions, positions, net->running_count * sizeof(float)));
    MMC_GOTO(cleanup, net->be->memory->upload(net->be, net->partner, partner, net->running_count * sizeof(int32_t)));
    MMC_GOTO(cleanup, net->be->memory->sync(net->be));
cleanup:
    free(positions);
    free(partner);
    return status;
}

mmc_status mmc_network_create(mmc_network **out, mmc_backend *be, const mmc_model *model, mmc_network_mode mode,
                              int batch_max, int sets_max) {
    mmc_status status = MMC_OK;
    *out = NULL;
    if (batch_max < 1 || sets_max < 1 || (mode == MMC_NETWORK_TRAIN && sets_max > 1))
        return mmc_fail(MMC_ERR_RANGE, "a network of batch %d and %d weight sets: give 1 or more, and one set to train",
                        batch_max, sets_max);
    mmc_network *net = calloc(1, sizeof *net);
    if (!net)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: a network's plan needs %zu bytes", sizeof *net);
    net->be = be;
    net->model = model;
    net->mode = mode;
    net->batch_max = batch_max;
    net->sets_max = net->sets = sets_max;
    net->running_count = model->state_count - model->parameter_count;
    plan_parameters(net);
    plan_activations(net);
    MMC_GOTO(fail, allocate(net, &net->parameters, net->memory.parameters_bytes, "packed weights"));
    MMC_GOTO(fail, allocate(net, &net->activations, net->memory.activations_bytes, "activations"));
    MMC_GOTO(fail, allocate(net, &net->workspace, net->memory.workspace_bytes, "workspace"));
    MMC_GOTO(fail, allocate(net, &net->vectors, place_vectors(net, NULL), "vectors"));
    place_vectors(net, net->vectors);
    MMC_GOTO(fail, describe_running_values(net));
    net->sets = 0;
    *out = net;
    return MMC_OK;
fail:
    mmc_network_free(net);
    return status;
}

void mmc_network_free(mmc_network *net) {
    if (!net)
        return;
    net->be->memory->free(net->be, net->parameters);
    net->be->memory->free(net->be, net->activations);
    net->be->memory->free(net->be, net->workspace);
    net->be->memory->free(net->be, net->vectors);
    free(net->host_factor);
    free(net);
}

mmc_network_memory mmc_network_memory_used(const mmc_network *net) {
    return net->memory;
}

/* --- passes --- */

static void *packed_of(const mmc_network *net, int unit) {
    return (char *)net->parameters + net->packed[unit];
}

mmc_status mmc_network_load(mmc_network *net, const float *state, int sets) {
    if (sets < 1 || sets > net->sets_max)
        return mmc_fail(MMC_ERR_RANGE, "%d weight sets for a network planned for %d", sets, net->sets_max);
    net->state = state;
    net->sets = sets;
    for (int i = 0; i < net->model->unit_count; i++) {
        mmc_unit_shape shape = unit_shape(unit_of(net, i), net->batch_max);
        MMC_TRY(net->be->unit->pack(net->be->queue, packed_of(net, i), &shape, pack_mode(net->mode), sets,
                                    state + unit_of(net, i)->weight, net->model->state_count));
    }
    return MMC_OK;
}

static mmc_status set_batch(mmc_network *net, int n) {
    if (n < 1 || n > net->batch_max)
        return mmc_fail(MMC_ERR_RANGE, "a batch of %d images for a network planned for %d", n, net->batch_max);
    net->n = n;
    if (net->factor_n == n || net->mode == MMC_NETWORK_EVAL)
        return MMC_OK;
    for (int i = 0; i < net->model->unit_count; i++) {
        const mmc_unit_info *u = unit_of(net, i);
        mmc_unit_shape shape = unit_shape(u, n);
        double m = (double)n * mmc_unit_out_h(&shape) * mmc_unit_out_w(&shape);
        size_t mean = u->mean - net->model->parameter_count, var = u->var - net->model->parameter_count;
        for (size_t k = 0; k < (size_t)u->k; k++) {
            net->host_factor[mean + k] = 1.0f;
            net->host_factor[var + k] = (float)(m / (m - 1));
        }
    }
    net->factor_n = n;
    return net->be->memory->upload(net->be, net->factor, net->host_factor, net->running_count * sizeof(float));
}

mmc_status mmc_network_render(mmc_network *net, const mmc_image_store *store, const mmc_sample *samples, int n) {
    MMC_TRY(set_batch(net, n));
    if (store->height != net->model->spec.height)
        return mmc_fail(MMC_ERR_SHAPE, "images of %d rows for a network planned for %d", store->height,
                        net->model->spec.height);
    mmc_activation input = slot_view(net, 0);
    return net->be->unit->render(net->be->queue, &input, store, samples);
}

mmc_status mmc_network_images(mmc_network *net, const float *images, int n) {
    MMC_TRY(set_batch(net, n));
    mmc_activation input = slot_view(net, 0);
    float *stage = (float *)((char *)net->activations + net->block[BLOCK_STAGE].offset);
    MMC_TRY(net->be->memory->upload(net->be, stage, images, mmc_activation_count(&input) * sizeof(float)));
    return net->be->unit->put(net->be->queue, &input, stage);
}

static mmc_status forward_eval(mmc_network *net, int i) {
    const mmc_unit_info *u = unit_of(net, i);
    mmc_activation x = slot_view(net, u->input), y = slot_view(net, i + 1), residual = {0};
    if (u->residual >= 0)
        residual = slot_view(net, u->residual);
    return net->be->unit->eval(net->be->queue, &(mmc_unit_eval_call){
                                                   .shape = unit_shape(u, net->n),
                                                   .sets = net->sets,
                                                   .y = &y,
                                                   .x = &x,
                                                   .packed = packed_of(net, i),
                                                   .gamma = net->state + u->gamma,
                                                   .beta = net->state + u->beta,
                                                   .mean = net->state + u->mean,
                                                   .var = net->state + u->var,
                                                   .set_stride = net->model->state_count,
                                                   .residual = u->residual >= 0 ? &residual : NULL,
                                                   .workspace = net->workspace,
                                               });
}

static mmc_status forward_train(mmc_network *net, int i) {
    const mmc_unit_info *u = unit_of(net, i);
    mmc_activation x = slot_view(net, u->input), y = slot_view(net, i + 1), z = y, residual = {0};
    if (net->mode == MMC_NETWORK_TRAIN)
        z = view(net, BLOCK_Z, i + 1, net->n);
    if (u->residual >= 0)
        residual = slot_view(net, u->residual);
    return net->be->unit->train(net->be->queue, &(mmc_unit_train_call){
                                                    .shape = unit_shape(u, net->n),
                                                    .sets = net->sets,
                                                    .y = &y,
                                                    .z = &z,
                                                    .mean = net->statistics + (u->mean - net->model->parameter_count),
                                                    .var = net->statistics + (u->var - net->model->parameter_count),
                                                    .stat_stride = net->running_count,
                                                    .x = &x,
                                                    .packed = packed_of(net, i),
                                                    .gamma = net->state + u->gamma,
                                                    .beta = net->state + u->beta,
                                                    .set_stride = net->model->state_count,
                                                    .residual = u->residual >= 0 ? &residual : NULL,
                                                    .workspace = net->workspace,
                                                });
}

mmc_status mmc_network_forward(mmc_network *net) {
    const mmc_model *m = net->model;
    for (int i = 0; i < m->unit_count; i++)
        MMC_TRY(net->mode == MMC_NETWORK_EVAL ? forward_eval(net, i) : forward_train(net, i));
    if (net->mode == MMC_NETWORK_STATS)
        return MMC_OK;
    mmc_activation last = slot_view(net, m->unit_count);
    MMC_TRY(net->be->unit->pool(net->be->queue, net->rep, &last));
    return net->be->flat->head(net->be->queue, &(mmc_head_call){.sets = net->sets,
                                                                .n = net->n,
                                                                .c = m->features,
                                                                .k = m->spec.classes,
                                                                .logits = net->logits,
                                                                .rep = net->rep,
                                                                .w = net->state + m->head_weight,
                                                                .b = net->state + m->head_bias,
                                                                .set_stride = m->state_count});
}

mmc_status mmc_network_backward(mmc_network *net) {
    const mmc_model *m = net->model;
    if (net->mode != MMC_NETWORK_TRAIN)
        return mmc_fail(MMC_ERR_USAGE, "backward pass of a network that was not planned for training");
    bool written[SLOTS] = {false};
    MMC_TRY(net->be->flat->head_backward(net->be->queue, &(mmc_head_backward_call){.n = net->n,
                                                                                   .c = m->features,
                                                                                   .k = m->spec.classes,
                                                                                   .drep = net->drep,
                                                                                   .dw = net->gradient + m->head_weight,
                                                                                   .db = net->gradient + m->head_bias,
                                                                                   .dlogits = net->dlogits,
                                                                                   .rep = net->rep,
                                                                                   .w = net->state + m->head_weight}));
    mmc_activation last = gradient_view(net, m->unit_count);
    MMC_TRY(net->be->unit->pool_backward(net->be->queue, &last, net->drep));
    for (int i = m->unit_count - 1; i >= 0; i--) {
        const mmc_unit_info *u = unit_of(net, i);
        mmc_activation x = slot_view(net, u->input), y = slot_view(net, i + 1), z = view(net, BLOCK_Z, i + 1, net->n);
        mmc_activation dy = gradient_view(net, i + 1), dx = {0}, dresidual = {0};
        mmc_unit_backward_call call = {.shape = unit_shape(u, net->n),
                                       .dw = net->gradient + u->weight,
                                       .dgamma = net->gradient + u->gamma,
                                       .dbeta = net->gradient + u->beta,
                                       .dy = &dy,
                                       .y = &y,
                                       .z = &z,
                                       .x = &x,
                                       .packed = packed_of(net, i),
                                       .gamma = net->state + u->gamma,
                                       .mean = net->statistics + (u->mean - m->parameter_count),
                                       .var = net->statistics + (u->var - m->parameter_count),
                                       .workspace = net->workspace};
        if (u->residual >= 0) {
            dresidual = gradient_view(net, u->residual);
            call.dresidual = &dresidual;
            call.dresidual_add = written[u->residual];
            written[u->residual] = true;
        }
        if (u->input > 0) {
            dx = gradient_view(net, u->input);
            call.dx = &dx;
            call.dx_add = written[u->input];
            written[u->input] = true;
        }
        MMC_TRY(net->be->unit->backward(net->be->queue, &call));
    }
    return MMC_OK;
}

const float *mmc_network_logits(const mmc_network *net) {
    return net->logits;
}

const float *mmc_network_representation(const mmc_network *net) {
    return net->rep;
}

float *mmc_network_dlogits(const mmc_network *net) {
    return net->dlogits;
}

const float *mmc_network_gradient(const mmc_network *net) {
    return net->gradient;
}

const float *mmc_network_statistics(const mmc_network *net) {
    return net->statistics;
}

const float *mmc_network_unbias_factor(const mmc_network *net) {
    return net->factor;
}

const float *mmc_network_positions(const mmc_network *net) {
    return net->positions;
}

const int32_t *mmc_network_partner(const mmc_network *net) {
    return net->partner;
}
