// Whole networks of odd widths against the reference: outputs put off, several weight sets, recorded passes and steps.
#include "runtime/images.h"
#include "runtime/network.h"
#include "tests/parity/cases.h"
#include "tests/parity/device.h"
#include "tests/support/toy_dataset.h"

#include <tuple>

namespace parity {
namespace {

struct Arch {
    mmc_arch arch;
    int width, sets;
};

const Arch archs[] = {{MMC_ARCH_RESNET18, 5, 2}, {MMC_ARCH_VGG13, 4, 3}};

enum { BATCH = 3, CLASSES = 10, AGAIN = 4 /* run, recorded, launched, launched */ };

// What a network says of a batch, in the order of computing.
struct Said {
    Floats logits, statistics, gradient;
    std::vector<double> tally;
};

class Networks {
  public:
    Networks(const Backend &backend, const Arch &a) : be(backend), arch(a), toy(MMC_DATASET_CIFAR10_BOX, 8, 8) {
        mmc_model_spec spec = {a.arch, a.width, CLASSES, 32};
        EXPECT_EQ(mmc_model_create(&model, &spec), MMC_OK);
        EXPECT_EQ(mmc_images_upload(&images, be.be, &toy.data, MMC_SPLIT_TRAIN), MMC_OK) << mmc_error_message();
        Floats values;
        for (int t = 0; t < a.sets; t++) {
            Floats state(model->state_count);
            mmc_model_init(model, state.data(), 3, MMC_RNG_BEND, uint32_t(t));
            values.insert(values.end(), state.begin(), state.end());
        }
        states = std::make_unique<Buffer>(be, values);
        std::vector<mmc_sample> all;
        for (int i = 0; i < 8; i++)
            all.push_back({i, i % 2 ? i : -1, {i % 2 ? 0.5f : 0.0f, 0, 0}});
        samples = std::make_unique<Buffer>(be, all);
        labels = std::make_unique<Buffer>(be, std::vector<int32_t>{3, 1, 4, 1, 5, 9, 2, 6});
    }
    ~Networks() {
        states.reset();
        samples.reset();
        labels.reset();
        mmc_images_close(&images);
        mmc_model_free(model);
    }

    const mmc_sample *sample(int first) const {
        return static_cast<const mmc_sample *>(samples->raw()) + first;
    }

    Floats read(const float *device, size_t count) const {
        Floats out(count);
        EXPECT_EQ(be->memory->download(be.be, out.data(), device, count * sizeof(float)), MMC_OK)
            << mmc_error_message();
        return out;
    }

    // Passes of EVAL or STATS over batches at different places: the last one's answer.
    Said pass(mmc_network_mode mode) {
        Said said;
        mmc_network *net = nullptr;
        EXPECT_EQ(mmc_network_create(&net, be.be, model, mode, BATCH + 1, arch.sets), MMC_OK) << mmc_error_message();
        EXPECT_EQ(mmc_network_load(net, states->f(), arch.sets), MMC_OK) << mmc_error_message();
        for (int i = be->graph ? 0 : AGAIN - 1; i < AGAIN; i++)
            EXPECT_EQ(mmc_network_pass(net, &images.store, sample(i), BATCH), MMC_OK) << mmc_error_message();
        if (mode == MMC_NETWORK_EVAL)
            said.logits = read(mmc_network_logits(net), size_t(arch.sets) * BATCH * CLASSES);
        else
            said.statistics =
                read(mmc_network_statistics(net), size_t(arch.sets) * (model->state_count - model->parameter_count));
        mmc_network_free(net);
        return said;
    }

    Said step() {
        Said said;
        mmc_network *net = nullptr;
        Buffer tally(be, std::vector<double>{7, 7});
        EXPECT_EQ(mmc_network_create(&net, be.be, model, MMC_NETWORK_TRAIN, BATCH + 1, 1), MMC_OK)
            << mmc_error_message();
        for (int i = be->graph ? 0 : AGAIN - 1; i < AGAIN; i++) {
            mmc_network_step_call call = {states->f(), &images.store, sample(i), labels->i() + i,
                                          BATCH,       tally.d(),     nullptr};
            EXPECT_EQ(mmc_network_step(net, &call), MMC_OK) << mmc_error_message();
        }
        said.logits = read(mmc_network_logits(net), BATCH * CLASSES);
        said.statistics = read(mmc_network_statistics(net), model->state_count - model->parameter_count);
        said.gradient = read(mmc_network_gradient(net), model->parameter_count);
        said.tally = tally.read<double>();
        mmc_network_free(net);
        return said;
    }

  private:
    const Backend &be;
    const Arch &arch;
    ToyDataset toy;
    mmc_model *model = nullptr;
    mmc_images images;
    std::unique_ptr<Buffer> states, samples, labels;
};

// Length of the difference over the length of what is expected.
double distance(const Floats &computed, const Floats &expected) {
    double difference = 0, length = 0;
    for (size_t i = 0; i < expected.size(); i++) {
        difference += (double(computed[i]) - expected[i]) * (double(computed[i]) - expected[i]);
        length += double(expected[i]) * expected[i];
    }
    return computed.size() == expected.size() ? std::sqrt(difference / length) : INFINITY;
}

class NetworkParity : public testing::TestWithParam<std::tuple<Provider, Arch>> {};

TEST_P(NetworkParity, AgreesWithTheReference) {
    const auto &[provider, arch] = GetParam();
    Backend reference("cpu", "reference", 2), be(provider.backend, provider.provider, 2, provider.precision);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    ASSERT_EQ(be.status, MMC_OK) << be.message;
    Networks expected(reference, arch), computed(be, arch);
    // Roundings of 20 layers add up; a wrong address or a missing step is off by the value itself.
    const double tolerance = be.unit_roundoff() == 0 ? 2e-4 : 40 * be.unit_roundoff();
    expect_close_rms(computed.pass(MMC_NETWORK_EVAL).logits, expected.pass(MMC_NETWORK_EVAL).logits, tolerance,
                     "eval_logits");
    expect_close_rms(computed.pass(MMC_NETWORK_STATS).statistics, expected.pass(MMC_NETWORK_STATS).statistics,
                     tolerance, "statistics");
    const Said a = computed.step(), b = expected.step();
    expect_close_rms(a.logits, b.logits, 4 * tolerance, "train_logits");
    expect_close_rms(a.statistics, b.statistics, tolerance, "train_statistics");
    if (be.unit_roundoff() == 0) {
        // A ReLU whose input is nearly 0 may take the other side and shift every gradient below it a little.
        EXPECT_LT(distance(a.gradient, b.gradient), 0.05) << "gradient";
        RecordProperty("gradient", std::to_string(distance(a.gradient, b.gradient)));
        EXPECT_NEAR(a.tally[0], b.tally[0], 1e-3);
        EXPECT_EQ(a.tally[1], b.tally[1]);
    }
}

std::string network_name(const testing::TestParamInfo<NetworkParity::ParamType> &info) {
    return std::get<0>(info.param).name() + "_" + mmc_arch_name(std::get<1>(info.param).arch);
}

INSTANTIATE_TEST_SUITE_P(All, NetworkParity, testing::Combine(testing::ValuesIn(providers), testing::ValuesIn(archs)),
                         network_name);

} // namespace
} // namespace parity
