// Learning-rate schedules: forms, defaults, rates.
#include "runtime/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

TEST(Schedule, FormsAreReadAndWrittenBack) {
    for (const char *text : {"step:40,80:0.1", "step:0:0.5", "cosine", "constant"}) {
        mmc_schedule s;
        ASSERT_EQ(mmc_schedule_parse(&s, text), MMC_OK) << text;
        char out[128];
        mmc_schedule_format(out, sizeof out, &s);
        EXPECT_STREQ(out, text);
    }
}

TEST(Schedule, OtherFormsAreRefused) {
    for (const char *text :
         {"", "step", "step:", "step:40", "step:40,", "step:40:", "step:80,40:0.1", "step:40,40:0.1", "step:-1:0.1",
          "step:4:0", "step:4:-1", "step:4:0.1x", "step:4:1e999", "cosine:3", "linear"}) {
        mmc_schedule s;
        EXPECT_EQ(mmc_schedule_parse(&s, text), MMC_ERR_USAGE) << text;
        EXPECT_NE(std::string(mmc_error_message()).find("cosine"), std::string::npos);
    }
}

TEST(Schedule, DefaultStepsFollowTheNumberOfEpochs) {
    mmc_schedule paper = mmc_schedule_scratch(100), short_run = mmc_schedule_scratch(6), bends = mmc_schedule_bends(15);
    EXPECT_EQ(paper.step_epoch[0], 40);
    EXPECT_EQ(paper.step_epoch[1], 80);
    EXPECT_EQ(short_run.step_epoch[0], 2);
    EXPECT_EQ(short_run.step_epoch[1], 4);
    EXPECT_EQ(bends.step_count, 1);
    EXPECT_EQ(bends.step_epoch[0], 10);
}

TEST(Schedule, Rates) {
    mmc_schedule s = mmc_schedule_scratch(100);
    EXPECT_DOUBLE_EQ(mmc_schedule_rate(&s, 0.1, 40 * 7 - 1, 100, 7), 0.1);
    EXPECT_DOUBLE_EQ(mmc_schedule_rate(&s, 0.1, 40 * 7, 100, 7), 0.01);
    EXPECT_DOUBLE_EQ(mmc_schedule_rate(&s, 0.1, 80 * 7, 100, 7), 0.001);
    ASSERT_EQ(mmc_schedule_parse(&s, "cosine"), MMC_OK);
    EXPECT_DOUBLE_EQ(mmc_schedule_rate(&s, 0.2, 0, 2, 5), 0.2);
    EXPECT_DOUBLE_EQ(mmc_schedule_rate(&s, 0.2, 5, 2, 5), 0.1);
    EXPECT_DOUBLE_EQ(mmc_schedule_rate(&s, 0.2, 9, 2, 5), 0.1 * (1 + std::cos(M_PI * 0.9)));
    s.cosine_authors = true;
    EXPECT_DOUBLE_EQ(mmc_schedule_rate(&s, 0.2, 0, 2, 5), 0.2);
    EXPECT_DOUBLE_EQ(mmc_schedule_rate(&s, 0.2, 6, 2, 5), 0.1);
}
