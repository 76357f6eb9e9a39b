// A whole run at toy size on a CUDA device: its records are the CPU's within what rounding makes of a few steps.
#include "tests/suite/toy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

namespace {

// Values of all rows that do not tell of time, by what readers tell rows apart by; a null counts as NaN.
std::map<std::string, double> values(const std::string &directory) {
    std::map<std::string, double> out;
    mmc_record_set set = {};
    if (mmc_record_set_read(&set, directory.c_str()) != MMC_OK) {
        ADD_FAILURE() << mmc_error_message();
        return out;
    }
    for (size_t i = 0; i < set.count; i++) {
        const mmc_record &r = set.rows[i];
        if (textOf(r.metric) == "images_per_s")
            continue;
        char key[512];
        snprintf(key, sizeof key, "%s %s %s %g %s %s %g", textOf(r.suite).c_str(), textOf(r.item).c_str(),
                 textOf(r.metric).c_str(), r.t, textOf(r.set).c_str(), textOf(r.split).c_str(), r.cue);
        out[key] = r.value;
    }
    mmc_record_set_close(&set);
    return out;
}

class DeviceRun : public ::testing::Test {
  protected:
    TemporaryFolder folder;
    const std::string data = toyData(folder), on_cpu = folder.path("cpu"), on_device = folder.path("cuda");
    mmc_scale scale = toyScale();
    mmc_run_request request = toyRequest(data, on_device);
    std::map<std::string, double> expected, computed;

    void SetUp() override {
        mmc_backend *be = nullptr;
        request.backend.backend = "cuda";
        request.backend.precision = "fp32";
        if (mmc_backend_open(&be, &request.backend) == MMC_ERR_MISSING)
            GTEST_SKIP() << mmc_error_message();
        ASSERT_NE(be, nullptr) << mmc_error_message();
        mmc_backend_close(be);
        scale.table_seeds = 1;
        scale.scratch = scale.midpoint = scale.fine_tune = scale.pretrain = {1, 16, .01, nullptr};
        scale.methods.epochs = scale.methods.head_epochs = scale.methods.scratch_epochs = 1;
        scale.limit_train = 32;
        scale.limit_test = 20;
        scale.methods.clean = 20;
        request.scale_given = &scale;
        request.arch = "vgg13";
    }
    void runOnBoth(const char *suite) {
        char page[4096];
        request.suites = &suite;
        request.suite_count = 1;
        ASSERT_EQ(mmc_run(&request, page, sizeof page), MMC_OK) << mmc_error_message();
        request.backend.backend = "cpu";
        request.out = on_cpu.c_str();
        ASSERT_EQ(mmc_run(&request, page, sizeof page), MMC_OK) << mmc_error_message();
        expected = values(on_cpu);
        computed = values(on_device);
        ASSERT_EQ(computed.size(), expected.size());
        for (const auto &[key, value] : expected) {
            ASSERT_TRUE(computed.count(key)) << key;
            const double got = computed.at(key);
            EXPECT_EQ(std::isnan(got), std::isnan(value)) << key;
            const bool counted = key.find(" accuracy ") != std::string::npos || key.find(" dip ") != std::string::npos;
            if (!std::isnan(value)) // one image of 20 may stand on the edge
                EXPECT_NEAR(got, value, counted ? 0.051 : 5e-3 * (1 + std::fabs(value))) << key;
        }
    }
};

} // namespace

TEST_F(DeviceRun, RecordsAreThoseOfTheCpu) {
    runOnBoth("fig4");
    EXPECT_GT(expected.size(), 40u);
}

TEST_F(DeviceRun, TablesAreThoseOfTheCpu) {
    static const char *const filters[] = {"pretrained", "cbft", "llrt"};
    request.filters = filters;
    request.filter_count = 3;
    runOnBoth("table1");
    EXPECT_EQ(computed.count("table1 cbft accuracy nan RI test 0.6"), 1u);
}
