// Ranges for profilers, seen from a profiler's side by NVTX's own injection: they nest, close, also where something
// failed, and carry category and shape.
#include "tests/simt/control.h"
#include "tests/simt/forked.h"

#include "runtime/trace.h"

#include <gtest/gtest.h>
#include <string>

namespace {
const mmc_unit_shape kShape = {128, 64, 32, 32, 128, 3, 2, true, false};

mmc_status operation(mmc_status outcome) {
    mmc_trace_begin_unit("train", &kShape, 11);
    return mmc_trace_end(outcome);
}

mmc_status phase(mmc_status outcome) {
    mmc_trace_begin(MMC_TRACE_PHASE, "bn pass");
    mmc_status first = operation(MMC_OK);
    return mmc_trace_end(first == MMC_OK ? operation(outcome) : first);
}

TEST(SimtNvtx, RangesNestAndCloseAlsoWhereSomethingFails) {
    const std::string unit = "operation train " + std::to_string(mmc_trace_shape(&kShape, 11)) + "\n";
    for (mmc_status outcome : {MMC_OK, MMC_ERR_DEVICE}) {
        simt_range_log_clear();
        const long before = simt_ranges();
        mmc_trace_begin(MMC_TRACE_JOB, "path");
        EXPECT_EQ(simt_ranges_open(), 1);
        EXPECT_EQ(mmc_trace_end(phase(outcome)), outcome);
        EXPECT_EQ(simt_ranges_open(), 0);
        EXPECT_EQ(simt_ranges() - before, 4);
        EXPECT_EQ(std::string(simt_range_log()), "+ 0 mmcbench job path\n+ 1 mmcbench phase bn pass\n+ 2 mmcbench " +
                                                     unit + "- 2 mmcbench\n+ 2 mmcbench " + unit +
                                                     "- 2 mmcbench\n- 1 mmcbench\n- 0 mmcbench\n");
    }
    EXPECT_EQ(simt_leaks(), 0);
}

TEST(SimtNvtx, PayloadHoldsTheShape) {
    const uint64_t packed = mmc_trace_shape(&kShape, 11);
    const int size[] = {11, 128, 64, 128, 32, 32, 3, 2}, bits[] = {8, 12, 12, 12, 8, 8, 2, 2};
    for (int i = 0, at = 0; i < 8; at += bits[i++])
        EXPECT_EQ(packed >> at & ((uint64_t(1) << bits[i]) - 1), uint64_t(size[i])) << "field " << i;
}

TEST(SimtNvtx, RangesLeftOpenOrEndedTwiceAreCaught) {
    forked::Outcome left = forked::run(1, [] {
        mmc_trace_begin(MMC_TRACE_PHASE, "evaluation");
        return 0;
    });
    EXPECT_EQ(left.code, 98) << left.text;
    EXPECT_NE(left.text.find("leak: NVTX range 'evaluation' begun"), std::string::npos) << left.text;
    forked::Outcome twice = forked::run(1, [] {
        (void)operation(MMC_OK);
        (void)mmc_trace_end(MMC_OK);
        return 0;
    });
    EXPECT_EQ(twice.code, 99) << twice.text;
    EXPECT_NE(twice.text.find("a range ends that was not begun"), std::string::npos) << twice.text;
}
} // namespace
