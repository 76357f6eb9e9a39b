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

const mmc_suite mmc_suite_fig20 = {
    .name = "fig20",
    .paper =
        "Figure 20: accuracy along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, CIFAR-10 with box cue, test data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"cifar10-box"},
    .curves = {MMC_PATHS_OF_FINE_TUNING},
    .test = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};

const mmc_suite mmc_suite_fig21 = {
    .name = "fig21",
    .paper =
        "Figure 21: accuracy along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, CIFAR-100 with box cue, test data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"cifar100-box"},
    .curves = {MMC_PATHS_OF_FINE_TUNING},
    .test = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};

const mmc_suite mmc_suite_fig22 = {
    .name = "fig22",
    .paper =
        "Figure 22: accuracy along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, Dominoes, test data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"dominoes"},
    .curves = {MMC_PATHS_OF_FINE_TUNING},
    .test = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};

const mmc_suite mmc_suite_fig23 = {
    .name = "fig23",
    .paper =
        "Figure 23: accuracy along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, CIFAR-10 with box cue, train data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"cifar10-box"},
    .curves = {MMC_PATHS_OF_FINE_TUNING},
    .train = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};

const mmc_suite mmc_suite_fig24 = {
    .name = "fig24",
    .paper =
        "Figure 24: accuracy along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, CIFAR-100 with box cue, train data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"cifar100-box"},
    .curves = {MMC_PATHS_OF_FINE_TUNING},
    .train = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};

const mmc_suite mmc_suite_fig25 = {
    .name = "fig25",
    .paper =
        "Figure 25: accuracy along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, Dominoes, train data"
        "; the caption says test, its place in the series says train",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"dominoes"},
    .curves = {MMC_PATHS_OF_FINE_TUNING},
    .train = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};

const mmc_suite mmc_suite_fig26 = {
    .name = "fig26",
    .paper =
        "Figure 26: loss along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, CIFAR-10 with box cue, test data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"cifar10-box"},
    .curves = {MMC_PATHS_OF_FINE_TUNING},
    .test = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};

const mmc_suite mmc_suite_fig27 = {
    .name = "fig27",
    .paper =
        "Figure 27: loss along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, CIFAR-100 with box cue, test data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"cifar100-box"},
    .curves = {MMC_PATHS_OF_FINE_TUNING},
    .test = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};

const mmc_suite mmc_suite_fig28 = {
    .name = "fig28",
    .paper = "Figure 28: loss along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, Dominoes, test data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"dominoes"},
    .curves = {MMC_PATHS_OF_FINE_TUNING},
    .test = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};

const mmc_suite mmc_suite_fig29 = {
    .name = "fig29",
    .paper =
        "Figure 29: loss along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, CIFAR-10 with box cue, train data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"cifar10-box"},
    .curves = {MMC_PATHS_OF_FINE_TUNING},
    .train = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};

const mmc_suite mmc_suite_fig30 = {
    .name = "fig30",
    .paper =
        "Figure 30: loss along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, CIFAR-100 with box cue, train data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"cifar100-box"},
    .curves = {MMC_PATHS_OF_FINE_TUNING},
    .train = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};

const mmc_suite mmc_suite_fig31 = {
    .name = "fig31",
    .paper = "Figure 31: loss along linear paths from theta_C to theta_FT, VGG-13 and ResNet-18, Dominoes, train data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"vgg13", "resnet18"},
    .datasets = {"dominoes"},
    .curves = {MMC_PATHS_OF_FINE_TUNING},
    .train = true,
    .loss = true,
    .cues = {.6, .7, .8, .9, 1.0},
    .claims = mmc_claims_of_fine_tuning,
};
