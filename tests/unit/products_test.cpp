// Inner products of rows: every instruction set, ragged sizes, and the same bits from any number of threads.
#include "kernels/products.h"
#include "tests/unit/own_support.h"

namespace {

std::vector<float> draw(size_t count, uint32_t state) {
    std::vector<float> out(count);
    for (float &x : out) {
        state = state * 1664525u + 1013904223u;
        x = float(int32_t(state)) * 0x1p-31f;
    }
    return out;
}

std::vector<double> products(const std::vector<float> &a, const std::vector<float> &b, int rows, size_t length) {
    guarded workspace(mmc_products_workspace_size(rows));
    std::vector<double> out(size_t(rows) * rows, NAN);
    EXPECT_EQ(mmc_own_products(out.data(), a.data(), b.data(), rows, length, workspace.floats()), MMC_OK)
        << mmc_error_message();
    return out;
}

class Products : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        setenv("MMC_ISA", GetParam().c_str(), 1);
    }
    void TearDown() override {
        unsetenv("MMC_ISA");
    }
};

TEST_P(Products, AreSumsInDouble) {
    for (int rows : {1, 7, 24, 25, 64})
        for (size_t length : {1, 127, 128, 300}) {
            const std::vector<float> a = draw(rows * length, 1), b = draw(rows * length, 2);
            const std::vector<double> out = products(a, b, rows, length);
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < rows; j++) {
                    long double sum = 0;
                    for (size_t k = 0; k < length; k++)
                        sum += (long double)a[i * length + k] * b[j * length + k];
                    ASSERT_NEAR(out[size_t(i) * rows + j], double(sum), 1e-14 * double(length))
                        << rows << " rows of " << length << ": " << i << ", " << j;
                }
        }
}

TEST_P(Products, AreTheSameOnAnyNumberOfThreads) {
    const int rows = 61;
    const size_t length = 1000;
    const std::vector<float> a = draw(rows * length, 1), b = draw(rows * length, 2);
    const std::vector<double> one = products(a, b, rows, length);
    const int threads = omp_get_max_threads();
    omp_set_num_threads(3);
    EXPECT_EQ(products(a, b, rows, length), one);
    omp_set_num_threads(threads);
}

INSTANTIATE_TEST_SUITE_P(Own, Products, testing::ValuesIn(isas()), [](const auto &info) { return info.param; });

} // namespace
