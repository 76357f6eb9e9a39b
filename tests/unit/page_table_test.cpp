// The paper's tables as a run fills them: means, deviations, the paper's values, and what is missing.
#include "reports/page_table.h"
#include "reports/paper_values.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace {

class PageTables : public ::testing::Test {
  protected:
    mmc_run_view view = {};
    std::vector<mmc_record> rows;
    mmc_page_table tables[MMC_PAGE_TABLES] = {};

    void SetUp() override {
        view.scale = "paper";
        view.page_tag = "scale paper";
    }
    void TearDown() override {
        for (mmc_page_table &t : tables)
            mmc_page_table_close(&t);
    }

    mmc_record row(const char *item, const char *dataset, double cue, const char *set, double value, int64_t seed = 1) {
        mmc_record r = mmc_record_empty();
        r.suite = "table1";
        r.item = r.method = item;
        r.metric = "accuracy";
        r.arch = "resnet18";
        r.dataset = dataset;
        r.scale = "paper";
        r.split = "test";
        r.set = set;
        r.seed = seed;
        r.cue = cue;
        r.value = value;
        r.width = 64;
        return r;
    }
    // The same value on the four sets.
    void add(const char *item, const char *dataset, double cue, double value, int64_t seed = 1) {
        for (const char *set : {"NC", "C", "RC", "RI"})
            rows.push_back(row(item, dataset, cue, set, value, seed));
    }
    void fill() {
        for (mmc_page_table &t : tables) {
            mmc_page_table_close(&t);
            t = {};
        }
        view.records = {rows.data(), rows.size(), nullptr};
        ASSERT_EQ(mmc_page_tables_fill(tables, &view), MMC_OK) << mmc_error_message();
    }
    static std::string text(mmc_status (*write)(const mmc_table *, mmc_text *), const mmc_table &table) {
        mmc_text out = {};
        EXPECT_EQ(write(&table, &out), MMC_OK) << mmc_error_message();
        std::string s = mmc_text_string(&out);
        mmc_text_close(&out);
        return s;
    }
    static bool has(const std::string &text, const std::string &what) {
        return text.find(what) != std::string::npos;
    }
};

TEST_F(PageTables, TableOneShowsMeanDeviationAndThePaper) {
    for (int seed = 1; seed <= 3; seed++)
        add("ft-medium", "cifar10-box", .6, .757 + .01 * (seed - 1), seed);
    fill();
    EXPECT_STREQ(tables[0].id, "table1");
    std::string md = text(mmc_table_markdown, tables[0].layout), csv = text(mmc_table_csv, tables[0].values);
    EXPECT_TRUE(has(md, "| cifar10-box | FT-medium | 0.6 | 76.7 ± 1.0 (paper 75.7, +1.0 sd) | 76.7 ± 1.0 (paper 98.4, "
                        "-21.7 sd) |"))
        << md;
    EXPECT_TRUE(
        has(csv, "network,data set,method,p,set,mean,deviation,seeds,paper,difference (deviations),scale,note\n"))
        << csv;
    EXPECT_TRUE(has(csv, "resnet18,cifar10-box,ft-medium,0.6,NC,76.70,1.00,3,75.7,1.00,paper,\n")) << csv;
    EXPECT_TRUE(has(md, "| LLRT | 0.6 | not measured (paper 71.6) |")) << md;
    EXPECT_TRUE(has(mmc_text_string(&tables[0].intro), "networks of width 64"));
    EXPECT_FALSE(has(mmc_text_string(&tables[0].intro), "not comparable"));
    for (int i = 1; i < MMC_PAGE_TABLES; i++)
        EXPECT_STREQ(tables[i].id, "") << "not measured, and nobody asked";
}

TEST_F(PageTables, AReducedScaleHasReferencesButNoDifferences) {
    view.reduced = true;
    view.scale = "quick";
    for (int seed = 1; seed <= 2; seed++) {
        add("ft-small", "cifar10-box", .9, .6 + .01 * seed, seed);
        add("ft-small", "fashion-box", .9, .7, seed);
    }
    fill();
    std::string md = text(mmc_table_markdown, tables[0].layout), csv = text(mmc_table_csv, tables[0].values);
    EXPECT_TRUE(has(md, "FT-small | 0.9 | 61.5 ± 0.7 (paper 64.7) |")) << md;
    EXPECT_FALSE(has(md, " sd)")) << md;
    EXPECT_TRUE(has(md, "| fashion-box | FT-small | 0.9 | 70.0 ± 0.0 | 70.0 ± 0.0 |")) << md;
    EXPECT_TRUE(has(csv, "cifar10-box,ft-small,0.9,NC,61.50,0.71,2,64.7,,quick,reduced: not comparable")) << csv;
    EXPECT_TRUE(has(csv, "fashion-box,ft-small,0.9,NC,70.00,0.00,2,,,quick,the paper has no value")) << csv;
    EXPECT_TRUE(has(mmc_text_string(&tables[0].intro), "not comparable"));
    EXPECT_TRUE(has(mmc_text_string(&tables[0].intro), "stands in for cifar10-box"));
}

TEST_F(PageTables, OneSeedHasNoDeviationAndOtherNetworksNoPaper) {
    add("scratch-clean", "dominoes", 0, .4);
    rows.push_back(row("scratch-clean", "dominoes", 0, "NC", .3));
    rows.back().arch = "vgg13";
    fill();
    EXPECT_STREQ(tables[3].id, "table4");
    EXPECT_STREQ(tables[0].id, "");
    std::string md = text(mmc_table_markdown, tables[3].layout), csv = text(mmc_table_csv, tables[3].values);
    EXPECT_TRUE(has(md, "| dominoes | from scratch | – | 40.0 (paper 48.5) | 40.0 (paper 31) |")) << md;
    EXPECT_TRUE(has(md, "| dominoes, VGG-13 | from scratch | – | 30.0 | not measured |")) << md;
    EXPECT_TRUE(has(csv, "resnet18,dominoes,scratch-clean,,NC,40.00,,1,48.5,,paper,one seed: no deviation\n")) << csv;
}

TEST_F(PageTables, CbftAloneOpensNoTableAndAFailedJobSaysWhy) {
    add("cbft", "dominoes", .7, .7);
    fill();
    EXPECT_STREQ(tables[0].id, "");
    EXPECT_STREQ(tables[2].id, "");
    add("cbft-no-barrier", "dominoes", .7, .8);
    rows.push_back(row("cbft-no-invariance", "dominoes", .7, nullptr, NAN));
    rows.back().reason = "no memory";
    fill();
    EXPECT_STREQ(tables[2].id, "table3");
    std::string md = text(mmc_table_markdown, tables[2].layout);
    EXPECT_TRUE(has(md, "CBFT without invariance term (no memory) | 0.7 | not measured (paper 74.6) |")) << md;
    EXPECT_TRUE(has(md, "CBFT without barrier step | 0.7 | 80.0 (paper 77.4) |")) << md;
}

TEST_F(PageTables, TableTwoTurnsVerdictsIntoMarks) {
    auto verdict = [&](const char *claim, double value, const char *reason) {
        rows.push_back(row(claim, "cifar10-box", NAN, nullptr, value));
        rows.back().suite = "table2";
        rows.back().metric = "claim";
        rows.back().reason = reason;
    };
    verdict("similar-linear-mode", 1, "dip on C 0.3 points");
    verdict("similar-linear-mechanistic", 0, "too far");
    verdict("similar-nonlinear-mode", NAN, "not trained");
    verdict("dissimilar-linear-mode", 1, "dip on C 70 points");
    verdict("dissimilar-linear-mechanistic", 0, "the same");
    fill();
    EXPECT_STREQ(tables[1].id, "table2");
    std::string md = text(mmc_table_markdown, tables[1].layout), csv = text(mmc_table_csv, tables[1].values);
    EXPECT_TRUE(has(md,
                    "| ✓ (paper ✓; dip on C 0.3 points) | ✗ (paper ✓; too far) | undecided (paper ✓; not trained) | "
                    "undecided (paper ✓; no verdict was recorded) |"))
        << md;
    EXPECT_TRUE(has(md, "| ✗ (paper ✗; dip on C 70 points) | ✓ (paper ✗; the same) |")) << md;
    EXPECT_TRUE(has(csv, "resnet18,cifar10-box,dissimilar,linear,mechanistic,yes,no,the same,paper\n")) << csv;
    EXPECT_TRUE(has(csv, "resnet18,cifar10-box,similar,nonlinear,mode,undecided,yes,not trained,paper\n")) << csv;
}

TEST_F(PageTables, RowsThatSayNothingAreBorne) {
    for (const char *metric : {"accuracy", "claim", static_cast<const char *>(nullptr)})
        for (const char *item : {"cbft-no-barrier", static_cast<const char *>(nullptr)})
            for (double value : {.5, static_cast<double>(NAN)}) {
                mmc_record r = mmc_record_empty();
                r.suite = "table2";
                r.metric = metric;
                r.item = item;
                r.value = value;
                rows.push_back(r);
            }
    fill();
    EXPECT_STREQ(tables[1].id, "table2");
    EXPECT_TRUE(has(text(mmc_table_markdown, tables[1].layout), "undecided (paper ✓; no verdict was recorded)"));
    EXPECT_STREQ(tables[2].id, "table3");
    EXPECT_EQ(tables[2].layout.row_count, 0u) << "of no network and no data set";
    EXPECT_EQ(text(mmc_table_csv, tables[2].values).find('\n') + 1, text(mmc_table_csv, tables[2].values).size());
}

TEST_F(PageTables, ThePapersLinesAreAllThere) {
    EXPECT_EQ(mmc_paper_row_count, 60u + 36u + 3u);
    EXPECT_EQ(mmc_paper_table5_count, 6u);
    const mmc_paper_row *r = mmc_paper_find("table1", "dominoes", "lpft", .8);
    ASSERT_NE(r, nullptr);
    EXPECT_EQ(r->percent[1], 34.8);
    EXPECT_EQ(mmc_paper_find("table1", "fashion-box", "lpft", .8), nullptr);
    EXPECT_EQ(mmc_paper_find("table4", "dominoes", "scratch-clean", 0)->percent[3], 10.8);
}

} // namespace
