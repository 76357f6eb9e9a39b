// The small model: attributes, counterfactual draws, training that goes on where it stood, matching.
#include "runtime/small.h"
#include "runtime/small_match.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <numeric>
#include <string>
#include <vector>

namespace {

class Cpu {
  public:
    explicit Cpu(int threads = 1, const char *provider = "own") {
        const mmc_backend_options options = {"cpu", provider, nullptr, 0, threads};
        EXPECT_EQ(mmc_backend_open(&be, &options), MMC_OK) << mmc_error_message();
    }
    ~Cpu() {
        mmc_backend_close(be);
    }
    mmc_backend *be = nullptr;
};

struct Data : mmc_small_data {
    Data(int32_t samples, int inputs, double margin, uint64_t seed, mmc_small_split split, unsigned predictive) {
        EXPECT_EQ(mmc_small_data_draw(this, samples, inputs, margin, seed, split, predictive), MMC_OK);
    }
    ~Data() {
        mmc_small_data_close(this);
    }
};

struct State : mmc_small_state {
    State(const mmc_small_config &config, const std::vector<mmc_small_model> &models) {
        EXPECT_EQ(mmc_small_state_open(this, &config, models.data(), int(models.size())), MMC_OK);
    }
    ~State() {
        mmc_small_state_close(this);
    }
};

// Seconds of training would be too many: few units, few samples, a stronger step.
mmc_small_config toy() {
    mmc_small_config c = mmc_small_defaults();
    c.inputs = 6;
    c.hidden = 40;
    c.train = 640;
    c.test = 500;
    c.epochs = 6;
    c.lr = 60;
    return c;
}

std::vector<int> support(int k, int z) {
    int s[MMC_SMALL_SUPPORT];
    const int count = mmc_small_support(s, k, z);
    return {s, s + count};
}

// The integer nearest to an attribute's value: which slab it lies in.
int slab(int k, double value, int inputs) {
    return int(std::lround(value * k / 2 / std::sqrt(3.0 / inputs)));
}

TEST(SmallData, OddIntegersAreClassZeroEvenOnesClassOne) {
    EXPECT_EQ(support(4, 0), (std::vector<int>{-1, 1}));
    EXPECT_EQ(support(4, 1), (std::vector<int>{-2, 0, 2}));
    EXPECT_EQ(support(2, 1), (std::vector<int>{0}));
    EXPECT_EQ(support(6, 0), (std::vector<int>{-3, -1, 1, 3}));
    EXPECT_EQ(support(6, 1), (std::vector<int>{-2, 0, 2}));
}

TEST(SmallData, MarginsAreExact) {
    // D = 3: unit 1. K = 0 moves from +-1 towards 0 by up to twice the margin.
    EXPECT_DOUBLE_EQ(mmc_small_attribute(0, 1, 0, 3, .1), 1);
    EXPECT_DOUBLE_EQ(mmc_small_attribute(0, 0, .5, 3, .1), -.9);
    // K = 4: a slab in between has the margin on both sides, one at the rim on the inner side alone.
    EXPECT_DOUBLE_EQ(mmc_small_attribute(4, 1, 0, 3, .1), .45);
    EXPECT_DOUBLE_EQ(mmc_small_attribute(4, 1, .5, 3, .1), .5);
    EXPECT_DOUBLE_EQ(mmc_small_attribute(4, -1, 1, 3, .1), -.45);
    EXPECT_DOUBLE_EQ(mmc_small_attribute(4, 0, 1, 3, .1), .05);
    EXPECT_DOUBLE_EQ(mmc_small_attribute(4, 2, .5, 3, .1), .975);
    EXPECT_DOUBLE_EQ(mmc_small_attribute(4, -2, .5, 3, .1), -.975);
    EXPECT_DOUBLE_EQ(mmc_small_attribute(4, 2, .5, 12, .1), .4875);
}

TEST(SmallData, PredictiveAttributesFollowTheLabel) {
    for (unsigned predictive = 1; predictive <= 3; predictive++) {
        const Data d(4000, 8, .1, 7, MMC_SMALL_TEST, predictive);
        int agree0 = 0, agree4 = 0, ones = 0, slabs[5] = {};
        for (int n = 0; n < d.samples; n++) {
            const float *x = d.x + n * d.inputs;
            const int label = int(d.y[n]), s = slab(4, double(x[1]), d.inputs);
            ASSERT_LE(std::abs(s), 2);
            slabs[s + 2]++;
            ones += label;
            agree0 += (x[0] > 0) == (label == 1);
            agree4 += (s % 2 == 0) == (label == 1);
        }
        EXPECT_NEAR(ones, 2000, 130);
        EXPECT_EQ(agree0, predictive & MMC_SMALL_K0 ? 4000 : agree0);
        EXPECT_EQ(agree4, predictive & MMC_SMALL_K4 ? 4000 : agree4);
        if (!(predictive & MMC_SMALL_K0))
            EXPECT_NEAR(agree0, 2000, 130);
        if (!(predictive & MMC_SMALL_K4))
            EXPECT_NEAR(agree4, 2000, 130);
        for (int i = 0; i < 5; i++)
            EXPECT_NEAR(slabs[i], i % 2 ? 1000 : 667, 110) << "slab " << i - 2;
    }
}

TEST(SmallData, InterveningChangesTheLatentOfOneAttributeAndNothingElse) {
    const Data both(3000, 9, .1, 3, MMC_SMALL_TEST, MMC_SMALL_BOTH), k0(3000, 9, .1, 3, MMC_SMALL_TEST, MMC_SMALL_K0);
    int changed = 0;
    for (int n = 0; n < both.samples; n++) {
        const float *a = both.x + n * 9, *b = k0.x + n * 9;
        ASSERT_EQ(both.y[n], k0.y[n]);
        for (int d = 0; d < 9; d++)
            if (d != 1)
                ASSERT_EQ(a[d], b[d]) << n << ", " << d;
        const int from = slab(4, double(a[1]), 9), to = slab(4, double(b[1]), 9);
        changed += from != to;
        if (from == to) // the same latent with the same u
            ASSERT_EQ(a[1], b[1]);
    }
    // half of the labels change; else of 2 or 3 latents one is drawn again
    EXPECT_NEAR(changed, 3000 * (.5 + .25 * (1 / 2. + 2 / 3.)), 120);
}

TEST(SmallData, SplitsAndSeedsDiffer) {
    const Data a(50, 8, .1, 1, MMC_SMALL_TRAIN, 3), b(50, 8, .1, 1, MMC_SMALL_TEST, 3),
        c(50, 8, .1, 2, MMC_SMALL_TRAIN, 3), more(80, 8, .1, 1, MMC_SMALL_TRAIN, 3);
    EXPECT_NE(std::vector<float>(a.x, a.x + 400), std::vector<float>(b.x, b.x + 400));
    EXPECT_NE(std::vector<float>(a.x, a.x + 400), std::vector<float>(c.x, c.x + 400));
    EXPECT_EQ(std::vector<float>(a.x, a.x + 400), std::vector<float>(more.x, more.x + 400)); // not of how many
}

TEST(SmallModel, LearnsTheAttributeThatItsDataLetItLearn) {
    Cpu cpu(2);
    mmc_small_config c = toy();
    c.epochs = 60;
    const std::vector<mmc_small_model> models = {
        {MMC_SMALL_K0, 0, 1}, {MMC_SMALL_K4, 0, 1}, {MMC_SMALL_BOTH, 0, 1}, {MMC_SMALL_K4, 1, 1}};
    State s(c, models);
    ASSERT_EQ(mmc_small_train(&s, cpu.be, &c, models.data(), nullptr), MMC_OK) << mmc_error_message();
    const Data both(c.test, c.inputs, c.margin, 1, MMC_SMALL_TEST, MMC_SMALL_BOTH),
        k0(c.test, c.inputs, c.margin, 1, MMC_SMALL_TEST, MMC_SMALL_K0),
        k4(c.test, c.inputs, c.margin, 1, MMC_SMALL_TEST, MMC_SMALL_K4);
    mmc_small_score on_both[4], on_k0[4], on_k4[4];
    ASSERT_EQ(mmc_small_evaluate(on_both, cpu.be, &c, s.w, 4, &both, nullptr), MMC_OK);
    ASSERT_EQ(mmc_small_evaluate(on_k0, cpu.be, &c, s.w, 4, &k0, nullptr), MMC_OK);
    ASSERT_EQ(mmc_small_evaluate(on_k4, cpu.be, &c, s.w, 4, &k4, nullptr), MMC_OK);
    EXPECT_GT(on_k0[0].accuracy, .99);
    EXPECT_GT(on_k4[1].accuracy, .75);
    EXPECT_GT(on_k4[3].accuracy, .75);
    EXPECT_GT(on_both[2].accuracy, .99);
    // which attribute each relies on
    EXPECT_LT(on_k4[0].accuracy, .6);
    EXPECT_LT(on_k0[1].accuracy, .6);
    EXPECT_LT(std::fabs(on_k0[0].loss - on_both[0].loss), .02 * (on_k4[0].loss - on_both[0].loss));
}

std::vector<float> trained(const mmc_small_config &c, const std::vector<mmc_small_model> &models, int threads) {
    Cpu cpu(threads);
    State s(c, models);
    EXPECT_EQ(mmc_small_train(&s, cpu.be, &c, models.data(), nullptr), MMC_OK);
    const size_t size = models.size() * mmc_small_weights(&c);
    return {s.w, s.w + size};
}

TEST(SmallModel, LearnsByTheLogisticLossToo) {
    Cpu cpu;
    mmc_small_config c = toy();
    ASSERT_EQ(mmc_small_config_set(&c, "loss=logistic"), MMC_OK);
    c.epochs = 30;
    const std::vector<mmc_small_model> models = {{MMC_SMALL_K0, 0, 1}};
    State s(c, models);
    ASSERT_EQ(mmc_small_train(&s, cpu.be, &c, models.data(), nullptr), MMC_OK) << mmc_error_message();
    const Data k0(c.test, c.inputs, c.margin, 1, MMC_SMALL_TEST, MMC_SMALL_K0);
    mmc_small_score score;
    ASSERT_EQ(mmc_small_evaluate(&score, cpu.be, &c, s.w, 1, &k0, nullptr), MMC_OK);
    EXPECT_GT(score.accuracy, .99);
    EXPECT_LT(score.loss, .3); // log 2 = .69 at the start
}

TEST(SmallModel, SettingsAreReadFromText) {
    mmc_small_config c = mmc_small_defaults();
    for (const char *text : {"inputs=64", "hidden=100", "train=300", "test=200", "margin=.25", "bias=.5", "start=.01",
                             "epochs=7", "batch=16", "lr=1e2", "momentum=0", "loss=squared"})
        EXPECT_EQ(mmc_small_config_set(&c, text), MMC_OK) << mmc_error_message();
    EXPECT_EQ(c.inputs + c.hidden + c.train + c.test + c.epochs + c.batch, 64 + 100 + 300 + 200 + 7 + 16);
    EXPECT_EQ(c.margin, .25);
    EXPECT_EQ(c.bias, .5);
    EXPECT_EQ(c.start, .01);
    EXPECT_EQ(c.lr, 100);
    EXPECT_EQ(c.momentum, 0);
    EXPECT_EQ(mmc_small_config_check(&c), MMC_OK);
    for (const char *text : {"", "hidden", "=3", "units=3", "hid=3", "loss", "loss=l1"})
        EXPECT_EQ(mmc_small_config_set(&c, text), MMC_ERR_USAGE) << text;
    for (const char *text : {"hidden=", "hidden=3.5", "hidden=3x", "hidden=1e300", "lr=nan", "lr=inf", "lr=x"})
        EXPECT_EQ(mmc_small_config_set(&c, text), MMC_ERR_RANGE) << text;
}

TEST(SmallModel, DoesNotDependOnThreadsNorOnWhatIsTrainedBesideIt) {
    const mmc_small_config c = toy();
    const mmc_small_model a = {MMC_SMALL_K0, 0, 5}, b = {MMC_SMALL_K4, 1, 5}, d = {MMC_SMALL_BOTH, 0, 6};
    const size_t size = mmc_small_weights(&c);
    const std::vector<float> together = trained(c, {a, b, d}, 3), alone = trained(c, {b}, 1);
    EXPECT_EQ(std::vector<float>(together.begin() + long(size), together.begin() + 2 * long(size)), alone);
    EXPECT_NE(std::vector<float>(together.begin(), together.begin() + long(size)), alone);
}

volatile sig_atomic_t interrupted;

void stop_after_two(void *, const mmc_progress_event *e) {
    interrupted = e->epoch == 2;
}

TEST(SmallModel, GoesOnWhereItWasInterrupted) {
    Cpu cpu;
    const mmc_small_config c = toy();
    const std::vector<mmc_small_model> models = {{MMC_SMALL_K4, 0, 2}};
    State s(c, models);
    const mmc_progress progress = {stop_after_two, nullptr, &interrupted};
    interrupted = 0;
    EXPECT_EQ(mmc_small_train(&s, cpu.be, &c, models.data(), &progress), MMC_ERR_INTERRUPTED);
    EXPECT_EQ(s.epoch, 2);
    EXPECT_EQ(mmc_small_train(&s, cpu.be, &c, models.data(), nullptr), MMC_OK);
    EXPECT_EQ(s.epoch, c.epochs);
    EXPECT_EQ(std::vector<float>(s.w, s.w + mmc_small_weights(&c)), trained(c, models, 1));
}

TEST(SmallModel, SaysWhatItCannotTrain) {
    Cpu cpu;
    mmc_small_config c = toy();
    const std::vector<mmc_small_model> models = {{MMC_SMALL_K4, 0, 2}};
    c.lr = 1e30;
    State s(c, models);
    EXPECT_EQ(mmc_small_train(&s, cpu.be, &c, models.data(), nullptr), MMC_ERR_WRONG);
    EXPECT_NE(std::string(mmc_error_message()).find("theta_4"), std::string::npos) << mmc_error_message();
    for (auto spoil : std::vector<void (*)(mmc_small_config &)>{
             [](mmc_small_config &x) { x.margin = .6; }, [](mmc_small_config &x) { x.hidden = 41; },
             [](mmc_small_config &x) { x.inputs = 1; }, [](mmc_small_config &x) { x.momentum = 1; },
             [](mmc_small_config &x) { x.lr = 0; }, [](mmc_small_config &x) { x.start = NAN; },
             [](mmc_small_config &x) { x.batch = 0; }, [](mmc_small_config &x) { x.train = 0; }}) {
        mmc_small_config bad = toy();
        spoil(bad);
        mmc_small_state none;
        EXPECT_EQ(mmc_small_state_open(&none, &bad, models.data(), 1), MMC_ERR_RANGE);
        EXPECT_STRNE(mmc_error_message(), "");
    }
    mmc_small_output output;
    EXPECT_EQ(mmc_small_output_parse(&output, "ones"), MMC_OK);
    EXPECT_EQ(output, MMC_SMALL_ONES);
    EXPECT_EQ(mmc_small_output_parse(&output, "two"), MMC_ERR_USAGE);
}

// f is convex where a = 1: it lies below .5 on a convex set. Whatever it has learnt, a point between two of class 0 is
// taken for class 0, so the slab s = 0 of K = 4 is lost.
TEST(SmallModel, TheLiteralFormIsConvex) {
    Cpu cpu;
    mmc_small_config c = toy();
    c.output = MMC_SMALL_ONES;
    c.epochs = 20;
    EXPECT_EQ(mmc_small_weights(&c), size_t(c.inputs) * size_t(c.hidden)); // no bias row
    const std::vector<mmc_small_model> models = {{MMC_SMALL_K4, 0, 1}};
    State s(c, models);
    ASSERT_EQ(mmc_small_train(&s, cpu.be, &c, models.data(), nullptr), MMC_OK);
    Data d(300, c.inputs, c.margin, 1, MMC_SMALL_TEST, MMC_SMALL_K4);
    for (int n = 0; n < 100; n++) // 100 segments: two ends and their middle
        for (int i = 0; i < c.inputs; i++)
            d.x[(200 + n) * c.inputs + i] = (d.x[n * c.inputs + i] + d.x[(100 + n) * c.inputs + i]) / 2;
    std::vector<float> f(300);
    ASSERT_EQ(mmc_small_outputs(f.data(), cpu.be, &c, s.w, 1, &d), MMC_OK);
    for (size_t n = 0; n < 100; n++)
        EXPECT_LE(f[200 + n], (f[n] + f[100 + n]) / 2 + 1e-5f);
}

TEST(SmallMatch, FindsAHiddenPermutationAndKeepsTheFunction) {
    Cpu cpu(2);
    for (mmc_small_output output : {MMC_SMALL_PM1, MMC_SMALL_ONES}) {
        mmc_small_config c = toy();
        c.output = output;
        const std::vector<mmc_small_model> models = {{MMC_SMALL_K4, 0, 1}};
        State s(c, models);
        const size_t units = size_t(c.hidden), rows = mmc_small_weights(&c) / units;
        std::vector<int32_t> hidden(units), found(units);
        std::iota(hidden.begin(), hidden.end(), 0);
        const auto half = hidden.begin() + (output == MMC_SMALL_ONES ? long(units) : long(units / 2));
        std::rotate(hidden.begin(), hidden.begin() + 3, half); // units of equal a change places, no others
        std::reverse(half, hidden.end());
        // the model: unit hidden[i] is the target's unit i, and a little noise
        std::vector<float> w(rows * units), permuted(rows * units);
        for (size_t d = 0; d < rows; d++)
            for (size_t i = 0; i < units; i++)
                w[d * units + size_t(hidden[i])] = s.w[d * units + i] * (1 + .01f * std::sin(float(d * units + i)));
        for (int32_t samples : {1100, 640}) { // whole blocks and a rest; a rest alone
            const Data train(samples, c.inputs, c.margin, 1, MMC_SMALL_TRAIN, MMC_SMALL_BOTH);
            mmc_small_match_result r;
            ASSERT_EQ(mmc_small_match(&r, permuted.data(), found.data(), cpu.be, &c, s.w, w.data(), &train), MMC_OK)
                << mmc_error_message();
            EXPECT_EQ(found, hidden);
            EXPECT_EQ(r.duality_gap, 0);
            EXPECT_GT(r.score, .99 * c.hidden);
            EXPECT_EQ(r.samples, samples);
            for (size_t i = 0; i < permuted.size(); i++)
                ASSERT_NEAR(permuted[i], s.w[i], .02);
        }
    }
}

TEST(SmallMatch, AgreesWithTheReference) {
    const mmc_small_config c = toy();
    const std::vector<mmc_small_model> models = {{MMC_SMALL_K4, 0, 1}, {MMC_SMALL_K4, 1, 1}};
    const std::vector<float> w = trained(c, models, 1);
    const size_t size = mmc_small_weights(&c);
    const Data train(c.train, c.inputs, c.margin, 1, MMC_SMALL_TRAIN, MMC_SMALL_BOTH);
    std::vector<int32_t> first;
    double score = 0;
    for (const char *provider : {"reference", "own"}) {
        Cpu cpu(1, provider);
        std::vector<float> permuted(size);
        std::vector<int32_t> found(size_t(c.hidden));
        mmc_small_match_result r;
        ASSERT_EQ(mmc_small_match(&r, permuted.data(), found.data(), cpu.be, &c, w.data(), w.data() + size, &train),
                  MMC_OK)
            << mmc_error_message();
        if (first.empty()) {
            first = found;
            score = r.score;
        }
        EXPECT_EQ(found, first);
        EXPECT_NEAR(r.score, score, 1e-4);
    }
}

TEST(SmallMatch, BrokenWeightsAreToldNotMatched) {
    Cpu cpu;
    const mmc_small_config c = toy();
    const std::vector<mmc_small_model> models = {{MMC_SMALL_K4, 0, 1}};
    State s(c, models);
    std::vector<float> w(s.w, s.w + mmc_small_weights(&c)), permuted(w.size());
    std::vector<int32_t> found(size_t(c.hidden));
    w[7] = NAN;
    const Data train(200, c.inputs, c.margin, 1, MMC_SMALL_TRAIN, MMC_SMALL_BOTH);
    mmc_small_match_result r;
    EXPECT_EQ(mmc_small_match(&r, permuted.data(), found.data(), cpu.be, &c, s.w, w.data(), &train), MMC_ERR_WRONG);
}

TEST(SmallMatch, DistanceOfPatternsIsTheMeanOfDifferences) {
    const float a[] = {.5f, .25f, 1}, b[] = {.25f, .75f, 1};
    EXPECT_DOUBLE_EQ(mmc_small_pattern_distance(a, b, 3), .25);
}

} // namespace
