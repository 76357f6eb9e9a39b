#include "runtime/data_check.h"
#include "runtime/data_fetch.h"
#include "runtime/data_render.h"
#include "suites/command.h"
#include "suites/inputs.h"

#include <string.h>

/* The official sources that a data set is read from; all of them where none is named. */
static unsigned sources(const mmc_options *options) {
    if (!mmc_option_given(options, MMC_OPTION_DATASET))
        return MMC_FETCH_ALL;
    switch ((mmc_dataset_kind)options->dataset) {
    case MMC_DATASET_CIFAR10_BOX:
        return MMC_FETCH_CIFAR10;
    case MMC_DATASET_CIFAR100_BOX:
        return MMC_FETCH_CIFAR100;
    case MMC_DATASET_DOMINOES:
        return MMC_FETCH_CIFAR10 | MMC_FETCH_FASHION;
    case MMC_DATASET_FASHION_BOX:
        return MMC_FETCH_FASHION;
    default:
        return MMC_FETCH_ALL;
    }
}

static unsigned source_of(const char *name) {
    return strcmp(name, "CIFAR-10") == 0    ? MMC_FETCH_CIFAR10
           : strcmp(name, "CIFAR-100") == 0 ? MMC_FETCH_CIFAR100
                                            : MMC_FETCH_FASHION;
}

static mmc_status check(const mmc_options *options, mmc_output *out) {
    mmc_data_report reports[MMC_DATA_REPORTS];
    unsigned wanted = sources(options);
    mmc_status status = mmc_data_check(reports, options->data);
    int found = 0, corrupt = -1;
    for (int i = 0; i < MMC_DATA_REPORTS; i++) {
        const mmc_data_report *r = &reports[i];
        if (!r->dataset || !(source_of(r->dataset) & wanted))
            continue;
        found += r->verdict != MMC_DATA_MISSING;
        if (r->verdict == MMC_DATA_CORRUPT && corrupt < 0)
            corrupt = i;
        mmc_cell cells[] = {mmc_cell_text("dataset", r->dataset),
                            mmc_cell_text("name", r->name),
                            mmc_cell_text("verdict", mmc_data_verdict_text(r->verdict)),
                            mmc_cell_integer("records", r->records),
                            mmc_cell_integer("official_records", r->official_records),
                            mmc_cell_integer("size_bytes", (int64_t)r->size_bytes),
                            mmc_cell_text("detail", r->reason),
                            mmc_cell_text("path", r->path),
                            mmc_cell_text("md5", r->md5),
                            mmc_cell_text("sha256", r->sha256)};
        if (out->json)
            mmc_output_row(out, cells, sizeof cells / sizeof *cells, NULL);
        else
            mmc_output_line(out, "%-14s %-26s %-9s %s", r->dataset, r->name, mmc_data_verdict_text(r->verdict),
                            r->reason);
    }
    /* files of other data sets do not count */
    if (corrupt >= 0)
        return mmc_fail(MMC_ERR_FORMAT, "%s", reports[corrupt].reason);
    if (status == MMC_ERR_FORMAT)
        status = MMC_OK;
    MMC_TRY(status);
    if (!found)
        return mmc_fail(MMC_ERR_MISSING, "no file of these data sets is there; `mmcbench data fetch` downloads them");
    return MMC_OK;
}

static void print_message(void *user, const char *line) {
    mmc_output_message(user, "%s", line);
}

static mmc_status fetch(const mmc_options *options, mmc_output *out) {
    if (!options->data)
        return mmc_fail(MMC_ERR_USAGE, "data fetch: --data is required: the folder to put the files in");
    return mmc_data_fetch(options->data, sources(options), print_message, out);
}

static mmc_status render(const mmc_options *options, mmc_output *out) {
    if (!options->out && !options->png)
        return mmc_fail(MMC_ERR_USAGE, "data render: --out FILE, --png FILE or both: what is to be written");
    bool train = options->split == MMC_SPLIT_TRAIN;
    mmc_dataset data;
    mmc_dataset_kind kind;
    mmc_data_render_options render_options = {
        .data = &data, .split = (mmc_split_kind)options->split, .seed = options->seed};
    mmc_status status = mmc_set_parse(&render_options.sets, options->sets);
    if (status != MMC_OK)
        return mmc_fail_context(status, "--sets %s", options->sets);
    MMC_TRY(mmc_inputs_dataset(&kind, options, NULL, 0));
    if (options->out)
        MMC_TRY(mmc_output_try("--out", options->out));
    if (options->png)
        MMC_TRY(mmc_output_try("--png", options->png));
    MMC_TRY(mmc_dataset_open(&data, &(mmc_dataset_options){.kind = kind,
                                                           .folder = options->data,
                                                           .limit_train = options->limit_train,
                                                           .limit_test = options->limit_test,
                                                           .skip_train = !train,
                                                           .skip_test = train}));
    if (options->out)
        MMC_GOTO(cleanup, mmc_data_render(&render_options, options->out));
    if (options->png)
        MMC_GOTO(cleanup, mmc_data_sheet(&render_options, options->png));
    mmc_output_message(out, "%d images of %d sets written", train ? data.train.count : data.test.count,
                       __builtin_popcount(render_options.sets));
cleanup:
    mmc_dataset_close(&data);
    return status;
}

#define BIT(id) (UINT64_C(1) << MMC_OPTION_##id)

/* Each action takes its own part of the command's options. */
static const struct {
    const char *name;
    uint64_t takes;
    mmc_status (*act)(const mmc_options *options, mmc_output *out);
} actions[] = {
    {"check", BIT(DATA) | BIT(DATASET), check},
    {"fetch", BIT(DATA) | BIT(DATASET), fetch},
    {"render",
     BIT(DATA) | BIT(DATASET) | BIT(SPLIT) | BIT(SETS) | BIT(LIMIT_TRAIN) | BIT(LIMIT_TEST) | BIT(SEED) | BIT(OUT) |
         BIT(PNG),
     render},
};

mmc_status mmc_command_data(const mmc_options *options, mmc_output *out) {
    const char *name = options->argument_count ? options->arguments[0] : "";
    if (options->argument_count > 1)
        return mmc_fail(MMC_ERR_USAGE, "data %s takes no argument '%s'", name, options->arguments[1]);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, name) != 0)
            continue;
        /* the environment may hold options of other commands; only the command line can be mistaken */
        uint64_t foreign = options->typed & ~(actions[i].takes | BIT(JSON) | BIT(QUIET));
        for (int id = 0; id < MMC_OPTION_COUNT; id++)
            if ((foreign >> id) & 1)
                return mmc_fail(MMC_ERR_USAGE, "--%s is no option of `mmcbench data %s`",
                                mmc_option_find((mmc_option_id)id)->name, name);
        return actions[i].act(options, out);
    }
    return mmc_fail(MMC_ERR_USAGE, "data %s: accepts check, fetch or render", name);
}
