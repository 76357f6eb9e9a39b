#include "reports/figures_table.h"

#include <string.h>

const mmc_figure_curve mmc_figure_paths[] = {
    {"quadratic-no-cue", "quadratic path trained without cue", "quadratic", "bend trained without cue", "NC"},
    {"quadratic-cue", "quadratic path trained with cue", "quadratic", "bend trained with cue", "C"},
    {"linear", "linear path", "linear", "as trained", "C"},
    {"linear-permuted", "linear path after matching neurons", "linear", "neurons matched", "C"},
    {0},
};

static const mmc_figure_curve loss_path[] = {
    {"linear", "linear path", "linear", "as trained", "C"},
    {0},
};

const mmc_figure_curve mmc_figure_fine_tuning[] = {
    {"ft-0.001", "linear path to the model fine-tuned at rate .001", "rate 0.001", "linear path", "C"},
    {"ft-0.01", "linear path to the model fine-tuned at rate .01", "rate 0.01", "linear path", "C"},
    {"ft-0.1", "linear path to the model fine-tuned at rate .1", "rate 0.1", "linear path", "C"},
    {0},
};

const mmc_figure_curve mmc_figure_fine_tuning_matched[] = {
    {"ft-0.001-permuted", "linear path to the model fine-tuned at rate .001, neurons matched", "rate 0.001",
     "neurons matched", "C"},
    {"ft-0.01-permuted", "linear path to the model fine-tuned at rate .01, neurons matched", "rate 0.01",
     "neurons matched", "C"},
    {"ft-0.1-permuted", "linear path to the model fine-tuned at rate .1, neurons matched", "rate 0.1",
     "neurons matched", "C"},
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

#define TO_NC                                                                                                          \
    .kind = MMC_FIGURE_PATH, .sets = MMC_FIGURE_PANELS, .end = "NC", .curves = mmc_figure_paths,                       \
    .title = "Paths from a model that uses the cue to one that cannot"

#define PATHS(figure, net, data)                                                                                       \
    {                                                                                                                  \
        .number = (figure), TO_NC, .arch = (net), .datasets = {(data)}, .splits = {"test", "train"},                   \
        .metrics = {"accuracy", "loss"}, .suite = "fig" #figure                                                        \
    }

/* One network of a figure of fine-tuning. */
#define TO_FT(figure, net, data, split, metric, rows)                                                                  \
    {                                                                                                                  \
        .number = (figure), .kind = MMC_FIGURE_PATH, .sets = MMC_FIGURE_PANELS, .end = "FT", .curves = (rows),         \
        .one_of_networks = true, .arch = (net), .datasets = {(data)}, .splits = {(split)}, .metrics = {(metric)},      \
        .suite = "fig" #figure, .title = "Paths from a model that uses the cue to the same, fine-tuned without"        \
    }

#define FINE_TUNING(figure, data, split, metric)                                                                       \
    TO_FT(figure, "vgg13", data, split, metric, mmc_figure_fine_tuning),                                               \
        TO_FT(figure, "resnet18", data, split, metric, mmc_figure_fine_tuning)

#define LEARNING(figure, net)                                                                                          \
    {                                                                                                                  \
        .number = (figure), .kind = MMC_FIGURE_LEARNING, .arch = (net),                                                \
        .datasets = {"cifar10-box", "cifar100-box", "dominoes"}, .splits = {NULL}, .metrics = {"accuracy"},            \
        .curves = mmc_figure_learning, .suite = "fig" #figure, .title = "Learning curves"                              \
    }

#define SHEET(figure, data)                                                                                            \
    {                                                                                                                  \
        .number = (figure), .kind = MMC_FIGURE_SHEET, .datasets = {(data)}, .splits = {"test"},                        \
        .suite = "fig" #figure, .title = "Samples of the counterfactual sets"                                          \
    }

const mmc_figure mmc_figures[] = {
    {.number = 4,
     TO_NC,
     .arch = "resnet18",
     .datasets = {"cifar10-box"},
     .splits = {"test"},
     .metrics = {"accuracy"},
     .suite = "fig4"},
    TO_FT(5, "vgg13", "cifar10-box", "test", "accuracy", mmc_figure_fine_tuning_matched),
    TO_FT(5, "resnet18", "cifar10-box", "test", "accuracy", mmc_figure_fine_tuning_matched),
    {.number = 6,
     .kind = MMC_FIGURE_PATH,
     .sets = 2,
     .end = "NC",
     .curves = loss_path,
     .mirrored = true,
     .arch = "resnet18",
     .datasets = {"cifar10-box"},
     .splits = {"test"},
     .metrics = {"loss"},
     .suite = "fig6",
     .title = "Loss between a model that cannot use the cue and one that does"},
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
    FINE_TUNING(20, "cifar10-box", "test", "accuracy"),
    FINE_TUNING(21, "cifar100-box", "test", "accuracy"),
    FINE_TUNING(22, "dominoes", "test", "accuracy"),
    FINE_TUNING(23, "cifar10-box", "train", "accuracy"),
    FINE_TUNING(24, "cifar100-box", "train", "accuracy"),
    FINE_TUNING(25, "dominoes", "train", "accuracy"),
    FINE_TUNING(26, "cifar10-box", "test", "loss"),
    FINE_TUNING(27, "cifar100-box", "test", "loss"),
    FINE_TUNING(28, "dominoes", "test", "loss"),
    FINE_TUNING(29, "cifar10-box", "train", "loss"),
    FINE_TUNING(30, "cifar100-box", "train", "loss"),
    FINE_TUNING(31, "dominoes", "train", "loss"),
};

const size_t mmc_figure_count = sizeof mmc_figures / sizeof *mmc_figures;

const mmc_figure_curve *mmc_figure_path_find(const char *item) {
    static const mmc_figure_curve *const lists[] = {mmc_figure_paths, mmc_figure_fine_tuning,
                                                    mmc_figure_fine_tuning_matched};
    for (size_t i = 0; item && i < sizeof lists / sizeof *lists; i++)
        for (const mmc_figure_curve *c = lists[i]; c->item; c++)
            if (strcmp(c->item, item) == 0)
                return c;
    return NULL;
}

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
