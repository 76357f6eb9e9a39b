/* The options of the program: one table with name, argument, range, default and the commands that take it
 * (INTERFACE, "Options"). Parsing, checking, the environment and the help all read this table.
 *
 *     mmc_options options;
 *     MMC_TRY(mmc_options_parse(&options, argc, argv, environ, warn, NULL));
 *     options.batch, mmc_option_given(&options, MMC_OPTION_WIDTH) ...
 *
 * Every option has an environment variable (`--limit-train`: MMC_LIMIT_TRAIN); the option wins.
 */
#ifndef MMC_SUITES_OPTIONS_H
#define MMC_SUITES_OPTIONS_H

#include "runtime/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(ID, name, what it does in a few words) */
#define MMC_COMMAND_MAP(X)                                                                                             \
    X(RUN, "run", "run suites, then write the report")                                                                 \
    X(LIST, "list", "suites, models, data sets, methods, backends, operations")                                        \
    X(REPORT, "report", "draw every table and figure of a run directory again")                                        \
    X(TRAIN, "train", "train one model; the result is a checkpoint")                                                   \
    X(FINETUNE, "finetune", "fine-tune a model on the clean images by one of the methods")                             \
    X(MIDPOINT, "midpoint", "train the bends of a curve between two checkpoints")                                      \
    X(MATCH, "match", "permute a model's units to those of another")                                                   \
    X(EVAL, "eval", "accuracy and loss of one model on the counterfactual sets")                                       \
    X(PATH, "path", "accuracy and loss along a path between two checkpoints")                                          \
    X(BENCH, "bench", "throughput of every operation and of path evaluation")                                          \
    X(DATA, "data", "check, fetch or render data")                                                                     \
    X(INFO, "info", "devices, libraries, build options, what is missing")                                              \
    X(HELP, "help", "this help, or that of one command")

typedef enum mmc_command_id {
    MMC_COMMAND_NONE = -1, /* only --help or --version was asked for */
#define X(id, name, text) MMC_COMMAND_##id,
    MMC_COMMAND_MAP(X)
#undef X
        MMC_COMMAND_COUNT
} mmc_command_id;

typedef enum mmc_option_id {
    MMC_OPTION_ARCH,
    MMC_OPTION_WIDTH,
    MMC_OPTION_DATASET,
    MMC_OPTION_DATA,
    MMC_OPTION_SPLIT,
    MMC_OPTION_SETS,
    MMC_OPTION_CUE,
    MMC_OPTION_LIMIT_TRAIN,
    MMC_OPTION_LIMIT_TEST,
    MMC_OPTION_EPOCHS,
    MMC_OPTION_LR,
    MMC_OPTION_SCHEDULE,
    MMC_OPTION_COSINE,
    MMC_OPTION_BATCH,
    MMC_OPTION_SEED,
    MMC_OPTION_ORDER,
    MMC_OPTION_INIT,
    MMC_OPTION_FROM,
    MMC_OPTION_CLEAN,
    MMC_OPTION_CLEAN_SPLIT,
    MMC_OPTION_HEAD_EPOCHS,
    MMC_OPTION_CBFT_SCHEDULE,
    MMC_OPTION_BARRIER_T,
    MMC_OPTION_INVARIANCE,
    MMC_OPTION_LOG_STEPS,
    MMC_OPTION_BN,
    MMC_OPTION_BN_BATCH,
    MMC_OPTION_CURVE,
    MMC_OPTION_POINTS,
    MMC_OPTION_MID,
    MMC_OPTION_BENDS,
    MMC_OPTION_MID_INIT,
    MMC_OPTION_METHOD,
    MMC_OPTION_BACKEND,
    MMC_OPTION_DEVICE,
    MMC_OPTION_DEVICES,
    MMC_OPTION_PROVIDER,
    MMC_OPTION_PRECISION,
    MMC_OPTION_THREADS,
    MMC_OPTION_SCALE,
    MMC_OPTION_SMALL,
    MMC_OPTION_OUTPUT,
    MMC_OPTION_FILTER,
    MMC_OPTION_TAG,
    MMC_OPTION_OUT,
    MMC_OPTION_PNG,
    MMC_OPTION_RESUME,
    MMC_OPTION_DRY_RUN,
    MMC_OPTION_RATES,
    MMC_OPTION_SHARD,
    MMC_OPTION_OP,
    MMC_OPTION_CASE,
    MMC_OPTION_ITERS,
    MMC_OPTION_MIN_SAMPLES,
    MMC_OPTION_MAX_NOISE,
    MMC_OPTION_TIMEOUT,
    MMC_OPTION_PROFILE,
    MMC_OPTION_JSON,
    MMC_OPTION_QUIET,
    MMC_OPTION_HELP,
    MMC_OPTION_VERSION,
    MMC_OPTION_COUNT
} mmc_option_id;

typedef enum mmc_option_kind {
    MMC_OPTION_FLAG,    /* no argument; bool */
    MMC_OPTION_INTEGER, /* int, from minimum to maximum */
    MMC_OPTION_SEED64,  /* uint64_t */
    MMC_OPTION_NUMBER,  /* double, from minimum to maximum */
    MMC_OPTION_CHOICE,  /* one of `argument`, separated by '|'; int, its index */
    MMC_OPTION_NAME,    /* the same; const char *, the name itself */
    MMC_OPTION_TEXT,    /* const char *, not empty */
    MMC_OPTION_LIST,    /* repeatable text; mmc_option_list */
    MMC_OPTION_PART     /* i/n with 0 <= i < n; mmc_option_part */
} mmc_option_kind;

/* One row of the table. */
typedef struct mmc_option_info {
    mmc_option_id id;
    const char *name; /* without the dashes */
    mmc_option_kind kind;
    const char *argument;    /* as the help shows it: "N", "a|b"; NULL for a flag */
    double minimum, maximum; /* INTEGER, NUMBER */
    const char *initial;     /* parsed where nothing is given; NULL: the command decides */
    const char *shown;       /* the default as the help states it; NULL: none */
    unsigned commands;       /* bit mask (1 << mmc_command_id) */
    size_t offset;           /* of its value in mmc_options */
} mmc_option_info;

enum { MMC_OPTION_LIST_MAX = 32, MMC_ARGUMENTS_MAX = 64 };

typedef struct mmc_option_list {
    const char *items[MMC_OPTION_LIST_MAX];
    int count;
} mmc_option_list;

typedef struct mmc_option_part {
    int index, count; /* index from 0; count 0: not given */
} mmc_option_part;

/* Every resolved value. Texts point into argv, the environment or the table. A value whose default the command decides
 * is 0 or NULL until given. */
typedef struct mmc_options {
    mmc_command_id command;
    const char *arguments[MMC_ARGUMENTS_MAX]; /* what follows the command and is no option */
    int argument_count;
    uint64_t given; /* bit mask (1 << mmc_option_id): on the command line or in the environment */
    uint64_t typed; /* those on the command line */

    int arch;         /* mmc_arch */
    int width;        /* channels of the first stage */
    int dataset;      /* mmc_dataset_kind */
    const char *data; /* folder */
    int split;        /* mmc_split_kind */
    const char *sets; /* "NC,C,RC,RI" */
    double cue;       /* proportion */
    int limit_train, limit_test;
    int epochs;
    double lr;
    const char *schedule;
    int cosine; /* 0 exact, 1 authors */
    int batch;
    uint64_t seed;
    int order;        /* 0 shuffled, 1 sequential */
    const char *init; /* checkpoint */
    const char *from; /* checkpoint */
    int clean;        /* images without cue */
    int clean_split;  /* 0 disjoint, 1 authors */
    int head_epochs;
    int cbft_schedule; /* 0 cosine, 1 authors */
    int barrier_t;     /* 0 truncated, 1 authors */
    int invariance;    /* 0 unit, 1 plain */
    bool log_steps;
    int bn; /* mmc_bn_mode */
    int bn_batch;
    int curve;  /* mmc_curve_kind */
    int method; /* mmc_match_method */
    int points;
    mmc_option_list mid; /* checkpoints */
    int bends;
    int mid_init; /* 0 random, 1 linear */
    const char *backend, *provider, *precision;
    int device, devices;    /* the first, how many */
    int threads;            /* 0: all cores */
    const char *scale;      /* "quick", "nightly", "paper" */
    mmc_option_list small;  /* NAME=VALUE of the small model */
    int output;             /* mmc_small_output */
    mmc_option_list filter; /* regular expressions */
    mmc_option_list tag;    /* "key=value" */
    const char *out, *png;
    bool resume, dry_run;
    const char *rates;
    mmc_option_part shard;
    mmc_option_list op, cases; /* bench: names of operations, parts of names of cases */
    int iters, min_samples;
    double max_noise, timeout; /* percent, seconds */
    bool profile;
    bool json, quiet, help, version;
} mmc_options;

/* Called with one line of text for each unknown MMC_ name in the environment. */
typedef void (*mmc_option_warning)(void *user, const char *line);

/* Fills every value from the table's defaults, the environment and the command line.
 * Errors: MMC_ERR_USAGE or MMC_ERR_RANGE naming the option and what it accepts. */
mmc_status mmc_options_parse(mmc_options *out, int argc, char **argv, char *const *environment,
                             mmc_option_warning warning, void *user);

/* Whether the option was given, on the command line or in the environment. */
bool mmc_option_given(const mmc_options *options, mmc_option_id id);

/* The row of an option. */
const mmc_option_info *mmc_option_find(mmc_option_id id);

/* The name of the environment variable of an option ("MMC_LIMIT_TRAIN"). Errors: none; `size` 32 is enough. */
void mmc_option_environment(char *out, size_t size, const mmc_option_info *info);

/* What an option accepts, as the error messages say it ("an integer from 1 to 65536"). */
void mmc_option_accepts(char *out, size_t size, const mmc_option_info *info);

/* "run", ...; never NULL. */
const char *mmc_command_name(mmc_command_id id);

/* What a command does, in a few words. */
const char *mmc_command_text(mmc_command_id id);

/* Errors: MMC_ERR_USAGE lists the commands. */
mmc_status mmc_command_parse(mmc_command_id *out, const char *name);

#ifdef __cplusplus
}
#endif
#endif
