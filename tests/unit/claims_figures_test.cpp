// Claims on Figures 5, 6, 20 to 31 and Table 2, over synthetic curves: where they hold, fail and cannot be decided.
#include "suites/claims.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace {

class ClaimsOfFigures : public ::testing::Test {
  protected:
    mmc_scale scale = *mmc_scale_find("quick");
    mmc_suite suite = {};
    std::vector<mmc_record> rows;
    const char *split = "test", *metric = "accuracy";

    void SetUp() override {
        scale.points = 11;
        scale.connected_dip = .05;
        scale.claim_margin = .01;
        scale.claim_accuracy = .5;
        suite.name = "fig20";
        suite.test = true;
        suite.curves[0] = {"ft-0.001", MMC_CURVE_LINEAR, .001, false, false, MMC_SET_C};
        suite.curves[1] = {"ft-0.01", MMC_CURVE_LINEAR, .01, false, false, MMC_SET_C};
        suite.curves[2] = {"ft-0.1", MMC_CURVE_LINEAR, .1, false, false, MMC_SET_C};
    }

    // Values at t = 0, .5 and 1 of one curve on one set; points between lie on straight lines.
    void add(const char *item, double cue, mmc_set set, double first, double middle, double last) {
        for (int i = 0; i < 11; i++) {
            double t = i / 10.0, u = t < .5 ? 2 * t : 2 * t - 1;
            mmc_record r = mmc_record_empty();
            r.item = item;
            r.metric = metric;
            r.arch = "vgg13";
            r.dataset = "dominoes";
            r.scale = "quick";
            r.split = split;
            r.set = mmc_set_letter(set);
            r.seed = 1;
            r.cue = cue;
            r.t = t;
            r.value = t < .5 ? (1 - u) * first + u * middle : (1 - u) * middle + u * last;
            rows.push_back(r);
        }
    }

    // A path between models of the same response, and one between models of different ones with a barrier.
    void same(const char *item, double cue) {
        add(item, cue, MMC_SET_NC, .70, .72, .74);
        add(item, cue, MMC_SET_C, .99, .98, .98);
        add(item, cue, MMC_SET_RC, .15, .17, .18);
        add(item, cue, MMC_SET_RI, .90, .88, .88);
    }
    void other(const char *item, double cue, double middle = .20) {
        add(item, cue, MMC_SET_NC, .60, middle, .85);
        add(item, cue, MMC_SET_C, .99, middle, .86);
        add(item, cue, MMC_SET_RC, .15, middle, .83);
        add(item, cue, MMC_SET_RI, .90, middle, .10);
    }
    // The paper's picture of fine-tuning.
    void paper(const char *ending = "") {
        small = std::string("ft-0.001") + ending;
        medium = std::string("ft-0.01") + ending;
        large = std::string("ft-0.1") + ending;
        same(small.c_str(), .6);
        same(small.c_str(), .9);
        other(medium.c_str(), .6, .70); // nothing is claimed of it
        for (double p : {.6, .9, 1.})
            other(large.c_str(), p);
        other(small.c_str(), 1);
        other(medium.c_str(), 1);
    }
    std::string small, medium, large;

    mmc_claim_answer judge(const mmc_claim *const *list, const char *name) {
        mmc_record_set set = {rows.data(), rows.size(), nullptr};
        mmc_claim_question q = {&set, &suite, &scale, "vgg13", "dominoes"};
        mmc_claim_answer a = {};
        for (; *list; list++)
            if (std::strcmp((*list)->name, name) == 0) {
                (*list)->judge(&a, &q);
                EXPECT_STRNE(a.reason, "");
                return a;
            }
        ADD_FAILURE() << name;
        return a;
    }
    mmc_verdict tuned(const char *name) {
        return judge(mmc_claims_of_fine_tuning, name).verdict;
    }
    void expect_tuned(mmc_verdict connected, mmc_verdict same, mmc_verdict disconnected, mmc_verdict other) {
        EXPECT_EQ(tuned("small-rate-connected"), connected);
        EXPECT_EQ(tuned("small-rate-same-response"), same);
        EXPECT_EQ(tuned("large-rate-disconnected"), disconnected);
        EXPECT_EQ(tuned("large-rate-other-response"), other);
    }
};

constexpr mmc_verdict holds = MMC_VERDICT_HOLDS, fails = MMC_VERDICT_FAILS, undecided = MMC_VERDICT_UNDECIDED;

TEST_F(ClaimsOfFigures, ThePapersPictureOfFineTuningHolds) {
    paper();
    expect_tuned(holds, holds, holds, holds);
}

TEST_F(ClaimsOfFigures, FigureFiveIsJudgedOnItsMatchedPaths) {
    for (int i = 0; i < 3; i++)
        suite.curves[i].item = i == 0 ? "ft-0.001-permuted" : i == 1 ? "ft-0.01-permuted" : "ft-0.1-permuted";
    paper("-permuted");
    expect_tuned(holds, holds, holds, holds);
    suite.curves[0].item = "ft-0.001";
    EXPECT_EQ(tuned("small-rate-connected"), undecided) << "rows of another figure's paths";
}

TEST_F(ClaimsOfFigures, FiguresOfTrainDataAreJudgedOnTrainData) {
    paper();
    suite.test = false;
    suite.train = true;
    expect_tuned(undecided, undecided, undecided, undecided);
    split = "train";
    paper();
    expect_tuned(holds, holds, holds, holds);
}

TEST_F(ClaimsOfFigures, ABarrierAtTheSmallRateFails) {
    paper();
    add("ft-0.001", .8, MMC_SET_NC, .70, .72, .74);
    add("ft-0.001", .8, MMC_SET_C, .99, .80, .98);
    add("ft-0.001", .8, MMC_SET_RC, .15, .17, .18);
    add("ft-0.001", .8, MMC_SET_RI, .90, .88, .88);
    expect_tuned(fails, fails, holds, holds);
    mmc_record r = rows.back(); // the barrier of the same path stands behind the dip
    r.metric = "barrier";
    r.set = "C";
    r.t = NAN;
    r.value = 1.25;
    rows.push_back(r);
    mmc_claim_answer a = judge(mmc_claims_of_fine_tuning, "small-rate-connected");
    EXPECT_NE(
        std::string(a.reason).find("ft-0.001 at p = 0.8: dip on C 18.0 points, connected up to 5.0, barrier 1.25 nats"),
        std::string::npos)
        << a.reason;
}

TEST_F(ClaimsOfFigures, AnotherResponseAtTheSmallRateFails) {
    paper();
    add("ft-0.001", .8, MMC_SET_NC, .70, .75, .80);
    add("ft-0.001", .8, MMC_SET_C, .99, .98, .98);
    add("ft-0.001", .8, MMC_SET_RC, .15, .30, .40);
    add("ft-0.001", .8, MMC_SET_RI, .90, .85, .85);
    expect_tuned(holds, fails, holds, holds);
}

TEST_F(ClaimsOfFigures, AConnectedModelOfTheLargeRateOrOfEveryCueFails) {
    paper();
    other("ft-0.1", .8, .87);
    expect_tuned(holds, holds, fails, holds);
    rows.clear();
    other("ft-0.1", .6);
    expect_tuned(undecided, undecided, holds, holds);
    same("ft-0.01", 1); // p = 1 must leave, whatever the rate
    expect_tuned(undecided, undecided, fails, fails);
}

TEST_F(ClaimsOfFigures, TheSameModelAtTheLargeRateFails) {
    paper();
    same("ft-0.1", .8);
    expect_tuned(holds, holds, fails, fails);
    rows.clear();
    paper();
    // a barrier between models of one response is no other response
    add("ft-0.1", .8, MMC_SET_NC, .70, .20, .74);
    add("ft-0.1", .8, MMC_SET_C, .99, .20, .98);
    add("ft-0.1", .8, MMC_SET_RC, .15, .20, .18);
    add("ft-0.1", .8, MMC_SET_RI, .90, .20, .88);
    expect_tuned(holds, holds, holds, fails);
}

TEST_F(ClaimsOfFigures, WhatIsMissingOrUntrainedDecidesNothing) {
    expect_tuned(undecided, undecided, undecided, undecided);
    for (double p : {.6, 1.})
        other("ft-0.1", p);
    expect_tuned(undecided, undecided, holds, holds);
    other("ft-0.001", 1); // p = 1 says nothing of the small rate below it
    expect_tuned(undecided, undecided, holds, holds);
    same("ft-0.001", .6);
    rows.pop_back(); // of RI
    expect_tuned(holds, undecided, holds, holds);
    rows.clear();
    paper();
    scale.claim_accuracy = .8; // the small rate leaves NC at 74%
    mmc_claim_answer a = judge(mmc_claims_of_fine_tuning, "small-rate-connected");
    EXPECT_EQ(a.verdict, undecided);
    EXPECT_NE(std::string(a.reason).find("only 74.0% on its own data"), std::string::npos) << a.reason;
}

// --- figure 6 --------------------------------------------------------------------------------------------------------

TEST_F(ClaimsOfFigures, TheLossOfFigureSixHoldsAndFails) {
    auto both = [&](double barrier, double at_nc) {
        rows.clear();
        metric = "accuracy";
        other("linear", 1);
        metric = "loss";
        add("linear", 1, MMC_SET_C, .02, barrier + .25, .48);
        add("linear", 1, MMC_SET_NC, 4.0, 2.2, at_nc);
    };
    both(1.8, .50);
    EXPECT_EQ(judge(mmc_claims_of_fig6, "loss-barrier").verdict, holds);
    mmc_claim_answer a = judge(mmc_claims_of_fig6, "equal-loss-at-theta-nc");
    EXPECT_EQ(a.verdict, holds);
    EXPECT_NE(std::string(a.reason).find("0.500 on NC and 0.480 on C"), std::string::npos) << a.reason;
    both(1.8, .70);
    EXPECT_EQ(judge(mmc_claims_of_fig6, "loss-barrier").verdict, holds);
    EXPECT_EQ(judge(mmc_claims_of_fig6, "equal-loss-at-theta-nc").verdict, fails);
    both(.05, .48);
    EXPECT_EQ(judge(mmc_claims_of_fig6, "loss-barrier").verdict, fails);
    both(-.1, .50);
    EXPECT_EQ(judge(mmc_claims_of_fig6, "loss-barrier").verdict, fails);
    EXPECT_EQ(judge(mmc_claims_of_fig6, "equal-loss-at-theta-nc").verdict, fails);
    both(1.8, .50);
    rows.pop_back();
    EXPECT_EQ(judge(mmc_claims_of_fig6, "loss-barrier").verdict, undecided);
    rows.clear();
    EXPECT_EQ(judge(mmc_claims_of_fig6, "loss-barrier").verdict, undecided);
    EXPECT_EQ(judge(mmc_claims_of_fig6, "equal-loss-at-theta-nc").verdict, undecided);
}

// --- table 2 ---------------------------------------------------------------------------------------------------------

constexpr const char *marks[] = {"similar-linear-mode",       "similar-linear-mechanistic",
                                 "similar-nonlinear-mode",    "similar-nonlinear-mechanistic",
                                 "dissimilar-linear-mode",    "dissimilar-linear-mechanistic",
                                 "dissimilar-nonlinear-mode", "dissimilar-nonlinear-mechanistic"};

TEST_F(ClaimsOfFigures, TableTwoHasOneClaimAMark) {
    suite = *mmc_suite_find("table2");
    auto picture = [&] {
        rows.clear();
        for (double p : {.6, .9}) {
            same("ft-0.001", p);
            same("ft-0.001-quadratic-cue", p);
            other("linear", p);
            other("quadratic-cue", p, .87);
            other("quadratic-no-cue", p, .80);
        }
    };
    picture();
    int count = 0;
    for (const mmc_claim *const *c = mmc_claims_of_table2; *c; c++)
        count++;
    EXPECT_EQ(count, 8);
    for (const char *mark : marks) {
        mmc_claim_answer a = judge(mmc_claims_of_table2, mark);
        EXPECT_EQ(a.verdict, holds) << mark << ": " << a.reason;
    }
    other("ft-0.001", 1); // p = 1 is not a similar pair
    EXPECT_EQ(judge(mmc_claims_of_table2, marks[0]).verdict, holds);
    other("ft-0.001", .8);
    EXPECT_EQ(judge(mmc_claims_of_table2, marks[0]).verdict, fails);
    EXPECT_EQ(judge(mmc_claims_of_table2, marks[1]).verdict, fails);
    other("ft-0.001-quadratic-cue", .8);
    EXPECT_EQ(judge(mmc_claims_of_table2, marks[2]).verdict, fails);
    EXPECT_EQ(judge(mmc_claims_of_table2, marks[3]).verdict, fails);
    same("linear", .8);
    EXPECT_EQ(judge(mmc_claims_of_table2, marks[4]).verdict, fails);
    EXPECT_EQ(judge(mmc_claims_of_table2, marks[5]).verdict, fails);
    other("quadratic-cue", .8);
    EXPECT_EQ(judge(mmc_claims_of_table2, marks[6]).verdict, fails);
    EXPECT_EQ(judge(mmc_claims_of_table2, marks[7]).verdict, holds);
    same("quadratic-no-cue", .8);
    EXPECT_EQ(judge(mmc_claims_of_table2, marks[7]).verdict, fails);
    rows.clear();
    for (const char *mark : marks)
        EXPECT_EQ(judge(mmc_claims_of_table2, mark).verdict, undecided) << mark;
    other("ft-0.001", 1);
    mmc_claim_answer a = judge(mmc_claims_of_table2, marks[0]);
    EXPECT_EQ(a.verdict, undecided);
    EXPECT_NE(std::string(a.reason).find("at p = 1 alone"), std::string::npos) << a.reason;
}

} // namespace
