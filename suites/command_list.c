#include "kernels/unit.h"
#include "runtime/finetune.h"
#include "suites/bench_cases.h"
#include "suites/command.h"
#include "suites/suite.h"

#include <string.h>

/* One thing that there is: its name, what it is, and where the paper has it. */
typedef struct thing {
    const char *name, *text, *paper;
} thing;

static const thing models[] = {
    {"resnet18", "ResNet-18 with BatchNorm, 20 convolutions, widths w 2w 4w 8w",
     "Tables 1-4; Figures 4-6, 11, 15, 17, 19-31"},
    {"vgg13", "VGG-13 with BatchNorm, 10 convolutions, widths w 2w 4w 8w", "Figures 5, 10, 14, 16, 18, 20-31"},
};

static const thing datasets[] = {
    {"cifar10-box", "CIFAR-10; the place of a 3x3 box is the cue",
     "Tables 1-4; Figures 4-7, 10, 11, 14, 15, 20, 23, 26, 29"},
    {"cifar100-box", "CIFAR-100; place and colour of a 3x3 box are the cue",
     "Tables 1, 3, 4; Figures 8, 10, 11, 16, 17, 21, 24, 27, 30"},
    {"dominoes", "CIFAR-10 below, the cue above: a Fashion-MNIST image of the class",
     "Tables 1, 3, 4; Figures 9-11, 18, 19, 22, 25, 28, 31"},
    {"fashion-box", "Fashion-MNIST in grey with the box of cifar10-box: a stand-in", "not in the paper"},
};

static const thing methods[] = {
    {"scratch", "training from scratch or from --init (train)", "Section 4; Figures 4, 10, 11, 14-19"},
    {"linear", "the straight line between two models (path)", "Table 2; Figures 4-6, 14-31"},
    {"quadratic", "a quadratic Bezier curve whose one bend is trained (midpoint, path)", "Table 2; Figures 4, 14-19"},
    {"polyline", "a chain of straight lines through trained bends (midpoint, path)", "not in the paper"},
    {"bezier", "a Bezier curve with several trained bends (midpoint, path)", "not in the paper"},
};

static void print(mmc_output *out, const char *kind, const thing *t) {
    mmc_cell cells[] = {mmc_cell_text("kind", kind), mmc_cell_text("name", t->name), mmc_cell_text("text", t->text),
                        mmc_cell_text("paper", t->paper)};
    if (out->json)
        mmc_output_row(out, cells, sizeof cells / sizeof *cells, NULL);
    else
        mmc_output_line(out, "%-14s %s [%s]", t->name, t->text, t->paper);
}

#define PRINT_ALL(out, kind, things)                                                                                   \
    for (size_t i = 0; i < sizeof(things) / sizeof *(things); i++)                                                     \
    print(out, kind, &(things)[i])

static void list_suites(mmc_output *out) {
    size_t count;
    const mmc_suite *const *suites = mmc_suite_all(&count);
    for (size_t i = 0; i < count; i++) {
        /* "Figure 4: what it shows" */
        char paper[32];
        const char *text = suites[i]->paper, *colon = strstr(text, ": ");
        snprintf(paper, sizeof paper, "%.*s", colon ? (int)(colon - text) : 0, text);
        print(out, "suites", &(thing){suites[i]->name, colon ? colon + 2 : text, paper});
    }
}

static void list_models(mmc_output *out) {
    PRINT_ALL(out, "models", models);
}

static void list_datasets(mmc_output *out) {
    PRINT_ALL(out, "datasets", datasets);
}

static void list_methods(mmc_output *out) {
    static const char *const paper[MMC_METHOD_COUNT] = {[MMC_METHOD_CBFT_NO_BARRIER] = "Table 3",
                                                        [MMC_METHOD_CBFT_NO_INVARIANCE] = "Table 3",
                                                        [MMC_METHOD_SCRATCH_CLEAN] = "Table 4"};
    PRINT_ALL(out, "methods", methods);
    for (int i = 0; i < MMC_METHOD_COUNT; i++) {
        const mmc_method m = (mmc_method)i;
        print(out, "methods",
              &(thing){mmc_method_name(m), mmc_method_text(m),
                       paper[i]               ? paper[i]
                       : m == MMC_METHOD_CBFT ? "Tables 1, 3"
                                              : "Table 1"});
    }
}

static void list_backends(mmc_output *out) {
    const thing providers[] = {
        {"cpu own", "own kernels, images of a batch side by side", "none"},
        {"cpu onednn", mmc_onednn_unit_ops() ? "convolutions by oneDNN" : "not in this build: install libdnnl-dev",
         "none"},
        {"cpu reference", "plain loops in double precision: the definition of every operation", "none"},
    };
    PRINT_ALL(out, "backends", providers);
}

static void list_operations(mmc_output *out) {
    for (int op = 0; op < MMC_BENCH_OP_COUNT; op++) {
        const thing t = {mmc_bench_op_name((mmc_bench_op)op), mmc_bench_op_text((mmc_bench_op)op),
                         mmc_bench_op_paper((mmc_bench_op)op)};
        print(out, "ops", &t);
    }
}

mmc_status mmc_command_list(const mmc_options *options, mmc_output *out) {
    static const struct {
        const char *name;
        void (*list)(mmc_output *out);
    } kinds[] = {{"suites", list_suites},   {"models", list_models},     {"datasets", list_datasets},
                 {"methods", list_methods}, {"backends", list_backends}, {"ops", list_operations}};
    enum { KINDS = sizeof kinds / sizeof *kinds };
    if (options->argument_count > 1)
        return mmc_fail(MMC_ERR_USAGE, "list: one kind at a time, not '%s' too", options->arguments[1]);
    const char *wanted = options->argument_count ? options->arguments[0] : NULL;
    bool found = false;
    for (size_t i = 0; i < KINDS; i++) {
        if (wanted && strcmp(wanted, kinds[i].name) != 0)
            continue;
        if (!wanted)
            mmc_output_line(out, "%s%s:", i ? "\n" : "", kinds[i].name);
        kinds[i].list(out);
        found = true;
    }
    if (!found)
        return mmc_fail(MMC_ERR_USAGE, "list %s: accepts suites, models, datasets, methods, backends or ops", wanted);
    return MMC_OK;
}
