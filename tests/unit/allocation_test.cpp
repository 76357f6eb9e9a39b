// Nothing is allocated once a network, a trainer or a plan of a point stands: every allocation of the process is
// counted.
#include "runtime/point.h"
#include "runtime/trainer.h"
#include "tests/golden/device.h"
#include "tests/support/toy_dataset.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#define COUNTED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COUNTED 0
#endif
#endif
#ifndef COUNTED
#define COUNTED 1
#endif

namespace {
std::atomic<long> allocations{0};
} // namespace

#if COUNTED
extern "C" {
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

void *malloc(size_t size) {
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *p, size_t size) {
    allocations++;
    return __libc_realloc(p, size);
}

void *aligned_alloc(size_t align, size_t size) {
    allocations++;
    return __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size) {
    allocations++;
    *out = __libc_memalign(align, size);
    return *out ? 0 : ENOMEM;
}
}
#endif

namespace {

using golden::check;

class Allocation : public testing::TestWithParam<const char *> {
  protected:
    void SetUp() override {
        if (!COUNTED)
            GTEST_SKIP() << "allocations cannot be counted under the address sanitizer";
#ifdef __clang__
        GTEST_SKIP() << "clang's OpenMP runtime allocates in parallel regions by itself; built by gcc this is counted";
#endif
    }
};

} // namespace

TEST_P(Allocation, CountingWorks) {
    const long before = allocations;
    free(malloc(3));
    EXPECT_EQ(allocations - before, 1);
}

TEST_P(Allocation, TrainingStepsAllocateNothing) {
    golden::Backend be(GetParam());
    ToyDataset toy(MMC_DATASET_CIFAR10_BOX, 20, 8);
    golden::Model model(MMC_ARCH_RESNET18, 4, 10, 32);
    std::vector<float> start(model->state_count);
    mmc_model_init(model, start.data(), 1, MMC_RNG_INIT, 0);
    mmc_curve curve = {};
    curve.kind = MMC_CURVE_QUADRATIC;
    curve.count = 3;
    curve.point[0] = curve.point[1] = curve.point[2] = start.data();
    mmc_train_config config = mmc_train_defaults();
    config.epochs = 2;
    config.batch = 8;
    for (bool bends : {false, true}) {
        config.curve = bends ? &curve : nullptr;
        mmc_trainer *t = nullptr;
        check(mmc_trainer_create(&t, be, model, &toy.data, &config, start.data()));
        check(mmc_trainer_begin_epoch(t, 0));
        check(mmc_trainer_step(t, 0, 0)); /* threads start here */
        const long before = allocations;
        for (int epoch = 0; epoch < 2; epoch++) {
            check(mmc_trainer_begin_epoch(t, epoch));
            for (int64_t step = 0; step < mmc_trainer_steps(t); step++)
                check(mmc_trainer_step(t, epoch, step));
        }
        EXPECT_EQ(allocations - before, 0) << (bends ? "bends" : "plain");
        mmc_trainer_free(t);
    }
}

TEST_P(Allocation, PathPointsAllocateNothing) {
    golden::Backend be(GetParam());
    ToyDataset toy(MMC_DATASET_CIFAR10_BOX, 20, 11);
    golden::Model model(MMC_ARCH_RESNET18, 4, 10, 32);
    std::vector<float> start(model->state_count);
    mmc_model_init(model, start.data(), 1, MMC_RNG_INIT, 0);
    golden::Device<float> state(be, start);
    mmc_path_config config = mmc_path_defaults();
    config.batch = config.bn_batch = 8;
    for (mmc_bn_mode bn : {MMC_BN_MOMENTUM, MMC_BN_POOLED}) {
        config.bn = bn;
        mmc_point_plan *plan = nullptr;
        mmc_score score;
        check(mmc_point_plan_create(&plan, be, model, &toy.data, &config, 1));
        check(mmc_point_run(plan, state.get(), 1, nullptr));
        const long before = allocations;
        check(mmc_point_run(plan, state.get(), 1, nullptr));
        check(mmc_point_score(plan, 0, MMC_SPLIT_TEST, MMC_SET_RI, &score));
        EXPECT_EQ(allocations - before, 0) << mmc_bn_name(bn);
        mmc_point_plan_free(plan);
    }
}

INSTANTIATE_TEST_SUITE_P(Providers, Allocation, testing::Values("reference", "own"),
                         [](const auto &info) { return info.param; });
