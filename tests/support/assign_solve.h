/* One assignment problem or a batch of them solved in host memory, and an independent check of the certificate. */
#ifndef MMC_TESTS_SUPPORT_ASSIGN_SOLVE_H
#define MMC_TESTS_SUPPORT_ASSIGN_SOLVE_H

#include "kernels/assign.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <type_traits>
#include <vector>

template <typename T> constexpr mmc_assign_type assign_type_of() {
    return std::is_same<T, int32_t>::value   ? MMC_ASSIGN_I32
           : std::is_same<T, int64_t>::value ? MMC_ASSIGN_I64
           : std::is_same<T, float>::value   ? MMC_ASSIGN_F32
                                             : MMC_ASSIGN_F64;
}

struct assign_answer {
    std::vector<int32_t> column;
    std::vector<int64_t> u, v;
    std::vector<mmc_assign_result> result;
    mmc_status status = MMC_OK;
};

/* 64-byte aligned memory that holds garbage. */
class aligned_bytes {
  public:
    explicit aligned_bytes(size_t size) : raw(size + 64, (char)0xa5) {
    }
    void *at() {
        return reinterpret_cast<void *>((reinterpret_cast<uintptr_t>(raw.data()) + 63) / 64 * 64);
    }

  private:
    std::vector<char> raw;
};

template <typename T>
assign_answer assign_solve(const mmc_assign_ops *ops, const std::vector<T> &cost,
                           const std::vector<mmc_assign_problem> &problem, bool maximise = false) {
    size_t rows = 0;
    for (const mmc_assign_problem &p : problem)
        rows += (size_t)std::max(p.rows, 0);
    assign_answer a;
    a.column.assign(rows, -7);
    a.u.assign(rows, -7);
    a.v.assign(rows, -7);
    a.result.resize(problem.size());
    mmc_assign_call call = {};
    call.problems = (int)problem.size();
    call.problem = problem.data();
    call.type = assign_type_of<T>();
    call.maximise = maximise;
    call.cost = cost.data();
    call.column = a.column.data();
    call.u = a.u.data();
    call.v = a.v.data();
    call.result = a.result.data();
    a.status = mmc_assign_call_check(&call);
    if (a.status != MMC_OK) {
        EXPECT_EQ(ops->solve(nullptr, &call), a.status);
        return a;
    }
    call.workspace_size = ops->workspace_size(nullptr, &call);
    aligned_bytes workspace(call.workspace_size);
    call.workspace = workspace.at();
    a.status = ops->solve(nullptr, &call);
    if (a.status == MMC_OK)
        a.status = mmc_assign_results_check(a.result.data(), call.problems);
    return a;
}

template <typename T>
assign_answer assign_solve(const mmc_assign_ops *ops, int n, const std::vector<T> &cost, bool maximise = false) {
    return assign_solve(ops, cost, std::vector<mmc_assign_problem>{{n, n, 0, (size_t)n}}, maximise);
}

/* The certificate from the integers alone: a permutation, feasible potentials, no gap. */
template <typename T>
void assign_check(const assign_answer &a, int n, const std::vector<T> &cost, bool maximise = false) {
    ASSERT_EQ(a.status, MMC_OK) << mmc_error_message();
    std::vector<int32_t> sorted = a.column;
    std::sort(sorted.begin(), sorted.end());
    std::vector<int32_t> all((size_t)n);
    std::iota(all.begin(), all.end(), 0);
    ASSERT_EQ(sorted, all) << "not a permutation";
    const int64_t sign = maximise ? -1 : 1;
    int64_t slack = INT64_MAX, total = 0;
    __extension__ __int128 dual = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++)
            slack = std::min(slack, sign * ((int64_t)cost[(size_t)i * n + j] - a.u[i] - a.v[j]));
        total += (int64_t)cost[(size_t)i * n + a.column[i]];
        dual += a.u[i];
        dual += a.v[i];
    }
    EXPECT_EQ(slack, 0) << "the potentials are not feasible, or not tight anywhere";
    EXPECT_TRUE(dual == total) << "duality gap " << (int64_t)(total - dual);
    EXPECT_EQ(a.result[0].slack, slack);
    EXPECT_EQ(a.result[0].total, total);
    EXPECT_EQ(a.result[0].gap, 0);
    EXPECT_EQ(a.result[0].exponent, 0);
    EXPECT_EQ(a.result[0].value, (double)total);
}

#endif
