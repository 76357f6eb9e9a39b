// SGD, whole training runs and the training of a midpoint against golden numbers.
#include "runtime/curve.h"
#include "runtime/train.h"
#include "runtime/train_state.h"
#include "runtime/trainer.h"
#include "tests/golden/device.h"
#include "tests/golden/golden.h"
#include "tests/golden/toy_data.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace {

using golden::check;

class Provider : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        be_ = std::make_unique<golden::Backend>(GetParam());
        if (be_->status() == MMC_ERR_MISSING)
            GTEST_SKIP() << mmc_error_message();
        ASSERT_EQ(be_->status(), MMC_OK) << mmc_error_message();
    }
    mmc_backend *be() const {
        return *be_;
    }
    std::unique_ptr<golden::Backend> be_;
};

/* An emulated device takes the first steps of a run. */
#ifdef MMC_GOLDEN_EMULATED
const int64_t steps_most = 3;
#else
const int64_t steps_most = INT64_MAX;
#endif

/* Weights, velocity and losses after a run, or after its first steps. */
struct Outcome {
    Outcome(mmc_backend *be, const mmc_model *model, const mmc_dataset *data, const mmc_train_config &config,
            const float *start, int64_t most) {
        mmc_trainer *t = nullptr;
        check(mmc_trainer_create(&t, be, model, data, &config, start));
        std::unique_ptr<mmc_trainer, void (*)(mmc_trainer *)> owner(t, mmc_trainer_free);
        const int64_t steps = mmc_trainer_steps(t);
        for (int epoch = 0; epoch < config.epochs && most > 0; epoch++) {
            const int64_t now = std::min(steps, most);
            most -= now;
            std::vector<double> tally(static_cast<size_t>(steps) * 2);
            check(mmc_trainer_begin_epoch(t, epoch));
            for (int64_t step = 0; step < now; step++)
                check(mmc_trainer_step(t, epoch, step));
            check(mmc_trainer_tally(t, tally.data(), 0, now));
            for (int64_t step = 0; step < now; step++)
                losses.push_back(tally[static_cast<size_t>(2 * step)] / mmc_trainer_batch(t, step));
        }
        weights.resize(model->state_count);
        velocity.resize(model->parameter_count);
        mmc_train_state s = {};
        s.vectors = 1;
        s.state_count = weights.size();
        s.parameter_count = velocity.size();
        s.weights = weights.data();
        s.velocity = velocity.data();
        check(mmc_trainer_save(t, &s));
    }

    void expect(const golden::File &file, const mmc_model *model) const {
        golden::expect_near(file, "losses", losses);
        int compared = 0;
        for (int i = 0; i < model->tensor_count; i++) {
            const mmc_tensor_info &t = model->tensors[i];
            if (file.has(std::string("final/") + t.name)) {
                golden::expect_near(file, std::string("final/") + t.name, &weights[t.offset], t.count);
                compared++;
            }
            if (file.has(std::string("velocity/") + t.name))
                golden::expect_near(file, std::string("velocity/") + t.name, &velocity[t.offset], t.count);
        }
        EXPECT_GT(compared, 30);
    }

    /* Of the first steps only the losses are golden; what they left behind is the CPU's. */
    void expect_first(const golden::File &file, const Outcome &cpu) const {
        const std::vector<double> stored = file.f64("losses");
        for (size_t i = 0; i < losses.size(); i++)
            EXPECT_NEAR(losses[i], stored[i], file.tolerance("losses")) << "step " << i;
        expect_like(cpu);
    }

    void expect_like(const Outcome &cpu) const {
        ASSERT_EQ(losses.size(), cpu.losses.size());
        for (size_t i = 0; i < losses.size(); i++)
            EXPECT_NEAR(losses[i], cpu.losses[i], 1e-4) << "step " << i;
        for (size_t i = 0; i < weights.size(); i++)
            ASSERT_NEAR(weights[i], cpu.weights[i], 1e-4 * (1 + std::fabs(cpu.weights[i]))) << i;
        for (size_t i = 0; i < velocity.size(); i++)
            ASSERT_NEAR(velocity[i], cpu.velocity[i], 2e-3 * (1 + std::fabs(cpu.velocity[i]))) << i;
    }

    std::vector<float> weights, velocity;
    std::vector<double> losses;
};

} // namespace

TEST_P(Provider, SgdUpdatesAreGolden) {
    GOLDEN_OR_SKIP(file, "sgd");
    const std::vector<double> rates = {0.1, 0.1, 0.01, 0.01, 0.0, 0.001};
    for (const char *name : {"a", "b", "c"}) {
        const std::string tensor = name;
        golden::Device<float> w(be(), file.f32("w/" + tensor));
        const size_t count = w.host().size();
        golden::Device<float> v(be(), std::vector<float>(count, 0.0f)), g(be(), file.f32("g/" + tensor));
        for (size_t step = 0; step < rates.size(); step++) {
            check(
                be()->flat->sgd(be()->queue, w.get(), v.get(), g.get() + step * count, count, rates[step], 0.9, 1e-4));
            golden::expect_near(file, "step" + std::to_string(step) + "/" + tensor, w.host());
        }
        golden::expect_near(file, "velocity/" + tensor, v.host());
    }
}

class TrainGolden : public Provider {
  protected:
    void expect_run(const std::string &name) {
        GOLDEN_OR_SKIP(file, "train_" + name);
        GOLDEN_OR_SKIP(images, "images");
        const std::string start = file.setting("start");
        GOLDEN_OR_SKIP(from, start.substr(0, start.find('.')));
        const std::string prefix = start.substr(start.rfind(' ') + 1);
        const std::vector<uint8_t> flags = file.u8("flags");
        std::vector<int32_t> items(flags.size());
        std::iota(items.begin(), items.end(), 0);
        golden::ToyData data(images, file.setting("kind"), items);
        mmc_arch arch;
        check(mmc_arch_parse(&arch, file.setting("arch").c_str()));
        golden::Model model(arch, file.width(), data.get()->classes, data.get()->height);
        const std::vector<double> rates = file.f64("lrs");
        mmc_train_config config = mmc_train_defaults();
        config.epochs = std::stoi(file.setting("epochs"));
        config.batch = std::stoi(file.setting("batch"));
        config.sequential = true;
        config.flags = flags.data();
        config.rates = rates.data();
        const std::vector<float> state = from.state(model, prefix);
        Outcome run(be(), model, data.get(), config, state.data(), steps_most);
        if (run.losses.size() < rates.size()) {
            golden::Backend cpu("reference");
            run.expect_first(file, Outcome(cpu, model, data.get(), config, state.data(), steps_most));
            return;
        }
        run.expect(file, model);
    }

    void expect_midpoint(const std::string &name) {
        GOLDEN_OR_SKIP(file, "midpoint_" + name);
        GOLDEN_OR_SKIP(images, "images");
        GOLDEN_OR_SKIP(ends, "endpoints_" + name);
        GOLDEN_OR_SKIP(from, "network_" + name + "_main");
        const std::vector<double> t = file.f64("t"), rates = file.f64("lrs");
        golden::ToyData data(images, file.setting("kind"), file.i32("item"));
        mmc_arch arch;
        check(mmc_arch_parse(&arch, file.setting("arch").c_str()));
        golden::Model model(arch, file.width(), 10, data.get()->height);
        const std::vector<float> a = ends.state(model, "theta_C/"), b = ends.state(model, "theta_NC/"),
                                 start = from.state(model, "state/");
        mmc_curve curve = {};
        curve.kind = MMC_CURVE_QUADRATIC;
        curve.count = 3;
        curve.point[0] = a.data();
        curve.point[1] = start.data();
        curve.point[2] = b.data();
        mmc_train_config config = mmc_midpoint_defaults();
        config.epochs = 1;
        config.batch = static_cast<int>(file.shape("item")[1]);
        config.sequential = true;
        config.cue = 1;
        config.curve = &curve;
        config.curve_t = t.data();
        config.rates = rates.data();
        Outcome run(be(), model, data.get(), config, nullptr, INT64_MAX);
        ASSERT_EQ(run.losses.size(), rates.size());
        run.expect(file, model);
        for (size_t i = model->parameter_count; i < model->state_count; i++)
            ASSERT_EQ(run.weights[i], start[i]) << "running values of a bend stay";
    }
};

TEST_P(TrainGolden, VggOddShortBatches) {
    expect_run("vgg13_odd");
}

TEST_P(TrainGolden, VggMain) {
    expect_run("vgg13_main");
}

TEST_P(TrainGolden, ResNetMain) {
    expect_run("resnet18_main");
}

TEST_P(TrainGolden, MidpointVgg) {
    expect_midpoint("vgg13");
}

TEST_P(TrainGolden, MidpointResNet) {
    expect_midpoint("resnet18");
}

/* Two steps of a midpoint on a slice of the images against the CPU. */
class MidpointSlice : public Provider {};

TEST_P(MidpointSlice, TwoStepsAgreeWithTheCpu) {
    GOLDEN_OR_SKIP(images, "images");
    GOLDEN_OR_SKIP(ends, "endpoints_vgg13");
    golden::ToyData data(images, "dominoes", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    golden::Model model(MMC_ARCH_VGG13, ends.width(), 10, data.get()->height);
    const std::vector<float> a = ends.state(model, "theta_C/"), b = ends.state(model, "theta_NC/");
    std::vector<float> start(model->state_count);
    for (size_t i = 0; i < start.size(); i++)
        start[i] = 0.5f * (a[i] + b[i]);
    mmc_curve curve = {};
    curve.kind = MMC_CURVE_QUADRATIC;
    curve.count = 3;
    curve.point[0] = a.data();
    curve.point[1] = start.data();
    curve.point[2] = b.data();
    mmc_train_config config = mmc_midpoint_defaults();
    config.epochs = 1;
    config.batch = 6;
    config.cue = 1;
    config.lr = 0.001;
    config.curve = &curve;
    golden::Backend cpu("reference");
    const Outcome expected(cpu, model, data.get(), config, nullptr, 2),
        run(be(), model, data.get(), config, nullptr, 2);
    ASSERT_EQ(run.losses.size(), 2u);
    run.expect_like(expected);
    for (size_t i = model->parameter_count; i < model->state_count; i++)
        ASSERT_EQ(run.weights[i], start[i]) << "running values of a bend stay";
}

std::string provider_name(const testing::TestParamInfo<std::string> &info) {
    return golden::word(info.param);
}

INSTANTIATE_TEST_SUITE_P(All, Provider, testing::ValuesIn(golden::providers()), provider_name);
INSTANTIATE_TEST_SUITE_P(All, TrainGolden, testing::ValuesIn(golden::providers()), provider_name);
INSTANTIATE_TEST_SUITE_P(Devices, MidpointSlice, testing::ValuesIn(golden::devices()), provider_name);
