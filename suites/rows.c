#define _POSIX_C_SOURCE 200809L
#include "suites/rows.h"

#include "runtime/version.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- which rows are there ----------------------------------------------------------------------------------------- */

/* Never 0, which marks an empty place. */
static uint64_t row_hash(const mmc_record *r) {
    uint64_t hash = mmc_record_hash(r);
    return hash ? hash : 1;
}

static size_t known_slot(const uint64_t *known, size_t capacity, uint64_t hash) {
    size_t i = (size_t)hash & (capacity - 1);
    while (known[i] && known[i] != hash)
        i = (i + 1) & (capacity - 1);
    return i;
}

static mmc_status known_add(mmc_rows *rows, uint64_t hash) {
    if (2 * (rows->known_count + 1) > rows->known_capacity) {
        size_t capacity = rows->known_capacity ? 2 * rows->known_capacity : 1024;
        uint64_t *grown = calloc(capacity, sizeof *grown);
        if (!grown)
            return mmc_fail(MMC_ERR_MEMORY, "out of memory for an index of %zu rows", capacity);
        for (size_t i = 0; i < rows->known_capacity; i++)
            if (rows->known[i])
                grown[known_slot(grown, capacity, rows->known[i])] = rows->known[i];
        free(rows->known);
        rows->known = grown;
        rows->known_capacity = capacity;
    }
    size_t slot = known_slot(rows->known, rows->known_capacity, hash);
    rows->known_count += rows->known[slot] == 0;
    rows->known[slot] = hash;
    return MMC_OK;
}

bool mmc_rows_has(const mmc_rows *rows, const mmc_record *record) {
    return rows->known_capacity && rows->known[known_slot(rows->known, rows->known_capacity, row_hash(record))] != 0;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

mmc_status mmc_rows_open(mmc_rows *out, const char *run_directory, int shard, const mmc_backend *be,
                         const mmc_scale *scale, const mmc_run_request *request) {
    *out = (mmc_rows){.be = be, .scale = scale, .request = request};
    mmc_status status = mmc_record_writer_open(&out->writer, run_directory, shard);
    if (status == MMC_OK)
        status = mmc_rows_learn(out, run_directory);
    if (status != MMC_OK)
        mmc_rows_close(out);
    return status;
}

mmc_status mmc_rows_learn(mmc_rows *rows, const char *run_directory) {
    mmc_record_set set;
    mmc_status status = MMC_OK;
    MMC_TRY(mmc_record_set_read_new(&set, &rows->read, run_directory));
    for (size_t i = 0; i < set.count && status == MMC_OK; i++)
        status = known_add(rows, row_hash(&set.rows[i]));
    mmc_record_set_close(&set);
    return status;
}

void mmc_rows_close(mmc_rows *rows) {
    mmc_record_writer_close(rows->writer);
    mmc_record_cursor_close(&rows->read);
    free(rows->known);
    *rows = (mmc_rows){0};
}

mmc_record mmc_rows_new(const mmc_rows *rows, const mmc_job *job) {
    const mmc_version *version = mmc_version_get();
    mmc_record r = mmc_record_empty();
    r.scale = rows->scale->name;
    r.backend = rows->be->name;
    r.provider = rows->be->provider;
    r.precision = rows->be->precision;
    r.device = rows->be->device;
    r.threads = rows->be->threads;
    r.commit = version->commit;
    r.dirty = version->dirty;
    r.tag_keys = rows->request->tag_keys;
    r.tag_values = rows->request->tag_values;
    r.tag_count = rows->request->tag_count;
    if (!job)
        return r;
    r.suite = job->suite->name;
    r.job = job->key;
    r.dataset = mmc_job_dataset(job);
    r.arch = mmc_job_arch(job);
    r.seed = (int64_t)job->seed;
    if (mmc_job_small(job)) {
        r.width = rows->scale->small.hidden;
    } else if (r.arch) {
        r.width = rows->scale->width;
        r.cue = job->cue;
        if (job->kind == MMC_JOB_FINETUNE || job->kind == MMC_JOB_EVALUATE)
            r.method = job->variant;
    }
    return r;
}

mmc_status mmc_rows_append(mmc_rows *rows, mmc_record *record) {
    if (mmc_rows_has(rows, record))
        return MMC_OK;
    char time_text[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    record->time = time_text;
    mmc_status status = mmc_record_append(rows->writer, record);
    if (status == MMC_OK)
        status = known_add(rows, row_hash(record));
    const mmc_run_hooks *hooks = &rows->request->hooks;
    if (status == MMC_OK && hooks->on_record)
        hooks->on_record(hooks->user, record);
    record->time = NULL;
    return status;
}
