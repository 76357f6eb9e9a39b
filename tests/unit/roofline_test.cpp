// The bounds that a dry run states, against bounds worked out by hand for the networks of width 64.
#include "suites/roofline.h"

#include <gtest/gtest.h>

namespace {

class Roofline : public ::testing::Test {
  protected:
    mmc_model *model = nullptr;
    const mmc_roofline_device *a100 = &mmc_roofline_devices()[0], *h100 = &mmc_roofline_devices()[1];

    void open(mmc_arch arch, int width, int height) {
        mmc_model_free(model);
        mmc_model_spec spec = {arch, width, 10, height};
        ASSERT_EQ(mmc_model_create(&model, &spec), MMC_OK);
    }
    void TearDown() override {
        mmc_model_free(model);
    }
    double us(const mmc_roofline_device *device, mmc_pass pass) const {
        return 1e6 * mmc_roofline_image_s(device, model, pass);
    }
};

TEST_F(Roofline, CountsWhatTheModelCounts) {
    for (mmc_arch arch : {MMC_ARCH_RESNET18, MMC_ARCH_VGG13}) {
        open(arch, 64, 32);
        EXPECT_NEAR(mmc_roofline_image_flop(model, MMC_PASS_BN) / mmc_model_flop(model), 1, 1e-12);
        EXPECT_NEAR(mmc_roofline_image_flop(model, MMC_PASS_TRAIN) / mmc_model_flop(model), 3, .02); // none for images
    }
}

// 7.39 and 2.78 us for batch norm passes, 7.32 and 2.61 for evaluation, where an epilogue normalises without a pass of
// its own.
TEST_F(Roofline, ResNetIsBoundAsWorkedOutByHand) {
    open(MMC_ARCH_RESNET18, 64, 32);
    EXPECT_NEAR(us(a100, MMC_PASS_BN), 7.39, .03 * 7.39);
    EXPECT_NEAR(us(h100, MMC_PASS_BN), 2.78, .06 * 2.78);
    EXPECT_NEAR(us(a100, MMC_PASS_EVAL), 7.32, .04 * 7.32);
    EXPECT_GT(us(a100, MMC_PASS_TRAIN), 3 * 7.12);
    EXPECT_LT(us(a100, MMC_PASS_TRAIN), 40.3); // every operation a kernel of its own
    EXPECT_LT(us(h100, MMC_PASS_TRAIN), 18.5);
}

TEST_F(Roofline, VggIsBoundAsWorkedOutByHand) {
    open(MMC_ARCH_VGG13, 64, 32);
    EXPECT_NEAR(us(a100, MMC_PASS_BN), 1.63, .06 * 1.63);
    EXPECT_NEAR(us(h100, MMC_PASS_BN), .61, .1 * .61);
}

TEST_F(Roofline, TallImagesTakeTwiceAsLong) {
    open(MMC_ARCH_RESNET18, 64, 32);
    const double square = us(a100, MMC_PASS_BN);
    open(MMC_ARCH_RESNET18, 64, 64);
    EXPECT_NEAR(us(a100, MMC_PASS_BN) / square, 2, .01);
}

TEST_F(Roofline, NarrowNetworksAreBoundByMemory) {
    open(MMC_ARCH_RESNET18, 8, 32);
    const double bytes_s = mmc_roofline_image_bytes(model, MMC_PASS_BN) / a100->peaks.bytes_per_s;
    EXPECT_NEAR(us(a100, MMC_PASS_BN), 1e6 * bytes_s, .1e6 * bytes_s);
}

} // namespace
