/* Figure 6: a sketch in the paper; here drawn from the measured path. */
#include "suites/claims.h"
#include "suites/tables.h"

const mmc_suite mmc_suite_fig6 = {
    .name = "fig6",
    .paper = "Figure 6: loss on data without and with cue along the linear path from theta_NC to theta_C, ResNet-18, "
             "CIFAR-10 with box cue, test data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"resnet18"},
    .datasets = {"cifar10-box"},
    .curves = {MMC_PATH_LINEAR},
    .test = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fig6,
};
