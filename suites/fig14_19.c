/* Figures 14 to 19: figure 4 for both networks and all data sets, test and train data, accuracy and loss. */
#include "suites/claims.h"
#include "suites/tables.h"

const mmc_suite mmc_suite_fig14 = {
    .name = "fig14",
    .paper =
        "Figure 14: accuracy and loss along paths from theta_C to theta_NC, VGG-13, CIFAR-10 with box cue, test and train data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13"},
    .datasets = {"cifar10-box"},
    .curves = {MMC_PATHS_OF_FIGURE_4},
    .test = true,
    .train = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_paths,
};

const mmc_suite mmc_suite_fig15 = {
    .name = "fig15",
    .paper =
        "Figure 15: accuracy and loss along paths from theta_C to theta_NC, ResNet-18, CIFAR-10 with box cue, test and train data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"resnet18"},
    .datasets = {"cifar10-box"},
    .curves = {MMC_PATHS_OF_FIGURE_4},
    .test = true,
    .train = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_paths,
};

const mmc_suite mmc_suite_fig16 = {
    .name = "fig16",
    .paper =
        "Figure 16: accuracy and loss along paths from theta_C to theta_NC, VGG-13, CIFAR-100 with box cue, test and train data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13"},
    .datasets = {"cifar100-box"},
    .curves = {MMC_PATHS_OF_FIGURE_4},
    .test = true,
    .train = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_paths,
};

const mmc_suite mmc_suite_fig17 = {
    .name = "fig17",
    .paper =
        "Figure 17: accuracy and loss along paths from theta_C to theta_NC, ResNet-18, CIFAR-100 with box cue, test and train data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"resnet18"},
    .datasets = {"cifar100-box"},
    .curves = {MMC_PATHS_OF_FIGURE_4},
    .test = true,
    .train = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_paths,
};

const mmc_suite mmc_suite_fig18 = {
    .name = "fig18",
    .paper = "Figure 18: accuracy and loss along paths from theta_C to theta_NC, VGG-13, Dominoes, test and train data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13"},
    .datasets = {"dominoes"},
    .curves = {MMC_PATHS_OF_FIGURE_4},
    .test = true,
    .train = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_paths,
};

const mmc_suite mmc_suite_fig19 = {
    .name = "fig19",
    .paper =
        "Figure 19: accuracy and loss along paths from theta_C to theta_NC, ResNet-18, Dominoes, test and train data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"resnet18"},
    .datasets = {"dominoes"},
    .curves = {MMC_PATHS_OF_FIGURE_4},
    .test = true,
    .train = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_paths,
};
