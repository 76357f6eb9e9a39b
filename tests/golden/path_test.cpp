// Paths between two models against golden numbers: interpolation, batch norm anew, logits, accuracy and loss.
#include "runtime/path.h"
#include "runtime/point.h"
#include "tests/golden/device.h"
#include "tests/golden/golden.h"
#include "tests/golden/toy_data.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace {

using golden::check;

enum { POINTS = 11 };

/* The slow build of this file runs every path at every point, the fast one a choice. */
#ifdef MMC_SLOW
const bool slow = true;
#else
const bool slow = false;
#endif

/* Everything that one golden path needs. */
struct Case {
    Case(const golden::File &path, const golden::File &images, const golden::File &ends, bool quadratic)
        : data(images, path.setting("kind")), model(arch_of(path), path.width(), 10, data.get()->height) {
        curve.kind = quadratic ? MMC_CURVE_QUADRATIC : MMC_CURVE_LINEAR;
        state.push_back(ends.state(model, "theta_C/"));
        if (quadratic)
            state.push_back(ends.state(model, "theta_12/"));
        state.push_back(ends.state(model, "theta_NC/"));
        for (const std::vector<float> &s : state)
            curve.point[curve.count++] = s.data();
        sub = path.i32("draw_sub");
        draws.image_index = sub.data();
        cue = path.i32(path.has("draw_place") ? "draw_place" : "draw_top");
        (path.has("draw_place") ? draws.place : draws.cue_index) = cue.data();
        config = mmc_path_defaults();
        config.draws = &draws;
        config.batch = 100;
    }

    static mmc_arch arch_of(const golden::File &path) {
        mmc_arch arch;
        check(mmc_arch_parse(&arch, path.setting("arch").c_str()));
        return arch;
    }

    golden::ToyData data;
    golden::Model model;
    std::vector<std::vector<float>> state;
    std::vector<int32_t> sub, cue;
    mmc_draws draws = {};
    mmc_curve curve = {};
    mmc_path_config config;
};

#ifndef MMC_GOLDEN_EMULATED
/* Accuracy and loss of a set at point i against the golden tables; points that were not computed hold NaN. */
void expect_score(const golden::File &path, const std::string &mode, int set, int i, const mmc_score &score) {
    const size_t at = static_cast<size_t>(set * POINTS + i);
    const double loss = path.f64(mode + "/loss")[at];
    if (std::isnan(loss))
        return;
    EXPECT_NEAR(score.loss, loss, path.tolerance(mode + "/loss")) << mode << " set " << set << " point " << i;
    EXPECT_NEAR(score.accuracy * score.n, path.i32(mode + "/correct")[at], path.i32(mode + "/correct_slack")[at] + 1e-6)
        << mode << " set " << set << " point " << i;
}

const char *mode_name(mmc_bn_mode bn) {
    return bn == MMC_BN_POOLED ? "exact" : "momentum";
}

void expect_point(const golden::File &path, Case *c, mmc_backend *be, mmc_bn_mode bn) {
    const std::string mode = mode_name(bn);
    const mmc_model *model = c->model;
    c->config.bn = bn;
    mmc_point_plan *plan = nullptr;
    check(mmc_point_plan_create(&plan, be, model, c->data.get(), &c->config, 1));
    std::unique_ptr<mmc_point_plan, void (*)(mmc_point_plan *)> owner(plan, mmc_point_plan_free);

    std::vector<std::unique_ptr<golden::Device<float>>> ends;
    std::vector<const float *> end;
    for (const std::vector<float> &s : c->state) {
        ends.push_back(std::make_unique<golden::Device<float>>(be, s));
        end.push_back(ends.back()->get());
    }
    golden::Device<float> gamma(be, c->state[0]);
    double weight[MMC_CURVE_POINTS_MAX];
    check(mmc_curve_weights(weight, &c->curve, 3.0 / 10));
    check(be->flat->interpolate(be->queue, gamma.get(), model->state_count, 1, end.data(), c->curve.count, weight,
                                model->state_count));
    std::vector<float> values = gamma.host();
    for (int i = 0; i < model->tensor_count; i++) {
        const mmc_tensor_info &t = model->tensors[i];
        if (path.has(std::string("gamma_t0.3/") + t.name))
            golden::expect_near(path, std::string("gamma_t0.3/") + t.name, &values[t.offset], t.count);
    }

    check(mmc_point_run(plan, gamma.get(), 1, nullptr));
    values = gamma.host();
    for (int i = 0; i < model->tensor_count; i++) {
        const mmc_tensor_info &t = model->tensors[i];
        if (t.offset >= model->parameter_count)
            golden::expect_near(path, mode + "/bn_t0.3/" + t.name, &values[t.offset], t.count);
    }
    mmc_evaluator *evaluator = mmc_point_evaluator(plan, MMC_SPLIT_TEST);
    std::vector<float> logits = golden::download(be, mmc_evaluator_logits(evaluator, 0),
                                                 static_cast<size_t>(mmc_evaluator_images(evaluator)) * 10);
    std::vector<int32_t> rows = golden::download(be, mmc_evaluator_rows(evaluator, MMC_SET_RC), 240);
    std::vector<float> rc;
    for (int32_t row : rows)
        rc.insert(rc.end(), logits.begin() + row * 10, logits.begin() + row * 10 + 10);
    golden::expect_near(path, mode + "/logits_t0.3_RC", rc);
    for (int set = 0; set < MMC_SET_COUNT; set++) {
        mmc_score score;
        check(mmc_point_score(plan, 0, MMC_SPLIT_TEST, static_cast<mmc_set>(set), &score));
        expect_score(path, mode, set, 3, score);
    }
}

void expect_path(const golden::File &path, Case *c, mmc_backend *be, mmc_bn_mode bn) {
    c->config.bn = bn;
    mmc_path_result result;
    ASSERT_EQ(mmc_path_evaluate(&result, be, c->model, c->data.get(), &c->curve, &c->config, nullptr, nullptr), MMC_OK)
        << mmc_error_message();
    ASSERT_EQ(result.row_count, POINTS * MMC_SET_COUNT);
    for (int i = 0; i < result.row_count; i++) {
        const mmc_path_row &row = result.rows[i];
        EXPECT_EQ(row.set, static_cast<mmc_set>(i % MMC_SET_COUNT));
        EXPECT_DOUBLE_EQ(row.t, (i / MMC_SET_COUNT) / 10.0);
        expect_score(path, mode_name(bn), row.set, i / MMC_SET_COUNT, {row.accuracy, row.loss, row.n});
    }
    mmc_path_result_close(&result);
}

class PathGolden : public testing::TestWithParam<std::tuple<std::string, std::string, std::string>> {};

std::string name_of(const testing::TestParamInfo<PathGolden::ParamType> &info) {
    return golden::word(std::get<0>(info.param)) + "_" + std::get<1>(info.param) + "_" + std::get<2>(info.param);
}

TEST_P(PathGolden, PointAndWholePath) {
    const auto &[provider, arch, kind] = GetParam();
    GOLDEN_OR_SKIP(path, "path_" + arch + "_" + kind);
    GOLDEN_OR_SKIP(images, "images");
    GOLDEN_OR_SKIP(ends, "endpoints_" + arch);
    if (kind == "quadratic" && !ends.has("theta_12/linear.bias"))
        GTEST_SKIP() << "the midpoint of " << arch
                     << " is not in tests/golden; set MMC_GOLDEN_EXTRA to a folder with it";
    golden::Backend be(provider);
    if (be.status() == MMC_ERR_MISSING)
        GTEST_SKIP() << mmc_error_message();
    ASSERT_EQ(be.status(), MMC_OK) << mmc_error_message();
    Case c(path, images, ends, kind == "quadratic");
    expect_point(path, &c, be, MMC_BN_POOLED);
    if (provider == "reference" && !slow)
        return;
    expect_point(path, &c, be, MMC_BN_MOMENTUM);
    if ((provider.find("own") != std::string::npos && kind == "linear") || slow)
        expect_path(path, &c, be, MMC_BN_POOLED);
    if (slow)
        expect_path(path, &c, be, MMC_BN_MOMENTUM);
}

std::vector<std::string> fast_providers() {
    std::vector<std::string> out = golden::providers();
    out.erase(std::find(out.begin(), out.end(), "reference"));
    return out;
}

INSTANTIATE_TEST_SUITE_P(Fast, PathGolden,
                         testing::Combine(testing::ValuesIn(fast_providers()), testing::Values("resnet18", "vgg13"),
                                          testing::Values("linear", "quadratic")),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Reference, PathGolden, testing::Values(std::make_tuple("reference", "vgg13", "linear")),
                         name_of);
#endif

/* One point of a path on a slice of the images against the CPU: what an emulated device has the time for. The slow form
 * takes all sets, both procedures, and the network that takes longer. */
class PathSlice : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(PathSlice, PointAgreesWithTheCpu) {
    const auto &[provider, arch] = GetParam();
    GOLDEN_OR_SKIP(path, "path_" + arch + "_linear");
    GOLDEN_OR_SKIP(images, "images");
    GOLDEN_OR_SKIP(ends, "endpoints_" + arch);
    golden::Backend be(provider), cpu("reference");
    if (be.status() == MMC_ERR_MISSING)
        GTEST_SKIP() << mmc_error_message();
    ASSERT_EQ(be.status(), MMC_OK) << mmc_error_message();
    Case c(path, images, ends, false);
    mmc_dataset slice = *c.data.get();
    slice.train.count = 128;
    slice.test.count = 64;
    for (int32_t &image : c.sub)
        image %= slice.test.count;
    std::vector<float> state(c.model->state_count);
    for (size_t i = 0; i < state.size(); i++)
        state[i] = 0.7f * c.state[0][i] + 0.3f * c.state[1][i];
    c.config.sets = slow ? (1u << MMC_SET_COUNT) - 1 : 1u << MMC_SET_RC;
    for (mmc_bn_mode bn : {MMC_BN_MOMENTUM, MMC_BN_POOLED}) {
        c.config.bn = bn;
        c.config.bn_batch = bn == MMC_BN_POOLED ? 50 : 128;
        mmc_path_result expected, computed;
        ASSERT_EQ(mmc_model_evaluate(&expected, cpu, c.model, &slice, state.data(), &c.config, nullptr), MMC_OK)
            << mmc_error_message();
        ASSERT_EQ(mmc_model_evaluate(&computed, be, c.model, &slice, state.data(), &c.config, nullptr), MMC_OK)
            << mmc_error_message();
        EXPECT_EQ(computed.image_forwards, expected.image_forwards);
        ASSERT_EQ(computed.row_count, expected.row_count);
        for (int i = 0; i < computed.row_count; i++) {
            EXPECT_NEAR(computed.rows[i].loss, expected.rows[i].loss, 1e-4) << "row " << i;
            EXPECT_NEAR(computed.rows[i].accuracy, expected.rows[i].accuracy, 1.01 / 64) << "row " << i;
        }
        mmc_path_result_close(&expected);
        mmc_path_result_close(&computed);
        if (!slow)
            break;
    }
}

std::string slice_name(const testing::TestParamInfo<PathSlice::ParamType> &info) {
    return golden::word(std::get<0>(info.param)) + "_" + std::get<1>(info.param);
}

INSTANTIATE_TEST_SUITE_P(Devices, PathSlice,
                         testing::Combine(testing::ValuesIn(golden::devices()),
                                          testing::Values(slow ? "resnet18" : "vgg13")),
                         slice_name);

} // namespace
