// Checkpoints: what a file says about its network, and files that do not fit.
#include "runtime/checkpoint.h"
#include "runtime/safetensors.h"

#include "tests/support/temporary_folder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <map>

namespace {

struct Checkpoint : mmc_checkpoint {
    Checkpoint() : mmc_checkpoint{} {
    }
    ~Checkpoint() {
        mmc_checkpoint_close(this);
    }
};

// A new network with its initial weights; the caller's struct owns them.
void make(mmc_checkpoint *c, mmc_arch arch, int width, int classes, int bends, bool plain = true) {
    mmc_model_spec spec = {arch, width, classes, 32};
    ASSERT_EQ(mmc_model_create(&c->model, &spec), MMC_OK);
    auto fill = [&](uint32_t seed) {
        float *state = static_cast<float *>(malloc(c->model->state_count * sizeof(float)));
        mmc_model_init(c->model, state, seed, MMC_RNG_INIT, 0);
        return state;
    };
    if (plain)
        c->state = fill(1);
    for (c->bends = 0; c->bends < bends; c->bends++)
        c->bend[c->bends] = fill(2 + static_cast<uint32_t>(c->bends));
}

// The tensors of a network as an editable list, written by the safetensors writer alone.
struct Editable {
    struct Tensor {
        mmc_dtype dtype = MMC_DTYPE_F32;
        std::vector<int64_t> shape;
        std::string bytes;
    };
    std::map<std::string, Tensor> tensors;
    std::map<std::string, std::string> metadata;

    explicit Editable(mmc_arch arch, const std::string &prefix = "") {
        Checkpoint c;
        make(&c, arch, 4, 10, 0);
        for (int i = 0; i < c.model->tensor_count; i++) {
            const mmc_tensor_info &t = c.model->tensors[i];
            Tensor &to = tensors[prefix + t.name];
            to.shape.assign(t.shape, t.shape + t.rank);
            to.bytes.assign(reinterpret_cast<const char *>(c.state + t.offset), t.count * sizeof(float));
        }
    }
    float *values(const std::string &name) {
        return reinterpret_cast<float *>(tensors.at(name).bytes.data());
    }
    mmc_status read(mmc_checkpoint *out) const {
        TemporaryFolder dir;
        std::vector<mmc_safetensor> list;
        for (const auto &[name, t] : tensors) {
            mmc_safetensor s = {};
            s.name = const_cast<char *>(name.c_str());
            s.dtype = t.dtype;
            s.rank = static_cast<int>(t.shape.size());
            std::copy(t.shape.begin(), t.shape.end(), s.shape);
            s.data = t.bytes.data();
            list.push_back(s);
        }
        std::vector<const char *> keys, texts;
        for (const auto &[k, v] : metadata) {
            keys.push_back(k.c_str());
            texts.push_back(v.c_str());
        }
        std::string path = dir.path("x.safetensors");
        EXPECT_EQ(mmc_safetensors_write(path.c_str(), list.data(), list.size(), keys.data(), texts.data(), keys.size()),
                  MMC_OK)
            << mmc_error_message();
        return mmc_checkpoint_read(out, path.c_str());
    }
};

TEST(Checkpoint, RoundTripOfStateBendsAndMetadata) {
    TemporaryFolder dir;
    for (mmc_arch arch : {MMC_ARCH_RESNET18, MMC_ARCH_VGG13})
        for (int bends : {0, 1, 3}) {
            Checkpoint a, b;
            make(&a, arch, 5, 100, bends);
            strcpy(a.dataset, "cifar100-box");
            strcpy(a.seed, "18446744073709551615");
            strcpy(a.job, "abc");
            ASSERT_EQ(mmc_checkpoint_write(dir.path("c").c_str(), &a), MMC_OK) << mmc_error_message();
            ASSERT_EQ(mmc_checkpoint_read(&b, dir.path("c").c_str()), MMC_OK) << mmc_error_message();
            EXPECT_EQ(b.model->spec.arch, arch);
            EXPECT_EQ(b.model->spec.width, 5);
            EXPECT_EQ(b.model->spec.classes, 100);
            EXPECT_EQ(b.model->spec.height, 32);
            ASSERT_EQ(b.bends, bends);
            size_t bytes = a.model->state_count * sizeof(float);
            EXPECT_EQ(memcmp(a.state, b.state, bytes), 0);
            for (int k = 0; k < bends; k++)
                EXPECT_EQ(memcmp(a.bend[k], b.bend[k], bytes), 0);
            EXPECT_STREQ(b.dataset, "cifar100-box");
            EXPECT_STREQ(b.seed, "18446744073709551615");
            EXPECT_STREQ(b.job, "abc");
            EXPECT_STREQ(b.program, "");
        }
    EXPECT_EQ(dir.entries(), 1u);
}

TEST(Checkpoint, BendsAloneHaveNoState) {
    TemporaryFolder dir;
    Checkpoint a, b;
    make(&a, MMC_ARCH_VGG13, 4, 10, 2, false);
    ASSERT_EQ(mmc_checkpoint_write(dir.path("c").c_str(), &a), MMC_OK);
    ASSERT_EQ(mmc_checkpoint_read(&b, dir.path("c").c_str()), MMC_OK) << mmc_error_message();
    EXPECT_EQ(b.state, nullptr);
    EXPECT_EQ(b.bends, 2);
    EXPECT_STREQ(b.curve, "");
    Checkpoint c;
    ASSERT_EQ(Editable(MMC_ARCH_RESNET18, "mid.1.").read(&c), MMC_OK) << mmc_error_message(); // counted from one
    EXPECT_EQ(c.bends, 1);
}

TEST(Checkpoint, BendsSayWhichCurveTheyBelongTo) {
    TemporaryFolder dir;
    Checkpoint a, b, c;
    make(&a, MMC_ARCH_VGG13, 4, 10, 3, false);
    snprintf(a.curve, sizeof a.curve, "bezier");
    ASSERT_EQ(mmc_checkpoint_write(dir.path("c").c_str(), &a), MMC_OK);
    ASSERT_EQ(mmc_checkpoint_read(&b, dir.path("c").c_str()), MMC_OK) << mmc_error_message();
    EXPECT_STREQ(b.curve, "bezier");
    EXPECT_EQ(b.bends, 3);
    Editable e(MMC_ARCH_RESNET18, "mid.0.");
    e.metadata["bends"] = "2";
    EXPECT_EQ(e.read(&c), MMC_ERR_MISMATCH);
    EXPECT_NE(strstr(mmc_error_message(), "bends 2"), nullptr) << mmc_error_message();
}

TEST(Checkpoint, DominoesAreSixtyFourRowsHigh) {
    Editable e(MMC_ARCH_RESNET18);
    e.metadata["dataset"] = "dominoes";
    Checkpoint c;
    ASSERT_EQ(e.read(&c), MMC_OK);
    EXPECT_EQ(c.model->spec.height, 64);
}

TEST(Checkpoint, UnderstandsAPyTorchFile) {
    for (mmc_arch arch : {MMC_ARCH_RESNET18, MMC_ARCH_VGG13}) {
        Editable e(arch);
        e.metadata["format"] = "pt";
        std::string bn = arch == MMC_ARCH_VGG13 ? "layers.3.bn1" : "layer2.0.shortcut_bn";
        e.tensors[bn + ".num_batches_tracked"] = {MMC_DTYPE_I64, {}, std::string(8, '\1')};
        float *v = e.values("linear.bias");
        std::vector<double> wide(v, v + 10);
        e.tensors["linear.bias"].dtype = MMC_DTYPE_F64;
        e.tensors["linear.bias"].bytes.assign(reinterpret_cast<char *>(wide.data()), 80);
        e.tensors[bn + ".weight"].dtype = MMC_DTYPE_F16;
        e.tensors[bn + ".weight"].bytes.resize(e.tensors[bn + ".weight"].bytes.size() / 2, 0);
        Checkpoint c, plain;
        ASSERT_EQ(e.read(&c), MMC_OK) << mmc_error_message();
        make(&plain, arch, 4, 10, 0);
        EXPECT_EQ(memcmp(c.state + c.model->head_bias, plain.state + plain.model->head_bias, 40), 0);
        EXPECT_STREQ(c.dataset, "");
    }
}

TEST(Checkpoint, FilesThatDoNotFitNameTheTensor) {
    const struct {
        const char *named;
        std::function<void(Editable &)> edit;
    } cases[] = {
        {"layer3.1.bn2.bias", [](Editable &e) { e.tensors.erase("layer3.1.bn2.bias"); }},
        {"extra.weight", [](Editable &e) { e.tensors["extra.weight"] = e.tensors["bn1.bias"]; }},
        {"other.num_batches_tracked",
         [](Editable &e) {
             e.tensors["other.num_batches_tracked"] = {MMC_DTYPE_I64, {}, std::string(8, 0)};
         }},
        {"layer1.0.conv1.weight",
         [](Editable &e) {
             e.tensors["layer1.0.conv1.weight"].shape = {4, 4, 9, 1};
         }},
        {"layer4.0.conv1.weight",
         [](Editable &e) {
             e.tensors["layer4.0.conv1.weight"].shape = {32, 8, 3, 3};
             e.tensors["layer4.0.conv1.weight"].bytes.resize(32 * 8 * 9 * 4);
         }},
        {"layer2.1.conv1.weight holds NaN", [](Editable &e) { e.values("layer2.1.conv1.weight")[7] = NAN; }},
        {"bn1.running_mean holds an infinite", [](Editable &e) { e.values("bn1.running_mean")[1] = INFINITY; }},
        {"bn1.running_var", [](Editable &e) { e.values("bn1.running_var")[3] = -1; }},
        {"bn1.bias", [](Editable &e) { e.tensors["bn1.bias"].dtype = MMC_DTYPE_I32; }},
        {"conv1.weight", [](Editable &e) { e.tensors.erase("conv1.weight"); }},
        {"linear.weight", [](Editable &e) { e.tensors.erase("linear.weight"); }},
        {"width", [](Editable &e) { e.metadata["width"] = "8"; }},
        {"classes", [](Editable &e) { e.metadata["classes"] = "11"; }},
        {"arch", [](Editable &e) { e.metadata["arch"] = "vgg13"; }},
        {"mid.3", [](Editable &e) { e.tensors["mid.3.bn1.bias"] = e.tensors["bn1.bias"]; }},
        {"mid.99.bn1.bias", [](Editable &e) { e.tensors["mid.99.bn1.bias"] = e.tensors["bn1.bias"]; }},
        {"mid.0.conv1.weight", [](Editable &e) { e.tensors["mid.0.bn1.bias"] = e.tensors["bn1.bias"]; }},
        {"mid.x.bn1.bias", [](Editable &e) { e.tensors["mid.x.bn1.bias"] = e.tensors["bn1.bias"]; }},
        {"neither",
         [](Editable &e) {
             auto bias = e.tensors["bn1.bias"];
             e.tensors.clear();
             e.tensors["bn1.bias"] = bias;
         }},
        {"neither", [](Editable &e) { e.tensors.clear(); }},
    };
    for (const auto &c : cases) {
        Editable e(MMC_ARCH_RESNET18);
        c.edit(e);
        Checkpoint out;
        EXPECT_EQ(e.read(&out), MMC_ERR_MISMATCH) << c.named;
        EXPECT_NE(strstr(mmc_error_message(), c.named), nullptr) << c.named << ": " << mmc_error_message();
        EXPECT_NE(strstr(mmc_error_message(), "x.safetensors"), nullptr) << mmc_error_message();
        EXPECT_EQ(out.model, nullptr);
    }
}

TEST(Checkpoint, CorruptAndMissingFiles) {
    TemporaryFolder dir;
    Checkpoint c;
    EXPECT_EQ(mmc_checkpoint_read(&c, dir.path("none").c_str()), MMC_ERR_MISSING);
    EXPECT_EQ(mmc_checkpoint_read(&c, dir.write("cut", "12345678{").c_str()), MMC_ERR_FORMAT);
}

} // namespace
