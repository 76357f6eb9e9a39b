/* Tables 1, 3 and 4: which fine-tuning methods change the mechanism? */
#include "suites/claims.h"
#include "suites/tables.h"

static const char *const methods_of_table1[] = {MMC_PRETRAINED, "ft-medium", "ft-small", "llrt", "lpft", "cbft", NULL};
static const char *const methods_of_table3[] = {MMC_PRETRAINED, "cbft", "cbft-no-barrier", "cbft-no-invariance", NULL};
static const char *const methods_of_table4[] = {"scratch-clean", NULL};

const mmc_suite mmc_suite_table1 = {
    .name = "table1",
    .paper =
        "Table 1: accuracy on the counterfactual sets after fine-tuning theta_C (cue proportion p) on clean samples, "
        "five methods, ResNet-18, three data sets, test data",
    .kind = MMC_SUITE_METHODS,
    .archs = {"resnet18"},
    .datasets = {"cifar10-box", "cifar100-box", "dominoes"},
    .test = true,
    .methods = methods_of_table1,
    .cues = {.6, .7, .8, .9},
    .claims = mmc_claims_of_table1,
};

const mmc_suite mmc_suite_table3 = {
    .name = "table3",
    .paper =
        "Table 3: CBFT without its barrier step and without its invariance term, ResNet-18, three data sets, test data",
    .kind = MMC_SUITE_METHODS,
    .archs = {"resnet18"},
    .datasets = {"cifar10-box", "cifar100-box", "dominoes"},
    .test = true,
    .methods = methods_of_table3,
    .cues = {.6, .7, .8, .9},
    .claims = mmc_claims_of_table3,
};

const mmc_suite mmc_suite_table4 = {
    .name = "table4",
    .paper = "Table 4: training from scratch on the clean samples alone, ResNet-18, three data sets, test data",
    .kind = MMC_SUITE_METHODS,
    .archs = {"resnet18"},
    .datasets = {"cifar10-box", "cifar100-box", "dominoes"},
    .test = true,
    .methods = methods_of_table4,
    .from_scratch = true,
    .claims = mmc_claims_of_table4,
};
