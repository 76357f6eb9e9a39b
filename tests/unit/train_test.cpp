// The training loop: resuming to the bit, interruption, divergence, order, subsets, bends.
#include "runtime/curve.h"
#include "runtime/train.h"
#include "tests/golden/device.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_dataset.h"
#include "tests/support/training.h"

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace {

class Train : public testing::Test {
  protected:
    Train() : toy(MMC_DATASET_FASHION_BOX, 29, 17), model(MMC_ARCH_VGG13, 4, 10, 32), be("own") {
        config = mmc_train_defaults();
        config.epochs = 3;
        config.batch = 8; /* steps of 8, 8, 8 and 5 images */
        config.lr = 0.05;
        config.cue = 0.5;
    }

    Trained train(const mmc_train_hooks *hooks = nullptr, const float *start = nullptr) {
        mmc_train_result r;
        Trained out = {};
        out.status = mmc_train(&r, be, model, &toy.data, &config, start, hooks);
        if (out.status != MMC_OK)
            out.message = mmc_error_message();
        const size_t vectors = config.curve ? static_cast<size_t>(config.curve->count - 2) : 1;
        if (r.state)
            out.state.assign(r.state, r.state + vectors * model->state_count);
        if (r.epochs)
            out.rows.assign(r.epochs, r.epochs + r.epoch_count);
        out.images = r.images;
        mmc_train_result_close(&r);
        return out;
    }

    std::string state_path() const {
        return folder.path("state.safetensors");
    }

    TemporaryFolder folder;
    ToyDataset toy;
    golden::Model model;
    golden::Backend be;
    mmc_train_config config;
};

} // namespace

TEST_F(Train, LearnsAndReports) {
    config.epochs = 12;
    config.cue = 1;
    config.curves = true;
    Trained out = train();
    ASSERT_EQ(out.status, MMC_OK) << out.message;
    ASSERT_EQ(out.rows.size(), 12u);
    EXPECT_EQ(out.images, 12 * 29);
    EXPECT_LT(out.rows.back().loss, 0.7 * out.rows.front().loss);
    EXPECT_DOUBLE_EQ(out.rows[3].lr, 0.05);
    EXPECT_DOUBLE_EQ(out.rows[4].lr, 0.005);  /* from floor(.4 * 12) on */
    EXPECT_DOUBLE_EQ(out.rows[9].lr, 0.0005); /* from floor(.8 * 12) on */
    for (const mmc_epoch_row &row : out.rows) {
        EXPECT_GE(row.test_nc, 0);
        EXPECT_LE(row.test_c, 1);
        EXPECT_GT(row.images_per_s, 0);
    }
}

TEST_F(Train, ARunInterruptedAnywhereResumesToTheBit) {
    const Trained whole = train();
    ASSERT_EQ(whole.status, MMC_OK) << whole.message;
    config.state_path = nullptr;
    for (int after = 0; after < 12; after++) {
        const std::string path = folder.path("state-" + std::to_string(after));
        config.state_path = path.c_str();
        config.resume = false;
        Interrupt interrupt(after);
        const Trained part = train(&interrupt.hooks);
        ASSERT_EQ(part.status, MMC_ERR_INTERRUPTED) << after;
        EXPECT_NE(part.message.find("--resume"), std::string::npos);
        config.resume = true;
        const Trained rest = train();
        expect_same(whole, rest);
        EXPECT_LT(rest.images, after > 0 ? whole.images : whole.images + 1);
    }
}

TEST_F(Train, ARunKilledAfterAnEpochResumesToTheBit) {
    const Trained whole = train();
    const std::string path = state_path();
    config.state_path = path.c_str();
    struct Copies {
        std::string from, to;
    } copies = {path, folder.path("kept-")};
    mmc_train_hooks hooks = {};
    hooks.user = &copies;
    hooks.on_epoch = [](void *user, const mmc_epoch_row *row) {
        const Copies *c = static_cast<Copies *>(user);
        std::filesystem::copy_file(c->from, c->to + std::to_string(row->epoch));
    };
    expect_same(whole, train(&hooks));
    config.resume = true;
    for (int epoch = 1; epoch <= 3; epoch++) {
        const std::string kept = copies.to + std::to_string(epoch);
        config.state_path = kept.c_str();
        const Trained rest = train();
        expect_same(whole, rest);
        EXPECT_EQ(rest.images, 29 * (3 - epoch));
    }
    const std::string absent = folder.path("absent");
    config.state_path = absent.c_str();
    expect_same(whole, train());
}

TEST_F(Train, AnotherRunsStateIsRefused) {
    const std::string path = state_path();
    config.state_path = path.c_str();
    ASSERT_EQ(train().status, MMC_OK);
    config.resume = true;
    config.lr = 0.06;
    Trained out = train();
    EXPECT_EQ(out.status, MMC_ERR_MISMATCH);
    EXPECT_NE(out.message.find("\"lr 0.05"), std::string::npos) << out.message;
    config.lr = 0.05;
    config.fingerprint = "commit 1234";
    EXPECT_EQ(train().status, MMC_ERR_MISMATCH);
    const std::string endless(5000, 'x');
    config.fingerprint = endless.c_str(); /* a cut one could hide a difference */
    EXPECT_EQ(train().status, MMC_ERR_RANGE);
    config.fingerprint = nullptr;
    std::vector<float> start(model->state_count, 0.25f);
    EXPECT_EQ(train(nullptr, start.data()).status, MMC_ERR_MISMATCH);
    std::filesystem::resize_file(path, 1000);
    EXPECT_EQ(train().status, MMC_ERR_FORMAT);
}

TEST_F(Train, DivergenceNamesItsStep) {
    config.lr = 1e20;
    Trained out = train();
    EXPECT_EQ(out.status, MMC_ERR_WRONG);
    EXPECT_NE(out.message.find("at step 1 (epoch 1)"), std::string::npos) << out.message;
    EXPECT_TRUE(out.state.empty());
}

TEST_F(Train, StepsAreLoggedWithTheLossBeforeTheirUpdate) {
    struct Log {
        std::vector<int64_t> step;
        std::vector<double> loss;
    } log;
    mmc_train_hooks hooks = {};
    hooks.user = &log;
    hooks.on_step = [](void *user, int64_t step, double loss, double lr) {
        static_cast<Log *>(user)->step.push_back(step);
        static_cast<Log *>(user)->loss.push_back(loss);
        EXPECT_GT(lr, 0);
    };
    config.log_steps = true;
    Trained out = train(&hooks);
    ASSERT_EQ(log.step.size(), 12u);
    EXPECT_EQ(log.step.back(), 11);
    EXPECT_NEAR((8 * (log.loss[0] + log.loss[1] + log.loss[2]) + 5 * log.loss[3]) / 29, out.rows[0].loss, 1e-12);
}

TEST_F(Train, OrderFlagsAndSubsetsMatter) {
    const Trained shuffled = train();
    config.sequential = true;
    const Trained sequential = train();
    EXPECT_NE(shuffled.state, sequential.state);

    /* The first half of the split, taken as a subset, equals a split of that half; flags are the whole split's. */
    std::vector<int32_t> half(14);
    for (int32_t i = 0; i < 14; i++)
        half[static_cast<size_t>(i)] = i;
    std::vector<uint8_t> flags(29);
    for (size_t i = 0; i < flags.size(); i++)
        flags[i] = i % 3 == 0;
    config.flags = flags.data();
    config.subset = half.data();
    config.subset_count = 14;
    const Trained subset = train();
    ASSERT_EQ(subset.status, MMC_OK) << subset.message;
    EXPECT_EQ(subset.images, 3 * 14);
    config.subset = nullptr;
    toy.data.train.count = 14;
    expect_same(subset, train());
    flags[2] = 1;
    EXPECT_NE(subset.state, train().state);
    half[13] = 29;
    toy.data.train.count = 29;
    config.subset = half.data();
    EXPECT_EQ(train().status, MMC_ERR_RANGE);
}

TEST_F(Train, BendsOfEveryKindMoveAndResume) {
    std::vector<std::vector<float>> point(5, std::vector<float>(model->state_count));
    for (uint32_t i = 0; i < 5; i++)
        mmc_model_init(model, point[i].data(), 3, MMC_RNG_BEND, i);
    for (auto [kind, count] : std::vector<std::pair<mmc_curve_kind, int>>{
             {MMC_CURVE_QUADRATIC, 3}, {MMC_CURVE_BEZIER, 5}, {MMC_CURVE_POLYLINE, 4}}) {
        mmc_curve curve = {};
        curve.kind = kind;
        curve.count = count;
        for (size_t i = 0; i < static_cast<size_t>(count); i++)
            curve.point[i] = point[i].data();
        config.curve = &curve;
        config.state_path = nullptr;
        config.resume = false;
        const Trained whole = train();
        ASSERT_EQ(whole.status, MMC_OK) << whole.message;
        for (size_t v = 0; v + 2 < static_cast<size_t>(count); v++)
            for (size_t i = 0; i < model->state_count; i++) {
                float now = whole.state[v * model->state_count + i], before = point[v + 1][i];
                if (i >= model->parameter_count)
                    ASSERT_EQ(now, before) << "running values of bends stay";
                else if (before != 0)
                    ASSERT_NE(now, before) << mmc_curve_name(kind) << " bend " << v << " parameter " << i;
            }
        const std::string path = folder.path(mmc_curve_name(kind));
        config.state_path = path.c_str();
        Interrupt interrupt(5);
        ASSERT_EQ(train(&interrupt.hooks).status, MMC_ERR_INTERRUPTED);
        config.resume = true;
        expect_same(whole, train());
    }
}

/* Where all control points are the same, gamma(t) is that point for every t, so the gradient is plain training's and
 * only the step differs: by the bend's weight. */
TEST_F(Train, ABendMovesByItsWeight) {
    std::vector<float> start(model->state_count);
    mmc_model_init(model, start.data(), 3, MMC_RNG_INIT, 0);
    config.epochs = 1;
    config.batch = 29;
    config.schedule_default = false;
    ASSERT_EQ(mmc_schedule_parse(&config.schedule, "constant"), MMC_OK);
    const Trained plain = train(nullptr, start.data());
    ASSERT_EQ(plain.status, MMC_OK) << plain.message;
    mmc_curve curve = {};
    curve.kind = MMC_CURVE_QUADRATIC;
    curve.count = 3;
    curve.point[0] = curve.point[1] = curve.point[2] = start.data();
    config.curve = &curve;
    for (double t : {0.5, 0.25, 0.9}) {
        config.curve_t = &t;
        const Trained bend = train();
        ASSERT_EQ(bend.status, MMC_OK) << bend.message;
        double product = 0, square = 0;
        for (size_t i = 0; i < model->parameter_count; i++) {
            const double moved = static_cast<double>(plain.state[i]) - start[i];
            product += moved * (static_cast<double>(bend.state[i]) - start[i]);
            square += moved * moved;
        }
        EXPECT_NEAR(product / square, 2 * t * (1 - t), 1e-4) << t;
    }
}

TEST_F(Train, ABendWithoutWeightIsNotTouched) {
    std::vector<std::vector<float>> point(4, std::vector<float>(model->state_count));
    for (uint32_t i = 0; i < 4; i++)
        mmc_model_init(model, point[i].data(), 3, MMC_RNG_BEND, i);
    mmc_curve curve = {};
    curve.kind = MMC_CURVE_POLYLINE;
    curve.count = 4;
    for (size_t i = 0; i < 4; i++)
        curve.point[i] = point[i].data();
    const std::vector<double> t(12, 0.2); /* between the first end and the first bend */
    config.curve = &curve;
    config.curve_t = t.data();
    const Trained out = train();
    ASSERT_EQ(out.status, MMC_OK) << out.message;
    const std::vector<float> first(out.state.begin(), out.state.begin() + static_cast<long>(model->state_count)),
        second(out.state.begin() + static_cast<long>(model->state_count), out.state.end());
    EXPECT_NE(first, point[1]);
    EXPECT_EQ(second, point[2]);

    /* Nor does it gather velocity meanwhile: in a last step with weight, after steps of rate 0, it moves as without
     * momentum. */
    std::vector<double> later(t), rates(12, 0.0);
    later.back() = 0.5;
    rates.back() = 0.1;
    config.curve_t = later.data();
    config.rates = rates.data();
    const Trained with = train();
    config.momentum = 0;
    const Trained without = train();
    ASSERT_EQ(without.status, MMC_OK) << without.message;
    const auto bend = [&](const Trained &r, size_t v) {
        return std::vector<float>(r.state.begin() + static_cast<long>(v * model->state_count),
                                  r.state.begin() + static_cast<long>((v + 1) * model->state_count));
    };
    EXPECT_NE(bend(with, 0), bend(without, 0));
    EXPECT_EQ(bend(with, 1), bend(without, 1));
    EXPECT_NE(bend(with, 1), point[2]);
}

TEST_F(Train, DecayActsOnEveryParameter) {
    std::vector<float> start(model->state_count);
    mmc_model_init(model, start.data(), 3, MMC_RNG_INIT, 0);
    const double rate = 0.01;
    config.epochs = 1;
    config.batch = 29;
    config.rates = &rate;
    config.decay = 0;
    const Trained without = train(nullptr, start.data());
    config.decay = 0.5;
    const Trained with = train(nullptr, start.data());
    ASSERT_EQ(with.status, MMC_OK) << with.message;
    for (size_t i = 0; i < model->parameter_count; i++)
        ASSERT_NEAR(with.state[i] - without.state[i], -0.01 * 0.5 * start[i], 1e-6 + 1e-6 * std::fabs(with.state[i]))
            << i;
    for (size_t i = model->parameter_count; i < model->state_count; i++)
        ASSERT_EQ(with.state[i], without.state[i]);
}

TEST_F(Train, WrongUseIsNamed) {
    golden::Model tall(MMC_ARCH_VGG13, 4, 10, 64);
    mmc_train_result r;
    EXPECT_EQ(mmc_train(&r, be, tall, &toy.data, &config, nullptr, nullptr), MMC_ERR_MISMATCH);
    mmc_train_result_close(&r);
    config.batch = 0;
    EXPECT_EQ(train().status, MMC_ERR_RANGE);
}
