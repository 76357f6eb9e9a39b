// Tables of the two networks: names, shapes, connections, counts, initial weights.
#include "runtime/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

struct Model {
    explicit Model(mmc_arch arch, int width = 8, int classes = 10, int height = 32) {
        mmc_model_spec spec = {arch, width, classes, height};
        EXPECT_EQ(mmc_model_create(&m, &spec), MMC_OK) << mmc_error_message();
    }
    ~Model() {
        mmc_model_free(m);
    }
    Model(const Model &) = delete;
    Model &operator=(const Model &) = delete;
    mmc_model *operator->() const {
        return m;
    }
    mmc_model *m = nullptr;
};

} // namespace

TEST(Model, CountsAreThoseOfThePaperAtFullWidth) {
    Model resnet(MMC_ARCH_RESNET18, 64), vgg(MMC_ARCH_VGG13, 64), tall(MMC_ARCH_RESNET18, 64, 10, 64);
    EXPECT_EQ(resnet->parameter_count, 11173962u);
    EXPECT_EQ(vgg->parameter_count, 9413066u);
    EXPECT_EQ(resnet->unit_count, 20);
    EXPECT_EQ(vgg->unit_count, 10);
    EXPECT_NEAR(mmc_model_flop(resnet.m), 1.1108e9, 1e5);
    EXPECT_NEAR(mmc_model_flop(vgg.m), 0.2300e9, 1e5);
    EXPECT_NEAR(mmc_model_flop(tall.m), 2.2217e9, 1e5);
}

TEST(Model, StateIsDenseParametersFirst) {
    for (mmc_arch arch : {MMC_ARCH_RESNET18, MMC_ARCH_VGG13}) {
        Model model(arch, 5, 100);
        size_t at = 0;
        std::set<std::string> names;
        for (int i = 0; i < model->tensor_count; i++) {
            const mmc_tensor_info &t = model->tensors[i];
            EXPECT_EQ(t.offset, at) << t.name;
            bool running = t.role == MMC_ROLE_RUNNING_MEAN || t.role == MMC_ROLE_RUNNING_VAR;
            EXPECT_EQ(running, at >= model->parameter_count) << t.name;
            EXPECT_TRUE(names.insert(t.name).second) << t.name;
            at += t.count;
        }
        EXPECT_EQ(at, model->state_count);
    }
}

TEST(Model, NamesAndShapesAreTheReferencePrograms) {
    Model resnet(MMC_ARCH_RESNET18, 8), vgg(MMC_ARCH_VGG13, 4, 7);
    auto find = [](const mmc_model *m, const std::string &name) {
        for (int i = 0; i < m->tensor_count; i++)
            if (name == m->tensors[i].name)
                return std::vector<int>(m->tensors[i].shape, m->tensors[i].shape + m->tensors[i].rank);
        return std::vector<int>();
    };
    EXPECT_EQ(find(resnet.m, "conv1.weight"), (std::vector<int>{8, 3, 3, 3}));
    EXPECT_EQ(find(resnet.m, "bn1.running_var"), (std::vector<int>{8}));
    EXPECT_EQ(find(resnet.m, "layer2.0.conv1.weight"), (std::vector<int>{16, 8, 3, 3}));
    EXPECT_EQ(find(resnet.m, "layer2.0.shortcut_conv.weight"), (std::vector<int>{16, 8, 1, 1}));
    EXPECT_EQ(find(resnet.m, "layer4.0.shortcut_bn.bias"), (std::vector<int>{64}));
    EXPECT_EQ(find(resnet.m, "layer4.1.bn2.weight"), (std::vector<int>{64}));
    EXPECT_EQ(find(resnet.m, "linear.weight"), (std::vector<int>{10, 64}));
    EXPECT_TRUE(find(resnet.m, "layer1.0.shortcut_conv.weight").empty());
    EXPECT_EQ(find(vgg.m, "layers.0.conv1.weight"), (std::vector<int>{4, 3, 3, 3}));
    EXPECT_EQ(find(vgg.m, "layers.9.conv1.weight"), (std::vector<int>{32, 32, 3, 3}));
    EXPECT_EQ(find(vgg.m, "layers.9.bn1.running_mean"), (std::vector<int>{32}));
    EXPECT_EQ(find(vgg.m, "linear.bias"), (std::vector<int>{7}));
    EXPECT_TRUE(find(vgg.m, "layers.10.conv1.weight").empty());
}

TEST(Model, UnitsReadWhatWasWrittenBeforeInTheirShape) {
    for (mmc_arch arch : {MMC_ARCH_RESNET18, MMC_ARCH_VGG13}) {
        Model model(arch, 4, 10, 64);
        std::vector<std::vector<int>> slot = {{3, 64, 32}};
        for (int i = 0; i < model->unit_count; i++) {
            const mmc_unit_info &u = model->units[i];
            ASSERT_LE(u.input, i);
            EXPECT_EQ(slot[static_cast<size_t>(u.input)], (std::vector<int>{u.c, u.h, u.w})) << u.conv;
            std::vector<int> made = {u.k, (u.h - 1) / u.stride + 1, (u.w - 1) / u.stride + 1};
            if (u.residual >= 0) {
                EXPECT_EQ(slot[static_cast<size_t>(u.residual)], made) << u.conv;
            }
            slot.push_back(made);
        }
        EXPECT_EQ(slot.back()[0], model->features);
    }
}

TEST(Model, InitialWeightsFollowTheLawAndTheSeed) {
    Model model(MMC_ARCH_RESNET18, 16);
    std::vector<float> a(model->state_count), b(a), c(a), bend(a);
    mmc_model_init(model.m, a.data(), 1, MMC_RNG_INIT, 0);
    mmc_model_init(model.m, b.data(), 1, MMC_RNG_INIT, 0);
    mmc_model_init(model.m, c.data(), 2, MMC_RNG_INIT, 0);
    mmc_model_init(model.m, bend.data(), 1, MMC_RNG_BEND, 1);
    EXPECT_EQ(a, b);
    for (int i = 0; i < model->tensor_count; i++) {
        const mmc_tensor_info &t = model->tensors[i];
        auto first = a.begin() + static_cast<long>(t.offset), last = first + static_cast<long>(t.count);
        if (t.fan_in == 0) {
            float value = t.role == MMC_ROLE_SCALE || t.role == MMC_ROLE_RUNNING_VAR ? 1.0f : 0.0f;
            EXPECT_EQ(std::count(first, last, value), static_cast<long>(t.count)) << t.name;
            continue;
        }
        double bound = 1 / std::sqrt(t.fan_in), square = 0;
        for (auto v = first; v != last; ++v) {
            ASSERT_LE(std::fabs(*v), bound * (1 + 1e-6)) << t.name;
            square += static_cast<double>(*v) * *v;
        }
        EXPECT_FALSE(std::equal(first, last, c.begin() + static_cast<long>(t.offset))) << t.name;
        EXPECT_FALSE(std::equal(first, last, bend.begin() + static_cast<long>(t.offset))) << t.name;
        if (t.count >= 1000) {
            EXPECT_NEAR(square / static_cast<double>(t.count), bound * bound / 3, 0.05 * bound * bound) << t.name;
        }
    }
}

TEST(Model, ValuesOutOfRangeAreNamed) {
    mmc_model *m = nullptr;
    mmc_model_spec spec = {MMC_ARCH_RESNET18, 3, 10, 32};
    EXPECT_EQ(mmc_model_create(&m, &spec), MMC_ERR_RANGE);
    EXPECT_NE(std::string(mmc_error_message()).find("width 3"), std::string::npos);
    EXPECT_EQ(m, nullptr);
    spec = {MMC_ARCH_RESNET18, 8, 1, 32};
    EXPECT_EQ(mmc_model_create(&m, &spec), MMC_ERR_RANGE);
    spec = {MMC_ARCH_RESNET18, 8, 10, 48};
    EXPECT_EQ(mmc_model_create(&m, &spec), MMC_ERR_RANGE);
    mmc_arch arch;
    EXPECT_EQ(mmc_arch_parse(&arch, "vgg13"), MMC_OK);
    EXPECT_EQ(arch, MMC_ARCH_VGG13);
    EXPECT_EQ(mmc_arch_parse(&arch, "alexnet"), MMC_ERR_USAGE);
    EXPECT_NE(std::string(mmc_error_message()).find("resnet18"), std::string::npos);
}
