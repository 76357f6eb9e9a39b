// Training, evaluating and matching small models: every backend against the reference.
#include "runtime/small_match.h"
#include "tests/parity/device.h"

namespace parity {
namespace {

struct Where {
    const char *backend, *provider, *precision;
};

const Where everywhere[] = {
#ifndef MMC_PARITY_EMULATED
    {"cpu", "own", nullptr},
#endif
    {"cuda", "own", "fp32"},
    {"cuda", "own", "tf32"},
};

mmc_small_config toy() {
    mmc_small_config c = mmc_small_defaults();
    c.inputs = 7;
    c.hidden = 34;
    c.train = 100;
    c.test = 90;
    c.epochs = 2;
    c.batch = 32;
    c.lr = 40;
    return c;
}

const mmc_small_model models[] = {{MMC_SMALL_K0, 0, 3}, {MMC_SMALL_K4, 0, 3}, {MMC_SMALL_K4, 1, 3}};
constexpr int MODELS = 3;

struct Results {
    Floats w, fraction, permuted;
    mmc_small_score score[MODELS];
    mmc_small_match_result match;
    std::vector<int32_t> permutation;
};

Results results(mmc_backend *be) {
    Results r;
    const mmc_small_config c = toy();
    const size_t size = mmc_small_weights(&c);
    mmc_small_state state;
    mmc_small_data train = {}, test = {};
    EXPECT_EQ(mmc_small_state_open(&state, &c, models, MODELS), MMC_OK);
    EXPECT_EQ(mmc_small_data_draw(&train, c.train, c.inputs, c.margin, 3, MMC_SMALL_TRAIN, MMC_SMALL_BOTH), MMC_OK);
    EXPECT_EQ(mmc_small_data_draw(&test, c.test, c.inputs, c.margin, 3, MMC_SMALL_TEST, MMC_SMALL_BOTH), MMC_OK);
    EXPECT_EQ(mmc_small_train(&state, be, &c, models, nullptr), MMC_OK) << mmc_error_message();
    r.w.assign(state.w, state.w + MODELS * size);
    r.fraction.resize(size_t(MODELS * c.test));
    EXPECT_EQ(mmc_small_evaluate(r.score, be, &c, state.w, MODELS, &test, r.fraction.data()), MMC_OK)
        << mmc_error_message();
    r.permuted.resize(size);
    r.permutation.resize(size_t(c.hidden));
    EXPECT_EQ(mmc_small_match(&r.match, r.permuted.data(), r.permutation.data(), be, &c, state.w + size,
                              state.w + 2 * size, &train),
              MMC_OK)
        << mmc_error_message();
    mmc_small_data_close(&train);
    mmc_small_data_close(&test);
    mmc_small_state_close(&state);
    return r;
}

class SmallParity : public testing::TestWithParam<Where> {};

TEST_P(SmallParity, AgreesWithTheReference) {
    const Where &where = GetParam();
    Backend be(where.backend, where.provider, 2, where.precision);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    ASSERT_EQ(be.status, MMC_OK) << be.message;
    const Results got = results(be.be);
    Backend reference("cpu", "reference", 1);
    ASSERT_EQ(reference.status, MMC_OK) << reference.message;
    const Results want = results(reference.be);
    double largest = 0;
    for (size_t i = 0; i < want.w.size(); i++)
        largest = std::max(largest, double(std::fabs(got.w[i] - want.w[i])));
    EXPECT_LT(largest, 1e-5);
    for (int m = 0; m < MODELS; m++) {
        EXPECT_NEAR(got.score[m].loss, want.score[m].loss, 1e-5);
        EXPECT_NEAR(got.score[m].accuracy, want.score[m].accuracy, 1.5 / toy().test);
    }
    int differ = 0; // a unit at rounding from 0 may fall on either side
    for (size_t i = 0; i < want.fraction.size(); i++)
        differ += got.fraction[i] != want.fraction[i];
    EXPECT_LE(differ, 2);
    EXPECT_EQ(got.permutation, want.permutation);
    EXPECT_NEAR(got.match.score, want.match.score, be.unit_roundoff() > 0 ? .05 : 1e-4);
    EXPECT_EQ(got.match.duality_gap, 0);
    EXPECT_LT(got.match.max_output_difference, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(All, SmallParity, testing::ValuesIn(everywhere),
                         [](const testing::TestParamInfo<Where> &info) {
                             const Where &w = info.param;
                             return std::string(w.backend) + "_" + w.provider + (w.precision ? "_" : "") +
                                    (w.precision ? w.precision : "");
                         });

} // namespace
} // namespace parity
