// Room on a device: what is said before a job, and what where it does not fit. The CPU backend with a device's answer.
#include "runtime/model.h"
#include "runtime/network.h"
#include "runtime/room.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace {

size_t free_bytes;

class Room : public testing::Test {
  protected:
    void SetUp() override {
        mmc_backend_options options = {};
        options.backend = "cpu";
        options.threads = 1;
        ASSERT_EQ(mmc_backend_open(&be_, &options), MMC_OK) << mmc_error_message();
        host_ = be_->memory;
        device_ = *host_;
        device_.available = [](mmc_backend *, size_t *out) {
            *out = free_bytes;
            return MMC_OK;
        };
    }
    void TearDown() override {
        mmc_backend_close(be_);
    }

    mmc_backend *be_ = nullptr;
    const mmc_memory_ops *host_ = nullptr;
    mmc_memory_ops device_ = {};
};

TEST_F(Room, ANetworkThatDoesNotFitSaysWhatIsMissing) {
    mmc_model_spec spec = {MMC_ARCH_VGG13, 4, 10, 32};
    mmc_model *model = nullptr;
    mmc_network *net = nullptr;
    ASSERT_EQ(mmc_model_create(&model, &spec), MMC_OK);
    be_->memory = &device_;
    free_bytes = 100000;
    EXPECT_EQ(mmc_network_create(&net, be_, model, MMC_NETWORK_TRAIN, 64, 1), MMC_ERR_MEMORY);
    EXPECT_EQ(net, nullptr);
    const std::string text = mmc_error_message();
    for (const char *word :
         {"memory of vgg13, width 4, batch 64", "activations", "0.1 MB of", "are missing", "--batch"})
        EXPECT_NE(text.find(word), std::string::npos) << word << " in: " << text;
    free_bytes = 1000000000;
    EXPECT_EQ(mmc_network_create(&net, be_, model, MMC_NETWORK_TRAIN, 64, 1), MMC_OK) << mmc_error_message();
    mmc_network_free(net);
    be_->memory = host_;
    EXPECT_EQ(mmc_room_check(be_, SIZE_MAX), MMC_OK) << "the host's memory is not planned";
    mmc_model_free(model);
}

TEST_F(Room, WhatAPlanTakesIsReportedOnce) {
    std::vector<mmc_progress_event> seen;
    mmc_progress progress = {};
    progress.user = &seen;
    progress.report = [](void *user, const mmc_progress_event *event) {
        static_cast<std::vector<mmc_progress_event> *>(user)->push_back(*event);
    };
    mmc_room room;
    free_bytes = 5000;
    ASSERT_EQ(mmc_room_measure(&room, be_), MMC_OK);
    EXPECT_EQ(room.free_bytes, 0u) << "not known";
    ASSERT_EQ(mmc_room_report(&room, be_, &progress), MMC_OK);
    EXPECT_TRUE(seen.empty());
    be_->memory = &device_;
    ASSERT_EQ(mmc_room_measure(&room, be_), MMC_OK);
    free_bytes = 2000;
    ASSERT_EQ(mmc_room_report(&room, be_, nullptr), MMC_OK);
    ASSERT_EQ(mmc_room_report(&room, be_, &progress), MMC_OK);
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_STREQ(seen[0].phase, "memory");
    EXPECT_EQ(seen[0].done, 3000);
    EXPECT_EQ(seen[0].total, 5000);
    free_bytes = 9000; // somebody else gave some back
    ASSERT_EQ(mmc_room_report(&room, be_, &progress), MMC_OK);
    EXPECT_EQ(seen[1].done, 0);
    be_->memory = host_;
}

} // namespace
