// Data sets from files made up for the test: whole, fewer, damaged.
#include "runtime/data.h"
#include "runtime/data_files.h"

#include "tests/support/data_files.h"
#include "tests/support/temporary_folder.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

namespace {

using namespace data_files;

struct Dataset : mmc_dataset {
    Dataset() : mmc_dataset{} {
    }
    ~Dataset() {
        mmc_dataset_close(this);
    }
    mmc_status open(mmc_dataset_kind what, const TemporaryFolder &dir, int limit_train = 0, int limit_test = 0,
                    bool skip_train = false) {
        mmc_dataset_close(this);
        mmc_dataset_options options = {};
        std::string folder = dir.root.string();
        options.kind = what;
        options.folder = folder.c_str();
        options.limit_train = limit_train;
        options.limit_test = limit_test;
        options.skip_train = skip_train;
        return mmc_dataset_open(this, &options);
    }
};

std::vector<int> cycle(size_t count, int classes, int step = 1) {
    std::vector<int> labels(count);
    for (size_t i = 0; i < count; i++)
        labels[i] = static_cast<int>(i) * step % classes;
    return labels;
}

std::string packed(const std::string &bytes, const std::string &ending) {
    return ending == ".gz" ? gz(bytes) : ending == ".xz" ? xz(bytes) : bytes;
}

void expect_images(const mmc_split &split, size_t first, size_t count, size_t number = 0) {
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; i < 3072; i++)
            ASSERT_EQ(split.natural[(first + n) * 3072 + i], static_cast<uint8_t>(pixel(number + n, i))) << n;
}

TEST(Data, Cifar10InEveryForm) {
    for (const char *ending : {"", ".gz", ".xz"})
        for (const char *sub : {"cifar-10-batches-bin/", ""}) {
            TemporaryFolder dir;
            std::string end = ending;
            dir.write(sub + ("data_batch_1.bin" + end), packed(cifar(cycle(130, 10), 10), end));
            dir.write(sub + ("data_batch_3.bin" + end), packed(cifar(cycle(64, 10, 3), 10), end)); // 2 is missing
            dir.write(sub + ("test_batch.bin" + end), packed(cifar(cycle(7, 10, 7), 10), end));
            Dataset data;
            ASSERT_EQ(data.open(MMC_DATASET_CIFAR10_BOX, dir), MMC_OK) << mmc_error_message();
            EXPECT_EQ(data.classes, 10);
            EXPECT_EQ(data.height, 32);
            ASSERT_EQ(data.train.count, 194);
            ASSERT_EQ(data.test.count, 7);
            EXPECT_EQ(data.train.channels, 3);
            expect_images(data.train, 0, 130);
            expect_images(data.train, 130, 64);
            EXPECT_EQ(data.train.labels[129], 9);
            EXPECT_EQ(data.train.labels[131], 3);
            EXPECT_EQ(data.test.labels[2], 4);
            EXPECT_EQ(data.file_count, 3);
            EXPECT_TRUE(mmc_dataset_present(MMC_DATASET_CIFAR10_BOX, dir.root.c_str()));
            EXPECT_FALSE(mmc_dataset_present(MMC_DATASET_CIFAR100_BOX, dir.root.c_str()));
        }
}

TEST(Data, Cifar100TakesTheFineLabel) {
    TemporaryFolder dir;
    dir.write("cifar-100-binary/train.bin", cifar(cycle(250, 100, 7), 100));
    dir.write("cifar-100-binary/test.bin.gz", gz(cifar({99, 0, 42}, 100)));
    Dataset data;
    ASSERT_EQ(data.open(MMC_DATASET_CIFAR100_BOX, dir), MMC_OK) << mmc_error_message();
    ASSERT_EQ(data.train.count, 250);
    EXPECT_EQ(data.train.labels[20], 40);
    EXPECT_EQ(data.test.labels[0], 99);
    EXPECT_EQ(data.test.labels[2], 42);
    expect_images(data.train, 0, 250);
    EXPECT_TRUE(mmc_dataset_present(MMC_DATASET_CIFAR100_BOX, dir.root.c_str()));
}

TEST(Data, LimitsActAsIfTheFilesEndedThere) {
    TemporaryFolder dir;
    for (int b = 1; b <= 3; b++)
        dir.write("data_batch_" + std::to_string(b) + ".bin", cifar(cycle(100, 10, b), 10));
    dir.write("test_batch.bin.xz", xz(cifar(cycle(100, 10), 10)));
    Dataset data;
    for (int limit : {1, 64, 99, 100, 101, 250, 300, 1000}) {
        ASSERT_EQ(data.open(MMC_DATASET_CIFAR10_BOX, dir, limit, limit), MMC_OK) << mmc_error_message();
        EXPECT_EQ(data.train.count, std::min(limit, 300));
        EXPECT_EQ(data.test.count, std::min(limit, 100));
        if (limit > 101)
            EXPECT_EQ(data.train.labels[101], 2);
    }
    ASSERT_EQ(data.open(MMC_DATASET_CIFAR10_BOX, dir, 0, 0, true), MMC_OK);
    EXPECT_EQ(data.train.count, 0);
    EXPECT_EQ(data.train.natural, nullptr);
    EXPECT_EQ(data.test.count, 100);
    EXPECT_EQ(data.open(MMC_DATASET_CIFAR10_BOX, dir, -1), MMC_ERR_RANGE);
}

void write_fashion(const TemporaryFolder &dir, const std::vector<int> &train, const std::vector<int> &test,
                   const std::string &end = "") {
    dir.write("fashion-mnist/train-images-idx3-ubyte" + end, packed(idx_images(train.size()), end));
    dir.write("fashion-mnist/train-labels-idx1-ubyte" + end, packed(idx_labels(train), end));
    dir.write("fashion-mnist/t10k-images-idx3-ubyte" + end, packed(idx_images(test.size()), end));
    dir.write("fashion-mnist/t10k-labels-idx1-ubyte" + end, packed(idx_labels(test), end));
}

TEST(Data, FashionBox) {
    for (const char *end : {"", ".gz", ".xz"}) {
        TemporaryFolder dir;
        write_fashion(dir, cycle(50, 10), cycle(20, 10, 3), end);
        Dataset data;
        ASSERT_EQ(data.open(MMC_DATASET_FASHION_BOX, dir, 0, 11), MMC_OK) << mmc_error_message();
        EXPECT_EQ(data.train.count, 50);
        EXPECT_EQ(data.train.channels, 1);
        EXPECT_EQ(data.test.count, 11);
        EXPECT_EQ(data.test.labels[3], 9);
        uint8_t small[784], large[1024];
        for (size_t i = 0; i < 784; i++)
            small[i] = static_cast<uint8_t>(pixel(49, i));
        mmc_resize_28_to_32(large, small);
        EXPECT_EQ(memcmp(large, data.train.natural + 49 * 1024, 1024), 0);
        EXPECT_EQ(data.train.partner, nullptr);
    }
}

TEST(Data, DominoesKeepWhatCuesCanAskFor) {
    TemporaryFolder dir;
    dir.write("data_batch_1.bin", cifar({0, 0, 1, 0}, 10));
    dir.write("test_batch.bin", cifar({5, 6}, 10));
    std::vector<int> tops = {1, 1, 0, 2, 0, 2, 2, 0, 5, 5};
    write_fashion(dir, tops, {1, 5});
    Dataset data;
    ASSERT_EQ(data.open(MMC_DATASET_DOMINOES, dir), MMC_OK) << mmc_error_message();
    EXPECT_EQ(data.height, 64);
    EXPECT_EQ(data.train.top_count, 8); // the last partner is image 7
    EXPECT_EQ(std::vector<int>(data.train.partner, data.train.partner + 4), (std::vector<int>{2, 4, 0, 7}));
    EXPECT_EQ(data.test.top_count, 2);
    EXPECT_EQ(data.test.partner[0], 1);
    EXPECT_EQ(data.test.partner[1], -1); // no image of class 6: an error only when its cue is asked for
    ASSERT_EQ(data.open(MMC_DATASET_DOMINOES, dir, 1), MMC_OK);
    EXPECT_EQ(data.train.top_count, 3); // a limit cuts samples, not their partners
    EXPECT_EQ(data.train.partner[0], 2);
}

TEST(Data, DamagedCifarFiles) {
    const std::string good = cifar(cycle(70, 10), 10);
    std::string bad_label = good;
    bad_label[3073 * 69] = 10;
    const struct {
        const char *why;
        std::string bytes;
    } cases[] = {
        {"empty", ""},
        {"one byte short", good.substr(0, good.size() - 1)},
        {"one byte more", good + "x"},
        {"label 10", bad_label},
        {"half a record", good.substr(0, 1000)},
    };
    for (const auto &c : cases)
        for (const char *end : {"", ".gz", ".xz"}) {
            TemporaryFolder dir;
            std::string path = dir.write(std::string("test_batch.bin") + end, packed(c.bytes, end));
            Dataset data;
            EXPECT_EQ(data.open(MMC_DATASET_CIFAR10_BOX, dir, 0, 0, true), MMC_ERR_FORMAT) << c.why << end;
            EXPECT_NE(strstr(mmc_error_message(), path.c_str()), nullptr) << mmc_error_message();
            EXPECT_EQ(data.test.natural, nullptr);
        }
    TemporaryFolder huge; // 101,000 records
    Dataset data;
    std::filesystem::resize_file(huge.write("test_batch.bin", ""), 3073 * 101000);
    EXPECT_EQ(data.open(MMC_DATASET_CIFAR10_BOX, huge, 0, 0, true), MMC_ERR_FORMAT);
    std::filesystem::remove(huge.root / "test_batch.bin");
    std::string member = gz(std::string(3073 * 1000, 0)), bomb;
    for (int i = 0; i < 101; i++)
        bomb += member;
    huge.write("test_batch.bin.gz", bomb);
    EXPECT_EQ(data.open(MMC_DATASET_CIFAR10_BOX, huge, 0, 0, true), MMC_ERR_FORMAT);
    EXPECT_NE(strstr(mmc_error_message(), "more than 100000"), nullptr) << mmc_error_message();
    TemporaryFolder dir;
    std::string coarse = cifar({1, 2, 3}, 100);
    coarse[3074] = 20;
    dir.write("test.bin", coarse);
    EXPECT_EQ(data.open(MMC_DATASET_CIFAR100_BOX, dir, 0, 0, true), MMC_ERR_FORMAT);
    coarse[3074] = 2;
    coarse[3075] = 100;
    dir.write("test.bin", coarse);
    EXPECT_EQ(data.open(MMC_DATASET_CIFAR100_BOX, dir, 0, 0, true), MMC_ERR_FORMAT);
}

TEST(Data, DamagedFashionFiles) {
    const std::string images = "fashion-mnist/t10k-images-idx3-ubyte", labels = "fashion-mnist/t10k-labels-idx1-ubyte";
    const std::string good_images = idx_images(20), good_labels = idx_labels(cycle(20, 10));
    auto with = [](std::string text, size_t at, const std::string &bytes) {
        return text.replace(at, bytes.size(), bytes);
    };
    const struct {
        const char *why;
        std::string images, labels;
    } cases[] = {
        {"empty images", "", good_labels},
        {"empty labels", good_images, ""},
        {"header cut", good_images.substr(0, 15), good_labels},
        {"swapped files", good_labels, good_images},
        {"magic of labels", good_images, with(good_labels, 0, word(0x802))},
        {"magic of images", with(good_images, 0, word(0x801)), good_labels},
        {"little-endian magic", with(good_images, 0, std::string("\3\10\0\0", 4)), good_labels},
        {"images cut", good_images.substr(0, good_images.size() - 1), good_labels},
        {"labels cut", good_images, good_labels.substr(0, good_labels.size() - 1)},
        {"images and a byte", good_images + "x", good_labels},
        {"labels and a byte", good_images, good_labels + "x"},
        {"label 10", good_images, with(good_labels, 8 + 19, "\12")},
        {"rows 27", with(good_images, 8, word(27)), good_labels},
        {"columns 29", with(good_images, 12, word(29)), good_labels},
        {"fewer labels than images", good_images, idx_labels(cycle(19, 10))},
        {"more labels than images", good_images, idx_labels(cycle(21, 10))},
        {"no images", with(good_images.substr(0, 16), 4, word(0)), with(good_labels.substr(0, 8), 4, word(0))},
        {"a count beyond reason", with(good_images, 4, word(0xffffffff)), with(good_labels, 4, word(0xffffffff))},
    };
    for (const auto &c : cases)
        for (const char *end : {"", ".gz", ".xz"}) {
            TemporaryFolder dir;
            dir.write(images + end, packed(c.images, end));
            dir.write(labels + end, packed(c.labels, end));
            Dataset data;
            EXPECT_EQ(data.open(MMC_DATASET_FASHION_BOX, dir, 0, 0, true), MMC_ERR_FORMAT) << c.why << end;
            EXPECT_NE(strstr(mmc_error_message(), "fashion-mnist/t10k"), nullptr) << mmc_error_message();
        }
    TemporaryFolder dir;
    dir.write(images, good_images);
    Dataset data;
    EXPECT_EQ(data.open(MMC_DATASET_FASHION_BOX, dir, 0, 0, true), MMC_ERR_MISSING); // its labels
    EXPECT_NE(strstr(mmc_error_message(), "labels"), nullptr);
}

TEST(Data, CompressionThatLies) {
    const std::string good = cifar(cycle(5, 10), 10);
    for (const char *end : {".gz", ".xz"}) {
        std::string whole = packed(good, end);
        std::string flipped = whole;
        flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 1);
        for (const std::string &bytes :
             {good, whole.substr(0, whole.size() - 3), whole + "x", flipped, std::string()}) {
            TemporaryFolder dir;
            dir.write(std::string("test_batch.bin") + end, bytes);
            Dataset data;
            EXPECT_EQ(data.open(MMC_DATASET_CIFAR10_BOX, dir, 0, 0, true), MMC_ERR_FORMAT);
        }
    }
}

TEST(Data, MissingFilesSayWhatWasTriedAndHowToGetThem) {
    TemporaryFolder dir;
    Dataset data;
    EXPECT_EQ(data.open(MMC_DATASET_CIFAR10_BOX, dir), MMC_ERR_MISSING);
    EXPECT_NE(strstr(mmc_error_message(), "cifar-10-batches-bin/data_batch_1.bin"), nullptr) << mmc_error_message();
    EXPECT_NE(strstr(mmc_error_message(), "data fetch"), nullptr);
    EXPECT_EQ(data.open(MMC_DATASET_CIFAR100_BOX, dir), MMC_ERR_MISSING);
    mmc_dataset_options options = {};
    EXPECT_EQ(mmc_dataset_open(&data, &options), MMC_ERR_MISSING);
    EXPECT_NE(strstr(mmc_error_message(), "--data"), nullptr);
    options.folder = "/no/such/folder";
    EXPECT_EQ(mmc_dataset_open(&data, &options), MMC_ERR_MISSING);
    EXPECT_FALSE(mmc_dataset_present(MMC_DATASET_CIFAR10_BOX, nullptr));
    dir.write("data_batch_2.bin", "x");
    EXPECT_FALSE(mmc_dataset_present(MMC_DATASET_CIFAR10_BOX, dir.root.c_str())); // no test batch
}

TEST(Data, ChecksumsAreThoseOfTheFiles) {
    TemporaryFolder dir;
    dir.write("test_batch.bin", std::string(3073, '\0'));
    Dataset data;
    ASSERT_EQ(data.open(MMC_DATASET_CIFAR10_BOX, dir, 0, 0, true), MMC_OK);
    EXPECT_STREQ(data.files[0].sha256, "");
    ASSERT_EQ(mmc_dataset_checksum(&data), MMC_OK);
    EXPECT_STREQ(data.files[0].sha256, "5fbf904d9c5cb6f356cb9eb1ee1d1511051088e1f08551ccbe753e4334fa6d9f");
}

TEST(Data, NamesRoundTrip) {
    for (int i = 0; i < MMC_DATASET_COUNT; i++) {
        mmc_dataset_kind kind;
        ASSERT_EQ(mmc_dataset_parse(&kind, mmc_dataset_name(static_cast<mmc_dataset_kind>(i))), MMC_OK);
        EXPECT_EQ(kind, i);
    }
    mmc_dataset_kind kind;
    EXPECT_EQ(mmc_dataset_parse(&kind, "cifar10"), MMC_ERR_USAGE);
    EXPECT_NE(strstr(mmc_error_message(), "cifar10-box"), nullptr);
}

} // namespace
