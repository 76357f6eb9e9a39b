// Which steps are run, recorded and launched.
#include "runtime/recording.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

struct mmc_graph {
    int serial;
};

namespace {

class Recording : public testing::Test {
  protected:
    Recording() {
        graph.begin = [](mmc_backend *) {
            begun++;
            return MMC_OK;
        };
        graph.end = [](mmc_backend *, mmc_graph **out) {
            *out = new mmc_graph{++alive};
            return MMC_OK;
        };
        graph.launch = [](mmc_backend *, mmc_graph *) {
            launched++;
            return MMC_OK;
        };
        graph.free = [](mmc_backend *, mmc_graph *g) {
            alive--;
            delete g;
        };
        memory.sync = [](mmc_backend *) {
            synced++;
            return MMC_OK;
        };
        be.graph = &graph;
        be.memory = &memory;
        begun = launched = alive = synced = 0;
        std::memset(&key, 0x5a, sizeof key); /* what lies between the fields is no part of the key */
        key.kind = 1;
        for (int i = 0; i < MMC_RECORDING_SHAPE; i++)
            key.shape[i] = i;
        for (int i = 0; i < MMC_RECORDING_ADDRESSES; i++)
            key.address[i] = &key + i;
    }
    ~Recording() override {
        mmc_recordings_close(&recordings, &be);
        EXPECT_EQ(alive, 0);
    }

    mmc_status run(const mmc_recording_key &k) {
        return mmc_recordings_run(&recordings, &be, &k, body, &bodies);
    }

    static mmc_status body(void *user) {
        ++*static_cast<int *>(user);
        return MMC_OK;
    }

    static inline int begun, launched, alive, synced;
    mmc_graph_ops graph = {};
    mmc_memory_ops memory = {};
    mmc_backend be = {};
    mmc_recordings recordings = {};
    mmc_recording_key key;
    int bodies = 0;
};

} // namespace

TEST_F(Recording, RunsThenRecordsThenLaunches) {
    ASSERT_EQ(run(key), MMC_OK);
    EXPECT_EQ(bodies, 1);
    EXPECT_EQ(begun, 0);
    EXPECT_EQ(launched, 0);
    ASSERT_EQ(run(key), MMC_OK);
    EXPECT_EQ(bodies, 2);
    EXPECT_EQ(begun, 1);
    EXPECT_EQ(launched, 1);
    mmc_recording_key same;
    std::memset(&same, 0xa5, sizeof same);
    same.kind = key.kind;
    std::memcpy(same.shape, key.shape, sizeof same.shape);
    std::memcpy(same.address, key.address, sizeof same.address);
    ASSERT_EQ(run(same), MMC_OK);
    EXPECT_EQ(bodies, 2);
    EXPECT_EQ(launched, 2);
}

TEST_F(Recording, EveryPartOfTheKeyMakesAnotherStep) {
    run(key);
    run(key);
    std::vector<mmc_recording_key> others(1 + MMC_RECORDING_SHAPE + MMC_RECORDING_ADDRESSES, key);
    others[0].kind++;
    for (int i = 0; i < MMC_RECORDING_SHAPE; i++)
        others[static_cast<size_t>(1 + i)].shape[i] += 7;
    for (int i = 0; i < MMC_RECORDING_ADDRESSES; i++)
        others[static_cast<size_t>(1 + MMC_RECORDING_SHAPE + i)].address[i] = this;
    for (const mmc_recording_key &other : others)
        ASSERT_EQ(run(other), MMC_OK);
    EXPECT_EQ(bodies, 2 + static_cast<int>(others.size()));
    EXPECT_EQ(launched, 1);
}

TEST_F(Recording, TheStepUnusedForLongestMakesRoom) {
    for (int i = 0; i < MMC_RECORDINGS; i++) {
        key.shape[0] = i;
        run(key);
        run(key);
    }
    key.shape[0] = 0;
    run(key); /* now step 1 is the oldest */
    EXPECT_EQ(alive, MMC_RECORDINGS);
    EXPECT_EQ(synced, 0);
    key.shape[0] = MMC_RECORDINGS;
    run(key);
    EXPECT_EQ(alive, MMC_RECORDINGS - 1);
    EXPECT_EQ(synced, 1) << "what is freed may still be running";
    const int before = bodies;
    key.shape[0] = 0;
    run(key);
    EXPECT_EQ(bodies, before);
    key.shape[0] = 1;
    run(key);
    EXPECT_EQ(bodies, before + 1);
}

TEST_F(Recording, ABackendThatRecordsNothingRunsEveryStep) {
    be.graph = nullptr;
    for (int i = 0; i < 3; i++)
        run(key);
    EXPECT_EQ(bodies, 3);
}

TEST_F(Recording, AFailedStepIsNoStepSeen) {
    auto fails = [](void *) { return mmc_fail(MMC_ERR_DEVICE, "as asked"); };
    EXPECT_EQ(mmc_recordings_run(&recordings, &be, &key, fails, nullptr), MMC_ERR_DEVICE);
    run(key);
    EXPECT_EQ(begun, 0) << "the first good run is the first";
    EXPECT_EQ(mmc_recordings_run(&recordings, &be, &key, fails, nullptr), MMC_ERR_DEVICE);
    EXPECT_STREQ(mmc_error_message(), "as asked");
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(launched, 0);
    run(key);
    EXPECT_EQ(launched, 1);
}
