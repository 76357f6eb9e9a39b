// Assignment problems whose arrays do not fit into shared memory: the same answers from arrays in the workspace.
#include "kernels/cuda/queue.h"
#include "tests/parity/device.h"

namespace {

using parity::Backend;
using parity::Buffer;

std::vector<int32_t> solve(Backend &be, int n, const std::vector<int32_t> &cost) {
    const mmc_assign_problem problem = {n, n, 0, (size_t)n};
    Buffer costs(be, cost), column(be, (size_t)n * 4), u(be, (size_t)n * 8), v(be, (size_t)n * 8),
        result(be, sizeof(mmc_assign_result));
    mmc_assign_call call = {};
    call.problems = 1;
    call.problem = &problem;
    call.type = MMC_ASSIGN_I32;
    call.cost = costs.raw();
    call.column = column.i();
    call.u = static_cast<int64_t *>(u.raw());
    call.v = static_cast<int64_t *>(v.raw());
    call.result = static_cast<mmc_assign_result *>(result.raw());
    call.workspace_size = be->assign->workspace_size(be->queue, &call);
    Buffer workspace(be, call.workspace_size);
    call.workspace = workspace.raw();
    EXPECT_EQ(be->assign->solve(be->queue, &call), MMC_OK) << mmc_error_message();
    const std::vector<mmc_assign_result> seen = result.read<mmc_assign_result>();
    EXPECT_EQ(mmc_assign_results_check(seen.data(), 1), MMC_OK) << mmc_error_message();
    call.workspace_size--;
    EXPECT_EQ(be->assign->solve(be->queue, &call), MMC_ERR_MEMORY);
    return column.read<int32_t>();
}

TEST(simt_match, arrays_in_the_workspace_give_the_same_answer) {
    Backend be("cuda", "own", 1);
    ASSERT_EQ(be.status, MMC_OK) << be.message;
    std::vector<int32_t> cost;
    const int n = 37;
    for (int i = 0; i < n * n; i++)
        cost.push_back(i * 7919 % 101 % 13);
    const std::vector<int32_t> want = solve(be, n, cost);
    be->queue->smem_max = 0;
    EXPECT_EQ(solve(be, n, cost), want);
}

} // namespace
