// What passes and steps cost in launches, and that recording them changes nothing.
#include "runtime/images.h"
#include "runtime/network.h"
#include "runtime/path.h"
#include "runtime/trainer.h"
#include "tests/golden/device.h"
#include "tests/simt/control.h"
#include "tests/support/toy_dataset.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using golden::check;

std::vector<float> some_state(const mmc_model *model, uint32_t stream) {
    std::vector<float> state(model->state_count);
    mmc_model_init(model, state.data(), 5, MMC_RNG_BEND, stream);
    return state;
}

// A network with all that a pass needs.
class Bench {
  public:
    Bench(mmc_backend *backend, const mmc_model *model, mmc_network_mode mode, int sets)
        : be(backend), toy(MMC_DATASET_CIFAR10_BOX, 8, 8), state(be, states_of(model, sets)),
          samples(be, std::vector<mmc_sample>(8, mmc_sample{1, -1, {0, 0, 0}})), labels(be, std::vector<int32_t>(8, 3)),
          tally(be, {0, 0}) {
        check(mmc_images_upload(&images, be, &toy.data, MMC_SPLIT_TRAIN));
        check(mmc_network_create(&net, be, model, mode, 2, sets));
        check(mmc_network_load(net, state.get(), sets));
    }
    ~Bench() {
        mmc_network_free(net);
        mmc_images_close(&images);
    }
    void pass(int first) {
        check(mmc_network_pass(net, &images.store, samples.get() + first, 2));
    }
    void step(int first) {
        mmc_network_step_call call = {state.get(), &images.store, samples.get() + first, labels.get() + first, 2,
                                      tally.get(), nullptr};
        check(mmc_network_step(net, &call));
    }

    mmc_backend *be;
    ToyDataset toy;
    golden::Device<float> state;
    golden::Device<mmc_sample> samples;
    golden::Device<int32_t> labels;
    golden::Device<double> tally;
    mmc_images images = {};
    mmc_network *net = nullptr;

  private:
    static std::vector<float> states_of(const mmc_model *model, int sets) {
        std::vector<float> out;
        for (int t = 0; t < sets; t++) {
            const std::vector<float> one = some_state(model, static_cast<uint32_t>(t));
            out.insert(out.end(), one.begin(), one.end());
        }
        return out;
    }
};

// Kernels that ran from `from` on, when all is done.
long launches_since(mmc_backend *be, long from) {
    check(be->memory->sync(be));
    return simt_launches(nullptr) - from;
}

class Steps : public testing::TestWithParam<mmc_arch> {
  protected:
    Steps() : be("cuda/own"), model(GetParam(), 4, 10, 32) {
        check(be.status());
    }
    golden::Backend be;
    golden::Model model;
};

} // namespace

// One kernel a convolution, and what a pass needs once: rendering, the last join, pooling, the head.
TEST_P(Steps, APassRunsOneKernelAConvolution) {
    const mmc_network_mode modes[] = {MMC_NETWORK_STATS, MMC_NETWORK_EVAL};
    for (mmc_network_mode mode : modes)
        for (int sets : {1, 2}) {
            Bench bench(be, model, mode, sets);
            for (int i = 0; i < 2; i++)
                bench.pass(i);
            check(be->memory->sync(be));
            const long before = simt_launches(nullptr), graphs = simt_calls("cudaGraphLaunch");
            bench.pass(3);
            EXPECT_EQ(simt_calls("cudaGraphLaunch") - graphs, 1);
            const long kernels = launches_since(be, before);
            EXPECT_GE(kernels, model->unit_count);
            EXPECT_LE(kernels, model->unit_count + 4) << (mode == MMC_NETWORK_STATS ? "statistics" : "evaluation");
        }
}

TEST_P(Steps, AStepIsOneLaunchAndThreeCopies) {
    Bench bench(be, model, MMC_NETWORK_TRAIN, 1);
    for (int i = 0; i < 2; i++)
        bench.step(i);
    const long graphs = simt_calls("cudaGraphLaunch"), all = simt_calls(nullptr),
               copies = simt_calls("cudaMemcpyAsync");
    bench.step(3);
    EXPECT_EQ(simt_calls("cudaGraphLaunch") - graphs, 1);
    EXPECT_EQ(simt_calls("cudaMemcpyAsync") - copies, 3);
    EXPECT_LE(simt_calls(nullptr) - all, 12);
    check(be->memory->sync(be));
}

// What networks that are gone have put off does not count against those that come.
TEST_P(Steps, NetworksComeAndGo) {
    if (GetParam() != MMC_ARCH_RESNET18)
        return; // it puts off the most
    for (int i = 0; i < 16; i++) {
        Bench bench(be, model, MMC_NETWORK_STATS, 1);
        bench.pass(0);
    }
}

// Bit for bit, with samples and labels that change from step to step.
TEST_P(Steps, RecordedStepsLeaveTheSameBits) {
    if (GetParam() != MMC_ARCH_VGG13)
        return; // the steps are alike, and these are shorter
    ToyDataset toy(MMC_DATASET_CIFAR10_BOX, 7, 4);
    const std::vector<float> start = some_state(model, 0);
    mmc_train_config config = mmc_train_defaults();
    config.epochs = 3;
    config.batch = 2;
    config.lr = 0.01;
    std::vector<std::vector<float>> weights;
    std::vector<std::vector<double>> tallies;
    for (bool recorded : {true, false}) {
        golden::Backend own("cuda/own");
        check(own.status());
        if (!recorded)
            own->graph = nullptr;
        mmc_trainer *t = nullptr;
        check(mmc_trainer_create(&t, own, model, &toy.data, &config, start.data()));
        std::vector<double> tally(8);
        for (int epoch = 0; epoch < 2; epoch++) {
            check(mmc_trainer_begin_epoch(t, epoch));
            for (int64_t step = 0; step < 4; step++)
                check(mmc_trainer_step(t, epoch, step));
            check(mmc_trainer_tally(t, tally.data(), 0, 4));
        }
        weights.push_back(golden::download(own, mmc_trainer_weights(t, 0), model->state_count));
        tallies.push_back(tally);
        mmc_trainer_free(t);
    }
    EXPECT_EQ(weights[0], weights[1]);
    EXPECT_EQ(tallies[0], tallies[1]);
}

// Points evaluated together, recorded, against one at a time, not recorded.
TEST_P(Steps, PointsTogetherGiveTheSameBits) {
    ToyDataset toy(MMC_DATASET_CIFAR10_BOX, 5, 2);
    const std::vector<float> a = some_state(model, 0), b = some_state(model, 1);
    mmc_curve curve = {};
    curve.kind = MMC_CURVE_LINEAR;
    curve.count = 2;
    curve.point[0] = a.data();
    curve.point[1] = b.data();
    mmc_path_config config = mmc_path_defaults();
    config.points = 3;
    config.bn_batch = 3;
    config.batch = 4;
    config.sets = 1u << MMC_SET_NC | 1u << MMC_SET_RC;
    std::vector<std::vector<double>> rows;
    for (int together : {1, 2, 3}) {
        golden::Backend own("cuda/own");
        check(own.status());
        own->max_sets = together;
        if (together == 1)
            own->graph = nullptr;
        mmc_path_result result;
        check(mmc_path_evaluate(&result, own, model, &toy.data, &curve, &config, nullptr, nullptr));
        rows.emplace_back();
        for (int i = 0; i < result.row_count; i++)
            rows.back().insert(rows.back().end(), {result.rows[i].t, result.rows[i].loss, result.rows[i].accuracy});
        mmc_path_result_close(&result);
    }
    EXPECT_EQ(rows[1], rows[0]);
    EXPECT_EQ(rows[2], rows[0]);
}

INSTANTIATE_TEST_SUITE_P(All, Steps, testing::Values(MMC_ARCH_RESNET18, MMC_ARCH_VGG13),
                         [](const auto &info) { return mmc_arch_name(info.param); });
