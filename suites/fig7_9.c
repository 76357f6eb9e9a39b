/* Figures 7 to 9: what the counterfactual sets look like. */
#include "suites/tables.h"

const mmc_suite mmc_suite_fig7 = {
    .name = "fig7",
    .paper = "Figure 7: samples of CIFAR-10 with box cue, classes down, the four counterfactual sets across",
    .kind = MMC_SUITE_SHEET,
    .datasets = {"cifar10-box"},
    .test = true,
};

const mmc_suite mmc_suite_fig8 = {
    .name = "fig8",
    .paper = "Figure 8: samples of CIFAR-100 with box cue, classes down, the four counterfactual sets across",
    .kind = MMC_SUITE_SHEET,
    .datasets = {"cifar100-box"},
    .test = true,
};

const mmc_suite mmc_suite_fig9 = {
    .name = "fig9",
    .paper = "Figure 9: samples of Dominoes, classes down, the four counterfactual sets across",
    .kind = MMC_SUITE_SHEET,
    .datasets = {"dominoes"},
    .test = true,
};
