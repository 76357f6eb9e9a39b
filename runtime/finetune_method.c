/* Names and default values of the fine-tuning methods. */
#include "runtime/finetune.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *text;
    int epochs, head_epochs;
    double lr;
} methods[MMC_METHOD_COUNT] = {
    [MMC_METHOD_FT_MEDIUM] = {"ft-medium", "the whole network on the clean images, lr .01", 20, 0, 0.01},
    [MMC_METHOD_FT_SMALL] = {"ft-small", "the whole network on the clean images, lr .001", 20, 0, 0.001},
    [MMC_METHOD_LLRT] = {"llrt", "a new last layer on the clean images, the body frozen", 0, 100, 0},
    [MMC_METHOD_LPFT] = {"lpft", "llrt, then the whole network at three rates, the best on validation data", 20, 100,
                         0.01},
    [MMC_METHOD_CBFT] = {"cbft",
                         "connectivity-based: a barrier to the start, and the same features with and without cue", 20,
                         0, 0.01},
    [MMC_METHOD_CBFT_NO_BARRIER] = {"cbft-no-barrier", "cbft without the barrier step", 20, 0, 0.01},
    [MMC_METHOD_CBFT_NO_INVARIANCE] = {"cbft-no-invariance", "cbft without the invariance term", 20, 0, 0.01},
    [MMC_METHOD_SCRATCH_CLEAN] = {"scratch-clean", "from random weights on the clean images alone", 100, 0, 0.1},
};

const char *mmc_method_name(mmc_method method) {
    return method >= 0 && method < MMC_METHOD_COUNT ? methods[method].name : "";
}

const char *mmc_method_text(mmc_method method) {
    return method >= 0 && method < MMC_METHOD_COUNT ? methods[method].text : "";
}

mmc_status mmc_method_parse(mmc_method *out, const char *name) {
    char known[160] = "";
    size_t used = 0;
    for (int i = 0; i < MMC_METHOD_COUNT; i++) {
        if (strcmp(name, methods[i].name) == 0) {
            *out = (mmc_method)i;
            return MMC_OK;
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", methods[i].name);
    }
    return mmc_fail(MMC_ERR_USAGE, "unknown method '%s'; known are %s", name, known);
}

bool mmc_method_is_cbft(mmc_method method) {
    return method == MMC_METHOD_CBFT || method == MMC_METHOD_CBFT_NO_BARRIER || method == MMC_METHOD_CBFT_NO_INVARIANCE;
}

bool mmc_method_has_head(mmc_method method) {
    return method == MMC_METHOD_LLRT || method == MMC_METHOD_LPFT;
}

mmc_finetune_config mmc_finetune_defaults(mmc_method method) {
    return (mmc_finetune_config){.method = method,
                                 .epochs = methods[method].epochs,
                                 .head_epochs = methods[method].head_epochs,
                                 .batch = 256,
                                 .lr = methods[method].lr,
                                 .head_lr = 30,
                                 .momentum = 0.9,
                                 .decay = 1e-4,
                                 .lambda = 1,
                                 .seed = 1};
}

int mmc_finetune_epochs(const mmc_finetune_config *config) {
    switch (config->method) {
    case MMC_METHOD_LLRT:
        return config->head_epochs;
    case MMC_METHOD_LPFT:
        return config->head_epochs + MMC_LPFT_RATES * config->epochs;
    default:
        return config->epochs;
    }
}
