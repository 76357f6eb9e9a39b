/* The plan of a network: what it keeps in memory, from which step to which, and where. Known to network_plan.c, which
 * makes it, and network.c, which runs it.
 *
 * Steps of a pass: unit i runs forward at step i, the head at step U, unit i runs backward at step 2U - i.
 *
 *     mmc_activation x = mmc_network_slot(net, unit->input), z = mmc_network_kept(net, i + 1);
 */
#ifndef MMC_RUNTIME_NETWORK_PLAN_H
#define MMC_RUNTIME_NETWORK_PLAN_H

#include "runtime/arena.h"
#include "runtime/network.h"
#include "runtime/recording.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    MMC_NETWORK_SLOTS = MMC_MODEL_UNITS + 1,
    /* Blocks of the activation arena: staged images, slots, kept convolutions, gradients of slots. */
    MMC_NETWORK_BLOCK_STAGE = 0,
    MMC_NETWORK_BLOCK_SLOT = 1,
    MMC_NETWORK_BLOCK_Z = MMC_NETWORK_BLOCK_SLOT + MMC_NETWORK_SLOTS,
    MMC_NETWORK_BLOCK_GRADIENT = MMC_NETWORK_BLOCK_Z + MMC_NETWORK_SLOTS,
    MMC_NETWORK_BLOCKS = MMC_NETWORK_BLOCK_GRADIENT + MMC_NETWORK_SLOTS
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
    mmc_arena_block block[MMC_NETWORK_BLOCKS];

    size_t running_count;
    float *statistics, *factor, *positions; /* (sets, running_count), (running_count), (running_count) */
    int32_t *partner;                       /* (running_count) */
    float *rep, *logits, *dlogits, *drep, *gradient;
    float *host_factor; /* staging of factor, (running_count) */
    int factor_n;       /* batch size that factor holds for */

    /* What changes from step to step lies at one place while it is read by recorded work; NULL where the backend
     * records nothing. */
    mmc_sample *samples; /* (batch_max) */
    int32_t *labels;     /* (batch_max), TRAIN */
    double *tally;       /* (2), TRAIN */
    double *mirror;      /* (1), TRAIN */
    mmc_recordings recordings;
};

static inline mmc_pack_mode mmc_network_pack_mode(mmc_network_mode mode) {
    return mode == MMC_NETWORK_EVAL ? MMC_PACK_EVAL : mode == MMC_NETWORK_STATS ? MMC_PACK_STATS : MMC_PACK_TRAIN;
}

/* The shape of a unit for a batch of n images. */
mmc_unit_shape mmc_network_unit_shape(const mmc_unit_info *unit, int n);

/* Views of the batch in hand: a slot, its gradient, and the convolution kept beside it. A network for statistics keeps
 * it in the slot itself, but where the backend puts off outputs with a residual (kernels/unit.h). */
mmc_activation mmc_network_slot(const mmc_network *net, int slot);
mmc_activation mmc_network_slot_gradient(const mmc_network *net, int slot);
mmc_activation mmc_network_kept(const mmc_network *net, int slot);

/* The packed weights of a unit. */
static inline void *mmc_network_packed(const mmc_network *net, int unit) {
    return (char *)net->parameters + net->packed[unit];
}

#ifdef __cplusplus
}
#endif
#endif
