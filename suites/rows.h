/* Rows: the records of a run, with the fields that all share filled in, each measured value written once.
 *
 * A row that stands in the run directory already (same job, item, metric, t, set, split and seed, as readers tell rows
 * apart) is not written again: that is how a job that was killed between its rows goes on.
 *
 *     MMC_TRY(mmc_rows_open(&rows, "run", 0));
 *     mmc_record r = mmc_rows_new(&rows, job);
 *     r.metric = "accuracy"; ...
 *     MMC_TRY(mmc_rows_append(&rows, &r));
 *     mmc_rows_close(&rows);
 */
#ifndef MMC_SUITES_ROWS_H
#define MMC_SUITES_ROWS_H

#include "reports/record.h"
#include "suites/plan.h"
#include "suites/runner.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_rows {
    mmc_record_writer *writer;
    uint64_t *known; /* hashes of the rows that are there; open addressing, 0 is empty */
    size_t known_count, known_capacity;
    mmc_record_cursor read; /* up to here the run's files are known */
    const mmc_backend *be;
    const mmc_scale *scale;
    const mmc_run_request *request;
} mmc_rows;

/* Opens the shard's records file for appending and learns what all files of the run hold. Errors: MMC_ERR_BUSY (the
 * same shard is running), MMC_ERR_IO, MMC_ERR_FORMAT, MMC_ERR_MEMORY. */
mmc_status mmc_rows_open(mmc_rows *out, const char *run_directory, int shard, const mmc_backend *be,
                         const mmc_scale *scale, const mmc_run_request *request);
void mmc_rows_close(mmc_rows *rows);

/* Learns what other processes have written since: before a job that one of them may have begun, and before claims.
 * Reads what was added since the last call. Errors: those of mmc_record_set_read_new. */
mmc_status mmc_rows_learn(mmc_rows *rows, const char *run_directory);

/* A record with what the run and the job know; job NULL: of no job. Its strings live as long as the job and the run. */
mmc_record mmc_rows_new(const mmc_rows *rows, const mmc_job *job);

/* Writes the row, flushed, unless it is there. */
mmc_status mmc_rows_append(mmc_rows *rows, mmc_record *record);

/* Whether such a row is there. */
bool mmc_rows_has(const mmc_rows *rows, const mmc_record *record);

#ifdef __cplusplus
}
#endif
#endif
