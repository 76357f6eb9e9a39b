// Claims on Tables 1, 3 and 4: each holds on the values that the paper prints, and fails as soon as one of them is
// moved to the wrong side of its limit.
#include "reports/paper_values.h"
#include "suites/claims.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace {

using Values = std::function<double &(const char *method, double cue, mmc_set set)>;

class ClaimsOfTables : public ::testing::Test {
  protected:
    static constexpr int seeds = 3;
    mmc_scale scale = *mmc_scale_find("paper");
    mmc_suite suite = {};
    std::vector<mmc_record> rows;
    std::string dataset;

    void SetUp() override {
        scale.table_seeds = seeds;
        suite.name = "table";
        suite.test = true;
    }

    // The paper's lines for a table and data set as records of three seeds whose mean is what is printed.
    void paper(const std::string &table, const std::string &data) {
        dataset = data;
        for (size_t i = 0; i < mmc_paper_row_count; i++)
            if (mmc_paper_rows[i].table == table && mmc_paper_rows[i].dataset == data)
                for (int s = 0; s < MMC_SET_COUNT; s++)
                    add(mmc_paper_rows[i].method, mmc_paper_rows[i].cue, static_cast<mmc_set>(s),
                        mmc_paper_rows[i].percent[s] / 100);
    }

    void add(const char *method, double cue, mmc_set set, double value) {
        for (int seed = 1; seed <= seeds; seed++) {
            mmc_record r = mmc_record_empty();
            r.item = r.method = method;
            r.metric = "accuracy";
            r.arch = "resnet18";
            r.dataset = dataset.c_str();
            r.scale = scale.name;
            r.split = "test";
            r.set = mmc_set_letter(set);
            r.seed = seed;
            r.cue = cue;
            r.value = value + .005 * (seed - 2);
            rows.push_back(r);
        }
    }

    mmc_claim_answer judge(const mmc_claim *claim) {
        mmc_record_set set = {rows.data(), rows.size(), nullptr};
        mmc_claim_question q = {&set, &suite, &scale, "resnet18", dataset.c_str()};
        mmc_claim_answer a = {};
        claim->judge(&a, &q);
        EXPECT_STRNE(a.reason, "");
        return a;
    }

    double mean(const char *method, double cue, mmc_set set) {
        double sum = 0;
        int n = 0;
        for (const mmc_record &r : rows)
            if (std::strcmp(r.item, method) == 0 && std::fabs(r.cue - cue) < 1e-9 &&
                std::strcmp(r.set, mmc_set_letter(set)) == 0) {
                sum += r.value;
                n++;
            }
        EXPECT_GT(n, 0) << method << " " << cue;
        return sum / n;
    }

    // Moves the mean of one accuracy.
    void move(const char *method, double cue, mmc_set set, double to) {
        double shift = to - mean(method, cue, set);
        for (mmc_record &r : rows)
            if (std::strcmp(r.item, method) == 0 && std::fabs(r.cue - cue) < 1e-9 &&
                std::strcmp(r.set, mmc_set_letter(set)) == 0)
                r.value += shift;
    }

    // The claim's verdict with one accuracy moved, and nothing else.
    mmc_verdict moved(const mmc_claim *claim, const char *method, double cue, mmc_set set, double to) {
        std::vector<mmc_record> kept = rows;
        move(method, cue, set, to);
        mmc_claim_answer a = judge(claim);
        rows = kept;
        EXPECT_EQ(judge(claim).verdict, MMC_VERDICT_HOLDS);
        return a.verdict;
    }

    static const mmc_claim *find(const mmc_claim *const *list, const char *name) {
        for (; *list; list++)
            if (std::strcmp((*list)->name, name) == 0)
                return *list;
        ADD_FAILURE() << name;
        return nullptr;
    }
};

const char *const datasets[] = {"cifar10-box", "cifar100-box", "dominoes"};
const double cues[] = {.6, .7, .8, .9};

TEST_F(ClaimsOfTables, AllHoldOnThePapersValues) {
    struct {
        const char *table;
        const mmc_claim *const *claims;
        int applied;
    } const lists[] = {{"table1", mmc_claims_of_table1, 3 + 3 + 4},
                       {"table3", mmc_claims_of_table3, 1 + 1 + 2},
                       {"table4", mmc_claims_of_table4, 2 + 2 + 2}};
    for (const auto &list : lists) {
        int applied = 0;
        for (const char *data : datasets) {
            rows.clear();
            paper(list.table, data);
            if (std::strcmp(list.table, "table4") == 0)
                paper("table1", data);
            for (const mmc_claim *const *c = list.claims; *c; c++)
                if (mmc_claim_applies(*c, data)) {
                    mmc_claim_answer a = judge(*c);
                    EXPECT_EQ(a.verdict, MMC_VERDICT_HOLDS) << data << " " << (*c)->name << ": " << a.reason;
                    EXPECT_NE(std::string(a.reason).find("3 seeds"), std::string::npos) << a.reason;
                    applied++;
                }
        }
        EXPECT_EQ(applied, list.applied) << list.table;
    }
}

TEST_F(ClaimsOfTables, NaiveFineTuningFailsOnceItNoLongerUsesTheCue) {
    const mmc_claim *claim = find(mmc_claims_of_table1, "naive-fine-tuning-keeps-the-cue");
    for (const char *data : datasets) {
        rows.clear();
        paper("table1", data);
        for (double p : cues)
            for (const char *method : {"ft-medium", "ft-small"}) {
                double nc = mean(method, p, MMC_SET_NC);
                EXPECT_EQ(moved(claim, method, p, MMC_SET_C, nc + .099), MMC_VERDICT_FAILS) << data << method << p;
                EXPECT_EQ(moved(claim, method, p, MMC_SET_RC, nc - .099), MMC_VERDICT_FAILS) << data << method << p;
                EXPECT_EQ(moved(claim, method, p, MMC_SET_C, nc + .10), MMC_VERDICT_HOLDS) << data << method << p;
            }
    }
}

TEST_F(ClaimsOfTables, CbftFailsOnceAnotherMethodIsSwayedAsLittle) {
    const mmc_claim *claim = find(mmc_claims_of_table1, "cbft-least-swayed-by-the-cue");
    for (const char *data : datasets) {
        rows.clear();
        paper("table1", data);
        for (double p : cues) {
            double sway = std::fabs(mean("cbft", p, MMC_SET_NC) - mean("cbft", p, MMC_SET_RC));
            for (const char *other : {"ft-medium", "ft-small", "llrt", "lpft"})
                for (double sign : {-1., 1.})
                    EXPECT_EQ(moved(claim, other, p, MMC_SET_RC, mean(other, p, MMC_SET_NC) + sign * sway),
                              MMC_VERDICT_FAILS)
                        << data << other << p;
        }
    }
}

TEST_F(ClaimsOfTables, CbftFailsOnRandomImagesAndAboveItsLimits) {
    const mmc_claim *image = find(mmc_claims_of_table1, "cbft-below-ft-medium-on-random-images");
    const mmc_claim *blind = find(mmc_claims_of_table1, "cbft-blind-to-the-cue");
    for (const char *data : datasets) {
        rows.clear();
        paper("table1", data);
        for (double p : cues) {
            EXPECT_EQ(moved(image, "cbft", p, MMC_SET_RI, mean("ft-medium", p, MMC_SET_RI)), MMC_VERDICT_FAILS) << data;
            if (!mmc_claim_applies(blind, data))
                continue;
            double nc = mean("cbft", p, MMC_SET_NC);
            EXPECT_EQ(moved(blind, "cbft", p, MMC_SET_RC, nc - .051), MMC_VERDICT_FAILS) << p;
            EXPECT_EQ(moved(blind, "cbft", p, MMC_SET_RC, nc + .051), MMC_VERDICT_FAILS) << p;
            EXPECT_EQ(moved(blind, "cbft", p, MMC_SET_RC, nc - .05), MMC_VERDICT_HOLDS) << p;
            EXPECT_EQ(moved(blind, "cbft", p, MMC_SET_RI, .201), MMC_VERDICT_FAILS) << p;
        }
    }
    EXPECT_FALSE(mmc_claim_applies(blind, "dominoes"));
    EXPECT_TRUE(mmc_claim_applies(blind, "fashion-box"));
}

TEST_F(ClaimsOfTables, AblationsFailWhereNothingIsLost) {
    const mmc_claim *barrier = find(mmc_claims_of_table3, "without-barrier-the-cue-stays");
    const mmc_claim *invariance = find(mmc_claims_of_table3, "without-invariance-the-cue-sways");
    for (const char *data : datasets) {
        rows.clear();
        paper("table3", data);
        for (double p : cues) {
            for (mmc_set set : {MMC_SET_C, MMC_SET_RI})
                EXPECT_EQ(moved(barrier, "cbft-no-barrier", p, set, mean("cbft", p, set)), MMC_VERDICT_FAILS) << data;
            if (mmc_claim_applies(invariance, data))
                EXPECT_EQ(moved(invariance, "cbft-no-invariance", p, MMC_SET_RC,
                                mean("cbft-no-invariance", p, MMC_SET_NC) - .199),
                          MMC_VERDICT_FAILS);
        }
    }
}

TEST_F(ClaimsOfTables, ScratchFailsWhereItBeatsCbftOrMindsTheCue) {
    const mmc_claim *below = find(mmc_claims_of_table4, "scratch-below-cbft");
    const mmc_claim *box = find(mmc_claims_of_table4, "scratch-ignores-the-box");
    const mmc_claim *domino = find(mmc_claims_of_table4, "scratch-disturbed-by-the-domino");
    for (const char *data : datasets) {
        rows.clear();
        paper("table1", data);
        paper("table4", data);
        double nc = mean("scratch-clean", 0, MMC_SET_NC);
        for (double p : cues)
            EXPECT_EQ(moved(below, "cbft", p, MMC_SET_NC, nc), MMC_VERDICT_FAILS) << data << p;
        for (mmc_set set : {MMC_SET_C, MMC_SET_RC}) {
            if (mmc_claim_applies(box, data))
                for (double off : {-.021, .021})
                    EXPECT_EQ(moved(box, "scratch-clean", 0, set, nc + off), MMC_VERDICT_FAILS) << data;
            if (mmc_claim_applies(domino, data))
                EXPECT_EQ(moved(domino, "scratch-clean", 0, set, nc), MMC_VERDICT_FAILS) << data;
        }
    }
}

TEST_F(ClaimsOfTables, MissingSeedsMethodsAndRowsDecideNothing) {
    const mmc_claim *least = find(mmc_claims_of_table1, "cbft-least-swayed-by-the-cue");
    const mmc_claim *naive = find(mmc_claims_of_table1, "naive-fine-tuning-keeps-the-cue");
    mmc_claim_answer a = judge(least);
    EXPECT_EQ(a.verdict, MMC_VERDICT_UNDECIDED);
    paper("table1", "cifar10-box");
    std::vector<mmc_record> all = rows;
    for (size_t i = 0; i < rows.size(); i++)
        if (std::strcmp(rows[i].item, "lpft") == 0 && rows[i].seed == 2 && std::strcmp(rows[i].set, "RI") == 0 &&
            rows[i].cue == .8)
            rows.erase(rows.begin() + static_cast<long>(i));
    a = judge(least);
    EXPECT_EQ(a.verdict, MMC_VERDICT_UNDECIDED);
    EXPECT_NE(std::string(a.reason).find("lpft at p = 0.8: 2 of 3 seeds"), std::string::npos) << a.reason;
    EXPECT_EQ(judge(naive).verdict, MMC_VERDICT_HOLDS) << "lpft has no part in it";
    rows = all;
    for (mmc_record &r : rows)
        if (std::strcmp(r.item, "llrt") == 0) {
            r.value = NAN;
            r.reason = "no head today";
        }
    a = judge(least);
    EXPECT_EQ(a.verdict, MMC_VERDICT_UNDECIDED);
    EXPECT_NE(std::string(a.reason).find("no head today"), std::string::npos) << a.reason;
}

TEST_F(ClaimsOfTables, NearALimitAndUntrainedModelsDecideNothing) {
    const mmc_claim *naive = find(mmc_claims_of_table1, "naive-fine-tuning-keeps-the-cue");
    const mmc_claim *blind = find(mmc_claims_of_table1, "cbft-blind-to-the-cue");
    paper("table1", "cifar10-box");
    scale.claim_margin = .01;
    EXPECT_EQ(judge(naive).verdict, MMC_VERDICT_HOLDS);
    move("ft-medium", .9, MMC_SET_RC, mean("ft-medium", .9, MMC_SET_NC) - .105);
    mmc_claim_answer a = judge(naive);
    EXPECT_EQ(a.verdict, MMC_VERDICT_UNDECIDED);
    EXPECT_NE(std::string(a.reason).find("too near"), std::string::npos) << a.reason;

    rows.clear();
    paper("table1", "cifar10-box");
    for (mmc_set set : {MMC_SET_NC, MMC_SET_RC})
        move("cbft", .7, set, .15);
    a = judge(blind);
    EXPECT_EQ(a.verdict, MMC_VERDICT_UNDECIDED) << "a network at chance is blind to everything";
    EXPECT_NE(std::string(a.reason).find("chance is 10%"), std::string::npos) << a.reason;

    rows.clear();
    paper("table1", "cifar10-box");
    scale.claim_accuracy = .5;
    EXPECT_EQ(judge(naive).verdict, MMC_VERDICT_UNDECIDED) << "theta_C is not there";
    for (double p : cues)
        for (int s = 0; s < MMC_SET_COUNT; s++)
            add("pretrained", p, static_cast<mmc_set>(s), p == .6 ? .4 : .9);
    a = judge(naive);
    EXPECT_EQ(a.verdict, MMC_VERDICT_UNDECIDED);
    EXPECT_NE(std::string(a.reason).find("theta_C at p = 0.6 reaches only 40.0% on C"), std::string::npos) << a.reason;
    move("pretrained", .6, MMC_SET_C, .9);
    EXPECT_EQ(judge(naive).verdict, MMC_VERDICT_HOLDS);
}

TEST_F(ClaimsOfTables, OtherDataSetsNetworksAndScalesAreNotLookedAt) {
    const mmc_claim *naive = find(mmc_claims_of_table1, "naive-fine-tuning-keeps-the-cue");
    paper("table1", "cifar10-box");
    size_t count = rows.size();
    rows.insert(rows.end(), rows.begin(), rows.begin() + 12);
    for (size_t i = count; i < rows.size(); i++) {
        rows[i].value = .5;
        rows[i].seed = 9;
        rows[i].dataset = i % 3 == 0 ? "dominoes" : rows[i].dataset;
        rows[i].arch = i % 3 == 1 ? "vgg13" : rows[i].arch;
        rows[i].scale = i % 3 == 2 ? "quick" : rows[i].scale;
    }
    EXPECT_EQ(judge(naive).verdict, MMC_VERDICT_HOLDS);
}

} // namespace
