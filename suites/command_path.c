#include "runtime/path.h"
#include "suites/command.h"
#include "suites/inputs.h"
#include "suites/interrupt.h"

#include <string.h>

static const char *split_name(mmc_split_kind split) {
    return split == MMC_SPLIT_TEST ? "test" : "train";
}

static void print_row(void *user, const mmc_path_row *row) {
    mmc_cell cells[] = {mmc_cell_number("t", row->t),
                        mmc_cell_text("set", mmc_set_letter(row->set)),
                        mmc_cell_text("split", split_name(row->split)),
                        mmc_cell_number("accuracy", row->accuracy),
                        mmc_cell_number("loss", row->loss),
                        mmc_cell_integer("n", row->n)};
    mmc_output_row(user, cells, sizeof cells / sizeof *cells, "the network's output at this point is not finite");
}

/* Reads the bends of every --mid, in order, into the curve between A and B. */
static mmc_status read_bends(mmc_curve *curve, mmc_checkpoint *mids, const mmc_options *options,
                             const mmc_checkpoint *a, const char *path_a) {
    for (int i = 0; i < options->mid.count; i++) {
        const char *path = options->mid.items[i];
        MMC_TRY(mmc_checkpoint_read(&mids[i], path));
        MMC_TRY(mmc_inputs_alike(a, path_a, &mids[i], path));
        int bends = mids[i].bends ? mids[i].bends : 1;
        if (curve->count + bends > MMC_CURVE_POINTS_MAX - 1)
            return mmc_fail(MMC_ERR_USAGE, "--mid %s: a curve has at most %d bends", path, MMC_BENDS_MAX);
        for (int k = 0; k < bends; k++)
            curve->point[curve->count++] = mids[i].bends ? mids[i].bend[k] : mids[i].state;
    }
    return MMC_OK;
}

/* The kind of curve that the bends say they were trained for; MMC_CURVE_COUNT where none says. */
static mmc_status recorded_kind(mmc_curve_kind *out, const mmc_checkpoint *mids, const mmc_options *options) {
    *out = MMC_CURVE_COUNT;
    for (int i = 0; i < options->mid.count; i++) {
        const char *path = options->mid.items[i];
        if (!mids[i].curve[0])
            continue;
        if (options->mid.count > 1)
            return mmc_fail(MMC_ERR_MISMATCH,
                            "--mid %s: it holds all %d bends of a %s curve; it is given alone, not with other bends",
                            path, mids[i].bends, mids[i].curve);
        if (mmc_curve_parse(out, mids[i].curve) != MMC_OK)
            return mmc_fail(MMC_ERR_MISMATCH,
                            "--mid %s: its bends were trained for a curve '%s', which is not known here", path,
                            mids[i].curve);
        if (mmc_option_given(options, MMC_OPTION_CURVE) && options->curve != (int)*out)
            return mmc_fail(MMC_ERR_MISMATCH, "--mid %s: its bends were trained for a %s curve, not for --curve %s",
                            path, mids[i].curve, mmc_curve_name((mmc_curve_kind)options->curve));
    }
    return MMC_OK;
}

/* The kind of curve: as given, else what the bends' file says, else what their number says. */
static mmc_status choose_kind(mmc_curve *curve, const mmc_checkpoint *mids, const mmc_options *options) {
    int bends = curve->count - 2;
    mmc_curve_kind recorded;
    MMC_TRY(recorded_kind(&recorded, mids, options));
    if (recorded != MMC_CURVE_COUNT) {
        curve->kind = recorded;
        return MMC_OK;
    }
    if (!mmc_option_given(options, MMC_OPTION_CURVE)) {
        if (bends > 1)
            return mmc_fail(MMC_ERR_USAGE, "--mid: %d bends fit --curve polyline and --curve bezier; say which", bends);
        curve->kind = bends ? MMC_CURVE_QUADRATIC : MMC_CURVE_LINEAR;
        return MMC_OK;
    }
    curve->kind = (mmc_curve_kind)options->curve;
    if (curve->kind == MMC_CURVE_LINEAR && bends)
        return mmc_fail(MMC_ERR_USAGE, "--curve linear and --mid contradict each other: a straight line has no bend");
    if (curve->kind == MMC_CURVE_QUADRATIC && bends != 1)
        return mmc_fail(MMC_ERR_USAGE, "--curve quadratic needs one bend by --mid, not %d", bends);
    if (curve->kind != MMC_CURVE_LINEAR && !bends)
        return mmc_fail(MMC_ERR_USAGE, "--curve %s needs bends: give them by --mid", mmc_curve_name(curve->kind));
    return MMC_OK;
}

static void print_summary(mmc_output *out, const mmc_path_result *result, const mmc_backend *be,
                          const mmc_path_config *config) {
    mmc_split_kind split = config->split_test ? MMC_SPLIT_TEST : MMC_SPLIT_TRAIN;
    mmc_cell barrier[MMC_SET_COUNT], dip[MMC_SET_COUNT];
    size_t sets = 0;
    for (int s = 0; s < MMC_SET_COUNT; s++)
        if (config->sets & (1u << s)) {
            mmc_path_summary summary = mmc_path_summarise(result, (mmc_set)s, split);
            barrier[sets] = mmc_cell_number(mmc_set_letter((mmc_set)s), summary.barrier);
            dip[sets++] = mmc_cell_number(mmc_set_letter((mmc_set)s), summary.dip);
        }
    mmc_cell cells[] = {
        mmc_cell_bool("summary", true),
        mmc_cell_group("barrier", barrier, sets),
        mmc_cell_group("dip", dip, sets),
        mmc_cell_integer("image_forwards", result->image_forwards),
        mmc_cell_number("images_per_s", (double)result->image_forwards / result->wall_s),
        mmc_cell_number("wall_s", result->wall_s),
        mmc_cell_text("backend", be->name),
        mmc_cell_text("provider", be->provider),
        mmc_cell_text("precision", be->precision),
        mmc_cell_integer("image_forwards_defined", result->image_forwards_defined),
        mmc_cell_integer("image_forwards_bn", result->image_forwards_bn),
        mmc_cell_integer("image_forwards_eval", result->image_forwards - result->image_forwards_bn),
        mmc_cell_integer("bn_batches_skipped", result->bn_batches_skipped),
        mmc_cell_number("bn_s", result->bn_s),
        mmc_cell_number("eval_s", result->eval_s),
        mmc_cell_integer("threads", be->threads),
        mmc_cell_text("isa", be->isa),
        mmc_cell_text("device", be->device),
    };
    size_t first = out->json ? 0 : 1; /* "summary" marks the row for programs */
    mmc_output_line(out, "%s", "");
    mmc_output_summary(out, cells + first, sizeof cells / sizeof *cells - first,
                       "the losses along the path are not finite");
}

mmc_status mmc_command_path(const mmc_options *options, mmc_output *out) {
    if (options->argument_count != 2)
        return mmc_fail(MMC_ERR_USAGE, "path takes two checkpoints, not %d: mmcbench path A B [--mid M]",
                        options->argument_count);
    const char *path_a = options->arguments[0], *path_b = options->arguments[1];
    mmc_status status = MMC_OK;
    mmc_path_config config;
    MMC_TRY(mmc_inputs_path_config(&config, options, mmc_path_defaults().bn));
    config.points = options->points;
    if (options->mid.count > MMC_BENDS_MAX)
        return mmc_fail(MMC_ERR_USAGE, "--mid: a curve has at most %d bends", MMC_BENDS_MAX);

    mmc_checkpoint a = {0}, b = {0}, mids[MMC_BENDS_MAX] = {{0}};
    mmc_inputs in = {0};
    mmc_path_result result = {0};
    mmc_curve curve = {0};
    mmc_dataset_kind kind;
    MMC_GOTO(cleanup, mmc_inputs_model(&a, path_a));
    MMC_GOTO(cleanup, mmc_inputs_model(&b, path_b));
    MMC_GOTO(cleanup, mmc_inputs_alike(&a, path_a, &b, path_b));
    curve.point[curve.count++] = a.state;
    MMC_GOTO(cleanup, read_bends(&curve, mids, options, &a, path_a));
    curve.point[curve.count++] = b.state;
    MMC_GOTO(cleanup, choose_kind(&curve, mids, options));
    MMC_GOTO(cleanup, mmc_inputs_dataset(&kind, options, (const mmc_checkpoint *const[]){&a, &b}, 2));
    MMC_GOTO(cleanup, mmc_inputs_fit(&a, path_a, kind));
    MMC_GOTO(cleanup,
             mmc_inputs_open(&in, options, kind, config.split_train || config.bn != MMC_BN_STORED, config.split_test));
    config.more = in.more;
    config.more_count = in.more_count;
    mmc_path_hooks hooks = {
        .progress = {.report = mmc_output_report, .user = out, .interrupted = mmc_interrupt_flag()},
        .on_row = print_row,
        .user = out,
    };
    MMC_GOTO(cleanup, mmc_path_evaluate(&result, in.be, a.model, &in.data, &curve, &config, NULL, &hooks));
    print_summary(out, &result, in.be, &config);
cleanup:
    mmc_path_result_close(&result);
    mmc_inputs_close(&in);
    for (int i = 0; i < MMC_BENDS_MAX; i++)
        mmc_checkpoint_close(&mids[i]);
    mmc_checkpoint_close(&b);
    mmc_checkpoint_close(&a);
    return status;
}
