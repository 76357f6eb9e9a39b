// Assignment problems solved in the memory of a backend.
#ifndef MMC_TESTS_PARITY_ASSIGN_H
#define MMC_TESTS_PARITY_ASSIGN_H

#include "tests/parity/device.h"

#include <type_traits>

namespace parity {

template <typename T> mmc_assign_type assign_type() {
    return std::is_same<T, int32_t>::value   ? MMC_ASSIGN_I32
           : std::is_same<T, int64_t>::value ? MMC_ASSIGN_I64
           : std::is_same<T, float>::value   ? MMC_ASSIGN_F32
                                             : MMC_ASSIGN_F64;
}

// The outputs of a call.
struct Assignment {
    std::vector<int32_t> column;
    std::vector<int64_t> u, v;
    std::vector<mmc_assign_result> result;
};

template <typename T>
Assignment assign(Backend &be, const std::vector<T> &cost, const std::vector<mmc_assign_problem> &problem,
                  bool maximise) {
    size_t rows = 0;
    for (const mmc_assign_problem &p : problem)
        rows += (size_t)p.rows;
    Buffer costs(be, cost), column(be, rows * 4), u(be, rows * 8), v(be, rows * 8),
        result(be, problem.size() * sizeof(mmc_assign_result));
    mmc_assign_call call = {};
    call.problems = (int)problem.size();
    call.problem = problem.data();
    call.type = assign_type<T>();
    call.maximise = maximise;
    call.cost = costs.raw();
    call.column = column.i();
    call.u = static_cast<int64_t *>(u.raw());
    call.v = static_cast<int64_t *>(v.raw());
    call.result = static_cast<mmc_assign_result *>(result.raw());
    call.workspace_size = be->assign->workspace_size(be->queue, &call);
    Buffer workspace(be, call.workspace_size);
    call.workspace = workspace.raw();
    EXPECT_EQ(be->assign->solve(be->queue, &call), MMC_OK) << mmc_error_message();
    return {column.read<int32_t>(), u.read<int64_t>(), v.read<int64_t>(), result.read<mmc_assign_result>()};
}

} // namespace parity

#endif
