#include "runtime/network.h"

#include "runtime/network_plan.h"
#include "runtime/trace.h"

static const mmc_unit_info *unit_of(const mmc_network *net, int i) {
    return &net->model->units[i];
}

/* What recordings of a network are of, with all that their operations are given. */
enum { RECORD_LOAD, RECORD_PASS, RECORD_STEP, RECORD_BEGIN, RECORD_END };

static mmc_recording_key recording_key(const mmc_network *net, int kind, const mmc_image_store *store) {
    mmc_recording_key key = {.kind = kind, .shape = {net->sets}, .address = {net->state}};
    if (store) {
        key.shape[1] = net->n;
        key.shape[2] = store->channels;
        key.address[1] = store->natural;
        key.address[2] = store->top;
    }
    return key;
}

static mmc_status load(mmc_network *net, const float *state, int sets) {
    if (sets < 1 || sets > net->sets_max)
        return mmc_fail(MMC_ERR_RANGE, "%d weight sets for a network planned for %d", sets, net->sets_max);
    net->state = state;
    net->sets = sets;
    return MMC_OK;
}

static mmc_status pack_weights(void *user) {
    mmc_network *net = user;
    for (int i = 0; i < net->model->unit_count; i++) {
        mmc_unit_shape shape = mmc_network_unit_shape(unit_of(net, i), net->batch_max);
        mmc_trace_begin_unit("pack", &shape, net->sets);
        MMC_TRY(mmc_trace_end(net->be->unit->pack(net->be->queue, mmc_network_packed(net, i), &shape,
                                                  mmc_network_pack_mode(net->mode), net->sets,
                                                  net->state + unit_of(net, i)->weight, net->model->state_count)));
    }
    return MMC_OK;
}

mmc_status mmc_network_load(mmc_network *net, const float *state, int sets) {
    MMC_TRY(load(net, state, sets));
    mmc_recording_key key = recording_key(net, RECORD_LOAD, NULL);
    return mmc_recordings_run(&net->recordings, net->be, &key, pack_weights, net);
}

static mmc_status set_batch(mmc_network *net, int n) {
    if (n < 1 || n > net->batch_max)
        return mmc_fail(MMC_ERR_RANGE, "a batch of %d images for a network planned for %d", n, net->batch_max);
    net->n = n;
    if (net->factor_n == n || net->mode == MMC_NETWORK_EVAL)
        return MMC_OK;
    for (int i = 0; i < net->model->unit_count; i++) {
        const mmc_unit_info *u = unit_of(net, i);
        mmc_unit_shape shape = mmc_network_unit_shape(u, n);
        double m = (double)n * mmc_unit_out_h(&shape) * mmc_unit_out_w(&shape);
        size_t mean = u->mean - net->model->parameter_count, var = u->var - net->model->parameter_count;
        for (size_t k = 0; k < (size_t)u->k; k++) {
            net->host_factor[mean + k] = 1.0f;
            net->host_factor[var + k] = (float)(m / (m - 1));
        }
    }
    MMC_TRY(net->be->memory->upload(net->be, net->factor, net->host_factor, net->running_count * sizeof(float)));
    net->factor_n = n;
    return MMC_OK;
}

static mmc_status set_images(mmc_network *net, const mmc_image_store *store, int n) {
    if (store->height != net->model->spec.height)
        return mmc_fail(MMC_ERR_SHAPE, "images of %d rows for a network planned for %d", store->height,
                        net->model->spec.height);
    return set_batch(net, n);
}

static mmc_status render(mmc_network *net, const mmc_image_store *store, const mmc_sample *samples) {
    mmc_activation input = mmc_network_slot(net, 0);
    mmc_trace_begin(MMC_TRACE_OPERATION, "render");
    return mmc_trace_end(net->be->unit->render(net->be->queue, &input, store, samples));
}

mmc_status mmc_network_render(mmc_network *net, const mmc_image_store *store, const mmc_sample *samples, int n) {
    MMC_TRY(set_images(net, store, n));
    return render(net, store, samples);
}

mmc_status mmc_network_images(mmc_network *net, const float *images, int n) {
    MMC_TRY(set_batch(net, n));
    mmc_activation input = mmc_network_slot(net, 0);
    float *stage = (float *)((char *)net->activations + net->block[MMC_NETWORK_BLOCK_STAGE].offset);
    MMC_TRY(net->be->memory->upload(net->be, stage, images, mmc_activation_count(&input) * sizeof(float)));
    return net->be->unit->put(net->be->queue, &input, stage);
}

static mmc_status forward_eval(mmc_network *net, int i) {
    const mmc_unit_info *u = unit_of(net, i);
    mmc_activation x = mmc_network_slot(net, u->input), y = mmc_network_slot(net, i + 1), residual = {0};
    if (u->residual >= 0)
        residual = mmc_network_slot(net, u->residual);
    const mmc_unit_shape shape = mmc_network_unit_shape(u, net->n);
    mmc_trace_begin_unit("unit eval", &shape, net->sets);
    return mmc_trace_end(net->be->unit->eval(net->be->queue, &(mmc_unit_eval_call){
                                                                 .shape = shape,
                                                                 .sets = net->sets,
                                                                 .y = &y,
                                                                 .x = &x,
                                                                 .packed = mmc_network_packed(net, i),
                                                                 .gamma = net->state + u->gamma,
                                                                 .beta = net->state + u->beta,
                                                                 .mean = net->state + u->mean,
                                                                 .var = net->state + u->var,
                                                                 .set_stride = net->model->state_count,
                                                                 .residual = u->residual >= 0 ? &residual : NULL,
                                                                 .workspace = net->workspace,
                                                             }));
}

static mmc_status forward_train(mmc_network *net, int i) {
    const mmc_unit_info *u = unit_of(net, i);
    mmc_activation x = mmc_network_slot(net, u->input), y = mmc_network_slot(net, i + 1),
                   z = mmc_network_kept(net, i + 1), residual = {0};
    if (u->residual >= 0)
        residual = mmc_network_slot(net, u->residual);
    const mmc_unit_shape shape = mmc_network_unit_shape(u, net->n);
    mmc_trace_begin_unit("unit train", &shape, net->sets);
    return mmc_trace_end(
        net->be->unit->train(net->be->queue, &(mmc_unit_train_call){
                                                 .shape = shape,
                                                 .sets = net->sets,
                                                 .y = &y,
                                                 .z = &z,
                                                 .mean = net->statistics + (u->mean - net->model->parameter_count),
                                                 .var = net->statistics + (u->var - net->model->parameter_count),
                                                 .stat_stride = net->running_count,
                                                 .x = &x,
                                                 .packed = mmc_network_packed(net, i),
                                                 .gamma = net->state + u->gamma,
                                                 .beta = net->state + u->beta,
                                                 .set_stride = net->model->state_count,
                                                 .residual = u->residual >= 0 ? &residual : NULL,
                                                 .workspace = net->workspace,
                                             }));
}

mmc_status mmc_network_forward_unit(mmc_network *net, int unit) {
    return net->mode == MMC_NETWORK_EVAL ? forward_eval(net, unit) : forward_train(net, unit);
}

mmc_activation mmc_network_output(const mmc_network *net, int unit) {
    return mmc_network_slot(net, unit + 1);
}

mmc_status mmc_network_forward(mmc_network *net) {
    const mmc_model *m = net->model;
    for (int i = 0; i < m->unit_count; i++)
        MMC_TRY(mmc_network_forward_unit(net, i));
    if (net->mode == MMC_NETWORK_STATS)
        return MMC_OK;
    mmc_activation last = mmc_network_slot(net, m->unit_count);
    mmc_trace_begin(MMC_TRACE_OPERATION, "pool");
    MMC_TRY(mmc_trace_end(net->be->unit->pool(net->be->queue, net->rep, &last)));
    mmc_trace_begin(MMC_TRACE_OPERATION, "head");
    return mmc_trace_end(net->be->flat->head(net->be->queue, &(mmc_head_call){.sets = net->sets,
                                                                              .n = net->n,
                                                                              .c = m->features,
                                                                              .k = m->spec.classes,
                                                                              .logits = net->logits,
                                                                              .rep = net->rep,
                                                                              .w = net->state + m->head_weight,
                                                                              .b = net->state + m->head_bias,
                                                                              .set_stride = m->state_count}));
}

static mmc_status backward_head(mmc_network *net) {
    const mmc_model *m = net->model;
    mmc_trace_begin(MMC_TRACE_OPERATION, "head backward");
    return mmc_trace_end(
        net->be->flat->head_backward(net->be->queue, &(mmc_head_backward_call){.n = net->n,
                                                                               .c = m->features,
                                                                               .k = m->spec.classes,
                                                                               .drep = net->drep,
                                                                               .dw = net->gradient + m->head_weight,
                                                                               .db = net->gradient + m->head_bias,
                                                                               .dlogits = net->dlogits,
                                                                               .rep = net->rep,
                                                                               .w = net->state + m->head_weight}));
}

/* From the gradient of the representation to the first unit. */
static mmc_status backward_body(mmc_network *net) {
    const mmc_model *m = net->model;
    bool written[MMC_NETWORK_SLOTS] = {false};
    mmc_activation last = mmc_network_slot_gradient(net, m->unit_count);
    mmc_trace_begin(MMC_TRACE_OPERATION, "pool backward");
    MMC_TRY(mmc_trace_end(net->be->unit->pool_backward(net->be->queue, &last, net->drep)));
    for (int i = m->unit_count - 1; i >= 0; i--) {
        const mmc_unit_info *u = unit_of(net, i);
        mmc_activation x = mmc_network_slot(net, u->input), y = mmc_network_slot(net, i + 1),
                       z = mmc_network_kept(net, i + 1);
        mmc_activation dy = mmc_network_slot_gradient(net, i + 1), dx = {0}, dresidual = {0};
        mmc_unit_backward_call call = {.shape = mmc_network_unit_shape(u, net->n),
                                       .dw = net->gradient + u->weight,
                                       .dgamma = net->gradient + u->gamma,
                                       .dbeta = net->gradient + u->beta,
                                       .dy = &dy,
                                       .y = &y,
                                       .z = &z,
                                       .x = &x,
                                       .packed = mmc_network_packed(net, i),
                                       .gamma = net->state + u->gamma,
                                       .mean = net->statistics + (u->mean - m->parameter_count),
                                       .var = net->statistics + (u->var - m->parameter_count),
                                       .workspace = net->workspace};
        if (u->residual >= 0) {
            dresidual = mmc_network_slot_gradient(net, u->residual);
            call.dresidual = &dresidual;
            call.dresidual_add = written[u->residual];
            written[u->residual] = true;
        }
        if (u->input > 0) {
            dx = mmc_network_slot_gradient(net, u->input);
            call.dx = &dx;
            call.dx_add = written[u->input];
            written[u->input] = true;
        }
        mmc_trace_begin_unit("unit backward", &call.shape, 1);
        MMC_TRY(mmc_trace_end(net->be->unit->backward(net->be->queue, &call)));
    }
    return MMC_OK;
}

mmc_status mmc_network_backward(mmc_network *net) {
    if (net->mode != MMC_NETWORK_TRAIN)
        return mmc_fail(MMC_ERR_USAGE, "backward pass of a network that was not planned for training");
    MMC_TRY(backward_head(net));
    return backward_body(net);
}

/* --- whole passes, recorded where the backend does so --- */

/* A pass in hand with the addresses that its operations are given. */
typedef struct pass {
    mmc_network *net;
    const mmc_image_store *store;
    const mmc_sample *samples;
    const int32_t *labels;
    double *tally;
    const double *mirror;
} pass;

static mmc_status render_and_forward(void *user) {
    const pass *p = user;
    MMC_TRY(render(p->net, p->store, p->samples));
    return mmc_network_forward(p->net);
}

mmc_status mmc_network_pass(mmc_network *net, const mmc_image_store *store, const mmc_sample *samples, int n) {
    if (net->mode == MMC_NETWORK_TRAIN)
        return mmc_fail(MMC_ERR_USAGE, "a pass of a network for training; it takes steps");
    MMC_TRY(set_images(net, store, n));
    pass p = {.net = net, .store = store, .samples = samples};
    if (net->samples) {
        MMC_TRY(net->be->memory->copy(net->be, net->samples, samples, (size_t)n * sizeof *samples));
        p.samples = net->samples;
    }
    mmc_recording_key key = recording_key(net, RECORD_PASS, store);
    mmc_trace_begin(MMC_TRACE_PHASE, net->mode == MMC_NETWORK_STATS ? "bn batch" : "eval batch");
    return mmc_trace_end(mmc_recordings_run(&net->recordings, net->be, &key, render_and_forward, &p));
}

static mmc_status run_loss(const pass *p) {
    mmc_network *net = p->net;
    const int classes = net->model->spec.classes;
    MMC_TRY(net->be->memory->zero(net->be, p->tally, 2 * sizeof *p->tally));
    mmc_trace_begin(MMC_TRACE_OPERATION, "loss");
    MMC_TRY(mmc_trace_end(net->be->flat->loss(net->be->queue, &(mmc_loss_call){.n = net->n,
                                                                               .k = classes,
                                                                               .tally = p->tally,
                                                                               .dlogits = net->dlogits,
                                                                               .gradient_scale = 1.0f / (float)net->n,
                                                                               .logits = net->logits,
                                                                               .labels = p->labels})));
    if (!p->mirror)
        return MMC_OK;
    mmc_trace_begin(MMC_TRACE_OPERATION, "mirror");
    return mmc_trace_end(net->be->flat->mirror(net->be->queue, net->dlogits, (size_t)net->n * (size_t)classes, p->tally,
                                               net->n, p->mirror));
}

static mmc_status run_begin(void *user) {
    const pass *p = user;
    mmc_network *net = p->net;
    const mmc_model *m = net->model;
    MMC_TRY(pack_weights(net));
    MMC_TRY(render_and_forward(user));
    if (!p->labels)
        return net->be->memory->zero(net->be, net->gradient + m->head_weight,
                                     (m->parameter_count - m->head_weight) * sizeof *net->gradient);
    MMC_TRY(run_loss(p));
    return backward_head(net);
}

static mmc_status run_step(void *user) {
    MMC_TRY(run_begin(user));
    return backward_body(((const pass *)user)->net);
}

static mmc_status run_end(void *user) {
    return backward_body(user);
}

/* Takes what a step is given to where recorded work reads it. */
static mmc_status stage(pass *p, mmc_network *net, const mmc_network_step_call *call) {
    const mmc_memory_ops *memory = net->be->memory;
    MMC_TRY(load(net, call->state, 1));
    MMC_TRY(set_images(net, call->store, call->n));
    *p = (pass){.net = net,
                .store = call->store,
                .samples = call->samples,
                .labels = call->labels,
                .tally = call->tally,
                .mirror = call->mirror};
    if (!net->samples)
        return MMC_OK;
    MMC_TRY(memory->copy(net->be, net->samples, call->samples, (size_t)call->n * sizeof *call->samples));
    p->samples = net->samples;
    if (!call->labels)
        return MMC_OK;
    MMC_TRY(memory->copy(net->be, net->labels, call->labels, (size_t)call->n * sizeof *call->labels));
    p->labels = net->labels;
    p->tally = net->tally;
    if (!call->mirror)
        return MMC_OK;
    p->mirror = net->mirror;
    return memory->copy(net->be, net->mirror, call->mirror, sizeof *call->mirror);
}

static mmc_status take_step(mmc_network *net, const mmc_network_step_call *call, int kind, mmc_recording_body body) {
    pass p;
    MMC_TRY(stage(&p, net, call));
    mmc_recording_key key = recording_key(net, kind, call->store);
    key.shape[3] = (call->labels != NULL) + (call->mirror != NULL);
    mmc_trace_begin(MMC_TRACE_PHASE, "training step");
    MMC_TRY(mmc_trace_end(mmc_recordings_run(&net->recordings, net->be, &key, body, &p)));
    return net->tally && call->labels ? net->be->memory->copy(net->be, call->tally, net->tally, 2 * sizeof *call->tally)
                                      : MMC_OK;
}

mmc_status mmc_network_step(mmc_network *net, const mmc_network_step_call *call) {
    if (net->mode != MMC_NETWORK_TRAIN)
        return mmc_fail(MMC_ERR_USAGE, "a training step of a network that was not planned for training");
    return take_step(net, call, RECORD_STEP, run_step);
}

mmc_status mmc_network_step_begin(mmc_network *net, const mmc_network_step_call *call) {
    if (net->mode != MMC_NETWORK_TRAIN)
        return mmc_fail(MMC_ERR_USAGE, "a training step of a network that was not planned for training");
    return take_step(net, call, RECORD_BEGIN, run_begin);
}

mmc_status mmc_network_step_end(mmc_network *net) {
    if (net->mode != MMC_NETWORK_TRAIN)
        return mmc_fail(MMC_ERR_USAGE, "a training step of a network that was not planned for training");
    mmc_recording_key key = recording_key(net, RECORD_END, NULL);
    key.shape[1] = net->n;
    mmc_trace_begin(MMC_TRACE_PHASE, "backward");
    return mmc_trace_end(mmc_recordings_run(&net->recordings, net->be, &key, run_end, net));
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

float *mmc_network_drep(const mmc_network *net) {
    return net->drep;
}

float *mmc_network_gradient(const mmc_network *net) {
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
