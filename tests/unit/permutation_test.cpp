#include "runtime/backend.h"
#include "runtime/network.h"
#include "runtime/permutation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace {

class Model {
  public:
    Model(mmc_arch arch, int width) {
        mmc_model_spec spec = {arch, width, 10, 32};
        EXPECT_EQ(mmc_model_create(&model, &spec), MMC_OK);
        mmc_permutation_groups_of(&groups, model);
    }
    ~Model() {
        mmc_model_free(model);
    }
    Model(const Model &) = delete;
    Model &operator=(const Model &) = delete;

    // Weights as at the start of training, but no two units alike in their batch norms.
    std::vector<float> state(uint64_t seed) const {
        std::vector<float> s(model->state_count);
        mmc_model_init(model, s.data(), seed, MMC_RNG_INIT, 0);
        for (int i = 0; i < model->unit_count; i++) {
            const mmc_unit_info &u = model->units[i];
            for (size_t at : {u.gamma, u.beta, u.mean, u.var})
                for (int k = 0; k < u.k; k++)
                    s[at + k] += .3f * mmc_rng_uniform(mmc_rng_at(seed, MMC_RNG_TOY, uint32_t(i), at + k));
        }
        return s;
    }
    std::vector<int32_t> shuffled(uint64_t seed) const {
        std::vector<int32_t> p(groups.total);
        for (int g = 0; g < groups.count; g++)
            mmc_rng_permutation(&p[groups.group[g].first], size_t(groups.group[g].units), seed, MMC_RNG_TOY,
                                uint32_t(g));
        return p;
    }
    std::vector<float> logits(const std::vector<float> &state) const {
        const int n = 3;
        mmc_backend_options options = {"cpu", "reference", nullptr, 0, 1};
        mmc_backend *be = nullptr;
        mmc_network *net = nullptr;
        std::vector<float> images(size_t(n) * 3 * 32 * 32), out(size_t(n) * 10);
        for (size_t i = 0; i < images.size(); i++)
            images[i] = 2 * mmc_rng_uniform(mmc_rng_at(5, MMC_RNG_TOY, 0, i)) - 1;
        EXPECT_EQ(mmc_backend_open(&be, &options), MMC_OK);
        EXPECT_EQ(mmc_network_create(&net, be, model, MMC_NETWORK_EVAL, n, 1), MMC_OK);
        EXPECT_EQ(mmc_network_load(net, state.data(), 1), MMC_OK);
        EXPECT_EQ(mmc_network_images(net, images.data(), n), MMC_OK);
        EXPECT_EQ(mmc_network_forward(net), MMC_OK);
        EXPECT_EQ(be->memory->download(be, out.data(), mmc_network_logits(net), out.size() * sizeof(float)), MMC_OK);
        mmc_network_free(net);
        mmc_backend_close(be);
        return out;
    }

    mmc_model *model = nullptr;
    mmc_permutation_groups groups;
};

std::vector<std::string> names(const Model &m) {
    std::vector<std::string> out;
    for (int g = 0; g < m.groups.count; g++)
        out.push_back(m.groups.group[g].name);
    return out;
}

TEST(PermutationGroups, OfResnet18) {
    Model m(MMC_ARCH_RESNET18, 8);
    EXPECT_EQ(names(m), (std::vector<std::string>{"stage1", "layer1.0.conv1", "layer1.1.conv1", "layer2.0.conv1",
                                                  "stage2", "layer2.1.conv1", "layer3.0.conv1", "stage3",
                                                  "layer3.1.conv1", "layer4.0.conv1", "stage4", "layer4.1.conv1"}));
    const mmc_permutation_group &first = m.groups.group[0], &second = m.groups.group[4];
    EXPECT_STREQ(m.model->units[first.unit].conv, "conv1");
    EXPECT_FALSE(first.relu);
    EXPECT_STREQ(m.model->units[second.unit].conv, "layer2.0.shortcut_conv");
    EXPECT_TRUE(second.relu);
    EXPECT_EQ(second.units, 16);
    EXPECT_EQ(m.groups.total, 3 * (8 + 16 + 32 + 64));
    EXPECT_EQ(m.groups.of_slot[m.model->unit_count], 10); // what the head reads is in the order of stage 4
    EXPECT_EQ(m.groups.of_slot[0], -1);
}

TEST(PermutationGroups, OfVgg13) {
    Model m(MMC_ARCH_VGG13, 5);
    ASSERT_EQ(m.groups.count, 10);
    for (int g = 0; g < 10; g++) {
        EXPECT_EQ(names(m)[g], "layers." + std::to_string(g) + ".conv1");
        EXPECT_EQ(m.groups.group[g].unit, g);
        EXPECT_FALSE(m.groups.group[g].relu);
    }
}

class PermutedModel : public testing::TestWithParam<mmc_arch> {};

TEST_P(PermutedModel, ComputesTheSameFunction) {
    Model m(GetParam(), 4);
    const std::vector<float> state = m.state(1), before = m.logits(state);
    const std::vector<int32_t> p = m.shuffled(2);
    std::vector<float> permuted(state.size(), NAN);
    ASSERT_EQ(mmc_permutation_apply(permuted.data(), state.data(), m.model, &m.groups, p.data()), MMC_OK);
    EXPECT_NE(permuted, state);
    const std::vector<float> after = m.logits(permuted);
    double largest = 0;
    for (float v : before)
        largest = std::max(largest, std::fabs(double(v)));
    for (size_t i = 0; i < before.size(); i++)
        EXPECT_NEAR(after[i], before[i], 1e-5 * largest);
}

TEST_P(PermutedModel, ComposesAndComesBack) {
    Model m(GetParam(), 5);
    const std::vector<float> state = m.state(1);
    const std::vector<int32_t> first = m.shuffled(2), then = m.shuffled(3);
    std::vector<int32_t> both(first.size()), back(first.size()), identity(first.size());
    std::vector<float> once(state.size()), twice(state.size()), at_once(state.size());
    mmc_permutation_compose(both.data(), &m.groups, first.data(), then.data());
    ASSERT_EQ(mmc_permutation_apply(once.data(), state.data(), m.model, &m.groups, first.data()), MMC_OK);
    ASSERT_EQ(mmc_permutation_apply(twice.data(), once.data(), m.model, &m.groups, then.data()), MMC_OK);
    ASSERT_EQ(mmc_permutation_apply(at_once.data(), state.data(), m.model, &m.groups, both.data()), MMC_OK);
    EXPECT_EQ(twice, at_once);
    for (int g = 0; g < m.groups.count; g++)
        for (int i = 0; i < m.groups.group[g].units; i++)
            back[m.groups.group[g].first + first[m.groups.group[g].first + i]] = i;
    ASSERT_EQ(mmc_permutation_apply(twice.data(), once.data(), m.model, &m.groups, back.data()), MMC_OK);
    EXPECT_EQ(twice, state);
    mmc_permutation_identity(identity.data(), &m.groups);
    ASSERT_EQ(mmc_permutation_apply(twice.data(), state.data(), m.model, &m.groups, identity.data()), MMC_OK);
    EXPECT_EQ(twice, state);
}

TEST_P(PermutedModel, RefusesWhatIsNoPermutation) {
    Model m(GetParam(), 4);
    const std::vector<float> state = m.state(1);
    std::vector<float> out(state.size());
    for (int32_t wrong : {-1, 4, 0}) { // below, above, twice
        std::vector<int32_t> p(m.groups.total);
        mmc_permutation_identity(p.data(), &m.groups);
        p[1] = wrong;
        EXPECT_EQ(mmc_permutation_apply(out.data(), state.data(), m.model, &m.groups, p.data()), MMC_ERR_WRONG);
        EXPECT_NE(std::string(mmc_error_message()).find(m.groups.group[0].name), std::string::npos);
    }
}

INSTANTIATE_TEST_SUITE_P(Both, PermutedModel, testing::Values(MMC_ARCH_RESNET18, MMC_ARCH_VGG13),
                         [](const auto &info) { return std::string(mmc_arch_name(info.param)); });

} // namespace
