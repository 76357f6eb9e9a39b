#include "suites/scale.h"

#include <string.h>

static const mmc_scale quick = {
    .name = "quick",
    .about = "minutes on two CPU cores: narrow network, part of the data, few epochs",
    .reduced = true,
    .width = 8,
    .limit_train = 10000,
    .limit_test = 2000,
    .seeds = 1,
    .scratch = {.epochs = 5, .batch = 64, .lr = .04},
    .midpoint = {.epochs = 10, .batch = 64, .lr = .03, .schedule = "step:6,9:0.1"},
    .fine_tune = {.epochs = 3, .batch = 128},
    .cues = {.9, 1.0},
    .fine_tune_cues = {.9, 1.0},
    .table_seeds = 1,
    .pretrain = {.epochs = 5, .batch = 64, .lr = .04},
    .methods = {.epochs = 20, .head_epochs = 100, .scratch_epochs = 40, .batch = 256, .clean = 2500},
    .table_cues = {.9},
    .points = 11,
    .bn = MMC_BN_POOLED,
    .bn_batch = 128,
    .bn_images = 2560,
    .train_images = 2000,
    .other_train = 3000,
    .other_test = 1000,
    .stand_in = {"cifar10-box", "fashion-box"},
    .datasets = {"cifar10-box"},
    .suites = {"fig4", "fig7", "fig11"},
    .small = MMC_SMALL_DEFAULTS,
    .small_seeds = 1,
    .connected_dip = .05,
    .claim_margin = .01,
    .claim_accuracy = .5,
};

static const mmc_scale nightly = {
    .name = "nightly",
    .about =
        "planned for an hour on one GPU: half the width, all the data, a fifth of the epochs, some cue proportions",
    .reduced = true,
    .width = 32,
    .seeds = 1,
    .scratch = {.epochs = 20, .batch = 256, .lr = .1},
    .midpoint = {.epochs = 6, .batch = 128, .lr = .1, .schedule = "step:4:0.1"},
    .fine_tune = {.epochs = 20, .batch = 256},
    .cues = {.6, .8, 1.0},
    .fine_tune_cues = {.8, 1.0},
    .table_seeds = 1,
    .pretrain = {.epochs = 20, .batch = 256, .lr = .1},
    .methods = {.epochs = 20, .head_epochs = 100, .scratch_epochs = 100, .batch = 256, .clean = 2500},
    .table_cues = {.6, .9},
    .points = 11,
    .bn = MMC_BN_POOLED,
    .bn_batch = 128,
    .bn_images = 10240,
    .stand_in = {"cifar10-box", "fashion-box"},
    .suites = {"table1", "table2", "table3", "table4", "table5", "fig4", "fig5", "fig6", "fig7", "fig11", "fig12",
               "fig13", "fig15", "fig20", "fig23"},
    .datasets = {"cifar10-box"},
    .small = MMC_SMALL_DEFAULTS,
    .small_seeds = 5,
    .connected_dip = .05,
    .claim_margin = .005,
    .claim_accuracy = .5,
};

static const mmc_scale paper = {
    .name = "paper",
    .about = "the paper's protocol: width 64, all the data, 100 epochs, five cue proportions",
    .width = 64,
    .seeds = 1,
    .scratch = {.epochs = 100, .batch = 256, .lr = .1},
    .midpoint = {.epochs = 15, .batch = 128, .lr = .1},
    .fine_tune = {.epochs = 100, .batch = 256},
    .table_seeds = 3,
    .pretrain = {.epochs = 100, .batch = 256, .lr = .1},
    .methods = {.epochs = 20, .head_epochs = 100, .scratch_epochs = 100, .batch = 256, .clean = 2500},
    .points = 11,
    .bn = MMC_BN_MOMENTUM,
    .bn_batch = 128,
    .suites = {"table1", "table2", "table3", "table4", "table5", "fig4",  "fig5",  "fig6",  "fig7",  "fig8",  "fig9",
               "fig10",  "fig11",  "fig12",  "fig13",  "fig14",  "fig15", "fig16", "fig17", "fig18", "fig19", "fig20",
               "fig21",  "fig22",  "fig23",  "fig24",  "fig25",  "fig26", "fig27", "fig28", "fig29", "fig30", "fig31"},
    .small = MMC_SMALL_DEFAULTS,
    .small_seeds = 3,
    .connected_dip = .02,
};

static const mmc_scale *const scales[] = {&quick, &nightly, &paper};

const mmc_scale *const *mmc_scale_all(size_t *count) {
    *count = sizeof scales / sizeof *scales;
    return scales;
}

const mmc_scale *mmc_scale_find(const char *name) {
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        if (strcmp(scales[i]->name, name) == 0)
            return scales[i];
    return NULL;
}
