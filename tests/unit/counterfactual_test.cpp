// The four sets as samples: labels' cues, draws, partners, equal samples.
#include "runtime/counterfactual.h"
#include "runtime/rng.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <vector>

namespace {

// A data set of `count` samples without pixels: what is drawn depends on labels alone.
struct Toy : mmc_dataset {
    std::vector<int32_t> labels_, partners_;

    Toy(mmc_dataset_kind what, int count) : mmc_dataset{} {
        kind = what;
        classes = mmc_dataset_classes(what);
        height = mmc_dataset_height(what);
        for (int i = 0; i < count; i++) {
            labels_.push_back(i * 7 % classes);
            partners_.push_back(count - 1 - i);
        }
        for (mmc_split *split : {&train, &test}) {
            split->count = count;
            split->labels = labels_.data();
            if (what == MMC_DATASET_DOMINOES) {
                split->top_count = count;
                split->partner = partners_.data();
            }
        }
    }
    std::vector<mmc_sample> samples(mmc_set set, const uint8_t *flags = nullptr, const mmc_draws *draws = nullptr,
                                    uint64_t seed = 1, mmc_split_kind split = MMC_SPLIT_TEST) {
        std::vector<mmc_sample> out(labels_.size());
        EXPECT_EQ(mmc_counterfactual_samples(out.data(), this, split, set, flags, draws, seed), MMC_OK)
            << mmc_error_message();
        return out;
    }
};

bool same(const mmc_sample &a, const mmc_sample &b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

TEST(Counterfactual, SetNames) {
    unsigned mask;
    ASSERT_EQ(mmc_set_parse(&mask, "NC,C"), MMC_OK);
    EXPECT_EQ(mask, 3u);
    ASSERT_EQ(mmc_set_parse(&mask, "rand-image,RC"), MMC_OK);
    EXPECT_EQ(mask, 12u);
    ASSERT_EQ(mmc_set_parse(&mask, "all"), MMC_OK);
    EXPECT_EQ(mask, 15u);
    for (const char *bad : {"", "NC,", ",NC", "X", "nc", "NC C", "NC,,C"})
        EXPECT_EQ(mmc_set_parse(&mask, bad), MMC_ERR_USAGE) << bad;
    EXPECT_STREQ(mmc_set_letter(MMC_SET_RI), "RI");
    EXPECT_STREQ(mmc_set_name(MMC_SET_C), "with-cue");
}

TEST(Counterfactual, BoxesOfTenClasses) {
    for (mmc_dataset_kind kind : {MMC_DATASET_CIFAR10_BOX, MMC_DATASET_FASHION_BOX}) {
        Toy toy(kind, 50);
        auto nc = toy.samples(MMC_SET_NC), c = toy.samples(MMC_SET_C);
        for (int i = 0; i < 50; i++) {
            EXPECT_EQ(nc[i].image, i);
            EXPECT_EQ(nc[i].cue, -1);
            EXPECT_EQ(c[i].image, i);
            int label = toy.labels_[i];
            EXPECT_EQ(c[i].cue, label == 9 ? -1 : label);
            const float green[3] = {0, 1, 0}, none[3] = {0, 0, 0};
            EXPECT_EQ(memcmp(c[i].colour, label == 9 ? none : green, sizeof green), 0);
            if (label == 9)
                EXPECT_TRUE(same(c[i], nc[i])); // found as the same image
        }
    }
}

TEST(Counterfactual, BoxesOfAHundredClasses) {
    Toy toy(MMC_DATASET_CIFAR100_BOX, 100);
    auto c = toy.samples(MMC_SET_C);
    for (int i = 0; i < 100; i++) {
        float colour[3];
        mmc_hue_colour(colour, (toy.labels_[i] / 10) / 10.0);
        EXPECT_EQ(c[i].cue, toy.labels_[i] % 10);
        EXPECT_EQ(memcmp(c[i].colour, colour, sizeof colour), 0);
    }
}

TEST(Counterfactual, FlagsDecideOnTheOwnCueOnly) {
    for (mmc_dataset_kind kind : {MMC_DATASET_CIFAR100_BOX, MMC_DATASET_DOMINOES}) {
        Toy toy(kind, 30);
        std::vector<uint8_t> flags(30, 0);
        flags[4] = 1;
        auto c = toy.samples(MMC_SET_C, flags.data()), all = toy.samples(MMC_SET_C);
        auto ri = toy.samples(MMC_SET_RI, flags.data()), rc = toy.samples(MMC_SET_RC, flags.data());
        for (int i = 0; i < 30; i++) {
            EXPECT_EQ(c[i].cue >= 0, i == 4);
            EXPECT_EQ(ri[i].cue >= 0, i == 4);
            EXPECT_GE(rc[i].cue, 0);
        }
        EXPECT_TRUE(same(c[4], all[4]));
    }
}

TEST(Counterfactual, RandomImageKeepsTheCue) {
    Toy toy(MMC_DATASET_DOMINOES, 40);
    std::vector<int32_t> image(40), cue(40);
    for (int i = 0; i < 40; i++) {
        image[i] = (i * 3 + 1) % 40;
        cue[i] = (i + 5) % 40;
    }
    mmc_draws draws = {nullptr, nullptr, cue.data(), image.data()};
    auto ri = toy.samples(MMC_SET_RI, nullptr, &draws), rc = toy.samples(MMC_SET_RC, nullptr, &draws);
    for (int i = 0; i < 40; i++) {
        EXPECT_EQ(ri[i].image, image[i]);
        EXPECT_EQ(ri[i].cue, toy.partners_[i]);
        EXPECT_EQ(rc[i].image, i);
        EXPECT_EQ(rc[i].cue, cue[i]);
    }
}

TEST(Counterfactual, DrawsAreUniformSeededAndDifferBetweenSplits) {
    Toy toy(MMC_DATASET_CIFAR100_BOX, 20000);
    std::vector<int32_t> place(20000), image(20000), other(20000);
    std::vector<float> hue(20000);
    mmc_draws draws = {place.data(), hue.data(), nullptr, image.data()};
    mmc_draws_make(&draws, &toy, MMC_SPLIT_TEST, 5);
    int count[10] = {0};
    double sum = 0;
    for (int i = 0; i < 20000; i++) {
        ASSERT_TRUE(place[i] >= 0 && place[i] < 10 && hue[i] >= 0 && hue[i] < 1 && image[i] >= 0 && image[i] < 20000);
        count[place[i]]++;
        sum += hue[i];
    }
    for (int c : count)
        EXPECT_NEAR(c, 2000, 200);
    EXPECT_NEAR(sum / 20000, 0.5, 0.01);
    EXPECT_GT(std::set<int32_t>(image.begin(), image.end()).size(), 12000u); // 1 - 1/e of them
    draws = {other.data(), nullptr, nullptr, nullptr};
    mmc_draws_make(&draws, &toy, MMC_SPLIT_TRAIN, 5);
    EXPECT_NE(place, other);
    mmc_draws_make(&draws, &toy, MMC_SPLIT_TEST, 6);
    EXPECT_NE(place, other);
    // given draws and the same draws by seed are one set
    draws = {place.data(), hue.data(), nullptr, image.data()};
    for (mmc_set set : {MMC_SET_RC, MMC_SET_RI}) {
        auto a = toy.samples(set, nullptr, &draws), b = toy.samples(set, nullptr, nullptr, 5);
        for (int i = 0; i < 20000; i++)
            ASSERT_TRUE(same(a[i], b[i])) << i;
    }
    EXPECT_EQ(place[3], static_cast<int32_t>(mmc_rng_below(mmc_rng_at(5, MMC_RNG_CUE_PLACE, 1, 3), 10)));
}

TEST(Counterfactual, CuesThatDoNotExist) {
    Toy toy(MMC_DATASET_DOMINOES, 10);
    mmc_sample out[10];
    toy.partners_[6] = -1;
    EXPECT_EQ(mmc_counterfactual_samples(out, &toy, MMC_SPLIT_TEST, MMC_SET_NC, nullptr, nullptr, 1), MMC_OK);
    EXPECT_EQ(mmc_counterfactual_samples(out, &toy, MMC_SPLIT_TEST, MMC_SET_C, nullptr, nullptr, 1), MMC_ERR_FORMAT);
    EXPECT_NE(strstr(mmc_error_message(), "image 6"), nullptr) << mmc_error_message();
    EXPECT_EQ(mmc_counterfactual_samples(out, &toy, MMC_SPLIT_TEST, MMC_SET_RI, nullptr, nullptr, 1), MMC_ERR_FORMAT);
    std::vector<uint8_t> flags(10, 1);
    flags[6] = 0;
    EXPECT_EQ(mmc_counterfactual_samples(out, &toy, MMC_SPLIT_TEST, MMC_SET_C, flags.data(), nullptr, 1), MMC_OK);
    toy.test.top_count = 3;
    EXPECT_EQ(mmc_counterfactual_samples(out, &toy, MMC_SPLIT_TEST, MMC_SET_RC, nullptr, nullptr, 1), MMC_ERR_FORMAT);
    Toy box(MMC_DATASET_CIFAR100_BOX, 2);
    int32_t places[2] = {3, 10};
    float hues[2] = {0, 0.5f};
    mmc_draws draws = {places, hues, nullptr, nullptr};
    EXPECT_EQ(mmc_counterfactual_samples(out, &box, MMC_SPLIT_TEST, MMC_SET_RC, nullptr, &draws, 1), MMC_ERR_RANGE);
    int32_t images[2] = {0, 2};
    draws = {nullptr, nullptr, nullptr, images};
    EXPECT_EQ(mmc_counterfactual_samples(out, &box, MMC_SPLIT_TEST, MMC_SET_RI, nullptr, &draws, 1), MMC_ERR_RANGE);
}

TEST(Counterfactual, EqualSamplesAreFound) {
    Toy toy(MMC_DATASET_CIFAR10_BOX, 1000);
    std::vector<mmc_sample> all;
    for (int set = 0; set < MMC_SET_COUNT; set++)
        for (const mmc_sample &s : toy.samples(static_cast<mmc_set>(set)))
            all.push_back(s);
    std::vector<mmc_sample> unique(all.size());
    std::vector<int32_t> row(all.size());
    int32_t count;
    ASSERT_EQ(mmc_sample_unique(unique.data(), row.data(), &count, all.data(), static_cast<int32_t>(all.size())),
              MMC_OK);
    int32_t next = 0;
    for (size_t i = 0; i < all.size(); i++) {
        ASSERT_TRUE(same(unique[row[i]], all[i]));
        ASSERT_LE(row[i], next); // in order of first appearance
        next = std::max(next, row[i] + 1);
    }
    EXPECT_EQ(next, count);
    auto less = [](const mmc_sample &a, const mmc_sample &b) { return memcmp(&a, &b, sizeof a) < 0; };
    EXPECT_EQ(std::set<mmc_sample>::size_type(count),
              (std::set<mmc_sample, decltype(less)>(all.begin(), all.end(), less).size()));
    EXPECT_LT(count, 3900); // class 9 has no box: C equals NC there
    ASSERT_EQ(mmc_sample_unique(unique.data(), row.data(), &count, all.data(), 0), MMC_OK);
    EXPECT_EQ(count, 0);
}

} // namespace
