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
#define MMC_PATH_LINEAR                                                                                                \
    { .item = "linear", .kind = MMC_CURVE_LINEAR, .judged_on = MMC_SET_C }

#define MMC_PATHS_OF_FIGURE_4                                                                                          \
    {.item = "quadratic-no-cue", .kind = MMC_CURVE_QUADRATIC, .judged_on = MMC_SET_NC},                                \
        {.item = "quadratic-cue", .kind = MMC_CURVE_QUADRATIC, .cue = true, .judged_on = MMC_SET_C}, MMC_PATH_LINEAR,  \
    {                                                                                                                  \
        .item = "linear-permuted", .kind = MMC_CURVE_LINEAR, .permuted = true, .judged_on = MMC_SET_C                  \
    }

/* Figures 20 to 31, top to bottom: theta_C to theta_FT; figure 5 after matching neurons. */
#define MMC_PATH_FINE_TUNED(name, rate, permutes)                                                                      \
    { .item = (name), .kind = MMC_CURVE_LINEAR, .lr = (rate), .permuted = (permutes), .judged_on = MMC_SET_C }
#define MMC_PATHS_OF_FINE_TUNING                                                                                       \
    MMC_PATH_FINE_TUNED("ft-0.001", .001, false), MMC_PATH_FINE_TUNED("ft-0.01", .01, false),                          \
        MMC_PATH_FINE_TUNED("ft-0.1", .1, false)
#define MMC_PATHS_OF_FIGURE_5                                                                                          \
    MMC_PATH_FINE_TUNED("ft-0.001-permuted", .001, true), MMC_PATH_FINE_TUNED("ft-0.01-permuted", .01, true),          \
        MMC_PATH_FINE_TUNED("ft-0.1-permuted", .1, true)

extern const mmc_suite mmc_suite_table5, mmc_suite_fig12, mmc_suite_fig13;
extern const mmc_suite mmc_suite_table1, mmc_suite_table2, mmc_suite_table3, mmc_suite_table4, mmc_suite_fig4,
    mmc_suite_fig5, mmc_suite_fig6, mmc_suite_fig7, mmc_suite_fig8, mmc_suite_fig9, mmc_suite_fig10, mmc_suite_fig11,
    mmc_suite_fig14, mmc_suite_fig15, mmc_suite_fig16, mmc_suite_fig17, mmc_suite_fig18, mmc_suite_fig19,
    mmc_suite_fig20, mmc_suite_fig21, mmc_suite_fig22, mmc_suite_fig23, mmc_suite_fig24, mmc_suite_fig25,
    mmc_suite_fig26, mmc_suite_fig27, mmc_suite_fig28, mmc_suite_fig29, mmc_suite_fig30, mmc_suite_fig31;

#ifdef __cplusplus
}
#endif
#endif
