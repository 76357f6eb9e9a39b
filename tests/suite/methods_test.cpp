// The tables and the figures of fine-tuned models at toy size: which jobs there are, what they share, which rows they
// leave.
#include "runtime/finetune.h"
#include "suites/settings.h"
#include "tests/suite/toy.h"

#include <gtest/gtest.h>

#include <set>

namespace {

struct Rows {
    std::map<std::string, int> count; // "item metric split"
    std::set<std::string> suites;
    mmc_record_set set = {};

    explicit Rows(const std::string &directory) {
        EXPECT_EQ(mmc_record_set_read(&set, directory.c_str()), MMC_OK) << mmc_error_message();
        for (size_t i = 0; i < set.count; i++) {
            const mmc_record &r = set.rows[i];
            count[textOf(r.item) + " " + textOf(r.metric) + " " + textOf(r.split)]++;
            suites.insert(textOf(r.suite));
            EXPECT_TRUE(!std::isnan(r.value) || textOf(r.metric) == "claim") << textOf(r.item) << textOf(r.reason);
        }
    }
    ~Rows() {
        mmc_record_set_close(&set);
    }
    Rows(const Rows &) = delete;
    Rows &operator=(const Rows &) = delete;

    double value(const char *item, const char *metric, const char *setLetter, double t = NAN) const {
        for (size_t i = 0; i < set.count; i++) {
            const mmc_record &r = set.rows[i];
            if (textOf(r.item) == item && textOf(r.metric) == metric && textOf(r.set) == setLetter &&
                (r.t == t || (std::isnan(t) && std::isnan(r.t))))
                return r.value;
        }
        ADD_FAILURE() << item << " " << metric << " " << setLetter << " " << t;
        return NAN;
    }
};

class Methods : public ::testing::Test {
  protected:
    TemporaryFolder folder;
    std::string data = toyData(folder), out = folder.path("run");
    mmc_run_request request = toyRequest(data, out);
    std::vector<std::string> labels;

    mmc_status go(std::vector<const char *> suites) {
        char page[4096];
        labels.clear();
        request.suites = suites.data();
        request.suite_count = suites.size();
        request.hooks.user = &labels;
        request.hooks.on_plan = [](void *user, const mmc_run_plan_row *row) {
            static_cast<std::vector<std::string> *>(user)->push_back(textOf(row->label));
        };
        return mmc_run(&request, page, sizeof page);
    }
    int labelled(const std::string &text) const {
        return static_cast<int>(std::count_if(labels.begin(), labels.end(), [&](const std::string &label) {
            return label.find(text) != std::string::npos;
        }));
    }
};

TEST_F(Methods, TablesLeaveOneRowASetOfEveryMethodAndSeed) {
    ASSERT_EQ(go({"table1", "table3", "table4"}), MMC_OK) << mmc_error_message();
    Rows rows(out);
    for (int m = 0; m < MMC_METHOD_COUNT; m++) {
        const std::string name = mmc_method_name(static_cast<mmc_method>(m));
        EXPECT_EQ(rows.count[name + " accuracy test"], 8) << name; // 4 sets, 2 seeds
        EXPECT_EQ(rows.count[name + " loss test"], 8) << name;
        EXPECT_EQ(rows.count[name + "-finetune images_per_s -"], 2) << name;
    }
    EXPECT_EQ(rows.count["pretrained accuracy test"], 8);
    EXPECT_EQ(rows.count["pretrained-curve-train accuracy train"], 4);
    EXPECT_EQ(rows.count["lpft rate train"], 2);
    EXPECT_EQ(rows.count["curve-train accuracy train"], 0) << "learning curves are those of the figures' models";
    for (size_t i = 0; i < rows.set.count; i++) {
        const mmc_record &r = rows.set.rows[i];
        if (textOf(r.metric) != "accuracy" || textOf(r.split) != "test")
            continue;
        EXPECT_STREQ(r.method, r.item);
        EXPECT_EQ(r.n, 20);
        EXPECT_EQ(r.cue, textOf(r.item) == "scratch-clean" ? 0 : .6);
        EXPECT_TRUE(std::isnan(r.t));
        EXPECT_TRUE(r.seed == 1 || r.seed == 2);
    }
    for (const char *claim : {"naive-fine-tuning-keeps-the-cue", "cbft-blind-to-the-cue",
                              "without-barrier-the-cue-stays", "scratch-below-cbft", "scratch-ignores-the-box"})
        EXPECT_EQ(rows.count[std::string(claim) + " claim -"], 1) << claim;
    EXPECT_EQ(rows.count["without-invariance-the-cue-sways claim -"], 0) << "a claim on Dominoes";
    EXPECT_EQ(toyModels(out).size(), 2u * (1 + MMC_METHOD_COUNT));
    EXPECT_EQ(toyLines(out), rows.set.count);
}

TEST_F(Methods, APreTrainedModelIsTrainedOnce) {
    request.dry_run = true;
    ASSERT_EQ(go({"table1", "table3", "table4"}), MMC_OK) << mmc_error_message();
    EXPECT_EQ(labelled("pretrained"), 4); // trained and evaluated, two seeds
    EXPECT_EQ(labelled("finetune "), 2 * MMC_METHOD_COUNT);
    EXPECT_EQ(labelled("finetune resnet18-w4 cifar10-box p=0.6 cbft seed=1"), 1);
    EXPECT_EQ(labelled("finetune resnet18-w4 cifar10-box p=0 scratch-clean seed=2"), 1);
    request.seed_given = true;
    request.seed = 7;
    ASSERT_EQ(go({"table1"}), MMC_OK) << mmc_error_message();
    EXPECT_EQ(labelled("seed=7") + labelled("seed=8"), static_cast<int>(labels.size()));
}

TEST_F(Methods, FiguresOfFineTunedModelsShareTheirPaths) {
    request.dry_run = true;
    ASSERT_EQ(go({"fig5", "fig20", "fig23", "fig26", "fig29"}), MMC_OK) << mmc_error_message();
    EXPECT_EQ(labelled("paths "), 6); // two networks, three rates
    EXPECT_EQ(labelled("match "), 6);
    EXPECT_EQ(labelled("train "), 8); // theta_C, and theta_FT at three rates
    ASSERT_EQ(go({"fig4", "fig6", "fig15", "table2"}), MMC_OK) << mmc_error_message();
    EXPECT_EQ(labelled("paths resnet18-w4 cifar10-box p=1 seed"), 1);
    EXPECT_EQ(labelled("paths resnet18-w4 cifar10-box p=0.6 seed"), 1); // table 2 wants p < 1
    EXPECT_EQ(labelled("paths resnet18-w4 cifar10-box p=0.6 ft-0.001 seed"), 1);
    EXPECT_EQ(labelled("paths "), 3);
    EXPECT_EQ(labelled("train resnet18-w4 cifar10-box p=0 "), 1);
}

TEST_F(Methods, PathsToFineTunedModels) {
    request.arch = "resnet18";
    request.cues[0] = .6;
    request.cue_count = 1;
    ASSERT_EQ(go({"table2", "fig5", "fig6", "fig20", "fig23"}), MMC_OK) << mmc_error_message();
    Rows rows(out);
    for (const char *item : {"ft-0.001", "ft-0.01", "ft-0.1"}) {
        const std::string name = item;
        for (const std::string &curve : {name, name + "-permuted"})
            for (const char *split : {"test", "train"}) {
                EXPECT_EQ(rows.count[curve + " accuracy " + split], 12) << curve << split; // 3 points, 4 sets
                EXPECT_EQ(rows.count[curve + " loss " + split], 12) << curve << split;
                EXPECT_EQ(rows.count[curve + " barrier " + split], 4) << curve << split;
            }
        EXPECT_EQ(rows.count[name + "-curve-train accuracy train"], 2) << item;
        EXPECT_EQ(rows.count[name + "-match max_logit_difference -"], 1) << item;
        EXPECT_NE(rows.value(item, "loss", "NC", 0), rows.value(item, "loss", "NC", 1)) << item;
    }
    EXPECT_EQ(rows.count["ft-0.001-quadratic-cue accuracy test"], 12);
    EXPECT_EQ(rows.count["ft-0.001-bend-cue loss train"], 2);
    EXPECT_EQ(rows.count["bend-cue loss train"], 2); // of theta_NC's pair
    EXPECT_EQ(rows.count["linear loss test"], 12);
    EXPECT_EQ(rows.count["similar-nonlinear-mechanistic claim -"], 1);
    EXPECT_EQ(rows.count["loss-barrier claim -"], 1);
    EXPECT_EQ(rows.count["small-rate-connected claim -"], 3) << "figures 5, 20 and 23";
    // all pairs begin at the same theta_C; fine-tuning moves it the farther, the higher its rate
    EXPECT_EQ(rows.value("ft-0.001", "loss", "C", 0), rows.value("linear", "loss", "C", 0));
    const double start = rows.value("ft-0.1", "loss", "NC", 0);
    EXPECT_LT(std::fabs(rows.value("ft-0.001", "loss", "NC", 1) - start),
              std::fabs(rows.value("ft-0.1", "loss", "NC", 1) - start));
    EXPECT_EQ(toyLines(out), rows.set.count);
}

TEST_F(Methods, OptionsReachEveryTrainingOfTheSchedule) {
    mmc_plan_settings settings = {};
    request = mmc_run_request_defaults();
    request.scale = "paper";
    ASSERT_EQ(mmc_run_settings(&settings, &request), MMC_OK) << mmc_error_message();
    EXPECT_FALSE(settings.scale.reduced);
    request.invariance_plain = true;
    ASSERT_EQ(mmc_run_settings(&settings, &request), MMC_OK) << mmc_error_message();
    EXPECT_FALSE(settings.scale.reduced); // the paper's own formula
    EXPECT_TRUE(settings.scale.methods.invariance_plain);
    request.epochs = 30;
    request.lr = .05;
    request.clean = 500;
    ASSERT_EQ(mmc_run_settings(&settings, &request), MMC_OK) << mmc_error_message();
    EXPECT_TRUE(settings.scale.reduced);
    EXPECT_EQ(settings.scale.scratch.epochs, 30);
    EXPECT_EQ(settings.scale.pretrain.epochs, 30);
    EXPECT_EQ(settings.scale.fine_tune.epochs, 30);
    EXPECT_EQ(settings.scale.midpoint.epochs, 15);
    EXPECT_EQ(settings.scale.methods.epochs, 20);
    EXPECT_EQ(settings.scale.pretrain.lr, .05);
    EXPECT_EQ(settings.scale.methods.clean, 500);
}

TEST_F(Methods, AFailedPreTrainingIsTheReasonOfItsMethods) {
    mmc_scale broken = toyScale();
    broken.pretrain.lr = 1e30; // the loss is soon not finite
    broken.table_seeds = 1;
    request.scale_given = &broken;
    ASSERT_EQ(go({"table1", "table4"}), MMC_ERR_WRONG);
    mmc_record_set set = {};
    ASSERT_EQ(mmc_record_set_read(&set, out.c_str()), MMC_OK);
    int values = 0, reasons = 0;
    for (size_t i = 0; i < set.count; i++) {
        const mmc_record &r = set.rows[i];
        if (textOf(r.metric) != "accuracy" || textOf(r.item).find("curve") != std::string::npos)
            continue;
        values += textOf(r.item) == "scratch-clean" && !std::isnan(r.value);
        reasons += std::isnan(r.value) && textOf(r.reason).find("pretrained") != std::string::npos;
    }
    mmc_record_set_close(&set);
    EXPECT_EQ(values, 4);
    EXPECT_EQ(reasons, 6); // theta_C itself and five methods
}

TEST_F(Methods, InterruptedAnywhereTablesGoOnToTheSameBits) {
    mmc_scale one = toyScale();
    one.table_seeds = 1;
    request.scale_given = &one;
    ASSERT_EQ(go({"table1", "table4"}), MMC_OK) << mmc_error_message();
    auto rows = toyRows(out), models = toyModels(out);
    out = folder.path("again");
    request.out = out.c_str();
    int stops = 0;
    struct Stop {
        volatile sig_atomic_t flag = 0;
        int seen = 0, at = 0;
    };
    for (int at = 1;; at += 7) {
        Stop stop;
        stop.at = at;
        const char *const suites[] = {"table1", "table4"};
        request.suites = suites;
        request.suite_count = 2;
        request.interrupted = &stop.flag;
        request.hooks.user = &stop;
        request.hooks.on_progress = [](void *user, const char *, const mmc_progress_event *) {
            Stop *s = static_cast<Stop *>(user);
            if (s->seen++ == s->at)
                s->flag = 1;
        };
        char page[64];
        mmc_status status = mmc_run(&request, page, sizeof page);
        request.resume = true;
        if (status == MMC_OK)
            break;
        ASSERT_EQ(status, MMC_ERR_INTERRUPTED) << mmc_error_message();
        ASSERT_LT(++stops, 200);
    }
    EXPECT_GT(stops, 2);
    EXPECT_EQ(toyModels(out), models);
    EXPECT_EQ(toyRows(out), rows);
    EXPECT_EQ(toyLines(out), rows.size());
}

} // namespace
