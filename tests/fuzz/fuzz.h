/* One fuzz target: reads `size` bytes that anyone may have made. Built with libFuzzer (preset fuzz) or with replay.c.
 */
#ifndef MMC_TESTS_FUZZ_FUZZ_H
#define MMC_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Always 0, as libFuzzer wants it; a broken promise of a reader is a trap. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Ends the program where a promise is broken, in every build type. */
#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            __builtin_trap();                                                                                          \
    } while (0)

#endif
