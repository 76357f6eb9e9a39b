// Whole networks against golden numbers: forward by stored and by batch statistics, gradients, running values.
#include "tests/golden/device.h"
#include "tests/golden/golden.h"

#include <algorithm>
#include <tuple>

namespace {

using golden::check;

class NetworkGolden : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

std::string file_of(const testing::TestParamInfo<NetworkGolden::ParamType> &info) {
    return golden::word(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
}

} // namespace

TEST_P(NetworkGolden, ForwardBackwardAndRunningValues) {
    const auto &[provider, name] = GetParam();
    GOLDEN_OR_SKIP(file, "network_" + name);
    golden::Backend be(provider);
    if (be.status() == MMC_ERR_MISSING)
        GTEST_SKIP() << mmc_error_message();
    ASSERT_EQ(be.status(), MMC_OK) << mmc_error_message();
    mmc_arch arch;
    check(mmc_arch_parse(&arch, file.setting("arch").c_str()));
    const std::vector<float> x = file.f32("x");
    const std::vector<int32_t> y = file.i32("y");
    const int n = static_cast<int>(y.size()), classes = std::stoi(file.setting("classes"));
    golden::Model model(arch, file.width(), classes, static_cast<int>(file.shape("x")[2]));
    golden::Device<float> state(be, file.state(model, "state/"));
    golden::Device<int32_t> labels(be, y);
    golden::Device<double> tally(be, {0, 0});
    const size_t logits = static_cast<size_t>(n * classes), rep = static_cast<size_t>(n * model->features);

    golden::Network eval(be, model, MMC_NETWORK_EVAL, n + 2); /* a batch below the planned size */
    check(mmc_network_load(eval, state.get(), 1));
    check(mmc_network_images(eval, x.data(), n));
    check(mmc_network_forward(eval));
    golden::expect_near(file, "eval_logits", golden::download(be, mmc_network_logits(eval), logits));
    golden::expect_near(file, "eval_representation", golden::download(be, mmc_network_representation(eval), rep));
    mmc_loss_call loss = {};
    loss.n = n;
    loss.k = classes;
    loss.tally = tally.get();
    loss.logits = mmc_network_logits(eval);
    loss.labels = labels.get();
    check(be->flat->loss(be->queue, &loss));
    golden::expect_near(file, "eval_loss", std::vector<double>{tally.host()[0] / n});
    if (!file.has("train_logits"))
        return;

    golden::Network train(be, model, MMC_NETWORK_TRAIN, n);
    check(mmc_network_load(train, state.get(), 1));
    check(mmc_network_images(train, x.data(), n));
    check(mmc_network_forward(train));
    golden::expect_near(file, "train_logits", golden::download(be, mmc_network_logits(train), logits));
    golden::expect_near(file, "train_representation", golden::download(be, mmc_network_representation(train), rep));
    check(be->memory->zero(be, tally.get(), 2 * sizeof(double)));
    loss.logits = mmc_network_logits(train);
    loss.dlogits = mmc_network_dlogits(train);
    loss.gradient_scale = 1.0f / static_cast<float>(n);
    check(be->flat->loss(be->queue, &loss));
    golden::expect_near(file, "train_loss", std::vector<double>{tally.host()[0] / n});
    check(mmc_network_backward(train));
    std::vector<float> gradient = golden::download(be, mmc_network_gradient(train), model->parameter_count);

    /* The same statistics whether or not the pass keeps what backward needs. */
    golden::Network stats(be, model, MMC_NETWORK_STATS, n);
    check(mmc_network_load(stats, state.get(), 1));
    check(mmc_network_images(stats, x.data(), n));
    check(mmc_network_forward(stats));
    const size_t running = model->state_count - model->parameter_count;
    for (mmc_network *net : {static_cast<mmc_network *>(train), static_cast<mmc_network *>(stats)}) {
        golden::Device<float> after(be, file.state(model, "state/"));
        check(be->flat->running(be->queue, after.get() + model->parameter_count, running, mmc_network_statistics(net),
                                running, mmc_network_unbias_factor(net), 1, running, 0.1));
        std::vector<float> values = after.host();
        for (int i = 0; i < model->tensor_count; i++) {
            const mmc_tensor_info &t = model->tensors[i];
            if (t.offset >= model->parameter_count)
                golden::expect_near(file, std::string("after/") + t.name, &values[t.offset], t.count);
        }
    }
    for (int i = 0; i < model->tensor_count; i++) {
        const mmc_tensor_info &t = model->tensors[i];
        if (t.offset < model->parameter_count)
            golden::expect_near(file, std::string("grad/") + t.name, &gradient[t.offset], t.count);
    }
}

INSTANTIATE_TEST_SUITE_P(Providers, NetworkGolden,
                         testing::Combine(testing::ValuesIn(golden::providers()),
                                          testing::Values("vgg13_one", "vgg13_odd", "vgg13_main", "resnet18_tall",
                                                          "resnet18_main", "resnet18_odd")),
                         file_of);
