#include "suites/suite.h"

#include "suites/tables.h"

#include <string.h>

static const mmc_suite *const suites[] = {
    &mmc_suite_table1, &mmc_suite_table2, &mmc_suite_table3, &mmc_suite_table4, &mmc_suite_table5, &mmc_suite_fig4,
    &mmc_suite_fig5,   &mmc_suite_fig6,   &mmc_suite_fig7,   &mmc_suite_fig8,   &mmc_suite_fig9,   &mmc_suite_fig10,
    &mmc_suite_fig11,  &mmc_suite_fig12,  &mmc_suite_fig13,  &mmc_suite_fig14,  &mmc_suite_fig15,  &mmc_suite_fig16,
    &mmc_suite_fig17,  &mmc_suite_fig18,  &mmc_suite_fig19,  &mmc_suite_fig20,  &mmc_suite_fig21,  &mmc_suite_fig22,
    &mmc_suite_fig23,  &mmc_suite_fig24,  &mmc_suite_fig25,  &mmc_suite_fig26,  &mmc_suite_fig27,  &mmc_suite_fig28,
    &mmc_suite_fig29,  &mmc_suite_fig30,  &mmc_suite_fig31,
};

bool mmc_suite_fine_tunes(const mmc_suite *suite) {
    for (const mmc_suite_curve *c = suite->curves; c->item; c++)
        if (c->lr > 0)
            return true;
    return false;
}

const mmc_suite *const *mmc_suite_all(size_t *count) {
    *count = sizeof suites / sizeof *suites;
    return suites;
}

const mmc_suite *mmc_suite_find(const char *name) {
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        if (strcmp(suites[i]->name, name) == 0)
            return suites[i];
    return NULL;
}
