// Status values, exit codes and the error message.
#include "runtime/status.h"

#include <gtest/gtest.h>

#include <string>

TEST(Status, FailRecordsOneLineAndReturnsItsCode) {
    EXPECT_EQ(mmc_fail(MMC_ERR_RANGE, "width %d:\ntoo narrow", 3), MMC_ERR_RANGE);
    EXPECT_STREQ(mmc_error_message(), "width 3: too narrow");
}

TEST(Status, ContextGoesBeforeTheMessage) {
    mmc_fail(MMC_ERR_FORMAT, "header cut short");
    EXPECT_EQ(mmc_fail_context(MMC_ERR_FORMAT, "file %s", "a.bin"), MMC_ERR_FORMAT);
    EXPECT_STREQ(mmc_error_message(), "file a.bin: header cut short");
}

TEST(Status, LongMessagesAreCut) {
    std::string text(5000, 'x');
    mmc_fail(MMC_ERR_IO, "%s", text.c_str());
    EXPECT_EQ(std::string(mmc_error_message()).size(), 1023u);
    mmc_fail_context(MMC_ERR_IO, "%s", text.c_str());
    EXPECT_EQ(std::string(mmc_error_message()).size(), 1023u);
}

TEST(Status, AMessageMayBeRepeatedInTheNext) {
    mmc_fail(MMC_ERR_IO, "inner");
    mmc_fail(MMC_ERR_IO, "outer: %s", mmc_error_message());
    EXPECT_STREQ(mmc_error_message(), "outer: inner");
}

TEST(Status, ExitCodesAreThoseOfTheInterface) {
    EXPECT_EQ(mmc_status_exit_code(MMC_OK), 0);
    EXPECT_EQ(mmc_status_exit_code(MMC_ERR_WRONG), 1);
    EXPECT_EQ(mmc_status_exit_code(MMC_ERR_USAGE), 2);
    EXPECT_EQ(mmc_status_exit_code(MMC_ERR_MISMATCH), 2);
    EXPECT_EQ(mmc_status_exit_code(MMC_ERR_FORMAT), 3);
    EXPECT_EQ(mmc_status_exit_code(MMC_ERR_SLOW), 4);
    EXPECT_EQ(mmc_status_exit_code(MMC_ERR_SKIPPED), 77);
    EXPECT_EQ(mmc_status_exit_code(MMC_ERR_INTERRUPTED), 130);
    EXPECT_EQ(mmc_status_exit_code(static_cast<mmc_status>(999)), 1);
}
