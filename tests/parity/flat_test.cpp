// The flat operations of every provider against the reference.
#include "tests/parity/cases.h"
#include "tests/parity/device.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace parity {
namespace {

using Doubles = std::vector<double>;
using Ints = std::vector<int32_t>;

// Runs `body` on the reference and on the provider, at 1 and 2 threads; the outputs of both providers are compared
// within `tolerance` of the largest value, those at other thread counts bit by bit.
class FlatParity : public testing::TestWithParam<Provider> {
  protected:
    template <class Body> void compare(const std::string &what, double tolerance, Body body) {
        Backend reference("cpu", "reference", 1);
        std::vector<Floats> expected = body(reference), first;
        for (int threads : {1, 2}) {
            Backend be(GetParam().backend, GetParam().provider, threads, GetParam().precision);
            if (be.status == MMC_ERR_MISSING)
                GTEST_SKIP() << be.message;
            ASSERT_EQ(be.status, MMC_OK) << be.message;
            std::vector<Floats> computed = body(be);
            ASSERT_EQ(computed.size(), expected.size());
            for (size_t i = 0; i < computed.size(); i++) {
                expect_close(computed[i], expected[i], tolerance, what + " output " + std::to_string(i));
                if (!first.empty())
                    EXPECT_TRUE(same_bits(computed[i], first[i])) << what << " differs at " << threads << " threads";
            }
            first = computed;
        }
    }
};

Floats narrow(const Doubles &v) {
    return Floats(v.begin(), v.end());
}

// n, c, k, sets
const int heads[][4] = {{7, 64, 10, 1}, {1, 40, 10, 3}, {131, 104, 100, 1}, {2, 5, 3, 2}, {3, 512, 10, 1}};

TEST_P(FlatParity, Head) {
    for (const auto &h : heads) {
        const int n = h[0], c = h[1], k = h[2], sets = h[3];
        compare("head", 2e-6, [&](const Backend &be) {
            const size_t stride = size_t(k) * c + k + 7;
            Buffer state(be, uniform(stride * sets, 30)), rep(be, uniform(size_t(sets) * n * c, 31)),
                logits(be, size_t(sets) * n * k * sizeof(float));
            mmc_head_call call = {sets, n, c, k, logits.f(), rep.f(), state.f(), state.f() + size_t(k) * c, stride};
            EXPECT_EQ(be->flat->head(be->queue, &call), MMC_OK);
            return std::vector<Floats>{logits.read<float>()};
        });
    }
}

TEST_P(FlatParity, HeadBackward) {
    for (const auto &h : heads) {
        const int n = h[0], c = h[1], k = h[2];
        for (bool wanted : {true, false})
            compare("head_backward", 2e-6, [&](const Backend &be) {
                Buffer w(be, uniform(size_t(k) * c, 32)), rep(be, uniform(size_t(n) * c, 33)),
                    dlogits(be, uniform(size_t(n) * k, 34)), drep(be, size_t(n) * c * sizeof(float)),
                    dw(be, size_t(k) * c * sizeof(float)), db(be, k * sizeof(float));
                mmc_head_backward_call call = {n,           c,       k,    wanted ? drep.f() : nullptr, dw.f(), db.f(),
                                               dlogits.f(), rep.f(), w.f()};
                EXPECT_EQ(be->flat->head_backward(be->queue, &call), MMC_OK);
                std::vector<Floats> out = {dw.read<float>(), db.read<float>()};
                if (wanted)
                    out.push_back(drep.read<float>());
                return out;
            });
    }
}

TEST_P(FlatParity, Loss) {
    for (int n : {1, 7, 131, 600})
        for (int k : {2, 10, 100})
            compare("loss", 1e-6, [&](const Backend &be) {
                Floats z = uniform(size_t(n) * k, 35, -8, 8);
                for (size_t i = 0; i + 3 < z.size(); i += 3)
                    z[i] = std::round(z[i]); // ties
                Ints labels(n), rows(n);
                for (int i = 0; i < n; i++) {
                    labels[i] = int32_t(mmc_rng_below(mmc_rng_at(3, MMC_RNG_TOY, 1, i), k));
                    rows[i] = int32_t(mmc_rng_below(mmc_rng_at(3, MMC_RNG_TOY, 2, i), n));
                }
                Buffer logits(be, z), l(be, labels), r(be, rows), tally(be, Doubles{5, 7}), again(be, Doubles{0, 0}),
                    loss(be, n * sizeof(float)), gradient(be, z.size() * sizeof(float));
                mmc_loss_call call = {n,          k,       tally.d(), loss.f(), gradient.f(), 1.0f / float(n),
                                      logits.f(), nullptr, l.i()};
                EXPECT_EQ(be->flat->loss(be->queue, &call), MMC_OK);
                mmc_loss_call indexed = {n, k, again.d(), nullptr, nullptr, 1, logits.f(), r.i(), l.i()};
                EXPECT_EQ(be->flat->loss(be->queue, &indexed), MMC_OK);
                Doubles a = tally.read<double>(), b = again.read<double>();
                return std::vector<Floats>{narrow({a[0]}), narrow({a[1]}),     narrow({b[0]}),
                                           narrow({b[1]}), loss.read<float>(), gradient.read<float>()};
            });
}

TEST_P(FlatParity, Mirror) {
    for (size_t count : {size_t(1), size_t(70), size_t(2570)})
        for (double mean : {0.25, 1.0, 3.5})
            compare("mirror", 1e-7, [&](const Backend &be) {
                const Floats dlogits = uniform(count, 36);
                const double sign = mean > 1 ? 1 : mean < 1 ? -1 : 0;
                Buffer d(be, dlogits), tally(be, Doubles{7 * mean, 3}), factor(be, Doubles{0.625});
                EXPECT_EQ(be->flat->mirror(be->queue, d.f(), count, tally.d(), 7, factor.d()), MMC_OK);
                const Floats out = d.read<float>();
                for (size_t i = 0; i < count; i++)
                    EXPECT_EQ(out[i], float(0.625 * sign * dlogits[i])) << i;
                return std::vector<Floats>{out};
            });
    Backend be(GetParam().backend, GetParam().provider, 1, GetParam().precision);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    Buffer d(be, Floats{1, 2}), tally(be, Doubles{std::numeric_limits<double>::quiet_NaN(), 0}), factor(be, Doubles{1});
    EXPECT_EQ(be->flat->mirror(be->queue, d.f(), 2, tally.d(), 1, factor.d()), MMC_OK);
    EXPECT_TRUE(std::isnan(d.read<float>()[1])) << "a loss that is no number does not vanish";
}

TEST_P(FlatParity, LossSeesNotANumber) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    Backend be(GetParam().backend, GetParam().provider, 1, GetParam().precision);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    const Floats rows[] = {{nan, 5, 0}, {5, nan, 0}, {0, 5, nan}, {nan, nan, nan}};
    for (const Floats &row : rows)
        for (int32_t label = 0; label < 3; label++) {
            Buffer logits(be, row), labels(be, Ints{label}), tally(be, Doubles{0, 0}), loss(be, sizeof(float));
            mmc_loss_call call = {1, 3, tally.d(), loss.f(), nullptr, 1, logits.f(), nullptr, labels.i()};
            ASSERT_EQ(be->flat->loss(be->queue, &call), MMC_OK);
            Doubles t = tally.read<double>();
            EXPECT_TRUE(std::isnan(t[0])) << row[0] << " " << row[1] << " " << row[2] << " label " << label;
            EXPECT_EQ(t[1], 0) << row[0] << " " << row[1] << " " << row[2] << " label " << label;
            EXPECT_TRUE(std::isnan(loss.read<float>()[0]));
        }
}

TEST_P(FlatParity, Interpolate) {
    for (size_t count : {size_t(1), size_t(17), size_t(5000)})
        for (int ends : {1, 2, 3})
            // One rounding of the same sum in double: at most one unit in the last place apart.
            compare("interpolate", 6e-8, [&](const Backend &be) {
                const int sets = 3;
                const size_t stride = count + 3;
                std::vector<std::unique_ptr<Buffer>> end;
                std::vector<const float *> pointers;
                for (int e = 0; e < ends; e++) {
                    end.push_back(std::make_unique<Buffer>(be, uniform(count, 40 + uint32_t(e))));
                    pointers.push_back(end.back()->f());
                }
                Doubles coefficient(size_t(sets) * ends);
                for (size_t i = 0; i < coefficient.size(); i++)
                    coefficient[i] = 1.0 / double(i + 3);
                Floats before(stride * sets, -77);
                Buffer out(be, before);
                EXPECT_EQ(be->flat->interpolate(be->queue, out.f(), stride, sets, pointers.data(), ends,
                                                coefficient.data(), count),
                          MMC_OK);
                Floats got = out.read<float>(), result;
                for (int t = 0; t < sets; t++) {
                    result.insert(result.end(), got.begin() + long(t * stride), got.begin() + long(t * stride + count));
                    for (size_t i = count; i < stride; i++)
                        EXPECT_EQ(got[t * stride + i], -77) << "written between two sets";
                }
                return std::vector<Floats>{result};
            });
}

TEST_P(FlatParity, Sgd) {
    for (size_t count : {size_t(1), size_t(19), size_t(5000)})
        compare("sgd", 2e-7, [&](const Backend &be) {
            Buffer w(be, uniform(count, 50)), v(be, uniform(count, 51)), g(be, uniform(count, 52));
            for (int step = 0; step < 3; step++)
                EXPECT_EQ(be->flat->sgd(be->queue, w.f(), v.f(), g.f(), count, .1, .9, 1e-4), MMC_OK);
            return std::vector<Floats>{w.read<float>(), v.read<float>()};
        });
}

TEST_P(FlatParity, RunningStatistics) {
    for (int sets : {1, 3})
        compare("running", 2e-7, [&](const Backend &be) {
            const size_t count = 77, stride = 80, batch_stride = 90;
            Buffer running(be, uniform(stride * sets, 60)), batch(be, uniform(batch_stride * sets, 61)),
                factor(be, uniform(count, 62, 1, 2));
            EXPECT_EQ(
                be->flat->running(be->queue, running.f(), stride, batch.f(), batch_stride, factor.f(), sets, count, .1),
                MMC_OK);
            return std::vector<Floats>{running.read<float>()};
        });
}

TEST_P(FlatParity, PooledStatistics) {
    compare("pool", 2e-7, [&](const Backend &be) {
        const size_t layers[] = {8, 13, 3};
        Ints partner;
        Floats positions;
        for (size_t k : layers) {
            const int32_t start = int32_t(partner.size());
            for (int part = 0; part < 2; part++)
                for (size_t i = 0; i < k; i++) {
                    partner.push_back(start + int32_t(i));
                    positions.push_back(float(16 * k));
                }
        }
        const size_t count = partner.size();
        Buffer sum(be, Doubles(count, 0)), p(be, partner), pos(be, positions), out(be, count * sizeof(float));
        const int images[] = {7, 128, 1};
        int64_t total = 0;
        for (int b = 0; b < 3; b++) {
            Buffer batch(be, uniform(count, 70 + uint32_t(b), .5f, 2));
            EXPECT_EQ(be->flat->pool_add(be->queue, sum.d(), batch.f(), p.i(), pos.f(), count, images[b]), MMC_OK);
            total += images[b];
        }
        EXPECT_EQ(be->flat->pool_finish(be->queue, out.f(), sum.d(), p.i(), pos.f(), count, total), MMC_OK);
        return std::vector<Floats>{out.read<float>()};
    });
}

// Against all samples at once, worked out here.
TEST_P(FlatParity, PooledStatisticsAreThoseOfAllSamples) {
    Backend be(GetParam().backend, GetParam().provider, 1, GetParam().precision);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    const Doubles batches[] = {{1, 2, 4}, {8, -3, 5, 7, 9}};
    Buffer sum(be, Doubles{0, 0}), partner(be, Ints{0, 0}), positions(be, Floats{1, 1}), out(be, 2 * sizeof(float));
    Doubles all;
    for (const Doubles &b : batches) {
        double mean = 0, square = 0;
        for (double v : b) {
            mean += v / double(b.size());
            square += v * v / double(b.size());
            all.push_back(v);
        }
        Buffer statistics(be, Floats{float(mean), float(square - mean * mean)});
        ASSERT_EQ(be->flat->pool_add(be->queue, sum.d(), statistics.f(), partner.i(), positions.f(), 2, int(b.size())),
                  MMC_OK);
    }
    ASSERT_EQ(be->flat->pool_finish(be->queue, out.f(), sum.d(), partner.i(), positions.f(), 2, int64_t(all.size())),
              MMC_OK);
    double mean = 0, var = 0;
    for (double v : all)
        mean += v / double(all.size());
    for (double v : all)
        var += (v - mean) * (v - mean) / double(all.size() - 1);
    Floats got = out.read<float>();
    EXPECT_NEAR(got[0], mean, 1e-6);
    EXPECT_NEAR(got[1], var, 1e-5);
}

std::string flat_name(const testing::TestParamInfo<Provider> &info) {
    return info.param.name();
}

INSTANTIATE_TEST_SUITE_P(All, FlatParity, testing::ValuesIn(flat_providers()), flat_name);

} // namespace
} // namespace parity
