// Memory planning: what is alive at the same time never overlaps, what is not may share.
#include "runtime/arena.h"
#include "runtime/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

TEST(Arena, BlocksAliveTogetherDoNotOverlap) {
    for (uint64_t trial = 0; trial < 50; trial++) {
        std::vector<mmc_arena_block> blocks(40);
        size_t largest_need = 0, sum = 0;
        for (size_t i = 0; i < blocks.size(); i++) {
            mmc_rng_block r = mmc_rng_words(5, MMC_RNG_TOY, static_cast<uint32_t>(trial), i);
            int first = static_cast<int>(r.v[0] % 30);
            blocks[i] = {r.v[1] % 7 == 0 ? 0 : r.v[1] % 1000, first, first + static_cast<int>(r.v[2] % 8), 0};
        }
        size_t size = mmc_arena_plan(blocks.data(), static_cast<int>(blocks.size()));
        for (const mmc_arena_block &a : blocks) {
            EXPECT_EQ(a.offset % MMC_ARENA_ALIGN, 0u);
            EXPECT_LE(a.offset + a.size, size);
            sum += a.size + MMC_ARENA_ALIGN;
            for (const mmc_arena_block &b : blocks)
                if (&a < &b && a.size && b.size && a.first <= b.last && b.first <= a.last)
                    EXPECT_TRUE(a.offset + a.size <= b.offset || b.offset + b.size <= a.offset);
        }
        for (int step = 0; step < 40; step++) {
            size_t need = 0;
            for (const mmc_arena_block &a : blocks)
                need += a.first <= step && step <= a.last ? a.size : 0;
            largest_need = std::max(largest_need, need);
        }
        EXPECT_GE(size, largest_need);
        EXPECT_LT(size, sum);
    }
}

TEST(Arena, AChainNeedsTwoBuffers) {
    std::vector<mmc_arena_block> chain;
    for (int i = 0; i < 10; i++)
        chain.push_back({1024, i, i + 1, 0});
    EXPECT_EQ(mmc_arena_plan(chain.data(), 10), 2048u);
}
