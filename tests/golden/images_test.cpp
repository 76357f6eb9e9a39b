// Rendering, resize, cue flags and partners against golden values, bit for bit; the development files where they are
// installed.
#include "runtime/counterfactual.h"

#include "tests/golden/golden.h"

#include <zlib.h>

namespace {

TEST(GoldenImages, ResizeIsExact) {
    GOLDEN_OR_SKIP(file, "resize");
    std::vector<uint8_t> in = file.u8("input"), expected = file.u8("output");
    uint8_t out[1024];
    for (size_t i = 0; i < in.size() / 784; i++) {
        mmc_resize_28_to_32(out, &in[i * 784]);
        EXPECT_EQ(memcmp(out, &expected[i * 1024], 1024), 0) << i;
    }
    for (int level = 0; level < 256; level++) {
        std::vector<uint8_t> grey(784, static_cast<uint8_t>(level)), same(1024, static_cast<uint8_t>(level));
        mmc_resize_28_to_32(out, grey.data());
        EXPECT_EQ(memcmp(out, same.data(), 1024), 0) << level;
    }
}

TEST(GoldenImages, CueFlagsAreExact) {
    GOLDEN_OR_SKIP(file, "cues");
    for (const char *group : {"uneven", "hundred"}) {
        std::vector<int32_t> labels = file.i32(std::string(group) + "_labels");
        for (const char *p : {"0.0", "0.6", "0.7", "0.8", "0.9", "1.0"}) {
            std::vector<uint8_t> flags(labels.size(), 7);
            mmc_cue_flags(flags.data(), labels.data(), static_cast<int32_t>(labels.size()),
                          strcmp(group, "hundred") == 0 ? 100 : 10, atof(p));
            EXPECT_EQ(flags, file.u8(std::string(group) + "_" + p)) << group << p;
        }
    }
}

std::vector<int32_t> partners(const std::vector<int32_t> &labels, const std::vector<int32_t> &tops) {
    std::vector<int32_t> out(labels.size());
    mmc_cue_partners(out.data(), labels.data(), static_cast<int32_t>(labels.size()), tops.data(),
                     static_cast<int32_t>(tops.size()), 10);
    return out;
}

TEST(GoldenImages, PartnersAreExact) {
    GOLDEN_OR_SKIP(file, "cues");
    EXPECT_EQ(partners(file.i32("pair_labels"), file.i32("pair_top_labels")), file.i32("pair_partner"));
    GOLDEN_OR_SKIP(images, "images");
    for (std::string split : {"train", "test"})
        EXPECT_EQ(partners(images.i32(split + "_labels"), images.i32(split + "_top_labels")),
                  images.i32(split + "_partner"));
}

TEST(GoldenImages, HuesAndLevelsAreExact) {
    GOLDEN_OR_SKIP(file, "render");
    std::vector<double> hues = file.f64("hues");
    std::vector<float> expected = file.f32("hue_colours");
    for (size_t i = 0; i < hues.size(); i++) {
        float colour[3];
        mmc_hue_colour(colour, hues[i]);
        EXPECT_EQ(memcmp(colour, &expected[3 * i], sizeof colour), 0) << hues[i];
    }
    std::vector<uint8_t> levels(1024);
    for (size_t i = 0; i < levels.size(); i++)
        levels[i] = static_cast<uint8_t>(i);
    mmc_image_store store = {levels.data(), nullptr, 1, 0, 1, 32};
    mmc_sample sample = {0, -1, {0, 0, 0}};
    std::vector<float> out(3072);
    mmc_render_one(out.data(), &store, &sample);
    EXPECT_EQ(memcmp(out.data(), file.f32("all_levels_normalised").data(), 256 * sizeof(float)), 0);
    EXPECT_EQ(memcmp(out.data(), out.data() + 2048, 1024 * sizeof(float)), 0); // one channel stands for three
}

// A data set made of golden images, with draws that reach the given ones for the given items.
struct Pool : mmc_dataset {
    std::vector<uint8_t> raw, tops;
    std::vector<int32_t> labels_, partner_, place, cue, image;
    std::vector<float> hue;

    Pool(const golden::File &images, mmc_dataset_kind what) : mmc_dataset{} {
        kind = what;
        classes = mmc_dataset_classes(what);
        height = mmc_dataset_height(what);
        std::string prefix = what == MMC_DATASET_CIFAR100_BOX ? "c100_" : "test_";
        raw = images.u8(prefix + "raw");
        labels_ = images.i32(prefix + "labels");
        test.count = static_cast<int32_t>(labels_.size());
        test.channels = 3;
        test.natural = raw.data();
        test.labels = labels_.data();
        if (what == MMC_DATASET_DOMINOES) {
            std::vector<uint8_t> small = images.u8("test_top");
            test.top_count = static_cast<int32_t>(small.size() / 784);
            tops.resize(static_cast<size_t>(test.top_count) * 1024);
            for (size_t i = 0; i < static_cast<size_t>(test.top_count); i++)
                mmc_resize_28_to_32(&tops[i * 1024], &small[i * 784]);
            test.top = tops.data();
            partner_ = images.i32("test_partner");
            test.partner = partner_.data();
        }
        size_t n = labels_.size();
        place.assign(n, 0);
        cue.assign(n, 0);
        image.assign(n, 0);
        hue.assign(n, 0);
    }
};

TEST(GoldenImages, RenderedSetsAreExact) {
    GOLDEN_OR_SKIP(images, "images");
    GOLDEN_OR_SKIP(file, "render");
    for (mmc_dataset_kind kind : {MMC_DATASET_CIFAR10_BOX, MMC_DATASET_CIFAR100_BOX, MMC_DATASET_DOMINOES}) {
        Pool pool(images, kind);
        std::string prefix = std::string(mmc_dataset_name(kind)) + "/";
        std::vector<int32_t> items = file.i32(prefix + "item"), sub = file.i32(prefix + "sub");
        mmc_image_store store = {pool.test.natural, pool.test.top, pool.test.count, pool.test.top_count, 3,
                                 pool.height};
        for (int set = 0; set < MMC_SET_COUNT; set++) {
            std::string name = prefix + mmc_set_letter(static_cast<mmc_set>(set));
            std::vector<float> expected = file.f32(name);
            size_t each = static_cast<size_t>(3 * pool.height * 32);
            for (size_t k = 0; k < items.size(); k++) { // one at a time: an item may be drawn twice
                size_t i = static_cast<size_t>(items[k]);
                pool.image[i] = sub[k];
                if (kind == MMC_DATASET_DOMINOES)
                    pool.cue[i] = file.i32(prefix + "top")[k];
                else
                    pool.place[i] = file.i32(prefix + "place")[k];
                if (kind == MMC_DATASET_CIFAR100_BOX)
                    pool.hue[i] = file.f32(prefix + "hue")[k];
                mmc_draws draws = {pool.place.data(), pool.hue.data(), pool.cue.data(), pool.image.data()};
                std::vector<mmc_sample> samples(pool.labels_.size());
                ASSERT_EQ(mmc_counterfactual_samples(samples.data(), &pool, MMC_SPLIT_TEST, static_cast<mmc_set>(set),
                                                     nullptr, &draws, 1),
                          MMC_OK)
                    << mmc_error_message();
                std::vector<float> out(each);
                mmc_render_one(out.data(), &store, &samples[i]);
                EXPECT_EQ(memcmp(out.data(), &expected[k * each], each * sizeof(float)), 0) << name << " " << k;
            }
        }
    }
}

// ---- the development files, where MMC_DATA names them ----

#define DATA_OR_SKIP(variable)                                                                                         \
    const char *variable = std::getenv("MMC_DATA");                                                                    \
    if (!variable || !*variable)                                                                                       \
    GTEST_SKIP() << "MMC_DATA names no folder with the development subsets of CIFAR and Fashion-MNIST"

struct Opened : mmc_dataset {
    Opened(mmc_dataset_kind what, const char *folder, bool skip_train = false) : mmc_dataset{} {
        mmc_dataset_options options = {};
        options.kind = what;
        options.folder = folder;
        options.skip_train = skip_train;
        EXPECT_EQ(mmc_dataset_open(this, &options), MMC_OK) << mmc_error_message();
    }
    ~Opened() {
        mmc_dataset_close(this);
    }
};

uint32_t crc(const uint8_t *bytes, size_t size) {
    return static_cast<uint32_t>(crc32(0, bytes, static_cast<uInt>(size)));
}

void check_split(const golden::File &file, const std::string &prefix, const mmc_split &split, int classes) {
    ASSERT_EQ(split.count, file.i32(prefix + "count")[0]);
    std::vector<int32_t> items = file.i32(prefix + "item"), labels = file.i32(prefix + "label");
    bool fashion = split.channels == 1;
    std::vector<uint32_t> sums = file.values<uint32_t>(prefix + (fashion ? "crc_resized" : "crc"));
    size_t each = static_cast<size_t>(split.channels) * 1024;
    for (size_t k = 0; k < items.size(); k++) {
        EXPECT_EQ(split.labels[items[k]], labels[k]);
        EXPECT_EQ(crc(split.natural + static_cast<size_t>(items[k]) * each, each), sums[k]) << prefix << k;
    }
    if (fashion)
        return;
    std::vector<int32_t> per_class(static_cast<size_t>(classes));
    for (int32_t i = 0; i < split.count; i++)
        per_class[static_cast<size_t>(split.labels[i])]++;
    EXPECT_EQ(per_class, file.i32(prefix + "class_count"));
}

TEST(GoldenImages, RealFilesAreReadExactly) {
    GOLDEN_OR_SKIP(file, "real");
    DATA_OR_SKIP(folder);
    Opened ten(MMC_DATASET_CIFAR10_BOX, folder);
    if (ten.test.count != file.i32("cifar10_test/count")[0])
        GTEST_SKIP() << "the files in MMC_DATA are not the development subsets";
    Opened hundred(MMC_DATASET_CIFAR100_BOX, folder);
    Opened fashion(MMC_DATASET_FASHION_BOX, folder), dominoes(MMC_DATASET_DOMINOES, folder);
    check_split(file, "cifar10_train/", ten.train, 10);
    check_split(file, "cifar10_test/", ten.test, 10);
    check_split(file, "cifar100_train/", hundred.train, 100);
    check_split(file, "cifar100_test/", hundred.test, 100);
    check_split(file, "fashion_train/", fashion.train, 10);
    check_split(file, "fashion_test/", fashion.test, 10);
    auto partner = [](const mmc_split &s) { return std::vector<int32_t>(s.partner, s.partner + s.count); };
    EXPECT_EQ(partner(dominoes.train), file.i32("fashion_train/partner"));
    EXPECT_EQ(partner(dominoes.test), file.i32("fashion_test/partner"));
}

TEST(GoldenImages, RealFilesRenderToTheSums) {
    GOLDEN_OR_SKIP(file, "real");
    DATA_OR_SKIP(folder);
    for (mmc_dataset_kind kind : {MMC_DATASET_CIFAR10_BOX, MMC_DATASET_CIFAR100_BOX, MMC_DATASET_DOMINOES}) {
        Opened data(kind, folder, true);
        if (data.test.count != file.i32("cifar10_test/count")[0])
            GTEST_SKIP() << "the files in MMC_DATA are not the development subsets";
        std::string prefix = std::string(mmc_dataset_name(kind)) + "/";
        std::vector<int32_t> items = file.i32(prefix + "item");
        size_t n = static_cast<size_t>(data.test.count);
        std::vector<mmc_sample> samples(n);
        mmc_image_store store = {data.test.natural,   data.test.top,      data.test.count,
                                 data.test.top_count, data.test.channels, data.height};
        for (int set = 0; set < MMC_SET_COUNT; set++) {
            std::vector<double> sums;
            for (size_t k = 0; k < items.size(); k++) {
                std::vector<int32_t> place(n, file.i32(prefix + "place")[k]), cue(n, file.i32(prefix + "top")[k]);
                std::vector<int32_t> image(n, file.i32(prefix + "sub")[k]);
                std::vector<float> hue(n, file.f32(prefix + "hue")[k]), out(static_cast<size_t>(data.height) * 96);
                mmc_draws draws = {place.data(), hue.data(), cue.data(), image.data()};
                ASSERT_EQ(mmc_counterfactual_samples(samples.data(), &data, MMC_SPLIT_TEST, static_cast<mmc_set>(set),
                                                     nullptr, &draws, 1),
                          MMC_OK);
                mmc_render_one(out.data(), &store, &samples[static_cast<size_t>(items[k])]);
                for (size_t c = 0; c < 3; c++) {
                    double sum = 0;
                    for (size_t i = 0; i < out.size() / 3; i++)
                        sum += out[c * out.size() / 3 + i];
                    sums.push_back(sum);
                }
            }
            golden::expect_near(file, prefix + mmc_set_letter(static_cast<mmc_set>(set)) + "_sum", sums);
        }
    }
}

} // namespace
