// Weights of the control points of every kind of curve.
#include "runtime/curve.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

namespace {

std::vector<double> weights(mmc_curve_kind kind, int bends, double t) {
    mmc_curve curve = {};
    curve.kind = kind;
    curve.count = bends + 2;
    std::vector<double> w(static_cast<size_t>(curve.count));
    EXPECT_EQ(mmc_curve_weights(w.data(), &curve, t), MMC_OK) << mmc_error_message();
    return w;
}

} // namespace

TEST(Curve, EndsAreTheModelsExactly) {
    for (auto [kind, bends] : std::vector<std::pair<mmc_curve_kind, int>>{{MMC_CURVE_LINEAR, 0},
                                                                          {MMC_CURVE_QUADRATIC, 1},
                                                                          {MMC_CURVE_POLYLINE, 0},
                                                                          {MMC_CURVE_POLYLINE, 3},
                                                                          {MMC_CURVE_BEZIER, 1},
                                                                          {MMC_CURVE_BEZIER, MMC_BENDS_MAX}}) {
        std::vector<double> a(static_cast<size_t>(bends) + 2, 0.0), b(a);
        a.front() = b.back() = 1;
        EXPECT_EQ(weights(kind, bends, 0), a) << mmc_curve_name(kind) << bends;
        EXPECT_EQ(weights(kind, bends, 1), b) << mmc_curve_name(kind) << bends;
        for (double t : {0.1, 0.3, 0.5, 0.77}) {
            std::vector<double> w = weights(kind, bends, t);
            EXPECT_NEAR(std::accumulate(w.begin(), w.end(), 0.0), 1, 1e-14);
        }
    }
}

TEST(Curve, KnownWeights) {
    EXPECT_EQ(weights(MMC_CURVE_LINEAR, 0, 0.25), (std::vector<double>{0.75, 0.25}));
    EXPECT_EQ(weights(MMC_CURVE_QUADRATIC, 1, 0.25), (std::vector<double>{0.5625, 0.375, 0.0625}));
    EXPECT_EQ(weights(MMC_CURVE_BEZIER, 1, 0.25), (std::vector<double>{0.5625, 0.375, 0.0625}));
    EXPECT_EQ(weights(MMC_CURVE_BEZIER, 2, 0.5), (std::vector<double>{0.125, 0.375, 0.375, 0.125}));
    EXPECT_EQ(weights(MMC_CURVE_POLYLINE, 1, 0.25), (std::vector<double>{0.5, 0.5, 0}));
    EXPECT_EQ(weights(MMC_CURVE_POLYLINE, 1, 0.5), (std::vector<double>{0, 1, 0}));
    EXPECT_EQ(weights(MMC_CURVE_POLYLINE, 3, 0.625), (std::vector<double>{0, 0, 0.5, 0.5, 0}));
}

TEST(Curve, WrongUseIsNamed) {
    mmc_curve curve = {};
    curve.kind = MMC_CURVE_QUADRATIC;
    curve.count = 2;
    double w[MMC_CURVE_POINTS_MAX];
    EXPECT_EQ(mmc_curve_weights(w, &curve, 0.5), MMC_ERR_USAGE);
    curve.kind = MMC_CURVE_LINEAR;
    EXPECT_EQ(mmc_curve_weights(w, &curve, 1.01), MMC_ERR_RANGE);
    EXPECT_EQ(mmc_curve_weights(w, &curve, -0.01), MMC_ERR_RANGE);
    mmc_curve_kind kind;
    EXPECT_EQ(mmc_curve_parse(&kind, "cubic"), MMC_ERR_USAGE);
    EXPECT_EQ(mmc_curve_parse(&kind, "bezier"), MMC_OK);
    EXPECT_EQ(kind, MMC_CURVE_BEZIER);
}
