// Assignment and correlation on every backend against the reference: the same answer for the same integers, the same
// correlations to rounding.
#include "tests/parity/assign.h"

#include <numeric>

namespace {

using parity::Activation;
using parity::Backend;
using parity::Buffer;
using parity::Floats;

struct device {
    const char *backend, *provider, *precision;
};

const device devices[] = {
    {"cpu", "reference", "fp32"}, {"cpu", "own", "fp32"},  {"cuda", "own", "fp32"},
    {"cuda", "own", "tf32"},      {"cuda", "own", "bf16"},
};

class on_device : public ::testing::TestWithParam<device> {
  protected:
    void SetUp() override {
        if (be.status != MMC_OK)
            GTEST_SKIP() << be.message;
    }
    Backend be{GetParam().backend, GetParam().provider, 1, GetParam().precision};
};

class assignment : public on_device {};
class correlation : public on_device {};

uint64_t state_of(uint64_t seed) {
    return seed * 2862933555777941757u + 3037000493u;
}

int64_t below(uint64_t &state, int64_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((state >> 33) % (uint64_t)n);
}

/* What the reference says, and the certificate checked entry by entry. */
template <typename T>
void expect_solved(Backend &be, const std::vector<T> &cost, const std::vector<mmc_assign_problem> &problem,
                   bool maximise) {
    Backend reference("cpu", "reference", 1);
    const parity::Assignment got = parity::assign(be, cost, problem, maximise),
                             want = parity::assign(reference, cost, problem, maximise);
    ASSERT_EQ(got.column, want.column);
    size_t first = 0;
    for (size_t p = 0; p < problem.size(); p++) {
        const mmc_assign_result &g = got.result[p], &w = want.result[p];
        SCOPED_TRACE("problem " + std::to_string(p));
        EXPECT_EQ(g.state, w.state);
        EXPECT_EQ(g.row, w.row);
        EXPECT_EQ(g.column, w.column);
        EXPECT_EQ(g.exponent, w.exponent);
        EXPECT_EQ(g.total, w.total);
        EXPECT_EQ(g.value, w.value);
        EXPECT_EQ(g.unique, w.unique);
        EXPECT_EQ(g.gap, 0);
        EXPECT_EQ(g.slack, 0);
        const int n = problem[p].rows;
        for (int i = 0; i < n && g.exponent == 0 && std::is_integral<T>::value; i++)
            for (int j = 0; j < n; j++) {
                const int64_t c = (int64_t)cost[problem[p].cost + i * problem[p].stride + j];
                const int64_t slack = c - got.u[first + i] - got.v[first + j];
                ASSERT_GE(maximise ? -slack : slack, 0);
                ASSERT_TRUE(j != got.column[first + i] || slack == 0);
            }
        first += n;
    }
}

TEST_P(assignment, of_a_batch_of_sizes_equals_the_reference) {
    uint64_t state = state_of(3);
    std::vector<mmc_assign_problem> problem;
    std::vector<int32_t> cost;
    for (int n : {1, 2, 3, 5, 31, 32, 33, 40}) {
        const size_t stride = (size_t)n + n % 3;
        problem.push_back({n, n, cost.size() + 1, stride});
        cost.resize(cost.size() + 1 + stride * n, INT32_MIN);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                cost[problem.back().cost + i * stride + j] = (int32_t)(below(state, 2097153) - 1048576);
    }
    for (bool maximise : {false, true})
        expect_solved(be, cost, problem, maximise);
}

TEST_P(assignment, breaks_ties_like_the_reference) {
    uint64_t state = state_of(4);
    std::vector<mmc_assign_problem> problem;
    std::vector<int32_t> cost;
    for (int n : {1, 2, 4, 7, 16, 33, 45})
        for (int kind : {0, 1, 2, 3}) {
            problem.push_back({n, n, cost.size(), (size_t)n});
            for (int i = 0; i < n; i++)
                for (int j = 0; j < n; j++) // constant, binary, three values, rank one
                    cost.push_back(kind == 3 ? (i / 2 + 1) * (j / 3 + 1) : (int32_t)below(state, kind + 1));
        }
    expect_solved(be, cost, problem, false);
}

TEST_P(assignment, takes_more_problems_than_a_launch_holds) {
    uint64_t state = state_of(5);
    std::vector<mmc_assign_problem> problem;
    std::vector<int32_t> cost;
    for (int p = 0; p < 130; p++) {
        const int n = 1 + p % 4;
        problem.push_back({n, n, cost.size(), (size_t)n});
        for (int i = 0; i < n * n; i++)
            cost.push_back((int32_t)below(state, 5));
    }
    expect_solved(be, cost, problem, true);
}

TEST_P(assignment, of_wide_integers_and_floats) {
    uint64_t state = state_of(6);
    const int n = 20;
    const std::vector<mmc_assign_problem> problem = {{n, n, 0, (size_t)n}};
    std::vector<int64_t> wide(n * n);
    for (int64_t &c : wide)
        c = (below(state, 2) ? -1 : 1) * (mmc_assign_limit(n) - below(state, 3));
    expect_solved(be, wide, problem, false);
    for (double scale : {1.0, 1e-30, 1e30, 0.0}) {
        Floats narrow;
        std::vector<double> broad;
        for (int i = 0; i < n * n; i++) {
            narrow.push_back((float)(scale * (below(state, 2000001) - 1000000) / 1e6));
            broad.push_back(scale * (below(state, 2000001) - 1000000) / 1e6);
        }
        expect_solved(be, narrow, problem, true);
        expect_solved(be, broad, problem, true);
    }
    std::vector<double> tiny(n * n);
    for (double &c : tiny)
        c = (double)below(state, 1000) * 5e-324;
    expect_solved(be, tiny, problem, false);
}

TEST_P(assignment, refuses_the_same_entries) {
    for (double bad : {(double)NAN, (double)INFINITY, -(double)INFINITY}) {
        std::vector<double> cost(2 * 25, 1.0);
        cost[25 + 13] = bad;
        cost[25 + 21] = bad;
        const std::vector<mmc_assign_problem> problem = {{5, 5, 0, 5}, {5, 5, 25, 5}};
        const parity::Assignment got = parity::assign(be, cost, problem, false);
        EXPECT_EQ(got.result[0].state, MMC_ASSIGN_SOLVED);
        EXPECT_EQ(got.result[1].state, MMC_ASSIGN_NOT_FINITE);
        EXPECT_EQ(got.result[1].row, 2);
        EXPECT_EQ(got.result[1].column, 3);
        EXPECT_EQ(got.column[5], -1) << "outputs of a refused problem stay as they were";
    }
    std::vector<int64_t> cost(9, 1);
    cost[5] = INT64_MIN;
    const parity::Assignment got = parity::assign(be, cost, {{3, 3, 0, 3}}, false);
    EXPECT_EQ(got.result[0].state, MMC_ASSIGN_TOO_LARGE);
    EXPECT_EQ(got.result[0].row, 1);
    EXPECT_EQ(got.result[0].column, 2);
}

/* Values that bf16 and tf32 hold exactly, so that every precision correlates the same numbers. */
Floats units(uint64_t &state, int n, int c, int plane) {
    Floats out;
    Floats common((size_t)n * plane);
    for (float &f : common)
        f = (float)below(state, 64);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < c; k++)
            for (int s = 0; s < plane; s++)
                out.push_back((common[i * plane + s] * (k % 3 == 0 ? 1 : -1) + (float)below(state, 64) + 8 * (k % 5)) /
                              16);
    return out;
}

TEST_P(correlation, equals_the_reference_batch_by_batch) {
    Backend reference("cpu", "reference", 1);
    const int shapes[][5] = {{3, 3, 5, 7, 5}, {1, 13, 26, 2, 2}, {131, 5, 8, 2, 2}, {9, 70, 66, 8, 8}};
    for (const int(&s)[5] : shapes) {
        const int a = s[1], b = s[2], plane = s[3] * s[4];
        SCOPED_TRACE("n " + std::to_string(s[0]) + " a " + std::to_string(a) + " b " + std::to_string(b));
        std::vector<std::vector<float>> r;
        std::vector<std::vector<int32_t>> cost;
        for (Backend *side : {&be, &reference}) {
            uint64_t state = state_of(7);
            Backend &q = *side;
            Buffer total(q, mmc_correlation_state_count(a, b) * sizeof(double)), out(q, (size_t)a * b * 4),
                integers(q, (size_t)a * b * 4);
            for (int batch = 0; batch < 2; batch++) {
                const int n = batch ? 2 : s[0];
                Activation x(q, 1, n, a, s[3], s[4]), y(q, 1, n, b, s[3], s[4]);
                x.put(units(state, n, a, plane));
                y.put(units(state, n, b, plane));
                mmc_correlation_call call = {};
                call.first = batch == 0;
                call.relu = a % 2 == 0; // half of the values are negative
                call.state = total.d();
                call.a = &x;
                call.b = &y;
                call.workspace_size = q->correlation->workspace_size(q->queue, &x, &y);
                Buffer workspace(q, call.workspace_size);
                call.workspace = workspace.raw();
                ASSERT_EQ(q->correlation->add(q->queue, &call), MMC_OK) << mmc_error_message();
            }
            mmc_correlation_finish finish = {};
            finish.state = total.d();
            finish.a = a;
            finish.b = b;
            finish.samples = (int64_t)(s[0] + 2) * plane;
            finish.r = out.f();
            finish.cost = integers.i();
            ASSERT_EQ(q->correlation->finish(q->queue, &finish), MMC_OK) << mmc_error_message();
            r.push_back(out.read<float>());
            cost.push_back(integers.read<int32_t>());
        }
        for (size_t i = 0; i < r[0].size(); i++) {
            ASSERT_NEAR(r[0][i], r[1][i], 1e-6) << "entry " << i;
            ASSERT_NEAR(cost[0][i], cost[1][i], 2) << "entry " << i;
        }
    }
}

TEST_P(correlation, of_constant_units_is_zero) {
    const int n = 5, c = 4, plane = 9;
    Floats values;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < c; k++)
            for (int s = 0; s < plane; s++)
                values.push_back(k == 1 ? 0.0f : k == 2 ? 0.75f : (float)((i * 5 + s * 3 + k) % 7));
    Activation x(be, 1, n, c, 3, 3);
    x.put(values);
    Buffer total(be, mmc_correlation_state_count(c, c) * sizeof(double)), out(be, c * c * 4);
    mmc_correlation_call call = {};
    call.first = true;
    call.state = total.d();
    call.a = call.b = &x;
    call.workspace_size = be->correlation->workspace_size(be->queue, &x, &x);
    Buffer workspace(be, call.workspace_size);
    call.workspace = workspace.raw();
    ASSERT_EQ(be->correlation->add(be->queue, &call), MMC_OK) << mmc_error_message();
    mmc_correlation_finish finish = {};
    finish.state = total.d();
    finish.a = finish.b = c;
    finish.samples = n * plane;
    finish.r = out.f();
    ASSERT_EQ(be->correlation->finish(be->queue, &finish), MMC_OK) << mmc_error_message();
    const Floats r = out.read<float>();
    for (int i = 0; i < c; i++)
        for (int j = 0; j < c; j++)
            if (i == 1 || i == 2 || j == 1 || j == 2) {
                EXPECT_EQ(r[i * c + j], 0);
            } else if (i == j) {
                EXPECT_NEAR(r[i * c + j], 1, 1e-6);
            }
}

std::string name_of(const ::testing::TestParamInfo<device> &info) {
    return std::string(info.param.backend) + "_" + info.param.provider + "_" + info.param.precision;
}

// Assignment knows integers only: one precision of each provider.
INSTANTIATE_TEST_SUITE_P(device, assignment, ::testing::ValuesIn(devices, devices + 3), name_of);
INSTANTIATE_TEST_SUITE_P(device, correlation, ::testing::ValuesIn(devices), name_of);

} // namespace
