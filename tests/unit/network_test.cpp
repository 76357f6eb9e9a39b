// Networks on a backend that puts outputs off and records steps: the same bits as on one that does neither.
#include "runtime/images.h"
#include "runtime/network.h"
#include "runtime/path.h"
#include "runtime/trainer.h"
#include "tests/golden/device.h"
#include "tests/support/fake_device.h"
#include "tests/support/toy_dataset.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace {

using golden::check;

std::vector<float> some_state(const mmc_model *model, uint32_t stream) {
    std::vector<float> state(model->state_count);
    mmc_model_init(model, state.data(), 5, MMC_RNG_BEND, stream);
    return state;
}

std::vector<float> some_images(int n, int height) {
    std::vector<float> x(static_cast<size_t>(n * 3 * height * 32));
    for (size_t i = 0; i < x.size(); i++)
        x[i] = 2 * mmc_rng_uniform(mmc_rng_at(1, MMC_RNG_TOY, 9, i)) - 1;
    return x;
}

class NetworkArch : public testing::TestWithParam<mmc_arch> {
  protected:
    NetworkArch() : model(GetParam(), 4, 10, 32), state(some_state(model, 0)), x(some_images(3, 32)) {
    }

    // Batch statistics of all units after a forward for statistics, for `sets` equal states.
    std::vector<float> statistics(mmc_backend *be, int sets) {
        std::vector<float> states;
        for (int t = 0; t < sets; t++) {
            std::vector<float> other = some_state(model, static_cast<uint32_t>(t));
            states.insert(states.end(), other.begin(), other.end());
        }
        golden::Device<float> device(be, states);
        mmc_network *net = nullptr;
        check(mmc_network_create(&net, be, model, MMC_NETWORK_STATS, 4, sets));
        check(mmc_network_load(net, device.get(), sets));
        check(mmc_network_images(net, x.data(), 3));
        check(mmc_network_forward(net));
        bytes = mmc_network_memory_used(net).activations_bytes;
        std::vector<float> out = golden::download(
            be, mmc_network_statistics(net), static_cast<size_t>(sets) * (model->state_count - model->parameter_count));
        mmc_network_free(net);
        return out;
    }

    // Logits, statistics and gradient of a batch.
    std::vector<float> gradient(mmc_backend *be) {
        golden::Device<float> device(be, state);
        golden::Network net(be, model, MMC_NETWORK_TRAIN, 4);
        check(mmc_network_load(net, device.get(), 1));
        check(mmc_network_images(net, x.data(), 3));
        check(mmc_network_forward(net));
        std::vector<float> out = golden::download(be, mmc_network_logits(net), 30);
        check(be->memory->upload(be, mmc_network_dlogits(net), out.data(), out.size() * sizeof(float)));
        check(mmc_network_backward(net));
        for (float v : golden::download(be, mmc_network_gradient(net), model->parameter_count))
            out.push_back(v);
        return out;
    }

    golden::Model model;
    std::vector<float> state, x;
    size_t bytes = 0;
};

struct Outcome {
    std::vector<float> weights;
    std::vector<double> tally;
};

Outcome train(mmc_backend *be, const mmc_model *model, const mmc_dataset *data, const mmc_train_config &config,
              const float *start) {
    mmc_trainer *t = nullptr;
    Outcome run;
    check(mmc_trainer_create(&t, be, model, data, &config, start));
    const int64_t steps = mmc_trainer_steps(t);
    for (int epoch = 0; epoch < config.epochs; epoch++) {
        std::vector<double> tally(static_cast<size_t>(2 * steps));
        check(mmc_trainer_begin_epoch(t, epoch));
        for (int64_t step = 0; step < steps; step++)
            check(mmc_trainer_step(t, epoch, step));
        check(mmc_trainer_tally(t, tally.data(), 0, steps));
        run.tally.insert(run.tally.end(), tally.begin(), tally.end());
    }
    run.weights = golden::download(be, mmc_trainer_weights(t, 0), model->state_count);
    mmc_trainer_free(t);
    return run;
}

} // namespace

TEST_P(NetworkArch, OutputsPutOffForStatisticsAreStillThereWhenRead) {
    golden::Backend plain("reference");
    FakeDevice device("reference", true, false);
    for (int sets : {1, 2}) {
        const std::vector<float> expected = statistics(plain, sets);
        const size_t plain_bytes = bytes;
        EXPECT_EQ(statistics(device.be(), sets), expected);
        EXPECT_GE(bytes, plain_bytes);
    }
    EXPECT_GT(device.deferred, 10);
}

TEST_P(NetworkArch, OutputsPutOffInTrainingGiveTheSameGradient) {
    golden::Backend plain("reference");
    FakeDevice device("reference", true, false);
    EXPECT_EQ(gradient(device.be()), gradient(plain));
}

INSTANTIATE_TEST_SUITE_P(All, NetworkArch, testing::Values(MMC_ARCH_RESNET18, MMC_ARCH_VGG13),
                         [](const auto &info) { return mmc_arch_name(info.param); });

TEST(RecordedSteps, TrainAsStepsThatAreRunOneByOne) {
    ToyDataset toy(MMC_DATASET_CIFAR10_BOX, 21, 8);
    golden::Model model(MMC_ARCH_RESNET18, 4, 10, 32);
    const std::vector<float> a = some_state(model, 0), m = some_state(model, 1), b = some_state(model, 2);
    mmc_curve curve = {};
    curve.kind = MMC_CURVE_QUADRATIC;
    curve.count = 3;
    curve.point[0] = a.data();
    curve.point[1] = m.data();
    curve.point[2] = b.data();
    mmc_train_config config = mmc_train_defaults();
    config.epochs = 4;
    config.batch = 8;
    for (bool bends : {false, true}) {
        config.curve = bends ? &curve : nullptr;
        golden::Backend plain("own");
        const Outcome expected = train(plain, model, &toy.data, config, a.data());
        FakeDevice device("own");
        const Outcome run = train(device.be(), model, &toy.data, config, a.data());
        EXPECT_EQ(run.weights, expected.weights);
        EXPECT_EQ(run.tally, expected.tally);
        EXPECT_EQ(device.recorded, 2) << "the full batch and the short one";
        EXPECT_EQ(device.launched, (8 - 1) + (4 - 1)) << "all but the first of each";
    }
}

TEST(RecordedSteps, LaunchAConstantNumberOfTimesAStep) {
    ToyDataset toy(MMC_DATASET_CIFAR10_BOX, 24, 8);
    golden::Model model(MMC_ARCH_RESNET18, 4, 10, 32);
    const std::vector<float> start = some_state(model, 0);
    mmc_train_config config = mmc_train_defaults();
    config.batch = 8;
    FakeDevice device("own");
    mmc_trainer *t = nullptr;
    check(mmc_trainer_create(&t, device.be(), model, &toy.data, &config, start.data()));
    check(mmc_trainer_begin_epoch(t, 0));
    for (int step = 0; step < 2; step++)
        check(mmc_trainer_step(t, 0, step));
    const int before = device.operations, launched = device.launched;
    check(mmc_trainer_step(t, 0, 2));
    EXPECT_EQ(device.launched - launched, 1);
    EXPECT_LE(device.operations - before, 4); /* samples, labels, tally; the flat operations are not counted */
    mmc_trainer_free(t);
}

TEST(RecordedSteps, EvaluatePathsAsPassesThatAreRunOneByOne) {
    ToyDataset toy(MMC_DATASET_CIFAR10_BOX, 45, 31);
    golden::Model model(MMC_ARCH_RESNET18, 4, 10, 32);
    const std::vector<float> a = some_state(model, 0), b = some_state(model, 1);
    mmc_curve curve = {};
    curve.kind = MMC_CURVE_LINEAR;
    curve.count = 2;
    curve.point[0] = a.data();
    curve.point[1] = b.data();
    mmc_path_config config = mmc_path_defaults();
    config.points = 5;
    config.bn_batch = 10;
    config.batch = 16;
    config.split_train = true;
    auto rows = [&](mmc_backend *be) {
        mmc_path_result result;
        check(mmc_path_evaluate(&result, be, model, &toy.data, &curve, &config, nullptr, nullptr));
        std::vector<double> out;
        for (int i = 0; i < result.row_count; i++) {
            out.push_back(result.rows[i].loss);
            out.push_back(result.rows[i].accuracy);
        }
        mmc_path_result_close(&result);
        return out;
    };
    for (mmc_bn_mode bn : {MMC_BN_MOMENTUM, MMC_BN_POOLED}) {
        config.bn = bn;
        golden::Backend plain("own");
        const std::vector<double> expected = rows(plain);
        FakeDevice device("own");
        for (int together : {1, 2, 3}) {
            device.be()->max_sets = together;
            EXPECT_EQ(rows(device.be()), expected) << together << " at once";
            EXPECT_EQ(device.recorded, device.freed);
        }
        EXPECT_GT(device.launched, 20);
    }
}

TEST(RecordedSteps, AFailureEndsTheRecordingAndIsReported) {
    golden::Model model(MMC_ARCH_VGG13, 4, 10, 32);
    ToyDataset toy(MMC_DATASET_CIFAR10_BOX, 4, 4);
    FakeDevice device("reference");
    mmc_backend *be = device.be();
    golden::Device<float> state(be, some_state(model, 0));
    mmc_images images;
    check(mmc_images_upload(&images, be, &toy.data, MMC_SPLIT_TRAIN));
    golden::Device<mmc_sample> samples(be, std::vector<mmc_sample>(4, mmc_sample{0, -1, {0, 0, 0}}));
    {
        golden::Network net(be, model, MMC_NETWORK_EVAL, 4);
        check(mmc_network_load(net, state.get(), 1));
        check(mmc_network_pass(net, &images.store, samples.get(), 4));
        const std::vector<float> first = golden::download(be, mmc_network_logits(net), 40);
        device.fail_with = MMC_ERR_DEVICE;
        EXPECT_EQ(mmc_network_pass(net, &images.store, samples.get(), 4), MMC_ERR_DEVICE);
        EXPECT_STREQ(mmc_error_message(), "the head failed as asked");
        EXPECT_EQ(device.freed, 1);
        device.fail_with = MMC_OK;
        check(mmc_network_pass(net, &images.store, samples.get(), 4));
        EXPECT_EQ(device.launched, 1);
        EXPECT_EQ(golden::download(be, mmc_network_logits(net), 40), first);
        golden::Network train(be, model, MMC_NETWORK_TRAIN, 4);
        EXPECT_EQ(mmc_network_pass(train, &images.store, samples.get(), 4), MMC_ERR_USAGE);
        mmc_network_step_call call = {};
        EXPECT_EQ(mmc_network_step(net, &call), MMC_ERR_USAGE);
    }
    mmc_images_close(&images);
}
