// Two trained models matched unit by unit, by every method, against golden numbers.
#include "runtime/counterfactual.h"
#include "runtime/images.h"
#include "runtime/match.h"
#include "tests/golden/device.h"
#include "tests/golden/golden.h"
#include "tests/golden/toy_data.h"

#include <cmath>
#include <numeric>
#include <tuple>

namespace {

using golden::check;

/* The slow build tries more permutations, also of networks of the paper's width. */
#ifdef MMC_SLOW
const bool slow = true;
#else
const bool slow = false;
#endif

class MatchGolden : public testing::TestWithParam<std::tuple<const char *, const char *>> {
  protected:
    std::string arch() const {
        return std::get<0>(GetParam());
    }
};

struct Models {
    Models(const golden::File &match, const golden::File &ends, const golden::File &images, int count)
        : data(images, match.setting("kind"), first(count)),
          model(arch_of(match), match.width(), 10, data.get()->height), target(ends.state(model, "theta_NC/")),
          state(ends.state(model, "theta_C/")) {
    }
    /* An untrained network, batch norm left as it starts. */
    Models(mmc_arch arch, int width, const golden::File &images)
        : data(images, "cifar10-box", first(128)), model(arch, width, 10, 32),
          state(static_cast<mmc_model *>(model)->state_count) {
        mmc_model_init(model, state.data(), 1, MMC_RNG_INIT, 0);
        target = state;
    }
    static mmc_arch arch_of(const golden::File &match) {
        mmc_arch arch;
        check(mmc_arch_parse(&arch, match.setting("arch").c_str()));
        return arch;
    }
    static std::vector<int32_t> first(int count) {
        std::vector<int32_t> out(count);
        std::iota(out.begin(), out.end(), 0);
        return out;
    }

    golden::ToyData data;
    golden::Model model;
    std::vector<float> target, state;
};

// Logits of a state on the first images of the pool, without cue.
std::vector<float> logits(const golden::Backend &be, const Models &m, const std::vector<float> &state) {
    const int n = 5;
    mmc_network *net = nullptr;
    mmc_images images = {};
    std::vector<mmc_sample> samples(m.data.get()->train.count);
    std::vector<float> out(n * 10);
    check(mmc_counterfactual_samples(samples.data(), m.data.get(), MMC_SPLIT_TRAIN, MMC_SET_NC, nullptr, nullptr, 0));
    golden::Device<float> weights(be, state);
    golden::Device<mmc_sample> device(be, samples);
    check(mmc_images_upload(&images, be, m.data.get(), MMC_SPLIT_TRAIN));
    check(mmc_network_create(&net, be, m.model, MMC_NETWORK_EVAL, n, 1));
    check(mmc_network_load(net, weights.get(), 1));
    check(mmc_network_render(net, &images.store, device.get(), n));
    check(mmc_network_forward(net));
    check(be->memory->download(be, out.data(), mmc_network_logits(net), out.size() * sizeof(float)));
    mmc_network_free(net);
    mmc_images_close(&images);
    return out;
}

// Groups with a clear optimum get exactly the stored permutation, all reach the stored score; the function stays.
void expect_match(const golden::File &match, const std::string &prefix, const golden::Backend &be, const Models &m,
                  const mmc_match_config &config) {
    mmc_match_result result;
    ASSERT_EQ(mmc_match(&result, be, m.model, m.data.get(), &config, m.target.data(), m.state.data(), nullptr), MMC_OK)
        << mmc_error_message();
    EXPECT_GT(result.largest_logit, 0);
    EXPECT_LE(result.max_logit_difference, 1e-4 * result.largest_logit);
    const std::vector<uint8_t> certain = match.u8(prefix + "/certain");
    std::vector<double> score;
    int compared = 0;
    ASSERT_EQ(int(certain.size()), result.groups.count);
    for (int g = 0; g < result.groups.count; g++) {
        const mmc_permutation_group &group = result.groups.group[g];
        const int32_t *first = result.permutation + group.first;
        score.push_back(result.score[g].score);
        EXPECT_EQ(result.score[g].gap, 0) << group.name;
        if (certain[g]) {
            EXPECT_EQ(std::vector<int32_t>(first, first + group.units), match.i32(prefix + "/perm/" + group.name))
                << group.name;
            compared++;
        }
    }
    EXPECT_GT(compared, 0);
    golden::expect_near(match, prefix + "/score", score.data(), score.size());
    const std::vector<float> after =
        logits(be, m, std::vector<float>(result.state, result.state + m.model->state_count));
    golden::expect_near(match, prefix + "/logits", after.data(), after.size());
    if (prefix == "weights") {
        const std::vector<double> sums = match.f64("weights/sums");
        EXPECT_NEAR(result.weight.before, sums.front(), match.tolerance("weights/sums"));
        EXPECT_NEAR(result.weight.after, sums.back(), match.tolerance("weights/sums"));
        EXPECT_EQ(result.weight.sweeps, int(sums.size()) - 1);
    }
    mmc_match_result_close(&result);
}

TEST_P(MatchGolden, EveryMethod) {
    GOLDEN_OR_SKIP(match, "match_" + arch());
    GOLDEN_OR_SKIP(ends, "endpoints_" + arch());
    GOLDEN_OR_SKIP(images, "images");
    golden::Backend be(std::get<1>(GetParam()));
    check(be.status());
    Models all(match, ends, images, 256), two(match, ends, images, 128);
    mmc_match_config config = mmc_match_defaults();
    {
        SCOPED_TRACE("exact");
        expect_match(match, "exact", be, all, config);
        config.batch = 100; // a last batch of 56
        expect_match(match, "exact", be, all, config);
    }
    config.batch = 64;
    config.method = MMC_MATCH_ACTIVATION_AUTHORS;
    {
        SCOPED_TRACE("the authors' way, two batches");
        expect_match(match, "reference_two", be, two, config);
    }
    {
        SCOPED_TRACE("the authors' way, one batch");
        config.author_batches = 1;
        expect_match(match, "reference_one", be, two, config);
    }
    {
        SCOPED_TRACE("weights");
        config.method = MMC_MATCH_WEIGHT;
        config.starts = 1;
        expect_match(match, "weights", be, all, config);
    }
}

// --- permutations that are known: a network shuffled at random, its weights disturbed by 1% ---

struct Hidden {
    Hidden(const Models &m, const std::vector<float> &target, uint64_t seed) : state(target.size()) {
        mmc_permutation_groups_of(&groups, m.model);
        std::vector<int32_t> shuffle(groups.total);
        truth.resize(groups.total);
        for (int g = 0; g < groups.count; g++) {
            const int first = groups.group[g].first, units = groups.group[g].units;
            mmc_rng_permutation(&shuffle[first], size_t(units), seed, MMC_RNG_TOY, uint32_t(g));
            for (int i = 0; i < units; i++)
                truth[first + shuffle[first + i]] = i;
        }
        check(mmc_permutation_apply(state.data(), target.data(), m.model, &groups, shuffle.data()));
        for (int i = 0; i < m.model->tensor_count; i++) {
            const mmc_tensor_info &t = m.model->tensors[i];
            if (t.role != MMC_ROLE_CONV && t.role != MMC_ROLE_LINEAR_WEIGHT)
                continue;
            double square = 0;
            for (size_t j = 0; j < t.count; j++)
                square += double(state[t.offset + j]) * state[t.offset + j];
            const float noise = 0.01f * std::sqrt(3.0f * float(square / double(t.count)));
            for (size_t j = 0; j < t.count; j++)
                state[t.offset + j] +=
                    noise * (2 * mmc_rng_uniform(mmc_rng_at(seed, MMC_RNG_TOY, 1000 + uint32_t(i), j)) - 1);
        }
    }

    // What matching a model with itself scores: the number of its units that are not constant.
    std::vector<int> alive(const golden::Backend &be, const Models &m, const std::vector<float> &model) const {
        const mmc_match_config config = mmc_match_defaults();
        mmc_match_result r;
        check(mmc_match(&r, be, m.model, m.data.get(), &config, model.data(), model.data(), nullptr));
        std::vector<int> out;
        for (int g = 0; g < groups.count; g++)
            out.push_back(int(std::floor(r.score[g].score + 1e-3)));
        mmc_match_result_close(&r);
        return out;
    }

    mmc_permutation_groups groups;
    std::vector<int32_t> truth;
    std::vector<float> state;
};

double inner(const mmc_model *model, const std::vector<float> &a, const float *b) {
    double sum = 0;
    for (size_t i = 0; i < model->parameter_count; i++)
        sum += double(a[i]) * b[i];
    return sum;
}

void expect_found(const golden::Backend &be, const Models &m, const std::vector<float> &target, uint64_t seed) {
    const Hidden hidden(m, target, seed);
    // The noise kills a unit that hardly ever fires, or wakes one: in neither model can activations tell it.
    const std::vector<int> before = hidden.alive(be, m, target), after = hidden.alive(be, m, hidden.state);
    std::vector<float> restored(target.size());
    check(mmc_permutation_apply(restored.data(), hidden.state.data(), m.model, &hidden.groups, hidden.truth.data()));
    for (mmc_match_method method : {MMC_MATCH_ACTIVATION, MMC_MATCH_WEIGHT}) {
        SCOPED_TRACE(std::string(mmc_match_method_name(method)) + ", seed " + std::to_string(seed));
        mmc_match_config config = mmc_match_defaults();
        mmc_match_result r;
        config.method = method;
        ASSERT_EQ(mmc_match(&r, be, m.model, m.data.get(), &config, target.data(), hidden.state.data(), nullptr),
                  MMC_OK)
            << mmc_error_message();
        for (int g = 0; g < r.groups.count; g++) {
            const mmc_permutation_group &group = r.groups.group[g];
            int found = 0;
            for (int i = 0; i < group.units; i++)
                found += r.permutation[group.first + i] == hidden.truth[group.first + i];
            EXPECT_GE(found, std::min(before[g], after[g])) << group.name;
            EXPECT_EQ(r.score[g].gap, 0) << group.name;
        }
        if (method == MMC_MATCH_WEIGHT) {
            EXPECT_GE(r.weight.after, inner(m.model, target, restored.data()) * (1 - 1e-9));
        }
        mmc_match_result_close(&r);
    }
}

class MatchHidden : public testing::TestWithParam<const char *> {};

TEST_P(MatchHidden, IsFoundAtWidth8) {
    GOLDEN_OR_SKIP(match, std::string("match_") + GetParam());
    GOLDEN_OR_SKIP(ends, std::string("endpoints_") + GetParam());
    GOLDEN_OR_SKIP(images, "images");
    golden::Backend be("own");
    Models m(match, ends, images, slow ? 256 : 128);
    for (uint64_t seed = 1; seed <= (slow ? 100 : 5); seed++)
        expect_found(be, m, m.state, seed);
}

#ifdef MMC_SLOW
// Permutations hidden by the golden files: every certain group is the stored one, and the stored one is the truth.
TEST_P(MatchHidden, IsFoundInTheGoldenFile) {
    GOLDEN_OR_SKIP(hidden, std::string("match_hidden_") + GetParam());
    GOLDEN_OR_SKIP(ends, std::string("endpoints_") + GetParam());
    GOLDEN_OR_SKIP(images, "images");
    golden::Backend be("own");
    Models m(hidden, ends, images, 256);
    m.target = ends.state(m.model, "theta_C/");
    m.state = hidden.state(m.model, "model/");
    mmc_match_config config = mmc_match_defaults();
    config.starts = 1;
    for (const char *prefix : {"exact", "weights"}) {
        SCOPED_TRACE(prefix);
        expect_match(hidden, prefix, be, m, config);
        const std::vector<uint8_t> certain = hidden.u8(std::string(prefix) + "/certain");
        mmc_permutation_groups groups;
        mmc_permutation_groups_of(&groups, m.model);
        for (int g = 0; g < groups.count; g++)
            if (const std::string name = groups.group[g].name; certain[g]) {
                EXPECT_EQ(hidden.i32("truth/" + name), hidden.i32(std::string(prefix) + "/perm/" + name)) << name;
            }
        config.method = MMC_MATCH_WEIGHT;
    }
}

TEST_P(MatchHidden, IsFoundAtWidth64) {
    GOLDEN_OR_SKIP(images, "images");
    mmc_arch arch;
    check(mmc_arch_parse(&arch, GetParam()));
    golden::Backend be("own", 2);
    Models m(arch, 64, images);
    for (uint64_t seed = 1; seed <= 10; seed++)
        expect_found(be, m, m.state, seed);
}
#endif

INSTANTIATE_TEST_SUITE_P(Both, MatchHidden, testing::Values("resnet18", "vgg13"),
                         [](const auto &info) { return std::string(info.param); });

INSTANTIATE_TEST_SUITE_P(Both, MatchGolden,
                         testing::Combine(testing::Values("resnet18", "vgg13"), testing::Values("own", "reference")),
                         [](const auto &info) {
                             return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
                         });

} // namespace
