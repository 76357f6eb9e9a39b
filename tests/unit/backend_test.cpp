// Opening a backend: names, refusals, and what it says about itself.
#include "runtime/backend.h"
#include "runtime/backend_cuda.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <sched.h>
#include <string>

namespace {

mmc_status opened(const char *backend, const char *provider, const char *precision, int device, int threads) {
    mmc_backend *be = nullptr;
    mmc_backend_options options = {backend, provider, precision, device, threads};
    mmc_status status = mmc_backend_open(&be, &options);
    EXPECT_EQ(be != nullptr, status == MMC_OK);
    mmc_backend_close(be);
    return status;
}

TEST(Backend, AutoTakesADeviceThatCanBeUsedOrSaysWhyNot) {
    mmc_backend *be = nullptr;
    mmc_backend_options options = {};
    const bool device = mmc_backend_cuda_usable(0) == MMC_OK;
    ASSERT_EQ(mmc_backend_open(&be, &options), MMC_OK) << mmc_error_message();
    EXPECT_STREQ(be->name, device ? "cuda" : "cpu");
    EXPECT_EQ(std::string(be->why).find("backend cuda: ") == 0, !device) << be->why;
    mmc_backend_close(be);
    options.provider = "reference";
    ASSERT_EQ(mmc_backend_open(&be, &options), MMC_OK) << mmc_error_message();
    EXPECT_STREQ(be->name, "cpu");
    EXPECT_STREQ(be->provider, "reference");
    EXPECT_STRNE(be->why, "");
    mmc_backend_close(be);
    if (device)
        return;
    EXPECT_EQ(opened("auto", nullptr, "bf16", 0, 0), MMC_ERR_MISSING) << "bf16 is CUDA's alone";
    EXPECT_EQ(opened("auto", "cudnn", nullptr, 0, 0), MMC_ERR_MISSING);
    EXPECT_EQ(mmc_backend_cuda_count(), 0);
}

TEST(Backend, TheCpuSaysWhatItIs) {
    mmc_backend *be = nullptr;
    mmc_backend_options options = {};
    options.backend = "cpu";
    ASSERT_EQ(mmc_backend_open(&be, &options), MMC_OK) << mmc_error_message();
    EXPECT_STREQ(be->name, "cpu");
    EXPECT_STREQ(be->why, "");
    EXPECT_STRNE(be->provider, "auto");
    EXPECT_STREQ(be->provider, be->unit->name);
    EXPECT_STREQ(be->precision, "fp32");
    EXPECT_STRNE(be->device, "");
    EXPECT_STRNE(be->isa, "");
    cpu_set_t set;
    ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    EXPECT_EQ(be->threads, CPU_COUNT(&set));
    mmc_backend_close(be);
}

TEST(Backend, RefusesWhatItHasNot) {
    EXPECT_EQ(opened("cpu", "reference", "fp32", 0, 1), MMC_OK);
    EXPECT_EQ(opened("gpu", nullptr, nullptr, 0, 0), MMC_ERR_USAGE);
    EXPECT_NE(std::string(mmc_error_message()).find("known are: auto, cpu, cuda"), std::string::npos);
    if (mmc_backend_cuda_count() == 0) {
        EXPECT_EQ(opened("cuda", nullptr, nullptr, 0, 0), MMC_ERR_MISSING);
        EXPECT_EQ(std::string(mmc_error_message()).find("backend cuda: "), 0u) << mmc_error_message();
        EXPECT_NE(std::string(mmc_error_message()).find("--backend cpu"), std::string::npos);
    }
    EXPECT_EQ(opened("cpu", "mkl", nullptr, 0, 0), MMC_ERR_USAGE);
    EXPECT_NE(std::string(mmc_error_message()).find("reference"), std::string::npos);
    EXPECT_EQ(opened("cpu", "cudnn", nullptr, 0, 0), MMC_ERR_UNSUPPORTED);
    EXPECT_EQ(opened("cpu", nullptr, "tf32", 0, 0), MMC_ERR_UNSUPPORTED);
    EXPECT_NE(std::string(mmc_error_message()).find("fp32"), std::string::npos);
    EXPECT_EQ(opened("cpu", nullptr, "fp8", 0, 0), MMC_ERR_USAGE);
    EXPECT_EQ(opened("cpu", nullptr, nullptr, 1, 0), MMC_ERR_MISSING);
    EXPECT_EQ(opened("cpu", nullptr, nullptr, 0, -1), MMC_ERR_RANGE);
    EXPECT_EQ(opened("cpu", nullptr, nullptr, 0, 100000), MMC_ERR_RANGE);
    mmc_backend_close(nullptr);
}

TEST(Backend, OneDnnIsThereOrSaysWhatToInstall) {
    mmc_status status = opened("cpu", "onednn", nullptr, 0, 1);
    if (mmc_onednn_unit_ops())
        EXPECT_EQ(status, MMC_OK);
    else {
        EXPECT_EQ(status, MMC_ERR_MISSING);
        EXPECT_NE(std::string(mmc_error_message()).find("libdnnl-dev"), std::string::npos);
    }
}

TEST(Backend, MemoryIsAlignedCopiedAndRefusedWhenTooMuch) {
    mmc_backend *be = nullptr;
    mmc_backend_options options = {};
    options.backend = "cpu";
    options.threads = 1;
    ASSERT_EQ(mmc_backend_open(&be, &options), MMC_OK);
    for (size_t size : {size_t(0), size_t(1), size_t(1000)}) {
        void *p = nullptr, *q = nullptr;
        ASSERT_EQ(be->memory->alloc(be, &p, size), MMC_OK);
        ASSERT_EQ(be->memory->alloc(be, &q, size), MMC_OK);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0u);
        std::string text(size, 'x'), back(size, '?');
        EXPECT_EQ(be->memory->upload(be, p, text.data(), size), MMC_OK);
        EXPECT_EQ(be->memory->copy(be, q, p, size), MMC_OK);
        EXPECT_EQ(be->memory->sync(be), MMC_OK);
        EXPECT_EQ(be->memory->download(be, back.data(), q, size), MMC_OK);
        EXPECT_EQ(back, text);
        EXPECT_EQ(be->memory->zero(be, q, size), MMC_OK);
        EXPECT_EQ(be->memory->download(be, back.data(), q, size), MMC_OK);
        EXPECT_EQ(back, std::string(size, '\0'));
        be->memory->free(be, p);
        be->memory->free(be, q);
    }
    void *p = be;
    EXPECT_EQ(be->memory->alloc(be, &p, SIZE_MAX - 10), MMC_ERR_MEMORY);
    EXPECT_EQ(p, nullptr);
    be->memory->free(be, nullptr);
    mmc_backend_close(be);
}

} // namespace
