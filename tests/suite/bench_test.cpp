// `mmcbench bench` at toy size: rows, records, choice of cases, and refusals.
#include "tests/suite/program.h"

#include <cmath>
#include <set>

namespace {

using namespace program;

const std::vector<std::string> toy = {"bench",     "--backend", "cpu",    "--width",       "4",   "--batch",      "4",
                                      "--timeout", "0",         "--json", "--limit-train", "130", "--limit-test", "8",
                                      "--points",  "2"};

Result bench(const std::vector<std::string> &more) {
    std::vector<std::string> words = toy;
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
}

TEST(Bench, EveryOperationIsMeasuredAndVerified) {
    Folder folder;
    Result r = bench({"--provider", "own", "--arch", "resnet18", "--out", (folder / "run").string()});
    ASSERT_EQ(r.code, 0) << r.err;
    std::set<std::string> seen, known;
    auto rows = r.rows();
    ASSERT_GT(rows.size(), 2u);
    const Json summary = rows.back();
    rows.pop_back();
    EXPECT_TRUE(summary.has("summary"));
    EXPECT_EQ(summary.number("failed"), 0);
    EXPECT_EQ(summary.number("cases"), double(rows.size()));
    EXPECT_GT(summary.number("peak_flop_per_s"), 1e8);
    EXPECT_GT(summary.number("peak_bytes_per_s"), 1e8);
    for (auto &row : rows) {
        const std::string op = row.text("op");
        seen.insert(op);
        EXPECT_EQ(row.text("case").rfind(op.rfind("mlp_", 0) == 0 ? "mlp." : "resnet18.", 0), 0u);
        EXPECT_GT(row.number("median_s"), 0) << op;
        EXPECT_LE(row.number("min_s"), row.number("median_s")) << op;
        EXPECT_GT(row.number("roofline"), 0) << op;
        EXPECT_EQ(row.text("provider"), "own");
        const json_t *samples = json_object_get(row.root.get(), "samples");
        ASSERT_TRUE(json_is_array(samples)) << op;
        EXPECT_GE(json_array_size(samples), 1u);
        if (op == "path") {
            EXPECT_GT(row.number("image_forwards"), 2 * 130) << "both points estimate batch norm";
            EXPECT_NEAR(row.number("images_per_s") * row.number("median_s"), row.number("image_forwards"), 1e-3);
        } else if (op != "pack")
            EXPECT_LT(row.number("error"), 5e-3) << op << " " << row.text("case");
    }
    for (auto &row : run({"list", "ops", "--json"}).rows())
        known.insert(row.text("name"));
    EXPECT_EQ(seen, known);

    // One record a case, complete in itself.
    std::istringstream lines(read_file(folder / "run" / "records.jsonl"));
    size_t count = 0;
    for (std::string line; std::getline(lines, line); count++) {
        const Json record(json_loads(line.c_str(), 0, nullptr));
        ASSERT_NE(record.root.get(), nullptr) << line;
        const bool path = record.text("metric") == "images_per_s";
        EXPECT_EQ(record.text("suite"), "bench");
        EXPECT_EQ(record.text("unit"), path ? "1/s" : "s");
        EXPECT_TRUE(json_is_array(json_object_get(record.root.get(), "samples"))) << line;
        EXPECT_GT(record.number("value"), 0) << line;
        EXPECT_GT(record.number("roofline"), 0) << line;
        EXPECT_TRUE(record.has("clock_mhz") || record.text("reason") != "") << line;
        if (record.text("item").rfind("mlp_", 0) != 0) {
            EXPECT_EQ(record.number("width"), 4);
            EXPECT_EQ(record.text("arch"), "resnet18");
        }
    }
    EXPECT_EQ(count, rows.size());
}

TEST(Bench, CasesAreChosenByOperationAndName) {
    Result r = bench(
        {"--provider", "own", "--op", "sgd", "--op", "conv_eval", "--case", "vgg13.layers.3", "--case", "parameters"});
    ASSERT_EQ(r.code, 0) << r.err;
    std::vector<std::string> names;
    for (auto &row : r.rows())
        if (row.has("case"))
            names.push_back(row.text("op") + " " + row.text("case"));
    EXPECT_EQ(names, (std::vector<std::string>{"sgd resnet18.parameters", "conv_eval vgg13.layers.3.conv1",
                                               "sgd vgg13.parameters"}));
}

TEST(Bench, AGivenNumberOfRunsIsTakenAsItIs) {
    Result r = run({"bench", "--backend", "cpu", "--provider", "own", "--width", "4", "--batch", "4", "--op", "head",
                    "--arch", "vgg13", "--iters", "3", "--json"});
    ASSERT_EQ(r.code, 0) << r.err;
    auto row = r.rows()[0];
    EXPECT_EQ(json_array_size(json_object_get(row.root.get(), "samples")), 3u);
    EXPECT_EQ(row.text("end"), "iterations");
    EXPECT_TRUE(json_is_null(json_object_get(row.root.get(), "error")));
    EXPECT_TRUE(contains(row.text("reason"), "not verified")) << row.text("reason");
}

// Without --provider each is measured, and what does not depend on it once.
TEST(Bench, EachProviderIsMeasured) {
    Result r =
        bench({"--arch", "vgg13", "--op", "conv_eval", "--op", "loss", "--case", "layers.0", "--case", "training"});
    ASSERT_EQ(r.code, 0) << r.err;
    std::multiset<std::string> rows;
    for (auto &row : r.rows())
        if (row.has("case"))
            rows.insert(row.text("provider") + " " + row.text("op"));
    EXPECT_EQ(rows.count("own conv_eval"), 1u);
    EXPECT_EQ(rows.count("own loss"), 1u);
    EXPECT_EQ(rows.count("onednn loss"), 0u);
    EXPECT_EQ(rows.size(), 2 + rows.count("onednn conv_eval"));
}

TEST(Bench, DominoesHaveTallImages) {
    Result r =
        bench({"--provider", "own", "--arch", "vgg13", "--dataset", "dominoes", "--op", "render", "--op", "path"});
    ASSERT_EQ(r.code, 0) << r.err;
    EXPECT_EQ(r.rows()[0].text("shape"), "4x3x64x32");
    EXPECT_LT(r.rows()[0].number("error"), 1e-6);
    EXPECT_EQ(r.rows()[1].text("op"), "path");
}

TEST(Bench, RefusesWhatItCannotDo) {
    expect_refusal(bench({"--op", "convolve"}), 2, {"--op", "convolve", "conv_eval, conv_stats"});
    expect_refusal(bench({"--case", "resnet50"}), 2, {"--case"});
    expect_refusal(run({"bench", "--iters", "1", "--min-samples", "4"}), 2, {"--iters", "--min-samples"});
    expect_refusal(run({"bench", "fast"}), 2, {"'fast'", "--op"});
    expect_refusal(run({"eval", "--op", "sgd", "x"}), 2, {"--op", "bench"});
}

} // namespace
