#define _POSIX_C_SOURCE 200809L
#include "suites/interrupt.h"

#include <string.h>

/* A signal handler can reach nothing but global state. */
static volatile sig_atomic_t interrupted;

static void handle(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

void mmc_interrupt_install(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    action.sa_flags = (int)SA_RESETHAND; /* a second signal does what it does by default */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    sigaction(SIGPIPE, &action, NULL);
}

const volatile sig_atomic_t *mmc_interrupt_flag(void) {
    return &interrupted;
}
