/* Figures 14 to 19: figure 4 for both networks and all data sets, test and train data, accuracy and loss. */
#include "suites/claims.h"
#include "suites/tables.h"

/* One of them: what differs is the network and the data set, each with its name in the caption. */
#define PATHS_FIGURE(number, network, network_title, dataset, dataset_title)                                           \
    const mmc_suite mmc_suite_fig##number = {                                                                          \
        .name = "fig" #number,                                                                                         \
        .paper = "Figure " #number ": accuracy and loss along paths from theta_C to theta_NC, " network_title          \
                 ", " dataset_title ", test and train data",                                                           \
        .kind = MMC_SUITE_PATHS,                                                                                       \
        .archs = {(network)},                                                                                          \
        .datasets = {(dataset)},                                                                                       \
        .curves = {MMC_PATHS_OF_FIGURE_4},                                                                             \
        .test = true,                                                                                                  \
        .train = true,                                                                                                 \
        .loss = true,                                                                                                  \
        .cues = {.6, .7, .8, .9, 1.0},                                                                                 \
        .claims = mmc_claims_of_paths,                                                                                 \
    }

PATHS_FIGURE(14, "vgg13", "VGG-13", "cifar10-box", "CIFAR-10 with box cue");
PATHS_FIGURE(15, "resnet18", "ResNet-18", "cifar10-box", "CIFAR-10 with box cue");
PATHS_FIGURE(16, "vgg13", "VGG-13", "cifar100-box", "CIFAR-100 with box cue");
PATHS_FIGURE(17, "resnet18", "ResNet-18", "cifar100-box", "CIFAR-100 with box cue");
PATHS_FIGURE(18, "vgg13", "VGG-13", "dominoes", "Dominoes");
PATHS_FIGURE(19, "resnet18", "ResNet-18", "dominoes", "Dominoes");
