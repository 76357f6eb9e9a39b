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

} // namespace

TEST(DeviceRun, RecordsAreThoseOfTheCpu) {
    TemporaryFolder folder;
    const std::string data = toyData(folder), on_cpu = folder.path("cpu"), on_device = folder.path("cuda");
    static const char *const suites[] = {"fig4"};
    char page[4096];
    mmc_backend *be = nullptr;
    mmc_run_request request = toyRequest(data, on_device);
    request.suites = suites;
    request.suite_count = 1;
    request.arch = "vgg13";
    request.epochs = 1;
    request.points = 3;
    request.lr = 0.01;
    request.limit_train = 32;
    request.limit_test = 20;
    request.batch = 16;
    request.backend.backend = "cuda";
    request.backend.precision = "fp32";
    if (mmc_backend_open(&be, &request.backend) == MMC_ERR_MISSING)
        GTEST_SKIP() << mmc_error_message();
    ASSERT_NE(be, nullptr) << mmc_error_message();
    mmc_backend_close(be);
    ASSERT_EQ(mmc_run(&request, page, sizeof page), MMC_OK) << mmc_error_message();
    request.backend.backend = "cpu";
    request.out = on_cpu.c_str();
    ASSERT_EQ(mmc_run(&request, page, sizeof page), MMC_OK) << mmc_error_message();

    const std::map<std::string, double> expected = values(on_cpu), computed = values(on_device);
    EXPECT_GT(expected.size(), 40u);
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
