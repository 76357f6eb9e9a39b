#include "suites/suite.h"

#include "suites/tables.h"

#include <string.h>

static const mmc_suite *const suites[] = {
    &mmc_suite_fig4,  &mmc_suite_fig7,  &mmc_suite_fig8,  &mmc_suite_fig9,  &mmc_suite_fig10, &mmc_suite_fig11,
    &mmc_suite_fig14, &mmc_suite_fig15, &mmc_suite_fig16, &mmc_suite_fig17, &mmc_suite_fig18, &mmc_suite_fig19,
};

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
