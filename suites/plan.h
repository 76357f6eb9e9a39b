/* The plan of a run: suites x scale x overrides expanded to jobs, inputs before the jobs that need them.
 *
 *     mmc_plan plan = {0};
 *     MMC_TRY(mmc_plan_expand(&plan, &settings, be, &data));
 *     plan.jobs[0].key, plan.jobs[0].label ...
 *     mmc_plan_close(&plan);
 */
#ifndef MMC_SUITES_PLAN_H
#define MMC_SUITES_PLAN_H

#include "runtime/backend.h"
#include "runtime/finetune.h"
#include "suites/run_data.h"
#include "suites/scale.h"
#include "suites/suite.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_JOB_SCHEMA = 2, MMC_JOB_CURVES_MAX = 8 };

typedef enum mmc_job_kind {
    MMC_JOB_TRAIN,    /* theta_NC (cue 0), theta_C(p), theta_FT(lr), a pre-trained model; rows: learning curves */
    MMC_JOB_FINETUNE, /* a fine-tuning method, from a pre-trained model or from scratch */
    MMC_JOB_MIDPOINT, /* the bend of a quadratic path between two models */
    MMC_JOB_MATCH,    /* `from` with its units in the order of `to`'s */
    MMC_JOB_EVALUATE, /* a model on the four sets, batch norm as stored */
    MMC_JOB_PATHS,    /* all curves of one pair, sharing their end points */
    MMC_JOB_SHEET,    /* samples of the four sets as a picture */
    /* of the small model (suites/small.h) */
    MMC_JOB_SMALL_TRAIN, /* its models, of all seeds */
    MMC_JOB_SMALL_TABLE, /* their losses under interventions */
    MMC_JOB_SMALL_MAP,   /* the attribute maps; no model */
    MMC_JOB_SMALL_PATHS  /* paths between them, before and after matching */
} mmc_job_kind;

typedef enum mmc_job_state {
    MMC_JOB_PENDING,
    MMC_JOB_DONE,
    MMC_JOB_FAILED /* `reason` says why */
} mmc_job_state;

enum { MMC_VARIANT_MAX = 32 };

typedef struct mmc_job {
    mmc_job_kind kind;
    const mmc_suite *suite; /* the first that asked */
    char key[17];           /* first 16 hex digits of the SHA-256 of `config` */
    char *config;           /* full canonical configuration: JSON, sorted keys. Owned */
    char label[128];        /* "train resnet18-w8 fashion-box p=1 seed=1"; jobs of equal labels are one job */
    /* What tells it and its rows from those of the figures' theta_C and theta_NC: "" (these), "ft-0.01" (theta_FT and
     * its pair), "pretrained", or the name of a method. */
    char variant[MMC_VARIANT_MAX];
    mmc_arch arch;
    mmc_dataset_kind dataset;
    double cue;             /* p of theta_C */
    uint64_t seed;          /* of the experiment: as in its records */
    uint64_t training_seed; /* models start from different weights and see the images in different orders */
    /* Jobs that its models come from; -1: none. MIDPOINT, MATCH, PATHS: the ends at t = 0 and t = 1. TRAIN, FINETUNE,
     * EVALUATE: `from` is the start, or the model. */
    int from, to;
    double lr;                                         /* TRAIN from a model: its rate */
    bool pretrain;                                     /* TRAIN: the clean samples are kept for the methods */
    bool bend_cue;                                     /* MIDPOINT: trained on data where every image carries its cue */
    const mmc_suite_curve *curves[MMC_JOB_CURVES_MAX]; /* PATHS */
    int bend[MMC_JOB_CURVES_MAX];                      /* PATHS: job of the curve's bend, or -1 */
    int match;                                         /* PATHS: job of the permuted `from`, or -1: no curve wants it */
    int curve_count;
    bool test, train; /* PATHS, EVALUATE, SHEET: splits */
    int seeds;        /* SMALL_*: from `seed` on */
    mmc_job_state state;
    char reason[512];
} mmc_job;

/* Something that an item of the paper shows and that this run cannot measure: becomes one record without value. */
typedef struct mmc_plan_absent {
    const mmc_suite *suite;
    const char *item;
    const char *arch, *dataset; /* arch NULL: no network */
    char key[17], reason[256];
} mmc_plan_absent;

/* An item on a data set, as its claims are judged. */
typedef struct mmc_plan_item {
    const mmc_suite *suite;
    const char *arch, *dataset;
} mmc_plan_item;

enum { MMC_PLAN_ABSENT_MAX = 160, MMC_PLAN_ITEMS_MAX = 160 };

typedef struct mmc_plan {
    mmc_job *jobs;
    int count, capacity;
    mmc_plan_absent absent[MMC_PLAN_ABSENT_MAX];
    int absent_count;
    mmc_plan_item items[MMC_PLAN_ITEMS_MAX];
    int item_count;
} mmc_plan;

/* What is asked for, names resolved, overrides applied to the scale. */
typedef struct mmc_plan_settings {
    mmc_scale scale;
    const mmc_suite *suites[MMC_SCALE_SUITES_MAX];
    int suite_count;
    const char *arch, *dataset; /* in place of the suites' own; NULL */
    double cues[MMC_SUITE_CUES_MAX];
    int cue_count; /* 0: the suite's that the scale names */
    uint64_t seed;
    const char *const *filters;
    size_t filter_count;
    int devices; /* 1 and more */
} mmc_plan_settings;

/* Expands. Suites whose data is missing become `absent` entries. Errors: MMC_ERR_USAGE (unknown names, a filter that is
 * no regular expression, nothing left to do), MMC_ERR_FORMAT (corrupt data), MMC_ERR_MEMORY. */
mmc_status mmc_plan_expand(mmc_plan *plan, const mmc_plan_settings *settings, const mmc_backend *be,
                           mmc_run_data *data);
void mmc_plan_close(mmc_plan *plan);

/* Of the small model. */
static inline bool mmc_job_small(const mmc_job *job) {
    return job->kind >= MMC_JOB_SMALL_TRAIN;
}

/* As in records. A sheet has no network: NULL. */
const char *mmc_job_arch(const mmc_job *job);
const char *mmc_job_dataset(const mmc_job *job);

const char *mmc_job_kind_name(mmc_job_kind kind); /* "train", "finetune", "midpoint", ... */

/* Training and path settings of a job, and the network they act on. */
mmc_status mmc_job_train_config(mmc_train_config *out, const mmc_job *job, const mmc_scale *scale);
mmc_status mmc_job_finetune_config(mmc_finetune_config *out, const mmc_job *job, const mmc_scale *scale); /* no split */
mmc_path_config mmc_job_path_config(const mmc_job *job, const mmc_scale *scale);
mmc_model_spec mmc_job_model_spec(const mmc_job *job, const mmc_scale *scale);

/* Fills config and key of every job, inputs first: a job's configuration holds the keys of its inputs. */
mmc_status mmc_plan_keys(mmc_plan *plan, const mmc_scale *scale, const mmc_backend *be, const mmc_run_data *data);

#ifdef __cplusplus
}
#endif
#endif
