/* Interruption by SIGINT or SIGTERM: the first sets a flag that long work looks at, the second ends the program.
 *
 *     mmc_interrupt_install();
 *     config.progress.interrupted = mmc_interrupt_flag();
 */
#ifndef MMC_SUITES_INTERRUPT_H
#define MMC_SUITES_INTERRUPT_H

#include <signal.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Installs the handlers, and ignores SIGPIPE: a reader that went away shows as a write error instead. */
void mmc_interrupt_install(void);

/* Non-zero after the first signal. */
const volatile sig_atomic_t *mmc_interrupt_flag(void);

#ifdef __cplusplus
}
#endif
#endif
