/* Planning, creation and release of networks. */
#include "runtime/network_plan.h"

#include "runtime/room.h"

#include <limits.h>
#include <stdlib.h>

enum { IMAGE_CHANNELS = 3, IMAGE_COLUMNS = 32 };

static const mmc_unit_info *unit_of(const mmc_network *net, int i) {
    return &net->model->units[i];
}

mmc_unit_shape mmc_network_unit_shape(const mmc_unit_info *u, int n) {
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
        mmc_unit_shape shape = mmc_network_unit_shape(unit_of(net, slot - 1), n);
        a.c = shape.k;
        a.h = mmc_unit_out_h(&shape);
        a.w = mmc_unit_out_w(&shape);
    }
    if (net->activations)
        a.data = (char *)net->activations + net->block[block + slot].offset;
    return a;
}

/* Whether a network for statistics keeps the convolution of a slot in memory of its own: where its output is put off
 * until it is read, and reads a residual then (kernels/unit.h). */
static bool kept_apart(const mmc_network *net, int slot) {
    return net->mode == MMC_NETWORK_TRAIN ||
           (net->mode == MMC_NETWORK_STATS && net->be->defers && unit_of(net, slot - 1)->residual >= 0);
}

mmc_activation mmc_network_slot(const mmc_network *net, int slot) {
    return view(net, MMC_NETWORK_BLOCK_SLOT, slot, net->n);
}

mmc_activation mmc_network_slot_gradient(const mmc_network *net, int slot) {
    return view(net, MMC_NETWORK_BLOCK_GRADIENT, slot, net->n);
}

mmc_activation mmc_network_kept(const mmc_network *net, int slot) {
    return view(net, kept_apart(net, slot) ? MMC_NETWORK_BLOCK_Z : MMC_NETWORK_BLOCK_SLOT, slot, net->n);
}

static size_t slot_size(const mmc_network *net, int slot) {
    mmc_activation a = view(net, MMC_NETWORK_BLOCK_SLOT, slot, net->batch_max);
    return net->be->unit->activation_size(net->be->queue, a.t, a.n, a.c, a.h, a.w);
}

/* --- planning --- */

static int backward_step(const mmc_network *net, int unit) {
    return 2 * net->model->unit_count - unit;
}

static void use_at(mmc_arena_block *b, int step) {
    if (step < b->first)
        b->first = step;
    if (step > b->last)
        b->last = step;
}

/* The step at which each slot is first really read where outputs are put off: as input when its unit runs, as residual
 * when that unit's own output is first read. A slot that nobody reads has the step at which it is written. */
static void find_first_reads(const mmc_network *net, int *first) {
    const int units = net->model->unit_count;
    for (int s = units; s > 0; s--) {
        first[s] = s == units && net->mode != MMC_NETWORK_STATS ? units : INT_MAX;
        for (int i = s; i < units; i++) {
            if (unit_of(net, i)->input == s && i < first[s])
                first[s] = i;
            if (unit_of(net, i)->residual == s && first[i + 1] < first[s])
                first[s] = first[i + 1];
        }
        if (first[s] == INT_MAX)
            first[s] = s - 1;
    }
}

/* A network for statistics whose outputs are put off: what y = relu(b + residual) is made of lives until y is read.
 * Without a residual that is y's own memory, which lives as long anyway; a network for training keeps it all. */
static void plan_deferral(mmc_network *net) {
    int first[MMC_NETWORK_SLOTS];
    find_first_reads(net, first);
    for (int i = 0; i < net->model->unit_count; i++) {
        if (!kept_apart(net, i + 1))
            continue;
        net->block[MMC_NETWORK_BLOCK_Z + i + 1] =
            (mmc_arena_block){.size = slot_size(net, i + 1), .first = i, .last = first[i + 1]};
        use_at(&net->block[MMC_NETWORK_BLOCK_SLOT + unit_of(net, i)->residual], first[i + 1]);
    }
}

static void plan_activations(mmc_network *net) {
    const int units = net->model->unit_count;
    const bool train = net->mode == MMC_NETWORK_TRAIN;
    for (int s = 0; s <= units; s++) {
        int written = s > 0 ? s - 1 : 0;
        net->block[MMC_NETWORK_BLOCK_SLOT + s] =
            (mmc_arena_block){.size = slot_size(net, s), .first = written, .last = written};
        if (!train)
            continue;
        size_t kept = s > 0 ? slot_size(net, s) : 0; /* the images need no gradient */
        int back = backward_step(net, s - 1);
        net->block[MMC_NETWORK_BLOCK_Z + s] = (mmc_arena_block){.size = kept, .first = written, .last = back};
        net->block[MMC_NETWORK_BLOCK_GRADIENT + s] = (mmc_arena_block){.size = kept, .first = back, .last = back};
        if (s > 0)
            use_at(&net->block[MMC_NETWORK_BLOCK_SLOT + s], back);
    }
    for (int i = 0; i < units; i++) {
        const int read[2] = {unit_of(net, i)->input, unit_of(net, i)->residual};
        for (int j = 0; j < 2; j++) {
            if (read[j] < 0)
                continue;
            use_at(&net->block[MMC_NETWORK_BLOCK_SLOT + read[j]], i);
            if (train) {
                use_at(&net->block[MMC_NETWORK_BLOCK_SLOT + read[j]], backward_step(net, i));
                use_at(&net->block[MMC_NETWORK_BLOCK_GRADIENT + read[j]], backward_step(net, i));
            }
        }
    }
    use_at(&net->block[MMC_NETWORK_BLOCK_SLOT + units], units);
    if (train)
        use_at(&net->block[MMC_NETWORK_BLOCK_GRADIENT + units], units);
    else
        plan_deferral(net);
    net->block[MMC_NETWORK_BLOCK_STAGE] =
        (mmc_arena_block){.size = (size_t)net->batch_max * IMAGE_CHANNELS * (size_t)net->model->spec.height *
                                  IMAGE_COLUMNS * sizeof(float),
                          .first = -1,
                          .last = -1};
    net->block[MMC_NETWORK_BLOCK_SLOT].first = -1; /* filled from the stage */
    net->memory.activations_bytes = mmc_arena_plan(net->block, MMC_NETWORK_BLOCKS);
}

static void plan_parameters(mmc_network *net) {
    for (int i = 0; i < net->model->unit_count; i++) {
        mmc_unit_shape shape = mmc_network_unit_shape(unit_of(net, i), net->batch_max);
        net->packed[i] = net->memory.parameters_bytes;
        size_t size = net->be->unit->pack_size(net->be->queue, &shape, mmc_network_pack_mode(net->mode), net->sets_max);
        net->memory.parameters_bytes += (size + MMC_ARENA_ALIGN - 1) / MMC_ARENA_ALIGN * MMC_ARENA_ALIGN;
        size_t workspace =
            net->be->unit->workspace_size(net->be->queue, &shape, mmc_network_pack_mode(net->mode), net->sets_max);
        if (workspace > net->memory.workspace_bytes)
            net->memory.workspace_bytes = workspace;
    }
}

static mmc_status say_plan(mmc_status status, const mmc_network *net, const char *what) {
    return mmc_fail_context(status,
                            "%s of %s, width %d, batch %d (parameters %zu, activations %zu, workspace %zu "
                            "bytes)",
                            what, mmc_arch_name(net->model->spec.arch), net->model->spec.width, net->batch_max,
                            net->memory.parameters_bytes, net->memory.activations_bytes, net->memory.workspace_bytes);
}

static mmc_status allocate(mmc_network *net, void **out, size_t size, const char *what) {
    if (size == 0)
        return MMC_OK;
    mmc_status status = net->be->memory->alloc(net->be, out, size);
    if (status == MMC_OK)
        status = net->be->memory->zero(net->be, *out, size);
    return status == MMC_OK ? MMC_OK : say_plan(status, net, what);
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
    const bool recorded = net->be->graph != NULL;
    net->samples = take(base, &offset, recorded ? (size_t)net->batch_max * sizeof(mmc_sample) / sizeof(float) : 0);
    net->labels = take(base, &offset, recorded && train ? (size_t)net->batch_max : 0);
    net->tally = take(base, &offset, recorded && train ? 2 * sizeof(double) / sizeof(float) : 0);
    net->mirror = take(base, &offset, recorded && train ? sizeof(double) / sizeof(float) : 0);
    return offset;
}

/* The whole plan at once, so that nothing is allocated of one that does not fit. */
static mmc_status check_room(mmc_network *net) {
    const size_t vectors = place_vectors(net, NULL);
    mmc_status status = mmc_room_check(net->be, net->memory.parameters_bytes + net->memory.activations_bytes +
                                                    net->memory.workspace_bytes + vectors);
    return status == MMC_OK ? MMC_OK : say_plan(status, net, "memory");
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
        mmc_unit_shape shape = mmc_network_unit_shape(u, 1);
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
    MMC_GOTO(fail, check_room(net));
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
    mmc_recordings_close(&net->recordings, net->be);
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
