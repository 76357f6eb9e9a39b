/* Table 5 and Figures 12 and 13: the small model, whose mechanisms are known exactly. */
#include "suites/claims_small.h"
#include "suites/tables.h"

const mmc_suite mmc_suite_table5 = {
    .name = "table5",
    .paper = "Table 5: what the loss of the small model changes by when the latent of one attribute is drawn anew; "
             "models trained with attribute K = 0, K = 4 or both predictive",
    .kind = MMC_SUITE_SMALL_TABLE,
    .test = true,
    .claims = mmc_claims_of_table5,
};

const mmc_suite mmc_suite_fig12 = {
    .name = "fig12",
    .paper = "Figure 12: the attribute maps of complexity K, what values of a coordinate belong to which label",
    .kind = MMC_SUITE_SMALL_MAP,
    .test = true,
};

const mmc_suite mmc_suite_fig13 = {
    .name = "fig13",
    .paper = "Figure 13: loss along linear paths between small models, before and after matching neurons",
    .kind = MMC_SUITE_SMALL_PATHS,
    .test = true,
    .loss = true,
    .claims = mmc_claims_of_fig13,
};
