/* Are the data files there, sound, and the official ones? What `mmcbench data check` prints.
 *
 *     mmc_data_report report[MMC_DATA_REPORTS];
 *     mmc_status status = mmc_data_check(report, "data");
 *     for (int i = 0; i < MMC_DATA_REPORTS; i++)
 *         puts(mmc_data_verdict_text(report[i].verdict));
 */
#ifndef MMC_RUNTIME_DATA_CHECK_H
#define MMC_RUNTIME_DATA_CHECK_H

#include "runtime/checksum.h"
#include "runtime/data_files.h"
#include "runtime/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_data_verdict {
    MMC_DATA_OFFICIAL, /* the checksum is that of the official file */
    MMC_DATA_COMPLETE, /* sound, with the official number of records; no official checksum is known for this form */
    MMC_DATA_PART,     /* sound, with fewer records than the official file */
    MMC_DATA_OTHER,    /* sound, as many records as the official file or more, but another file */
    MMC_DATA_MISSING,
    MMC_DATA_CORRUPT,
    MMC_DATA_VERDICTS
} mmc_data_verdict;

const char *mmc_data_verdict_text(mmc_data_verdict verdict); /* "official", "complete", ... */

/* CIFAR-10: five training batches and the test batch; CIFAR-100: two files; Fashion-MNIST: images and labels of two
 * splits. */
enum { MMC_DATA_REPORTS = 12 };

/* One file. */
typedef struct mmc_data_report {
    const char *dataset;            /* "CIFAR-10", "CIFAR-100", "Fashion-MNIST" */
    const char *name;               /* "data_batch_1.bin" */
    char path[MMC_DATA_PATH_BYTES]; /* "" where there is none */
    mmc_data_verdict verdict;
    uint64_t size_bytes;               /* as it lies there */
    int32_t records, official_records; /* images or labels */
    int32_t class_min, class_max;      /* records of the rarest and the commonest class; image files: 0 */
    char md5[MMC_CHECKSUM_BYTES];      /* of the file as it lies there, "" where missing */
    char sha256[MMC_CHECKSUM_BYTES];
    char reason[512]; /* one line for a person: what was found; for a bad file what to do */
} mmc_data_report;

/* Reads every file found below `folder` (NULL: Debian's Fashion-MNIST alone) whole and fills all reports.
 * Errors: MMC_ERR_FORMAT where a file is corrupt (the first one's message), MMC_ERR_MISSING where no file was found at
 *         all, MMC_ERR_IO, MMC_ERR_MEMORY; the reports are filled in every case */
mmc_status mmc_data_check(mmc_data_report report[MMC_DATA_REPORTS], const char *folder);

#ifdef __cplusplus
}
#endif
#endif
