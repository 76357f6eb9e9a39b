// Records: written whole, read back the same, torn lines dropped, duplicates settled, hostile files refused.
#include "reports/record.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

class Record : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/mmc_record_XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder = name;
    }
    void TearDown() override {
        fs::remove_all(folder);
    }
    void put(const std::string &name, const std::string &text) const {
        std::ofstream(folder + "/" + name, std::ios::binary) << text;
    }
    std::string get(const std::string &name) const {
        std::ifstream file(folder + "/" + name, std::ios::binary);
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }
    void append(const mmc_record &record, int shard = 0) const {
        mmc_record_writer *writer = nullptr;
        ASSERT_EQ(mmc_record_writer_open(&writer, folder.c_str(), shard), MMC_OK) << mmc_error_message();
        EXPECT_EQ(mmc_record_append(writer, &record), MMC_OK) << mmc_error_message();
        mmc_record_writer_close(writer);
    }
    mmc_status read(mmc_record_set &set) const {
        return mmc_record_set_read(&set, folder.c_str());
    }
    void expect_hostile(const std::string &text) const {
        put("records.jsonl", R"({"schema":1,"metric":"loss"})"
                             "\n" +
                                 text + "\n");
        mmc_record_set set;
        EXPECT_EQ(read(set), MMC_ERR_FORMAT) << text;
        EXPECT_NE(std::string(mmc_error_message()).find("records.jsonl, line 2"), std::string::npos)
            << mmc_error_message();
        EXPECT_EQ(set.rows, nullptr);
    }
    std::string folder;
};

mmc_record sample(const char *job, double value) {
    mmc_record r = mmc_record_empty();
    r.suite = "fig4";
    r.item = "linear";
    r.metric = "accuracy";
    r.set = "NC";
    r.split = "test";
    r.job = job;
    r.t = .1;
    r.seed = 1;
    r.value = value;
    return r;
}

TEST_F(Record, EveryFieldComesBack) {
    mmc_record r = sample("0123", .1 + .2);
    const double samples[] = {.5, .25};
    const char *const keys[] = {"room", "x\"y"}, *const values[] = {"a\nb", "\xc3\xa4"};
    r.arch = "resnet18";
    r.dataset = "cifar10-box";
    r.method = "scratch";
    r.scale = "quick";
    r.backend = "cpu";
    r.provider = "own";
    r.precision = "fp32";
    r.device = "<b>\"quoted\" \\ device</b>";
    r.commit = "abc";
    r.time = "2026-01-01T00:00:00Z";
    r.unit = "fraction";
    r.reason = "why";
    r.cue = .6;
    r.n = 10000;
    r.width = 8;
    r.threads = 2;
    r.dirty = true;
    r.samples = samples;
    r.sample_count = 2;
    r.median = .3;
    r.min = .25;
    r.iqr = .1;
    r.image_forwards = 388000;
    r.flop = 1e12;
    r.bytes = 3e9;
    r.peak_memory = 1e8;
    r.roofline = .625;
    r.clock_mhz = 1410;
    r.tag_keys = keys;
    r.tag_values = values;
    r.tag_count = 2;
    append(r);
    mmc_record_set set;
    ASSERT_EQ(read(set), MMC_OK) << mmc_error_message();
    ASSERT_EQ(set.count, 1u);
    const mmc_record &b = set.rows[0];
    EXPECT_STREQ(b.suite, r.suite);
    EXPECT_STREQ(b.item, r.item);
    EXPECT_STREQ(b.metric, r.metric);
    EXPECT_STREQ(b.reason, r.reason);
    EXPECT_STREQ(b.set, r.set);
    EXPECT_STREQ(b.split, r.split);
    EXPECT_STREQ(b.arch, r.arch);
    EXPECT_STREQ(b.dataset, r.dataset);
    EXPECT_STREQ(b.method, r.method);
    EXPECT_STREQ(b.scale, r.scale);
    EXPECT_STREQ(b.backend, r.backend);
    EXPECT_STREQ(b.provider, r.provider);
    EXPECT_STREQ(b.precision, r.precision);
    EXPECT_STREQ(b.device, r.device);
    EXPECT_STREQ(b.commit, r.commit);
    EXPECT_STREQ(b.job, r.job);
    EXPECT_STREQ(b.time, r.time);
    EXPECT_STREQ(b.unit, r.unit);
    EXPECT_EQ(b.value, r.value);
    EXPECT_EQ(b.t, r.t);
    EXPECT_EQ(b.cue, r.cue);
    EXPECT_EQ(b.n, r.n);
    EXPECT_EQ(b.seed, r.seed);
    EXPECT_EQ(b.width, r.width);
    EXPECT_EQ(b.threads, r.threads);
    EXPECT_TRUE(b.dirty);
    ASSERT_EQ(b.sample_count, 2u);
    EXPECT_EQ(b.samples[1], .25);
    EXPECT_EQ(b.median, r.median);
    EXPECT_EQ(b.min, r.min);
    EXPECT_EQ(b.iqr, r.iqr);
    EXPECT_EQ(b.image_forwards, r.image_forwards);
    EXPECT_EQ(b.flop, r.flop);
    EXPECT_EQ(b.bytes, r.bytes);
    EXPECT_EQ(b.peak_memory, r.peak_memory);
    EXPECT_EQ(b.roofline, r.roofline);
    EXPECT_EQ(b.clock_mhz, r.clock_mhz);
    ASSERT_EQ(b.tag_count, 2u);
    EXPECT_STREQ(b.tag_keys[1], "x\"y");
    EXPECT_STREQ(b.tag_values[0], "a\nb");
    mmc_record_set_close(&set);
    EXPECT_NE(get("records.jsonl").find("\"cue\":0.6,"), std::string::npos) << "numbers are written short";
}

TEST_F(Record, NullsStayNullAndCarryAReason) {
    mmc_record r = mmc_record_empty();
    r.metric = "loss";
    r.value = INFINITY;
    append(r);
    mmc_record_set set;
    ASSERT_EQ(read(set), MMC_OK);
    ASSERT_EQ(set.count, 1u);
    EXPECT_TRUE(std::isnan(set.rows[0].value));
    EXPECT_NE(set.rows[0].reason, nullptr);
    EXPECT_EQ(set.rows[0].item, nullptr);
    EXPECT_TRUE(std::isnan(set.rows[0].t));
    EXPECT_EQ(set.rows[0].n, -1);
    EXPECT_EQ(set.rows[0].seed, -1);
    EXPECT_EQ(set.rows[0].width, 0);
    mmc_record_set_close(&set);
}

TEST_F(Record, BytesThatAreNoUtf8AreReplaced) {
    mmc_record r = sample("\xff\xfe ok \xc3", 1);
    append(r);
    mmc_record_set set;
    ASSERT_EQ(read(set), MMC_OK) << mmc_error_message();
    EXPECT_STREQ(set.rows[0].job, "\xef\xbf\xbd\xef\xbf\xbd ok \xef\xbf\xbd");
    mmc_record_set_close(&set);
}

TEST_F(Record, ATornLastLineIsIgnoredByReadersAndDroppedByTheNextWriter) {
    append(sample("a", 1));
    std::string whole = get("records.jsonl");
    put("records.jsonl", whole + whole.substr(0, whole.size() / 2));
    mmc_record_set set;
    ASSERT_EQ(read(set), MMC_OK) << mmc_error_message();
    EXPECT_EQ(set.count, 1u);
    mmc_record_set_close(&set);
    append(sample("b", 2));
    ASSERT_EQ(read(set), MMC_OK) << mmc_error_message();
    EXPECT_EQ(set.count, 2u);
    EXPECT_STREQ(set.rows[1].job, "b");
    mmc_record_set_close(&set);
    EXPECT_EQ(get("records.jsonl").substr(0, whole.size()), whole);

    std::string torn(10000, 'x'); /* longer than one block of the search */
    put("records.jsonl", torn);
    append(sample("c", 3));
    ASSERT_EQ(read(set), MMC_OK) << mmc_error_message();
    EXPECT_EQ(set.count, 1u);
    mmc_record_set_close(&set);
}

TEST_F(Record, OfDuplicatesTheFirstCountsAcrossShards) {
    append(sample("a", .5), 2);
    append(sample("a", .75), 0);
    append(sample("a", .9), 0);
    mmc_record other = sample("a", .1);
    other.t = .2;
    append(other, 10);
    mmc_record_set set;
    ASSERT_EQ(read(set), MMC_OK) << mmc_error_message();
    ASSERT_EQ(set.count, 2u);
    EXPECT_EQ(set.rows[0].value, .75);
    EXPECT_EQ(set.rows[1].value, .1);
    mmc_record_set_close(&set);
}

TEST_F(Record, ACursorGivesWhatWasAddedToAnyFileSinceItsLastRead) {
    mmc_record_cursor cursor = {};
    auto added = [&] {
        mmc_record_set set;
        EXPECT_EQ(mmc_record_set_read_new(&set, &cursor, folder.c_str()), MMC_OK) << mmc_error_message();
        std::string jobs;
        for (size_t i = 0; i < set.count; i++)
            jobs += set.rows[i].job;
        mmc_record_set_close(&set);
        return jobs;
    };
    EXPECT_EQ(added(), "");
    append(sample("a", 1));
    append(sample("b", 1), 3);
    EXPECT_EQ(added(), "ab");
    EXPECT_EQ(added(), "");
    append(sample("c", 1), 1);
    append(sample("d", 1), 3);
    std::string whole = get("records-3.jsonl");
    put("records-3.jsonl", whole.substr(0, whole.size() - 1)); /* being written */
    EXPECT_EQ(added(), "c");
    put("records-3.jsonl", whole);
    EXPECT_EQ(added(), "d");
    mmc_record_set set;
    put("records-3.jsonl", whole + "no JSON\n");
    EXPECT_EQ(mmc_record_set_read_new(&set, &cursor, folder.c_str()), MMC_ERR_FORMAT);
    EXPECT_NE(std::string(mmc_error_message()).find("records-3.jsonl, line 3"), std::string::npos)
        << mmc_error_message();
    mmc_record_cursor_close(&cursor);

    put("records-3.jsonl", whole);
    EXPECT_EQ(added(), "acbd") << "a new cursor";
    put("records-3.jsonl", whole.substr(0, 10));
    EXPECT_EQ(mmc_record_set_read_new(&set, &cursor, folder.c_str()), MMC_ERR_FORMAT);
    EXPECT_NE(std::string(mmc_error_message()).find("were read before"), std::string::npos) << mmc_error_message();
    mmc_record_cursor_close(&cursor);
}

TEST_F(Record, AFailedAttemptIsForgottenOnceMeasured) {
    mmc_record failed = sample("a", NAN); /* of an item: only that item's value counts */
    failed.t = NAN;
    failed.set = failed.split = nullptr;
    failed.reason = "no memory";
    mmc_record whole = failed; /* of the whole job: any value does */
    whole.job = "b";
    whole.item = nullptr;
    append(failed);
    append(whole);
    mmc_record other = sample("a", 1);
    other.item = "another";
    append(other);
    append(sample("c", 1));
    mmc_record_set set;
    ASSERT_EQ(read(set), MMC_OK) << mmc_error_message();
    EXPECT_EQ(set.count, 4u);
    mmc_record_set_close(&set);
    append(sample("a", 1));
    append(sample("b", 1));
    ASSERT_EQ(read(set), MMC_OK) << mmc_error_message();
    ASSERT_EQ(set.count, 4u);
    for (size_t i = 0; i < set.count; i++)
        EXPECT_EQ(set.rows[i].value, 1);
    mmc_record_set_close(&set);
}

TEST_F(Record, EachFieldOfTheKeyTellsRowsApart) {
    mmc_record_writer *writer = nullptr;
    ASSERT_EQ(mmc_record_writer_open(&writer, folder.c_str(), 0), MMC_OK);
    mmc_record variants[8];
    for (mmc_record &r : variants)
        r = sample("a", 1);
    variants[1].job = "b";
    variants[2].item = "quadratic-cue";
    variants[3].metric = "loss";
    variants[4].t = NAN;
    variants[5].set = "C";
    variants[6].split = "train";
    variants[7].seed = 2;
    for (int round = 0; round < 2; round++)
        for (const mmc_record &r : variants)
            ASSERT_EQ(mmc_record_append(writer, &r), MMC_OK);
    mmc_record_writer_close(writer);
    mmc_record_set set;
    ASSERT_EQ(read(set), MMC_OK);
    EXPECT_EQ(set.count, 8u);
    mmc_record_set_close(&set);
}

TEST_F(Record, ASecondWriterOfTheSameShardIsRefused) {
    mmc_record_writer *first = nullptr, *second = nullptr, *other = nullptr;
    ASSERT_EQ(mmc_record_writer_open(&first, folder.c_str(), 1), MMC_OK);
    EXPECT_EQ(mmc_record_writer_open(&second, folder.c_str(), 1), MMC_ERR_BUSY);
    EXPECT_EQ(second, nullptr);
    pid_t child = fork();
    if (child == 0)
        _exit(mmc_record_writer_open(&second, folder.c_str(), 1) == MMC_ERR_BUSY ? 0 : 1);
    int state = 0;
    waitpid(child, &state, 0);
    EXPECT_EQ(state, 0);
    EXPECT_EQ(mmc_record_writer_open(&other, folder.c_str(), 2), MMC_OK);
    mmc_record_writer_close(other);
    mmc_record_writer_close(first);
    ASSERT_EQ(mmc_record_writer_open(&second, folder.c_str(), 1), MMC_OK) << "free again after closing";
    mmc_record_writer_close(second);
}

TEST_F(Record, HostileLinesNameFileAndLine) {
    expect_hostile("");
    expect_hostile("{");
    expect_hostile("[1,2]");
    expect_hostile("nonsense");
    expect_hostile(std::string("{\"schema\":1,\"metric\":\"a\0b\"}", 27));
    expect_hostile(R"({"metric":"loss"})");
    expect_hostile(R"({"schema":2,"metric":"loss"})");
    expect_hostile(R"({"schema":1})");
    expect_hostile(R"({"schema":1,"metric":7})");
    expect_hostile(R"({"schema":1,"metric":"loss","value":"0.1"})");
    expect_hostile(R"({"schema":1,"metric":"loss","value":NaN})");
    expect_hostile(R"({"schema":1,"metric":"loss","value":1e999})");
    expect_hostile(R"({"schema":1,"metric":"loss","n":-3})");
    expect_hostile(R"({"schema":1,"metric":"loss","width":99999999999})");
    expect_hostile(R"({"schema":1,"metric":"loss","seed":1.5})");
    expect_hostile(R"({"schema":1,"metric":"loss","samples":["x"]})");
    expect_hostile(R"({"schema":1,"metric":"loss","tags":{"a":1}})");
    expect_hostile(R"({"schema":1,"metric":"loss","metric":"loss"})");
    expect_hostile(std::string(5000, '['));
    expect_hostile("{\"schema\":1,\"metric\":\"\xff\"}");
}

TEST_F(Record, UnknownFieldsAndOtherFilesAreLetBe) {
    put("records.jsonl", R"({"schema":1,"metric":"loss","value":1,"later":{"x":[1]}})"
                         "\n");
    put("records-x.jsonl", "nonsense\n");
    put("records.jsonl.bak", "nonsense\n");
    mmc_record_set set;
    ASSERT_EQ(read(set), MMC_OK) << mmc_error_message();
    EXPECT_EQ(set.count, 1u);
    mmc_record_set_close(&set);
}

TEST_F(Record, AnEmptyRunHasNoRowsAndAMissingOneIsAnError) {
    mmc_record_set set;
    ASSERT_EQ(read(set), MMC_OK);
    EXPECT_EQ(set.count, 0u);
    mmc_record_set_close(&set);
    EXPECT_EQ(mmc_record_set_read(&set, (folder + "/nothing").c_str()), MMC_ERR_MISSING);
    mmc_record_writer *writer = nullptr;
    EXPECT_EQ(mmc_record_writer_open(&writer, (folder + "/nothing").c_str(), 0), MMC_ERR_MISSING);
    EXPECT_EQ(mmc_record_writer_open(&writer, folder.c_str(), -1), MMC_ERR_RANGE);
}

} // namespace
