// Claims of the small model: on the paper's own table, and on rows that just hold or just fail.
#include "reports/paper_values.h"
#include "suites/claims_small.h"
#include "suites/scale.h"
#include "suites/small.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <string>
#include <vector>

namespace {

// Entries of Table 5 as the paper prints them: (trained on 0, 4, both) x (K = 0, 4).
void paper(double entry[3][2]) {
    for (size_t i = 0; i < mmc_paper_table5_count; i++) {
        const mmc_paper_small &e = mmc_paper_table5[i];
        const int row = std::string(e.trained) == "0" ? 0 : std::string(e.trained) == "4" ? 1 : 2;
        entry[row][e.k == 4] = e.loss_difference;
    }
}

TEST(SmallClaims, ThePapersTableHasTheZeroPattern) {
    double entry[3][2], zero, large;
    paper(entry);
    EXPECT_TRUE(mmc_claim_zero_pattern(&zero, &large, entry));
    EXPECT_EQ(zero, 0);
    EXPECT_EQ(large, 18.84);
    entry[2][0] = .38; // 2.02% of 18.84
    EXPECT_FALSE(mmc_claim_zero_pattern(&zero, &large, entry));
    entry[2][0] = .37;
    EXPECT_TRUE(mmc_claim_zero_pattern(&zero, &large, entry));
    entry[1][0] = 0; // a large one that is none
    EXPECT_FALSE(mmc_claim_zero_pattern(&zero, &large, entry));
    paper(entry);
    entry[0][1] = NAN;
    EXPECT_FALSE(mmc_claim_zero_pattern(&zero, &large, entry));
}

class Rows {
  public:
    Rows() {
        scale = *mmc_scale_find("paper");
        scale.points = 3;
    }
    void add(int64_t seed, const std::string &item, const char *set, const char *metric, double value, double t = NAN) {
        items_.push_back(item);
        mmc_record r = mmc_record_empty();
        r.item = items_.back().c_str();
        r.set = set;
        r.metric = metric;
        r.value = value;
        r.t = t;
        r.seed = seed;
        r.arch = MMC_SMALL_ARCH;
        r.dataset = MMC_SMALL_DATASET;
        r.split = "test";
        r.scale = "paper";
        rows_.push_back(r);
    }
    void table(int64_t seed, double zero = .0001, double accuracy = .999) {
        for (int m = 0; m < 3; m++) {
            char name[8];
            mmc_small_model_name(name, &mmc_small_models[m]);
            add(seed, name, mmc_small_set_name(mmc_small_models[m].predictive), "accuracy", accuracy);
            for (int k = 0; k < 2; k++)
                add(seed, name, k ? "D4" : "D0", "loss_difference", (m == 1) == (k == 1) ? zero : .2);
        }
    }
    void pairs(int64_t seed, double like, double four, double w1, double middle = .995) {
        for (int i = 0; i < MMC_SMALL_PAIRS; i++) {
            char name[16];
            mmc_small_pair_name(name, i);
            const std::string after = std::string(name) + "-permuted";
            const bool is_like = mmc_small_pairs[i].like;
            add(seed, name, "D04", "barrier", i == 1 ? .04 : .03);
            add(seed, after, "D04", "barrier", i == 1 ? four : is_like ? like : .03);
            add(seed, name, "D04", "w1", is_like ? w1 : .2);
            for (double t : {0., .5, 1.}) {
                add(seed, name, "D04", "accuracy", t == .5 ? .9 : .999, t);
                add(seed, after, "D04", "accuracy", t == .5 ? middle : .999, t);
            }
        }
    }
    mmc_claim_answer judge(const mmc_claim &claim) {
        mmc_record_set set = {rows_.data(), rows_.size(), nullptr};
        const mmc_claim_question q = {&set, mmc_suite_find("fig13"), &scale, MMC_SMALL_ARCH, MMC_SMALL_DATASET};
        mmc_claim_answer a = {};
        claim.judge(&a, &q);
        return a;
    }
    mmc_scale scale;

  private:
    std::deque<std::string> items_;
    std::vector<mmc_record> rows_;
};

TEST(SmallClaims, NamesAreThoseOfTheRows) {
    EXPECT_STREQ(mmc_small_set_name(MMC_SMALL_K0), "D0");
    EXPECT_STREQ(mmc_small_set_name(MMC_SMALL_K4), "D4");
    EXPECT_STREQ(mmc_small_set_name(MMC_SMALL_BOTH), "D04");
    std::string models, pairs;
    for (const mmc_small_model &m : mmc_small_models) {
        char name[8];
        mmc_small_model_name(name, &m);
        models += std::string(name) + " ";
    }
    for (int i = 0; i < MMC_SMALL_PAIRS; i++) {
        char name[16];
        mmc_small_pair_name(name, i);
        pairs += std::string(name) + (mmc_small_pairs[i].like ? "+ " : " ");
    }
    EXPECT_EQ(models, "0 4 0+4 0' 4' ");
    EXPECT_EQ(pairs, "0-0'+ 4-4'+ 0-4 0-0+4+ 4-0+4 ");
}

TEST(SmallClaims, EverySeedMustHaveThePattern) {
    const mmc_claim &claim = *mmc_claims_of_table5[0];
    EXPECT_EQ(Rows().judge(claim).verdict, MMC_VERDICT_UNDECIDED);
    Rows good, one_bad, weak, part;
    good.table(1);
    good.table(2, .0039);
    EXPECT_EQ(good.judge(claim).verdict, MMC_VERDICT_HOLDS) << good.judge(claim).reason;
    one_bad.table(1);
    one_bad.table(2, .0041);
    one_bad.table(3);
    EXPECT_EQ(one_bad.judge(claim).verdict, MMC_VERDICT_FAILS);
    EXPECT_NE(std::string(one_bad.judge(claim).reason).find("seed 2"), std::string::npos)
        << one_bad.judge(claim).reason;
    weak.table(1, .0001, .98);
    EXPECT_EQ(weak.judge(claim).verdict, MMC_VERDICT_UNDECIDED);
    part.table(1);
    part.add(2, "0", "D0", "loss_difference", 0);
    EXPECT_EQ(part.judge(claim).verdict, MMC_VERDICT_UNDECIDED);
}

TEST(SmallClaims, PairsOfFigure13) {
    const mmc_claim &zero = *mmc_claims_of_fig13[0], &four = *mmc_claims_of_fig13[1], &w1 = *mmc_claims_of_fig13[2];
    auto verdicts = [&](Rows &r) {
        return std::vector<mmc_verdict>{r.judge(zero).verdict, r.judge(four).verdict, r.judge(w1).verdict};
    };
    const auto H = MMC_VERDICT_HOLDS, F = MMC_VERDICT_FAILS, U = MMC_VERDICT_UNDECIDED;
    Rows good, like, above_half, above_differing, dips, patterns, second;
    good.pairs(1, .0014, .0149, .05);
    EXPECT_EQ(verdicts(good), (std::vector<mmc_verdict>{H, H, H}));
    like.pairs(1, .0016, .0149, .05); // 5% of .03
    EXPECT_EQ(verdicts(like), (std::vector<mmc_verdict>{F, H, H}));
    above_half.pairs(1, .001, .021, .05); // half of .04
    EXPECT_EQ(verdicts(above_half), (std::vector<mmc_verdict>{H, F, H}));
    above_differing.pairs(1, .001, .0151, .05); // half of .03
    EXPECT_EQ(verdicts(above_differing), (std::vector<mmc_verdict>{H, F, H}));
    dips.pairs(1, .001, .01, .05, .985);
    EXPECT_EQ(verdicts(dips), (std::vector<mmc_verdict>{H, F, H}));
    patterns.pairs(1, .001, .01, .051); // a quarter of .2
    EXPECT_EQ(verdicts(patterns), (std::vector<mmc_verdict>{H, H, F}));
    second.pairs(1, .001, .01, .04);
    second.pairs(2, .01, .01, .04);
    EXPECT_EQ(verdicts(second), (std::vector<mmc_verdict>{F, H, H}));
    Rows none;
    EXPECT_EQ(verdicts(none), (std::vector<mmc_verdict>{U, U, U}));
}

} // namespace
