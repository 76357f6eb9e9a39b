/* A model placed on a backend: planned memory, and forward, statistics and backward passes over batches (SPEC 2).
 *
 * Three arenas are planned at creation: parameters (packed weights), activations, workspace; nothing is allocated
 * later.
 *
 *     mmc_network *net;
 *     MMC_TRY(mmc_network_create(&net, be, model, MMC_NETWORK_EVAL, 256, 1));
 *     MMC_TRY(mmc_network_load(net, state, 1));               device vector (state_count); packs the weights
 *     MMC_TRY(mmc_network_pass(net, &store, samples, 256));   device samples -> mmc_network_logits(net)
 *
 * Loads, passes and steps that come again with the same shapes and addresses are recorded and launched as a whole on
 * backends that do so (runtime/recording.h); the results have the same bits. `samples` and labels may differ.
 */
#ifndef MMC_RUNTIME_NETWORK_H
#define MMC_RUNTIME_NETWORK_H

#include "runtime/backend.h"
#include "runtime/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_network_mode {
    MMC_NETWORK_EVAL,  /* stored statistics, folded */
    MMC_NETWORK_STATS, /* batch statistics, nothing kept for backward (BN pass of a path point) */
    MMC_NETWORK_TRAIN  /* batch statistics, kept for backward */
} mmc_network_mode;

typedef struct mmc_network mmc_network;

/* Plans and allocates. Errors: MMC_ERR_MEMORY says what each arena needs. Owns: the caller, mmc_network_free. */
mmc_status mmc_network_create(mmc_network **out, mmc_backend *be, const mmc_model *model, mmc_network_mode mode,
                              int batch_max, int sets_max);
void mmc_network_free(mmc_network *net);

typedef struct mmc_network_memory {
    size_t parameters_bytes, activations_bytes, workspace_bytes;
} mmc_network_memory;
mmc_network_memory mmc_network_memory_used(const mmc_network *net);

/* Takes the weights of `sets` states (T,state_count): packs them. The vector must stay in place for the passes. */
mmc_status mmc_network_load(mmc_network *net, const float *state, int sets);

/* Fills the input slot: rendered samples, or images (n,3,H,32) f32 of the host (tests, foreign data). Sets the batch
 * size. */
mmc_status mmc_network_render(mmc_network *net, const mmc_image_store *store, const mmc_sample *samples, int n);
mmc_status mmc_network_images(mmc_network *net, const float *images, int n);

/* Forward through all units and the head. STATS stops before the head. */
mmc_status mmc_network_forward(mmc_network *net);

/* One unit of a forward pass, for those who look between the units: all of them, in order, with an output that holds
 * until the unit after the last one that reads it (at least until the next unit runs). */
mmc_status mmc_network_forward_unit(mmc_network *net, int unit);
mmc_activation mmc_network_output(const mmc_network *net, int unit);

/* Render and forward in one; EVAL and STATS. */
mmc_status mmc_network_pass(mmc_network *net, const mmc_image_store *store, const mmc_sample *samples, int n);

/* One batch of training; device memory. */
typedef struct mmc_network_step_call {
    const float *state; /* (state_count) */
    const mmc_image_store *store;
    const mmc_sample *samples; /* (n) */
    const int32_t *labels;     /* (n); mmc_network_step_begin: or NULL */
    int n;
    double *tally;        /* out: sum of the losses, correct answers */
    const double *mirror; /* (1): the loss is mirror[0] |1 - mean cross-entropy|; NULL: the mean cross-entropy */
} mmc_network_step_call;

/* Load, render, forward, loss and backward in one: leaves statistics and gradient; TRAIN only. */
mmc_status mmc_network_step(mmc_network *net, const mmc_network_step_call *call);

/* The two halves of a step, for a loss that more is added to: begin ends with the gradient of the head and of the
 * representation, end goes on from there to the first unit. Between them the caller may add to mmc_network_drep.
 * Without labels there is no cross-entropy: the head's gradient is zero, and the caller fills mmc_network_drep. */
mmc_status mmc_network_step_begin(mmc_network *net, const mmc_network_step_call *call);
mmc_status mmc_network_step_end(mmc_network *net);

/* Gradient of every parameter (parameter_count) from dlogits (n,K) in mmc_network_dlogits; TRAIN only. */
mmc_status mmc_network_backward(mmc_network *net);

/* Device pointers, valid until the next pass. */
const float *mmc_network_logits(const mmc_network *net);         /* (T,n,K) */
const float *mmc_network_representation(const mmc_network *net); /* (T,n,8w) */
float *mmc_network_dlogits(const mmc_network *net);              /* (n,K) */
float *mmc_network_drep(const mmc_network *net);                 /* (n,8w) */
float *mmc_network_gradient(const mmc_network *net);             /* (parameter_count) */

/* Batch statistics of the last forward: (T, state_count - parameter_count), laid out like the running values; biased
 * variances. `factor` turns them into unbiased ones for this batch size; `positions` and `partner` are
 * kernels/flat.h's. */
const float *mmc_network_statistics(const mmc_network *net);
const float *mmc_network_unbias_factor(const mmc_network *net);
const float *mmc_network_positions(const mmc_network *net);
const int32_t *mmc_network_partner(const mmc_network *net);

#ifdef __cplusplus
}
#endif
#endif
