// What the program marks for profilers while it trains, seen through NVTX's own injection: they nest, carry the shape,
// and close on error paths too.
#include "runtime/backend.h"
#include "runtime/model.h"
#include "runtime/network.h"
#include "runtime/trace.h"
#include "tests/simt/control.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace {

constexpr int kImages = 2;

int count(const std::string &text, const std::string &part) {
    int n = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
        n++;
    return n;
}

// Training steps of a small network on blank images; the last status.
mmc_status train(int steps) {
    mmc_backend_options options = {};
    options.backend = "cuda";
    mmc_model_spec spec = {MMC_ARCH_VGG13, 4, 10, 32};
    mmc_backend *be = nullptr;
    mmc_model *model = nullptr;
    mmc_network *net = nullptr;
    void *memory = nullptr;
    mmc_status status = MMC_OK;
    mmc_trace_begin(MMC_TRACE_JOB, "train");
    if ((status = mmc_model_create(&model, &spec)) == MMC_OK && (status = mmc_backend_open(&be, &options)) == MMC_OK &&
        (status = mmc_network_create(&net, be, model, MMC_NETWORK_TRAIN, kImages, 1)) == MMC_OK) {
        // One block of zeros: the state, images, samples, labels and the tally.
        const size_t state = model->state_count * sizeof(float), image = 3 * 32 * 32;
        const size_t size = state + image + kImages * (sizeof(mmc_sample) + sizeof(int32_t)) + 2 * sizeof(double) + 256;
        if ((status = be->memory->alloc(be, &memory, size)) == MMC_OK &&
            (status = be->memory->zero(be, memory, size)) == MMC_OK) {
            char *at = static_cast<char *>(memory);
            auto place = [&](size_t bytes) {
                char *p = at;
                at += (bytes + 63) / 64 * 64;
                return static_cast<void *>(p);
            };
            mmc_network_step_call call = {};
            call.state = static_cast<float *>(place(state));
            mmc_image_store store = {static_cast<uint8_t *>(place(image)), nullptr, 1, 0, 3, 32};
            call.store = &store;
            call.samples = static_cast<mmc_sample *>(place(kImages * sizeof(mmc_sample)));
            call.labels = static_cast<int32_t *>(place(kImages * sizeof(int32_t)));
            call.tally = static_cast<double *>(place(2 * sizeof(double)));
            call.n = kImages;
            for (int i = 0; i < steps && status == MMC_OK; i++)
                status = mmc_network_step(net, &call);
        }
    }
    if (status == MMC_OK)
        status = be->memory->sync(be);
    mmc_network_free(net);
    if (be)
        be->memory->free(be, memory);
    mmc_backend_close(be);
    mmc_model_free(model);
    return mmc_trace_end(status);
}

TEST(Trace, RangesNestAndCarryTheShape) {
    ASSERT_TRUE(mmc_trace_built());
    simt_range_log_clear();
    ASSERT_EQ(train(1), MMC_OK) << mmc_error_message();
    EXPECT_EQ(simt_ranges_open(), 0);
    const std::string log = simt_range_log();
    EXPECT_EQ(log.find("+ 0 mmcbench job train\n"), 0u) << log;
    EXPECT_EQ(count(log, "+ 1 mmcbench phase training step"), 1) << log;
    EXPECT_EQ(count(log, "+ 2 mmcbench operation unit train "), 10) << "VGG-13 has ten convolutions: " << log;
    EXPECT_EQ(count(log, "+ 2 mmcbench operation unit backward "), 10) << log;
    for (const char *name : {"render", "pool", "head", "loss", "head backward", "pool backward"})
        EXPECT_EQ(count(log, std::string("+ 2 mmcbench operation ") + name + "\n"), 1) << name << ": " << log;
    const mmc_unit_shape first = {kImages, 3, 32, 32, 4, 3, 1, true, false};
    EXPECT_EQ(count(log, "operation unit train " + std::to_string(mmc_trace_shape(&first, 1)) + "\n"), 1) << log;
    EXPECT_EQ(count(log, "+ "), count(log, "- "));
    EXPECT_EQ(simt_leaks(), 0);
}

TEST(Trace, RangesCloseWhereWorkFails) {
    // The launch of every kernel in turn: each leaves another set of ranges half done.
    simt_range_log_clear();
    const long before = simt_calls("cudaLaunchKernel");
    ASSERT_EQ(train(1), MMC_OK) << mmc_error_message();
    const long calls = simt_calls("cudaLaunchKernel") - before;
    ASSERT_GT(calls, 20);
    int failed = 0;
    for (long n = 2; n <= calls; n += 5) {
        simt_fail("cudaLaunchKernel", int(n), cudaErrorInvalidConfiguration);
        failed += train(1) != MMC_OK;
        simt_fail(nullptr, 0, 0);
        ASSERT_EQ(simt_ranges_open(), 0) << "after failure " << n;
        ASSERT_EQ(simt_leaks(), 0) << "after failure " << n;
    }
    EXPECT_GT(failed, 3);
    const std::string log = simt_range_log();
    EXPECT_EQ(count(log, "+ "), count(log, "- "));
}

TEST(Trace, AShapeThatDoesNotFitStandsAsTheLargest) {
    const mmc_unit_shape big = {5000, 5000, 300, 3, 1, 3, 2, true, true};
    EXPECT_EQ(mmc_trace_shape(&big, 300), 255u | uint64_t(4095) << 8 | uint64_t(4095) << 20 | uint64_t(1) << 32 |
                                              uint64_t(255) << 44 | uint64_t(3) << 52 | uint64_t(3) << 60 |
                                              uint64_t(2) << 62);
}

} // namespace
