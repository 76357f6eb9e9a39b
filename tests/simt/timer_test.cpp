// The timer of the CUDA backend, and the operations of `mmcbench bench` under emulation: each against the reference.
#include "kernels/cuda/queue.h"
#include "runtime/bench.h"
#include "suites/bench_operation.h"
#include "suites/command.h"
#include "tests/simt/control.h"

#include <cmath>
#include <gtest/gtest.h>
#include <memory>
#include <string>

namespace {

class Backend {
  public:
    explicit Backend(const char *backend, const char *precision, const char *provider = "auto") {
        mmc_backend_options o = {};
        o.backend = backend;
        o.precision = precision;
        o.provider = provider;
        o.threads = 1;
        EXPECT_EQ(mmc_backend_open(&be, &o), MMC_OK) << mmc_error_message();
    }
    ~Backend() {
        mmc_backend_close(be);
    }
    Backend(const Backend &) = delete;
    void operator=(const Backend &) = delete;
    mmc_backend *be = nullptr;
};

// A device whose caches are small, so that emptying them takes no gigabytes of shadow.
class Timer : public testing::Test {
  protected:
    void open(const char *gpu, const char *precision) {
        simt_machine(gpu, 1, 0);
        device = std::make_unique<Backend>("cuda", precision);
        device->be->queue->l2_bytes = 4096;
        ops = device->be->timer;
        ASSERT_NE(ops, nullptr);
        ASSERT_EQ(ops->open(&timer, device->be), MMC_OK) << mmc_error_message();
    }
    void close() {
        ops->close(timer);
        device.reset();
        EXPECT_EQ(simt_leaks(), 0);
    }
    std::unique_ptr<Backend> device;
    const mmc_timer_ops *ops = nullptr;
    mmc_timer *timer = nullptr;
};

TEST_F(Timer, PeaksFollowFromTheProperties) {
    const struct {
        const char *gpu, *precision;
        double tflops, gigabytes; // as published, at boost clocks
    } known[] = {{"a100", "tf32", 156, 2039}, {"a100", "bf16", 312, 2039},  {"a100", "fp32", 52, 2039},
                 {"h100", "bf16", 989, 3350}, {"4090", "tf32", 82.6, 1008}, {"4090", "bf16", 165.2, 1008}};
    for (auto &k : known) {
        open(k.gpu, k.precision);
        mmc_peaks peaks;
        ASSERT_EQ(ops->peaks(timer, &peaks), MMC_OK) << mmc_error_message();
        EXPECT_NEAR(peaks.flop_per_s / 1e12, k.tflops, .1 * k.tflops) << k.gpu << " " << k.precision;
        EXPECT_NEAR(peaks.bytes_per_s / 1e9, k.gigabytes, .01 * k.gigabytes) << k.gpu;
        EXPECT_NE(std::string(peaks.source).find("SMs at"), std::string::npos);
        close();
    }
}

TEST_F(Timer, ClocksThatAreNotToldHaveAReason) {
    open("a100", "tf32");
    const mmc_clocks clocks = ops->clocks(timer);
    EXPECT_TRUE(clocks.reason || (std::isfinite(clocks.clock_mhz) && clocks.throttled == 0));
    close();
}

// What runs is what is measured: the samples have the body's launches between their events.
TEST_F(Timer, MeasuresWhatIsEnqueued) {
    open("a100", "tf32");
    mmc_bench_case c = {};
    c.op = MMC_BENCH_SGD;
    c.count = 1000;
    c.sets = 1;
    mmc_bench_operation *op;
    ASSERT_EQ(mmc_bench_operation_create(&op, device->be, &c), MMC_OK) << mmc_error_message();
    mmc_bench_body body = mmc_bench_operation_body(op);
    mmc_bench_options options = mmc_bench_defaults();
    options.iterations = 3;
    mmc_bench_result result;
    long launches = simt_launches("sgd");
    ASSERT_EQ(ops->profile(timer, true), MMC_OK);
    ASSERT_EQ(mmc_bench_measure(&result, timer, ops, &body, &options), MMC_OK) << mmc_error_message();
    ASSERT_EQ(ops->profile(timer, false), MMC_OK);
    EXPECT_EQ(simt_launches("sgd") - launches, 3) << "--iters 3 runs nothing else";
    ASSERT_EQ(result.count, 3u);
    for (size_t i = 0; i < 3; i++)
        EXPECT_GT(result.samples[i], 0);
    EXPECT_EQ(result.end, MMC_BENCH_ITERATIONS);
    mmc_bench_result_close(&result);

    options.iterations = 0;
    options.min_samples = 2;
    options.max_noise = 1e9;
    launches = simt_launches("sgd");
    ASSERT_EQ(mmc_bench_measure(&result, timer, ops, &body, &options), MMC_OK) << mmc_error_message();
    EXPECT_EQ(result.count, 2u);
    EXPECT_EQ(result.end, MMC_BENCH_NOISE);
    EXPECT_EQ(simt_launches("sgd") - launches, 3) << "a run to warm up, two samples";
    mmc_bench_result_close(&result);
    mmc_bench_operation_free(op);
    close();
}

TEST_F(Timer, EveryCallMayFail) {
    for (const char *call : {"cudaEventCreate", "cudaMalloc", "cudaEventRecord", "cudaEventElapsedTime",
                             "cudaDeviceGetAttribute", "cudaMemsetAsync", "cudaEventSynchronize"}) {
        simt_machine("a100", 1, 0); // an error before may have lost the context
        Backend be("cuda", "tf32");
        be.be->queue->l2_bytes = 4096;
        mmc_timer *t = nullptr;
        mmc_peaks peaks;
        double elapsed_s;
        simt_fail(call, 1, 0);
        mmc_status status = be.be->timer->open(&t, be.be);
        if (status == MMC_OK)
            status = be.be->timer->peaks(t, &peaks);
        if (status == MMC_OK)
            status = be.be->timer->flush(t);
        if (status == MMC_OK)
            status = be.be->timer->start(t);
        if (status == MMC_OK)
            status = be.be->timer->stop(t, &elapsed_s);
        EXPECT_TRUE(simt_failed()) << call;
        EXPECT_TRUE(status == MMC_ERR_DEVICE || status == MMC_ERR_MEMORY ||
                    std::string(call) == "cudaDeviceGetAttribute")
            << call << ": " << mmc_status_name(status);
        be.be->timer->close(t);
        simt_fail(nullptr, 0, 0);
    }
    EXPECT_EQ(simt_leaks(), 0);
}

class Operations : public testing::TestWithParam<const char *> {};

// Odd widths: planes of 5, 10, 20, 40 channels. Every operation of the list but the path.
TEST_P(Operations, AgreeWithTheReference) {
    simt_machine("a100", 1, 0);
    Backend device("cuda", GetParam()), reference("cpu", "fp32", "reference");
    mmc_bench_scope scope = {};
    scope.archs = 1u << MMC_ARCH_VGG13;
    scope.width = 5;
    scope.classes = 13;
    scope.batch = 3;
    scope.sets = 3;
    scope.element_bytes = 4;
    scope.points = 2;
    for (int height : {32, 64}) {
        scope.height = height;
        mmc_bench_list list;
        ASSERT_EQ(mmc_bench_list_create(&list, &scope), MMC_OK) << mmc_error_message();
        for (size_t i = 0; i < list.count; i++) {
            const mmc_bench_case &c = list.cases[i];
            const bool large = c.op < MMC_BENCH_RENDER && c.shape.h > 4; // those are in the parity list
            if (large || c.small_model || c.op == MMC_BENCH_PATH || (height == 64 && c.op != MMC_BENCH_RENDER))
                continue;
            double error = NAN;
            EXPECT_EQ(mmc_bench_operation_verify(&error, device.be, reference.be, &c), MMC_OK) << mmc_error_message();
            const bool rounds = c.op <= MMC_BENCH_POOL_BACKWARD || c.op == MMC_BENCH_CORRELATE; // its activations
            if (c.op >= MMC_BENCH_RENDER) {
                EXPECT_LT(error, rounds && std::string(GetParam()) == "bf16" ? 1e-2 : 1e-6)
                    << mmc_bench_op_name(c.op) << " " << c.name;
            }
        }
        mmc_bench_list_close(&list);
    }
}

INSTANTIATE_TEST_SUITE_P(Precisions, Operations, testing::Values("fp32", "bf16"),
                         [](const testing::TestParamInfo<const char *> &info) { return std::string(info.param); });

// Wrong input that only a kernel sees comes back with the next wait, and not again.
TEST(Faults, WrongLabelsAndSamplesAreReported) {
    simt_machine("a100", 1, 0);
    Backend device("cuda", "tf32");
    mmc_backend *be = device.be;
    mmc_bench_case c = {};
    c.op = MMC_BENCH_LOSS;
    c.shape.n = 40;
    c.classes = 10;
    c.sets = 1;
    mmc_bench_operation *op;
    ASSERT_EQ(mmc_bench_operation_create(&op, be, &c), MMC_OK) << mmc_error_message();
    const int32_t wrong = 10;
    ASSERT_EQ(be->memory->upload(be, const_cast<int32_t *>(op->loss.labels) + 39, &wrong, sizeof wrong), MMC_OK);
    ASSERT_EQ(op->run(op), MMC_OK);
    EXPECT_EQ(be->memory->sync(be), MMC_ERR_RANGE);
    EXPECT_NE(std::string(mmc_error_message()).find("label"), std::string::npos);
    EXPECT_EQ(be->memory->sync(be), MMC_OK);
    mmc_bench_operation_free(op);

    c.op = MMC_BENCH_RENDER;
    c.shape = {};
    c.shape.n = 2;
    c.shape.c = 3;
    c.shape.h = c.shape.w = 32;
    ASSERT_EQ(mmc_bench_operation_create(&op, be, &c), MMC_OK) << mmc_error_message();
    mmc_sample sample = {};
    sample.image = 1 << 20;
    sample.cue = -1;
    ASSERT_EQ(be->memory->upload(be, op->samples, &sample, sizeof sample), MMC_OK);
    ASSERT_EQ(op->run(op), MMC_OK);
    EXPECT_EQ(be->memory->sync(be), MMC_ERR_RANGE);
    EXPECT_NE(std::string(mmc_error_message()).find("sample"), std::string::npos);
    mmc_bench_operation_free(op);
}

// The command itself: cases chosen by name, each run once between cudaProfilerStart and Stop, a whole path among them.
TEST(Bench, TheCommandRunsOnADevice) {
    simt_machine("a100", 1, 0);
    const char *words[] = {"mmcbench",   "bench",
                           "--backend",  "cuda",
                           "--provider", "own",
                           "--width",    "4",
                           "--batch",    "2",
                           "--arch",     "vgg13",
                           "--profile",  "--points",
                           "2",          "--limit-train",
                           "8",          "--limit-test",
                           "4",          "--json",
                           "--op",       "path",
                           "--op",       "conv_backward",
                           "--case",     "layers.8",
                           "--case",     "line"};
    std::vector<char *> argv;
    for (const char *word : words)
        argv.push_back(const_cast<char *>(word));
    mmc_options options;
    char *environment[] = {nullptr};
    ASSERT_EQ(mmc_options_parse(&options, int(argv.size()), argv.data(), environment, nullptr, nullptr), MMC_OK)
        << mmc_error_message();
    FILE *rows = tmpfile(), *messages = tmpfile();
    mmc_output out;
    mmc_output_init(&out, rows, messages, true, true);
    EXPECT_EQ(mmc_command_bench(&options, &out), MMC_OK) << mmc_error_message();
    rewind(rows);
    std::string text;
    for (int c = fgetc(rows); c != EOF; c = fgetc(rows))
        text += char(c);
    EXPECT_NE(text.find("{\"op\":\"conv_backward\",\"case\":\"vgg13.layers.8.conv1\""), std::string::npos) << text;
    EXPECT_NE(text.find("{\"op\":\"path\",\"case\":\"vgg13.line\""), std::string::npos) << text;
    EXPECT_NE(text.find("\"end\":\"iterations\""), std::string::npos) << text;
    EXPECT_NE(text.find("\"failed\":0"), std::string::npos) << text;
    fclose(rows);
    fclose(messages);
    EXPECT_EQ(simt_leaks(), 0);
    EXPECT_EQ(simt_ranges_open(), 0);
}

} // namespace
