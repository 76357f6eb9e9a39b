// Runs the tests of a program with the emulated backend. Repeated, each time in another order of threads, blocks and
// stream operations: what the device computes must be the same to the bit.
//
//     MMC_SIMT_KERNELS="put_kernel get_kernel" simt_unit_parity_test --gtest_filter=... --gtest_repeat=100
//
// MMC_SIMT_KERNELS names kernels that must have been launched by the end.
#include "tests/simt/control.h"

#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <sstream>
#include <string>

namespace {
int orders, different;

class Orders : public testing::EmptyTestEventListener {
  public:
    void OnTestIterationStart(const testing::UnitTest &, int iteration) override {
        if (iteration > 0) { // the first one has the seed of the environment
            simt_seed(static_cast<unsigned>(iteration) + 1000);
        }
        simt_digest();
    }
    void OnTestIterationEnd(const testing::UnitTest &, int iteration) override {
        unsigned long long digest = simt_digest();
        if (iteration == 0) {
            first_ = digest;
        } else if (digest != first_) {
            fprintf(stderr, "simt: order %d gives other bits than the first\n", iteration);
            different++;
        }
        orders = iteration + 1;
    }

  private:
    unsigned long long first_ = 0;
};

int kernels_missing() {
    const char *names = getenv("MMC_SIMT_KERNELS");
    std::istringstream list(names ? names : "");
    int missing = 0;
    for (std::string name; list >> name;) {
        if (simt_launches(name.c_str()) == 0) {
            fprintf(stderr, "simt: %s was not launched: give it a case\n", name.c_str());
            missing++;
        }
    }
    return missing;
}
} // namespace

int main(int argc, char **argv) {
    testing::InitGoogleTest(&argc, argv);
    testing::UnitTest::GetInstance()->listeners().Append(new Orders);
    int failed = RUN_ALL_TESTS();
    int missing = kernels_missing();
    if (orders > 1) {
        printf("simt: %d orders, %d of them with other results\n", orders, different);
    }
    return failed || different || missing;
}
