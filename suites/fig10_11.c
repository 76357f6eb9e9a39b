/* Figures 10 and 11: learning curves of theta_NC and theta_C. */
#include "suites/tables.h"

const mmc_suite mmc_suite_fig10 = {
    .name = "fig10",
    .paper = "Figure 10: learning curves, VGG-13, three data sets: train accuracy, test accuracy without and with cue",
    .kind = MMC_SUITE_CURVES,
    .archs = {"vgg13"},
    .datasets = {"cifar10-box", "cifar100-box", "dominoes"},
    .test = true,
    .train = true,
    .scratch_no_cue = true,
    .cues = {.6, .7, .8, .9, 1.0},
};

const mmc_suite mmc_suite_fig11 = {
    .name = "fig11",
    .paper = "Figure 11: learning curves, ResNet-18, three data sets: train accuracy, test accuracy without and with "
             "cue",
    .kind = MMC_SUITE_CURVES,
    .archs = {"resnet18"},
    .datasets = {"cifar10-box", "cifar100-box", "dominoes"},
    .test = true,
    .train = true,
    .scratch_no_cue = true,
    .cues = {.6, .7, .8, .9, 1.0},
};
