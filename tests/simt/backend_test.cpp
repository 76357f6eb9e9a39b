// The host code of the CUDA backend against the emulated runtime: memory, uploads, recorded steps, devices, and every
// call of CUDA failing once.
#include "kernels/cuda/queue.h"
#include "runtime/backend_cuda.h"
#include "tests/simt/control.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace {

constexpr size_t kHalf = 1 << 20; // bytes of half a stage
constexpr unsigned kSeeds = 4;

testing::AssertionResult good(mmc_status status) {
    if (status == MMC_OK)
        return testing::AssertionSuccess();
    return testing::AssertionFailure() << mmc_status_name(status) << ": " << mmc_error_message();
}

// The status as wanted, and a message that contains every one of `words`.
testing::AssertionResult refused(mmc_status status, mmc_status wanted, const std::vector<std::string> &words) {
    std::string text = mmc_error_message();
    if (status != wanted)
        return testing::AssertionFailure() << mmc_status_name(status) << ": " << text;
    for (const std::string &word : words)
        if (text.find(word) == std::string::npos)
            return testing::AssertionFailure() << "no '" << word << "' in: " << text;
    return testing::AssertionSuccess();
}

mmc_backend_options options(const char *backend = "cuda") {
    mmc_backend_options o = {};
    o.backend = backend;
    return o;
}

mmc_status opened(mmc_backend_options o) {
    mmc_backend *be = nullptr;
    mmc_status status = mmc_backend_open(&be, &o);
    EXPECT_EQ(be != nullptr, status == MMC_OK);
    mmc_backend_close(be);
    return status;
}

// A backend that closes itself, and memory of it that frees itself.
class Device {
  public:
    explicit Device(mmc_backend_options o = options()) {
        EXPECT_TRUE(good(mmc_backend_open(&be, &o)));
    }
    ~Device() {
        for (void *p : memory_)
            be->memory->free(be, p);
        mmc_backend_close(be);
    }
    Device(const Device &) = delete;
    void operator=(const Device &) = delete;

    template <class T> T *make(size_t count) {
        void *p = nullptr;
        EXPECT_TRUE(good(be->memory->alloc(be, &p, count * sizeof(T))));
        memory_.push_back(p);
        return static_cast<T *>(p);
    }
    template <class T> std::vector<T> read(const T *p, size_t count) {
        std::vector<T> out(count);
        EXPECT_TRUE(good(be->memory->download(be, out.data(), p, count * sizeof(T))));
        return out;
    }
    template <class T> void write(T *p, std::vector<T> values) {
        EXPECT_TRUE(good(be->memory->upload(be, p, values.data(), values.size() * sizeof(T))));
        std::fill(values.begin(), values.end(), T(-1)); // an upload that returned needs them no more
    }

    mmc_backend *be = nullptr;

  private:
    std::vector<void *> memory_;
};

std::vector<float> ramp(size_t count, float from = 1) {
    std::vector<float> out(count);
    for (size_t i = 0; i < count; i++)
        out[i] = from + float(i % 1000);
    return out;
}

class CudaBackend : public testing::Test {
  protected:
    void SetUp() override {
        simt_machine("a100", 1, 0);
        simt_fail(nullptr, 0, 0);
    }
    void TearDown() override {
        simt_fail(nullptr, 0, 0);
        EXPECT_EQ(simt_leaks(), 0);
    }
};

// --- memory ---

TEST_F(CudaBackend, CarriesBytesOfAnySize) {
    for (unsigned seed = 1; seed <= 2; seed++) { // one that runs ahead, one that waits until it must
        simt_seed(seed);
        Device d;
        for (size_t count : {size_t(0), size_t(1), size_t(1000), kHalf / 4, kHalf / 4 + 1, 5 * kHalf / 8 + 3}) {
            float *a = d.make<float>(count), *b = d.make<float>(count);
            EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % 64, 0u);
            std::vector<float> values = ramp(count);
            d.write(a, values);
            EXPECT_TRUE(good(d.be->memory->copy(d.be, b, a, count * sizeof(float))));
            EXPECT_TRUE(good(d.be->memory->zero(d.be, a, count * sizeof(float))));
            EXPECT_EQ(d.read(b, count), values) << count;
            EXPECT_EQ(d.read(a, count), std::vector<float>(count)) << count;
        }
        d.be->memory->free(d.be, nullptr);
    }
}

TEST_F(CudaBackend, ManySmallUploadsDoNotOverwriteEachOther) {
    constexpr size_t kPiece = 300007, kPieces = 20; // bytes; 6 MB in all: the stage is filled three times
    for (unsigned seed = 1; seed <= 2; seed++) {
        simt_seed(seed);
        Device d;
        char *a = d.make<char>(kPiece * kPieces);
        std::vector<char> all;
        for (size_t i = 0; i < kPieces; i++) {
            std::vector<char> piece(kPiece, char('a' + i % 26));
            all.insert(all.end(), piece.begin(), piece.end());
            d.write(a + i * kPiece, piece);
        }
        EXPECT_EQ(d.read(a, all.size()), all);
    }
}

TEST_F(CudaBackend, SaysHowMuchMemoryIsMissing) {
    simt_machine("4090", 1, 64000000);
    Device d;
    size_t available = 0;
    ASSERT_TRUE(good(d.be->memory->available(d.be, &available)));
    EXPECT_GT(available, 50000000u);
    EXPECT_LE(available, 64000000u);
    void *p = &available;
    EXPECT_TRUE(refused(d.be->memory->alloc(d.be, &p, 100000000), MMC_ERR_MEMORY,
                        {"100.0 MB were asked for", "64.0 MB are free", "MB are missing", "smaller"}));
    EXPECT_EQ(p, nullptr);
    simt_fail("cudaMalloc", 1, cudaErrorMemoryAllocation);
    EXPECT_TRUE(refused(d.be->memory->alloc(d.be, &p, 1000), MMC_ERR_MEMORY, {"in one piece"}));
    d.make<float>(1000); // the failures left nothing behind
}

TEST_F(CudaBackend, ReportsWhatAKernelFoundWrong) {
    Device d;
    float *logits = d.make<float>(6);
    int32_t *labels = d.make<int32_t>(3);
    double *tally = d.make<double>(2);
    d.write(logits, {0, 1, 2, 2, 1, 0});
    mmc_loss_call call = {};
    call.n = 3;
    call.k = 2;
    call.tally = tally;
    call.logits = logits;
    call.labels = labels;
    ASSERT_TRUE(good(d.be->memory->zero(d.be, tally, 2 * sizeof *tally)));
    d.write(labels, {0, 2, 1});
    ASSERT_TRUE(good(d.be->flat->loss(d.be->queue, &call)));
    EXPECT_TRUE(refused(d.be->memory->sync(d.be), MMC_ERR_RANGE, {"label"}));
    d.write(labels, {0, 1, 1});
    ASSERT_TRUE(good(d.be->flat->loss(d.be->queue, &call)));
    EXPECT_TRUE(good(d.be->memory->sync(d.be))) << "said once, then forgotten";

    unsigned *fault = d.be->queue->fault;
    for (unsigned code : {unsigned(MMC_CUDA_FAULT_SAMPLE), 77u}) {
        d.write(fault, {code});
        EXPECT_TRUE(refused(d.be->memory->sync(d.be), code == 77u ? MMC_ERR_DEVICE : MMC_ERR_RANGE,
                            {code == 77u ? "unknown fault 77" : "sample"}));
    }
}

// --- recorded steps ---

// A step of an optimiser on device memory: w, v, g are its places.
mmc_status step(Device &d, float *w, float *v, const float *g, size_t count) {
    MMC_TRY(d.be->memory->zero(d.be, v, count * sizeof *v));
    MMC_TRY(d.be->flat->sgd(d.be->queue, w, v, g, count, 0.5, 0.9, 0));
    return d.be->memory->copy(d.be, v, w, count * sizeof *v);
}

TEST_F(CudaBackend, RecordedAndEagerStepsGiveTheSameBits) {
    constexpr size_t kCount = 777;
    for (unsigned seed = 1; seed <= kSeeds; seed++) {
        simt_seed(seed);
        Device d;
        float *w = d.make<float>(kCount), *v = d.make<float>(kCount), *g = d.make<float>(kCount);
        d.write(g, ramp(kCount, 0.25f));
        d.write(w, ramp(kCount));
        for (int i = 0; i < 3; i++)
            ASSERT_TRUE(good(step(d, w, v, g, kCount)));
        std::vector<float> eager = d.read(v, kCount);

        d.write(w, ramp(kCount));
        mmc_graph *graph = nullptr;
        ASSERT_TRUE(good(d.be->graph->begin(d.be)));
        ASSERT_TRUE(good(step(d, w, v, g, kCount)));
        ASSERT_TRUE(good(d.be->graph->end(d.be, &graph)));
        EXPECT_EQ(d.read(w, kCount), ramp(kCount)) << "recorded, not run";
        for (int i = 0; i < 3; i++)
            ASSERT_TRUE(good(d.be->graph->launch(d.be, graph)));
        EXPECT_EQ(d.read(v, kCount), eager);
        ASSERT_TRUE(good(d.be->graph->launch(d.be, graph)));
        d.be->graph->free(d.be, graph); // while it may be running
        d.be->graph->free(d.be, nullptr);
    }
}

TEST_F(CudaBackend, RefusesWhatCannotBeRecorded) {
    Device d;
    float *a = d.make<float>(4);
    float host[4] = {};
    void *p = nullptr;
    mmc_graph *graph = nullptr;
    EXPECT_TRUE(refused(d.be->graph->end(d.be, &graph), MMC_ERR_USAGE, {"without graph->begin"}));
    ASSERT_TRUE(good(d.be->graph->begin(d.be)));
    EXPECT_TRUE(refused(d.be->graph->begin(d.be), MMC_ERR_USAGE, {"end that one first"}));
    EXPECT_TRUE(refused(d.be->memory->upload(d.be, a, host, sizeof host), MMC_ERR_USAGE, {"an upload"}));
    EXPECT_TRUE(refused(d.be->memory->download(d.be, host, a, sizeof host), MMC_ERR_USAGE, {"a download"}));
    EXPECT_TRUE(refused(d.be->memory->alloc(d.be, &p, 4), MMC_ERR_USAGE, {"an allocation"}));
    EXPECT_TRUE(refused(d.be->memory->sync(d.be), MMC_ERR_USAGE, {"a wait"}));
    ASSERT_TRUE(good(d.be->memory->zero(d.be, a, sizeof host)));
    ASSERT_TRUE(good(d.be->graph->end(d.be, &graph)));
    ASSERT_TRUE(good(d.be->graph->launch(d.be, graph)));
    EXPECT_EQ(d.read(a, 4), std::vector<float>(4));
    d.be->graph->free(d.be, graph);
}

TEST_F(CudaBackend, ClosesInTheMiddleOfARecording) {
    mmc_backend *be = nullptr;
    mmc_backend_options o = options();
    void *a = nullptr;
    ASSERT_TRUE(good(mmc_backend_open(&be, &o)));
    ASSERT_TRUE(good(be->memory->alloc(be, &a, 64)));
    be->memory->free(be, a);
    ASSERT_TRUE(good(be->graph->begin(be)));
    mmc_backend_close(be);
}

TEST_F(CudaBackend, GoesOnAfterARecordingThatFailed) {
    Device d;
    float *a = d.make<float>(4);
    mmc_graph *graph = nullptr;
    for (const char *call :
         {"cudaStreamBeginCapture", "cudaMemsetAsync", "cudaStreamEndCapture", "cudaGraphInstantiate"}) {
        simt_fail(call, 1, 0);
        mmc_status status = d.be->graph->begin(d.be);
        if (status == MMC_OK) {
            mmc_status inside = d.be->memory->zero(d.be, a, 4 * sizeof *a);
            status = d.be->graph->end(d.be, &graph);
            status = inside != MMC_OK ? inside : status;
        }
        EXPECT_TRUE(simt_failed()) << call;
        const bool memory = strcmp(call, "cudaGraphInstantiate") == 0; // its usual error
        EXPECT_TRUE(refused(status, memory ? MMC_ERR_MEMORY : MMC_ERR_DEVICE, {call, "runtime/backend_cuda_"}));
        d.be->graph->free(d.be, graph);
        graph = nullptr;
        d.write(a, {1, 2, 3, 4});
        EXPECT_EQ(d.read(a, 4), (std::vector<float>{1, 2, 3, 4})) << call;
    }
}

// --- devices ---

TEST_F(CudaBackend, SaysWhatItIs) {
    simt_machine("h100", 2, 0);
    Device d;
    EXPECT_STREQ(d.be->name, "cuda");
    EXPECT_STREQ(d.be->provider, "own");
    EXPECT_STREQ(d.be->precision, "tf32");
    EXPECT_STREQ(d.be->isa, "sm_90");
    EXPECT_NE(std::string(d.be->device).find("H100"), std::string::npos) << d.be->device;
    EXPECT_EQ(std::string(d.be->libraries).find("cuda 13."), 0u) << d.be->libraries;
    EXPECT_EQ(d.be->queue->capability, 90);
    EXPECT_EQ(d.be->queue->sm_count, 132);
    EXPECT_GT(d.be->max_sets, 1);
    EXPECT_EQ(mmc_backend_cuda_count(), 2);
    char text[256];
    ASSERT_TRUE(good(mmc_backend_cuda_describe(text, sizeof text, 1)));
    EXPECT_NE(std::string(text).find("sm_90, 132 multiprocessors"), std::string::npos) << text;
    EXPECT_EQ(mmc_backend_cuda_describe(text, sizeof text, 7), MMC_ERR_DEVICE);
}

TEST_F(CudaBackend, ChoosesDeviceProviderAndPrecision) {
    simt_machine("4090", 2, 0);
    mmc_backend_options o = options();
    o.device = 1;
    EXPECT_TRUE(good(opened(o)));
    o.device = 2;
    EXPECT_TRUE(refused(opened(o), MMC_ERR_MISSING, {"--device 2", "2 CUDA devices"}));
    o.device = -1;
    EXPECT_TRUE(refused(opened(o), MMC_ERR_MISSING, {"--device -1"}));
    o.device = 0;
    for (const char *precision : {"fp32", "tf32", "bf16"}) {
        o.precision = precision;
        Device d(o);
        EXPECT_STREQ(d.be->precision, precision);
        EXPECT_EQ(mmc_cuda_element(d.be->queue), strcmp(precision, "bf16") == 0 ? 2u : 4u);
    }
    o.precision = "fp16";
    EXPECT_TRUE(refused(opened(o), MMC_ERR_USAGE, {"fp16", "fp32, tf32, bf16"}));
    o.precision = nullptr;
    for (const char *provider : {"auto", "own"}) {
        o.provider = provider;
        EXPECT_TRUE(good(opened(o)));
    }
    o.provider = "onednn";
    EXPECT_TRUE(refused(opened(o), MMC_ERR_UNSUPPORTED, {"belongs to backend cpu"}));
    o.provider = "mkl";
    EXPECT_TRUE(refused(opened(o), MMC_ERR_USAGE, {"mkl", "auto, own, cudnn"}));
    o.provider = "cudnn";
    mmc_status status = opened(o);
    EXPECT_TRUE(status == MMC_OK || refused(status, MMC_ERR_MISSING, {"cudnn", "--provider own"}));
}

TEST_F(CudaBackend, AutoTakesTheDevice) {
    mmc_backend_options o = options("auto");
    {
        Device d(o);
        EXPECT_STREQ(d.be->name, "cuda");
        EXPECT_STREQ(d.be->why, "");
    }
    o.provider = "reference";
    Device d(o);
    EXPECT_STREQ(d.be->name, "cpu");
    EXPECT_STRNE(d.be->why, "");
    EXPECT_TRUE(good(mmc_backend_cuda_select(d.be)));
}

TEST_F(CudaBackend, SaysWhyNoDeviceCanBeUsed) {
    const struct {
        const char *machine;
        mmc_status status;
        std::vector<std::string> words;
    } cases[] = {
        {"none", MMC_ERR_MISSING, {"no NVIDIA driver is installed", "--backend cpu"}},
        {"old-driver", MMC_ERR_MISSING, {"the driver supports CUDA 11.4", "update the driver"}},
        {"v100", MMC_ERR_UNSUPPORTED, {"compute capability 7.0", "8.0", "--backend cpu"}},
    };
    for (const auto &c : cases) {
        simt_machine(c.machine, 1, 0);
        EXPECT_TRUE(refused(opened(options()), c.status, c.words)) << c.machine;
        EXPECT_EQ(mmc_backend_cuda_count(), strcmp(c.machine, "v100") == 0 ? 1 : 0);
        mmc_backend_options o = options("auto");
        Device d(o);
        EXPECT_STREQ(d.be->name, "cpu") << c.machine;
        EXPECT_NE(std::string(d.be->why).find(c.words[0]), std::string::npos) << d.be->why;
        o.precision = "bf16";
        EXPECT_TRUE(refused(opened(o), c.status, c.words)) << "bf16 is CUDA's alone";
    }
    simt_machine("none", 1, 0);
    char libraries[128];
    mmc_backend_cuda_libraries(libraries, sizeof libraries);
    EXPECT_NE(std::string(libraries).find("(no driver)"), std::string::npos) << libraries;
    simt_machine("a100", 1, 0);
    simt_fail("cudaGetDeviceCount", 1, cudaErrorNoDevice);
    EXPECT_TRUE(refused(opened(options()), MMC_ERR_MISSING, {"a driver, but no device", "CUDA_VISIBLE_DEVICES"}));
}

TEST_F(CudaBackend, TwoDevicesWorkSideBySide) {
    simt_machine("a100", 2, 0);
    mmc_backend_options o = options();
    Device a(o);
    o.device = 1;
    Device b(o);
    Device *both[] = {&a, &b};
    float *w[2], *v[2], *g[2];
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < 2; i++) {
            Device &d = *both[i];
            ASSERT_TRUE(good(mmc_backend_cuda_select(d.be)));
            if (turn == 0) {
                w[i] = d.make<float>(100);
                v[i] = d.make<float>(100);
                g[i] = d.make<float>(100);
                d.write(w[i], ramp(100, float(i)));
                d.write(g[i], std::vector<float>(100, float(i + 1)));
            }
            ASSERT_TRUE(good(step(d, w[i], v[i], g[i], 100)));
        }
    for (int i = 0; i < 2; i++) {
        std::vector<float> wanted = ramp(100, float(i));
        for (float &x : wanted)
            x -= float(i + 1); // two steps of half the gradient
        EXPECT_EQ(both[i]->read(w[i], 100), wanted) << i;
    }
}

// --- failures ---

// What a program does from opening to closing; the first status that is not good.
mmc_status whole_life(std::string *message) {
    mmc_backend_options o = options();
    mmc_backend *be = nullptr;
    mmc_graph *graph = nullptr;
    void *a = nullptr, *b = nullptr;
    std::vector<char> bytes(2 * kHalf + 5, 'x');
    constexpr size_t kStep = 1000;
    size_t available = 0;
    mmc_status status = MMC_OK;
    auto run = [&](const std::function<mmc_status()> &work) {
        if (status == MMC_OK && (status = work()) != MMC_OK)
            *message = mmc_error_message();
    };
    run([&] { return mmc_backend_open(&be, &o); });
    if (!be)
        return status;
    run([&] { return be->memory->available(be, &available); });
    run([&] { return be->memory->alloc(be, &a, bytes.size()); });
    run([&] { return be->memory->alloc(be, &b, kStep); });
    run([&] { return be->memory->upload(be, a, bytes.data(), bytes.size()); });
    run([&] { return be->graph->begin(be); });
    bool recording = status == MMC_OK;
    run([&] { return be->memory->copy(be, b, a, kStep); });
    run([&] { return be->memory->zero(be, a, kStep); });
    if (recording) {
        mmc_status before = status;
        mmc_status ended = be->graph->end(be, &graph);
        if (before == MMC_OK && ended != MMC_OK)
            *message = mmc_error_message();
        status = before != MMC_OK ? before : ended;
    }
    run([&] { return be->graph->launch(be, graph); });
    run([&] { return be->memory->download(be, bytes.data(), b, kStep); });
    run([&] { return be->memory->sync(be); });
    be->graph->free(be, graph);
    be->memory->free(be, a);
    be->memory->free(be, b);
    mmc_backend_close(be);
    return status;
}

TEST_F(CudaBackend, EveryCallMayFail) {
    std::string message;
    long before = simt_calls(nullptr);
    ASSERT_TRUE(good(whole_life(&message))) << message;
    const long calls = simt_calls(nullptr) - before;
    ASSERT_GT(calls, 30);
    for (int code : {0, int(cudaErrorIllegalAddress)})
        for (int n = 1; n <= calls; n++) {
            simt_machine("a100", 1, 0); // a new process's device: the last one's context may be lost
            message.clear();
            simt_fail(nullptr, n, code);
            mmc_status status = whole_life(&message);
            EXPECT_TRUE(simt_failed()) << n;
            simt_fail(nullptr, 0, 0);
            // Freeing and closing have no status; all else is reported, with the call, the place and what to do.
            if (status != MMC_OK) {
                EXPECT_TRUE(status == MMC_ERR_DEVICE || status == MMC_ERR_MEMORY || status == MMC_ERR_MISSING) << n;
                EXPECT_TRUE(message.find(" at runtime/backend_cuda") != std::string::npos ||
                            message.find("out of memory") != std::string::npos ||
                            message.find("backend cuda: ") != std::string::npos)
                    << n << ": " << message;
                EXPECT_NE(message.find("; "), std::string::npos) << n << ": " << message;
            }
            EXPECT_EQ(simt_leaks(), 0) << n << ", error " << code << ": " << message;
        }
    simt_machine("a100", 1, 0);
    EXPECT_TRUE(good(whole_life(&message))) << "nothing is left of all that: " << message;
}

TEST_F(CudaBackend, HintsNameWhatToDo) {
    const struct {
        cudaError_t error;
        const char *word;
    } hints[] = {
        {cudaErrorMemoryAllocation, "--batch"},
        {cudaErrorNoKernelImageForDevice, "MMC_CUDA_ARCHITECTURES"},
        {cudaErrorInsufficientDriver, "update the driver"},
        {cudaErrorNoDevice, "CUDA_VISIBLE_DEVICES"},
        {cudaErrorDevicesUnavailable, "another process"},
        {cudaErrorSystemNotReady, "fabricmanager"},
        {cudaErrorIllegalAddress, "compute-sanitizer"},
        {cudaErrorLaunchTimeout, "display"},
        {cudaErrorECCUncorrectable, "hardware"},
        {cudaErrorInvalidConfiguration, "report it"},
        {cudaErrorStreamCaptureInvalidated, "recorded"},
        {cudaErrorUnknown, "mmcbench info"},
    };
    EXPECT_TRUE(good(opened(options()))); // a device is current from here on
    EXPECT_EQ(mmc_cuda_status(cudaSuccess, "nothing", "kernels/cuda/x.c", 1), MMC_OK);
    for (const auto &h : hints)
        EXPECT_TRUE(refused(mmc_cuda_status(h.error, "cudaThing(x)", "/somewhere/kernels/cuda/thing.c", 12),
                            h.error == cudaErrorMemoryAllocation ? MMC_ERR_MEMORY : MMC_ERR_DEVICE,
                            {h.word, "device 0", "in cudaThing(x) at kernels/cuda/thing.c:12"}));
    simt_machine("none", 1, 0);
    EXPECT_TRUE(refused(mmc_cuda_status(cudaErrorUnknown, "x", "elsewhere.c", 3), MMC_ERR_DEVICE,
                        {"no device", "at elsewhere.c:3"}));
}

} // namespace
