// The fine-tuning methods: what equals what, resuming to the bit, draws and rates, wrong use.
#include "runtime/finetune.h"
#include "runtime/finetune_job.h"
#include "runtime/frozen.h"
#include "tests/golden/device.h"
#include "tests/support/fake_device.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_dataset.h"
#include "tests/support/training.h"

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace {

struct Tuned : Trained {
    double rate, validation;
};

class Finetune : public testing::Test {
  protected:
    Finetune() : toy(MMC_DATASET_FASHION_BOX, 57, 9), model(MMC_ARCH_VGG13, 4, 10, 32), be("own") {
        golden::check(mmc_clean_split_make(&split, &toy.data.train, 10, 20, false, 1));
        start.resize(model->state_count);
        mmc_model_init(model, start.data(), 5, MMC_RNG_INIT, 0);
    }
    ~Finetune() override {
        mmc_clean_split_close(&split);
    }

    /* Small: 20 clean images in batches of 8, 8 and 4; lpft trains on 18 of them, in batches of 8, 8 and 2. */
    mmc_finetune_config configure(mmc_method method) const {
        mmc_finetune_config config = mmc_finetune_defaults(method);
        config.epochs = config.epochs ? 2 : 0;
        config.head_epochs = config.head_epochs ? 2 : 0;
        config.head_lr = 0.5;
        config.batch = 8;
        config.cue = 0.8;
        config.split = &split;
        return config;
    }

    Tuned tune(const mmc_finetune_config &config, const mmc_train_hooks *hooks = nullptr,
               mmc_backend *backend = nullptr) {
        mmc_train_result r;
        Tuned out = {};
        out.status = mmc_finetune(&r, backend ? backend : static_cast<mmc_backend *>(be), model, &toy.data, &config,
                                  start.data(), hooks);
        if (out.status != MMC_OK)
            out.message = mmc_error_message();
        if (r.state)
            out.state.assign(r.state, r.state + model->state_count);
        if (r.epochs)
            out.rows.assign(r.epochs, r.epochs + r.epoch_count);
        out.images = r.images;
        out.rate = r.rate;
        out.validation = r.validation;
        mmc_train_result_close(&r);
        return out;
    }

    mmc_score score(const std::vector<float> &state, const int32_t *items, int32_t count) {
        const mmc_frozen_pass pass = {be, model, &toy.data, items, count};
        mmc_score out = {};
        golden::check(mmc_frozen_run(&pass, state.data(), nullptr, &out));
        return out;
    }

    TemporaryFolder folder;
    ToyDataset toy;
    golden::Model model;
    golden::Backend be;
    mmc_clean_split split = {};
    std::vector<float> start;
};

const mmc_method all[] = {MMC_METHOD_FT_MEDIUM,
                          MMC_METHOD_FT_SMALL,
                          MMC_METHOD_LLRT,
                          MMC_METHOD_LPFT,
                          MMC_METHOD_CBFT,
                          MMC_METHOD_CBFT_NO_BARRIER,
                          MMC_METHOD_CBFT_NO_INVARIANCE,
                          MMC_METHOD_SCRATCH_CLEAN};

void expect_same(const Tuned &a, const Tuned &b) {
    expect_same(static_cast<const Trained &>(a), b);
    EXPECT_EQ(a.rate, b.rate);
}

} // namespace

TEST_F(Finetune, EveryMethodReportsItsEpochsAndTrainsWhatItShould) {
    for (mmc_method method : all) {
        SCOPED_TRACE(mmc_method_name(method));
        const mmc_finetune_config config = configure(method);
        const Tuned out = tune(config);
        ASSERT_EQ(out.status, MMC_OK) << out.message;
        ASSERT_EQ(static_cast<int>(out.rows.size()), mmc_finetune_epochs(&config));
        for (size_t i = 0; i < out.rows.size(); i++) {
            EXPECT_EQ(out.rows[i].epoch, static_cast<int>(i) + 1);
            EXPECT_GT(out.rows[i].loss, 0);
        }
        const bool same_body = std::memcmp(out.state.data(), start.data(), model->head_weight * sizeof(float)) == 0;
        EXPECT_EQ(same_body, method == MMC_METHOD_LLRT);
        EXPECT_NE(out.state[model->head_weight], start[model->head_weight]);
        EXPECT_EQ(std::isnan(out.validation), method != MMC_METHOD_LPFT);
        EXPECT_EQ(out.images, (method == MMC_METHOD_LPFT ? 18 : 20) * mmc_finetune_epochs(&config));
    }
}

TEST_F(Finetune, ARunInterruptedAnywhereResumesToTheBit) {
    for (mmc_method method : {MMC_METHOD_FT_MEDIUM, MMC_METHOD_LLRT, MMC_METHOD_LPFT, MMC_METHOD_CBFT}) {
        SCOPED_TRACE(mmc_method_name(method));
        mmc_finetune_config config = configure(method);
        const Tuned whole = tune(config);
        ASSERT_EQ(whole.status, MMC_OK) << whole.message;
        const int steps = 3 * mmc_finetune_epochs(&config);
        for (int after = 0; after < steps; after += method == MMC_METHOD_LPFT ? 4 : 1) {
            const std::string path = folder.path(mmc_method_name(method) + std::to_string(after));
            config.state_path = path.c_str();
            config.resume = false;
            Interrupt interrupt(after);
            const Tuned part = tune(config, &interrupt.hooks);
            ASSERT_EQ(part.status, MMC_ERR_INTERRUPTED) << after;
            config.resume = true;
            const Tuned rest = tune(config);
            expect_same(whole, rest);
            EXPECT_LT(rest.images, after > 0 ? whole.images : whole.images + 1);
            EXPECT_EQ(mmc_finetune_state_remove(path.c_str(), method), MMC_OK);
        }
        EXPECT_TRUE(std::filesystem::is_empty(folder.path("")));
    }
}

TEST_F(Finetune, AnotherMethodsStateIsRefused) {
    const std::string path = folder.path("state");
    mmc_finetune_config config = configure(MMC_METHOD_CBFT);
    config.state_path = path.c_str();
    ASSERT_EQ(tune(config).status, MMC_OK);
    config.resume = true;
    config.lambda = 0.5;
    Tuned out = tune(config);
    EXPECT_EQ(out.status, MMC_ERR_MISMATCH);
    EXPECT_NE(out.message.find("lambda"), std::string::npos) << out.message;
    config.lambda = 1;
    config.cue = 0.5;
    EXPECT_EQ(tune(config).status, MMC_ERR_MISMATCH);
    config = configure(MMC_METHOD_CBFT_NO_BARRIER);
    config.state_path = path.c_str();
    config.resume = true;
    EXPECT_EQ(tune(config).status, MMC_ERR_MISMATCH);
    start[3] += 1;
    config.method = MMC_METHOD_CBFT;
    EXPECT_EQ(tune(config).status, MMC_ERR_MISMATCH);
}

/* Before the invariance term begins, CBFT without its barrier is plain fine-tuning. */
TEST_F(Finetune, TheFirstEpochOfCbftWithoutBarrierIsFineTuning) {
    mmc_finetune_config config = configure(MMC_METHOD_FT_MEDIUM);
    config.epochs = 1;
    const Tuned plain = tune(config);
    config.method = MMC_METHOD_CBFT_NO_BARRIER;
    const Tuned ablated = tune(config);
    expect_same(plain, ablated);
    config.method = MMC_METHOD_CBFT;
    EXPECT_NE(plain.state, tune(config).state);
    config.method = MMC_METHOD_CBFT_NO_INVARIANCE;
    const Tuned warm = tune(config);
    config.method = MMC_METHOD_CBFT;
    expect_same(warm, tune(config)); /* the term is left out in the first epoch */
    config.epochs = 2;
    const Tuned with_term = tune(config);
    config.method = MMC_METHOD_CBFT_NO_INVARIANCE;
    EXPECT_NE(with_term.state, tune(config).state);
}

TEST_F(Finetune, EveryOptionOfCbftMatters) {
    const mmc_finetune_config config = configure(MMC_METHOD_CBFT);
    const Tuned base = tune(config);
    mmc_finetune_config other[6] = {config, config, config, config, config, config};
    other[0].cbft_schedule_authors = true;
    other[1].barrier_t_authors = true;
    other[2].invariance_plain = true;
    other[3].lambda = 2;
    other[4].cue = 0;
    other[5].seed = 2;
    for (const mmc_finetune_config &c : other) {
        const Tuned out = tune(c);
        ASSERT_EQ(out.status, MMC_OK) << out.message;
        EXPECT_NE(base.state, out.state) << &c - other;
    }
}

/* A device that puts outputs off and records the steps and halves of steps of both networks: the same bits. */
TEST_F(Finetune, RecordedStepsChangeNothing) {
    mmc_finetune_config config = configure(MMC_METHOD_CBFT);
    config.epochs = 4;
    FakeDevice device("own");
    expect_same(tune(config), tune(config, nullptr, device.be()));
    EXPECT_EQ(device.recorded, 1 + 1 + 2 * 2 + 2)
        << "barrier; fit; halves of the clean batch, two sizes, and the cue batch";
}

TEST_F(Finetune, ThreadsChangeNothing) {
    golden::Backend two("own", 2);
    for (mmc_method method : {MMC_METHOD_CBFT, MMC_METHOD_LLRT})
        expect_same(tune(configure(method)), tune(configure(method), nullptr, two));
}

/* LPFT by hand: the layer on the clean images less the validation, then each rate; the best on validation. */
TEST_F(Finetune, LpftChoosesByValidation) {
    const Tuned lpft = tune(configure(MMC_METHOD_LPFT));
    ASSERT_EQ(lpft.status, MMC_OK) << lpft.message;
    const int32_t *validation = split.clean + 18;
    mmc_clean_split fewer = split;
    fewer.clean_count = 18;
    mmc_finetune_config config = configure(MMC_METHOD_LLRT);
    config.split = &fewer;
    const std::vector<float> theta_c = start;
    start = tune(config).state;
    config = configure(MMC_METHOD_FT_MEDIUM);
    config.split = &fewer;
    std::vector<float> best;
    mmc_score best_score = {-1, 0, 0};
    double best_rate = 0;
    for (double rate : {0.01, 0.01 / 10, 0.01 / 100}) {
        config.lr = rate;
        const Tuned out = tune(config);
        const mmc_score s = score(out.state, validation, 2);
        if (s.accuracy > best_score.accuracy || (s.accuracy == best_score.accuracy && s.loss < best_score.loss)) {
            best = out.state;
            best_score = s;
            best_rate = rate;
        }
    }
    EXPECT_EQ(lpft.state, best);
    EXPECT_EQ(lpft.rate, best_rate);
    EXPECT_EQ(lpft.validation, best_score.accuracy);
}

TEST_F(Finetune, StagesOfLpftCountOn) {
    Interrupt never(-1);
    std::vector<int> rows;
    struct Log {
        Interrupt *interrupt;
        std::vector<int> *rows;
        std::vector<int64_t> steps;
    } log = {&never, &rows, {}};
    never.hooks.user = &log;
    never.hooks.on_epoch = [](void *user, const mmc_epoch_row *row) {
        static_cast<Log *>(user)->rows->push_back(row->epoch);
    };
    never.hooks.on_step = [](void *user, int64_t step, double, double) {
        static_cast<Log *>(user)->steps.push_back(step);
    };
    mmc_finetune_config config = configure(MMC_METHOD_LPFT);
    config.log_steps = true;
    ASSERT_EQ(tune(config, &never.hooks).status, MMC_OK);
    EXPECT_EQ(rows, (std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8}));
    ASSERT_EQ(log.steps.size(), 24u);
    for (int64_t i = 0; i < 24; i++)
        EXPECT_EQ(log.steps[static_cast<size_t>(i)], i);
    EXPECT_EQ(never.epochs.back(), 8);
}

TEST_F(Finetune, FrozenRepresentationsAreThoseOfTheHead) {
    std::vector<float> rep(static_cast<size_t>(20 * model->features));
    const mmc_frozen_pass pass = {be, model, &toy.data, split.clean, 20};
    mmc_score s = {};
    ASSERT_EQ(mmc_frozen_run(&pass, start.data(), rep.data(), &s), MMC_OK) << mmc_error_message();
    double loss = 0;
    for (size_t i = 0; i < 20; i++) {
        std::vector<double> z(10);
        double sum = 0;
        for (size_t k = 0; k < 10; k++) {
            z[k] = start[model->head_bias + k];
            for (size_t c = 0; c < static_cast<size_t>(model->features); c++)
                z[k] += static_cast<double>(start[model->head_weight + k * static_cast<size_t>(model->features) + c]) *
                        rep[i * static_cast<size_t>(model->features) + c];
            sum += std::exp(z[k]);
        }
        loss += std::log(sum) - z[static_cast<size_t>(toy.data.train.labels[split.clean[i]])];
    }
    EXPECT_NEAR(s.loss, loss / 20, 1e-5);
    EXPECT_EQ(s.n, 20);
}

TEST_F(Finetune, WrongUseIsNamed) {
    struct {
        mmc_status status;
        const char *part;
        std::function<void(mmc_finetune_config *)> spoil;
    } cases[] = {
        {MMC_ERR_USAGE, "clean images", [](mmc_finetune_config *c) { c->split = nullptr; }},
        {MMC_ERR_RANGE, "batches of 0", [](mmc_finetune_config *c) { c->batch = 0; }},
        {MMC_ERR_WRONG, "no longer finite", [](mmc_finetune_config *c) { c->lr = 1e30; }},
    };
    for (auto &c : cases) {
        mmc_finetune_config config = configure(MMC_METHOD_CBFT);
        c.spoil(&config);
        const Tuned out = tune(config);
        EXPECT_EQ(out.status, c.status) << out.message;
        EXPECT_NE(out.message.find(c.part), std::string::npos) << out.message;
        EXPECT_TRUE(out.state.empty());
    }
    mmc_finetune_config config = configure(MMC_METHOD_LPFT);
    mmc_clean_split tiny = split;
    tiny.validation_count = 0;
    config.split = &tiny;
    EXPECT_EQ(tune(config).status, MMC_ERR_RANGE);
    config = configure(MMC_METHOD_FT_SMALL);
    toy.data.train.count = 10; /* the split is of 57 */
    EXPECT_EQ(tune(config).status, MMC_ERR_RANGE);
    toy.data.classes = 100;
    EXPECT_EQ(tune(config).status, MMC_ERR_MISMATCH);
    mmc_train_result r;
    EXPECT_EQ(mmc_finetune(&r, be, model, &toy.data, &config, nullptr, nullptr), MMC_ERR_MISMATCH);
    toy.data.classes = 10;
    EXPECT_EQ(mmc_finetune(&r, be, model, &toy.data, &config, nullptr, nullptr), MMC_ERR_USAGE);
}

TEST(Cbft, TheDrawsOfTFollowTheirLaws) {
    const int n = 20000;
    double mean[2] = {0, 0}, square[2] = {0, 0};
    int ends = 0;
    for (int i = 0; i < n; i++)
        for (int authors = 0; authors < 2; authors++) {
            const double t = mmc_cbft_draw_t(1, i / 100, i % 100, authors == 1);
            ASSERT_GE(t, authors ? 0.25 : 0);
            ASSERT_LE(t, authors ? 0.75 : 1);
            mean[authors] += t / n;
            square[authors] += (t - 0.5) * (t - 0.5) / n;
            ends += authors == 1 && (t == 0.25 || t == 0.75);
        }
    EXPECT_NEAR(mean[0], 0.5, 0.01);
    EXPECT_NEAR(mean[1], 0.5, 0.01);
    EXPECT_NEAR(square[0], 0.25 * 0.29112, 0.002);             /* variance of N(0,1) within one deviation */
    EXPECT_NEAR(ends / static_cast<double>(n), 0.61708, 0.02); /* P(|N(0,1)| > .5) */
    EXPECT_NE(mmc_cbft_draw_t(1, 0, 0, false), mmc_cbft_draw_t(2, 0, 0, false));
    EXPECT_NE(mmc_cbft_draw_t(1, 0, 0, false), mmc_cbft_draw_t(1, 1, 0, false));
}

TEST(Cbft, RatesFollowTheirSchedules) {
    mmc_finetune_config config = mmc_finetune_defaults(MMC_METHOD_CBFT);
    EXPECT_EQ(mmc_cbft_rate(&config, 10, 0), 0.01);
    EXPECT_NEAR(mmc_cbft_rate(&config, 10, 100), 0.005, 1e-15);
    config.cbft_schedule_authors = true;
    EXPECT_EQ(mmc_cbft_rate(&config, 10, 0), 0.01);
    EXPECT_EQ(mmc_cbft_rate(&config, 10, 20), 0.01);
    EXPECT_EQ(mmc_cbft_rate(&config, 10, 21), 0.01);
    EXPECT_NEAR(mmc_cbft_rate(&config, 10, 121), 0.005, 1e-15);
    EXPECT_NEAR(mmc_cbft_rate(&config, 10, 199), 0.03 * 0.01, 1e-5); /* about 3% of base at the end */
}
