/* Execution of one job: from its inputs' artifacts to its own artifact and its rows.
 *
 *     artifacts/KEY/config.json         what the key is the hash of
 *     artifacts/KEY/model.safetensors   train, finetune, midpoint, match: the result
 *     artifacts/KEY/sheet.png           sheet
 *     artifacts/KEY/log.jsonl           train, finetune, midpoint: one line an epoch
 *     artifacts/KEY/state.safetensors   train, finetune, midpoint: what an interrupted job goes on from; gone when done
 *     artifacts/KEY/claim               who is at work (suites/lease.h)
 *     artifacts/KEY/done                written last
 *     artifacts/KEY/failed              why a job failed; tried again by the next run on this directory
 *
 * Rows are written before `done`, and a row is never written twice, so a job that was killed anywhere is done again
 * from where it stood, with nothing lost and nothing twice.
 */
#ifndef MMC_SUITES_EXECUTE_H
#define MMC_SUITES_EXECUTE_H

#include "runtime/checkpoint.h"
#include "runtime/clean_split.h"
#include "suites/rows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What all jobs of a run share. */
typedef struct mmc_execution {
    const char *directory; /* of the run */
    const mmc_plan *plan;
    const mmc_scale *scale;
    const mmc_run_request *request;
    const char *fingerprint; /* threads, instruction set, libraries: what bits depend on */
    mmc_backend *be;
    mmc_backend *const *more; /* on further devices, which take a share of trainings and paths */
    int more_count;
    mmc_run_data *data;
    mmc_rows *rows;
} mmc_execution;

/* DIR/artifacts/KEY/NAME (NAME "": the folder). Errors: MMC_ERR_RANGE if it is longer than `size`. */
mmc_status mmc_artifact_path(char *out, size_t size, const mmc_execution *x, const mmc_job *job, const char *name);

/* Reads the model that another job of the plan left: its model.safetensors. Errors: those of mmc_checkpoint_read.
 * Owns: the caller, mmc_checkpoint_close. */
mmc_status mmc_job_model_read(mmc_checkpoint *out, const mmc_execution *x, int job);

/* Does one job: its inputs are done, its claim is held. Errors: MMC_ERR_INTERRUPTED (state kept), else why it failed.
 */
mmc_status mmc_job_execute(const mmc_execution *x, const mmc_job *job);

/* One row without value for each item that the job would have measured, with the reason. */
mmc_status mmc_job_write_failure(const mmc_execution *x, const mmc_job *job, const char *reason);

/* The parts of mmc_job_execute that have a file of their own. */
mmc_status mmc_job_execute_training(const mmc_execution *x, const mmc_job *job);    /* execute_train.c */
mmc_status mmc_job_execute_match(const mmc_execution *x, const mmc_job *job);       /* execute_match.c */
mmc_status mmc_job_execute_paths(const mmc_execution *x, const mmc_job *job);       /* execute_paths.c */
mmc_status mmc_job_execute_sheet(const mmc_execution *x, const mmc_job *job);       /* execute_sheet.c */
mmc_status mmc_job_execute_finetune(const mmc_execution *x, const mmc_job *job);    /* execute_finetune.c */
mmc_status mmc_job_execute_evaluate(const mmc_execution *x, const mmc_job *job);    /* execute_evaluate.c */
mmc_status mmc_job_execute_small_train(const mmc_execution *x, const mmc_job *job); /* execute_small.c */
mmc_status mmc_job_execute_small_table(const mmc_execution *x, const mmc_job *job); /* execute_small_table.c */
mmc_status mmc_job_execute_small_map(const mmc_execution *x, const mmc_job *job);   /* execute_small_table.c */
mmc_status mmc_job_execute_small_paths(const mmc_execution *x, const mmc_job *job); /* execute_small_paths.c */

#define MMC_JOB_STATE "state.safetensors" /* what an interrupted training goes on from */

/* The clean samples of a pre-trained model and its methods; the same for all of one seed. Owns: the caller, _close. */
mmc_status mmc_job_clean_split(mmc_clean_split *out, const mmc_execution *x, const mmc_job *job);

/* Whether all rows of a curve are there (execute_paths.c). */
bool mmc_curve_measured(const mmc_execution *x, const mmc_job *job, const char *item);

/* An item of a job's rows: `name` for theta_C, theta_NC and what lies between them, else "VARIANT-NAME", so that
 * readers who select by item never mix models. */
enum { MMC_ITEM_MAX = 96 };
const char *mmc_job_item(char out[MMC_ITEM_MAX], const mmc_job *job, const char *name);

/* Name of the item of a bend's training: "bend-cue", "bend-no-cue" (trained.c). */
const char *mmc_bend_item(const mmc_job *job);

/* Progress of a job, relayed with its label. `relay` must stay in place. */
typedef struct mmc_progress_relay {
    const mmc_run_request *request;
    const mmc_job *job;
} mmc_progress_relay;
mmc_progress mmc_progress_relayed(mmc_progress_relay *relay);

#ifdef __cplusplus
}
#endif
#endif
