/* The values that the paper prints in Tables 1, 3, 4 and 5, for the report to set beside a run's own and for the claims
 * to be tested on. ResNet-18 (Tables 1, 3, 4), accuracies in percent, means over three seeds, no deviations printed.
 *
 *     const mmc_paper_row *row = mmc_paper_find("table1", "dominoes", "cbft", .9);
 *     row->percent[0]                                 NC: 67.2
 */
#ifndef MMC_REPORTS_PAPER_VALUES_H
#define MMC_REPORTS_PAPER_VALUES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_PAPER_SETS = 4 };

/* One line of Table 1, 3 or 4. */
typedef struct mmc_paper_row {
    const char *table;              /* "table1" */
    const char *dataset, *method;   /* as in records; Table 4: "scratch-clean" */
    double cue;                     /* Table 4: 0 */
    double percent[MMC_PAPER_SETS]; /* NC, C, RC, RI */
} mmc_paper_row;

extern const mmc_paper_row mmc_paper_rows[];
extern const size_t mmc_paper_row_count;

/* NULL: the paper prints no such line. */
const mmc_paper_row *mmc_paper_find(const char *table, const char *dataset, const char *method, double cue);

/* One entry of Table 5: the rise of the loss of a model trained on these attributes when the latent of the attribute
 * that is not K is drawn anew. */
typedef struct mmc_paper_small {
    const char *trained;    /* "0", "4", "0+4" */
    int k;                  /* the attribute left as it is */
    double loss_difference; /* as printed; its unit is not */
} mmc_paper_small;

extern const mmc_paper_small mmc_paper_table5[];
extern const size_t mmc_paper_table5_count;

#ifdef __cplusplus
}
#endif
#endif
