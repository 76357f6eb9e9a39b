#include "runtime/small.h"

#include "runtime/schedule.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Models of one experiment are told apart by `predictive` (3 bits) and variant in the streams of their draws. */
enum { MODELS = 8 };

const char *mmc_small_output_name(mmc_small_output output) {
    return output == MMC_SMALL_ONES ? "ones" : "pm1";
}

mmc_status mmc_small_output_parse(mmc_small_output *out, const char *name) {
    for (int i = MMC_SMALL_PM1; i <= MMC_SMALL_ONES; i++)
        if (strcmp(name, mmc_small_output_name((mmc_small_output)i)) == 0) {
            *out = (mmc_small_output)i;
            return MMC_OK;
        }
    return mmc_fail(MMC_ERR_USAGE, "--output %s: the small model's output weights are pm1 or ones", name);
}

mmc_small_config mmc_small_defaults(void) {
    return (mmc_small_config)MMC_SMALL_DEFAULTS;
}

const char *mmc_small_loss_name(mmc_mlp_loss loss) {
    return loss == MMC_MLP_LOGISTIC ? "logistic" : "squared";
}

static mmc_status loss_parse(mmc_mlp_loss *out, const char *name) {
    for (int i = MMC_MLP_SQUARED; i <= MMC_MLP_LOGISTIC; i++)
        if (strcmp(name, mmc_small_loss_name((mmc_mlp_loss)i)) == 0) {
            *out = (mmc_mlp_loss)i;
            return MMC_OK;
        }
    return mmc_fail(MMC_ERR_USAGE, "--small loss=%s: the small model's loss is squared or logistic", name);
}

/* Settings by name; whole ones are int, the others double. */
static const struct {
    const char *name;
    size_t offset;
    bool whole;
} settings[] = {
#define SETTING(name, whole)                                                                                           \
    { #name, offsetof(mmc_small_config, name), whole }
    SETTING(inputs, true), SETTING(hidden, true), SETTING(train, true),     SETTING(test, true),
    SETTING(epochs, true), SETTING(batch, true),  SETTING(margin, false),   SETTING(bias, false),
    SETTING(start, false), SETTING(lr, false),    SETTING(momentum, false),
#undef SETTING
};
_Static_assert(sizeof(int) == sizeof(int32_t), "counts of samples are set as int");

mmc_status mmc_small_config_set(mmc_small_config *c, const char *assignment) {
    const char *equals = strchr(assignment, '=');
    const size_t length = equals ? (size_t)(equals - assignment) : 0;
    if (length == strlen("loss") && strncmp(assignment, "loss", length) == 0)
        return loss_parse(&c->loss, assignment + length + 1);
    for (size_t i = 0; length && i < sizeof settings / sizeof *settings; i++) {
        if (strlen(settings[i].name) != length || strncmp(assignment, settings[i].name, length) != 0)
            continue;
        const char *text = assignment + length + 1;
        char *end;
        const double value = strtod(text, &end), nearest = rint(fmax(fmin(value, 1e9), -1e9));
        if (end == text || *end || !isfinite(value) || (settings[i].whole && value != nearest))
            return mmc_fail(MMC_ERR_RANGE, "--small %s: %s takes %s", assignment, settings[i].name,
                            settings[i].whole ? "a whole number" : "a number");
        char *place = (char *)c + settings[i].offset;
        const int whole = (int)nearest;
        memcpy(place, settings[i].whole ? (const void *)&whole : &value,
               settings[i].whole ? sizeof whole : sizeof value);
        return MMC_OK;
    }
    return mmc_fail(MMC_ERR_USAGE,
                    "--small %s: give NAME=VALUE with one of inputs, hidden, train, test, margin, bias, start, epochs, "
                    "batch, lr, momentum, loss",
                    assignment);
}

mmc_status mmc_small_config_check(const mmc_small_config *c) {
    const struct {
        const char *name;
        int value, least, most;
    } whole[] = {
        {"inputs", c->inputs, 2, 4096},          {"hidden units", c->hidden, 2, 16384},
        {"train samples", c->train, 1, 1 << 24}, {"test samples", c->test, 1, 1 << 24},
        {"epochs", c->epochs, 1, 100000},        {"samples of a batch", c->batch, 1, 1 << 20},
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (whole[i].value < whole[i].least || whole[i].value > whole[i].most)
            return mmc_fail(MMC_ERR_RANGE, "the small model with %d %s: give %d to %d", whole[i].value, whole[i].name,
                            whole[i].least, whole[i].most);
    if (!(c->margin >= 0 && c->margin <= .5))
        return mmc_fail(MMC_ERR_RANGE, "the small model with margin %g: give 0 to 0.5", c->margin);
    if (!(c->lr > 0 && c->momentum >= 0 && c->momentum < 1 && c->start > 0 && isfinite(c->lr + c->start + c->bias)))
        return mmc_fail(MMC_ERR_RANGE,
                        "the small model with learning rate %g, momentum %g, initial weights up to %g: rate and "
                        "weights are above 0, momentum lies in [0, 1)",
                        c->lr, c->momentum, c->start);
    if (c->output == MMC_SMALL_PM1 && c->hidden % 2)
        return mmc_fail(MMC_ERR_RANGE,
                        "the small model with %d hidden units: half of them count -1; give an even number", c->hidden);
    return MMC_OK;
}

void mmc_small_model_name(char *out, const mmc_small_model *m) {
    const char *name = m->predictive == MMC_SMALL_BOTH ? "0+4" : m->predictive == MMC_SMALL_K4 ? "4" : "0";
    snprintf(out, 8, "%s%s", name, m->variant ? "'" : "");
}

mmc_mlp_shape mmc_small_shape(const mmc_small_config *c, int sets) {
    return (mmc_mlp_shape){.sets = sets,
                           .inputs = c->inputs,
                           .hidden = c->hidden,
                           .bias = c->output == MMC_SMALL_PM1 ? (float)c->bias : 0.0f};
}

size_t mmc_small_weights(const mmc_small_config *c) {
    const mmc_mlp_shape shape = mmc_small_shape(c, 1);
    return (size_t)mmc_mlp_rows(&shape) * (size_t)c->hidden;
}

void mmc_small_output_weights(float *a, const mmc_small_config *c) {
    for (int i = 0; i < c->hidden; i++)
        a[i] = c->output == MMC_SMALL_ONES || i < c->hidden / 2 ? 1.0f : -1.0f;
}

static uint32_t model_stream(const mmc_small_model *m) {
    return (uint32_t)m->variant * 4 + m->predictive;
}

/* --- state -------------------------------------------------------------------------------------------------------- */

mmc_status mmc_small_state_open(mmc_small_state *out, const mmc_small_config *config, const mmc_small_model *models,
                                int count) {
    *out = (mmc_small_state){.models = count};
    MMC_TRY(mmc_small_config_check(config));
    const size_t weights = mmc_small_weights(config);
    out->w = malloc((size_t)count * weights * sizeof *out->w);
    out->v = calloc((size_t)count * weights, sizeof *out->v);
    out->loss = calloc((size_t)count, sizeof *out->loss);
    if (!out->w || !out->v || !out->loss) {
        mmc_small_state_close(out);
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %d small models of %zu weights", count, weights);
    }
    for (int m = 0; m < count; m++)
        for (size_t i = 0; i < weights; i++) {
            const uint32_t word = mmc_rng_at(models[m].seed, MMC_RNG_SMALL_INIT, model_stream(&models[m]), i);
            out->w[(size_t)m * weights + i] = (float)(config->start * (2 * (double)mmc_rng_uniform(word) - 1));
        }
    return MMC_OK;
}

void mmc_small_state_close(mmc_small_state *state) {
    free(state->w);
    free(state->v);
    free(state->loss);
    *state = (mmc_small_state){0};
}

/* --- training ----------------------------------------------------------------------------------------------------- */

/* What training needs on the device and beside it. */
typedef struct training {
    mmc_backend *be;
    const mmc_small_config *config;
    const mmc_small_model *models;
    mmc_mlp_train_call call;
    void *w, *v, *a, *x, *y, *order, *loss, *workspace; /* device */
    int32_t *host_order;                                /* (models, samples) */
    double *host_loss, *lr;                             /* (models, steps), (steps) */
    int64_t steps;
} training;

static void training_close(training *t) {
    void *const device[] = {t->w, t->v, t->a, t->x, t->y, t->order, t->loss, t->workspace};
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        t->be->memory->free(t->be, device[i]);
    free(t->host_order);
    free(t->host_loss);
    free(t->lr);
}

/* Every model's samples, one model after another through one piece of host memory. */
static mmc_status samples_upload(training *t, int count) {
    const mmc_small_config *c = t->config;
    const size_t samples = (size_t)c->train, values = samples * (size_t)c->inputs;
    mmc_small_data data = {0};
    mmc_status status = MMC_OK;
    for (int m = 0; m < count; m++) {
        MMC_GOTO(cleanup, mmc_small_data_draw(&data, c->train, c->inputs, c->margin, t->models[m].seed, MMC_SMALL_TRAIN,
                                              t->models[m].predictive));
        MMC_GOTO(cleanup,
                 t->be->memory->upload(t->be, (float *)t->x + (size_t)m * values, data.x, values * sizeof(float)));
        MMC_GOTO(cleanup,
                 t->be->memory->upload(t->be, (float *)t->y + (size_t)m * samples, data.y, samples * sizeof(float)));
        mmc_small_data_close(&data);
    }
cleanup:
    mmc_small_data_close(&data);
    return status;
}

static mmc_status training_open(training *t, mmc_backend *be, const mmc_small_config *c, const mmc_small_model *models,
                                const mmc_small_state *state) {
    const size_t count = (size_t)state->models, weights = mmc_small_weights(c), samples = (size_t)c->train;
    const size_t values = samples * (size_t)c->inputs, size = count * weights * sizeof(float);
    const mmc_memory_ops *memory = be->memory;
    *t = (training){.be = be, .config = c, .models = models};
    t->steps = (c->train + c->batch - 1) / c->batch;
    t->host_order = malloc(count * samples * sizeof *t->host_order);
    t->host_loss = malloc(count * (size_t)t->steps * sizeof *t->host_loss);
    t->lr = malloc((size_t)t->steps * sizeof *t->lr);
    float *a = malloc((size_t)c->hidden * sizeof *a);
    mmc_status status = MMC_OK;
    if (!t->host_order || !t->host_loss || !t->lr || !a) {
        status =
            mmc_fail(MMC_ERR_MEMORY, "out of memory: the order of %d samples for %zu models", (int)c->train, count);
        goto cleanup;
    }
    mmc_small_output_weights(a, c);
    MMC_GOTO(cleanup, memory->alloc(be, &t->w, size));
    MMC_GOTO(cleanup, memory->alloc(be, &t->v, size));
    MMC_GOTO(cleanup, memory->alloc(be, &t->a, (size_t)c->hidden * sizeof(float)));
    MMC_GOTO(cleanup, memory->alloc(be, &t->x, count * values * sizeof(float)));
    MMC_GOTO(cleanup, memory->alloc(be, &t->y, count * samples * sizeof(float)));
    MMC_GOTO(cleanup, memory->alloc(be, &t->order, count * samples * sizeof(int32_t)));
    MMC_GOTO(cleanup, memory->alloc(be, &t->loss, count * (size_t)t->steps * sizeof(double)));
    MMC_GOTO(cleanup, memory->upload(be, t->w, state->w, size));
    MMC_GOTO(cleanup, memory->upload(be, t->v, state->v, size));
    MMC_GOTO(cleanup, memory->upload(be, t->a, a, (size_t)c->hidden * sizeof(float)));
    MMC_GOTO(cleanup, samples_upload(t, state->models));
    t->call = (mmc_mlp_train_call){.shape = mmc_small_shape(c, state->models),
                                   .samples = c->train,
                                   .batch = c->batch < c->train ? c->batch : c->train,
                                   .lr = t->lr,
                                   .momentum = c->momentum,
                                   .objective = c->loss,
                                   .w = t->w,
                                   .v = t->v,
                                   .set_stride = weights,
                                   .a = t->a,
                                   .x = t->x,
                                   .y = t->y,
                                   .x_stride = values,
                                   .y_stride = samples,
                                   .order = t->order,
                                   .order_stride = samples,
                                   .loss = t->loss};
    MMC_GOTO(cleanup, memory->alloc(be, &t->workspace, be->mlp->train_workspace_size(be->queue, &t->call)));
    t->call.workspace = t->workspace;
cleanup:
    free(a);
    return status;
}

static mmc_status train_epoch(training *t, mmc_small_state *state) {
    const mmc_schedule cosine = {.kind = MMC_SCHEDULE_COSINE};
    const size_t samples = (size_t)t->config->train, count = (size_t)state->models;
    const mmc_memory_ops *memory = t->be->memory;
    for (size_t m = 0; m < count; m++)
        mmc_rng_permutation(t->host_order + m * samples, samples, t->models[m].seed, MMC_RNG_SMALL_ORDER,
                            (uint32_t)state->epoch * MODELS + model_stream(&t->models[m]));
    for (int64_t i = 0; i < t->steps; i++)
        t->lr[i] = mmc_schedule_rate(&cosine, t->config->lr, state->epoch * t->steps + i, t->config->epochs, t->steps);
    MMC_TRY(memory->upload(t->be, t->order, t->host_order, count * samples * sizeof(int32_t)));
    MMC_TRY(t->be->mlp->train(t->be->queue, &t->call));
    MMC_TRY(memory->download(t->be, t->host_loss, t->loss, count * (size_t)t->steps * sizeof(double)));
    for (size_t m = 0; m < count; m++) {
        double sum = 0;
        for (int64_t i = 0; i < t->steps; i++)
            sum += t->host_loss[m * (size_t)t->steps + (size_t)i];
        state->loss[m] = sum / (double)t->steps;
        if (!isfinite(sum)) {
            char name[8];
            mmc_small_model_name(name, &t->models[m]);
            return mmc_fail(MMC_ERR_WRONG,
                            "the small model theta_%s (seed %llu) left the finite numbers in epoch %d: give a smaller "
                            "learning rate than %g",
                            name, (unsigned long long)t->models[m].seed, state->epoch + 1, t->config->lr);
        }
    }
    state->epoch++;
    return MMC_OK;
}

static mmc_status advance(const training *t, const mmc_small_state *state, const mmc_progress *progress) {
    if (!progress)
        return MMC_OK;
    if (progress->report) {
        const int64_t each = (int64_t)state->models * t->config->train;
        double loss = 0;
        for (int m = 0; m < state->models; m++)
            loss += state->loss[m] / state->models;
        const mmc_progress_event event = {.phase = "train",
                                          .done = state->epoch * each,
                                          .total = t->config->epochs * each,
                                          .epoch = state->epoch,
                                          .epochs = t->config->epochs,
                                          .t = NAN,
                                          .loss = loss};
        progress->report(progress->user, &event);
    }
    if (progress->interrupted && *progress->interrupted && state->epoch < t->config->epochs)
        return mmc_fail(MMC_ERR_INTERRUPTED, "interrupted while training the small model");
    return MMC_OK;
}

mmc_status mmc_small_train(mmc_small_state *state, mmc_backend *be, const mmc_small_config *config,
                           const mmc_small_model *models, const mmc_progress *progress) {
    training t;
    mmc_status status = mmc_small_config_check(config);
    if (status != MMC_OK)
        return status;
    MMC_GOTO(cleanup, training_open(&t, be, config, models, state));
    mmc_status stopped = MMC_OK;
    while (stopped == MMC_OK && state->epoch < config->epochs) {
        MMC_GOTO(cleanup, train_epoch(&t, state));
        stopped = advance(&t, state, progress);
    }
    const size_t size = (size_t)state->models * mmc_small_weights(config) * sizeof(float);
    MMC_GOTO(cleanup, be->memory->download(be, state->w, t.w, size));
    MMC_GOTO(cleanup, be->memory->download(be, state->v, t.v, size));
    status = stopped;
cleanup:
    training_close(&t);
    return status;
}

/* --- evaluation --------------------------------------------------------------------------------------------------- */

static void score_of(mmc_small_score *out, const float *f, const float *y, int32_t samples, mmc_mlp_loss objective) {
    const float threshold = objective == MMC_MLP_LOGISTIC ? 0 : .5f;
    double loss = 0;
    int64_t right = 0;
    for (int32_t i = 0; i < samples; i++) {
        loss += mmc_mlp_sample_loss(objective, (double)f[i], (double)y[i]);
        right += (f[i] > threshold) == (y[i] > .5f);
    }
    *out = (mmc_small_score){.loss = loss / samples, .accuracy = (double)right / samples};
}

/* Device memory of an evaluation. */
typedef struct evaluation {
    void *w, *a, *x, *f, *fraction, *workspace;
} evaluation;

static mmc_status evaluation_run(evaluation *e, mmc_backend *be, const mmc_small_config *c, const float *w, int count,
                                 const mmc_small_data *data, const float *a) {
    const size_t weights = mmc_small_weights(c), samples = (size_t)data->samples, hidden = (size_t)c->hidden;
    const size_t values = samples * (size_t)data->inputs, outputs = (size_t)count * samples * sizeof(float);
    const mmc_memory_ops *memory = be->memory;
    MMC_TRY(memory->alloc(be, &e->w, (size_t)count * weights * sizeof(float)));
    MMC_TRY(memory->alloc(be, &e->a, hidden * sizeof(float)));
    MMC_TRY(memory->alloc(be, &e->x, values * sizeof(float)));
    MMC_TRY(memory->alloc(be, &e->f, outputs));
    MMC_TRY(memory->alloc(be, &e->fraction, outputs));
    MMC_TRY(memory->upload(be, e->w, w, (size_t)count * weights * sizeof(float)));
    MMC_TRY(memory->upload(be, e->a, a, hidden * sizeof(float)));
    MMC_TRY(memory->upload(be, e->x, data->x, values * sizeof(float)));
    mmc_mlp_eval_call call = {.shape = mmc_small_shape(c, count),
                              .samples = data->samples,
                              .w = e->w,
                              .set_stride = weights,
                              .a = e->a,
                              .x = e->x,
                              .f = e->f,
                              .fraction = e->fraction};
    MMC_TRY(memory->alloc(be, &e->workspace, be->mlp->eval_workspace_size(be->queue, &call)));
    call.workspace = e->workspace;
    return be->mlp->eval(be->queue, &call);
}

/* Outputs and, where wanted, shares of active units, (count, samples) each. */
static mmc_status outputs_fetch(float *f, float *fraction, mmc_backend *be, const mmc_small_config *c, const float *w,
                                int count, const mmc_small_data *data) {
    const size_t size = (size_t)count * (size_t)data->samples * sizeof(float);
    float *a = malloc((size_t)c->hidden * sizeof *a);
    if (!a)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %d output weights", c->hidden);
    mmc_small_output_weights(a, c);
    evaluation e = {0};
    mmc_status status = evaluation_run(&e, be, c, w, count, data, a);
    if (status == MMC_OK)
        status = be->memory->download(be, f, e.f, size);
    if (status == MMC_OK && fraction)
        status = be->memory->download(be, fraction, e.fraction, size);
    void *const device[] = {e.w, e.a, e.x, e.f, e.fraction, e.workspace};
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        be->memory->free(be, device[i]);
    free(a);
    return status;
}

mmc_status mmc_small_outputs(float *f, mmc_backend *be, const mmc_small_config *config, const float *w, int count,
                             const mmc_small_data *data) {
    return outputs_fetch(f, NULL, be, config, w, count, data);
}

mmc_status mmc_small_evaluate(mmc_small_score *out, mmc_backend *be, const mmc_small_config *config, const float *w,
                              int count, const mmc_small_data *data, float *fraction) {
    const size_t samples = (size_t)data->samples;
    float *f = malloc((size_t)count * samples * sizeof *f);
    if (!f)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: outputs of %d small models", count);
    mmc_status status = outputs_fetch(f, fraction, be, config, w, count, data);
    for (int m = 0; status == MMC_OK && m < count; m++)
        score_of(&out[m], f + (size_t)m * samples, data->y, data->samples, config->loss);
    free(f);
    return status;
}
