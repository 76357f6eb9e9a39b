#include "reports/record.h"
#include "runtime/path.h"
#include "runtime/small.h"
#include "suites/command.h"
#include "suites/inputs.h"
#include "suites/interrupt.h"
#include "suites/runner.h"

#include <stdlib.h>
#include <string.h>

/* What sums a job up; the curves are in the report, and the runner says what became of the claims. */
static bool for_a_person(const char *metric) {
    static const char *const metrics[] = {"barrier", "dip", "images_per_s"};
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        if (strcmp(metric, metrics[i]) == 0)
            return true;
    return false;
}

/* A record as a row. */
static void print_record(void *user, const mmc_record *r) {
    mmc_output *out = user;
    if (!out->json && !for_a_person(r->metric))
        return;
    mmc_cell cells[16];
    size_t count = 0;
    cells[count++] = mmc_cell_text("suite", r->suite ? r->suite : "");
    cells[count++] = mmc_cell_wide("dataset", r->dataset ? r->dataset : "", 12);
    cells[count++] = mmc_cell_wide("arch", r->arch ? r->arch : "", 8);
    cells[count++] = mmc_cell_wide("item", r->item ? r->item : "", 16);
    cells[count++] = mmc_cell_text("set", r->set ? r->set : "");
    cells[count++] = mmc_cell_text("split", r->split ? r->split : "");
    cells[count++] = mmc_cell_wide("metric", r->metric, 12);
    cells[count++] = mmc_cell_number("value", r->value);
    if (out->json) {
        cells[count++] = mmc_cell_text("unit", r->unit ? r->unit : "");
        if (r->t == r->t)
            cells[count++] = mmc_cell_number("t", r->t);
        if (r->cue == r->cue)
            cells[count++] = mmc_cell_number("cue", r->cue);
        if (r->n >= 0)
            cells[count++] = mmc_cell_integer("n", r->n);
        if (r->seed >= 0)
            cells[count++] = mmc_cell_integer("seed", r->seed);
        cells[count++] = mmc_cell_text("job", r->job ? r->job : "");
    }
    mmc_output_row(out, cells, count, r->reason && *r->reason ? r->reason : NULL);
}

static void print_plan(void *user, const mmc_run_plan_row *row) {
    mmc_cell cells[] = {
        mmc_cell_wide("job", row->job, 16),
        mmc_cell_text("suite", row->suite),
        mmc_cell_wide("kind", row->kind, 8),
        mmc_cell_wide("state", row->state, 7),
        mmc_cell_number("images", row->images),
        mmc_cell_number("flop", row->flop),
        mmc_cell_number("bytes", row->bytes),
        mmc_cell_number("memory_bytes", row->memory_bytes),
        mmc_cell_number("time_s", row->time_s),
        mmc_cell_number("a100_s", row->roofline_s[0]),
        mmc_cell_number("h100_s", row->roofline_s[1]),
        mmc_cell_text("label", row->label), /* last: it may be long */
    };
    mmc_output_row(user, cells, sizeof cells / sizeof *cells, row->reason);
}

static void print_plan_total(void *user, const mmc_run_plan_total *total) {
    mmc_cell cells[] = {
        mmc_cell_integer("jobs", total->jobs),
        mmc_cell_integer("jobs_done", total->jobs_done),
        mmc_cell_number("images", total->images),
        mmc_cell_number("flop", total->flop),
        mmc_cell_number("bytes", total->bytes),
        mmc_cell_number("memory_bytes", total->memory_bytes),
        mmc_cell_number("time_s", total->time_s),
        mmc_cell_number("a100_roofline_h", total->roofline_s[0] / 3600),
        mmc_cell_number("h100_roofline_h", total->roofline_s[1] / 3600),
        mmc_cell_number("rate_flops", total->rate_flops),
        mmc_cell_text("rate_source", total->rate_source),
    };
    mmc_output_line(user, "%s", "");
    mmc_output_summary(user, cells, sizeof cells / sizeof *cells, "there is no rate to tell it from");
}

static void print_message(void *user, const char *line) {
    mmc_output_message(user, "%s", line);
}

static void print_progress(void *user, const char *label, const mmc_progress_event *event) {
    mmc_output_progress(user, label, event);
}

/* --tag key=value, split; the keys are copies, the values point behind the '='. */
static mmc_status split_tags(char **keys, const char **values, const mmc_option_list *tags) {
    for (int i = 0; i < tags->count; i++) {
        const char *equals = strchr(tags->items[i], '=');
        size_t length = (size_t)(equals - tags->items[i]);
        keys[i] = malloc(length + 1);
        if (!keys[i])
            return mmc_fail(MMC_ERR_MEMORY, "out of memory for the tags");
        memcpy(keys[i], tags->items[i], length);
        keys[i][length] = '\0';
        values[i] = equals + 1;
    }
    return MMC_OK;
}

static void fill_request(mmc_run_request *request, const mmc_options *options, mmc_output *out) {
    request->suites = options->arguments;
    request->suite_count = (size_t)options->argument_count;
    request->scale = options->scale;
    request->out = options->out;
    request->data = options->data;
    if (mmc_option_given(options, MMC_OPTION_ARCH))
        request->arch = mmc_arch_name((mmc_arch)options->arch);
    if (mmc_option_given(options, MMC_OPTION_DATASET))
        request->dataset = mmc_dataset_name((mmc_dataset_kind)options->dataset);
    request->width = options->width;
    request->epochs = options->epochs;
    request->batch = options->batch;
    if (mmc_option_given(options, MMC_OPTION_LR))
        request->lr = options->lr;
    request->schedule = options->schedule;
    if (mmc_option_given(options, MMC_OPTION_CLEAN))
        request->clean = options->clean;
    request->clean_split_authors = options->clean_split == 1;
    request->cosine_authors = options->cosine == 1;
    request->cbft_schedule_authors = options->cbft_schedule == 1;
    request->barrier_t_authors = options->barrier_t == 1;
    request->invariance_plain = options->invariance == 1;
    if (mmc_option_given(options, MMC_OPTION_POINTS))
        request->points = options->points;
    if (mmc_option_given(options, MMC_OPTION_BN_BATCH))
        request->bn_batch = options->bn_batch;
    if (mmc_option_given(options, MMC_OPTION_BN))
        request->bn = mmc_bn_name((mmc_bn_mode)options->bn);
    request->limit_train = options->limit_train;
    request->limit_test = options->limit_test;
    if (mmc_option_given(options, MMC_OPTION_CUE)) {
        request->cues[0] = options->cue;
        request->cue_count = 1;
    }
    request->seed_given = mmc_option_given(options, MMC_OPTION_SEED);
    request->seed = options->seed;
    request->small = options->small.items;
    request->small_count = (size_t)options->small.count;
    if (mmc_option_given(options, MMC_OPTION_OUTPUT))
        request->small_output = mmc_small_output_name((mmc_small_output)options->output);
    request->filters = options->filter.items;
    request->filter_count = (size_t)options->filter.count;
    request->backend = mmc_inputs_backend(options);
    request->devices = options->devices;
    request->resume = options->resume;
    request->dry_run = options->dry_run;
    request->rates = options->rates;
    request->shard = options->shard.index;
    request->shard_count = options->shard.count;
    request->interrupted = mmc_interrupt_flag();
    request->hooks = (mmc_run_hooks){.on_record = print_record,
                                     .on_plan = print_plan,
                                     .on_plan_total = print_plan_total,
                                     .on_message = print_message,
                                     .on_progress = print_progress,
                                     .user = out};
}

mmc_status mmc_command_run(const mmc_options *options, mmc_output *out) {
    char *keys[MMC_OPTION_LIST_MAX] = {0};
    const char *values[MMC_OPTION_LIST_MAX] = {0};
    char page[4096] = "";
    mmc_run_request request = mmc_run_request_defaults();
    if (options->rates && !options->dry_run)
        return mmc_fail(MMC_ERR_USAGE, "--rates %s: only --dry-run states times beforehand; give both, or neither",
                        options->rates);
    mmc_status status = split_tags(keys, values, &options->tag);
    if (status == MMC_OK) {
        fill_request(&request, options, out);
        request.tag_keys = (const char *const *)keys;
        request.tag_values = values;
        request.tag_count = (size_t)options->tag.count;
        status = mmc_run(&request, page, sizeof page);
    }
    /* a failed job or claim does not take the report away */
    mmc_cell cell = mmc_cell_text("report", page);
    if (*page && out->json)
        mmc_output_row(out, &cell, 1, NULL);
    else if (*page)
        mmc_output_line(out, "%s", page);
    for (int i = 0; i < options->tag.count; i++)
        free(keys[i]);
    return status;
}
