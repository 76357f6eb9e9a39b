// SGD, whole training runs and the training of a midpoint against golden numbers.
#include "runtime/curve.h"
#include "runtime/train.h"
#include "runtime/train_state.h"
#include "runtime/trainer.h"
#include "tests/golden/device.h"
#include "tests/golden/golden.h"
#include "tests/golden/toy_data.h"

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

/* Weights, velocity and losses after the whole of a run. */
struct Outcome {
    Outcome(mmc_backend *be, const mmc_model *model, const mmc_dataset *data, const mmc_train_config &config,
            const float *start) {
        mmc_trainer *t = nullptr;
        check(mmc_trainer_create(&t, be, model, data, &config, start));
        std::unique_ptr<mmc_trainer, void (*)(mmc_trainer *)> owner(t, mmc_trainer_free);
        const int64_t steps = mmc_trainer_steps(t);
        for (int epoch = 0; epoch < config.epochs; epoch++) {
            std::vector<double> tally(static_cast<size_t>(steps) * 2);
            check(mmc_trainer_begin_epoch(t, epoch));
            for (int64_t step = 0; step < steps; step++)
                check(mmc_trainer_step(t, epoch, step));
            check(mmc_trainer_tally(t, tally.data(), 0, steps));
            for (int64_t step = 0; step < steps; step++)
                losses.push_back(tally[static_cast<size_t>(2 * step)] / mmc_trainer_batch(t, step));
        }
        weights.resize(model->state_count);
        velocity.resize(model->parameter_count);
        mmc_train_state s = {};
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
        Outcome run(be(), model, data.get(), config, from.state(model, prefix).data());
        ASSERT_EQ(run.losses.size(), rates.size());
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
        Outcome run(be(), model, data.get(), config, nullptr);
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

INSTANTIATE_TEST_SUITE_P(All, Provider, testing::Values("reference", "onednn", "own"),
                         [](const auto &info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(All, TrainGolden, testing::Values("reference", "onednn", "own"),
                         [](const auto &info) { return info.param; });
