/* Figures 5 and 20 to 31: does fine-tuning without cues lead to another mechanism? Paths from theta_C to theta_FT. */
#include "suites/claims.h"
#include "suites/tables.h"

const mmc_suite mmc_suite_fig5 = {
    .name = "fig5",
    .paper =
        "Figure 5: accuracy along linear paths, after matching neurons, from theta_C (cue proportion p) to theta_FT, "
        "fine-tuned without cues at three learning rates, VGG-13 and ResNet-18, CIFAR-10 with box cue, test data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"cifar10-box"},
    .curves = {MMC_PATHS_OF_FIGURE_5},
    .test = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};

/* One of the others: what differs is what is shown, the data set with its name in the caption, and the split. */
#define FINE_TUNING_FIGURE(number, shown, dataset, dataset_title, split, split_title, shows_loss)                      \
    const mmc_suite mmc_suite_fig##number = {                                                                          \
        .name = "fig" #number,                                                                                         \
        .paper =                                                                                                       \
            "Figure " #number ": " shown                                                                               \
            " along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, " dataset_title ", " split_title,     \
        .kind = MMC_SUITE_PATHS,                                                                                       \
        .archs = {"vgg13", "resnet18"},                                                                                \
        .datasets = {(dataset)},                                                                                       \
        .curves = {MMC_PATHS_OF_FINE_TUNING},                                                                          \
        .split = true,                                                                                                 \
        .loss = (shows_loss),                                                                                          \
        .cues = {.6, .7, .8, .9, 1.0},                                                                                 \
        .claims = mmc_claims_of_fine_tuning,                                                                           \
    }

FINE_TUNING_FIGURE(20, "accuracy", "cifar10-box", "CIFAR-10 with box cue", test, "test data", false);
FINE_TUNING_FIGURE(21, "accuracy", "cifar100-box", "CIFAR-100 with box cue", test, "test data", false);
FINE_TUNING_FIGURE(22, "accuracy", "dominoes", "Dominoes", test, "test data", false);
FINE_TUNING_FIGURE(23, "accuracy", "cifar10-box", "CIFAR-10 with box cue", train, "train data", false);
FINE_TUNING_FIGURE(24, "accuracy", "cifar100-box", "CIFAR-100 with box cue", train, "train data", false);
FINE_TUNING_FIGURE(25, "accuracy", "dominoes", "Dominoes", train,
                   "train data; the caption says test, its place in the series says train", false);
FINE_TUNING_FIGURE(26, "loss", "cifar10-box", "CIFAR-10 with box cue", test, "test data", true);
FINE_TUNING_FIGURE(27, "loss", "cifar100-box", "CIFAR-100 with box cue", test, "test data", true);
FINE_TUNING_FIGURE(28, "loss", "dominoes", "Dominoes", test, "test data", true);
FINE_TUNING_FIGURE(29, "loss", "cifar10-box", "CIFAR-10 with box cue", train, "train data", true);
FINE_TUNING_FIGURE(30, "loss", "cifar100-box", "CIFAR-100 with box cue", train, "train data", true);
FINE_TUNING_FIGURE(31, "loss", "dominoes", "Dominoes", train, "train data", true);
