/* Records: one measured value a line of JSON, complete in itself (INTERFACE, "Files"). Append-only; reports read
 * nothing else.
 *
 *     mmc_record r = {.item = "fig4", .metric = "accuracy", .value = .81, .t = .1, ...};
 *     MMC_TRY(mmc_record_append(writer, &r));     written whole, flushed
 */
#ifndef MMC_REPORTS_RECORD_H
#define MMC_REPORTS_RECORD_H

#include "runtime/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_RECORD_SCHEMA = 1 };

/* All fields of INTERFACE's list. Text fields: NULL or "" is null in the file. Numbers: NAN is null; a null value
 * carries a reason. `item` is the thing measured within the suite, stable across runs (for example a curve: "linear",
 * "quadratic-cue"); `suite` the first suite that asked. */
typedef struct mmc_record {
    const char *suite, *item, *metric, *reason, *set, *split, *arch, *dataset, *method, *scale, *backend, *provider,
        *precision, *device, *commit, *job, *time, *unit;
    double value, t, cue;
    int64_t n, seed;    /* -1: null */
    int width, threads; /* 0: null */
    bool dirty;
    /* speed rows */
    const double *samples; /* seconds, raw */
    size_t sample_count;
    double median, min, iqr, image_forwards, flop, bytes, peak_memory; /* NAN: absent */
    double roofline, clock_mhz; /* of the time that the device's peaks allow, over `median`; NAN: absent */
    /* --tag key=value pairs */
    const char *const *tag_keys, *const *tag_values;
    size_t tag_count;
} mmc_record;

/* A record with every field null. */
mmc_record mmc_record_empty(void);

typedef struct mmc_record_writer mmc_record_writer;

/* Opens `DIR/records.jsonl` or `DIR/records-SHARD.jsonl` (shard > 0) for appending; drops a torn last line left by a
 * killed run. Errors: MMC_ERR_IO, MMC_ERR_BUSY if another process writes this file. Owns: the caller. */
mmc_status mmc_record_writer_open(mmc_record_writer **out, const char *run_directory, int shard);
mmc_status mmc_record_append(mmc_record_writer *writer, const mmc_record *record);
void mmc_record_writer_close(mmc_record_writer *writer);

/* All records of a run directory, every records*.jsonl; strings owned by the set. Of two rows with the same job, item,
 * metric, t, set, split and seed the first counts. A row without value, t, set and split is a failed attempt: it is
 * left out where a later row of the same job, item and metric has a value, or, where it has no item, any later row of
 * the job. */
typedef struct mmc_record_set {
    mmc_record *rows;
    size_t count;
    void *owner;
} mmc_record_set;

mmc_status mmc_record_set_read(mmc_record_set *out, const char *run_directory);
void mmc_record_set_close(mmc_record_set *set);

/* How far the files of a run directory have been read: {0} at first, owned by the caller, of no use after an error. A
 * torn last line counts as not read. */
typedef struct mmc_record_cursor {
    struct mmc_record_place *places;
    size_t count;
} mmc_record_cursor;

/* As mmc_record_set_read, but only what was written since the cursor's last read; duplicates and failed attempts are
 * looked for in that part alone. Errors: MMC_ERR_FORMAT too where a file is shorter than it was. */
mmc_status mmc_record_set_read_new(mmc_record_set *out, mmc_record_cursor *cursor, const char *run_directory);
void mmc_record_cursor_close(mmc_record_cursor *cursor);

/* Hash of the fields by which rows are told apart: job, item, metric, t, set, split, seed. */
uint64_t mmc_record_hash(const mmc_record *record);

#ifdef __cplusplus
}
#endif
#endif
