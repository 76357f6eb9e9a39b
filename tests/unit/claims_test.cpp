// Claims over synthetic records: each one where it holds, fails and cannot be decided.
#include "suites/claims.h"
#include "suites/settings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace {

// Accuracy at t = 0, middle and 1 of one curve on one set; points between lie on straight lines.
struct Curve {
    const char *item;
    mmc_set set;
    double first, middle, last;
};

class Claims : public ::testing::Test {
  protected:
    mmc_scale scale = *mmc_scale_find("quick");
    const mmc_suite *fig4 = mmc_suite_find("fig4");
    std::vector<mmc_record> rows;

    void SetUp() override {
        scale.points = 11;
        scale.connected_dip = .05;
        scale.claim_margin = .01;
        scale.claim_accuracy = .5;
    }

    void add(const Curve &c, double cue = 1.0, const char *arch = "resnet18") {
        for (int i = 0; i < 11; i++) {
            double t = i / 10.0, u = t < .5 ? 2 * t : 2 * t - 1;
            mmc_record r = mmc_record_empty();
            r.item = c.item;
            r.metric = "accuracy";
            r.arch = arch;
            r.dataset = "fashion-box";
            r.scale = "quick";
            r.split = "test";
            r.set = mmc_set_letter(c.set);
            r.seed = 1;
            r.cue = cue;
            r.t = t;
            r.value = t < .5 ? (1 - u) * c.first + u * c.middle : (1 - u) * c.middle + u * c.last;
            rows.push_back(r);
        }
    }

    // A pair as the paper has it: theta_C lives on the cue, theta_NC on the image.
    void addPaperPair(double cue = 1.0) {
        for (const char *item : {"linear", "quadratic-cue", "quadratic-no-cue"}) {
            bool own_c = std::string(item) == "quadratic-cue", own_nc = std::string(item) == "quadratic-no-cue";
            add({item, MMC_SET_NC, .60, own_nc ? .75 : .30, .90}, cue);
            add({item, MMC_SET_C, .99, own_c ? .95 : .40, .90}, cue);
            add({item, MMC_SET_RC, .10, .30, .90}, cue);
            add({item, MMC_SET_RI, .99, .50, .10}, cue);
        }
    }

    mmc_claim_answer judge(const mmc_claim &claim) {
        mmc_record_set set = {rows.data(), rows.size(), nullptr};
        mmc_claim_question q = {&set, fig4, &scale, "resnet18", "fashion-box"};
        mmc_claim_answer a = {};
        claim.judge(&a, &q);
        EXPECT_STRNE(a.reason, "");
        return a;
    }
};

TEST_F(Claims, ThePapersPictureHolds) {
    addPaperPair();
    addPaperPair(.8);
    EXPECT_EQ(judge(mmc_claim_quadratic_connects).verdict, MMC_VERDICT_HOLDS);
    EXPECT_EQ(judge(mmc_claim_linear_disconnected).verdict, MMC_VERDICT_HOLDS);
    EXPECT_EQ(judge(mmc_claim_not_mechanistic).verdict, MMC_VERDICT_HOLDS);
}

TEST_F(Claims, ADipOfTheQuadraticPathFails) {
    addPaperPair();
    add({"quadratic-cue", MMC_SET_C, .99, .80, .90}, .8);
    add({"quadratic-cue", MMC_SET_NC, .60, .70, .90}, .8);
    mmc_claim_answer a = judge(mmc_claim_quadratic_connects);
    EXPECT_EQ(a.verdict, MMC_VERDICT_FAILS);
    EXPECT_NE(std::string(a.reason).find("quadratic-cue at p = 0.8: dip on C 10.0 points"), std::string::npos)
        << a.reason;
}

TEST_F(Claims, AConnectedLinearPathFails) {
    add({"linear", MMC_SET_C, .99, .95, .90});
    add({"linear", MMC_SET_NC, .60, .70, .90});
    EXPECT_EQ(judge(mmc_claim_linear_disconnected).verdict, MMC_VERDICT_FAILS);
}

TEST_F(Claims, NearTheLimitIsUndecidedAndExactWithoutMargin) {
    add({"linear", MMC_SET_C, .99, .845, .90});
    add({"linear", MMC_SET_NC, .60, .70, .90});
    mmc_claim_answer a = judge(mmc_claim_linear_disconnected);
    EXPECT_EQ(a.verdict, MMC_VERDICT_UNDECIDED);
    EXPECT_NE(std::string(a.reason).find("too near"), std::string::npos) << a.reason;
    scale.claim_margin = 0;
    EXPECT_EQ(judge(mmc_claim_linear_disconnected).verdict, MMC_VERDICT_HOLDS);
    rows.clear();
    add({"linear", MMC_SET_C, .99, .85, .90}); // a dip of exactly the limit is connected
    add({"linear", MMC_SET_NC, .60, .70, .90});
    EXPECT_EQ(judge(mmc_claim_linear_disconnected).verdict, MMC_VERDICT_FAILS);
}

TEST_F(Claims, UntrainedEndPointsDecideNothing) {
    add({"linear", MMC_SET_C, .99, .44, .45});
    add({"linear", MMC_SET_NC, .30, .30, .45});
    mmc_claim_answer a = judge(mmc_claim_linear_disconnected);
    EXPECT_EQ(a.verdict, MMC_VERDICT_UNDECIDED);
    EXPECT_NE(std::string(a.reason).find("45.0% on its own data"), std::string::npos) << a.reason;
    scale.claim_accuracy = 0;
    EXPECT_EQ(judge(mmc_claim_linear_disconnected).verdict, MMC_VERDICT_FAILS);
}

TEST_F(Claims, AMissingPathIsUndecidedWithItsReason) {
    mmc_record r = mmc_record_empty();
    r.item = "linear-permuted";
    r.metric = "accuracy";
    r.arch = "resnet18";
    r.dataset = "fashion-box";
    r.scale = "quick";
    r.reason = "no matching here";
    rows.push_back(r);
    mmc_claim_answer a = judge(mmc_claim_permuted_disconnected);
    EXPECT_EQ(a.verdict, MMC_VERDICT_UNDECIDED);
    EXPECT_NE(std::string(a.reason).find("no matching here"), std::string::npos) << a.reason;
    EXPECT_EQ(judge(mmc_claim_linear_disconnected).verdict, MMC_VERDICT_UNDECIDED);
    EXPECT_EQ(judge(mmc_claim_not_mechanistic).verdict, MMC_VERDICT_UNDECIDED);
}

TEST_F(Claims, AMissingPointIsUndecided) {
    addPaperPair();
    rows.erase(rows.begin() + 14); // of the linear path on C
    EXPECT_EQ(judge(mmc_claim_linear_disconnected).verdict, MMC_VERDICT_UNDECIDED);
}

TEST_F(Claims, AMechanisticallyConnectedPathFails) {
    for (int s = 0; s < MMC_SET_COUNT; s++)
        add({"linear", static_cast<mmc_set>(s), .92, .90, .90});
    mmc_claim_answer a = judge(mmc_claim_not_mechanistic);
    EXPECT_EQ(a.verdict, MMC_VERDICT_FAILS) << a.reason;
    // A change of response on one set is enough.
    rows.resize(33);
    add({"linear", MMC_SET_RI, .92, .85, .78});
    EXPECT_EQ(judge(mmc_claim_not_mechanistic).verdict, MMC_VERDICT_HOLDS);
    rows.resize(33);
    add({"linear", MMC_SET_RI, .92, .87, .82});
    EXPECT_EQ(judge(mmc_claim_not_mechanistic).verdict, MMC_VERDICT_UNDECIDED);
}

TEST_F(Claims, OtherNetworksDataSetsAndScalesAreNotLookedAt) {
    addPaperPair();
    add({"linear", MMC_SET_C, .99, .95, .90}, .8, "vgg13");
    add({"linear", MMC_SET_NC, .60, .70, .90}, .8, "vgg13");
    EXPECT_EQ(judge(mmc_claim_linear_disconnected).verdict, MMC_VERDICT_HOLDS);
}

TEST(Suites, TablesAreWhole) {
    size_t count, scales;
    const mmc_suite *const *suites = mmc_suite_all(&count);
    for (size_t i = 0; i < count; i++) {
        const mmc_suite *s = suites[i];
        EXPECT_EQ(mmc_suite_find(s->name), s);
        bool networks = s->kind == MMC_SUITE_PATHS || s->kind == MMC_SUITE_METHODS || s->kind == MMC_SUITE_CURVES;
        EXPECT_EQ(networks, s->archs[0] != nullptr) << s->name;
        bool pictures = s->kind == MMC_SUITE_CURVES || s->kind == MMC_SUITE_SHEET || s->kind == MMC_SUITE_SMALL_MAP;
        EXPECT_EQ(pictures, s->claims == nullptr) << s->name;
        EXPECT_EQ(s->kind == MMC_SUITE_PATHS, s->curves[0].item != nullptr) << s->name;
        EXPECT_TRUE(s->test || s->train || mmc_suite_small(s)) << s->name;
        for (const char *const *d = s->datasets; *d; d++) {
            EXPECT_TRUE(std::string(*d) == "cifar10-box" || std::string(*d) == "cifar100-box" ||
                        std::string(*d) == "dominoes")
                << *d;
        }
    }
    const mmc_scale *const *all = mmc_scale_all(&scales);
    ASSERT_EQ(scales, 3u);
    for (size_t i = 0; i < scales; i++) {
        EXPECT_EQ(all[i]->reduced, std::string(all[i]->name) != "paper");
        for (const char *const *s = all[i]->suites; *s; s++)
            EXPECT_NE(mmc_suite_find(*s), nullptr) << *s;
    }
    EXPECT_EQ(mmc_suite_find("fig99"), nullptr);
    EXPECT_EQ(mmc_scale_find("huge"), nullptr);
}

TEST(Settings, ThePapersScaleWithAnotherProtocolIsReduced) {
    mmc_run_request request = mmc_run_request_defaults();
    request.scale = "paper";
    mmc_plan_settings settings;
    ASSERT_EQ(mmc_run_settings(&settings, &request), MMC_OK) << mmc_error_message();
    EXPECT_FALSE(settings.scale.reduced);
    request.width = 64; // what it is
    ASSERT_EQ(mmc_run_settings(&settings, &request), MMC_OK) << mmc_error_message();
    EXPECT_FALSE(settings.scale.reduced);
    request.limit_train = 1000;
    ASSERT_EQ(mmc_run_settings(&settings, &request), MMC_OK) << mmc_error_message();
    EXPECT_TRUE(settings.scale.reduced);
}

} // namespace
