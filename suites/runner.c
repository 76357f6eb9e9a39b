#define _POSIX_C_SOURCE 200809L
#include "suites/runner.h"

#include "reports/report.h"
#include "runtime/file.h"
#include "runtime/path.h"
#include "suites/claims.h"
#include "suites/devices.h"
#include "suites/dispatch.h"
#include "suites/estimate.h"
#include "suites/run_config.h"
#include "suites/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Everything a run holds. */
typedef struct run {
    const mmc_run_request *request;
    mmc_plan_settings settings;
    mmc_run_data data;
    mmc_backend *be, *more[MMC_PATH_MORE_MAX];
    int more_count;
    mmc_plan plan;
    mmc_rows rows;
    char directory[3072]; /* shorter than the paths made from it */
    char fingerprint[512];
} run;

static void __attribute__((format(printf, 2, 3))) tell(const run *r, const char *format, ...) {
    if (!r->request->hooks.on_message)
        return;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    r->request->hooks.on_message(r->request->hooks.user, line);
}

/* --- beginning ------------------------------------------------------------------------------------------------------
 */

static mmc_status directory_choose(run *r) {
    int n;
    if (r->request->out) {
        n = snprintf(r->directory, sizeof r->directory, "%s", r->request->out);
    } else {
        if (r->request->resume || r->request->shard_count)
            return mmc_fail(MMC_ERR_USAGE, "%s needs --out DIR: the run directory to work on",
                            r->request->resume ? "--resume" : "--shard");
        char stamp[32];
        time_t now = time(NULL);
        struct tm utc;
        gmtime_r(&now, &utc);
        strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
        n = snprintf(r->directory, sizeof r->directory, "mmcbench-runs/%s-%s", r->settings.scale.name, stamp);
    }
    if (n < 0 || (size_t)n >= sizeof r->directory)
        return mmc_fail(MMC_ERR_RANGE, "--out: the path is longer than %zu bytes", sizeof r->directory);
    return MMC_OK;
}

static mmc_status run_plan(run *r, const mmc_run_request *request) {
    r->request = request;
    MMC_TRY(mmc_run_settings(&r->settings, request));
    MMC_TRY(directory_choose(r));
    r->data = (mmc_run_data){.folder = request->data};
    mmc_run_data_limit(&r->data, &r->settings.scale);
    MMC_TRY(mmc_devices_open(&r->be, r->more, &request->backend, r->settings.devices));
    r->more_count = r->settings.devices - 1;
    mmc_run_fingerprint(r->fingerprint, sizeof r->fingerprint, r->be, r->settings.devices);
    MMC_TRY(mmc_plan_expand(&r->plan, &r->settings, r->be, &r->data));
    if (r->plan.count == 0 && r->plan.absent_count)
        return mmc_fail(MMC_ERR_SKIPPED, "all that was asked for was skipped: %s: %s", r->plan.absent[0].suite->name,
                        r->plan.absent[0].reason);
    return MMC_OK;
}

static mmc_status directory_open(run *r) {
    bool join = r->request->resume || r->request->shard_count > 0;
    char path[4096];
    MMC_TRY(mmc_run_directory_check(r->directory));
    snprintf(path, sizeof path, "%s/artifacts", r->directory);
    MMC_TRY(mmc_folder_create(r->directory));
    MMC_TRY(mmc_rows_open(&r->rows, r->directory, r->request->shard, r->be, &r->settings.scale, r->request));
    MMC_TRY(mmc_run_config_join(r->directory, &r->settings, r->be, &r->data, join));
    return mmc_folder_create(path);
}

/* What this run cannot measure; written by the first shard alone. */
static mmc_status absent_write(run *r) {
    for (int i = 0; i < r->plan.absent_count && r->request->shard == 0; i++) {
        const mmc_plan_absent *a = &r->plan.absent[i];
        mmc_record row = mmc_rows_new(&r->rows, NULL);
        row.suite = a->suite->name;
        row.item = a->item;
        row.metric = a->suite->kind == MMC_SUITE_SHEET ? "sheet" : "accuracy";
        row.arch = a->arch;
        row.dataset = a->dataset;
        row.job = a->key;
        row.reason = a->reason;
        MMC_TRY(mmc_rows_append(&r->rows, &row));
    }
    return MMC_OK;
}

/* --- claims ---------------------------------------------------------------------------------------------------------
 */

static bool claims_due(const run *r, const mmc_plan_item *item) {
    for (int i = 0; i < r->plan.count; i++) {
        const mmc_job *job = &r->plan.jobs[i];
        if (mmc_job_arch(job) && job->state != MMC_JOB_DONE && strcmp(mmc_job_arch(job), item->arch) == 0 &&
            strcmp(mmc_job_dataset(job), item->dataset) == 0)
            return false;
    }
    return true;
}

static mmc_status claim_write(run *r, const mmc_plan_item *item, const mmc_claim *claim, const mmc_claim_answer *a) {
    char text[512], key[17];
    snprintf(text, sizeof text, "claim|%s|%s|%s|%s|%s", claim->name, item->suite->name, item->arch, item->dataset,
             r->settings.scale.name);
    MMC_TRY(mmc_run_digest(key, text));
    mmc_record row = mmc_rows_new(&r->rows, NULL);
    row.suite = item->suite->name;
    row.item = claim->name;
    row.metric = "claim";
    row.arch = item->arch;
    row.dataset = item->dataset;
    row.width = mmc_suite_small(item->suite) ? r->settings.scale.small.hidden : r->settings.scale.width;
    row.job = key;
    row.value = a->verdict == MMC_VERDICT_UNDECIDED ? NAN : a->verdict == MMC_VERDICT_HOLDS;
    row.reason = a->reason;
    tell(r, "%s, %s, %s: %s: %s (%s)", item->suite->name, item->arch, item->dataset, claim->text,
         mmc_verdict_name(a->verdict), a->reason);
    return mmc_rows_append(&r->rows, &row);
}

/* Items whose jobs are all done; one with a failed job is judged when a later run has done it. */
static mmc_status claims_judge(run *r, int *failed, char *first, size_t size) {
    mmc_record_set records;
    MMC_TRY(mmc_record_set_read(&records, r->directory));
    mmc_status status = MMC_OK;
    *failed = 0;
    for (int i = 0; i < r->plan.item_count; i++) {
        const mmc_plan_item *item = &r->plan.items[i];
        if (!item->suite->claims || !claims_due(r, item))
            continue;
        for (const mmc_claim *const *c = item->suite->claims; *c; c++) {
            if (!mmc_claim_applies(*c, item->dataset))
                continue;
            const mmc_claim_question q = {&records, item->suite, &r->settings.scale, item->arch, item->dataset};
            mmc_claim_answer a;
            (*c)->judge(&a, &q);
            MMC_GOTO(cleanup, claim_write(r, item, *c, &a));
            if (a.verdict == MMC_VERDICT_FAILS && (*failed)++ == 0)
                snprintf(first, size, "%s: %s (%s)", item->suite->name, (*c)->text, a.reason);
        }
    }
cleanup:
    mmc_record_set_close(&records);
    return status;
}

/* --- end ------------------------------------------------------------------------------------------------------------
 */

/* Two shards may come to their end together: one judges and draws after the other. */
static mmc_status end_lock(int *fd, const run *r) {
    char path[4096];
    snprintf(path, sizeof path, "%s/artifacts/report.lock", r->directory);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0)
        return mmc_fail(MMC_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    while (fcntl(*fd, F_SETLKW, &whole) != 0)
        if (errno != EINTR) {
            close(*fd);
            return mmc_fail(MMC_ERR_IO, "%s: cannot be locked: %s", path, strerror(errno));
        }
    return MMC_OK;
}

/* The claims' verdicts, then the page. */
static mmc_status judge_and_draw(run *r, int *failed, char *claim, size_t claim_size, char *page, size_t page_size) {
    int lock;
    MMC_TRY(end_lock(&lock, r));
    mmc_status status = mmc_rows_learn(&r->rows, r->directory);
    if (status == MMC_OK)
        status = claims_judge(r, failed, claim, claim_size);
    if (status == MMC_OK && !r->request->no_report)
        status = mmc_report_draw(page, page_size, r->directory);
    close(lock);
    return status;
}

static int count_state(const run *r, mmc_job_state state, const mmc_job **first) {
    int count = 0;
    for (int i = 0; i < r->plan.count; i++)
        if (r->plan.jobs[i].state == state && count++ == 0 && first)
            *first = &r->plan.jobs[i];
    return count;
}

static mmc_status run_conclude(run *r, char *page, size_t size) {
    const mmc_job *first = NULL;
    char claim[768] = "";
    int failed_claims = 0, pending = count_state(r, MMC_JOB_PENDING, NULL);
    int failed = count_state(r, MMC_JOB_FAILED, &first);
    if (pending) {
        tell(r, "this shard is done; %d jobs are in the hands of others, and the last writes the report", pending);
    } else {
        MMC_TRY(judge_and_draw(r, &failed_claims, claim, sizeof claim, page, size));
    }
    if (failed)
        return mmc_fail(MMC_ERR_WRONG, "%d of %d jobs failed; the first: %s: %s. --resume --out %s tries them again",
                        failed, r->plan.count, first->label, first->reason, r->directory);
    if (failed_claims)
        return mmc_fail(MMC_ERR_WRONG, "%d claims fail; the first: %s", failed_claims, claim);
    return MMC_OK;
}

static mmc_status run_work(run *r, char *page, size_t size) {
    MMC_TRY(directory_open(r));
    tell(r, "run directory %s: %d jobs, %s, %d threads", r->directory, r->plan.count, r->be->provider, r->be->threads);
    MMC_TRY(absent_write(r));
    const mmc_execution x = {.directory = r->directory,
                             .plan = &r->plan,
                             .scale = &r->settings.scale,
                             .request = r->request,
                             .fingerprint = r->fingerprint,
                             .be = r->be,
                             .more = r->more,
                             .more_count = r->more_count,
                             .data = &r->data,
                             .rows = &r->rows};
    MMC_TRY(mmc_plan_dispatch(&x, &r->plan));
    return run_conclude(r, page, size);
}

mmc_status mmc_run(const mmc_run_request *request, char *report_path, size_t size) {
    if (size)
        *report_path = '\0';
    run *r = calloc(1, sizeof *r);
    if (!r)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for a run");
    mmc_status status = run_plan(r, request);
    if (status == MMC_OK)
        status = request->dry_run
                     ? mmc_run_estimate(&r->plan, &r->settings, r->be, &r->data, request->out ? r->directory : NULL,
                                        request->rates, &request->hooks)
                     : run_work(r, report_path, size);
    mmc_rows_close(&r->rows);
    mmc_plan_close(&r->plan);
    mmc_devices_close(r->be, r->more, r->more_count);
    mmc_run_data_close(&r->data);
    free(r);
    return status;
}
