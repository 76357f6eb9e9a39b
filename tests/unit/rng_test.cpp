// Counter-based random numbers: the published Philox vectors, ranges, permutations.
#include "runtime/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

// Known answers of Random123 (kat_vectors, philox4x32 10 rounds).
TEST(Rng, PhiloxKnownAnswers) {
    const uint32_t zero[4] = {0, 0, 0, 0};
    mmc_rng_block a = mmc_rng_philox(zero, zero);
    EXPECT_EQ(a.v[0], 0x6627e8d5u);
    EXPECT_EQ(a.v[1], 0xe169c58du);
    EXPECT_EQ(a.v[2], 0xbc57ac4cu);
    EXPECT_EQ(a.v[3], 0x9b00dbd8u);
    const uint32_t ones[4] = {0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu};
    mmc_rng_block b = mmc_rng_philox(ones, ones);
    EXPECT_EQ(b.v[0], 0x408f276du);
    EXPECT_EQ(b.v[1], 0x41c83b0eu);
    EXPECT_EQ(b.v[2], 0xa20bc7c6u);
    EXPECT_EQ(b.v[3], 0x6d5451fdu);
    const uint32_t pi_counter[4] = {0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u};
    const uint32_t pi_key[2] = {0xa4093822u, 0x299f31d0u};
    mmc_rng_block c = mmc_rng_philox(pi_counter, pi_key);
    EXPECT_EQ(c.v[0], 0xd16cfe09u);
    EXPECT_EQ(c.v[1], 0x94fdccebu);
    EXPECT_EQ(c.v[2], 0x5001e420u);
    EXPECT_EQ(c.v[3], 0x24126ea1u);
}

TEST(Rng, SeedPurposeStreamAndIndexAllMatter) {
    std::set<uint32_t> seen;
    for (uint64_t seed : {1ull, 2ull, 1ull << 32})
        for (mmc_rng_purpose purpose : {MMC_RNG_INIT, MMC_RNG_SHUFFLE})
            for (uint32_t stream : {0u, 1u})
                for (uint64_t index : {0ull, 1ull, 1ull << 32})
                    seen.insert(mmc_rng_at(seed, purpose, stream, index));
    EXPECT_EQ(seen.size(), 36u);
}

TEST(Rng, RangesAreRespected) {
    EXPECT_EQ(mmc_rng_below(0xffffffffu, 10), 9u);
    EXPECT_EQ(mmc_rng_below(0, 10), 0u);
    EXPECT_LT(mmc_rng_uniform(0xffffffffu), 1.0f);
    EXPECT_LT(mmc_rng_uniform_double(0xffffffffu, 0xffffffffu), 1.0);
    EXPECT_EQ(mmc_rng_uniform(0), 0.0f);
    std::vector<int> count(10);
    for (uint64_t i = 0; i < 10000; i++)
        count[mmc_rng_below(mmc_rng_at(7, MMC_RNG_CUE_PLACE, 0, i), 10)]++;
    EXPECT_GT(*std::min_element(count.begin(), count.end()), 850);
    EXPECT_LT(*std::max_element(count.begin(), count.end()), 1150);
}

TEST(Rng, PermutationIsOneAndDependsOnItsStream) {
    std::vector<int32_t> a(1001), b(1001), sorted;
    mmc_rng_permutation(a.data(), a.size(), 3, MMC_RNG_SHUFFLE, 0);
    mmc_rng_permutation(b.data(), b.size(), 3, MMC_RNG_SHUFFLE, 1);
    EXPECT_NE(a, b);
    sorted = a;
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i < sorted.size(); i++)
        ASSERT_EQ(sorted[i], static_cast<int32_t>(i));
}
