// What tests of training share: interruption after a number of reports, and results that must be equal to the bit.
#pragma once

#include "runtime/train.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <string>
#include <vector>

struct Trained {
    mmc_status status;
    std::string message;
    std::vector<float> state;
    std::vector<mmc_epoch_row> rows;
    int64_t images;
};

// Sets the flag after a number of progress reports (one a step).
struct Interrupt {
    explicit Interrupt(int after) : left(after), flag(after == 0) {
        hooks.progress.report = [](void *user, const mmc_progress_event *event) {
            Interrupt *self = static_cast<Interrupt *>(user);
            self->epochs.push_back(event->epoch);
            if (--self->left == 0)
                self->flag = 1;
        };
        hooks.progress.user = this;
        hooks.progress.interrupted = &flag;
    }
    int left;
    volatile sig_atomic_t flag;
    std::vector<int> epochs;
    mmc_train_hooks hooks = {};
};

inline void expect_same(const Trained &a, const Trained &b) {
    ASSERT_EQ(b.status, MMC_OK) << b.message;
    ASSERT_EQ(a.state.size(), b.state.size());
    EXPECT_EQ(std::memcmp(a.state.data(), b.state.data(), a.state.size() * sizeof(float)), 0);
    ASSERT_EQ(a.rows.size(), b.rows.size());
    for (size_t i = 0; i < a.rows.size(); i++) {
        EXPECT_EQ(a.rows[i].epoch, b.rows[i].epoch);
        EXPECT_EQ(a.rows[i].loss, b.rows[i].loss);
        EXPECT_EQ(a.rows[i].accuracy, b.rows[i].accuracy);
        EXPECT_EQ(a.rows[i].lr, b.rows[i].lr);
    }
}
