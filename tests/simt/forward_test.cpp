// Forward convolutions beyond the parity list: outputs that are put off and read, kernels launched, the cut into
// blocks.
#include "kernels/cuda/deferral.h"
#include "runtime/backend_cuda.h"
#include "runtime/rng.h"
#include "tests/simt/control.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace {

using Floats = std::vector<float>;

Floats uniform(size_t count, uint32_t stream, float low, float high) {
    Floats out(count);
    for (size_t i = 0; i < count; i++)
        out[i] = low + (high - low) * mmc_rng_uniform(mmc_rng_at(5, MMC_RNG_TOY, stream, i));
    return out;
}

// A backend, and memory of it that lives as long.
class Device {
  public:
    explicit Device(const char *precision) {
        mmc_backend_options o = {};
        o.backend = "cuda";
        o.provider = "own";
        o.precision = precision;
        EXPECT_EQ(mmc_backend_open(&be, &o), MMC_OK) << mmc_error_message();
        queue = be->queue;
    }
    ~Device() {
        for (void *p : memory_)
            be->memory->free(be, p);
        mmc_backend_close(be);
    }
    Device(const Device &) = delete;
    void operator=(const Device &) = delete;

    void *make(size_t bytes) {
        void *p = nullptr;
        EXPECT_EQ(be->memory->alloc(be, &p, bytes), MMC_OK) << mmc_error_message();
        memory_.push_back(p);
        return p;
    }
    float *upload(const Floats &values) {
        void *p = make(values.size() * sizeof(float));
        EXPECT_EQ(be->memory->upload(be, p, values.data(), values.size() * sizeof(float)), MMC_OK);
        return static_cast<float *>(p);
    }
    mmc_activation activation(int t, int n, int c, int h, int w) {
        return {make(be->unit->activation_size(queue, t, n, c, h, w)), t, n, c, h, w};
    }
    mmc_activation activation(int t, int n, int c, int h, int w, uint32_t stream) {
        mmc_activation a = activation(t, n, c, h, w);
        EXPECT_EQ(be->unit->put(queue, &a, upload(uniform(mmc_activation_count(&a), stream, -1, 1))), MMC_OK);
        return a;
    }
    Floats get(const mmc_activation &a) {
        Floats out(mmc_activation_count(&a));
        float *p = upload(out);
        EXPECT_EQ(be->unit->get(queue, p, &a), MMC_OK) << mmc_error_message();
        EXPECT_EQ(be->memory->download(be, out.data(), p, out.size() * sizeof(float)), MMC_OK) << mmc_error_message();
        return out;
    }

    mmc_backend *be = nullptr;
    mmc_queue *queue = nullptr;

  private:
    std::vector<void *> memory_;
};

// One unit of several sets with its parameters; sets an odd number of floats apart.
struct Unit {
    Device &device;
    mmc_unit_shape s;
    int sets;
    size_t stride, weights;
    float *state, *mean, *var;
    void *packed, *workspace;

    Unit(Device &d, mmc_unit_shape shape, int t, uint32_t stream)
        : device(d), s(shape), sets(t), weights(size_t(s.k) * s.c * s.r * s.r) {
        stride = weights + size_t(4) * s.k + 3;
        Floats values = uniform(stride * t, stream, -.5f, .5f);
        for (int i = 0; i < t; i++)
            for (int k = 0; k < s.k; k++)
                values[i * stride + weights + 3 * s.k + k] += 1; // variances
        state = d.upload(values);
        mean = d.upload(Floats(size_t(s.k) * t));
        var = d.upload(Floats(size_t(s.k) * t));
        packed = d.make(d.be->unit->pack_size(d.queue, &s, MMC_PACK_STATS, t));
        EXPECT_EQ(d.be->unit->pack(d.queue, packed, &s, MMC_PACK_STATS, t, state, stride), MMC_OK);
        workspace = d.make(d.be->unit->workspace_size(d.queue, &s, MMC_PACK_STATS, t));
    }
    void train(mmc_activation &y, mmc_activation &z, const mmc_activation &x, const mmc_activation *residual) {
        mmc_unit_train_call call = {};
        call.shape = s;
        call.sets = sets;
        call.y = &y;
        call.z = &z;
        call.mean = mean;
        call.var = var;
        call.stat_stride = size_t(s.k);
        call.x = &x;
        call.packed = packed;
        call.gamma = state + weights;
        call.beta = call.gamma + s.k;
        call.set_stride = stride;
        call.residual = residual;
        call.workspace = workspace;
        EXPECT_EQ(device.be->unit->train(device.queue, &call), MMC_OK) << mmc_error_message();
    }
    void eval(mmc_activation &y, const mmc_activation &x) {
        EXPECT_EQ(try_eval(y, x), MMC_OK) << mmc_error_message();
    }
    mmc_status try_eval(mmc_activation &y, const mmc_activation &x) {
        mmc_unit_eval_call call = {};
        call.shape = s;
        call.sets = sets;
        call.y = &y;
        call.x = &x;
        call.packed = packed;
        call.gamma = state + weights;
        call.beta = call.gamma + s.k;
        call.mean = call.beta + s.k;
        call.var = call.mean + s.k;
        call.set_stride = stride;
        return device.be->unit->eval(device.queue, &call);
    }
};

// Kernels that `run` launches and that have run when it is over.
template <class F> long launches(Device &d, const F &run) {
    EXPECT_EQ(d.be->memory->sync(d.be), MMC_OK);
    const long before = simt_launches(nullptr);
    run();
    EXPECT_EQ(d.be->memory->sync(d.be), MMC_OK);
    return simt_launches(nullptr) - before;
}

class Forward : public testing::TestWithParam<const char *> {};

enum class Join { none, plain, put_off };

// Reading an output that was put off gives the bits that settling it first gives, of the reader's output and of the
// output itself, at one kernel a convolution.
TEST_P(Forward, NormalisesWhatWasPutOffOnTheWay) {
    for (Join join : {Join::none, Join::plain, Join::put_off})
        for (bool in_place : {false, true}) {
            if (in_place && join != Join::none)
                continue;
            for (int stride : {1, 2}) {
                Device d(GetParam());
                const int n = 3, c = 5, side = 9, k = 43, sets = 2; // 2 tiles, 2 chunks of channels and a tail
                const bool joins = join != Join::none;
                Unit first(d, {n, c, side, side, k, 3, 1, true, joins}, sets, 1);
                Unit shortcut(d, {n, c, side, side, k, 1, 1, false, false}, sets, 2);
                Unit reader(d, {n, k, side, side, 70, 3, stride, true, false}, sets, 3);
                const int out = mmc_unit_out_h(&reader.s);
                mmc_activation x = d.activation(1, n, c, side, side, 4), r = d.activation(sets, n, k, side, side, 5);
                mmc_activation y = d.activation(sets, n, k, side, side), z = d.activation(sets, n, k, side, side);
                mmc_activation read = d.activation(sets, n, 70, out, out);
                Floats outputs[2], ys[2];
                for (int settled : {1, 0}) {
                    if (join == Join::put_off)
                        shortcut.train(r, r, x, nullptr);
                    EXPECT_EQ(launches(d, [&] { first.train(y, in_place ? y : z, x, joins ? &r : nullptr); }), 1);
                    if (settled)
                        ASSERT_EQ(mmc_cuda_settle(d.queue, &y), MMC_OK);
                    EXPECT_EQ(launches(d, [&] { reader.eval(read, y); }), 1);
                    outputs[settled] = d.get(read);
                    EXPECT_EQ(launches(d, [&] { EXPECT_EQ(mmc_cuda_settle(d.queue, &y), MMC_OK); }),
                              in_place && !settled ? 1 : 0)
                        << "the reader stores what lies apart from z";
                    ys[settled] = d.get(y);
                }
                EXPECT_EQ(outputs[0], outputs[1]) << "join " << int(join) << ", stride " << stride;
                EXPECT_EQ(ys[0], ys[1]) << "join " << int(join) << ", stride " << stride;
            }
        }
}

// A 1x1 convolution with stride 2 reads a quarter of its input: it cannot store the rest, which others will read.
TEST_P(Forward, SettlesForAReaderOfAQuarter) {
    Device d(GetParam());
    Unit first(d, {2, 3, 7, 5, 9, 3, 1, true, false}, 1, 1), reader(d, {2, 9, 7, 5, 4, 1, 2, false, false}, 1, 2);
    mmc_activation x = d.activation(1, 2, 3, 7, 5, 3), y = d.activation(1, 2, 9, 7, 5), z = d.activation(1, 2, 9, 7, 5);
    mmc_activation read = d.activation(1, 2, 4, 4, 3);
    first.train(y, z, x, nullptr);
    ASSERT_EQ(mmc_cuda_settle(d.queue, &y), MMC_OK);
    reader.eval(read, y);
    const Floats expected = d.get(read), expected_y = d.get(y);
    first.train(y, z, x, nullptr);
    EXPECT_EQ(launches(d, [&] { reader.eval(read, y); }), 2);
    EXPECT_EQ(d.get(read), expected);
    EXPECT_EQ(launches(d, [&] { EXPECT_EQ(mmc_cuda_settle(d.queue, &y), MMC_OK); }), 0);
    EXPECT_EQ(d.get(y), expected_y);
    first.train(y, y, x, nullptr); // over its own z it is normalised by each reader
    EXPECT_EQ(launches(d, [&] { reader.eval(read, y); }), 1);
    EXPECT_EQ(d.get(read), expected);
}

// Wide blocks, where there are many, and narrow ones add in the same order.
TEST_P(Forward, TheWidthOfBlocksChangesNoBit) {
    Device d(GetParam());
    const int n = 2, side = 8, k = 136;
    Unit unit(d, {n, 20, side, side, k, 3, 1, true, false}, 1, 1);
    mmc_activation x = d.activation(1, n, 20, side, side, 2), y = d.activation(1, n, k, side, side);
    Floats outputs[2], statistics[2];
    int widths[2];
    for (int wide : {0, 1}) {
        d.queue->sm_count = wide ? 1 : 1000;
        widths[wide] = mmc_cuda_conv_plan_make(d.queue, &unit.s, 1).width;
        unit.eval(y, x);
        outputs[wide] = d.get(y);
        unit.train(y, y, x, nullptr);
        ASSERT_EQ(d.be->memory->sync(d.be), MMC_OK);
        statistics[wide].resize(k);
        ASSERT_EQ(d.be->memory->download(d.be, statistics[wide].data(), unit.var, k * sizeof(float)), MMC_OK);
    }
    EXPECT_EQ(widths[0], 64);
    EXPECT_EQ(widths[1], std::string(GetParam()) == "fp32" ? 64 : 128);
    EXPECT_EQ(outputs[0], outputs[1]);
    EXPECT_EQ(statistics[0], statistics[1]);
}

// More sets than there are counters for in one launch, all with the same weights.
TEST(ForwardSets, GoInSeveralLaunches) {
    Device d("bf16");
    const int sets = MMC_CUDA_COUNTERS / 2 + 2;
    Unit many(d, {2, 1, 1, 1, 1, 1, 1, false, false}, sets, 1);
    Floats state(many.stride * sets);
    for (size_t i = 0; i < state.size(); i++)
        state[i] = i % many.stride == 0 ? 0.5f : 1.0f;
    ASSERT_EQ(d.be->memory->upload(d.be, many.state, state.data(), state.size() * sizeof(float)), MMC_OK);
    ASSERT_EQ(d.be->unit->pack(d.queue, many.packed, &many.s, MMC_PACK_STATS, sets, many.state, many.stride), MMC_OK);
    mmc_activation x = d.activation(1, 2, 1, 1, 1), y = d.activation(sets, 2, 1, 1, 1);
    ASSERT_EQ(d.be->unit->put(d.queue, &x, d.upload({1.0f, 3.0f})), MMC_OK);
    EXPECT_EQ(launches(d, [&] { many.train(y, y, x, nullptr); }), 2);
    Floats mean(sets), var(sets);
    ASSERT_EQ(d.be->memory->download(d.be, mean.data(), many.mean, sets * sizeof(float)), MMC_OK);
    ASSERT_EQ(d.be->memory->download(d.be, var.data(), many.var, sets * sizeof(float)), MMC_OK);
    EXPECT_EQ(mean, Floats(sets, 1.0f));
    EXPECT_EQ(var, Floats(sets, 0.25f));
}

// A convolution that cannot be launched says so at once; the next one is not touched by it.
TEST(ForwardSets, ALaunchThatFailsIsReported) {
    Device d("tf32");
    Unit unit(d, {2, 3, 4, 4, 5, 3, 1, true, false}, 1, 1);
    mmc_activation x = d.activation(1, 2, 3, 4, 4), y = d.activation(1, 2, 5, 4, 4);
    ASSERT_EQ(d.be->unit->put(d.queue, &x, d.upload(Floats(2 * 3 * 4 * 4, 0.5f))), MMC_OK);
    unit.eval(y, x);
    const Floats before = d.get(y);
    simt_fail("cudaLaunchKernel", 1, cudaErrorInvalidConfiguration);
    EXPECT_EQ(unit.try_eval(y, x), MMC_ERR_DEVICE);
    EXPECT_NE(std::string(mmc_error_message()).find("mmc_cuda_conv"), std::string::npos) << mmc_error_message();
    unit.eval(y, x);
    EXPECT_EQ(d.get(y), before);
}

INSTANTIATE_TEST_SUITE_P(All, Forward, testing::Values("fp32", "tf32", "bf16"),
                         [](const auto &info) { return std::string(info.param); });

// Every cut covers the output, fits any device that is supported, and keeps the rows of a matrix in different banks.
TEST(ConvPlan, FitsEveryShape) {
    mmc_queue queue = {};
    queue.sm_count = 108;
    for (int precision : {MMC_CUDA_FP32, MMC_CUDA_TF32, MMC_CUDA_BF16})
        for (int n : {1, 2, 131, 5000})
            for (int h : {1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 64, 200})
                for (int w : {1, 2, 4, 5, 8, 13, 16, 32, 50, 129, 224})
                    for (int r : {1, 3})
                        for (int stride : {1, 2})
                            for (int k : {3, 16, 32, 64, 512, 9000}) {
                                queue.precision = static_cast<mmc_cuda_precision>(precision);
                                const mmc_unit_shape s = {n, 8, h, w, k, r, stride, true, false};
                                const mmc_cuda_conv_plan p = mmc_cuda_conv_plan_make(&queue, &s, 11);
                                SCOPED_TRACE(testing::Message() << n << "x" << h << "x" << w << " " << r << "x" << r
                                                                << "/" << stride << " to " << k);
                                ASSERT_LE(p.images * p.rows * p.columns, MMC_CUDA_TILE_PIXELS);
                                ASSERT_GE(p.tiles_n * p.images, n);
                                ASSERT_GE(p.tiles_h * p.rows, p.out_h);
                                ASSERT_GE(p.tiles_w * p.columns, p.out_w);
                                ASSERT_GE(p.tiles_k * p.width, k);
                                ASSERT_GE(p.groups * p.group_tiles, p.tiles);
                                ASSERT_LE(p.tiles_k * (p.groups + 1), MMC_CUDA_COUNTERS);
                                const int halo = p.images * (p.image_pitch * 16 + p.halo_h * p.halo_w * 8);
                                const int stages = (p.width > 64 ? 3 : 4) * p.width * MMC_CUDA_PITCH_BYTES;
                                ASSERT_LE(halo + stages + 5 * 1024, 99 * 1024);
                                if (p.step == 1 || p.columns % 2 == 0) {
                                    ASSERT_EQ((p.row_pitch * p.step - p.columns * 5) % 8, 0);
                                    ASSERT_EQ((p.image_pitch - p.rows * p.columns * 5) % 8, 0);
                                }
                            }
}

TEST(Deferral, NotesAreFoundReplacedAndForgotten) {
    mmc_queue queue = {};
    char memory[MMC_CUDA_DEFERRALS + 1];
    mmc_cuda_deferral note = {};
    for (int i = 0; i < MMC_CUDA_DEFERRALS; i++) {
        note.y = note.z = &memory[i];
        ASSERT_EQ(mmc_cuda_deferral_note(&queue, &note), MMC_OK);
        ASSERT_EQ(mmc_cuda_deferral_note(&queue, &note), MMC_OK) << "in place of the one before";
    }
    note.y = &memory[MMC_CUDA_DEFERRALS];
    EXPECT_EQ(mmc_cuda_deferral_note(&queue, &note), MMC_ERR_DEVICE);
    EXPECT_NE(std::string(mmc_error_message()).find("put off"), std::string::npos);
    mmc_cuda_deferral_drop(&queue, &memory[3]);
    EXPECT_EQ(mmc_cuda_deferral_note(&queue, &note), MMC_OK);
    mmc_cuda_deferral_forget(&queue, memory, MMC_CUDA_DEFERRALS);
    int left = 0;
    for (const mmc_cuda_deferral &d : queue.deferral)
        left += d.y != nullptr;
    EXPECT_EQ(left, 1) << "what lies behind the range stays";
}

// Networks come and go: their memory takes its notes with it.
TEST(Deferral, FreedMemoryIsForgotten) {
    for (int round = 0; round < 2; round++) {
        Device d("bf16");
        for (int i = 0; i < MMC_CUDA_DEFERRALS + 2; i++) {
            void *p = nullptr;
            ASSERT_EQ(d.be->memory->alloc(d.be, &p, 256), MMC_OK);
            mmc_cuda_deferral note = {};
            note.y = note.z = static_cast<char *>(p) + 64;
            ASSERT_EQ(mmc_cuda_deferral_note(d.queue, &note), MMC_OK) << mmc_error_message();
            d.be->memory->free(d.be, p);
        }
    }
}

} // namespace
