// data check, fetch and render: verdicts, whole-or-nothing downloads, files written out.
#include "runtime/data_check.h"
#include "runtime/data_fetch.h"
#include "runtime/data_render.h"
#include "runtime/safetensors.h"

#include "tests/support/data_files.h"
#include "tests/support/temporary_folder.h"

#include <gtest/gtest.h>
#include <png.h>

#include <cstdlib>
#include <cstring>

namespace {

using namespace data_files;

const mmc_data_report &find(const mmc_data_report *reports, const char *name) {
    for (int i = 0; i < MMC_DATA_REPORTS; i++)
        if (strcmp(reports[i].name, name) == 0)
            return reports[i];
    throw std::runtime_error(name);
}

TEST(DataCheck, VerdictsOfPartsAndMissingFiles) {
    TemporaryFolder dir;
    std::vector<int> labels;
    for (int i = 0; i < 40; i++)
        labels.push_back(i % 10);
    dir.write("cifar-10-batches-bin/data_batch_2.bin", cifar(labels, 10));
    labels.pop_back();
    dir.write("test_batch.bin.gz", gz(cifar(labels, 10)));
    dir.write("fashion-mnist/train-images-idx3-ubyte.xz", xz(idx_images(30)));
    dir.write("fashion-mnist/train-labels-idx1-ubyte", idx_labels(labels));
    mmc_data_report r[MMC_DATA_REPORTS];
    ASSERT_EQ(mmc_data_check(r, dir.root.c_str()), MMC_OK) << mmc_error_message();
    const mmc_data_report &batch = find(r, "data_batch_2.bin");
    EXPECT_EQ(batch.verdict, MMC_DATA_PART);
    EXPECT_EQ(batch.records, 40);
    EXPECT_EQ(batch.class_min, 4);
    EXPECT_EQ(batch.class_max, 4);
    EXPECT_EQ(batch.size_bytes, 40u * 3073);
    EXPECT_EQ(strlen(batch.md5), 32u);
    EXPECT_EQ(strlen(batch.sha256), 64u);
    EXPECT_STREQ(batch.dataset, "CIFAR-10");
    EXPECT_EQ(find(r, "data_batch_1.bin").verdict, MMC_DATA_MISSING);
    EXPECT_STREQ(find(r, "data_batch_1.bin").path, "");
    EXPECT_EQ(find(r, "test_batch.bin").class_min, 3);
    EXPECT_EQ(find(r, "train-images-idx3-ubyte").records, 30);
    EXPECT_EQ(find(r, "train-labels-idx1-ubyte").verdict, MMC_DATA_PART);
    EXPECT_STREQ(mmc_data_verdict_text(MMC_DATA_PART), "part");
}

TEST(DataCheck, CompleteOtherAndCorrupt) {
    TemporaryFolder dir;
    std::vector<int> labels(10000);
    for (size_t i = 0; i < labels.size(); i++)
        labels[i] = static_cast<int>(i % 10);
    std::string member = gz(cifar(std::vector<int>(labels.begin(), labels.begin() + 1000), 10)), all;
    for (int i = 0; i < 10; i++)
        all += member;
    dir.write("test_batch.bin.gz", all);
    dir.write("fashion-mnist/t10k-labels-idx1-ubyte", idx_labels(labels)); // as many, but not the official ones
    std::string bad = cifar({1, 2}, 100);
    bad[0] = 77;
    std::string path = dir.write("cifar-100-binary/test.bin", bad);
    mmc_data_report r[MMC_DATA_REPORTS];
    EXPECT_EQ(mmc_data_check(r, dir.root.c_str()), MMC_ERR_FORMAT);
    EXPECT_NE(strstr(mmc_error_message(), path.c_str()), nullptr);
    EXPECT_EQ(find(r, "test_batch.bin").verdict, MMC_DATA_COMPLETE);
    EXPECT_EQ(find(r, "t10k-labels-idx1-ubyte").verdict, MMC_DATA_OTHER);
    EXPECT_EQ(find(r, "test.bin").verdict, MMC_DATA_CORRUPT);
    EXPECT_NE(strstr(find(r, "test.bin").reason, "coarse label"), nullptr);
}

TEST(DataCheck, DebiansFashionIsTheOfficialOne) {
    if (!std::filesystem::exists(MMC_DATA_DEBIAN_FASHION))
        GTEST_SKIP() << "Debian's package dataset-fashion-mnist is not installed";
    mmc_data_report r[MMC_DATA_REPORTS];
    ASSERT_EQ(mmc_data_check(r, nullptr), MMC_OK) << mmc_error_message();
    for (const char *name :
         {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"})
        EXPECT_EQ(find(r, name).verdict, MMC_DATA_OFFICIAL) << find(r, name).reason;
    EXPECT_EQ(find(r, "train-labels-idx1-ubyte").class_min, 6000);
}

// ---- fetch, from file:// addresses ----

bool has_program(const char *name) {
    return std::system((std::string("command -v ") + name + " >/dev/null 2>&1").c_str()) == 0;
}

#define CURL_OR_SKIP()                                                                                                 \
    if (!has_program("curl") || !has_program("tar"))                                                                   \
    GTEST_SKIP() << "curl or tar is not installed"

std::string md5(const std::string &path) {
    char hex[MMC_CHECKSUM_BYTES];
    EXPECT_EQ(mmc_file_checksum(hex, path.c_str(), MMC_CHECKSUM_MD5), MMC_OK);
    return hex;
}

TEST(DataFetch, PutsAVerifiedFileInPlace) {
    CURL_OR_SKIP();
    TemporaryFolder from, to;
    std::string url = "file://" + from.write("x.gz", gz("content")), sum = md5(from.path("x.gz"));
    mmc_data_source source = {MMC_FETCH_FASHION, url.c_str(), "fashion-mnist/x.gz", sum.c_str(), false};
    std::string folder = to.path("new/folder");
    ASSERT_EQ(mmc_data_fetch_one(folder.c_str(), &source, nullptr, nullptr), MMC_OK) << mmc_error_message();
    EXPECT_EQ(TemporaryFolder::read(folder + "/fashion-mnist/x.gz"), gz("content"));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()), 1);
    // again: left alone, said so
    std::string lines;
    auto note = [](void *user, const char *line) { *static_cast<std::string *>(user) += line; };
    ASSERT_EQ(mmc_data_fetch_one(folder.c_str(), &source, note, &lines), MMC_OK);
    EXPECT_EQ(lines.find("already there"), 0u) << lines;
}

TEST(DataFetch, UnpacksAnArchive) {
    CURL_OR_SKIP();
    TemporaryFolder from, to;
    from.write("tree/cifar-10-batches-bin/test_batch.bin", cifar({1}, 10));
    ASSERT_EQ(std::system(("tar -czf " + from.path("a.tar.gz") + " -C " + from.path("tree") + " .").c_str()), 0);
    std::string url = "file://" + from.path("a.tar.gz"), sum = md5(from.path("a.tar.gz"));
    mmc_data_source source = {MMC_FETCH_CIFAR10, url.c_str(), "cifar-10-batches-bin", sum.c_str(), true};
    ASSERT_EQ(mmc_data_fetch_one(to.root.c_str(), &source, nullptr, nullptr), MMC_OK) << mmc_error_message();
    EXPECT_EQ(TemporaryFolder::read(to.path("cifar-10-batches-bin/test_batch.bin")), cifar({1}, 10));
    EXPECT_EQ(to.entries(), 1u);
    // what was verified is known to be the official file, until it changes
    mmc_data_report r[MMC_DATA_REPORTS];
    ASSERT_EQ(mmc_data_check(r, to.root.c_str()), MMC_OK) << mmc_error_message();
    EXPECT_EQ(find(r, "test_batch.bin").verdict, MMC_DATA_OFFICIAL);
    std::string changed = cifar({1}, 10);
    changed[100] = static_cast<char>(changed[100] ^ 1);
    to.write("cifar-10-batches-bin/test_batch.bin", changed);
    EXPECT_EQ(mmc_data_check(r, to.root.c_str()), MMC_ERR_FORMAT);
    EXPECT_EQ(find(r, "test_batch.bin").verdict, MMC_DATA_CORRUPT);
}

TEST(DataFetch, AFailureKeepsNothing) {
    CURL_OR_SKIP();
    TemporaryFolder from, to;
    std::string url = "file://" + from.write("x.gz", "content"), none = "file://" + from.path("none");
    mmc_data_source wrong = {MMC_FETCH_FASHION, url.c_str(), "x.gz", "00000000000000000000000000000000", false};
    EXPECT_EQ(mmc_data_fetch_one(to.root.c_str(), &wrong, nullptr, nullptr), MMC_ERR_FORMAT);
    EXPECT_NE(strstr(mmc_error_message(), "md5"), nullptr);
    mmc_data_source gone = {MMC_FETCH_FASHION, none.c_str(), "x.gz", "", false};
    EXPECT_EQ(mmc_data_fetch_one(to.root.c_str(), &gone, nullptr, nullptr), MMC_ERR_IO);
    EXPECT_NE(strstr(mmc_error_message(), "network"), nullptr);
    std::string sum = md5(from.path("x.gz")); // not an archive
    mmc_data_source archive = {MMC_FETCH_CIFAR10, url.c_str(), "cifar-10-batches-bin", sum.c_str(), true};
    EXPECT_EQ(mmc_data_fetch_one(to.root.c_str(), &archive, nullptr, nullptr), MMC_ERR_IO);
    EXPECT_EQ(to.entries(), 0u);
}

// ---- render ----

struct Toy : mmc_dataset {
    Toy(mmc_dataset_kind what, const TemporaryFolder &dir) : mmc_dataset{} {
        std::vector<int> labels;
        for (int i = 0; i < 40; i++)
            labels.push_back(what == MMC_DATASET_CIFAR100_BOX ? i * 11 % 100 : i % 9);
        dir.write("test_batch.bin", cifar(labels, 10));
        dir.write("test.bin", cifar(labels, 100));
        dir.write("t10k-images-idx3-ubyte", idx_images(40));
        for (int &label : labels)
            label %= 10;
        dir.write("t10k-labels-idx1-ubyte", idx_labels(labels));
        std::string folder = dir.root.string();
        mmc_dataset_options options = {};
        options.kind = what;
        options.folder = folder.c_str();
        options.skip_train = true;
        EXPECT_EQ(mmc_dataset_open(this, &options), MMC_OK) << mmc_error_message();
    }
    ~Toy() {
        mmc_dataset_close(this);
    }
};

TEST(DataRender, WritesWhatTheNetworkSeesAndTheDraws) {
    for (mmc_dataset_kind kind :
         {MMC_DATASET_CIFAR10_BOX, MMC_DATASET_CIFAR100_BOX, MMC_DATASET_DOMINOES, MMC_DATASET_FASHION_BOX}) {
        TemporaryFolder dir;
        Toy toy(kind, dir);
        mmc_data_render_options options = {&toy, MMC_SPLIT_TEST, 15, 7, nullptr, 3};
        std::string path = dir.path("out.safetensors");
        ASSERT_EQ(mmc_data_render(&options, path.c_str()), MMC_OK) << mmc_error_message();
        mmc_safetensors file;
        ASSERT_EQ(mmc_safetensors_open(&file, path.c_str()), MMC_OK) << mmc_error_message();
        bool hundred = kind == MMC_DATASET_CIFAR100_BOX, dominoes = kind == MMC_DATASET_DOMINOES;
        EXPECT_EQ(mmc_safetensors_find(&file, "place") != nullptr, !dominoes);
        EXPECT_EQ(mmc_safetensors_find(&file, "hue") != nullptr, hundred);
        EXPECT_EQ(mmc_safetensors_find(&file, "cue_index") != nullptr, dominoes);
        EXPECT_STREQ(mmc_safetensors_metadata(&file, "dataset"), mmc_dataset_name(kind));
        const mmc_safetensor *labels = mmc_safetensors_find(&file, "labels");
        ASSERT_TRUE(labels && labels->dtype == MMC_DTYPE_I64 && labels->count == 7);
        EXPECT_EQ(static_cast<const int64_t *>(labels->data)[5], toy.test.labels[5]);
        // the draws in the file give the images in the file
        std::vector<int32_t> draw(40, 0), image(40, 0);
        std::vector<float> hue(40, 0);
        memcpy(draw.data(), mmc_safetensors_find(&file, dominoes ? "cue_index" : "place")->data, 28);
        memcpy(image.data(), mmc_safetensors_find(&file, "image_index")->data, 28);
        if (hundred)
            memcpy(hue.data(), mmc_safetensors_find(&file, "hue")->data, 28);
        mmc_draws draws = {draw.data(), hue.data(), draw.data(), image.data()};
        mmc_image_store store = {toy.test.natural,   toy.test.top,      toy.test.count,
                                 toy.test.top_count, toy.test.channels, toy.height};
        size_t each = static_cast<size_t>(toy.height) * 96;
        for (int set = 0; set < MMC_SET_COUNT; set++) {
            std::string name = std::string("images_") + mmc_set_letter(static_cast<mmc_set>(set));
            const mmc_safetensor *images = mmc_safetensors_find(&file, name.c_str());
            ASSERT_TRUE(images && images->dtype == MMC_DTYPE_F32 && images->rank == 4);
            EXPECT_EQ(images->shape[2], toy.height);
            std::vector<mmc_sample> samples(40);
            std::vector<float> one(each);
            ASSERT_EQ(mmc_counterfactual_samples(samples.data(), &toy, MMC_SPLIT_TEST, static_cast<mmc_set>(set),
                                                 nullptr, &draws, 0),
                      MMC_OK);
            for (size_t i = 0; i < 7; i++) {
                mmc_render_one(one.data(), &store, &samples[i]);
                EXPECT_EQ(memcmp(one.data(), static_cast<const float *>(images->data) + i * each, each * 4), 0) << name;
            }
        }
        mmc_safetensors_close(&file);
    }
}

TEST(DataRender, OnlyTheSetsAskedFor) {
    TemporaryFolder dir;
    Toy toy(MMC_DATASET_CIFAR10_BOX, dir);
    mmc_data_render_options options = {&toy, MMC_SPLIT_TEST, 1u << MMC_SET_C, 0, nullptr, 3};
    ASSERT_EQ(mmc_data_render(&options, dir.path("out").c_str()), MMC_OK);
    mmc_safetensors file;
    ASSERT_EQ(mmc_safetensors_open(&file, dir.path("out").c_str()), MMC_OK);
    EXPECT_EQ(file.count, 2u);
    EXPECT_EQ(mmc_safetensors_find(&file, "images_C")->shape[0], 40);
    mmc_safetensors_close(&file);
    options.count = 41;
    EXPECT_EQ(mmc_data_render(&options, dir.path("out").c_str()), MMC_ERR_RANGE);
    options.count = 0;
    options.sets = 0;
    EXPECT_EQ(mmc_data_render(&options, dir.path("out").c_str()), MMC_ERR_RANGE);
}

TEST(DataRender, SheetShowsClassesDownAndSetsAcross) {
    TemporaryFolder dir;
    Toy toy(MMC_DATASET_CIFAR10_BOX, dir);
    mmc_data_render_options options = {&toy, MMC_SPLIT_TEST, 15, 0, nullptr, 3};
    ASSERT_EQ(mmc_data_sheet(&options, dir.path("s.png").c_str()), MMC_OK) << mmc_error_message();
    png_image image = {};
    image.version = PNG_IMAGE_VERSION;
    ASSERT_TRUE(png_image_begin_read_from_file(&image, dir.path("s.png").c_str()));
    image.format = PNG_FORMAT_RGB;
    ASSERT_EQ(image.width, 6u + 4 * 102);
    ASSERT_EQ(image.height, 6u + 10 * 102);
    std::vector<uint8_t> pixels(PNG_IMAGE_SIZE(image));
    ASSERT_TRUE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr));
    auto at = [&](int row, int column, int y, int x) {
        size_t py = static_cast<size_t>(6 + row * 102 + y * 3 + 1),
               px = static_cast<size_t>(6 + column * 102 + x * 3 + 1);
        const uint8_t *p = &pixels[3 * (py * image.width + px)];
        return std::vector<int>{p[0], p[1], p[2]};
    };
    auto raw = [&](int n, int y, int x) {
        const uint8_t *p = toy.test.natural + n * 3072 + y * 32 + x;
        return std::vector<int>{p[0], p[1024], p[2048]};
    };
    const std::vector<int> green = {0, 255, 0}, white = {255, 255, 255};
    EXPECT_EQ(at(2, 0, 5, 9), raw(2, 5, 9));
    EXPECT_EQ(at(2, 0, 1, 30), raw(2, 1, 30));
    EXPECT_EQ(at(2, 1, 1, 30), green); // place 2: top right
    EXPECT_EQ(at(2, 1, 5, 9), raw(2, 5, 9));
    EXPECT_EQ(at(2, 3, 1, 30), green);
    EXPECT_EQ(at(9, 0, 5, 9), white); // no image of class 9 here
}

} // namespace
