// Correlation of activations on the CPU: against its definition in double, however the samples come in batches.
#include "kernels/correlation.h"
#include "tests/unit/own_support.h"

namespace {

struct provider {
    const mmc_unit_ops *unit;
    const mmc_correlation_ops *correlation;
};

std::vector<std::string> providers() {
    std::vector<std::string> out = isas();
    out.insert(out.begin(), "reference");
    return out;
}

provider provider_of(const std::string &name) {
    if (name == "reference")
        return {mmc_reference_unit_ops(), mmc_reference_correlation_ops()};
    setenv("MMC_ISA", name.c_str(), 1);
    const provider p = {mmc_own_unit_ops(), mmc_own_correlation_ops()};
    unsetenv("MMC_ISA");
    return p;
}

/* Two sets of activations of the same images: (N,A,H,W) and (N,B,H,W). */
struct samples {
    samples(int n_, int a_, int b_, int h_, int w_, float mean = 0) : n(n_), a(a_), b(b_), h(h_), w(w_) {
        numbers r(n * 7 + a + b * 3 + h);
        const int plane = h * w, shared = 1 + std::min(a, b) / 2;
        x.resize((size_t)n * a * plane);
        y.resize((size_t)n * b * plane);
        for (int i = 0; i < n; i++)
            for (int s = 0; s < plane; s++) {
                const std::vector<float> common = r.take(shared);
                for (int k = 0; k < a; k++)
                    x[((size_t)i * a + k) * plane + s] =
                        mean * (k + 1) + std::max(0.0f, common[k % shared] + 0.5f * r.next());
                for (int k = 0; k < b; k++)
                    y[((size_t)i * b + k) * plane + s] =
                        mean * (k + 1) + std::max(0.0f, 0.5f * r.next() - common[(k * 5 + 1) % shared]);
            }
    }
    int n, a, b, h, w;
    std::vector<float> x, y;
};

/* The definition: two passes in long double; 0 for constant units. */
std::vector<double> definition(const samples &d) {
    const int plane = d.h * d.w;
    const auto centred = [&](const std::vector<float> &v, int c, int k) {
        std::vector<long double> out;
        long double mean = 0, norm = 0;
        for (int i = 0; i < d.n; i++)
            for (int s = 0; s < plane; s++)
                out.push_back(v[((size_t)i * c + k) * plane + s]);
        for (long double o : out)
            mean += o / out.size();
        for (long double &o : out) {
            o -= mean;
            norm += o * o;
        }
        for (long double &o : out)
            o = norm > 1e-13L * mean * mean * out.size() ? o / sqrtl(norm) : 0;
        return out;
    };
    std::vector<double> r;
    for (int i = 0; i < d.a; i++) {
        const auto x = centred(d.x, d.a, i);
        for (int j = 0; j < d.b; j++) {
            const auto y = centred(d.y, d.b, j);
            long double sum = 0;
            for (size_t s = 0; s < x.size(); s++)
                sum += x[s] * y[s];
            r.push_back((double)sum);
        }
    }
    return r;
}

struct result {
    std::vector<float> r;
    std::vector<int32_t> cost;
};

result correlate(const provider &p, const samples &d, const std::vector<int> &batches, bool relu = false) {
    const int plane = d.h * d.w;
    guarded state(mmc_correlation_state_count(d.a, d.b) * sizeof(double));
    int first = 0;
    for (int n : batches) {
        held x(p.unit, 1, n, d.a, d.h, d.w), y(p.unit, 1, n, d.b, d.h, d.w);
        const auto part = [&](const std::vector<float> &v, int c) {
            return std::vector<float>(v.begin() + (size_t)first * c * plane,
                                      v.begin() + (size_t)(first + n) * c * plane);
        };
        x.put(part(d.x, d.a));
        y.put(part(d.y, d.b));
        guarded workspace(p.correlation->workspace_size(nullptr, &x.view, &y.view));
        mmc_correlation_call call = {};
        call.first = first == 0;
        call.state = reinterpret_cast<double *>(state.floats());
        call.a = &x.view;
        call.b = &y.view;
        call.relu = relu;
        call.workspace = workspace.floats();
        call.workspace_size = workspace.size;
        EXPECT_EQ(p.correlation->add(nullptr, &call), MMC_OK) << mmc_error_message();
        first += n;
    }
    EXPECT_EQ(first, d.n);
    result out;
    out.r.resize((size_t)d.a * d.b);
    out.cost.resize((size_t)d.a * d.b);
    mmc_correlation_finish finish = {};
    finish.state = reinterpret_cast<double *>(state.floats());
    finish.a = d.a;
    finish.b = d.b;
    finish.samples = (int64_t)d.n * plane;
    finish.r = out.r.data();
    finish.cost = out.cost.data();
    EXPECT_EQ(p.correlation->finish(nullptr, &finish), MMC_OK) << mmc_error_message();
    return out;
}

void expect_result(const result &got, const std::vector<double> &want, double tolerance) {
    ASSERT_EQ(got.r.size(), want.size());
    for (size_t i = 0; i < want.size(); i++) {
        ASSERT_NEAR(got.r[i], want[i], tolerance) << "entry " << i;
        ASSERT_NEAR(got.cost[i], want[i] * 1048576, tolerance * 1048576 + 0.51) << "entry " << i;
        ASSERT_LE(std::abs(got.cost[i]), 1048576);
    }
}

class correlation : public ::testing::TestWithParam<std::string> {
  protected:
    provider p = provider_of(GetParam());
};

TEST_P(correlation, equals_its_definition_at_odd_shapes) {
    const int shapes[][5] = {{1, 3, 5, 7, 5},  {131, 5, 3, 2, 2}, {16, 8, 8, 4, 4},  {17, 13, 26, 3, 2},
                             {33, 1, 1, 1, 3}, {40, 64, 9, 4, 8}, {3, 7, 104, 6, 5}, {50, 65, 67, 1, 1}};
    for (const int(&s)[5] : shapes) {
        const samples d(s[0], s[1], s[2], s[3], s[4]);
        SCOPED_TRACE("n " + std::to_string(d.n) + " a " + std::to_string(d.a) + " b " + std::to_string(d.b));
        expect_result(correlate(p, d, {d.n}), definition(d), 1e-6);
    }
}

TEST_P(correlation, any_batch_size_gives_the_same_to_rounding) {
    const samples d(60, 9, 12, 3, 5, 2.0f);
    const std::vector<double> want = definition(d);
    expect_result(correlate(p, d, {60}), want, 1e-6);
    expect_result(correlate(p, d, {1, 59}), want, 1e-6);
    expect_result(correlate(p, d, {16, 16, 16, 12}), want, 1e-6);
    expect_result(correlate(p, d, std::vector<int>(60, 1)), want, 1e-6);
}

TEST_P(correlation, large_means_do_not_cancel) {
    // Mean 300 to 2400, deviation about 0.3: the squares alone would leave three digits of float32.
    const samples d(128, 6, 8, 6, 6, 300.0f);
    expect_result(correlate(p, d, {64, 64}), definition(d), 3e-6);
}

TEST_P(correlation, constant_units_have_correlation_zero) {
    samples d(20, 6, 6, 4, 4);
    for (size_t i = 0; i < d.x.size(); i++) {
        const size_t unit = i / 16 % 6;
        if (unit == 1)
            d.x[i] = 0;
        if (unit == 2)
            d.x[i] = 0.1f;
        if (unit == 3)
            d.y[i] = 1e6f / 3;
    }
    const result got = correlate(p, d, {7, 13});
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
            const float r = got.r[i * 6 + j];
            EXPECT_TRUE(std::isfinite(r));
            if (i == 1 || i == 2 || j == 3) {
                EXPECT_EQ(r, 0);
                EXPECT_EQ(got.cost[i * 6 + j], 0);
            } else
                EXPECT_NE(r, 0);
        }
}

TEST_P(correlation, a_unit_correlates_with_itself_and_its_opposite) {
    samples d(40, 4, 4, 3, 3);
    for (size_t i = 0; i < d.x.size(); i++)
        d.y[i] = (i / 9 % 2) ? 5 - 3 * d.x[i] : 0.5f + 2 * d.x[i];
    const result got = correlate(p, d, {40});
    for (int k = 0; k < 4; k++) {
        EXPECT_NEAR(got.r[k * 5], k % 2 ? -1 : 1, 1e-6);
        EXPECT_NEAR(got.cost[k * 5], k % 2 ? -1048576 : 1048576, 1);
    }
}

TEST_P(correlation, same_bits_at_any_number_of_threads) {
    const samples d(70, 70, 37, 5, 5);
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    const result one = correlate(p, d, {30, 40});
    omp_set_num_threads(3);
    const result three = correlate(p, d, {30, 40});
    omp_set_num_threads(threads);
    EXPECT_EQ(0, std::memcmp(one.r.data(), three.r.data(), one.r.size() * sizeof(float)));
    EXPECT_EQ(one.cost, three.cost);
}

TEST_P(correlation, applies_the_relu_first) {
    samples d(40, 6, 5, 3, 4, -0.2f);
    const result raw = correlate(p, d, {d.n}), asked = correlate(p, d, {d.n}, true);
    for (auto *v : {&d.x, &d.y})
        for (float &f : *v)
            f = std::max(f, 0.0f);
    const result given = correlate(p, d, {d.n});
    EXPECT_EQ(0, std::memcmp(asked.r.data(), given.r.data(), given.r.size() * sizeof(float)));
    EXPECT_NE(0, std::memcmp(asked.r.data(), raw.r.data(), raw.r.size() * sizeof(float)));
}

TEST_P(correlation, refuses_what_does_not_fit) {
    held x(p.unit, 1, 4, 3, 2, 2), y(p.unit, 1, 4, 3, 2, 3), z(p.unit, 1, 5, 3, 2, 2), two(p.unit, 2, 4, 3, 2, 2);
    std::vector<double> state(mmc_correlation_state_count(3, 3));
    guarded workspace(1 << 20);
    mmc_correlation_call call = {};
    call.first = true;
    call.state = state.data();
    call.a = &x.view;
    call.workspace = workspace.floats();
    call.workspace_size = workspace.size;
    for (const mmc_activation *other : {&y.view, &z.view, &two.view}) {
        call.b = other;
        EXPECT_EQ(p.correlation->add(nullptr, &call), MMC_ERR_SHAPE);
    }
    call.b = &x.view;
    call.workspace_size = p.correlation->workspace_size(nullptr, &x.view, &x.view) - 1;
    EXPECT_EQ(p.correlation->add(nullptr, &call), MMC_ERR_MEMORY);
    mmc_correlation_finish finish = {};
    finish.state = state.data();
    finish.a = finish.b = 3;
    EXPECT_EQ(p.correlation->finish(nullptr, &finish), MMC_ERR_RANGE);
}

INSTANTIATE_TEST_SUITE_P(provider, correlation, ::testing::ValuesIn(providers()),
                         [](const auto &info) { return info.param; });

} // namespace
