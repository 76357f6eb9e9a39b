#include "runtime/curve.h"
#include "suites/command.h"
#include "suites/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mmc_status choose_kind(mmc_curve *curve, const mmc_options *options) {
    curve->kind = mmc_option_given(options, MMC_OPTION_CURVE) ? (mmc_curve_kind)options->curve : MMC_CURVE_QUADRATIC;
    if (curve->kind == MMC_CURVE_LINEAR)
        return mmc_fail(MMC_ERR_USAGE,
                        "--curve linear: a straight line has no bend to train; accepts quadratic, polyline or bezier");
    if (curve->kind == MMC_CURVE_QUADRATIC && options->bends != 1)
        return mmc_fail(MMC_ERR_USAGE,
                        "--bends %d: a quadratic curve has one; --curve polyline and --curve bezier take more",
                        options->bends);
    return MMC_OK;
}

/* Bend number `bend` of `bends`: random weights, or the point (bend+1)/(bends+1) of the straight line. */
static void start_bend(float *out, const mmc_model *model, const float *a, const float *b, int bend,
                       const mmc_options *options) {
    if (options->mid_init == 0) {
        mmc_model_init(model, out, options->seed, MMC_RNG_BEND, (uint32_t)bend);
        return;
    }
    double t = (double)(bend + 1) / (double)(options->bends + 1);
    for (size_t i = 0; i < model->state_count; i++)
        out[i] = (float)((1 - t) * a[i] + t * b[i]);
}

mmc_status mmc_command_midpoint(const mmc_options *options, mmc_output *out) {
    if (options->argument_count != 2)
        return mmc_fail(MMC_ERR_USAGE, "midpoint takes two checkpoints, not %d: mmcbench midpoint A B --out FILE",
                        options->argument_count);
    if (!options->out)
        return mmc_fail(MMC_ERR_USAGE, "--out is required: the name of the checkpoint to write");
    const char *path_a = options->arguments[0], *path_b = options->arguments[1];
    mmc_inputs in = {0};
    mmc_checkpoint a = {0}, b = {0};
    mmc_train_result result = {0};
    float *bends = NULL;
    mmc_dataset_kind kind;
    mmc_curve curve = {0};
    mmc_training training = {.options = options, .out = out, .in = &in};
    mmc_status status = mmc_training_configure(&training.config, options);
    if (status != MMC_OK)
        return status;
    MMC_GOTO(cleanup, choose_kind(&curve, options));
    MMC_GOTO(cleanup, mmc_inputs_model(&a, path_a));
    MMC_GOTO(cleanup, mmc_inputs_model(&b, path_b));
    MMC_GOTO(cleanup, mmc_inputs_alike(&a, path_a, &b, path_b));
    MMC_GOTO(cleanup, mmc_inputs_dataset(&kind, options, (const mmc_checkpoint *const[]){&a, &b}, 2));
    MMC_GOTO(cleanup, mmc_inputs_fit(&a, path_a, kind));
    MMC_GOTO(cleanup, mmc_output_try("--out", options->out));
    MMC_GOTO(cleanup, mmc_inputs_open(&in, options, kind, true, false));

    size_t count = a.model->state_count, size_bytes = count * sizeof *bends;
    bends = malloc((size_t)options->bends * size_bytes);
    if (!bends) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory for %d bends of %zu bytes", options->bends, size_bytes);
        goto cleanup;
    }
    curve.point[curve.count++] = a.state;
    training.start_hash = mmc_hash_bytes(MMC_HASH_START, a.state, size_bytes);
    for (int k = 0; k < options->bends; k++) {
        start_bend(bends + (size_t)k * count, a.model, a.state, b.state, k, options);
        curve.point[curve.count++] = bends + (size_t)k * count;
    }
    training.start_hash = mmc_hash_bytes(training.start_hash, bends, (size_t)options->bends * size_bytes);
    curve.point[curve.count++] = b.state;
    training.start_hash = mmc_hash_bytes(training.start_hash, b.state, size_bytes);
    training.start_hash = mmc_hash_bytes(training.start_hash, &curve.kind, sizeof curve.kind);
    training.model = a.model;
    training.config.curve = &curve;
    MMC_GOTO(cleanup, mmc_training_run(&result, &training));
    /* the checkpoint borrows model and bends: it is not closed */
    mmc_checkpoint checkpoint = {.model = a.model, .bends = options->bends};
    snprintf(checkpoint.curve, sizeof checkpoint.curve, "%s", mmc_curve_name(curve.kind));
    for (int k = 0; k < options->bends; k++)
        checkpoint.bend[k] = result.state + (size_t)k * count;
    MMC_GOTO(cleanup, mmc_training_save(&checkpoint, &training));
cleanup:
    free(bends);
    mmc_train_result_close(&result);
    mmc_inputs_close(&in);
    mmc_checkpoint_close(&b);
    mmc_checkpoint_close(&a);
    return status;
}
