// The small model against the golden files: data, outputs, ten steps with their losses, activation patterns.
#include "tests/golden/golden.h"

#include "runtime/small_match.h"
#include "tests/parity/device.h"

namespace {

using parity::Backend;
using parity::Buffer;

struct Where {
    const char *backend, *provider;
};

const Where everywhere[] = {
#ifndef MMC_PARITY_EMULATED
    {"cpu", "reference"},
    {"cpu", "own"},
#endif
    {"cuda", "own"},
};

class MlpGolden : public testing::TestWithParam<std::tuple<Where, const char *>> {};

TEST_P(MlpGolden, TrainsAsTheDefinition) {
    const auto &[where, name] = GetParam();
    GOLDEN_OR_SKIP(file, name);
    Backend be(where.backend, where.provider, 2);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    ASSERT_EQ(be.status, MMC_OK) << be.message;
    const int samples = int(file.shape("x")[0]), inputs = int(file.shape("x")[1]), rows = int(file.shape("w")[0]);
    const mmc_mlp_shape shape = {1, inputs, int(file.shape("w")[1]), rows > inputs ? 0.1f : 0.0f};
    const std::vector<double> lr = file.f64("lrs");
    const size_t weights = size_t(rows) * shape.hidden;

    Buffer w(be, file.f32("w")), v(be, std::vector<float>(weights, 0.0f)), a(be, file.f32("a")), x(be, file.f32("x")),
        y(be, file.f32("y")), f(be, samples * sizeof(float)), fraction(be, samples * sizeof(float)),
        loss(be, lr.size() * sizeof(double));
    mmc_mlp_eval_call eval = {};
    eval.shape = shape;
    eval.samples = samples;
    eval.w = w.f();
    eval.a = a.f();
    eval.x = x.f();
    eval.f = f.f();
    eval.fraction = fraction.f();
    Buffer eval_workspace(be, be->mlp->eval_workspace_size(be->queue, &eval));
    eval.workspace = eval_workspace.raw();
    ASSERT_EQ(be->mlp->eval(be->queue, &eval), MMC_OK) << mmc_error_message();
    golden::expect_near(file, "output", f.read<float>());
    golden::expect_near(file, "fraction", fraction.read<float>());

    mmc_mlp_train_call train = {};
    train.shape = shape;
    train.batch = std::stoi(file.setting("batch"));
    train.samples = train.batch * int(lr.size());
    train.lr = lr.data();
    train.momentum = 0.9;
    train.w = w.f();
    train.v = v.f();
    train.a = a.f();
    train.x = x.f();
    train.y = y.f();
    train.loss = loss.d();
    Buffer train_workspace(be, be->mlp->train_workspace_size(be->queue, &train));
    train.workspace = train_workspace.raw();
    ASSERT_EQ(be->mlp->train(be->queue, &train), MMC_OK) << mmc_error_message();
    golden::expect_near(file, "losses", loss.read<double>());
    golden::expect_near(file, "final", w.read<float>());
    if (file.has("velocity"))
        golden::expect_near(file, "velocity", v.read<float>());
}

// The same by the way that suites take.
TEST_P(MlpGolden, ScoresAndPatternsAreTheDefinitions) {
    const auto &[where, name] = GetParam();
    GOLDEN_OR_SKIP(file, name);
    Backend be(where.backend, where.provider, 2);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    ASSERT_EQ(be.status, MMC_OK) << be.message;
    mmc_small_config c = mmc_small_defaults();
    c.inputs = int(file.shape("x")[1]);
    c.hidden = int(file.shape("w")[1]);
    ASSERT_EQ(mmc_small_output_parse(&c.output, file.setting("output").c_str()), MMC_OK);
    ASSERT_EQ(mmc_small_weights(&c), size_t(file.shape("w")[0]) * size_t(c.hidden));
    std::vector<float> a(size_t(c.hidden)), x = file.f32("x"), y = file.f32("y"), w = file.f32("w");
    mmc_small_output_weights(a.data(), &c);
    EXPECT_EQ(a, file.f32("a"));
    for (float other : file.f32("w_other"))
        w.push_back(other);
    const mmc_small_data data = {int32_t(y.size()), c.inputs, x.data(), y.data()};
    mmc_small_score score[2];
    std::vector<float> fraction(2 * y.size());
    ASSERT_EQ(mmc_small_evaluate(score, be.be, &c, w.data(), 2, &data, fraction.data()), MMC_OK) << mmc_error_message();
    golden::expect_near(file, "loss", std::vector<double>{score[0].loss});
    golden::expect_near(file, "pattern_w1",
                        std::vector<double>{mmc_small_pattern_distance(fraction.data(), fraction.data() + y.size(),
                                                                       int32_t(y.size()))});
}

#ifndef MMC_PARITY_EMULATED
TEST(SmallDataGolden, AttributesAndSupportsAreTheDefinitions) {
    GOLDEN_OR_SKIP(file, "mlp_data");
    for (int k : {2, 4, 6})
        for (int z : {0, 1}) {
            int s[MMC_SMALL_SUPPORT];
            const int count = mmc_small_support(s, k, z);
            EXPECT_EQ(std::vector<int32_t>(s, s + count),
                      file.i32("support_K" + std::to_string(k) + "_y" + std::to_string(z)));
        }
    const std::vector<float> u0 = file.f32("uniform_0"), u4 = file.f32("uniform_4"), z = file.f32("latent_0"),
                             s = file.f32("latent_4"), rest = file.f32("uniform_rest");
    const int inputs = int(file.shape("x_delta0.1")[1]);
    for (const char *margin : {"0.0", "0.1", "0.5"}) {
        std::vector<float> x;
        for (size_t n = 0; n < z.size(); n++) {
            x.push_back(float(mmc_small_attribute(0, int(z[n]), double(u0[n]), inputs, std::stod(margin))));
            x.push_back(float(mmc_small_attribute(4, int(s[n]), double(u4[n]), inputs, std::stod(margin))));
            for (int d = 2; d < inputs; d++)
                x.push_back(
                    float(std::sqrt(3.0 / inputs) * (2 * double(rest[n * size_t(inputs - 2) + size_t(d - 2)]) - 1)));
        }
        golden::expect_near(file, "x_delta" + std::string(margin), x);
    }
}
#endif

std::string case_name(const testing::TestParamInfo<MlpGolden::ParamType> &info) {
    const Where &where = std::get<0>(info.param);
    return std::string(where.backend) + "_" + where.provider + "_" + std::get<1>(info.param);
}

INSTANTIATE_TEST_SUITE_P(All, MlpGolden,
                         testing::Combine(testing::ValuesIn(everywhere),
                                          testing::Values("mlp_pm1", "mlp_ones", "mlp_full_width")),
                         case_name);

} // namespace
