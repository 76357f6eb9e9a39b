// Text, tables and selections: what the report's parts are made of.
#include "reports/select.h"
#include "reports/table.h"
#include "reports/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace {

template <typename Append> std::string made(Append append) {
    mmc_text text = {};
    append(&text);
    EXPECT_EQ(mmc_text_check(&text), MMC_OK);
    std::string result(mmc_text_string(&text), text.size);
    mmc_text_close(&text);
    return result;
}

std::string html(const char *s) {
    return made([&](mmc_text *t) { mmc_text_html(t, s); });
}
std::string csv(const char *s) {
    return made([&](mmc_text *t) { mmc_text_csv(t, s); });
}
std::string number(double v) {
    return made([&](mmc_text *t) { mmc_text_number(t, v); });
}
std::string base64(const std::string &s) {
    return made([&](mmc_text *t) { mmc_text_base64(t, reinterpret_cast<const unsigned char *>(s.data()), s.size()); });
}

TEST(Text, NumbersAreShortAndExact) {
    EXPECT_EQ(number(.1), "0.1");
    EXPECT_EQ(number(388000), "388000");
    EXPECT_EQ(number(-0.0), "-0");
    EXPECT_EQ(number(NAN), "null");
    EXPECT_EQ(number(-INFINITY), "null");
    for (double v : {.1 + .2, 1.0 / 3, 6.02e23, 5e-324, 123456789.123})
        EXPECT_EQ(std::strtod(number(v).c_str(), nullptr), v);
}

TEST(Text, HtmlIsEscaped) {
    EXPECT_EQ(html("<b a='1'>\"&\x01"), "&lt;b a=&#39;1&#39;&gt;&quot;&amp;\xef\xbf\xbd");
    EXPECT_EQ(html("\xce\xb8 \xff"), "\xce\xb8 \xef\xbf\xbd");
    EXPECT_EQ(html("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") << "a surrogate is no character";
}

TEST(Text, CsvFieldsAreQuotedWhereNeededAndNeverFormulas) {
    EXPECT_EQ(csv("plain"), "plain");
    EXPECT_EQ(csv("a,b"), "\"a,b\"");
    EXPECT_EQ(csv("say \"so\""), "\"say \"\"so\"\"\"");
    EXPECT_EQ(csv("a\nb"), "\"a b\"");
    EXPECT_EQ(csv("-1.5"), "-1.5");
    EXPECT_EQ(csv("=SUM(A1)"), "\"'=SUM(A1)\"");
    EXPECT_EQ(csv("@x"), "\"'@x\"");
}

TEST(Text, Base64) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64("\xff\xfe"), "//4=");
}

class Table : public ::testing::Test {
  protected:
    void SetUp() override {
        table.name = "speed";
        table.title = "Speed";
        mmc_table_column(&table, "what", nullptr, MMC_CELL_TEXT);
        mmc_table_column(&table, "rate", "1/s", MMC_CELL_NUMBER);
        mmc_table_column(&table, "verdict", nullptr, MMC_CELL_VERDICT);
        mmc_table_row(&table);
        mmc_table_cell(&table, "a|b, <c>");
        mmc_table_number(&table, 12.345, 1, "");
        mmc_table_cell(&table, "holds");
        mmc_table_row(&table);
        mmc_table_cell(&table, "d");
        mmc_table_number(&table, NAN, 1, "job failed");
        mmc_table_cell(&table, "undecided at this size");
    }
    void TearDown() override {
        mmc_table_close(&table);
    }
    mmc_table table = {};
};

TEST_F(Table, Csv) {
    EXPECT_EQ(made([&](mmc_text *t) { EXPECT_EQ(mmc_table_csv(&table, t), MMC_OK); }),
              "what,rate (1/s),verdict\n\"a|b, <c>\",12.3,holds\nd,job failed,undecided at this size\n");
}

TEST_F(Table, Markdown) {
    EXPECT_EQ(made([&](mmc_text *t) { EXPECT_EQ(mmc_table_markdown(&table, t), MMC_OK); }),
              "| what | rate | verdict |\n|---|---:|---|\n|  | 1/s |  |\n"
              "| a\\|b, &lt;c&gt; | 12.3 | holds |\n| d | job failed | undecided at this size |\n");
}

TEST_F(Table, Html) {
    std::string text = made([&](mmc_text *t) { EXPECT_EQ(mmc_table_html(&table, t), MMC_OK); });
    EXPECT_NE(text.find("<td class=\"short\">a|b, &lt;c&gt;</td><td class=\"number\">12.3</td>"), std::string::npos);
    EXPECT_NE(text.find("<span class=\"verdict holds\">holds</span>"), std::string::npos);
    EXPECT_NE(text.find("rate<span class=\"unit\">1/s</span>"), std::string::npos);
}

TEST_F(Table, AnIncompleteRowIsAnError) {
    mmc_table_row(&table);
    mmc_table_cell(&table, "alone");
    mmc_text text = {};
    EXPECT_EQ(mmc_table_csv(&table, &text), MMC_ERR_SHAPE);
    mmc_text_close(&text);
}

TEST_F(Table, WritesBothFiles) {
    char name[] = "/tmp/mmc_table_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    EXPECT_EQ(mmc_table_write(&table, name), MMC_OK) << mmc_error_message();
    EXPECT_GT(std::filesystem::file_size(std::string(name) + "/speed.csv"), 20u);
    EXPECT_GT(std::filesystem::file_size(std::string(name) + "/speed.md"), 20u);
    std::filesystem::remove_all(name);
}

class Select : public ::testing::Test {
  protected:
    void add(const char *item, const char *set, double cue, double t, double value, int64_t seed,
             const char *reason = nullptr) {
        mmc_record r = mmc_record_empty();
        r.item = item;
        r.metric = "accuracy";
        r.set = set;
        r.cue = cue;
        r.t = t;
        r.value = value;
        r.seed = seed;
        r.n = 100;
        r.reason = reason;
        records.push_back(r);
    }
    mmc_query any() const {
        mmc_query q = {};
        q.cue = NAN;
        return q;
    }
    std::vector<mmc_record> records;
};

TEST_F(Select, CurvesHoldMeanAndRangeOverSeedsInOrderOfT) {
    add("linear", "NC", .6, 1, .9, 1);
    add("linear", "NC", .6, 0, .5, 1);
    add("linear", "NC", .6, 0, .7, 2);
    add("linear", "NC", .6, 0, .9, 3);
    add("linear", "NC", .6, .5, NAN, 1, "diverged");
    add("linear", "NC", .7, 0, .1, 1);
    add("linear", "C", .6, 0, .2, 1);
    add("quadratic-cue", "NC", .6, 0, .3, 1);
    add("linear", "NC", .6, NAN, NAN, 1, "never a point");
    mmc_record_set set = {records.data(), records.size(), nullptr};
    mmc_selection rows;
    mmc_query query = any();
    ASSERT_EQ(mmc_select(&rows, &set, &query), MMC_OK);
    query.item = "linear";
    query.set = "NC";
    query.cue = .6;
    mmc_curve_values curve;
    ASSERT_EQ(mmc_select_curve(&curve, &rows, &query), MMC_OK);
    ASSERT_EQ(curve.count, 3u);
    EXPECT_EQ(curve.finite, 2u);
    EXPECT_EQ(curve.points[0].t, 0);
    EXPECT_EQ(curve.points[0].values, 3);
    EXPECT_DOUBLE_EQ(curve.points[0].mean, .7);
    EXPECT_EQ(curve.points[0].min, .5);
    EXPECT_EQ(curve.points[0].max, .9);
    EXPECT_EQ(curve.points[1].values, 0);
    EXPECT_TRUE(std::isnan(curve.points[1].mean));
    EXPECT_STREQ(curve.points[1].reason, "diverged");
    EXPECT_EQ(curve.points[2].mean, .9);
    EXPECT_STREQ(curve.reason, "diverged");
    double cues[4];
    ASSERT_EQ(mmc_select_cues(cues, 4, &rows), 2u);
    EXPECT_EQ(cues[0], .6);
    EXPECT_EQ(cues[1], .7);
    EXPECT_EQ(mmc_select_cues(cues, 1, &rows), 1u);
    mmc_curve_values_close(&curve);
    mmc_selection_close(&rows);
}

} // namespace
