#define _GNU_SOURCE
#include "suites/dispatch.h"

#include "runtime/clock.h"
#include "runtime/file.h"
#include "runtime/finetune.h"
#include "suites/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS_FIRST = 50, WAIT_MS_LONGEST = 2000, FAILED_LIMIT_BYTES = 1 << 16 };

static void __attribute__((format(printf, 2, 3))) tell(const mmc_execution *x, const char *format, ...) {
    const mmc_run_hooks *hooks = &x->request->hooks;
    if (!hooks->on_message)
        return;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    hooks->on_message(hooks->user, line);
}

static bool interrupted(const mmc_execution *x) {
    return x->request->interrupted && *x->request->interrupted;
}

/* --- what the artifact's folder says --------------------------------------------------------------------------------
 */

static void job_fail(mmc_job *job, const char *reason) {
    job->state = MMC_JOB_FAILED;
    snprintf(job->reason, sizeof job->reason, "%s", reason);
}

static bool earlier(struct timespec a, struct timespec b) {
    return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/* Pending jobs that another process has finished, or failed since this one began. */
static mmc_status job_look(const mmc_execution *x, mmc_job *job, struct timespec began) {
    char path[4096];
    struct stat st;
    MMC_TRY(mmc_artifact_path(path, sizeof path, x, job, "done"));
    if (stat(path, &st) == 0) {
        job->state = MMC_JOB_DONE;
        return MMC_OK;
    }
    MMC_TRY(mmc_artifact_path(path, sizeof path, x, job, "failed"));
    if (stat(path, &st) != 0 || earlier(st.st_mtim, began))
        return MMC_OK;
    void *reason;
    size_t size;
    MMC_TRY(mmc_file_read(&reason, &size, path, FAILED_LIMIT_BYTES));
    job_fail(job, reason);
    free(reason);
    return MMC_OK;
}

/* The process crashed between writing `done` and removing what is no longer needed, or there was nothing to remove. */
static mmc_status leftovers_remove(const mmc_execution *x, const mmc_job *job) {
    static const char *const names[] = {MMC_JOB_STATE, "failed"};
    char path[4096];
    mmc_method method;
    if (job->kind == MMC_JOB_FINETUNE) {
        MMC_TRY(mmc_method_parse(&method, job->variant));
        MMC_TRY(mmc_artifact_path(path, sizeof path, x, job, MMC_JOB_STATE));
        MMC_TRY(mmc_finetune_state_remove(path, method));
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        MMC_TRY(mmc_artifact_path(path, sizeof path, x, job, names[i]));
        unlink(path);
    }
    return MMC_OK;
}

/* --- one job --------------------------------------------------------------------------------------------------------
 */

static const mmc_job *input_failed(const mmc_plan *plan, const mmc_job *job) {
    const int inputs[] = {job->from, job->to};
    for (int i = 0; i < 2; i++)
        if (inputs[i] >= 0 && plan->jobs[inputs[i]].state == MMC_JOB_FAILED)
            return &plan->jobs[inputs[i]];
    return NULL;
}

static bool job_ready(const mmc_plan *plan, const mmc_job *job) {
    const int inputs[] = {job->from, job->to, job->match};
    for (int i = 0; i < 3; i++)
        if (inputs[i] >= 0 && plan->jobs[inputs[i]].state == MMC_JOB_PENDING)
            return false;
    for (int i = 0; i < job->curve_count; i++)
        if (job->bend[i] >= 0 && plan->jobs[job->bend[i]].state == MMC_JOB_PENDING)
            return false;
    return true;
}

static mmc_status job_finish(const mmc_execution *x, mmc_job *job, const mmc_lease *lease, double wall_s) {
    char path[4096], text[64];
    if (!mmc_lease_held(lease)) {
        tell(x, "%s: another process took this job over; its result is used", job->label);
        return MMC_OK;
    }
    MMC_TRY(mmc_artifact_path(path, sizeof path, x, job, "done"));
    snprintf(text, sizeof text, "{\"wall_s\":%.3f}\n", wall_s);
    MMC_TRY(mmc_file_write(path, text, strlen(text)));
    job->state = MMC_JOB_DONE;
    return leftovers_remove(x, job);
}

/* A failure that concerns this job alone; the others go on. */
static mmc_status job_note_failure(const mmc_execution *x, mmc_job *job, const char *reason) {
    char path[4096];
    job_fail(job, reason);
    tell(x, "%s failed: %s", job->label, reason);
    MMC_TRY(mmc_job_write_failure(x, job, job->reason));
    MMC_TRY(mmc_artifact_path(path, sizeof path, x, job, "failed"));
    return mmc_file_write(path, job->reason, strlen(job->reason));
}

static mmc_status job_do(const mmc_execution *x, mmc_job *job, const mmc_lease *lease) {
    char reason[1024];
    const mmc_job *missing = input_failed(x->plan, job);
    if (missing) {
        snprintf(reason, sizeof reason, "it needs %s, which failed: %s", missing->label, missing->reason);
        return job_note_failure(x, job, reason);
    }
    tell(x, "%s", job->label);
    double start_s = mmc_clock_s();
    mmc_status status = mmc_job_execute(x, job);
    if (status == MMC_ERR_INTERRUPTED)
        return status;
    if (status == MMC_OK)
        return job_finish(x, job, lease, mmc_clock_s() - start_s);
    snprintf(reason, sizeof reason, "%s", mmc_error_message());
    return job_note_failure(x, job, reason);
}

/* *taken: this process had the claim, whatever came of it. */
static mmc_status job_try(bool *taken, const mmc_execution *x, mmc_job *job, struct timespec began) {
    char folder[4096], lock[4096];
    mmc_lease *lease;
    *taken = false;
    MMC_TRY(mmc_artifact_path(folder, sizeof folder, x, job, ""));
    MMC_TRY(mmc_folder_create(folder));
    snprintf(lock, sizeof lock, "%s/artifacts/claims.lock", x->directory);
    MMC_TRY(mmc_lease_take(&lease, folder, lock));
    if (!lease)
        return MMC_OK;
    *taken = true;
    mmc_status status = job_look(x, job, began); /* it may have been finished while we asked for it */
    if (status == MMC_OK && job->state == MMC_JOB_PENDING) {
        status = mmc_rows_learn(x->rows, x->directory); /* a process that was killed may have left some of its rows */
        if (status == MMC_OK)
            status = job_do(x, job, lease);
    }
    mmc_lease_release(lease);
    return status;
}

/* --- all jobs -------------------------------------------------------------------------------------------------------
 */

static bool job_own(const mmc_execution *x, int index) {
    int count = x->request->shard_count;
    return count < 2 || index % count == x->request->shard;
}

/* The first job that can be had now, own ones first. */
static mmc_status step(bool *taken, const mmc_execution *x, mmc_plan *plan, struct timespec began) {
    *taken = false;
    for (int i = 0; i < plan->count; i++)
        if (plan->jobs[i].state == MMC_JOB_PENDING)
            MMC_TRY(job_look(x, &plan->jobs[i], began));
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < plan->count && !*taken; i++)
            if (plan->jobs[i].state == MMC_JOB_PENDING && job_own(x, i) == (pass == 0) &&
                job_ready(plan, &plan->jobs[i]))
                MMC_TRY(job_try(taken, x, &plan->jobs[i], began));
    return MMC_OK;
}

static bool own_pending(const mmc_execution *x, const mmc_plan *plan) {
    for (int i = 0; i < plan->count; i++)
        if (plan->jobs[i].state == MMC_JOB_PENDING && job_own(x, i))
            return true;
    return false;
}

/* The file system's clock, which marks of failure are compared with; other machines' clocks may differ. */
static mmc_status file_system_now(struct timespec *now, const mmc_execution *x) {
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/artifacts/claims.lock", x->directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    bool good = fd >= 0 && futimens(fd, NULL) == 0 && fstat(fd, &st) == 0;
    mmc_status status = good ? MMC_OK : mmc_fail(MMC_ERR_IO, "%s: cannot be touched: %s", path, strerror(errno));
    if (good)
        *now = st.st_mtim;
    if (fd >= 0)
        close(fd);
    return status;
}

static void wait_ms(int ms) {
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

mmc_status mmc_plan_dispatch(const mmc_execution *x, mmc_plan *plan) {
    struct timespec began = {0};
    int pause_ms = WAIT_MS_FIRST;
    MMC_TRY(file_system_now(&began, x));
    for (;;) {
        if (interrupted(x))
            return mmc_fail(MMC_ERR_INTERRUPTED, "interrupted; go on with --resume --out %s", x->directory);
        bool taken;
        mmc_status status = step(&taken, x, plan, began);
        if (status == MMC_ERR_INTERRUPTED)
            return mmc_fail(status, "interrupted, state kept; go on with --resume --out %s", x->directory);
        if (status != MMC_OK)
            return status;
        if (taken) {
            pause_ms = WAIT_MS_FIRST;
            continue;
        }
        if (!own_pending(x, plan))
            return MMC_OK;
        if (pause_ms == WAIT_MS_FIRST)
            tell(x, "waiting for jobs that other processes hold");
        wait_ms(pause_ms);
        pause_ms = 2 * pause_ms < WAIT_MS_LONGEST ? 2 * pause_ms : WAIT_MS_LONGEST;
    }
}
