// The flat operations of the provider `own` against the reference provider and against their definitions.
#include "tests/unit/own_support.h"

namespace {

class own_flat : public ::testing::TestWithParam<std::string> {};

void expect_near(const std::vector<float> &got, const std::vector<float> &want, double tolerance) {
    EXPECT_LT(distance(got, std::vector<double>(want.begin(), want.end())), tolerance);
}

TEST_P(own_flat, head_forward_and_backward) {
    const mmc_flat_ops *own = flat_ops_of(GetParam()), *reference = mmc_reference_flat_ops();
    for (int c : {1, 5, 64, 200})
        for (int k : {2, 10, 100}) {
            const int n = 19, sets = 2;
            const size_t stride = (size_t)k * c + k + 3;
            numbers r(c + k);
            const std::vector<float> rep = r.take((size_t)sets * n * c), w = r.take(sets * stride),
                                     g = r.take((size_t)n * k);
            std::vector<float> a((size_t)sets * n * k), b = a;
            mmc_head_call call = {sets, n, c, k, a.data(), rep.data(), w.data(), w.data() + (size_t)k * c, stride};
            ASSERT_EQ(own->head(nullptr, &call), MMC_OK);
            call.logits = b.data();
            ASSERT_EQ(reference->head(nullptr, &call), MMC_OK);
            expect_near(a, b, 1e-6);
            std::vector<float> drep[2], dw[2], db[2];
            for (int i = 0; i < 2; i++) {
                drep[i].resize((size_t)n * c);
                dw[i].resize((size_t)k * c);
                db[i].resize(k);
                const mmc_head_backward_call back = {
                    n, c, k, drep[i].data(), dw[i].data(), db[i].data(), g.data(), rep.data(), w.data()};
                ASSERT_EQ((i ? reference : own)->head_backward(nullptr, &back), MMC_OK);
            }
            expect_near(drep[0], drep[1], 1e-6);
            expect_near(dw[0], dw[1], 1e-6);
            expect_near(db[0], db[1], 1e-6);
        }
}

TEST_P(own_flat, loss_counts_ties_rows_and_nan) {
    const mmc_flat_ops *own = flat_ops_of(GetParam());
    const std::vector<float> logits = {1, 2, 0, 2, 2, -1, 0, NAN, 0};
    const std::vector<int32_t> labels = {1, 1, 0, 0}, rows = {0, 1, 1, 2};
    std::vector<float> loss(4);
    double tally[2] = {0, 0};
    mmc_loss_call call = {};
    call.n = 3;
    call.k = 3;
    call.tally = tally;
    call.logits = logits.data();
    call.rows = rows.data();
    call.labels = labels.data();
    call.loss = loss.data();
    ASSERT_EQ(own->loss(nullptr, &call), MMC_OK);
    EXPECT_EQ(tally[1], 2) << "row 1: both tie, the lower index wins";
    EXPECT_NEAR(loss[0], std::log(std::exp(1.0) + std::exp(2.0) + 1) - 2, 1e-6);
    EXPECT_NEAR(tally[0], (double)loss[0] + loss[1] + loss[2], 1e-6);
    call.n = 4;
    ASSERT_EQ(own->loss(nullptr, &call), MMC_OK);
    EXPECT_TRUE(std::isnan(loss[3]));
    EXPECT_EQ(tally[1], 4);
    std::vector<float> gradient(9);
    call.n = 3;
    call.dlogits = gradient.data();
    EXPECT_EQ(own->loss(nullptr, &call), MMC_ERR_SHAPE);
    call.rows = nullptr;
    call.n = 2;
    call.gradient_scale = 0.5f;
    ASSERT_EQ(own->loss(nullptr, &call), MMC_OK);
    const double p = std::exp(2.0) / (std::exp(1.0) + std::exp(2.0) + 1);
    EXPECT_NEAR(gradient[1], 0.5 * (p - 1), 1e-7);
    EXPECT_NEAR(gradient[0] + gradient[1] + gradient[2], 0, 1e-7);
}

TEST_P(own_flat, vectors_equal_the_reference) {
    const mmc_flat_ops *own = flat_ops_of(GetParam()), *reference = mmc_reference_flat_ops();
    const size_t count = 3001, stride = 3010;
    numbers r(5);
    const std::vector<float> a = r.take(count), b = r.take(count), c = r.take(count);
    const float *ends[] = {a.data(), b.data(), c.data()};
    const double f[] = {0.09, 0.42, 0.49, 1, 0, 0};
    std::vector<float> x(2 * stride, 7), y = x;
    ASSERT_EQ(own->interpolate(nullptr, x.data(), stride, 2, ends, 3, f, count), MMC_OK);
    ASSERT_EQ(reference->interpolate(nullptr, y.data(), stride, 2, ends, 3, f, count), MMC_OK);
    expect_near(x, y, 1e-7);
    EXPECT_EQ(x[count], 7);
    EXPECT_EQ(std::vector<float>(x.begin() + stride, x.begin() + stride + count), a) << "an end is copied exactly";

    std::vector<float> w = a, v = b, w2 = a, v2 = b;
    ASSERT_EQ(own->sgd(nullptr, w.data(), v.data(), c.data(), count, 0.1, 0.9, 1e-4), MMC_OK);
    ASSERT_EQ(reference->sgd(nullptr, w2.data(), v2.data(), c.data(), count, 0.1, 0.9, 1e-4), MMC_OK);
    expect_near(w, w2, 2e-7);
    expect_near(v, v2, 2e-7);

    std::vector<float> running(2 * stride, 1), running2 = running, factor(count, 1.25f);
    ASSERT_EQ(own->running(nullptr, running.data(), stride, x.data(), stride, factor.data(), 2, count, 0.1), MMC_OK);
    ASSERT_EQ(reference->running(nullptr, running2.data(), stride, x.data(), stride, factor.data(), 2, count, 0.1),
              MMC_OK);
    expect_near(running, running2, 2e-7);

    /* Two layers of three units: means, then variances. */
    const int32_t partner[] = {0, 1, 2, 0, 1, 2};
    const float positions[] = {16, 16, 16, 16, 16, 16};
    const std::vector<float> batch = {1, -2, 0.5f, 2, 1, 0.25f}, other = {2, 2, 2, 1, 1, 1};
    std::vector<double> sum(6), sum2(6);
    std::vector<float> pooled(6), pooled2(6);
    for (const auto *ops : {own, reference}) {
        std::vector<double> &to = ops == own ? sum : sum2;
        ASSERT_EQ(ops->pool_add(nullptr, to.data(), batch.data(), partner, positions, 6, 10), MMC_OK);
        ASSERT_EQ(ops->pool_add(nullptr, to.data(), other.data(), partner, positions, 6, 6), MMC_OK);
        ASSERT_EQ(
            ops->pool_finish(nullptr, (ops == own ? pooled : pooled2).data(), to.data(), partner, positions, 6, 16),
            MMC_OK);
    }
    expect_near(pooled, pooled2, 1e-7);
    EXPECT_NEAR(pooled[0], (10 * 1 + 6 * 2) / 16.0, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(isa, own_flat, ::testing::ValuesIn(isas()), [](const auto &info) { return info.param; });

} // namespace
