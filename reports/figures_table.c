#include "reports/figures_table.h"

#include <string.h>

const mmc_figure_curve mmc_figure_paths[] = {
    {"quadratic-no-cue", "quadratic path trained without cue", "quadratic", "bend trained without cue", "NC"},
    {"quadratic-cue", "quadratic path trained with cue", "quadratic", "bend trained with cue", "C"},
    {"linear", "linear path", "linear", "as trained", "C"},
    {"linear-permuted", "linear path after matching neurons", "linear", "neurons matched", "C"},
    {0},
};

const mmc_figure_curve mmc_figure_learning[] = {
    {"curve-train", "train", "train", "batches as trained", NULL},
    {"curve-test-nc", "test without cue (NC)", "test NC", "no cue", NULL},
    {"curve-test-c", "test with cue (C)", "test C", "every image with its cue", NULL},
    {0},
};

const mmc_figure_set mmc_figure_sets[MMC_FIGURE_PANELS] = {
    {"NC", "NC: no cue", "no image carries a cue"},
    {"C", "C: with cue", "every image carries the cue of its label"},
    {"RC", "RC: random cue", "the cue is drawn at random"},
    {"RI", "RI: random image", "the natural image is drawn at random, label and cue stay"},
};

#define PATHS(figure, net, data)                                                                                       \
    {                                                                                                                  \
        .number = (figure), .kind = MMC_FIGURE_PATH, .arch = (net), .datasets = {(data)}, .splits = {"test", "train"}, \
        .metrics = {"accuracy", "loss"}, .suite = "fig" #figure,                                                       \
        .title = "Paths from a model that uses the cue to one that cannot"                                             \
    }

#define LEARNING(figure, net)                                                                                          \
    {                                                                                                                  \
        .number = (figure), .kind = MMC_FIGURE_LEARNING, .arch = (net),                                                \
        .datasets = {"cifar10-box", "cifar100-box", "dominoes"}, .splits = {NULL}, .metrics = {"accuracy"},            \
        .suite = "fig" #figure, .title = "Learning curves"                                                             \
    }

#define SHEET(figure, data)                                                                                            \
    {                                                                                                                  \
        .number = (figure), .kind = MMC_FIGURE_SHEET, .datasets = {(data)}, .splits = {"test"},                        \
        .suite = "fig" #figure, .title = "Samples of the counterfactual sets"                                          \
    }

const mmc_figure mmc_figures[] = {
    {.number = 4,
     .kind = MMC_FIGURE_PATH,
     .arch = "resnet18",
     .datasets = {"cifar10-box"},
     .splits = {"test"},
     .metrics = {"accuracy"},
     .suite = "fig4",
     .title = "Paths from a model that uses the cue to one that cannot"},
    SHEET(7, "cifar10-box"),
    SHEET(8, "cifar100-box"),
    SHEET(9, "dominoes"),
    LEARNING(10, "vgg13"),
    LEARNING(11, "resnet18"),
    PATHS(14, "vgg13", "cifar10-box"),
    PATHS(15, "resnet18", "cifar10-box"),
    PATHS(16, "vgg13", "cifar100-box"),
    PATHS(17, "resnet18", "cifar100-box"),
    PATHS(18, "vgg13", "dominoes"),
    PATHS(19, "resnet18", "dominoes"),
};

const size_t mmc_figure_count = sizeof mmc_figures / sizeof *mmc_figures;

const char *mmc_figure_stand_in(const char *dataset) {
    return strcmp(dataset, "cifar10-box") == 0 ? "fashion-box" : NULL;
}

const char *mmc_figure_arch_name(const char *arch) {
    if (strcmp(arch, "resnet18") == 0)
        return "ResNet-18";
    if (strcmp(arch, "vgg13") == 0)
        return "VGG-13";
    return arch;
}
