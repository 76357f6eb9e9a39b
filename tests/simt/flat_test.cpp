// The flat operations of CUDA to the bit: those that promise the CPU's results, at every alignment, with many sets and
// end points, over many blocks.
#include "kernels/cuda/queue.h"
#include "kernels/own/own.h"
#include "runtime/backend.h"
#include "tests/simt/control.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace {

using Floats = std::vector<float>;

class Flat : public testing::Test {
  protected:
    Flat() {
        simt_machine("a100", 1, 0);
        mmc_backend_options o = {};
        o.backend = "cuda";
        EXPECT_EQ(mmc_backend_open(&be, &o), MMC_OK) << mmc_error_message();
    }
    ~Flat() override {
        release();
        mmc_backend_close(be);
        EXPECT_EQ(simt_leaks(), 0);
    }
    void release() {
        for (void *p : memory_)
            be->memory->free(be, p);
        memory_.clear();
    }
    template <class T> T *up(const std::vector<T> &values) {
        void *p = nullptr;
        EXPECT_EQ(be->memory->alloc(be, &p, values.size() * sizeof(T)), MMC_OK) << mmc_error_message();
        memory_.push_back(p);
        EXPECT_EQ(be->memory->upload(be, p, values.data(), values.size() * sizeof(T)), MMC_OK);
        return static_cast<T *>(p);
    }
    template <class T> std::vector<T> down(const T *p, size_t count) {
        std::vector<T> values(count);
        EXPECT_EQ(be->memory->download(be, values.data(), p, count * sizeof(T)), MMC_OK) << mmc_error_message();
        return values;
    }
    // Uniform in [-1, 1).
    Floats draw(size_t count) {
        Floats values(count);
        for (float &v : values) {
            state_ = state_ * 1664525 + 1013904223;
            v = float(int32_t(state_)) * 0x1p-31f;
        }
        return values;
    }
    mmc_backend *be = nullptr;

  private:
    std::vector<void *> memory_;
    uint32_t state_ = 7;
};

template <class T> bool same(const std::vector<T> &a, const std::vector<T> &b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

TEST_F(Flat, PointsOfAPathHaveTheBitsOfTheCpu) {
    const mmc_flat_ops *own = mmc_own_flat_ops();
    if (!own || std::string(mmc_own_isa()) == "baseline")
        GTEST_SKIP() << "this CPU has no fused multiply-add";
    for (size_t count : {size_t(1), size_t(19), size_t(2050)})
        for (int ends : {1, 2, 3, 18})
            for (int sets : {1, count == 19 ? 300 : 11}) // 300: several launches
                for (size_t offset : {size_t(0), size_t(1)}) {
                    const size_t stride = count + (offset ? 3 : (4 - count % 4) % 4);
                    std::vector<Floats> end;
                    std::vector<const float *> host, device;
                    for (int e = 0; e < ends; e++)
                        end.push_back(draw(count + offset));
                    end[0][offset] = -0.0f;
                    for (int e = 0; e < ends; e++) {
                        host.push_back(end[e].data() + offset);
                        device.push_back(up(end[e]) + offset);
                    }
                    std::vector<double> coefficient;
                    for (float v : draw(size_t(sets) * ends))
                        coefficient.push_back(double(v) / 3);
                    Floats expected(stride * sets, -77.0f);
                    float *out = up(expected);
                    own->interpolate(nullptr, expected.data(), stride, sets, host.data(), ends, coefficient.data(),
                                     count);
                    ASSERT_EQ(be->flat->interpolate(be->queue, out, stride, sets, device.data(), ends,
                                                    coefficient.data(), count),
                              MMC_OK);
                    EXPECT_TRUE(same(down(out, expected.size()), expected))
                        << count << " elements, " << ends << " ends, " << sets << " sets, offset " << offset;
                    release();
                }
}

TEST_F(Flat, MoreEndPointsThanALaunchTakesAreRefused) {
    const float *end[25] = {};
    double coefficient[25] = {};
    EXPECT_EQ(be->flat->interpolate(be->queue, nullptr, 1, 1, end, 25, coefficient, 1), MMC_ERR_UNSUPPORTED);
    EXPECT_NE(std::string(mmc_error_message()).find("25 end points"), std::string::npos);
}

TEST_F(Flat, StepsHaveTheBitsOfTheReference) {
    for (size_t count : {size_t(1), size_t(19), size_t(2050)})
        for (size_t offset : {size_t(0), size_t(1)}) {
            Floats w = draw(count + offset), v = draw(count + offset), g = draw(count + offset);
            float *dw = up(w), *dv = up(v), *dg = up(g);
            for (int step = 0; step < 3; step++) {
                mmc_reference_flat_ops()->sgd(nullptr, w.data() + offset, v.data() + offset, g.data() + offset, count,
                                              .1, .9, 1e-4);
                ASSERT_EQ(be->flat->sgd(be->queue, dw + offset, dv + offset, dg + offset, count, .1, .9, 1e-4), MMC_OK);
            }
            EXPECT_TRUE(same(down(dw, w.size()), w) && same(down(dv, v.size()), v)) << count << " offset " << offset;
        }
}

TEST_F(Flat, StatisticsHaveTheBitsOfTheReference) {
    const mmc_flat_ops *reference = mmc_reference_flat_ops();
    const size_t means = 301, count = 2 * means, stride = count + 5;
    Floats running = draw(3 * stride), batch = draw(3 * stride), factor = draw(count), positions(count, 48.0f);
    for (float &v : batch)
        v = 1.5f + v;
    float *d_running = up(running), *d_batch = up(batch), *d_factor = up(factor), *d_positions = up(positions);
    reference->running(nullptr, running.data(), stride, batch.data(), stride, factor.data(), 3, count, .1);
    ASSERT_EQ(be->flat->running(be->queue, d_running, stride, d_batch, stride, d_factor, 3, count, .1), MMC_OK);
    EXPECT_TRUE(same(down(d_running, running.size()), running));

    std::vector<int32_t> partner(count);
    for (size_t i = 0; i < count; i++)
        partner[i] = int32_t(i % means);
    std::vector<double> sum(count, 0.0);
    double *d_sum = up(sum);
    int32_t *d_partner = up(partner);
    for (int images : {7, 128}) {
        reference->pool_add(nullptr, sum.data(), batch.data(), partner.data(), positions.data(), count, images);
        ASSERT_EQ(be->flat->pool_add(be->queue, d_sum, d_batch, d_partner, d_positions, count, images), MMC_OK);
    }
    EXPECT_TRUE(same(down(d_sum, count), sum));
    reference->pool_finish(nullptr, running.data(), sum.data(), partner.data(), positions.data(), count, 135);
    ASSERT_EQ(be->flat->pool_finish(be->queue, d_running, d_sum, d_partner, d_positions, count, 135), MMC_OK);
    running.resize(count);
    EXPECT_TRUE(same(down(d_running, count), running));
}

// 5,000 samples are 157 tiles of 32: 128 blocks, some of which take two. The counters, where the sums of the blocks
// lay, are zero again.
TEST_F(Flat, ALossOverManyBlocksAddsUpTheSameEveryTime) {
    const int n = 5000, k = 10;
    const Floats z = draw(size_t(n) * k);
    std::vector<int32_t> labels(n);
    for (int i = 0; i < n; i++)
        labels[i] = i * 7 % k;
    std::vector<double> expected = {3, 4};
    mmc_loss_call call = {};
    call.n = n;
    call.k = k;
    call.tally = expected.data();
    call.logits = z.data();
    call.labels = labels.data();
    ASSERT_EQ(mmc_reference_flat_ops()->loss(nullptr, &call), MMC_OK);
    call.logits = up(z);
    call.labels = up(labels);
    std::vector<double> first;
    for (unsigned seed : {1u, 2u, 3u}) {
        simt_seed(seed);
        double *tally = up(std::vector<double>{3, 4});
        call.tally = tally;
        ASSERT_EQ(be->flat->loss(be->queue, &call), MMC_OK);
        const std::vector<double> got = down(tally, 2);
        EXPECT_NEAR(got[0], expected[0], 1e-10 * expected[0]);
        EXPECT_EQ(got[1], expected[1]);
        if (first.empty())
            first = got;
        EXPECT_TRUE(same(got, first)) << "seed " << seed;
    }
    for (unsigned counter : down(be->queue->counters, MMC_CUDA_COUNTERS))
        ASSERT_EQ(counter, 0u);
}

} // namespace
