// Rows as text and as JSON, values that do not exist, and rows that could not be written.
#include "suites/output.h"

#include <gtest/gtest.h>
#include <jansson.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

namespace {

// Two files for rows and messages.
struct Streams {
    FILE *rows = tmpfile(), *messages = tmpfile();
    mmc_output out;
    explicit Streams(bool json, bool quiet = false) {
        mmc_output_init(&out, rows, messages, json, quiet);
    }
    ~Streams() {
        fclose(rows);
        fclose(messages);
    }
    static std::string text(FILE *f) {
        std::string all;
        rewind(f);
        for (int c; (c = fgetc(f)) != EOF;)
            all += static_cast<char>(c);
        return all;
    }
};

} // namespace

TEST(Output, JsonRowsKeepOrderAndEscapeTexts) {
    Streams s(true);
    mmc_cell inner[] = {mmc_cell_number("NC", .25), mmc_cell_number("RI", 1e-7)};
    mmc_cell cells[] = {mmc_cell_text("name", "a\"b\\c\n\x01"), mmc_cell_integer("n", -3), mmc_cell_bool("yes", true),
                        mmc_cell_group("barrier", inner, 2), mmc_cell_number("loss", .1)};
    mmc_output_row(&s.out, cells, 5, nullptr);
    std::string text = Streams::text(s.rows);
    EXPECT_EQ(text, "{\"name\":\"a\\\"b\\\\c\\u000a\\u0001\",\"n\":-3,\"yes\":true,"
                    "\"barrier\":{\"NC\":0.25,\"RI\":1e-07},\"loss\":0.1}\n");
    json_t *row = json_loads(text.c_str(), 0, nullptr);
    ASSERT_NE(row, nullptr);
    EXPECT_STREQ(json_string_value(json_object_get(row, "name")), "a\"b\\c\n\x01");
    json_decref(row);
}

TEST(Output, ValuesThatDoNotExistAreNullWithAReason) {
    Streams s(true);
    mmc_cell cells[] = {mmc_cell_number("loss", NAN), mmc_cell_text("device", nullptr)};
    mmc_output_row(&s.out, cells, 2, "it did not run");
    mmc_cell infinite = mmc_cell_number("loss", INFINITY);
    mmc_output_row(&s.out, &infinite, 1, nullptr);
    EXPECT_EQ(Streams::text(s.rows), "{\"loss\":null,\"device\":null,\"reason\":\"it did not run\"}\n"
                                     "{\"loss\":null,\"reason\":\"not a finite number\"}\n");

    Streams t(false);
    mmc_output_row(&t.out, cells, 1, "it did not run");
    EXPECT_EQ(Streams::text(t.rows), "      loss\n         -  (it did not run)\n");
}

TEST(Output, NumbersReadBackAsTheSameDouble) {
    for (double x : {0.1, 1. / 3, 1e300, 5e-324, std::numeric_limits<double>::max(), -0.8124, 2.1043, 388000.}) {
        char text[32];
        mmc_number_format(text, sizeof text, x);
        EXPECT_EQ(strtod(text, nullptr), x) << text;
    }
    char text[32];
    mmc_number_format(text, sizeof text, 0.8124);
    EXPECT_STREQ(text, "0.8124");
}

TEST(Output, TheHeadingIsPrintedWhenTheKeysChange) {
    Streams s(false);
    mmc_cell eval[] = {mmc_cell_text("set", "NC"), mmc_cell_number("accuracy", .5)};
    mmc_cell train[] = {mmc_cell_integer("epoch", 1), mmc_cell_number("loss", 2)};
    mmc_output_row(&s.out, eval, 2, nullptr);
    mmc_output_row(&s.out, eval, 2, nullptr);
    mmc_output_row(&s.out, train, 2, nullptr);
    EXPECT_EQ(Streams::text(s.rows), "set       accuracy\nNC             0.5\nNC             0.5\n"
                                     " epoch        loss\n     1           2\n");
}

TEST(Output, LinesForAPersonAreNoJson) {
    Streams s(true);
    mmc_output_line(&s.out, "a line");
    mmc_output_message(&s.out, "a %s", "message");
    EXPECT_EQ(Streams::text(s.rows), "");
    EXPECT_EQ(Streams::text(s.messages), "mmcbench: a message\n");
}

TEST(Output, QuietSilencesProgressOnly) {
    Streams s(false, true);
    mmc_progress_event event = {"train", 0, 100, 1, 2, NAN, NAN};
    for (event.done = 0; event.done <= 100; event.done += 50)
        mmc_output_report(&s.out, &event);
    EXPECT_EQ(Streams::text(s.messages), "");
    mmc_output_message(&s.out, "still said");
    EXPECT_EQ(Streams::text(s.messages), "mmcbench: still said\n");
}

TEST(Output, ARowThatCouldNotBeWrittenIsReportedAtTheEnd) {
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        GTEST_SKIP() << "this system has no /dev/full";
    mmc_output out;
    mmc_output_init(&out, full, stderr, true, true);
    mmc_cell cell = mmc_cell_integer("n", 1);
    mmc_output_row(&out, &cell, 1, nullptr);
    EXPECT_EQ(mmc_output_close(&out), MMC_ERR_IO);
    fclose(full);

    Streams s(true);
    mmc_output_row(&s.out, &cell, 1, nullptr);
    EXPECT_EQ(mmc_output_close(&s.out), MMC_OK);
}
