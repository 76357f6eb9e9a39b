#include "suites/options.h"

#include <stdio.h>

enum {
    EVERY = (1 << MMC_COMMAND_COUNT) - 1,
    RUN = 1 << MMC_COMMAND_RUN,
    TRAIN = 1 << MMC_COMMAND_TRAIN,
    FINETUNE = 1 << MMC_COMMAND_FINETUNE,
    MIDPOINT = 1 << MMC_COMMAND_MIDPOINT,
    EVAL = 1 << MMC_COMMAND_EVAL,
    PATH = 1 << MMC_COMMAND_PATH,
    MATCH = 1 << MMC_COMMAND_MATCH,
    BENCH = 1 << MMC_COMMAND_BENCH,
    DATA = 1 << MMC_COMMAND_DATA,
    COMPUTE = RUN | TRAIN | FINETUNE | MIDPOINT | EVAL | PATH | MATCH
};

#define AT(field) offsetof(mmc_options, field)

/* The order of the rows is that of mmc_option_id; options_test holds table, enum and docs/commands.md together. */
static const mmc_option_info table[MMC_OPTION_COUNT] = {
    {MMC_OPTION_ARCH, "arch", MMC_OPTION_CHOICE, "resnet18|vgg13", 0, 0, "resnet18", "resnet18, bench both",
     RUN | TRAIN | FINETUNE | BENCH, AT(arch)},
    {MMC_OPTION_WIDTH, "width", MMC_OPTION_INTEGER, "W", 4, 1024, NULL, "the scale's, bench 64 or cpu 8",
     RUN | TRAIN | FINETUNE | BENCH, AT(width)},
    {MMC_OPTION_DATASET, "dataset", MMC_OPTION_CHOICE, "cifar10-box|cifar100-box|dominoes|fashion-box", 0, 0, NULL,
     "from the checkpoint, bench cifar10-box, else required", COMPUTE | DATA | BENCH, AT(dataset)},
    {MMC_OPTION_DATA, "data", MMC_OPTION_TEXT, "DIR", 0, 0, NULL, "none", COMPUTE | DATA, AT(data)},
    {MMC_OPTION_SPLIT, "split", MMC_OPTION_CHOICE, "train|test", 0, 0, "test", NULL, EVAL | PATH | DATA, AT(split)},
    {MMC_OPTION_SETS, "sets", MMC_OPTION_TEXT, "NC,C,RC,RI", 0, 0, "NC,C,RC,RI", NULL, EVAL | PATH | DATA, AT(sets)},
    {MMC_OPTION_CUE, "cue", MMC_OPTION_NUMBER, "P", 0, 1, "0", "0, run the scale's", RUN | TRAIN | FINETUNE | MIDPOINT,
     AT(cue)},
    {MMC_OPTION_LIMIT_TRAIN, "limit-train", MMC_OPTION_INTEGER, "N", 1, INT32_MAX, NULL, "no limit, bench 1024",
     COMPUTE | DATA | BENCH, AT(limit_train)},
    {MMC_OPTION_LIMIT_TEST, "limit-test", MMC_OPTION_INTEGER, "N", 1, INT32_MAX, NULL, "no limit, bench 256",
     RUN | EVAL | PATH | DATA | BENCH, AT(limit_test)},
    {MMC_OPTION_EPOCHS, "epochs", MMC_OPTION_INTEGER, "N", 1, 100000, NULL,
     "100, finetune the method's, midpoint 15, run the scale's", RUN | TRAIN | FINETUNE | MIDPOINT, AT(epochs)},
    {MMC_OPTION_LR, "lr", MMC_OPTION_NUMBER, "RATE", 0, 1e6, "0.1", "0.1, finetune the method's, run the scale's",
     RUN | TRAIN | FINETUNE | MIDPOINT, AT(lr)},
    {MMC_OPTION_SCHEDULE, "schedule", MMC_OPTION_TEXT, "step:40,80:0.1|cosine|constant", 0, 0, NULL,
     "steps at 0.4 and 0.8 of the epochs, midpoint every 10", RUN | TRAIN | MIDPOINT, AT(schedule)},
    {MMC_OPTION_COSINE, "cosine", MMC_OPTION_CHOICE, "exact|authors", 0, 0, "exact", NULL,
     RUN | TRAIN | FINETUNE | MIDPOINT, AT(cosine)},
    {MMC_OPTION_BATCH, "batch", MMC_OPTION_INTEGER, "N", 1, 65536, NULL, "256, midpoint and bench 128",
     RUN | TRAIN | FINETUNE | MIDPOINT | EVAL | PATH | BENCH, AT(batch)},
    {MMC_OPTION_SEED, "seed", MMC_OPTION_SEED64, "N", 0, 0, "1", NULL, COMPUTE | DATA, AT(seed)},
    {MMC_OPTION_ORDER, "order", MMC_OPTION_CHOICE, "shuffled|sequential", 0, 0, "shuffled", NULL,
     TRAIN | FINETUNE | MIDPOINT, AT(order)},
    {MMC_OPTION_INIT, "init", MMC_OPTION_TEXT, "CKPT", 0, 0, NULL, "none", TRAIN, AT(init)},
    {MMC_OPTION_FROM, "from", MMC_OPTION_TEXT, "CKPT", 0, 0, NULL, "none", FINETUNE, AT(from)},
    {MMC_OPTION_CLEAN, "clean", MMC_OPTION_INTEGER, "N", 1, INT32_MAX, NULL, "2500, train none, run the scale's",
     RUN | TRAIN | FINETUNE, AT(clean)},
    {MMC_OPTION_CLEAN_SPLIT, "clean-split", MMC_OPTION_CHOICE, "disjoint|authors", 0, 0, "disjoint", NULL,
     RUN | TRAIN | FINETUNE, AT(clean_split)},
    {MMC_OPTION_HEAD_EPOCHS, "head-epochs", MMC_OPTION_INTEGER, "N", 1, 100000, NULL, "100", FINETUNE, AT(head_epochs)},
    {MMC_OPTION_CBFT_SCHEDULE, "cbft-schedule", MMC_OPTION_CHOICE, "cosine|authors", 0, 0, "cosine", NULL,
     RUN | FINETUNE, AT(cbft_schedule)},
    {MMC_OPTION_BARRIER_T, "barrier-t", MMC_OPTION_CHOICE, "truncated|authors", 0, 0, "truncated", NULL, RUN | FINETUNE,
     AT(barrier_t)},
    {MMC_OPTION_INVARIANCE, "invariance", MMC_OPTION_CHOICE, "unit|plain", 0, 0, "unit", NULL, RUN | FINETUNE,
     AT(invariance)},
    {MMC_OPTION_LOG_STEPS, "log-steps", MMC_OPTION_FLAG, NULL, 0, 0, NULL, NULL, TRAIN | FINETUNE | MIDPOINT,
     AT(log_steps)},
    {MMC_OPTION_BN, "bn", MMC_OPTION_CHOICE, "momentum|pooled|stored", 0, 0, NULL,
     "eval stored, path momentum, run the scale's", RUN | EVAL | PATH, AT(bn)},
    {MMC_OPTION_BN_BATCH, "bn-batch", MMC_OPTION_INTEGER, "N", 1, 65536, "128", NULL, RUN | EVAL | PATH, AT(bn_batch)},
    {MMC_OPTION_CURVE, "curve", MMC_OPTION_CHOICE, "linear|quadratic|polyline|bezier", 0, 0, NULL,
     "linear, quadratic with one bend", MIDPOINT | PATH, AT(curve)},
    {MMC_OPTION_POINTS, "points", MMC_OPTION_INTEGER, "N", 2, 100000, "11", NULL, RUN | PATH | BENCH, AT(points)},
    {MMC_OPTION_MID, "mid", MMC_OPTION_LIST, "M", 0, 0, NULL, "none", PATH, AT(mid)},
    {MMC_OPTION_BENDS, "bends", MMC_OPTION_INTEGER, "N", 1, 16, "1", NULL, MIDPOINT, AT(bends)},
    {MMC_OPTION_MID_INIT, "mid-init", MMC_OPTION_CHOICE, "random|linear", 0, 0, "random", NULL, MIDPOINT, AT(mid_init)},
    {MMC_OPTION_METHOD, "method", MMC_OPTION_CHOICE, "activation|activation-authors|weight", 0, 0, "activation", NULL,
     MATCH, AT(method)},
    {MMC_OPTION_BACKEND, "backend", MMC_OPTION_NAME, "auto|cpu|cuda", 0, 0, "auto", NULL, COMPUTE | BENCH, AT(backend)},
    {MMC_OPTION_DEVICE, "device", MMC_OPTION_INTEGER, "N", 0, 1023, "0", NULL, COMPUTE | BENCH, AT(device)},
    {MMC_OPTION_DEVICES, "devices", MMC_OPTION_INTEGER, "N", 1, 16, "1", NULL, RUN | TRAIN | MIDPOINT | PATH,
     AT(devices)},
    {MMC_OPTION_PROVIDER, "provider", MMC_OPTION_NAME, "auto|own|cudnn|onednn|reference", 0, 0, "auto",
     "auto, bench each", COMPUTE | BENCH, AT(provider)},
    {MMC_OPTION_PRECISION, "precision", MMC_OPTION_NAME, "fp32|tf32|bf16", 0, 0, NULL, "cuda tf32, cpu fp32",
     COMPUTE | BENCH, AT(precision)},
    {MMC_OPTION_THREADS, "threads", MMC_OPTION_INTEGER, "N", 1, 1024, NULL, "all cores", COMPUTE | BENCH, AT(threads)},
    {MMC_OPTION_SCALE, "scale", MMC_OPTION_NAME, "quick|nightly|paper", 0, 0, "quick", NULL,
     RUN | TRAIN | FINETUNE | MIDPOINT, AT(scale)},
    {MMC_OPTION_SMALL, "small", MMC_OPTION_LIST, "NAME=VALUE", 0, 0, NULL, "none", RUN, AT(small)},
    {MMC_OPTION_OUTPUT, "output", MMC_OPTION_CHOICE, "pm1|ones", 0, 0, "pm1", NULL, RUN, AT(output)},
    {MMC_OPTION_FILTER, "filter", MMC_OPTION_LIST, "REGEX", 0, 0, NULL, "none", RUN, AT(filter)},
    {MMC_OPTION_TAG, "tag", MMC_OPTION_LIST, "key=value", 0, 0, NULL, "none", RUN, AT(tag)},
    {MMC_OPTION_OUT, "out", MMC_OPTION_TEXT, "PATH", 0, 0, NULL,
     "run mmcbench-runs/SCALE-UTC, bench none, else required", RUN | TRAIN | FINETUNE | MIDPOINT | MATCH | DATA | BENCH,
     AT(out)},
    {MMC_OPTION_PNG, "png", MMC_OPTION_TEXT, "FILE", 0, 0, NULL, "none", DATA, AT(png)},
    {MMC_OPTION_RESUME, "resume", MMC_OPTION_FLAG, NULL, 0, 0, NULL, NULL, RUN | TRAIN | FINETUNE | MIDPOINT,
     AT(resume)},
    {MMC_OPTION_DRY_RUN, "dry-run", MMC_OPTION_FLAG, NULL, 0, 0, NULL, NULL, RUN, AT(dry_run)},
    {MMC_OPTION_RATES, "rates", MMC_OPTION_TEXT, "DIR", 0, 0, NULL, "none", RUN, AT(rates)},
    {MMC_OPTION_SHARD, "shard", MMC_OPTION_PART, "i/n", 0, 0, NULL, "none", RUN, AT(shard)},
    {MMC_OPTION_OP, "op", MMC_OPTION_LIST, "NAME", 0, 0, NULL, "every operation", BENCH, AT(op)},
    {MMC_OPTION_CASE, "case", MMC_OPTION_LIST, "TEXT", 0, 0, NULL, "every case", BENCH, AT(cases)},
    {MMC_OPTION_ITERS, "iters", MMC_OPTION_INTEGER, "N", 1, 1000000, NULL, "by --max-noise", BENCH, AT(iters)},
    {MMC_OPTION_MIN_SAMPLES, "min-samples", MMC_OPTION_INTEGER, "N", 1, 1000000, "10", NULL, BENCH, AT(min_samples)},
    {MMC_OPTION_MAX_NOISE, "max-noise", MMC_OPTION_NUMBER, "PERCENT", 0, 1000, "0.5", NULL, BENCH, AT(max_noise)},
    {MMC_OPTION_TIMEOUT, "timeout", MMC_OPTION_NUMBER, "S", 0, 1e6, "2", NULL, BENCH, AT(timeout)},
    {MMC_OPTION_PROFILE, "profile", MMC_OPTION_FLAG, NULL, 0, 0, NULL, NULL, BENCH, AT(profile)},
    {MMC_OPTION_JSON, "json", MMC_OPTION_FLAG, NULL, 0, 0, NULL, NULL, EVERY, AT(json)},
    {MMC_OPTION_QUIET, "quiet", MMC_OPTION_FLAG, NULL, 0, 0, NULL, NULL, EVERY, AT(quiet)},
    {MMC_OPTION_HELP, "help", MMC_OPTION_FLAG, NULL, 0, 0, NULL, NULL, EVERY, AT(help)},
    {MMC_OPTION_VERSION, "version", MMC_OPTION_FLAG, NULL, 0, 0, NULL, NULL, EVERY, AT(version)},
};

const mmc_option_info *mmc_option_find(mmc_option_id id) {
    return &table[id];
}

void mmc_option_environment(char *out, size_t size, const mmc_option_info *info) {
    int length = snprintf(out, size, "MMC_%s", info->name);
    for (int i = 4; i < length && (size_t)i + 1 < size; i++) {
        if (out[i] == '-')
            out[i] = '_';
        else if (out[i] >= 'a' && out[i] <= 'z')
            out[i] = (char)(out[i] - 'a' + 'A');
    }
}

void mmc_option_accepts(char *out, size_t size, const mmc_option_info *info) {
    switch (info->kind) {
    case MMC_OPTION_FLAG:
        snprintf(out, size, "no value (in the environment: 1 or 0)");
        return;
    case MMC_OPTION_INTEGER:
        snprintf(out, size, "an integer from %.0f to %.0f", info->minimum, info->maximum);
        return;
    case MMC_OPTION_SEED64:
        snprintf(out, size, "an integer from 0 to %llu", (unsigned long long)UINT64_MAX);
        return;
    case MMC_OPTION_NUMBER:
        snprintf(out, size, "a number from %g to %g", info->minimum, info->maximum);
        return;
    case MMC_OPTION_CHOICE:
    case MMC_OPTION_NAME:
        snprintf(out, size, "one of %s", info->argument);
        return;
    case MMC_OPTION_TEXT:
        snprintf(out, size, "%s, not empty", info->argument);
        return;
    case MMC_OPTION_LIST:
        snprintf(out, size, "%s, at most %d times", info->argument, MMC_OPTION_LIST_MAX);
        return;
    case MMC_OPTION_PART:
        snprintf(out, size, "i/n with 0 <= i < n <= 10000");
        return;
    }
}

static const struct {
    const char *name, *text;
} commands[MMC_COMMAND_COUNT] = {
#define X(id, name, text) {name, text},
    MMC_COMMAND_MAP(X)
#undef X
};

const char *mmc_command_name(mmc_command_id id) {
    return id >= 0 && id < MMC_COMMAND_COUNT ? commands[id].name : "";
}

const char *mmc_command_text(mmc_command_id id) {
    return id >= 0 && id < MMC_COMMAND_COUNT ? commands[id].text : "";
}
