// The assignment solvers of the CPU: optimal, proven, the same answer from all of them.
#include "tests/support/assign_solve.h"
#include "tests/unit/own_support.h"

namespace {

/* The solvers that this processor can run: the reference, and the own one by every instruction set. */
std::vector<std::string> solvers() {
    std::vector<std::string> out = isas();
    out.insert(out.begin(), "reference");
    return out;
}

const mmc_assign_ops *solver_of(const std::string &name) {
    if (name == "reference")
        return mmc_reference_assign_ops();
    setenv("MMC_ISA", name.c_str(), 1);
    const mmc_assign_ops *ops = mmc_own_assign_ops();
    unsetenv("MMC_ISA");
    return ops;
}

class random_costs {
  public:
    explicit random_costs(uint64_t seed) : state(seed * 2 + 1) {
    }
    uint64_t bits() {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return state >> 33;
    }
    int64_t below(int64_t n) {
        return (int64_t)(bits() % (uint64_t)n);
    }

    /* Kinds: wide, small with many ties, binary, negative, rank one, constant, repeated rows, repeated columns, nearly
     * a hidden permutation, correlations of rank 3. */
    static constexpr int kinds = 10;
    std::vector<int32_t> take(int n, int kind) {
        std::vector<int32_t> c((size_t)n * n);
        std::vector<int64_t> a((size_t)n * 3), b((size_t)n * 3);
        for (int i = 0; i < 3 * n; i++) {
            a[i] = below(601) - 300;
            b[i] = below(601) - 300;
        }
        const int64_t constant = below(100) - 50;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                int64_t x = 0;
                switch (kind) {
                case 0:
                    x = below(2097153) - 1048576;
                    break;
                case 1:
                    x = below(4);
                    break;
                case 2:
                    x = below(2);
                    break;
                case 3:
                    x = -1 - below(100000);
                    break;
                case 4:
                    x = (int64_t)(i + 1) * (j + 1);
                    break;
                case 5:
                    x = constant;
                    break;
                case 6:
                    x = i % 4 ? c[(size_t)(i - 1) * n + j] : below(50);
                    break;
                case 7:
                    x = j % 3 ? c[(size_t)i * n + j - 1] : below(1000);
                    break;
                case 8:
                    x = (i * 7 + 3) % n == j ? -1000000 : below(200000);
                    break;
                default:
                    x = a[i] * b[j] + a[n + i] * b[n + j] + a[2 * n + i] * b[2 * n + j];
                }
                c[(size_t)i * n + j] = (int32_t)x;
            }
        return c;
    }

  private:
    uint64_t state;
};

class assign : public ::testing::TestWithParam<std::string> {
  protected:
    const mmc_assign_ops *ops = solver_of(GetParam());
};

TEST_P(assign, thousand_random_problems_are_proven_optimal_and_agree) {
    random_costs r(17);
    for (int round = 0; round < 1000; round++) {
        // Mostly small ones; every tenth up to 200 rows.
        const int n = 1 + (int)r.below(round % 10 ? 40 : 200), kind = round % random_costs::kinds;
        const bool maximise = r.below(2);
        const std::vector<int32_t> cost = r.take(n, (kind + round / 10) % random_costs::kinds);
        const assign_answer a = assign_solve(ops, n, cost, maximise);
        assign_check(a, n, cost, maximise);
        if (GetParam() != "reference") {
            const assign_answer b = assign_solve(mmc_reference_assign_ops(), n, cost, maximise);
            EXPECT_EQ(a.column, b.column) << "another optimum than the reference's";
            EXPECT_EQ(a.result[0].unique, b.result[0].unique);
        }
        ASSERT_FALSE(HasFailure()) << "problem " << round << ", n = " << n;
    }
}

// Vectors of 64, 128 and 256 columns have a form of their own for costs of up to 2^20: at that bound, and one above.
TEST_P(assign, whole_vectors_at_the_bound_of_their_costs) {
    random_costs r(29);
    const int32_t bound = 1 << 20;
    for (int n : {50, 64, 128, 256})
        for (int kind = 0; kind < 5; kind++)
            for (int32_t largest : {bound, bound + 1, 1 << 25}) {
                std::vector<int32_t> cost((size_t)n * n);
                for (int i = 0; i < n; i++)
                    for (int j = 0; j < n; j++) {
                        const int64_t x[] = {r.below(2), j<i, j> i + 1, (i + j) % 7 < 2, (i * j) % 11 < 5};
                        const int32_t off = kind % 2 ? (int32_t)r.below(3) : 0;
                        cost[(size_t)i * n + j] = x[kind] ? largest - off : off - largest;
                    }
                const bool maximise = kind == 3;
                if (GetParam() == "reference" && n > 64)
                    continue;
                const assign_answer a = assign_solve(ops, n, cost, maximise);
                assign_check(a, n, cost, maximise);
                ASSERT_FALSE(HasFailure()) << "n = " << n << ", kind " << kind << ", costs to " << largest;
                if (n <= 64) {
                    EXPECT_EQ(a.column, assign_solve(mmc_reference_assign_ops(), n, cost, maximise).column);
                }
            }
}

TEST_P(assign, finds_the_lexicographically_smallest_of_all_optima) {
    random_costs r(5);
    for (int round = 0; round < 300; round++) {
        const int n = 1 + (int)r.below(6);
        std::vector<int32_t> cost((size_t)n * n);
        for (int32_t &c : cost)
            c = (int32_t)r.below(3);
        std::vector<int32_t> p((size_t)n), best;
        std::iota(p.begin(), p.end(), 0);
        int64_t least = INT64_MAX;
        int optima = 0;
        do {
            int64_t total = 0;
            for (int i = 0; i < n; i++)
                total += cost[(size_t)i * n + p[i]];
            if (total < least) {
                least = total;
                best = p;
                optima = 0;
            }
            optima += total == least;
        } while (std::next_permutation(p.begin(), p.end()));
        const assign_answer a = assign_solve(ops, n, cost);
        ASSERT_EQ(a.status, MMC_OK);
        ASSERT_EQ(a.column, best) << "round " << round;
        ASSERT_EQ(a.result[0].total, least);
        ASSERT_EQ(a.result[0].unique, optima == 1) << "round " << round;
    }
}

TEST_P(assign, batch_of_different_sizes_with_strides_equals_single_ones) {
    random_costs r(23);
    std::vector<mmc_assign_problem> problem;
    std::vector<int32_t> cost;
    std::vector<std::vector<int32_t>> single;
    size_t rows = 0;
    for (int n : {1, 130, 7, 16, 64, 33, 2, 17}) {
        const std::vector<int32_t> c = r.take(n, n % 2);
        const size_t stride = (size_t)n + (size_t)r.below(5);
        problem.push_back({n, n, cost.size() + 3, stride});
        cost.resize(cost.size() + 3 + stride * n, INT32_MIN); // between the rows: costs that would change everything
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                cost[problem.back().cost + i * stride + j] = c[(size_t)i * n + j];
        single.push_back(c);
        rows += n;
    }
    const assign_answer all = assign_solve(ops, cost, problem, true);
    ASSERT_EQ(all.status, MMC_OK) << mmc_error_message();
    size_t first = 0;
    for (size_t p = 0; p < problem.size(); p++) {
        const int n = problem[p].rows;
        const assign_answer one = assign_solve(ops, n, single[p], true);
        for (int i = 0; i < n; i++) {
            ASSERT_EQ(all.column[first + i], one.column[i]);
            ASSERT_EQ(all.u[first + i], one.u[i]);
            ASSERT_EQ(all.v[first + i], one.v[i]);
        }
        EXPECT_EQ(all.result[p].total, one.result[0].total);
        first += n;
    }
    EXPECT_EQ(first, rows);
}

TEST_P(assign, same_answer_at_any_number_of_threads) {
    random_costs r(29);
    std::vector<mmc_assign_problem> problem;
    std::vector<int32_t> cost;
    for (int i = 0; i < 20; i++) {
        const int n = 5 + 4 * i;
        problem.push_back({n, n, cost.size(), (size_t)n});
        const std::vector<int32_t> c = r.take(n, i % 3);
        cost.insert(cost.end(), c.begin(), c.end());
    }
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    const assign_answer one = assign_solve(ops, cost, problem);
    omp_set_num_threads(3);
    const assign_answer three = assign_solve(ops, cost, problem);
    omp_set_num_threads(threads);
    EXPECT_EQ(one.column, three.column);
    EXPECT_EQ(one.u, three.u);
    EXPECT_EQ(one.v, three.v);
}

TEST_P(assign, wide_integers_are_exact) {
    // Differences of 1 among costs near the limit, and a limit that the total needs.
    random_costs r(31);
    for (int n : {1, 9, 40, 100}) {
        const int64_t limit = mmc_assign_limit(n);
        std::vector<int64_t> cost((size_t)n * n);
        for (int64_t &c : cost)
            c = (r.below(2) ? -1 : 1) * (limit - r.below(3));
        for (bool maximise : {false, true}) {
            const assign_answer a = assign_solve(ops, n, cost, maximise);
            ASSERT_EQ(a.status, MMC_OK) << mmc_error_message();
            int64_t total = 0;
            for (int i = 0; i < n; i++) {
                total += cost[(size_t)i * n + a.column[i]];
                for (int j = 0; j < n; j++) {
                    const int64_t slack = cost[(size_t)i * n + j] - a.u[i] - a.v[j];
                    ASSERT_GE(maximise ? -slack : slack, 0);
                    if (j == a.column[i])
                        ASSERT_EQ(slack, 0);
                }
            }
            EXPECT_EQ(a.result[0].total, total);
            EXPECT_EQ(a.result[0].gap, 0);
            EXPECT_EQ(a.column, assign_solve(mmc_reference_assign_ops(), n, cost, maximise).column);
        }
        cost[(size_t)n * n - 1] = limit + 1;
        const assign_answer a = assign_solve(ops, n, cost);
        EXPECT_EQ(a.status, MMC_ERR_RANGE);
        EXPECT_EQ(a.result[0].state, MMC_ASSIGN_TOO_LARGE);
        EXPECT_EQ(a.result[0].row, n - 1);
        EXPECT_EQ(a.result[0].column, n - 1);
        cost[(size_t)n * n - 1] = INT64_MIN;
        EXPECT_EQ(assign_solve(ops, n, cost).status, MMC_ERR_RANGE);
    }
}

TEST_P(assign, whole_range_of_32_bit_integers) {
    random_costs r(37);
    const int n = 30;
    std::vector<int32_t> cost((size_t)n * n);
    for (int32_t &c : cost)
        c = r.below(3) ? (int32_t)(r.bits() * 2u) : (r.below(2) ? INT32_MIN : INT32_MAX);
    for (bool maximise : {false, true})
        assign_check(assign_solve(ops, n, cost, maximise), n, cost, maximise);
}

TEST_P(assign, floats_are_rounded_to_the_documented_integers) {
    random_costs r(41);
    for (double scale : {1.0, 1e-30, 1e30, 1e-320, 1e300, 0.0}) {
        const int n = 25;
        std::vector<double> cost((size_t)n * n);
        for (double &c : cost)
            c = scale * ((double)r.below(1 << 30) / (1 << 29) - 1);
        for (bool maximise : {false, true}) {
            const assign_answer a = assign_solve(ops, n, cost, maximise);
            ASSERT_EQ(a.status, MMC_OK) << mmc_error_message();
            int exponent = 0;
            const double largest = std::fabs(*std::max_element(
                cost.begin(), cost.end(), [](double x, double y) { return std::fabs(x) < std::fabs(y); }));
            std::frexp(largest, &exponent);
            exponent = largest > 0 ? exponent - mmc_assign_bits(n) : 0;
            ASSERT_EQ(a.result[0].exponent, exponent);
            std::vector<int64_t> integers;
            double value = 0;
            for (double c : cost)
                integers.push_back((int64_t)std::rint(std::ldexp(c, -exponent)));
            for (int i = 0; i < n; i++)
                value += cost[(size_t)i * n + a.column[i]];
            const assign_answer b = assign_solve(mmc_reference_assign_ops(), n, integers, maximise);
            EXPECT_EQ(a.column, b.column);
            EXPECT_EQ(a.result[0].total, b.result[0].total);
            EXPECT_EQ(a.result[0].value, value);
        }
    }
    std::vector<float> single = {0.5f, 0.25f, 0.75f, -1.0f};
    EXPECT_EQ(assign_solve(ops, 2, single).column, (std::vector<int32_t>{0, 1}));
    EXPECT_EQ(assign_solve(ops, 2, single, true).column, (std::vector<int32_t>{1, 0}));
    EXPECT_EQ(assign_solve(ops, 2, single, true).result[0].value, 1.0);
}

TEST_P(assign, refuses_what_is_not_a_problem) {
    const std::vector<int32_t> cost(64, 1);
    const auto refused = [&](int rows, int columns, size_t stride) {
        return assign_solve(ops, cost, {{2, 2, 0, 2}, {rows, columns, 0, stride}}).status;
    };
    EXPECT_EQ(refused(0, 0, 4), MMC_ERR_SHAPE);
    EXPECT_NE(std::string(mmc_error_message()).find("problem 1"), std::string::npos);
    EXPECT_EQ(refused(-1, -1, 4), MMC_ERR_SHAPE);
    EXPECT_EQ(refused(3, 4, 4), MMC_ERR_SHAPE);
    EXPECT_NE(std::string(mmc_error_message()).find("3 rows and 4 columns"), std::string::npos);
    EXPECT_EQ(refused(4, 4, 3), MMC_ERR_SHAPE);
    EXPECT_EQ(refused(MMC_ASSIGN_ROWS + 1, MMC_ASSIGN_ROWS + 1, 1 << 20), MMC_ERR_RANGE);

    const mmc_assign_problem one = {4, 4, 0, 4};
    mmc_assign_call call = {};
    call.problems = 1;
    call.problem = &one;
    call.cost = cost.data();
    call.workspace_size = 63;
    EXPECT_EQ(ops->solve(nullptr, &call), MMC_ERR_MEMORY);
    call.problems = 0;
    call.workspace_size = 0;
    EXPECT_EQ(ops->solve(nullptr, &call), MMC_OK) << "no problems: nothing to do";
}

TEST_P(assign, names_the_entry_that_is_not_finite_and_solves_the_others) {
    for (float bad : {NAN, INFINITY, -INFINITY}) {
        std::vector<float> cost(2 * 9, 0.0f);
        cost[9 + 5] = bad;
        const assign_answer a = assign_solve(ops, cost, {{3, 3, 0, 3}, {3, 3, 9, 3}});
        EXPECT_EQ(a.status, MMC_ERR_RANGE);
        EXPECT_NE(std::string(mmc_error_message()).find("problem 1: the cost of row 1, column 2"), std::string::npos)
            << mmc_error_message();
        EXPECT_EQ(a.result[0].state, MMC_ASSIGN_SOLVED);
        EXPECT_EQ(a.result[1].state, MMC_ASSIGN_NOT_FINITE);
        EXPECT_EQ(a.column[2], 2);
        EXPECT_EQ(a.column[3], -7) << "outputs of a refused problem stay as they were";
    }
    std::vector<double> wide(9, 0.0);
    wide[8] = NAN;
    EXPECT_EQ(assign_solve(ops, 3, wide).status, MMC_ERR_RANGE);
}

INSTANTIATE_TEST_SUITE_P(solver, assign, ::testing::ValuesIn(solvers()), [](const auto &info) { return info.param; });

TEST(assign_results, certificate_that_does_not_hold_is_an_error) {
    mmc_assign_result r = {};
    EXPECT_EQ(mmc_assign_results_check(&r, 1), MMC_OK);
    r.gap = 1;
    EXPECT_EQ(mmc_assign_results_check(&r, 1), MMC_ERR_WRONG);
    r.gap = 0;
    r.slack = -1;
    EXPECT_EQ(mmc_assign_results_check(&r, 1), MMC_ERR_WRONG);
}

} // namespace
