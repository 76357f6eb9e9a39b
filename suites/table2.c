/* Table 2: which kinds of connectivity hold between similar and between dissimilar models. */
#include "suites/claims.h"
#include "suites/tables.h"

const mmc_suite mmc_suite_table2 = {
    .name = "table2",
    .paper =
        "Table 2: linear and nonlinear, mode and mechanistic connectivity of similar models (theta_C and theta_FT of "
        "the lowest rate) and of dissimilar ones (theta_C and theta_NC), ResNet-18, CIFAR-10 with box cue, test data",
    .kind = MMC_SUITE_PATHS,
    .archs = {"resnet18"},
    .datasets = {"cifar10-box"},
    .curves = {MMC_PATHS_OF_FIGURE_4,
               {.item = "ft-0.001", .kind = MMC_CURVE_LINEAR, .lr = .001, .judged_on = MMC_SET_C},
               {.item = "ft-0.001-quadratic-cue",
                .kind = MMC_CURVE_QUADRATIC,
                .lr = .001,
                .cue = true,
                .judged_on = MMC_SET_C}},
    .test = true,
    .cues = {.6, .7, .8, .9},
    .claims = mmc_claims_of_table2,
};
