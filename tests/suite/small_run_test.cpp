// The suites of the small model at toy size: rows, resuming, the literal form, the report.
#include "tests/suite/toy.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

namespace {

class SmallRun : public ::testing::Test {
  protected:
    TemporaryFolder folder;
    std::string data = folder.path("no-data"), out = folder.path("run");
    mmc_run_request request = toyRequest(data, out);
    const char *suites[3] = {"table5", "fig12", "fig13"};
    volatile sig_atomic_t stop = 0;
    int progress = 0, stop_at = -1;

    SmallRun() {
        request.suites = suites;
        request.suite_count = 3;
        request.interrupted = &stop;
        request.hooks.user = this;
        request.hooks.on_progress = [](void *user, const char *, const mmc_progress_event *) {
            auto *t = static_cast<SmallRun *>(user);
            if (t->progress++ == t->stop_at)
                t->stop = 1;
        };
    }
    mmc_status go() {
        char page[4096];
        return mmc_run(&request, page, sizeof page);
    }
    // metric, by item, set, t and seed
    std::map<std::string, double> values(const std::string &metric) const {
        std::map<std::string, double> found;
        mmc_record_set set = {};
        EXPECT_EQ(mmc_record_set_read(&set, out.c_str()), MMC_OK) << mmc_error_message();
        for (size_t i = 0; i < set.count; i++) {
            const mmc_record &r = set.rows[i];
            if (textOf(r.metric) != metric || textOf(r.split) != "test")
                continue;
            EXPECT_STREQ(r.arch, "mlp");
            EXPECT_STREQ(r.dataset, "attributes");
            std::ostringstream key;
            key << textOf(r.item) << " " << textOf(r.set) << " " << r.t << " " << r.seed;
            EXPECT_TRUE(found.emplace(key.str(), r.value).second) << key.str();
        }
        mmc_record_set_close(&set);
        return found;
    }
};

TEST_F(SmallRun, NeedsNoDataAndWritesEveryRowOnce) {
    ASSERT_EQ(go(), MMC_OK) << mmc_error_message();
    const auto difference = values("loss_difference"), loss = values("loss"), accuracy = values("accuracy");
    EXPECT_EQ(difference.size(), 2u * 5 * 2 + 2);           // seeds, models, sets; the literal form
    EXPECT_EQ(loss.size(), 2u * 5 * 3 + 3 + 2 * 5 * 2 * 3); // sets; pairs, before and after, points
    EXPECT_EQ(accuracy.size(), loss.size());
    for (const char *metric : {"barrier", "dip"})
        EXPECT_EQ(values(metric).size(), 2u * 5 * 2) << metric;
    for (const char *metric : {"w1", "score", "duality_gap", "max_logit_difference"})
        EXPECT_EQ(values(metric).size(), 2u * 5) << metric;
    for (const auto &[key, gap] : values("duality_gap"))
        EXPECT_EQ(gap, 0) << key;
    for (const char *item : {"0", "4", "0+4", "0'", "4'", "4-ones"})
        EXPECT_TRUE(accuracy.count(std::string(item) + " D04 nan 1")) << item;
    EXPECT_TRUE(accuracy.count("0 D04 nan 2"));
    EXPECT_FALSE(accuracy.count("4-ones D04 nan 2"));
    // what was told of a difference is what was told of its losses
    EXPECT_DOUBLE_EQ(difference.at("4 D0 nan 2"), std::fabs(loss.at("4 D04 nan 2") - loss.at("4 D0 nan 2")));
}

TEST_F(SmallRun, PathsEndAtTheModels) {
    ASSERT_EQ(go(), MMC_OK) << mmc_error_message();
    const auto loss = values("loss");
    for (const char *item : {"0-0'", "0-0'-permuted", "0-4", "0-0+4"})
        EXPECT_EQ(loss.at(std::string(item) + " D04 0 1"), loss.at("0 D04 nan 1")) << item;
    EXPECT_EQ(loss.at("4-4' D04 1 2"), loss.at("4' D04 nan 2"));
    EXPECT_NEAR(loss.at("4-4'-permuted D04 1 2"), loss.at("4' D04 nan 2"), 1e-6); // the same function
    EXPECT_NE(loss.at("4-4' D04 0.5 2"), loss.at("4-4'-permuted D04 0.5 2"));
}

TEST_F(SmallRun, MapsAreDistributions) {
    suites[0] = "fig12";
    request.suite_count = 1;
    ASSERT_EQ(go(), MMC_OK) << mmc_error_message();
    std::map<std::string, double> mass;
    for (const auto &[key, density] : values("density")) {
        std::istringstream in(key);
        std::string item, set;
        double t = 0;
        in >> item >> set >> t;
        mass[item + " " + set] += density * .025;
        if (item == "K=4") { // the slabs of each label, with their margins
            const double s = 2 * t, away = std::fabs(s - std::round(s));
            EXPECT_LT(away, .1) << key;
            EXPECT_EQ(std::lround(std::fabs(s)) % 2, set == "y=0" ? 1 : 0) << key;
        }
    }
    EXPECT_EQ(mass.size(), 8u);
    for (const auto &[key, sum] : mass)
        EXPECT_NEAR(sum, 1, 1e-9) << key;
}

TEST_F(SmallRun, SettingsReplaceTheScales) {
    const char *small[] = {"hidden=12", "epochs=2"};
    request.small = small;
    request.small_count = 2;
    request.small_output = "ones";
    ASSERT_EQ(go(), MMC_OK) << mmc_error_message();
    EXPECT_EQ(progress, 2 * 2); // all models are of the literal form: none is trained apart
    EXPECT_FALSE(values("accuracy").count("4-ones D04 nan 1"));
    small[0] = "hidden=1";
    out = folder.path("refused");
    request.out = out.c_str();
    EXPECT_EQ(go(), MMC_ERR_RANGE);
}

TEST_F(SmallRun, InterruptedAnywhereItGoesOnToTheSameBits) {
    ASSERT_EQ(go(), MMC_OK) << mmc_error_message();
    const std::map<std::string, std::string> whole = toyRows(out);
    const int steps = progress;
    EXPECT_EQ(steps, 4 * 2 + 4); // epochs of two seeds on one thread, and of the literal form
    for (int at = 0; at < steps; at += 3) {
        out = folder.path(("again-" + std::to_string(at)).c_str());
        request.out = out.c_str();
        request.resume = false;
        progress = 0;
        stop_at = at;
        ASSERT_EQ(go(), MMC_ERR_INTERRUPTED) << at << mmc_error_message();
        stop_at = -1;
        stop = 0;
        request.resume = true;
        ASSERT_EQ(go(), MMC_OK) << at << ": " << mmc_error_message();
        EXPECT_EQ(toyRows(out), whole) << at;
    }
}

TEST_F(SmallRun, TheReportShowsTableAndFigures) {
    request.no_report = false;
    ASSERT_EQ(go(), MMC_OK) << mmc_error_message();
    std::ifstream in(out + "/report/index.html");
    std::ostringstream text;
    text << in.rdbuf();
    const std::string page = text.str();
    for (const char *words : {"id=\"table5\"", "id=\"fig12\"", "id=\"fig13\"", "26.31", "20 hidden units", "margin 0.1",
                              "83.3 %", "tables/table5.csv", "W<sub>1</sub>"})
        EXPECT_NE(page.find(words), std::string::npos) << words;
    std::ifstream csv(out + "/report/figures/fig13.csv");
    std::string header, first;
    std::getline(csv, header);
    std::getline(csv, first);
    EXPECT_EQ(header, "pair,set,t,mean,min,max,seeds");
    EXPECT_EQ(first.rfind("0-0',D04,0,", 0), 0u) << first;
}

} // namespace
