/* Figure 4: are models that rely on different mechanisms connected? */
#include "suites/claims.h"
#include "suites/tables.h"

const mmc_suite mmc_suite_fig4 = {
    .name = "fig4",
    .paper = "Figure 4: accuracy along paths from theta_C (cue proportion p) to theta_NC, ResNet-18, CIFAR-10 with box "
             "cue, test data; paths: quadratic trained without and with cue, linear, linear after matching neurons",
    .kind = MMC_SUITE_PATHS,
    .archs = {"resnet18"},
    .datasets = {"cifar10-box"},
    .curves = {MMC_PATHS_OF_FIGURE_4},
    .test = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_paths,
};
