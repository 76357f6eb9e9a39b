// What the tests of the emulated host side share: checks that run in a process of their own, for several seeds.
#ifndef MMC_TESTS_SIMT_HOST_CHECKS_H
#define MMC_TESTS_SIMT_HOST_CHECKS_H

#include "tests/simt/forked.h"
#include "tests/simt/host_toy.h"

#include <gtest/gtest.h>

namespace host_checks {
constexpr int kCount = 1000;
constexpr size_t kBytes = kCount * sizeof(float);
constexpr unsigned kSeeds = 4;

// Inside a check: a call that fails ends it with 1.
#define OK(call)                                                                                                       \
    do {                                                                                                               \
        cudaError_t ok_e = (call);                                                                                     \
        if (ok_e != cudaSuccess) {                                                                                     \
            fprintf(stderr, "%s: %s\n", #call, cudaGetErrorName(ok_e));                                                \
            return 1;                                                                                                  \
        }                                                                                                              \
    } while (0)
#define SHOULD(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                                    \
            return 1;                                                                                                  \
        }                                                                                                              \
    } while (0)

inline void silent(const std::function<int()> &check) {
    for (unsigned seed = 1; seed <= kSeeds; seed++) {
        forked::Outcome o = forked::run(seed, check);
        EXPECT_EQ(o.code, 0) << "seed " << seed << ": " << o.text;
    }
}

inline void caught(const char *message, const std::function<int()> &check, int code = 99) {
    for (unsigned seed = 1; seed <= kSeeds; seed++) {
        forked::Outcome o = forked::run(seed, check);
        EXPECT_EQ(o.code, code) << "seed " << seed << ": " << o.text;
        EXPECT_NE(o.text.find(message), std::string::npos) << "seed " << seed << ": " << o.text;
    }
}

inline bool all(const float *x, float value) {
    for (int i = 0; i < kCount; i++)
        if (!(x[i] == value))
            return false;
    return true;
}

inline void fill(float *x, float value) {
    for (int i = 0; i < kCount; i++)
        x[i] = value;
}
} // namespace host_checks
#endif
