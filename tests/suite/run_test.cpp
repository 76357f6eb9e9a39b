// Whole runs at toy size: artifacts, rows, resuming, failures, refusals, dry runs.
#include "tests/suite/toy.h"

#include <gtest/gtest.h>

#include <set>

namespace {

struct Seen {
    std::vector<std::string> records, messages;
    std::vector<std::string> labels, keys;
    mmc_run_plan_total total = {};
    int progress = 0, stop_at = -1;
    volatile sig_atomic_t stop = 0;

    void listen(mmc_run_request *r) {
        r->interrupted = &stop;
        r->hooks.user = this;
        r->hooks.on_record = [](void *user, const mmc_record *row) {
            static_cast<Seen *>(user)->records.push_back(textOf(row->item) + " " + textOf(row->metric));
        };
        r->hooks.on_message = [](void *user, const char *line) { static_cast<Seen *>(user)->messages.push_back(line); };
        r->hooks.on_plan = [](void *user, const mmc_run_plan_row *row) {
            static_cast<Seen *>(user)->labels.push_back(textOf(row->label));
            static_cast<Seen *>(user)->keys.push_back(textOf(row->job));
        };
        r->hooks.on_plan_total = [](void *user, const mmc_run_plan_total *t) { static_cast<Seen *>(user)->total = *t; };
        r->hooks.on_progress = [](void *user, const char *, const mmc_progress_event *) {
            Seen *s = static_cast<Seen *>(user);
            if (s->progress++ == s->stop_at)
                s->stop = 1;
        };
    }
};

class Run : public ::testing::Test {
  protected:
    TemporaryFolder folder;
    std::string data = toyData(folder), out = folder.path("run");
    mmc_run_request request = toyRequest(data, out);

    mmc_status go(Seen *seen = nullptr) {
        char page[4096];
        if (seen)
            seen->listen(&request);
        mmc_status status = mmc_run(&request, page, sizeof page);
        EXPECT_STREQ(page, "");
        return status;
    }
};

TEST_F(Run, LeavesWholeArtifactsAndEveryRowOnce) {
    Seen seen;
    ASSERT_EQ(go(&seen), MMC_OK) << mmc_error_message();
    mmc_record_set set = {};
    ASSERT_EQ(mmc_record_set_read(&set, out.c_str()), MMC_OK) << mmc_error_message();
    std::map<std::string, int> count;
    for (size_t i = 0; i < set.count; i++) {
        const mmc_record &r = set.rows[i];
        count[textOf(r.item) + " " + textOf(r.metric)]++;
        EXPECT_STREQ(r.scale, "toy");
        EXPECT_STREQ(r.dataset, "cifar10-box");
        EXPECT_STREQ(r.backend, "cpu");
        EXPECT_STRNE(r.commit, "");
        EXPECT_EQ(r.threads, 1);
        EXPECT_NE(r.time, nullptr);
        EXPECT_NE(r.job, nullptr);
        EXPECT_TRUE(!std::isnan(r.value) || r.reason) << textOf(r.item);
        if (textOf(r.metric) == "accuracy" && textOf(r.item) == "linear") {
            EXPECT_EQ(r.n, 20);
            EXPECT_EQ(r.cue, 1.0);
            EXPECT_EQ(r.width, 4);
            EXPECT_STREQ(r.suite, "fig4");
            EXPECT_GE(r.value, 0);
            EXPECT_LE(r.value, 1);
        }
    }
    mmc_record_set_close(&set);
    const std::map<std::string, int> expected = {{"bend-cue accuracy", 2},
                                                 {"bend-no-cue loss", 2},
                                                 {"curve-train accuracy", 4},
                                                 {"curve-train loss", 4},
                                                 {"curve-test-nc accuracy", 4},
                                                 {"curve-test-c accuracy", 4},
                                                 {"train images_per_s", 2},
                                                 {"midpoint images_per_s", 2},
                                                 {"linear accuracy", 12},
                                                 {"linear loss", 12},
                                                 {"linear barrier", 4},
                                                 {"linear dip", 4},
                                                 {"linear images_per_s", 1},
                                                 {"linear image_forwards_defined", 1},
                                                 {"linear bn_batches_skipped", 1},
                                                 {"linear-permuted accuracy", 12},
                                                 {"linear-permuted images_per_s", 1},
                                                 {"match max_logit_difference", 1},
                                                 {"match-stage2 score", 1},
                                                 {"match-stage2 duality_gap", 1},
                                                 {"sheet sheet", 1},
                                                 {"quadratic-connects claim", 1},
                                                 {"linear-disconnected claim", 1},
                                                 {"linear-permuted-disconnected claim", 1},
                                                 {"not-mechanistically-connected claim", 1}};
    for (const auto &[name, n] : expected)
        EXPECT_EQ(count[name], n) << name;
    for (const char *item : {"quadratic-cue", "quadratic-no-cue"})
        EXPECT_EQ(count[std::string(item) + " accuracy"], 12) << item;
    EXPECT_EQ(seen.records.size(), toyLines(out));
    size_t jobs = 0;
    for (const auto &e : std::filesystem::directory_iterator(out + "/artifacts")) {
        if (!e.is_directory())
            continue;
        jobs++;
        EXPECT_TRUE(std::filesystem::exists(e.path() / "done")) << e.path();
        EXPECT_TRUE(std::filesystem::exists(e.path() / "config.json")) << e.path();
        for (const char *gone : {"claim", "state.safetensors", "failed"})
            EXPECT_FALSE(std::filesystem::exists(e.path() / gone)) << e.path() << gone;
    }
    EXPECT_EQ(jobs, 7u); // theta_NC, theta_C, two bends, theta_C matched, their paths, a sheet
    EXPECT_EQ(toyModels(out).size(), 5u);
}

TEST_F(Run, EndPointsOfAllCurvesAgreeAndTheModelsDiffer) {
    ASSERT_EQ(go(), MMC_OK) << mmc_error_message();
    std::map<std::string, std::set<double>> ends;
    mmc_record_set set = {};
    ASSERT_EQ(mmc_record_set_read(&set, out.c_str()), MMC_OK);
    for (size_t i = 0; i < set.count; i++)
        if (textOf(set.rows[i].metric) == "loss" && textOf(set.rows[i].split) == "test" &&
            (set.rows[i].t == 0 || set.rows[i].t == 1))
            ends[std::to_string(set.rows[i].t) + set.rows[i].set].insert(set.rows[i].value);
    EXPECT_EQ(ends.size(), 8u);
    for (const auto &[where, values] : ends) { // the permuted model sums in another order
        EXPECT_LE(values.size(), 2u) << where;
        EXPECT_NEAR(*values.begin(), *values.rbegin(), 1e-5) << where;
    }
    EXPECT_NE(ends["0.000000NC"], ends["1.000000NC"]);
    mmc_record_set_close(&set);
}

TEST_F(Run, DoneIsNotDoneAgain) {
    ASSERT_EQ(go(), MMC_OK) << mmc_error_message();
    auto rows = toyRows(out);
    size_t lines = toyLines(out);
    request.resume = true;
    Seen seen;
    ASSERT_EQ(go(&seen), MMC_OK) << mmc_error_message();
    EXPECT_EQ(seen.progress, 0);
    EXPECT_EQ(seen.records.size(), 0u);
    EXPECT_EQ(toyLines(out), lines);
    EXPECT_EQ(toyRows(out), rows);
}

TEST_F(Run, InterruptedAnywhereItGoesOnToTheSameBits) {
    ASSERT_EQ(go(), MMC_OK) << mmc_error_message();
    auto rows = toyRows(out), models = toyModels(out);
    size_t lines = toyLines(out);
    out = folder.path("again");
    request.out = out.c_str();
    int stops = 0;
    for (int stop_at = 1;; stop_at += 2) {
        Seen seen;
        seen.stop_at = stop_at;
        mmc_status status = go(&seen);
        request.resume = true;
        if (status == MMC_OK)
            break;
        ASSERT_EQ(status, MMC_ERR_INTERRUPTED) << mmc_error_message();
        EXPECT_NE(std::string(mmc_error_message()).find("--resume"), std::string::npos);
        ASSERT_LT(++stops, 200);
    }
    EXPECT_GT(stops, 2);
    EXPECT_EQ(toyModels(out), models);
    EXPECT_EQ(toyRows(out), rows);
    EXPECT_EQ(toyLines(out), lines);
}

TEST_F(Run, AFailedJobIsReportedAndTheOthersGoOn) {
    mmc_scale broken = toyScale();
    broken.midpoint.lr = 1e30; // the losses of the bends are soon not finite
    request.scale_given = &broken;
    for (int attempt = 0; attempt < 2; attempt++) {
        ASSERT_EQ(go(), MMC_ERR_WRONG);
        EXPECT_NE(std::string(mmc_error_message()).find("jobs failed"), std::string::npos) << mmc_error_message();
        request.resume = true;
    }
    int values = 0, nulls = 0;
    mmc_record_set set = {};
    ASSERT_EQ(mmc_record_set_read(&set, out.c_str()), MMC_OK);
    for (size_t i = 0; i < set.count; i++) {
        values += textOf(set.rows[i].item) == "linear" && !std::isnan(set.rows[i].value);
        if (textOf(set.rows[i].item).rfind("quadratic", 0) == 0 || textOf(set.rows[i].item).rfind("bend", 0) == 0) {
            EXPECT_TRUE(std::isnan(set.rows[i].value));
            EXPECT_NE(set.rows[i].reason, nullptr);
            nulls++;
        }
        EXPECT_STRNE(set.rows[i].metric, "claim") << "judged on an item whose jobs failed";
    }
    mmc_record_set_close(&set);
    EXPECT_GE(values, 24);
    EXPECT_EQ(nulls, 4); // of the two trainings and of the two paths
    EXPECT_EQ(toyLines(out), toyRows(out).size());
}

TEST_F(Run, WhatNeedsAFailedJobFailsWithItsReason) {
    mmc_scale broken = toyScale();
    broken.scratch.lr = 1e30;
    request.scale_given = &broken;
    ASSERT_EQ(go(), MMC_ERR_WRONG);
    bool found = false;
    for (const auto &[key, value] : toyRows(out))
        found = found || (key.find("linear accuracy") != std::string::npos &&
                          value.find("it needs train resnet18-w4 cifar10-box p=1 seed=1") != std::string::npos);
    EXPECT_TRUE(found);
}

TEST_F(Run, AFailedJobIsTriedAgainAndItsFailureForgotten) {
    ASSERT_EQ(go(), MMC_OK) << mmc_error_message();
    auto rows = toyRows(out), models = toyModels(out);
    for (const char *measured : {"midpoint images_per_s", "match max_logit_difference"}) {
        out = folder.path(textOf(measured).substr(0, 5));
        request.out = out.c_str();
        std::string trap;
        for (const auto &[key, value] : rows) // its file cannot be written where a folder lies
            if (key.find(measured) != std::string::npos)
                trap = out + "/artifacts/" + key.substr(0, key.find(' ')) + "/model.safetensors";
        ASSERT_FALSE(trap.empty()) << measured;
        std::filesystem::create_directories(trap);
        std::filesystem::copy(folder.path("run/config.json"), out + "/config.json");
        request.resume = true;
        EXPECT_EQ(go(), MMC_ERR_WRONG) << measured;
        EXPECT_NE(toyRows(out), rows) << measured;
        std::filesystem::remove(trap);
        EXPECT_EQ(go(), MMC_OK) << mmc_error_message();
        EXPECT_EQ(toyRows(out), rows) << measured;
        EXPECT_EQ(toyModels(out), models) << measured;
    }
}

TEST_F(Run, ADryRunWritesNothing) {
    request.dry_run = true;
    Seen seen;
    ASSERT_EQ(go(&seen), MMC_OK) << mmc_error_message();
    EXPECT_FALSE(std::filesystem::exists(out));
    ASSERT_EQ(seen.labels.size(), 7u);
    EXPECT_EQ(seen.total.jobs, 7);
    EXPECT_EQ(seen.total.jobs_done, 0);
    EXPECT_GT(seen.total.flop, 0);
    EXPECT_GT(seen.total.time_s, 0);
    EXPECT_EQ(seen.keys[0].size(), 16u);
    EXPECT_NE(std::count(seen.labels.begin(), seen.labels.end(), "paths resnet18-w4 cifar10-box p=1 seed=1"), 0);
}

// On the bench's rate the times follow from FLOP alone; rates of another machine, or of another network, are refused.
TEST_F(Run, ADryRunTakesItsTimesFromTheBench) {
    const std::string bench = folder.path("bench");
    Seen probed;
    request.dry_run = true;
    ASSERT_EQ(go(&probed), MMC_OK) << mmc_error_message();
    mmc_backend *be = nullptr;
    ASSERT_EQ(mmc_backend_open(&be, &request.backend), MMC_OK) << mmc_error_message();
    const auto write = [&](int width, double images_per_s) {
        std::filesystem::remove_all(bench);
        std::filesystem::create_directories(bench);
        mmc_record_writer *writer = nullptr;
        ASSERT_EQ(mmc_record_writer_open(&writer, bench.c_str(), 0), MMC_OK) << mmc_error_message();
        mmc_record r = mmc_record_empty();
        r.suite = "bench";
        r.item = "path/line";
        r.metric = "images_per_s";
        r.value = images_per_s;
        r.arch = "resnet18";
        r.dataset = "cifar10-box";
        r.width = width;
        r.backend = be->name;
        r.provider = be->provider;
        r.precision = be->precision;
        r.device = be->device;
        r.threads = be->threads;
        r.job = "bench";
        r.time = "2026-01-01T00:00:00Z";
        ASSERT_EQ(mmc_record_append(writer, &r), MMC_OK) << mmc_error_message();
        mmc_record_writer_close(writer);
    };
    request.rates = bench.c_str();
    EXPECT_EQ(go(), MMC_ERR_MISSING);
    write(4, 1000);
    Seen measured;
    ASSERT_EQ(go(&measured), MMC_OK) << mmc_error_message();
    mmc_model *model = nullptr;
    const mmc_model_spec spec = {MMC_ARCH_RESNET18, 4, 10, 32};
    ASSERT_EQ(mmc_model_create(&model, &spec), MMC_OK);
    EXPECT_NEAR(measured.total.time_s, measured.total.flop / (1000 * mmc_model_flop(model)),
                1e-9 * measured.total.time_s);
    mmc_model_free(model);
    EXPECT_EQ(measured.total.flop, probed.total.flop);
    write(8, 1000);
    EXPECT_EQ(go(), MMC_ERR_MISMATCH);
    mmc_backend_close(be);
}

TEST_F(Run, ADryRunStatesTheShortestTimesOfNamedDevices) {
    request.dry_run = true;
    Seen seen;
    ASSERT_EQ(go(&seen), MMC_OK) << mmc_error_message();
    const mmc_roofline_device *devices = mmc_roofline_devices();
    for (int i = 0; i < MMC_ROOFLINE_DEVICES; i++) {
        EXPECT_GE(seen.total.roofline_s[i], seen.total.flop / devices[i].peaks.flop_per_s);
        EXPECT_GE(seen.total.roofline_s[i], seen.total.bytes / devices[i].peaks.bytes_per_s * (1 - 1e-9));
    }
    EXPECT_LT(seen.total.roofline_s[1], seen.total.roofline_s[0]);
}

TEST_F(Run, SuitesShareJobs) {
    const char *const suites[] = {"fig4", "fig15", "fig11"};
    request.suites = suites;
    request.suite_count = 3;
    request.dry_run = true;
    Seen seen;
    ASSERT_EQ(go(&seen), MMC_OK) << mmc_error_message();
    EXPECT_EQ(seen.total.jobs, 6);
}

TEST_F(Run, FiltersChooseJobs) {
    const char *const filters[] = {"sheet"}, *const without[] = {"-sheet"};
    request.dry_run = true;
    request.filter_count = 1;
    request.filters = filters;
    Seen only, rest;
    ASSERT_EQ(go(&only), MMC_OK) << mmc_error_message();
    EXPECT_EQ(only.total.jobs, 1);
    request.filters = without;
    ASSERT_EQ(go(&rest), MMC_OK) << mmc_error_message();
    EXPECT_EQ(rest.total.jobs, 6);
    const char *const none[] = {"nothing"}, *const wrong[] = {"("};
    request.filters = none;
    EXPECT_EQ(go(), MMC_ERR_USAGE);
    request.filters = wrong;
    EXPECT_EQ(go(), MMC_ERR_USAGE);
}

TEST_F(Run, RefusesAnotherConfigurationAndForeignFolders) {
    const char *const suites[] = {"fig7"};
    request.suites = suites;
    request.suite_count = 1;
    ASSERT_EQ(go(), MMC_OK) << mmc_error_message();
    EXPECT_EQ(go(), MMC_ERR_USAGE); // no --resume
    EXPECT_NE(std::string(mmc_error_message()).find("--resume"), std::string::npos);
    request.resume = true;
    request.epochs = 3;
    EXPECT_EQ(go(), MMC_ERR_MISMATCH);
    EXPECT_NE(std::string(mmc_error_message()).find("protocol"), std::string::npos) << mmc_error_message();
    request.epochs = 0;
    request.backend.threads = 2;
    EXPECT_EQ(go(), MMC_ERR_MISMATCH);
    EXPECT_NE(std::string(mmc_error_message()).find("--threads"), std::string::npos) << mmc_error_message();
    request.backend.threads = 1;
    EXPECT_EQ(go(), MMC_OK) << mmc_error_message();
    request.out = data.c_str();
    EXPECT_EQ(go(), MMC_ERR_USAGE);
    EXPECT_EQ(std::filesystem::exists(data + "/config.json"), false);
}

TEST_F(Run, NamesThatAreNotThereAndDataThatIsNotThere) {
    const char *const wrong[] = {"fig99"}, *const lacking[] = {"fig8"};
    request.suites = wrong;
    request.suite_count = 1;
    EXPECT_EQ(go(), MMC_ERR_USAGE);
    EXPECT_NE(std::string(mmc_error_message()).find("fig4"), std::string::npos);
    request.suites = lacking;
    EXPECT_EQ(go(), MMC_ERR_SKIPPED) << mmc_error_message();
    EXPECT_FALSE(std::filesystem::exists(out));
    const char *const both[] = {"fig7", "fig8"};
    request.suites = both;
    request.suite_count = 2;
    EXPECT_EQ(go(), MMC_OK) << mmc_error_message();
    bool said = false;
    for (const auto &[key, value] : toyRows(out))
        said = said || (key.find(" fig8 sheet") != std::string::npos && value.rfind("nan ", 0) == 0);
    EXPECT_TRUE(said);
}

} // namespace
