// Every assignment problem of the golden file solved by the reference provider and by the provider own: its optimal
// value to the stated tolerance, and invalid costs refused.
#include "tests/golden/golden.h"

#include "tests/support/assign_solve.h"

#include <cmath>
#include <string>

namespace {

template <typename T>
void expect_optimal(const golden::File &file, const std::string &name, const mmc_assign_ops *ops,
                    const std::vector<T> &cost) {
    const int n = (int)file.shape(name + "/cost")[0];
    for (bool maximise : {false, true}) {
        std::vector<T> c = cost;
        if (maximise)
            for (T &x : c)
                x = -x;
        const assign_answer a = assign_solve(ops, n, c, maximise);
        ASSERT_EQ(a.status, MMC_OK) << mmc_error_message();
        const double value = maximise ? -a.result[0].value : a.result[0].value;
        golden::expect_near(file, name + "/value", &value, 1);
        if (a.result[0].unique) {
            const std::vector<int16_t> stored = file.values<int16_t>(name + "/assignment");
            EXPECT_EQ(a.column, std::vector<int32_t>(stored.begin(), stored.end()));
        }
    }
}

void solve_all(const mmc_assign_ops *ops) {
    ASSERT_NE(ops, nullptr) << mmc_error_message();
    GOLDEN_OR_SKIP(file, "lap");
    int solved = 0, refused = 0;
    for (const std::string &tensor : file.names()) {
        const size_t slash = tensor.find("/cost");
        if (slash == std::string::npos)
            continue;
        const std::string name = tensor.substr(0, slash);
        SCOPED_TRACE(name);
        if (name.rfind("invalid_", 0) == 0) {
            EXPECT_EQ(assign_solve(ops, (int)file.shape(tensor)[0], file.f32(tensor)).status, MMC_ERR_RANGE);
            refused++;
            continue;
        }
        solved++;
        switch (file.at(tensor).dtype) {
        case MMC_DTYPE_I16: {
            const std::vector<int16_t> v = file.values<int16_t>(tensor);
            expect_optimal(file, name, ops, std::vector<int32_t>(v.begin(), v.end()));
            break;
        }
        case MMC_DTYPE_I32:
            expect_optimal(file, name, ops, file.i32(tensor));
            break;
        case MMC_DTYPE_F64:
            expect_optimal(file, name, ops, file.f64(tensor));
            break;
        default:
            expect_optimal(file, name, ops, file.f32(tensor));
        }
    }
    EXPECT_GE(solved, 17);
    EXPECT_EQ(refused, 3);
}

TEST(assign_golden, reference) {
    solve_all(mmc_reference_assign_ops());
}

TEST(assign_golden, own) {
    solve_all(mmc_own_assign_ops());
}

} // namespace
