// The clean / cue split, and the names and defaults of the fine-tuning methods.
#include "runtime/clean_split.h"
#include "runtime/finetune.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace {

/* Labels of a split without images. */
struct Labels {
    explicit Labels(std::vector<int32_t> l) : labels(std::move(l)) {
        split.count = static_cast<int32_t>(labels.size());
        split.labels = labels.data();
    }
    std::vector<int32_t> labels;
    mmc_split split = {};
};

std::vector<int32_t> cycle(int count, int classes) {
    std::vector<int32_t> out;
    for (int i = 0; i < count; i++)
        out.push_back(i * 7 % classes);
    return out;
}

struct Split {
    Split(const Labels &l, int classes, int clean, bool authors = false, uint64_t seed = 1)
        : status(mmc_clean_split_make(&s, &l.split, classes, clean, authors, seed)) {
    }
    ~Split() {
        mmc_clean_split_close(&s);
    }
    std::vector<int32_t> clean() const {
        return std::vector<int32_t>(s.clean, s.clean + s.clean_count);
    }
    std::vector<int32_t> cue() const {
        return std::vector<int32_t>(s.cue, s.cue + s.cue_count);
    }
    mmc_clean_split s = {};
    mmc_status status;
};

std::vector<int> per_class(const Labels &l, int classes, const int32_t *items, int32_t count) {
    std::vector<int> out(static_cast<size_t>(classes));
    for (int32_t i = 0; i < count; i++)
        out[static_cast<size_t>(l.labels[static_cast<size_t>(items[i])])]++;
    return out;
}

void expect_balanced(const std::vector<int> &counts) {
    EXPECT_LE(*std::max_element(counts.begin(), counts.end()) - *std::min_element(counts.begin(), counts.end()), 1);
}

} // namespace

TEST(CleanSplit, IsDisjointCompleteAndBalanced) {
    for (int classes : {10, 100}) {
        const Labels labels(cycle(5000, classes));
        const Split split(labels, classes, 250);
        ASSERT_EQ(split.status, MMC_OK) << mmc_error_message();
        ASSERT_EQ(split.s.clean_count, 250);
        ASSERT_EQ(split.s.cue_count, 4750);
        ASSERT_EQ(split.s.validation_count, 25);
        std::set<int32_t> all;
        for (int32_t i : split.clean())
            all.insert(i);
        EXPECT_EQ(all.size(), 250u);
        for (int32_t i : split.cue())
            all.insert(i);
        EXPECT_EQ(all.size(), 5000u);
        const std::vector<int32_t> cue = split.cue();
        EXPECT_TRUE(std::is_sorted(cue.begin(), cue.end()));
        expect_balanced(per_class(labels, classes, split.s.clean, 250));
        expect_balanced(per_class(labels, classes, split.s.clean + 225, 25));
        expect_balanced(per_class(labels, classes, split.s.clean, 225));
    }
}

TEST(CleanSplit, HangsOnTheSeedAlone) {
    const Labels labels(cycle(300, 10));
    const Split a(labels, 10, 40), b(labels, 10, 40), c(labels, 10, 40, false, 2), more(labels, 10, 60);
    EXPECT_EQ(a.clean(), b.clean());
    EXPECT_NE(a.clean(), c.clean());
    const std::vector<int32_t> first = more.clean();
    EXPECT_EQ(a.clean(), std::vector<int32_t>(first.begin(), first.begin() + 40));
}

TEST(CleanSplit, ARareClassGivesWhatItHas) {
    std::vector<int32_t> l = cycle(100, 9);
    l[50] = 9; /* one image of class 9 */
    const Labels labels(l);
    const Split split(labels, 10, 50);
    ASSERT_EQ(split.status, MMC_OK);
    const std::vector<int> counts = per_class(labels, 10, split.s.clean, 50);
    EXPECT_EQ(counts[9], 1);
    expect_balanced(std::vector<int>(counts.begin(), counts.begin() + 9));
}

TEST(CleanSplit, TheAuthorsDrawBothListsWithReplacement) {
    const Labels labels(cycle(1000, 10));
    const Split split(labels, 10, 400, true), again(labels, 10, 400, true);
    ASSERT_EQ(split.status, MMC_OK);
    EXPECT_EQ(split.clean(), again.clean());
    EXPECT_EQ(split.cue(), again.cue());
    const std::vector<int32_t> clean = split.clean(), cue = split.cue();
    const std::set<int32_t> a(clean.begin(), clean.end()), b(cue.begin(), cue.end());
    ASSERT_EQ(clean.size() + cue.size(), 1000u);
    EXPECT_NEAR(static_cast<double>(a.size()), 330, 30); /* 1000 (1 - e^-.4) */
    EXPECT_NEAR(static_cast<double>(b.size()), 451, 40);
    EXPECT_LT(*a.rbegin(), 1000);
    EXPECT_GE(*a.begin(), 0);
    EXPECT_TRUE(std::any_of(a.begin(), a.end(), [&](int32_t i) { return b.count(i) > 0; }));
}

TEST(CleanSplit, RefusesToTakeEverything) {
    const Labels labels(cycle(30, 10));
    for (int clean : {0, 30, 2500}) {
        const Split split(labels, 10, clean);
        EXPECT_EQ(split.status, MMC_ERR_RANGE);
        EXPECT_NE(std::string(mmc_error_message()).find("give 1 to 29"), std::string::npos) << mmc_error_message();
    }
}

TEST(Method, NamesGoThereAndBack) {
    for (int i = 0; i < MMC_METHOD_COUNT; i++) {
        mmc_method method;
        ASSERT_EQ(mmc_method_parse(&method, mmc_method_name(static_cast<mmc_method>(i))), MMC_OK);
        EXPECT_EQ(method, i);
        EXPECT_STRNE(mmc_method_text(method), "");
    }
    mmc_method method;
    EXPECT_EQ(mmc_method_parse(&method, "ft"), MMC_ERR_USAGE);
    EXPECT_NE(std::string(mmc_error_message())
                  .find("known are ft-medium, ft-small, llrt, lpft, cbft, cbft-no-barrier, "
                        "cbft-no-invariance, scratch-clean"),
              std::string::npos)
        << mmc_error_message();
}

TEST(Method, DefaultsAreThePapers) {
    EXPECT_EQ(mmc_finetune_defaults(MMC_METHOD_FT_MEDIUM).lr, 0.01);
    EXPECT_EQ(mmc_finetune_defaults(MMC_METHOD_FT_SMALL).lr, 0.001);
    const mmc_finetune_config lpft = mmc_finetune_defaults(MMC_METHOD_LPFT);
    EXPECT_EQ(mmc_finetune_epochs(&lpft), 100 + 3 * 20);
    const mmc_finetune_config llrt = mmc_finetune_defaults(MMC_METHOD_LLRT);
    EXPECT_EQ(mmc_finetune_epochs(&llrt), 100);
    EXPECT_EQ(llrt.head_lr, 30);
    const mmc_finetune_config scratch = mmc_finetune_defaults(MMC_METHOD_SCRATCH_CLEAN);
    EXPECT_EQ(mmc_finetune_epochs(&scratch), 100);
    EXPECT_EQ(scratch.lr, 0.1);
    const mmc_finetune_config cbft = mmc_finetune_defaults(MMC_METHOD_CBFT);
    EXPECT_EQ(mmc_finetune_epochs(&cbft), 20);
    EXPECT_EQ(cbft.lambda, 1);
    EXPECT_EQ(cbft.batch, 256);
}
