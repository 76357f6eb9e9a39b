// A report is one line, and the last one of its process.
#include "tests/simt/core.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

extern "C" __attribute__((weak)) void __gcov_dump(void);

namespace simt {
void stop(const char *format, ...) {
    char text[2000];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    std::string line = "simt: " + std::string(text) + place() + "\n";
    fflush(stdout);
    fputs(line.c_str(), stderr);
    if (__gcov_dump) {
        __gcov_dump();
    }
    _exit(kStopped);
}
} // namespace simt
