/* Helpers of the tests of the provider `own`: instruction sets, guarded memory, random numbers, a plain definition. */
#ifndef MMC_TESTS_UNIT_OWN_SUPPORT_H
#define MMC_TESTS_UNIT_OWN_SUPPORT_H

#include "kernels/own/own.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <omp.h>
#include <string>
#include <vector>

/* Memory of exactly `size` bytes, 64-byte aligned, full of NaN, between two guards that the destructor checks. */
class guarded {
  public:
    explicit guarded(size_t size_bytes) : size(size_bytes), raw((size_bytes + 4 * guard + 3) / 4) {
        uintptr_t at = reinterpret_cast<uintptr_t>(raw.data());
        at = (at + guard + 63) / 64 * 64;
        base = reinterpret_cast<char *>(at);
        for (float &f : raw)
            f = std::numeric_limits<float>::quiet_NaN();
        std::memset(base - guard, 0xa5, guard);
        std::memset(base + size, 0xa5, guard);
    }
    ~guarded() {
        for (size_t i = 0; i < guard; i++) {
            EXPECT_EQ((unsigned char)base[-1 - (ptrdiff_t)i], 0xa5) << "written before the start";
            EXPECT_EQ((unsigned char)base[size + i], 0xa5) << "written beyond the end of " << size << " bytes";
        }
    }
    guarded(const guarded &) = delete;
    guarded &operator=(const guarded &) = delete;
    float *floats() {
        return reinterpret_cast<float *>(base);
    }
    size_t size;

  private:
    static constexpr size_t guard = 256;
    std::vector<float> raw;
    char *base;
};

/* Small deterministic numbers in [-1, 1). */
class numbers {
  public:
    explicit numbers(uint64_t seed) : state(seed * 2 + 1) {
    }
    float next() {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (float)((double)(state >> 40) / (1 << 23) - 1.0);
    }
    std::vector<float> take(size_t count, float scale = 1, float offset = 0) {
        std::vector<float> v(count);
        for (float &f : v)
            f = offset + scale * next();
        return v;
    }

  private:
    uint64_t state;
};

/* Instruction sets that this processor supports. */
inline std::vector<std::string> isas() {
    std::vector<std::string> out;
    for (const char *isa : {"avx512", "avx2", "baseline"}) {
        setenv("MMC_ISA", isa, 1);
        if (mmc_own_isa())
            out.push_back(isa);
    }
    unsetenv("MMC_ISA");
    return out;
}

inline const mmc_unit_ops *unit_ops_of(const std::string &isa) {
    setenv("MMC_ISA", isa.c_str(), 1);
    const mmc_unit_ops *ops = mmc_own_unit_ops();
    unsetenv("MMC_ISA");
    return ops;
}

inline const mmc_flat_ops *flat_ops_of(const std::string &isa) {
    setenv("MMC_ISA", isa.c_str(), 1);
    const mmc_flat_ops *ops = mmc_own_flat_ops();
    unsetenv("MMC_ISA");
    return ops;
}

/* An activation in guarded memory. */
struct held {
    held(const mmc_unit_ops *o, int t, int n, int c, int h, int w)
        : ops(o), memory(o->activation_size(nullptr, t, n, c, h, w)) {
        view = {memory.floats(), t, n, c, h, w};
    }
    held &put(const std::vector<float> &v) {
        EXPECT_EQ(v.size(), mmc_activation_count(&view));
        EXPECT_EQ(ops->put(nullptr, &view, v.data()), MMC_OK);
        return *this;
    }
    std::vector<float> get() const {
        std::vector<float> v(mmc_activation_count(&view));
        EXPECT_EQ(ops->get(nullptr, v.data(), &view), MMC_OK);
        return v;
    }
    const mmc_unit_ops *ops;
    guarded memory;
    mmc_activation view;
};

/* Largest difference over the largest value; infinite where one of them is not a number. */
inline double distance(const std::vector<float> &a, const std::vector<double> &b) {
    EXPECT_EQ(a.size(), b.size());
    double worst = 0, size = 1e-30;
    for (size_t i = 0; i < a.size(); i++) {
        if (std::isnan((double)a[i]) || std::isnan(b[i]))
            return std::numeric_limits<double>::infinity();
        worst = std::max(worst, std::fabs((double)a[i] - b[i]));
        size = std::max(size, std::fabs(b[i]));
    }
    return worst / size;
}

#endif
