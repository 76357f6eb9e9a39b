/* How long a waiting OpenMP thread spins before it sleeps.
 *
 * Left alone, libgomp's threads spin for milliseconds at every barrier. A training step crosses hundreds of barriers,
 * so on a machine that does anything else beside (a build, a second run) two threads become many times slower than one.
 * libgomp reads its settings when it is loaded, before main; .preinit_array runs before that. The user's own setting
 * wins. */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>

static void bound_spinning(void) {
    if (!getenv("OMP_WAIT_POLICY") && !getenv("GOMP_SPINCOUNT"))
        setenv("GOMP_SPINCOUNT", "100", 0);
}

__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(void) = bound_spinning;
