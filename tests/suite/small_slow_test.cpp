// The small model at the paper's size, one seed: every model learns its attributes, and every claim holds. About a
// minute of one core.
#include "tests/suite/toy.h"

#include <gtest/gtest.h>

TEST(SmallModelAtFullSize, LearnsAndItsClaimsHold) {
    TemporaryFolder folder;
    const std::string data = folder.path("no-data"), out = folder.path("run");
    mmc_run_request request = toyRequest(data, out);
    static const char *const suites[] = {"table5", "fig13"};
    char page[4096];
    request.scale_given = nullptr;
    request.scale = "quick";
    request.suites = suites;
    request.suite_count = 2;
    request.backend.threads = 0;
    ASSERT_EQ(mmc_run(&request, page, sizeof page), MMC_OK) << mmc_error_message(); // a claim that fails is an error
    mmc_record_set set = {};
    ASSERT_EQ(mmc_record_set_read(&set, out.c_str()), MMC_OK) << mmc_error_message();
    const std::map<std::string, std::string> own = {{"0", "D0"},  {"4", "D4"},  {"0+4", "D04"},
                                                    {"0'", "D0"}, {"4'", "D4"}, {"4-ones", "D4"}};
    int models = 0, claims = 0;
    for (size_t i = 0; i < set.count; i++) {
        const mmc_record &r = set.rows[i];
        const std::string item = textOf(r.item), metric = textOf(r.metric);
        if (metric == "claim") {
            claims++;
            EXPECT_EQ(r.value, 1) << item << ": " << textOf(r.reason);
        }
        if (metric != "accuracy" || !std::isnan(r.t) || !own.count(item) || own.at(item) != textOf(r.set))
            continue;
        models++;
        if (item == "4-ones") // convex: 5 of 6 samples at most, and chance of a few in 10,000
            EXPECT_LT(r.value, 5 / 6. + .01);
        else
            EXPECT_GE(r.value, .99) << item;
    }
    mmc_record_set_close(&set);
    EXPECT_EQ(models, 6);
    EXPECT_EQ(claims, 4);
}
