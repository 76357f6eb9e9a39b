/* The constant suite tables, one file per figure group; suite.c lists them.
 *
 *     .curves = {MMC_PATHS_OF_FIGURE_4},
 */
#ifndef MMC_SUITES_TABLES_H
#define MMC_SUITES_TABLES_H

#include "suites/suite.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The rows of figures 4 and 14 to 19, top to bottom, each with the set that SPEC 4 judges it on. */
#define MMC_PATHS_OF_FIGURE_4                                                                                          \
    {.item = "quadratic-no-cue", .kind = MMC_CURVE_QUADRATIC, .judged_on = MMC_SET_NC},                                \
        {.item = "quadratic-cue", .kind = MMC_CURVE_QUADRATIC, .cue = true, .judged_on = MMC_SET_C},                   \
        {.item = "linear", .kind = MMC_CURVE_LINEAR, .judged_on = MMC_SET_C}, {                                        \
        .item = "linear-permuted", .kind = MMC_CURVE_LINEAR, .permuted = true, .judged_on = MMC_SET_C                  \
    }

extern const mmc_suite mmc_suite_fig4, mmc_suite_fig7, mmc_suite_fig8, mmc_suite_fig9, mmc_suite_fig10, mmc_suite_fig11,
    mmc_suite_fig14, mmc_suite_fig15, mmc_suite_fig16, mmc_suite_fig17, mmc_suite_fig18, mmc_suite_fig19;

#ifdef __cplusplus
}
#endif
#endif
