// Toy sizes of the suites: generated data in CIFAR-10's layout, a scale that takes seconds, what a run left behind.
#pragma once

#include "reports/record.h"
#include "runtime/rng.h"
#include "suites/runner.h"
#include "tests/support/temporary_folder.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

// `count` images whose brightness pattern depends on the class, with noise.
inline std::string toyRecords(int count, uint32_t stream) {
    std::string bytes;
    for (int i = 0; i < count; i++) {
        int label = i % 10;
        bytes += static_cast<char>(label);
        for (uint64_t k = 0; k < 3072; k++) {
            uint32_t word = mmc_rng_at(5, MMC_RNG_TOY, stream, static_cast<uint64_t>(i) * 3072 + k);
            bytes += static_cast<char>(mmc_rng_below(word, 128) + (static_cast<int>(k / 96) % 10 == label ? 120 : 0));
        }
    }
    return bytes;
}

inline std::string toyData(const TemporaryFolder &folder) {
    folder.write("data/cifar-10-batches-bin/data_batch_1.bin", toyRecords(64, 0));
    folder.write("data/cifar-10-batches-bin/test_batch.bin", toyRecords(20, 1));
    return folder.path("data");
}

inline const mmc_scale &toyScale() {
    static const mmc_scale scale = [] {
        mmc_scale s = {};
        s.name = "toy";
        s.about = "a test";
        s.reduced = true;
        s.width = 4;
        s.seeds = 1;
        s.scratch = {2, 32, .05, nullptr};
        s.midpoint = {2, 32, .05, nullptr};
        s.fine_tune = {2, 32, 0, nullptr};
        s.cues[0] = 1.0;
        s.fine_tune_cues[0] = .6;
        s.table_seeds = 2;
        s.pretrain = {2, 32, .05, nullptr};
        s.methods.epochs = 2;
        s.methods.head_epochs = 3;
        s.methods.scratch_epochs = 2;
        s.methods.batch = 16;
        s.methods.clean = 20;
        s.table_cues[0] = .6;
        s.points = 3;
        s.bn = MMC_BN_POOLED;
        s.bn_batch = 32;
        s.datasets[0] = "cifar10-box";
        s.suites[0] = "fig4";
        s.suites[1] = "fig7";
        s.suites[2] = "fig11";
        s.small = MMC_SMALL_DEFAULTS;
        s.small.inputs = 6;
        s.small.hidden = 20;
        s.small.train = 320;
        s.small.test = 200;
        s.small.epochs = 4;
        s.small.lr = 40;
        s.small_seeds = 2;
        s.connected_dip = .05;
        s.claim_margin = .01;
        s.claim_accuracy = 1.1; // decides nothing: such models prove nothing
        return s;
    }();
    return scale;
}

inline mmc_run_request toyRequest(const std::string &data, const std::string &out) {
    mmc_run_request r = mmc_run_request_defaults();
    r.scale_given = &toyScale();
    r.data = data.c_str();
    r.out = out.c_str();
    r.backend.backend = "cpu";
    r.backend.threads = 1;
    r.no_report = true;
    return r;
}

inline std::string textOf(const char *text) {
    return text ? text : "-";
}

// Every row of a run by what readers tell rows apart by. Values as exact text; those of time are left out.
inline std::map<std::string, std::string> toyRows(const std::string &directory) {
    std::map<std::string, std::string> rows;
    mmc_record_set set = {};
    if (mmc_record_set_read(&set, directory.c_str()) != MMC_OK)
        return {{"unreadable", mmc_error_message()}};
    for (size_t i = 0; i < set.count; i++) {
        const mmc_record &r = set.rows[i];
        char key[512], value[64];
        snprintf(key, sizeof key, "%s %s %s %g %s %s %lld", textOf(r.job).c_str(), textOf(r.item).c_str(),
                 textOf(r.metric).c_str(), r.t, textOf(r.set).c_str(), textOf(r.split).c_str(),
                 static_cast<long long>(r.seed));
        snprintf(value, sizeof value, "%a ", r.value);
        bool speed = textOf(r.metric) == "images_per_s";
        rows[key] = (speed ? "" : value) + textOf(r.reason);
    }
    mmc_record_set_close(&set);
    return rows;
}

// Lines of all records files: more than rows where something was written twice.
inline size_t toyLines(const std::string &directory) {
    size_t lines = 0;
    for (const auto &e : std::filesystem::directory_iterator(directory))
        if (e.path().filename().string().rfind("records", 0) == 0) {
            std::string text = TemporaryFolder::read(e.path().string());
            lines += static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
        }
    return lines;
}

// Checkpoints by job.
inline std::map<std::string, std::string> toyModels(const std::string &directory) {
    std::map<std::string, std::string> models;
    for (const auto &e : std::filesystem::directory_iterator(directory + "/artifacts")) {
        std::string path = e.path().string() + "/model.safetensors";
        if (std::filesystem::exists(path))
            models[e.path().filename().string()] = TemporaryFolder::read(path);
    }
    return models;
}
