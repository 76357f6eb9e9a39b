#include "runtime/file.h"
#include "runtime/match.h"
#include "suites/command.h"
#include "suites/inputs.h"
#include "suites/interrupt.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FILE.safetensors -> FILE.permutation.json; any other name gets the ending. */
static mmc_status permutation_path(char *out, size_t size, const char *checkpoint) {
    static const char ending[] = ".safetensors";
    size_t length = strlen(checkpoint);
    if (length > strlen(ending) && strcmp(checkpoint + length - strlen(ending), ending) == 0)
        length -= strlen(ending);
    if (snprintf(out, size, "%.*s.permutation.json", (int)length, checkpoint) >= (int)size)
        return mmc_fail(MMC_ERR_RANGE, "--out %s: the name is too long", checkpoint);
    return MMC_OK;
}

static json_t *group_json(const mmc_match_result *r, int g) {
    const mmc_permutation_group *group = &r->groups.group[g];
    json_t *values = json_array();
    for (int i = 0; i < group->units; i++)
        if (json_array_append_new(values, json_integer(r->permutation[group->first + i])) != 0) {
            json_decref(values);
            return NULL;
        }
    return json_pack("{s:s,s:o,s:f,s:f,s:b}", "group", group->name, "permutation", values, "score", r->score[g].score,
                     "duality_gap", r->score[g].gap, "unique", (int)r->score[g].unique);
}

static mmc_status write_permutation(const char *path, const mmc_match_result *r, const char *method, const char *target,
                                    const char *model) {
    json_t *groups = json_array();
    bool whole = groups != NULL;
    for (int g = 0; whole && g < r->groups.count; g++)
        whole = json_array_append_new(groups, group_json(r, g)) == 0;
    json_t *root =
        json_pack("{s:s,s:s?,s:s?,s:o}", "method", method, "target", target, "model", model, "groups", groups);
    char *text = whole && root ? json_dumps(root, JSON_INDENT(0)) : NULL;
    mmc_status status = text ? mmc_file_write(path, text, strlen(text))
                             : mmc_fail(MMC_ERR_WRONG,
                                        "%s: the permutation cannot be described as JSON; the names of "
                                        "the checkpoints must be UTF-8",
                                        path);
    free(text);
    json_decref(root);
    return status;
}

static mmc_status print_groups(mmc_output *out, const mmc_match_result *r) {
    double *values = malloc((size_t)r->groups.total * sizeof *values);
    if (!values)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: a permutation of %d units", r->groups.total);
    for (int i = 0; i < r->groups.total; i++)
        values[i] = r->permutation[i];
    for (int g = 0; g < r->groups.count; g++) {
        const mmc_permutation_group *group = &r->groups.group[g];
        mmc_cell cells[] = {mmc_cell_wide("group", group->name, 16),
                            mmc_cell_numbers("permutation", values + group->first, (size_t)group->units),
                            mmc_cell_number("score", r->score[g].score),
                            mmc_cell_number("duality_gap", r->score[g].gap),
                            mmc_cell_bool("unique", r->score[g].unique)};
        mmc_output_row(out, cells, sizeof cells / sizeof *cells, NULL);
    }
    free(values);
    return MMC_OK;
}

static void print_summary(mmc_output *out, const mmc_match_result *r, const mmc_backend *be, mmc_match_method method,
                          const char *file) {
    mmc_cell cells[] = {
        mmc_cell_bool("summary", true),
        mmc_cell_number("max_logit_difference", r->max_logit_difference),
        mmc_cell_number("largest_logit", r->largest_logit),
        mmc_cell_text("method", mmc_match_method_name(method)),
        mmc_cell_integer("images", r->images),
        mmc_cell_number("wall_s", r->wall_s),
        mmc_cell_number("forward_s", r->forward_s),
        mmc_cell_number("correlation_s", r->correlation_s),
        mmc_cell_number("assignment_s", r->assignment_s),
        mmc_cell_text("backend", be->name),
        mmc_cell_text("provider", be->provider),
        mmc_cell_text("precision", be->precision),
        mmc_cell_integer("threads", be->threads),
        mmc_cell_text("device", be->device),
        mmc_cell_text("file", file),
        mmc_cell_number("weights_before", r->weight.before),
        mmc_cell_number("weights_after", r->weight.after),
        mmc_cell_integer("sweeps", r->weight.sweeps),
        mmc_cell_integer("start", r->weight.start),
    };
    const size_t all = sizeof cells / sizeof *cells, count = method == MMC_MATCH_WEIGHT ? all : all - 4;
    const size_t first = out->json ? 0 : 1; /* "summary" marks the row for programs */
    mmc_output_line(out, "%s", "");
    mmc_output_summary(out, cells + first, count - first, NULL);
}

/* Data for matching by activations, the backend for both. */
static mmc_status open_inputs(mmc_inputs *in, const mmc_options *options, mmc_checkpoint *target,
                              mmc_checkpoint *model) {
    mmc_dataset_kind kind;
    if (options->method == MMC_MATCH_WEIGHT) {
        const mmc_backend_options wanted = mmc_inputs_backend(options);
        return mmc_backend_open(&in->be, &wanted);
    }
    MMC_TRY(mmc_inputs_dataset(&kind, options, (const mmc_checkpoint *const[]){target, model}, 2));
    MMC_TRY(mmc_inputs_fit(model, options->arguments[1], kind));
    return mmc_inputs_open(in, options, kind, true, false);
}

mmc_status mmc_command_match(const mmc_options *options, mmc_output *out) {
    if (options->argument_count != 2)
        return mmc_fail(MMC_ERR_USAGE, "match takes two checkpoints, not %d: mmcbench match TARGET MODEL --out FILE",
                        options->argument_count);
    if (!options->out)
        return mmc_fail(MMC_ERR_USAGE, "--out is required: the name of the checkpoint to write");
    const char *path_target = options->arguments[0], *path_model = options->arguments[1];
    char path[4096];
    mmc_inputs in = {0};
    mmc_checkpoint target = {0}, model = {0};
    mmc_match_result result = {0};
    mmc_match_config config = mmc_match_defaults();
    mmc_progress progress = {.report = mmc_output_report, .user = out, .interrupted = mmc_interrupt_flag()};
    mmc_status status = permutation_path(path, sizeof path, options->out);
    if (status != MMC_OK)
        return status;
    config.method = (mmc_match_method)options->method;
    config.seed = options->seed;
    MMC_GOTO(cleanup, mmc_inputs_model(&target, path_target));
    MMC_GOTO(cleanup, mmc_inputs_model(&model, path_model));
    MMC_GOTO(cleanup, mmc_inputs_alike(&target, path_target, &model, path_model));
    MMC_GOTO(cleanup, mmc_output_try("--out", options->out));
    MMC_GOTO(cleanup, open_inputs(&in, options, &target, &model));
    MMC_GOTO(cleanup, mmc_match(&result, in.be, model.model, &in.data, &config, target.state, model.state, &progress));
    /* the checkpoint borrows its state: it is not closed */
    mmc_checkpoint permuted = model;
    permuted.state = result.state;
    MMC_GOTO(cleanup, mmc_checkpoint_write(options->out, &permuted));
    MMC_GOTO(cleanup, write_permutation(path, &result, mmc_match_method_name(config.method), path_target, path_model));
    MMC_GOTO(cleanup, print_groups(out, &result));
    print_summary(out, &result, in.be, config.method, options->out);
cleanup:
    mmc_match_result_close(&result);
    mmc_inputs_close(&in);
    mmc_checkpoint_close(&target);
    mmc_checkpoint_close(&model);
    return status;
}
