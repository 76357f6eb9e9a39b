// The reference provider against an independent model of the unit in double and its finite differences, and against
// sums of integers, which are exact.
#include "kernels/flat.h"
#include "kernels/unit.h"
#include "runtime/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace {

using Doubles = std::vector<double>;
using Floats = std::vector<float>;

const float unwritten = std::numeric_limits<float>::quiet_NaN();

// Numbers that float32 holds exactly, so that both models start from the same values.
Doubles noise(size_t count, uint32_t stream, double scale) {
    Doubles out(count);
    for (size_t i = 0; i < count; i++)
        out[i] = float(scale * (2 * mmc_rng_uniform(mmc_rng_at(7, MMC_RNG_TOY, stream, i)) - 1));
    return out;
}

Floats single(const Doubles &v) {
    return Floats(v.begin(), v.end());
}

struct Unit {
    mmc_unit_shape s;
    Doubles x, w, gamma, beta, residual;

    int rows() const {
        return mmc_unit_out_h(&s);
    }
    int columns() const {
        return mmc_unit_out_w(&s);
    }
    size_t outputs() const {
        return size_t(s.n) * s.k * rows() * columns();
    }

    explicit Unit(mmc_unit_shape shape) : s(shape) {
        x = noise(size_t(s.n) * s.c * s.h * s.w, 1, 1);
        w = noise(size_t(s.k) * s.c * s.r * s.r, 2, .5);
        gamma = noise(s.k, 3, 1);
        beta = noise(s.k, 4, .5);
        residual = noise(outputs(), 5, 1);
    }

    // Written from the other side than the provider: every input element is scattered to the outputs it reaches.
    Doubles convolve() const {
        Doubles z(outputs(), 0);
        for (int n = 0; n < s.n; n++)
            for (int c = 0; c < s.c; c++)
                for (int i = 0; i < s.h; i++)
                    for (int j = 0; j < s.w; j++)
                        for (int yo = 0; yo < rows(); yo++)
                            for (int xo = 0; xo < columns(); xo++) {
                                int r = i - yo * s.stride + s.r / 2, q = j - xo * s.stride + s.r / 2;
                                if (r < 0 || r >= s.r || q < 0 || q >= s.r)
                                    continue;
                                for (int k = 0; k < s.k; k++)
                                    z[((size_t(n) * s.k + k) * rows() + yo) * columns() + xo] +=
                                        x[((size_t(n) * s.c + c) * s.h + i) * s.w + j] *
                                        w[((size_t(k) * s.c + c) * s.r + r) * s.r + q];
                            }
        return z;
    }

    Doubles forward(Doubles *mean = nullptr, Doubles *var = nullptr) const {
        Doubles z = convolve(), y(z.size());
        size_t plane = size_t(rows()) * columns();
        double positions = double(plane) * s.n;
        for (int k = 0; k < s.k; k++) {
            double sum = 0, squares = 0;
            for (int n = 0; n < s.n; n++)
                for (size_t i = 0; i < plane; i++) {
                    double v = z[(size_t(n) * s.k + k) * plane + i];
                    sum += v;
                    squares += v * v;
                }
            double m = sum / positions, v = squares / positions - m * m;
            if (mean)
                mean->push_back(m);
            if (var)
                var->push_back(v);
            for (int n = 0; n < s.n; n++)
                for (size_t i = 0; i < plane; i++) {
                    size_t e = (size_t(n) * s.k + k) * plane + i;
                    double b = gamma[k] * (z[e] - m) / std::sqrt(v + 1e-5) + beta[k] + (s.residual ? residual[e] : 0);
                    y[e] = s.relu ? std::max(b, 0.0) : b;
                }
        }
        return y;
    }
};

mmc_activation view(Floats &data, int n, int c, int h, int w) {
    return {data.data(), 1, n, c, h, w};
}

class ReferenceUnit : public testing::TestWithParam<mmc_unit_shape> {};

TEST_P(ReferenceUnit, AgreesWithFiniteDifferences) {
    Unit unit(GetParam());
    const mmc_unit_shape &s = unit.s;
    const mmc_unit_ops *ops = mmc_reference_unit_ops();
    Floats x = single(unit.x), w = single(unit.w), gamma = single(unit.gamma), beta = single(unit.beta),
           residual = single(unit.residual);
    Floats y(unit.outputs(), unwritten), z(unit.outputs(), unwritten), mean(s.k, unwritten), var(s.k, unwritten);
    Floats dx(x.size(), unwritten), dw(w.size(), unwritten), dgamma(s.k, unwritten), dbeta(s.k, unwritten),
        dresidual(unit.outputs(), unwritten);
    std::vector<char> packed(ops->pack_size(nullptr, &s, MMC_PACK_TRAIN, 1)),
        workspace(ops->workspace_size(nullptr, &s, MMC_PACK_TRAIN, 1) + 1);
    mmc_activation ax = view(x, s.n, s.c, s.h, s.w), ay = view(y, s.n, s.k, unit.rows(), unit.columns()),
                   az = view(z, s.n, s.k, unit.rows(), unit.columns()),
                   ares = view(residual, s.n, s.k, unit.rows(), unit.columns());
    ASSERT_EQ(ops->pack(nullptr, packed.data(), &s, MMC_PACK_TRAIN, 1, w.data(), 0), MMC_OK);
    mmc_unit_train_call train = {};
    train.shape = s;
    train.sets = 1;
    train.y = &ay;
    train.z = &az;
    train.mean = mean.data();
    train.var = var.data();
    train.x = &ax;
    train.packed = packed.data();
    train.gamma = gamma.data();
    train.beta = beta.data();
    train.residual = s.residual ? &ares : nullptr;
    train.workspace = workspace.data();
    ASSERT_EQ(ops->train(nullptr, &train), MMC_OK);

    Doubles m, v, z_expected = unit.convolve(), y_expected = unit.forward(&m, &v);
    for (int k = 0; k < s.k; k++) {
        EXPECT_NEAR(mean[k], m[k], 1e-6);
        EXPECT_NEAR(var[k], v[k], 1e-6 * (1 + v[k]));
    }
    for (size_t i = 0; i < y.size(); i++) {
        ASSERT_NEAR(z[i], z_expected[i], 1e-6) << i;
        ASSERT_NEAR(y[i], y_expected[i], 4e-6) << i;
    }

    // L = sum a y, so dL/dy = a.
    Doubles a = noise(unit.outputs(), 6, 1);
    Floats dy = single(a);
    mmc_activation ady = view(dy, s.n, s.k, unit.rows(), unit.columns()), adx = view(dx, s.n, s.c, s.h, s.w),
                   adres = view(dresidual, s.n, s.k, unit.rows(), unit.columns());
    mmc_unit_backward_call back = {};
    back.shape = s;
    back.dx = &adx;
    back.dresidual = s.residual ? &adres : nullptr;
    back.dw = dw.data();
    back.dgamma = dgamma.data();
    back.dbeta = dbeta.data();
    back.dy = &ady;
    back.y = &ay;
    back.z = &az;
    back.x = &ax;
    back.packed = packed.data();
    back.gamma = gamma.data();
    back.mean = mean.data();
    back.var = var.data();
    back.workspace = workspace.data();
    ASSERT_EQ(ops->backward(nullptr, &back), MMC_OK);

    auto check = [&](Doubles &parameter, const Floats &gradient, const char *what) {
        for (size_t i = 0; i < parameter.size(); i++) {
            const double step = 1e-6, kept = parameter[i];
            double loss[2] = {0, 0};
            for (int side = 0; side < 2; side++) {
                parameter[i] = kept + (side ? step : -step);
                Doubles out = unit.forward();
                for (size_t e = 0; e < out.size(); e++)
                    loss[side] += a[e] * out[e];
            }
            parameter[i] = kept;
            ASSERT_NEAR(gradient[i], (loss[1] - loss[0]) / (2 * step), 2e-5) << what << " " << i;
        }
    };
    check(unit.x, dx, "dx");
    check(unit.w, dw, "dw");
    check(unit.gamma, dgamma, "dgamma");
    check(unit.beta, dbeta, "dbeta");
    if (s.residual)
        check(unit.residual, dresidual, "dresidual");
}

// n, c, h, w, k, r, stride, relu, residual
INSTANTIATE_TEST_SUITE_P(Shapes, ReferenceUnit,
                         testing::Values(mmc_unit_shape{3, 2, 4, 5, 3, 3, 1, true, false},
                                         mmc_unit_shape{2, 3, 5, 4, 2, 3, 2, true, true},
                                         mmc_unit_shape{3, 2, 4, 4, 3, 1, 2, false, false},
                                         mmc_unit_shape{5, 2, 2, 2, 2, 3, 1, false, true},
                                         mmc_unit_shape{2, 1, 3, 3, 2, 1, 1, true, false}));

TEST(ReferenceConv, IsExactOnIntegers) {
    Unit unit({3, 70, 6, 5, 67, 3, 2, false, false}); // more channels than one block of sums
    for (double &v : unit.x)
        v = std::round(8 * v);
    for (double &v : unit.w)
        v = std::round(8 * v);
    const mmc_unit_ops *ops = mmc_reference_unit_ops();
    Floats x = single(unit.x), w = single(unit.w), y(unit.outputs(), unwritten);
    // gamma = sqrt(1 + eps) in double is not a float: variance 1 - 1e-5 rounds scale to 1 within 1e-7.
    Floats gamma(67, 1), beta(67, 0), mean(67, 0), var(67, float(1 - MMC_BN_EPS));
    std::vector<char> packed(ops->pack_size(nullptr, &unit.s, MMC_PACK_EVAL, 1));
    mmc_activation ax = view(x, 3, 70, 6, 5), ay = view(y, 3, 67, 3, 3);
    ASSERT_EQ(ops->pack(nullptr, packed.data(), &unit.s, MMC_PACK_EVAL, 1, w.data(), 0), MMC_OK);
    mmc_unit_eval_call call = {};
    call.shape = unit.s;
    call.sets = 1;
    call.y = &ay;
    call.x = &ax;
    call.packed = packed.data();
    call.gamma = gamma.data();
    call.beta = beta.data();
    call.mean = mean.data();
    call.var = var.data();
    ASSERT_EQ(ops->eval(nullptr, &call), MMC_OK);
    Doubles z = unit.convolve();
    for (size_t i = 0; i < z.size(); i++)
        ASSERT_NEAR(y[i], z[i], 1e-7 * std::fabs(z[i])) << i;
}

TEST(ReferenceHead, AgreesWithFiniteDifferences) {
    const int n = 3, c = 5, k = 4;
    const mmc_flat_ops *ops = mmc_reference_flat_ops();
    Doubles rep = noise(n * c, 1, 1), w = noise(k * c, 2, 1), b = noise(k, 3, 1);
    const int32_t labels[n] = {2, 0, 3};
    auto loss = [&]() {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            double total = 0, picked = 0;
            for (int j = 0; j < k; j++) {
                double z = b[j];
                for (int f = 0; f < c; f++)
                    z += rep[i * c + f] * w[j * c + f];
                total += std::exp(z);
                if (j == labels[i])
                    picked = z;
            }
            sum += std::log(total) - picked;
        }
        return sum / n;
    };
    Floats frep = single(rep), fw = single(w), fb = single(b), logits(n * k, unwritten), dlogits(n * k, unwritten),
           each(n, unwritten), drep(n * c, unwritten), dw(k * c, unwritten), db(k, unwritten);
    mmc_head_call head = {1, n, c, k, logits.data(), frep.data(), fw.data(), fb.data(), 0};
    ASSERT_EQ(ops->head(nullptr, &head), MMC_OK);
    double tally[2] = {10, 20};
    mmc_loss_call call = {n, k, tally, each.data(), dlogits.data(), 1.0f / n, logits.data(), nullptr, labels};
    ASSERT_EQ(ops->loss(nullptr, &call), MMC_OK);
    EXPECT_NEAR(tally[0] - 10, n * loss(), 1e-6);
    mmc_head_backward_call back = {n, c, k, drep.data(), dw.data(), db.data(), dlogits.data(), frep.data(), fw.data()};
    ASSERT_EQ(ops->head_backward(nullptr, &back), MMC_OK);
    auto check = [&](Doubles &parameter, const Floats &gradient, const char *what) {
        for (size_t i = 0; i < parameter.size(); i++) {
            const double step = 1e-6, kept = parameter[i];
            parameter[i] = kept + step;
            double up = loss();
            parameter[i] = kept - step;
            double down = loss();
            parameter[i] = kept;
            ASSERT_NEAR(gradient[i], (up - down) / (2 * step), 1e-6) << what << " " << i;
        }
    };
    check(rep, drep, "drep");
    check(w, dw, "dw");
    check(b, db, "db");
}

TEST(ReferenceLoss, CountsTiesAndNotANumber) {
    const float nan = unwritten;
    const Floats logits = {1, 1, 0, /**/ 1, 1, 0, /**/ nan, 5, 0, /**/ 0, 5, nan, /**/ 900, -900, 0};
    const int32_t labels[5] = {0, 1, 1, 1, 0}, rows[2] = {4, 4}, both[2] = {0, 1};
    Floats loss(5, -1);
    double tally[2] = {0, 0};
    mmc_loss_call call = {5, 3, tally, loss.data(), nullptr, 1, logits.data(), nullptr, labels};
    ASSERT_EQ(mmc_reference_flat_ops()->loss(nullptr, &call), MMC_OK);
    EXPECT_EQ(tally[1], 2) << "a tie goes to the lowest index; a NaN makes the answer wrong";
    EXPECT_TRUE(std::isnan(tally[0]));
    EXPECT_TRUE(std::isnan(loss[2]) && std::isnan(loss[3]));
    EXPECT_EQ(loss[4], 0);
    double two[2] = {0, 0};
    mmc_loss_call indexed = {2, 3, two, nullptr, nullptr, 1, logits.data(), rows, both};
    ASSERT_EQ(mmc_reference_flat_ops()->loss(nullptr, &indexed), MMC_OK);
    EXPECT_EQ(two[0], 1800);
    EXPECT_EQ(two[1], 1);
}

} // namespace
