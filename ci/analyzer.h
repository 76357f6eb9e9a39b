/* Read before every file by ci/tidy.sh, after runtime/status.h, and by nothing else: the analyzer does not look into
 * status.c, so it learns here that a failure returns its own code, never MMC_OK. */
#ifndef MMC_CI_ANALYZER_H
#define MMC_CI_ANALYZER_H
#define mmc_fail(code, ...) ((void)mmc_fail((code), __VA_ARGS__), (code))
#define mmc_fail_context(code, ...) ((void)mmc_fail_context((code), __VA_ARGS__), (code))
#endif
