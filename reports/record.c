#define _DEFAULT_SOURCE
#include "reports/record.h"

#include "reports/text.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct mmc_record_writer {
    int file;
    char *path;
    mmc_text line;
};

mmc_record mmc_record_empty(void) {
    return (mmc_record){.value = NAN,
                        .t = NAN,
                        .cue = NAN,
                        .n = -1,
                        .seed = -1,
                        .median = NAN,
                        .min = NAN,
                        .iqr = NAN,
                        .image_forwards = NAN,
                        .flop = NAN,
                        .bytes = NAN,
                        .peak_memory = NAN,
                        .roofline = NAN,
                        .clock_mhz = NAN};
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* Cuts off what follows the last line break: the half-written row of a killed run. Looks at no more than the tail. */
static mmc_status drop_torn_line(int file, const char *path) {
    off_t end = lseek(file, 0, SEEK_END);
    off_t keep = end;
    char block[4096];
    while (keep > 0) {
        off_t start = keep > (off_t)sizeof block ? keep - (off_t)sizeof block : 0;
        ssize_t got = pread(file, block, (size_t)(keep - start), start);
        if (got != keep - start)
            return mmc_fail(MMC_ERR_IO, "%s: cannot be read: %s", path, got < 0 ? strerror(errno) : "cut short");
        while (keep > start && block[keep - start - 1] != '\n')
            keep--;
        if (keep > start)
            break;
    }
    if (keep != end && ftruncate(file, keep) != 0)
        return mmc_fail(MMC_ERR_IO, "%s: the torn last line cannot be dropped: %s", path, strerror(errno));
    return MMC_OK;
}

mmc_status mmc_record_writer_open(mmc_record_writer **out, const char *run_directory, int shard) {
    *out = NULL;
    if (shard < 0)
        return mmc_fail(MMC_ERR_RANGE, "shard %d: shards are numbered from 0", shard);
    mmc_text path = {0};
    if (shard == 0)
        mmc_text_printf(&path, "%s/records.jsonl", run_directory);
    else
        mmc_text_printf(&path, "%s/records-%d.jsonl", run_directory, shard);
    mmc_status status = mmc_text_check(&path);
    mmc_record_writer *writer = calloc(1, sizeof *writer);
    if (status != MMC_OK || !writer) {
        mmc_text_close(&path);
        free(writer);
        return mmc_fail(MMC_ERR_MEMORY, "out of memory while opening the records of %s", run_directory);
    }
    writer->path = path.data;
    writer->file = open(writer->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (writer->file < 0) {
        status = mmc_fail(errno == ENOENT ? MMC_ERR_MISSING : MMC_ERR_IO, "%s: cannot be opened for writing: %s",
                          writer->path, strerror(errno));
        goto failed;
    }
    if (flock(writer->file, LOCK_EX | LOCK_NB) != 0) {
        status = errno == EWOULDBLOCK
                     ? mmc_fail(MMC_ERR_BUSY,
                                "%s: another process writes it; wait for it, or give this one its own --shard i/n or "
                                "--out",
                                writer->path)
                     : mmc_fail(MMC_ERR_IO, "%s: cannot be locked: %s", writer->path, strerror(errno));
        goto failed;
    }
    status = drop_torn_line(writer->file, writer->path);
    if (status != MMC_OK)
        goto failed;
    *out = writer;
    return MMC_OK;
failed:
    mmc_record_writer_close(writer);
    return status;
}

void mmc_record_writer_close(mmc_record_writer *writer) {
    if (!writer)
        return;
    if (writer->file >= 0)
        close(writer->file);
    mmc_text_close(&writer->line);
    free(writer->path);
    free(writer);
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void key(mmc_text *line, const char *name) {
    mmc_text_printf(line, ",\"%s\":", name);
}

static void put_text(mmc_text *line, const char *name, const char *value) {
    key(line, name);
    mmc_text_json(line, value && *value ? value : NULL);
}

static void put_number(mmc_text *line, const char *name, double value) {
    key(line, name);
    mmc_text_number(line, value);
}

static void put_integer(mmc_text *line, const char *name, int64_t value, int64_t null) {
    key(line, name);
    if (value == null)
        mmc_text_add(line, "null");
    else
        mmc_text_printf(line, "%lld", (long long)value);
}

static void put_present(mmc_text *line, const char *name, double value) {
    if (isfinite(value))
        put_number(line, name, value);
}

static void compose(mmc_text *line, const mmc_record *r) {
    const char *reason = r->reason;
    if (!isfinite(r->value) && !(reason && *reason))
        reason = "the measured value is not a finite number";
    mmc_text_clear(line);
    mmc_text_printf(line, "{\"schema\":%d", MMC_RECORD_SCHEMA);
    put_text(line, "suite", r->suite);
    put_text(line, "item", r->item);
    put_text(line, "metric", r->metric);
    put_number(line, "value", r->value);
    put_text(line, "unit", r->unit);
    put_text(line, "reason", reason);
    put_integer(line, "n", r->n, -1);
    put_integer(line, "seed", r->seed, -1);
    put_number(line, "t", r->t);
    put_text(line, "set", r->set);
    put_text(line, "split", r->split);
    put_text(line, "arch", r->arch);
    put_integer(line, "width", r->width, 0);
    put_text(line, "dataset", r->dataset);
    put_number(line, "cue", r->cue);
    put_text(line, "method", r->method);
    put_text(line, "scale", r->scale);
    put_text(line, "backend", r->backend);
    put_text(line, "provider", r->provider);
    put_text(line, "precision", r->precision);
    put_integer(line, "threads", r->threads, 0);
    put_text(line, "device", r->device);
    put_text(line, "commit", r->commit);
    key(line, "dirty");
    mmc_text_add(line, r->dirty ? "true" : "false");
    put_text(line, "job", r->job);
    put_text(line, "time", r->time);
    if (r->sample_count) {
        key(line, "samples");
        for (size_t i = 0; i < r->sample_count; i++) {
            mmc_text_add(line, i ? "," : "[");
            mmc_text_number(line, r->samples[i]);
        }
        mmc_text_add(line, "]");
    }
    put_present(line, "median", r->median);
    put_present(line, "min", r->min);
    put_present(line, "iqr", r->iqr);
    put_present(line, "image_forwards", r->image_forwards);
    put_present(line, "flop", r->flop);
    put_present(line, "bytes", r->bytes);
    put_present(line, "peak_memory", r->peak_memory);
    put_present(line, "roofline", r->roofline);
    put_present(line, "clock_mhz", r->clock_mhz);
    if (r->tag_count) {
        key(line, "tags");
        for (size_t i = 0; i < r->tag_count; i++) {
            mmc_text_add(line, i ? "," : "{");
            mmc_text_json(line, r->tag_keys[i]);
            mmc_text_add(line, ":");
            mmc_text_json(line, r->tag_values[i]);
        }
        mmc_text_add(line, "}");
    }
    mmc_text_add(line, "}\n");
}

/* One write per row: a reader, or the next run after a kill, sees it whole or without its line break. */
mmc_status mmc_record_append(mmc_record_writer *writer, const mmc_record *record) {
    compose(&writer->line, record);
    MMC_TRY(mmc_text_check(&writer->line));
    off_t before = lseek(writer->file, 0, SEEK_END);
    ssize_t written;
    do
        written = write(writer->file, writer->line.data, writer->line.size);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)writer->line.size)
        return MMC_OK;
    int error = written < 0 ? errno : ENOSPC;
    if (written > 0 && ftruncate(writer->file, before) != 0)
        return mmc_fail(MMC_ERR_IO, "%s: a row was written in part and cannot be taken back: %s", writer->path,
                        strerror(errno));
    return mmc_fail(MMC_ERR_IO, "%s: a row cannot be written: %s", writer->path, strerror(error));
}
