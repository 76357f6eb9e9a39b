// The small model: every provider against the reference, the reference against differences of its own loss.
#include "tests/parity/device.h"
#ifdef MMC_PARITY_EMULATED
#include "tests/simt/control.h"
#endif

#include <cstdint>

namespace parity {
namespace {

// The backends and the providers that have operations of their own.
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

struct Case {
    const char *name;
    mmc_mlp_shape shape;
    int samples, batch;
    bool shared; // samples of all models
    mmc_mlp_loss loss = MMC_MLP_SQUARED;
};

// Odd widths, short last batches, batches longer than a tile, one unit, no bias, the paper's width.
const Case cases[] = {
    {"three models", {3, 13, 70, 0.1f}, 50, 16, true}, {"own samples, no bias", {2, 32, 64, 0}, 40, 40, false},
    {"smallest", {1, 1, 1, 0.5f}, 3, 1, true},         {"logistic", {2, 9, 40, 0.1f}, 45, 20, false, MMC_MLP_LOGISTIC},
    {"long batch", {1, 5, 33, 0.1f}, 150, 131, true},  {"the paper's width", {1, 128, 512, 0.1f}, 30, 24, true},
};

struct Inputs {
    size_t set_stride, x_stride, y_stride;
    Floats w, v, a, x, y;
    std::vector<int32_t> order;
    std::vector<double> lr;

    explicit Inputs(const Case &c) {
        const int rows = mmc_mlp_rows(&c.shape), data = c.samples + 4;
        set_stride = size_t(rows) * c.shape.hidden + 3; // odd: sets need not be aligned
        x_stride = c.shared ? 0 : size_t(data) * c.shape.inputs + 1;
        y_stride = c.shared ? 0 : size_t(data) + 1;
        w = uniform(set_stride * c.shape.sets, 80, -.3f, .3f);
        v = uniform(set_stride * c.shape.sets, 81, -1e-3f, 1e-3f);
        a = uniform(c.shape.hidden, 82);
        x = uniform(size_t(c.shape.sets) * (size_t(data) * c.shape.inputs + 1), 83);
        y = uniform(size_t(c.shape.sets) * (size_t(data) + 1), 84, 0, 1);
        for (int i = 0; i < c.shape.sets * c.samples; i++)
            order.push_back(int32_t(mmc_rng_at(11, MMC_RNG_TOY, 85, uint64_t(i)) % uint32_t(data)));
        const int steps = (c.samples + c.batch - 1) / c.batch;
        for (int i = 0; i < steps; i++)
            lr.push_back(0.5 * c.shape.hidden / (i + 1));
    }
};

struct Trained {
    Floats w, v;
    std::vector<double> loss;
};

Trained train(const Backend &be, const Case &c, const Inputs &in, bool ordered = true, mmc_status status = MMC_OK) {
    Buffer w(be, in.w), v(be, in.v), a(be, in.a), x(be, in.x), y(be, in.y), order(be, in.order),
        loss(be, size_t(c.shape.sets) * in.lr.size() * sizeof(double));
    mmc_mlp_train_call call = {};
    call.shape = c.shape;
    call.samples = c.samples;
    call.batch = c.batch;
    call.lr = in.lr.data();
    call.momentum = 0.9;
    call.objective = c.loss;
    call.w = w.f();
    call.v = v.f();
    call.set_stride = in.set_stride;
    call.a = a.f();
    call.x = x.f();
    call.y = y.f();
    call.x_stride = in.x_stride;
    call.y_stride = in.y_stride;
    call.order = ordered ? order.i() : nullptr;
    call.order_stride = size_t(c.samples);
    call.loss = loss.d();
    Buffer workspace(be, be->mlp->train_workspace_size(be->queue, &call));
    call.workspace = workspace.raw();
    EXPECT_EQ(be->mlp->train(be->queue, &call), status) << mmc_error_message();
    return {w.read<float>(), v.read<float>(), loss.read<double>()};
}

std::vector<Floats> eval(const Backend &be, const Case &c, const Inputs &in) {
    Buffer w(be, in.w), a(be, in.a), x(be, in.x), f(be, size_t(c.shape.sets) * c.samples * sizeof(float)),
        fraction(be, size_t(c.shape.sets) * c.samples * sizeof(float));
    mmc_mlp_eval_call call = {};
    call.shape = c.shape;
    call.samples = c.samples;
    call.w = w.f();
    call.set_stride = in.set_stride;
    call.a = a.f();
    call.x = x.f();
    call.x_stride = in.x_stride;
    call.f = f.f();
    call.fraction = fraction.f();
    Buffer workspace(be, be->mlp->eval_workspace_size(be->queue, &call));
    call.workspace = workspace.raw();
    EXPECT_EQ(be->mlp->eval(be->queue, &call), MMC_OK) << mmc_error_message();
    return {f.read<float>(), fraction.read<float>()};
}

class MlpParity : public testing::TestWithParam<Where> {};

TEST_P(MlpParity, AgreesWithTheReference) {
    Backend reference("cpu", "reference", 1);
    for (const Case &c : cases) {
        SCOPED_TRACE(c.name);
        const Inputs in(c);
        const Trained expected = train(reference, c, in);
        const std::vector<Floats> outputs = eval(reference, c, in);
        Trained first;
        for (int threads : {1, 3}) {
            Backend be(GetParam().backend, GetParam().provider, threads);
            if (be.status == MMC_ERR_MISSING)
                GTEST_SKIP() << be.message;
            ASSERT_EQ(be.status, MMC_OK) << be.message;
            const Trained got = train(be, c, in);
            expect_close(got.w, expected.w, 1e-5, "w");
            expect_close(got.v, expected.v, 1e-5, "v");
            ASSERT_EQ(got.loss.size(), expected.loss.size());
            for (size_t i = 0; i < got.loss.size(); i++)
                EXPECT_NEAR(got.loss[i], expected.loss[i], 1e-5 * expected.loss[i] + 1e-9) << "step " << i;
            const std::vector<Floats> computed = eval(be, c, in);
            expect_close(computed[0], outputs[0], 1e-6, "f", 0.1);
            expect_close(computed[1], outputs[1], 1e-6, "fraction");
            if (threads > 1) {
                EXPECT_TRUE(same_bits(got.w, first.w) && same_bits(got.v, first.v)) << "differs at 3 threads";
            }
            first = got;
        }
    }
}

TEST_P(MlpParity, WalksSamplesInOrderWithoutOne) {
    Backend be(GetParam().backend, GetParam().provider, 1);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    const Case &c = cases[0];
    Inputs in(c);
    const Trained expected = train(be, c, in, false);
    for (size_t i = 0; i < in.order.size(); i++)
        in.order[i] = int32_t(i % size_t(c.samples));
    const Trained got = train(be, c, in);
    EXPECT_TRUE(same_bits(got.w, expected.w) && same_bits(got.v, expected.v));
}

#ifdef MMC_PARITY_EMULATED
// A step that cannot be launched ends the training with the error; the backend goes on.
TEST(MlpLaunch, ThatFailsIsReported) {
    Backend be("cuda", "own", 1);
    ASSERT_EQ(be.status, MMC_OK) << be.message;
    const Inputs in(cases[0]);
    const Trained before = train(be, cases[0], in);
    simt_fail("cudaLaunchKernel", 2, 9 /* cudaErrorInvalidConfiguration */);
    train(be, cases[0], in, true, MMC_ERR_DEVICE);
    EXPECT_TRUE(same_bits(train(be, cases[0], in).w, before.w));
}
#endif

// One step from rest at rate 1 and momentum 0.9 takes W to W - gradient.
TEST(MlpReference, StepIsTheGradientOfTheLoss) {
    Backend be("cpu", "reference", 1);
    for (mmc_mlp_loss loss : {MMC_MLP_SQUARED, MMC_MLP_LOGISTIC}) {
        const Case c = {"", {1, 4, 6, 0.3f}, 9, 9, true, loss};
        Inputs in(c);
        std::fill(in.v.begin(), in.v.end(), 0.0f);
        in.lr = {1.0};
        const Trained at = train(be, c, in);
        for (size_t i = 0; i < 30; i++) {
            const float w = in.w[i];
            in.w[i] = w + 0x1p-9f;
            const double above = train(be, c, in).loss[0];
            in.w[i] = w - 0x1p-9f;
            const double below = train(be, c, in).loss[0];
            in.w[i] = w;
            EXPECT_NEAR(at.v[i], (above - below) / 0x1p-8, 2e-4) << i; // a ReLU may switch on the way
            EXPECT_FLOAT_EQ(at.w[i], w - at.v[i]);
        }
    }
}

TEST(MlpReference, LogisticLossIsCrossEntropyAndDoesNotOverflow) {
    EXPECT_NEAR(mmc_mlp_sample_loss(MMC_MLP_LOGISTIC, .7, 1), -std::log(1 / (1 + std::exp(-.7))), 1e-15);
    EXPECT_NEAR(mmc_mlp_sample_loss(MMC_MLP_LOGISTIC, .7, 0), -std::log(1 - 1 / (1 + std::exp(-.7))), 1e-15);
    EXPECT_EQ(mmc_mlp_sample_loss(MMC_MLP_LOGISTIC, 1e4, 0), 1e4);
    EXPECT_EQ(mmc_mlp_sample_loss(MMC_MLP_LOGISTIC, -1e4, 0), 0);
    EXPECT_EQ(mmc_mlp_residual(MMC_MLP_LOGISTIC, -1e4, 1), -1);
    EXPECT_EQ(mmc_mlp_residual(MMC_MLP_SQUARED, .5, 1), -.5);
}

std::string provider_name(const testing::TestParamInfo<Where> &info) {
    return std::string(info.param.backend) + "_" + info.param.provider;
}

INSTANTIATE_TEST_SUITE_P(All, MlpParity, testing::ValuesIn(everywhere), provider_name);

} // namespace
} // namespace parity
