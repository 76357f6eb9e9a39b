/* The runner: suites x scale x overrides -> jobs -> artifacts and records -> claims -> report.
 *
 * A job (train, midpoint, paths of a pair, sheet) is named by the hash of its full configuration, so suites share jobs
 * and a finished one is never done again. Several processes may work on one run directory (INTERFACE, "Several
 * processes").
 *
 *     mmc_run_request request = mmc_run_request_defaults();
 *     request.scale = "quick";
 *     char page[4096];
 *     status = mmc_run(&request, page, sizeof page);
 */
#ifndef MMC_SUITES_RUNNER_H
#define MMC_SUITES_RUNNER_H

#include "reports/record.h"
#include "runtime/backend.h"
#include "runtime/progress.h"
#include "suites/roofline.h"
#include "suites/scale.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_RUN_CUES_MAX = 8 };

/* One job as --dry-run shows it. Strings are valid during the call. */
typedef struct mmc_run_plan_row {
    const char *suite; /* the first that asked */
    const char *job;   /* key: 16 hex digits */
    const char *kind;  /* "train", "midpoint", "paths", "sheet" */
    const char *label; /* "train resnet18 fashion-box p=1 seed=1" */
    const char *state; /* "to do", "done" (its artifact is there), "skipped" (the reason is in `reason`) */
    const char *reason;
    double images;       /* passes of an image through the network; training counts one */
    double flop;         /* training counts three forwards an image */
    double bytes;        /* of activations that the kernels move (suites/roofline.h) */
    double memory_bytes; /* of the data set and the states held at once; activations are planned by the backend */
    double time_s;       /* on this machine */
    double roofline_s[MMC_ROOFLINE_DEVICES]; /* shortest time on each of mmc_roofline_devices() */
} mmc_run_plan_row;

typedef struct mmc_run_plan_total {
    int jobs, jobs_done;
    double images, flop, bytes, memory_bytes, time_s; /* of what is still to do */
    double roofline_s[MMC_ROOFLINE_DEVICES];
    double rate_flops;       /* FLOP/s the times of the first network come from; NAN: no network */
    const char *rate_source; /* how it was found: "measured: ..." */
} mmc_run_plan_total;

/* What a run tells its caller; any function may be NULL. Called from the thread that called mmc_run. */
typedef struct mmc_run_hooks {
    void (*on_record)(void *user, const mmc_record *record); /* each record after it was written */
    void (*on_plan)(void *user, const mmc_run_plan_row *row);
    void (*on_plan_total)(void *user, const mmc_run_plan_total *total);
    void (*on_message)(void *user, const char *line); /* one line for a person, no line break */
    void (*on_progress)(void *user, const char *label, const mmc_progress_event *event);
    void *user;
} mmc_run_hooks;

/* What to run. Overrides: 0, NULL or NAN leaves the suite's or the scale's value. */
typedef struct mmc_run_request {
    const char *const *suites; /* names, or "all"; none: the scale's own set */
    size_t suite_count;
    const char *scale;            /* "quick", "nightly", "paper"; NULL: "quick" */
    const mmc_scale *scale_given; /* instead of a named one (toy sizes of tests); NULL */
    const char *out;              /* run directory; NULL: mmcbench-runs/SCALE-UTC below the current folder */
    const char *data;             /* --data; NULL: none given */
    const char *arch, *dataset;   /* in place of every suite's own */
    int width;
    int epochs, batch;    /* of theta_NC, theta_C, theta_FT and pre-training, which share a schedule */
    double lr;            /* of them, but not of theta_FT */
    const char *schedule; /* of them, "step:40,80:0.1" ... */
    int32_t clean;        /* clean samples of the methods */
    /* Where the paper and the authors' program differ (SPEC 3); false: the scale's. */
    bool clean_split_authors, cosine_authors, cbft_schedule_authors, barrier_t_authors, invariance_plain;
    int points, bn_batch; /* of paths */
    const char *bn;       /* "momentum", "pooled" */
    int32_t limit_train, limit_test;
    double cues[MMC_RUN_CUES_MAX]; /* cue proportions in place of the scale's; cue_count 0: the scale's */
    int cue_count;
    bool seed_given; /* seed: the first of the scale's seeds, which count up from it */
    uint64_t seed;
    const char *const *small; /* NAME=VALUE: settings of the small model */
    size_t small_count;
    const char *small_output;   /* "pm1", "ones"; NULL: the scale's */
    const char *const *filters; /* regular expressions on job labels; a leading '-' excludes */
    size_t filter_count;
    const char *const *tag_keys, *const *tag_values; /* into every record */
    size_t tag_count;
    mmc_backend_options backend;
    int devices; /* from backend.device on; training on several needs NCCL */
    bool resume, dry_run;
    const char *rates;                        /* --dry-run: run directory of `bench`; NULL: one forward is timed */
    bool no_report;                           /* leave the report undrawn (tests) */
    int shard, shard_count;                   /* --shard i/n, i from 0; shard_count 0: not sharded */
    const volatile sig_atomic_t *interrupted; /* non-zero: keep state, return MMC_ERR_INTERRUPTED; NULL: never */
    mmc_run_hooks hooks;
} mmc_run_request;

/* Everything unset. */
mmc_run_request mmc_run_request_defaults(void);

/* Runs, writes records and claims, draws the report and stores its path in `report_path` ("" where none was drawn: a
 * dry run, or other shards are still at work).
 * Errors: MMC_ERR_WRONG (a failed job or claim; the report is drawn all the same), MMC_ERR_USAGE (unknown names, a
 * directory that holds another run, or a resume under other threads, instruction set or libraries), MMC_ERR_BUSY (the
 * same shard is running), MMC_ERR_SKIPPED (all suites lack their data), MMC_ERR_INTERRUPTED (state kept). */
mmc_status mmc_run(const mmc_run_request *request, char *report_path, size_t size);

#ifdef __cplusplus
}
#endif
#endif
