// Every assignment problem of the golden file solved by every backend and provider: its optimal value to the stated
// tolerance, and invalid costs refused.
#include "tests/golden/golden.h"

#include "tests/parity/assign.h"

#include <cmath>
#include <string>

namespace {

template <typename T>
void expect_optimal(const golden::File &file, const std::string &name, parity::Backend &be,
                    const std::vector<T> &cost) {
    const int n = (int)file.shape(name + "/cost")[0];
    for (bool maximise : {false, true}) {
        std::vector<T> c = cost;
        if (maximise)
            for (T &x : c)
                x = -x;
        const parity::Assignment a = parity::assign(be, c, {{n, n, 0, (size_t)n}}, maximise);
        ASSERT_EQ(mmc_assign_results_check(a.result.data(), 1), MMC_OK) << mmc_error_message();
        const double value = maximise ? -a.result[0].value : a.result[0].value;
        golden::expect_near(file, name + "/value", &value, 1);
        if (a.result[0].unique) {
            const std::vector<int16_t> stored = file.values<int16_t>(name + "/assignment");
            EXPECT_EQ(a.column, std::vector<int32_t>(stored.begin(), stored.end()));
        }
    }
}

void solve_all(const char *backend, const char *provider) {
    parity::Backend be(backend, provider, 1);
    if (be.status != MMC_OK)
        GTEST_SKIP() << be.message;
    GOLDEN_OR_SKIP(file, "lap");
    int solved = 0, refused = 0;
    for (const std::string &tensor : file.names()) {
        const size_t slash = tensor.find("/cost");
        if (slash == std::string::npos)
            continue;
        const std::string name = tensor.substr(0, slash);
        SCOPED_TRACE(name);
        if (name.rfind("invalid_", 0) == 0) {
            const int n = (int)file.shape(tensor)[0];
            const parity::Assignment a = parity::assign(be, file.f32(tensor), {{n, n, 0, (size_t)n}}, false);
            EXPECT_EQ(mmc_assign_results_check(a.result.data(), 1), MMC_ERR_RANGE);
            refused++;
            continue;
        }
        solved++;
        switch (file.at(tensor).dtype) {
        case MMC_DTYPE_I16: {
            const std::vector<int16_t> v = file.values<int16_t>(tensor);
            expect_optimal(file, name, be, std::vector<int32_t>(v.begin(), v.end()));
            break;
        }
        case MMC_DTYPE_I32:
            expect_optimal(file, name, be, file.i32(tensor));
            break;
        case MMC_DTYPE_F64:
            expect_optimal(file, name, be, file.f64(tensor));
            break;
        default:
            expect_optimal(file, name, be, file.f32(tensor));
        }
    }
    EXPECT_GE(solved, 17);
    EXPECT_EQ(refused, 3);
}

TEST(assign_golden, reference) {
    solve_all("cpu", "reference");
}

TEST(assign_golden, own) {
    solve_all("cpu", "own");
}

TEST(assign_golden, cuda) {
    solve_all("cuda", "own");
}

} // namespace
