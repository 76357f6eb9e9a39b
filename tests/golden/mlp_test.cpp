// The small model against the golden files: outputs, ten steps with their losses, fractions of active units.
#include "tests/golden/golden.h"

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

std::string case_name(const testing::TestParamInfo<MlpGolden::ParamType> &info) {
    const Where &where = std::get<0>(info.param);
    return std::string(where.backend) + "_" + where.provider + "_" + std::get<1>(info.param);
}

INSTANTIATE_TEST_SUITE_P(All, MlpGolden,
                         testing::Combine(testing::ValuesIn(everywhere),
                                          testing::Values("mlp_pm1", "mlp_ones", "mlp_full_width")),
                         case_name);

} // namespace
