#define _POSIX_C_SOURCE 200809L

#include "suites/threads.h"

#include <stdlib.h>
#include <unistd.h>

/* Left alone, libgomp's threads spin for milliseconds at every barrier. A training step crosses hundreds of barriers,
 * so on a machine that does anything else beside (a build, a second run) two threads become ten times slower than one.
 * libgomp reads its settings while it is loaded, before main, and has no call to change them: hence the second start,
 * which takes about two milliseconds. 2,000 turns, some ten microseconds, outlast the gap between two parallel regions:
 * on two quiet cores 100 turns lose a third of the rate, and many more win a few per cent. */
void mmc_threads_settle(char **argv) {
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT"))
        return;
    if (setenv("GOMP_SPINCOUNT", "2000", 1) == 0)
        execv("/proc/self/exe", argv);
}
