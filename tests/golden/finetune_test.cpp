// CBFT, its ablations and LLRT against golden numbers.
#include "runtime/clean_split.h"
#include "runtime/finetune.h"
#include "tests/golden/device.h"
#include "tests/golden/golden.h"
#include "tests/golden/toy_data.h"

#include <cmath>
#include <memory>
#include <numeric>

namespace {

using golden::check;

/* A split over given images, which it does not own. */
struct Split {
    Split(std::vector<int32_t> clean_images, std::vector<int32_t> cue_images)
        : clean(std::move(clean_images)), cue(std::move(cue_images)) {
        view.clean = clean.data();
        view.clean_count = static_cast<int32_t>(clean.size());
        view.cue = cue.data();
        view.cue_count = static_cast<int32_t>(cue.size());
    }
    std::vector<int32_t> clean, cue;
    mmc_clean_split view = {};
};

std::vector<int32_t> range(int32_t first, int32_t last) {
    std::vector<int32_t> out(static_cast<size_t>(last - first));
    std::iota(out.begin(), out.end(), first);
    return out;
}

struct Outcome {
    Outcome(mmc_backend *be, const mmc_model *model, const mmc_dataset *data, mmc_finetune_config config,
            const float *start) {
        trace.resize(static_cast<size_t>(config.epochs * 64));
        if (mmc_method_is_cbft(config.method))
            config.trace = trace.data();
        struct Log {
            std::vector<double> *loss, *lr;
        } log = {&losses, &rates};
        mmc_train_hooks hooks = {};
        hooks.user = &log;
        hooks.on_step = [](void *user, int64_t, double loss, double lr) {
            static_cast<Log *>(user)->loss->push_back(loss);
            static_cast<Log *>(user)->lr->push_back(lr);
        };
        config.log_steps = true;
        mmc_train_result r;
        check(mmc_finetune(&r, be, model, data, &config, start, &hooks));
        state.assign(r.state, r.state + model->state_count);
        mmc_train_result_close(&r);
    }
    std::vector<double> column(double mmc_cbft_row::*field) const {
        std::vector<double> out;
        for (size_t i = 0; i < losses.size(); i++)
            out.push_back(trace[i].*field);
        return out;
    }
    std::vector<float> state;
    std::vector<double> losses, rates;
    std::vector<mmc_cbft_row> trace;
};

class FinetuneGolden : public testing::TestWithParam<std::string> {
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

    void expect_cbft(const std::string &name, mmc_method method, bool paper) {
        GOLDEN_OR_SKIP(file, "cbft_" + name);
        GOLDEN_OR_SKIP(images, "images");
        const std::string from = file.setting("start");
        GOLDEN_OR_SKIP(ends, from.substr(0, from.find('.')));
        golden::ToyData data(images, file.setting("kind"));
        mmc_arch arch;
        check(mmc_arch_parse(&arch, file.setting("arch").c_str()));
        golden::Model model(arch, file.width(), 10, data.get()->height);
        const std::vector<float> start = ends.state(model, from.substr(from.rfind(' ') + 1));
        const std::vector<int32_t> clean = file.i32("clean_item"), cue = file.i32("cue_item");
        const std::vector<double> t = file.f64("t"), lrs = file.f64("lrs");
        const Split split(range(0, static_cast<int32_t>(file.shape("clean_item")[1])),
                          range(100, data.get()->train.count));
        mmc_finetune_config config = mmc_finetune_defaults(method);
        config.epochs = static_cast<int>(file.shape("clean_item")[0]);
        config.batch = 16;
        config.lr = lrs[0];
        config.cue = 1;
        config.split = &split.view;
        config.cbft_schedule_authors = !paper;
        config.invariance_plain = paper;
        config.barrier_t = t.data();
        config.clean_order = clean.data();
        config.cue_order = cue.data();
        const Outcome run(be(), model, data.get(), config, start.data());
        ASSERT_EQ(run.losses.size(), lrs.size());
        golden::expect_near(file, "lrs", run.rates);
        golden::expect_near(file, "lrs", run.column(&mmc_cbft_row::lr));
        golden::expect_near(file, "fit", run.losses);
        golden::expect_near(file, "fit", run.column(&mmc_cbft_row::fit));
        golden::expect_near(file, "invariance", run.column(&mmc_cbft_row::invariance));
        if (file.has("barrier"))
            golden::expect_near(file, "barrier", run.column(&mmc_cbft_row::barrier));
        int compared = 0;
        for (int i = 0; i < model->tensor_count; i++) {
            const mmc_tensor_info &info = model->tensors[i];
            const std::string tensor = std::string("final/") + info.name;
            if (!file.has(tensor))
                continue;
            golden::expect_near(file, tensor, &run.state[info.offset], info.count);
            compared++;
        }
        EXPECT_GT(compared, 40);
    }

    void expect_llrt(const std::string &name) {
        GOLDEN_OR_SKIP(file, "llrt_" + name);
        GOLDEN_OR_SKIP(images, "images");
        const std::string from = file.setting("body");
        GOLDEN_OR_SKIP(ends, from.substr(0, from.find('.')));
        golden::ToyData data(images, file.setting("kind"));
        mmc_arch arch;
        check(mmc_arch_parse(&arch, file.setting("arch").c_str()));
        golden::Model model(arch, file.width(), 10, data.get()->height);
        const std::vector<float> start = ends.state(model, from.substr(from.rfind(' ') + 1));
        std::vector<float> head = file.f32("head/linear.weight"), bias = file.f32("head/linear.bias");
        head.insert(head.end(), bias.begin(), bias.end());
        const Split split(range(0, 60), {});
        mmc_finetune_config config = mmc_finetune_defaults(MMC_METHOD_LLRT);
        config.head_epochs = 5;
        config.head_lr = 3;
        config.batch = 16;
        config.split = &split.view;
        config.sequential = true;
        config.head = head.data();
        for (bool authors : {false, true}) {
            const std::string prefix = authors ? "reference/" : "spec/";
            config.cosine_authors = authors;
            const Outcome run(be(), model, data.get(), config, start.data());
            golden::expect_near(file, prefix + "lrs", run.rates);
            golden::expect_near(file, prefix + "losses", run.losses);
            golden::expect_near(file, prefix + "linear.weight", &run.state[model->head_weight], head.size() - 10);
            golden::expect_near(file, prefix + "linear.bias", &run.state[model->head_bias], 10);
            for (size_t i = 0; i < model->state_count; i++)
                if (i < model->head_weight || i >= model->parameter_count)
                    ASSERT_EQ(run.state[i], start[i]) << "the body is frozen";
        }
    }

    std::unique_ptr<golden::Backend> be_;
};

} // namespace

#if !defined(MMC_GOLDEN_EMULATED) || defined(MMC_SLOW) /* else minutes each */
TEST_P(FinetuneGolden, LlrtVgg) {
    expect_llrt("vgg13");
}

TEST_P(FinetuneGolden, LlrtResNet) {
    expect_llrt("resnet18");
}

TEST_P(FinetuneGolden, CbftVgg) {
    expect_cbft("vgg13_full", MMC_METHOD_CBFT, false);
}

TEST_P(FinetuneGolden, CbftResNet) {
    expect_cbft("resnet18_full", MMC_METHOD_CBFT, false);
}

TEST_P(FinetuneGolden, CbftByThePaper) {
    expect_cbft("vgg13_paper", MMC_METHOD_CBFT, true);
}

TEST_P(FinetuneGolden, CbftWithoutBarrier) {
    expect_cbft("vgg13_no_barrier", MMC_METHOD_CBFT_NO_BARRIER, false);
}

TEST_P(FinetuneGolden, CbftWithoutInvariance) {
    expect_cbft("vgg13_no_invariance", MMC_METHOD_CBFT_NO_INVARIANCE, false);
}
#endif

/* Two epochs of CBFT on a few images, drawn as a run draws them, against the CPU: steps before the invariance
 * term and with it, the second of a kind recorded, a short last batch. And the linear layer, on the representations of
 * a frozen body. */
class FinetuneSlice : public FinetuneGolden {
  protected:
    void expect_like_the_cpu(mmc_method method) {
        GOLDEN_OR_SKIP(images, "images");
        GOLDEN_OR_SKIP(ends, "endpoints_vgg13");
        golden::ToyData data(images, "cifar10-box", range(0, 16));
        golden::Model model(MMC_ARCH_VGG13, ends.width(), 10, 32);
        const std::vector<float> start = ends.state(model, "theta_C/");
        const Split split({3, 1, 4, 15, 9, 2, 12, 13}, {5, 0, 6, 7, 8, 10, 11});
        mmc_finetune_config config = mmc_finetune_defaults(method);
        config.epochs = config.head_epochs = 2;
        config.batch = 3;
        config.lr = 0.001;
        config.head_lr = 1;
        config.cue = 0.75;
        config.split = &split.view;
        golden::Backend cpu("reference");
        const Outcome expected(cpu, model, data.get(), config, start.data()),
            run(be(), model, data.get(), config, start.data());
        ASSERT_EQ(run.losses.size(), 6u);
        for (size_t i = 0; i < run.losses.size(); i++) {
            EXPECT_NEAR(run.losses[i], expected.losses[i], 1e-4) << "step " << i;
            EXPECT_NEAR(run.trace[i].barrier, expected.trace[i].barrier, 1e-4) << "step " << i;
            EXPECT_NEAR(run.trace[i].invariance, expected.trace[i].invariance, 1e-5) << "step " << i;
        }
        for (size_t i = 0; i < run.state.size(); i++)
            ASSERT_NEAR(run.state[i], expected.state[i], 1e-4 * (1 + std::fabs(expected.state[i]))) << i;
        EXPECT_NE(run.state, start);
    }
};

TEST_P(FinetuneSlice, CbftAgreesWithTheCpu) {
    expect_like_the_cpu(MMC_METHOD_CBFT);
}

TEST_P(FinetuneSlice, LinearLayerAgreesWithTheCpu) {
    expect_like_the_cpu(MMC_METHOD_LLRT);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(FinetuneGolden);
INSTANTIATE_TEST_SUITE_P(All, FinetuneGolden, testing::ValuesIn(golden::providers()),
                         [](const auto &info) { return golden::word(info.param); });
INSTANTIATE_TEST_SUITE_P(Devices, FinetuneSlice, testing::ValuesIn(golden::devices()),
                         [](const auto &info) { return golden::word(info.param); });
