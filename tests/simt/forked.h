// Runs one check in a process of its own: a mistake that the emulation finds ends that process, not the test.
#ifndef MMC_TESTS_SIMT_FORKED_H
#define MMC_TESTS_SIMT_FORKED_H

#include "tests/simt/control.h"

#include <cstdio>
#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace forked {
struct Outcome {
    int code;         // exit code; 99 a mistake, 98 a leak, 128 + n a signal
    std::string text; // what it printed to stderr
};

// `check` returns 0 where all is well.
inline Outcome run(unsigned seed, const std::function<int()> &check) {
    int ends[2];
    if (pipe(ends))
        return {-1, "pipe"};
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        return {-1, "fork"};
    if (!child) {
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        simt_seed(seed);
        int code = check();
        _exit(code ? code : simt_leaks() ? 98 : 0);
    }
    close(ends[1]);
    Outcome o = {-1, ""};
    char text[4096];
    for (ssize_t n; (n = read(ends[0], text, sizeof text)) > 0;)
        o.text.append(text, size_t(n));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    o.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return o;
}
} // namespace forked
#endif
