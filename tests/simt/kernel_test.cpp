// The emulator catches what is wrong in a kernel, says where, and is silent on the correct form, under several seeds.
// Compiled for each build of the kernels: SIMT_CHECKED finds all of it, SIMT_PLAIN and SIMT_ADDRESS some.
#include "tests/simt/control.h"
#include "tests/simt/toy.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace {
constexpr int kSeeds = 3, kCaught = 99;

// n floats on the device, filled with a small pattern unless told otherwise.
class Floats {
  public:
    explicit Floats(size_t n, bool filled = true) : host(n) {
        EXPECT_EQ(cudaMalloc(&p, n * 4), cudaSuccess);
        for (size_t i = 0; i < n; i++) {
            host[i] = static_cast<float>(i * 7 % 11) - 5;
        }
        if (filled) {
            put();
        }
    }
    ~Floats() {
        cudaFree(p);
    }
    Floats(const Floats &) = delete;
    Floats &operator=(const Floats &) = delete;
    void put() {
        EXPECT_EQ(cudaMemcpy(p, host.data(), host.size() * 4, cudaMemcpyHostToDevice), cudaSuccess);
    }
    const std::vector<float> &get() {
        EXPECT_EQ(cudaMemcpy(host.data(), p, host.size() * 4, cudaMemcpyDeviceToHost), cudaSuccess);
        return host;
    }
    float *data() const {
        return static_cast<float *>(p);
    }
    unsigned *words() const {
        return static_cast<unsigned *>(p);
    }
    std::vector<float> host;

  private:
    void *p = nullptr;
};

void product(int fault) {
    int m = 40, n = 23, k = 37;
    Floats a(40 * 37), b(37 * 23), c(40 * 23, false);
    ASSERT_EQ(toy_product(c.data(), a.data(), b.data(), m, n, k, fault, nullptr), cudaSuccess);
    c.get();
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            float sum = 0; // small integers: exact
            for (int l = 0; l < k; l++) {
                sum += a.host[static_cast<size_t>(i * k + l)] * b.host[static_cast<size_t>(l * n + j)];
            }
            ASSERT_EQ(sum, c.host[static_cast<size_t>(i * n + j)]) << i << ' ' << j;
        }
    }
}

void reduce(int fault) {
    Floats x(5000), sums(4, false);
    ASSERT_EQ(toy_reduce(sums.data(), x.data(), 5000, fault, nullptr), cudaSuccess);
    float total = 0, got = 0;
    for (float v : x.host) {
        total += v;
    }
    for (float v : sums.get()) {
        got += v;
    }
    ASSERT_EQ(total, got);
}

void pipeline(int fault) {
    const size_t tiles = 4, all = 4 * tiles * 512, n = 3 * tiles * 512 + 999; // the tail reads 3 floats, then nothing
    Floats x(n), y(all, false);
    ASSERT_EQ(toy_pipeline(y.data(), x.data(), static_cast<int>(n), static_cast<int>(tiles), fault, nullptr),
              cudaSuccess);
    y.get();
    auto at = [&](size_t i) { return i < n ? x.host[i] : 0.0f; };
    for (size_t i = 0; i < all; i++) {
        ASSERT_EQ(y.host[i], 2 * at(i) + at(i / 512 * 512 + 511 - i % 512)) << i;
    }
}

uint16_t bf16_of(float v) { // exact for the values of these tests
    uint32_t bits;
    memcpy(&bits, &v, 4);
    return static_cast<uint16_t>(bits >> 16);
}

// Inputs with all bits of tf32 (bf16) set at random; the sum in double within one unit in the last place a step.
void mma(bool bf16, int fault) {
    const int k = 48;
    const size_t na = 16 * k, nb = k * 8;
    Floats a(na), b(nb), d(128);
    uint32_t state = 12345;
    auto value = [&state, bf16] {
        state = state * 1664525u + 1013904223u;
        int bits = static_cast<int>(state >> (bf16 ? 24 : 21)) - (bf16 ? 128 : 1024);
        return static_cast<float>(bits) / 256.0f;
    };
    std::vector<uint16_t> a16(na), b16(nb);
    for (size_t i = 0; i < na; i++) {
        a16[i] = bf16_of(a.host[i] = value());
    }
    for (size_t i = 0; i < nb; i++) {
        b16[i] = bf16_of(b.host[i] = value());
    }
    std::vector<float> before = d.host;
    if (bf16) {
        cudaMemcpy(a.data(), a16.data(), na * 2, cudaMemcpyHostToDevice);
        cudaMemcpy(b.data(), b16.data(), nb * 2, cudaMemcpyHostToDevice);
        ASSERT_EQ(toy_mma_bf16(d.data(), reinterpret_cast<uint16_t *>(a.data()), reinterpret_cast<uint16_t *>(b.data()),
                               k, fault, nullptr),
                  cudaSuccess);
    } else {
        a.put();
        b.put();
        ASSERT_EQ(toy_mma_tf32(d.data(), a.data(), b.data(), k, fault, nullptr), cudaSuccess);
    }
    d.get();
    for (size_t i = 0; i < 16; i++) {
        for (size_t j = 0; j < 8; j++) {
            double sum = before[i * 8 + j], largest = std::fabs(sum);
            for (size_t l = 0; l < k; l++) {
                sum += static_cast<double>(a.host[i * k + l]) * b.host[bf16 ? l * 8 + j : j * k + l];
                largest = std::fmax(largest, std::fabs(sum));
            }
            ASSERT_NEAR(d.host[i * 8 + j], sum, largest * (k / 8 + 1) * std::ldexp(1.0, -23)) << i << ' ' << j;
        }
    }
}

void total(int fault) {
    Floats sum(1, false), part(16 * 32, false), arrived(1);
    ASSERT_EQ(cudaMemset(arrived.data(), 0, 4), cudaSuccess);
    for (int round = 0; round < 2; round++) { // the counter is back at zero
        ASSERT_EQ(toy_total(sum.data(), part.data(), arrived.words(), 16, fault, nullptr), cudaSuccess);
        ASSERT_EQ(sum.get()[0], 32.0f * 136);
    }
}

void scale(int fault) {
    Floats x(1000), y(1000, false);
    ASSERT_EQ(toy_scale(y.data(), x.data(), 2, 1000, fault, nullptr), cudaSuccess);
    y.get();
    for (size_t i = 0; i < 1000; i++) {
        ASSERT_EQ(y.host[i], 2 * x.host[i]);
    }
}

void misc(int fault) {
    Floats x(64), y(64);
    ASSERT_EQ(toy_misc(y.data(), fault == 5 ? x.host.data() : x.data(), 64, fault, nullptr), cudaSuccess);
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

[[maybe_unused]] void uninitialised(int) {
    Floats x(1000, false), y(1000, false);
    ASSERT_EQ(toy_scale(y.data(), x.data(), 2, 1000, 0, nullptr), cudaSuccess);
    cudaDeviceSynchronize();
}

// 4 KiB past the end of y: the page there is not mapped.
[[maybe_unused]] void far_past_the_end(int) {
    Floats x(4096), y(1024, false);
    ASSERT_EQ(toy_scale(y.data(), x.data(), 2, 4096, 0, nullptr), cudaSuccess);
    cudaDeviceSynchronize();
}

struct Case {
    const char *name;
    std::function<void(int)> run;
    int fault;
    const char *expect; // what is said; "" for silence
};
void PrintTo(const Case &c, std::ostream *out) {
    *out << c.name;
}

const char *const kPlaces = "at toy.cu:[0-9]+ by block [0-9]+ thread [0-9]+, .* at toy.cu:[0-9]+ \\[toy_.*, block ";
std::string shared_race(const char *variable) {
    return std::string("race on ") + variable + ".*" + kPlaces;
}
const std::string race_as = shared_race("shared memory, [ab]s \\+ "),
                  race_dynamic = shared_race("dynamic shared memory"), race_part = shared_race("device memory");
[[maybe_unused]] const char *const kPending = "(cp.async not waited for|race) on shared memory, tile.*";

const Case cases[] = {
    {"product", product, 0, ""},
    {"reduce", reduce, 0, ""},
    {"pipeline", pipeline, 0, ""},
    {"mma_tf32", [](int f) { mma(false, f); }, 0, ""},
    {"mma_bf16", [](int f) { mma(true, f); }, 0, ""},
    {"total", total, 0, ""},
    {"scale", scale, 0, ""},
    {"atomic", misc, 0, ""},
#ifdef SIMT_CHECKED
    {"product_first_barrier", product, 1, race_as.c_str()},
    {"product_second_barrier", product, 2, race_as.c_str()},
    {"product_row_not_filled", product, 3, "read of uninitialised shared memory, bs \\+ [0-9]+ at toy.cu:"},
    {"product_row_beside", product, 4, "index 16 outside its array at toy.cu:[0-9]+ \\[toy_product_kernel<16>, block"},
    {"reduce_barrier", reduce, 1, race_dynamic.c_str()},
    {"reduce_shuffle_for_syncwarp", reduce, 2, race_dynamic.c_str()},
    {"reduce_dynamic_overrun", reduce, 3, "out of bounds: write of dynamic shared memory, 0 bytes past the end of 128"},
    {"reduce_half_warp_ends", reduce, 4, "a shuffle at toy.cu:[0-9]+ with mask ffffffff"},
    {"reduce_half_warp_waits", reduce, 5, "deadlock: a shuffle at toy.cu:[0-9]+ with mask ffffffff has lanes 0000ffff"},
    {"pipeline_wait", pipeline, 1, "cp.async not waited for on shared memory, tile.*cp.async write at toy.cu:[0-9]+"},
    {"pipeline_barrier_after_wait", pipeline, 2, kPending},
    {"pipeline_barrier_before_refill", pipeline, 3, kPending},
    {"pipeline_ends_early", pipeline, 4, "thread ends with cp.async of toy.cu:[0-9]+ not waited for"},
    {"pipeline_misaligned_target", pipeline, 5, "misaligned cp.async at toy.cu:"},
    {"pipeline_misaligned_source", pipeline, 6, "misaligned cp.async at toy.cu:"},
    {"mma_bf16_misaligned", [](int f) { mma(true, f); }, 2, "misaligned row of ldmatrix at toy.cu:"},
    {"mma_bf16_barrier", [](int f) { mma(true, f); }, 3, race_as.c_str()},
    {"total_fence", total, 1, race_part.c_str()},
    {"scale_past_the_end", scale, 1, "out of bounds: write of device memory, 0 bytes past the end of 4000 bytes alloc"},
    {"scale_two_blocks", scale, 2, race_part.c_str()},
    {"scale_misaligned", scale, 3, "misaligned access .* at toy.cu:"},
    {"device_uninitialised", uninitialised, 0, "read of uninitialised device memory, .* at toy.cu:"},
    {"divergent_barrier", misc, 1, "divergent barrier: thread [0-9]+ at toy.cu:[0-9]+, thread [0-9]+ at toy.cu:"},
    {"static_overrun", misc, 2, "index 64 outside its array at toy.cu:"},
    {"static_overrun_by_pointer", misc, 3,
     "out of bounds: write of shared memory, 0 bytes past the end of s .256 bytes. at toy.cu:"},
    {"atomic_and_plain", misc, 4, "race on device memory.*(atomic|write) at toy.cu:[0-9]+ by block 0 thread"},
    {"host_memory", misc, 5, "read of host memory at toy.cu:|host access|fault"},
    {"lane_outside_mask", misc, 6, "lane [0-9]+ is not in the mask 0000ffff of its own a shuffle at toy.cu:"},
#endif
#ifdef SIMT_PLAIN
    {"page_past_the_end", far_past_the_end, 0, "fault|kernel access"},
    {"guard_overwritten", scale, 1, "guard overwritten"},
    {"divergent_barrier", misc, 1, "divergent barrier: thread [0-9]+ at toy.cu:[0-9]+, thread [0-9]+ at toy.cu:"},
#endif
};
class Kernel : public testing::TestWithParam<Case> {};

TEST_P(Kernel, Emulated) {
    const Case &c = GetParam();
    for (unsigned seed = 1; seed <= kSeeds; seed++) {
        simt_seed(seed);
        if (!*c.expect) {
            c.run(c.fault);
            ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
        } else {
            EXPECT_EXIT(c.run(c.fault), testing::ExitedWithCode(kCaught), c.expect) << "seed " << seed;
        }
    }
}
INSTANTIATE_TEST_SUITE_P(, Kernel, testing::ValuesIn(cases),
                         [](const testing::TestParamInfo<Case> &info) { return std::string(info.param.name); });

#ifdef SIMT_ADDRESS
// From one shared array into the next, where the compiler cannot see it.
TEST(Address, SharedArraysHaveRedZones) {
    EXPECT_DEATH(misc(3), "global-buffer-overflow");
}
#endif

// A wrong fragment row is a wrong number.
TEST(Mma, WrongRowShows) {
    Floats a(16 * 8), b(8 * 8), good(128), bad(128);
    ASSERT_EQ(toy_mma_tf32(good.data(), a.data(), b.data(), 8, 0, nullptr), cudaSuccess);
    ASSERT_EQ(toy_mma_tf32(bad.data(), a.data(), b.data(), 8, 1, nullptr), cudaSuccess);
    EXPECT_NE(good.get(), bad.get());
}

// Tensor cores drop what lies below the last bit of the sum.
TEST(Mma, RoundsTowardZero) {
    Floats a(16 * 8), b(8 * 8), d(128);
    for (float &v : a.host) {
        v = 0;
    }
    for (float &v : b.host) {
        v = 0;
    }
    for (float &v : d.host) {
        v = 1;
    }
    for (size_t i = 0; i < 16; i++) {
        a.host[i * 8] = 1;
    }
    b.host[0] = 1.5f * std::ldexp(1.0f, -24); // column 0: would round up
    b.host[8] = -0.25f * std::ldexp(1.0f, -24);
    a.put();
    b.put();
    d.put();
    ASSERT_EQ(toy_mma_tf32(d.data(), a.data(), b.data(), 8, 0, nullptr), cudaSuccess);
    d.get();
    EXPECT_EQ(d.host[0], 1.0f);
    EXPECT_EQ(d.host[1], 1.0f - std::ldexp(1.0f, -24));
}

TEST(Warp, Operations) {
    for (unsigned seed = 1; seed <= kSeeds; seed++) {
        simt_seed(seed);
        Floats out(32 * TOY_WARP_RESULTS, false);
        ASSERT_EQ(toy_warp(out.words(), nullptr), cudaSuccess);
        out.get();
        auto got = [&out](unsigned i, unsigned lane) {
            unsigned v;
            memcpy(&v, &out.host[32 * i + lane], 4);
            return v;
        };
        for (unsigned l = 0; l < 32; l++) {
            unsigned third = 0, fifth = 0;
            for (unsigned i = 0; i < 32; i++) {
                third |= i % 3 == 0 ? 1u << i : 0;
                fifth |= i % 5 == l % 5 ? 1u << i : 0;
            }
            EXPECT_EQ(got(0, l), 5u);
            EXPECT_EQ(got(1, l), l < 3 ? l : l - 3);
            EXPECT_EQ(got(2, l), l + 3 < 32 ? l + 3 : l);
            EXPECT_EQ(got(3, l), l ^ 9);
            EXPECT_EQ(got(4, l), l ^ 1);
            EXPECT_EQ(got(5, l), l % 8 == 7 ? l : l + 1);
            EXPECT_EQ(got(6, l), l / 8 * 8 + 3);
            EXPECT_EQ(got(7, l), third);
            EXPECT_EQ(got(8, l), 1u);
            EXPECT_EQ(got(9, l), 0u);
            EXPECT_EQ(got(10, l), fifth);
            EXPECT_EQ(got(11, l), 496u);
            EXPECT_EQ(static_cast<int>(got(12, l)), -4);
            EXPECT_EQ(got(13, l), l < 16 ? l ^ 15 : l ^ 1);
            EXPECT_EQ(got(14, l), 2u);
            EXPECT_EQ(got(15, l), 1u);
        }
    }
}

TEST(Warp, VotesAtBarriers) {
    for (int threads : {1, 33, 256}) {
        Floats out(3, false);
        ASSERT_EQ(toy_votes(reinterpret_cast<int *>(out.data()), threads, nullptr), cudaSuccess);
        out.get();
        int got[3];
        memcpy(got, out.host.data(), sizeof got);
        EXPECT_EQ(got[0], (threads + 2) / 3);
        EXPECT_EQ(got[1], 1);
        EXPECT_EQ(got[2], threads > 5);
    }
}

TEST(Rounding, ToTf32AndBf16) {
    struct {
        uint32_t in, tf32, bf16;
    } const values[] = {
        {0x3f800000, 0x3f800000, 0x3f80},
        {0x3f801000, 0x3f802000, 0x3f80}, // a tie goes away from zero
        {0xbf801000, 0xbf802000, 0xbf80},
        {0x3f800fff, 0x3f800000, 0x3f80},
        {0x3f808000, 0x3f808000, 0x3f80},
        {0x3f818000, 0x3f818000, 0x3f82}, // a tie goes to the even one
        {0x3f80ffff, 0x3f810000, 0x3f81},
        {0x7f800000, 0x7f800000, 0x7f80},
        {0xff800000, 0xff800000, 0xff80},
        {0x7f7fffff, 0x7f800000, 0x7f80},
        {0, 0, 0},
        {0x80000000, 0x80000000, 0x8000},
    };
    const size_t n = sizeof values / sizeof *values;
    Floats in(n), out(2 * n, false);
    for (size_t i = 0; i < n; i++) {
        memcpy(&in.host[i], &values[i].in, 4);
    }
    in.put();
    ASSERT_EQ(toy_round(out.words(), in.data(), static_cast<int>(n), nullptr), cudaSuccess);
    out.get();
    for (size_t i = 0; i < n; i++) {
        uint32_t got[2];
        memcpy(got, &out.host[2 * i], 8);
        EXPECT_EQ(got[0], values[i].tf32) << std::hex << values[i].in;
        EXPECT_EQ(got[1], 0x3f800000u | values[i].bf16) << std::hex << values[i].in;
    }
}

TEST(Limits, OfThreadsAndGrid) {
    EXPECT_EQ(toy_threads(128, 65535, nullptr), cudaSuccess);
    EXPECT_NE(toy_threads(129, 1, nullptr), cudaSuccess) << "more than __launch_bounds__";
    EXPECT_EQ(toy_threads(2048, 1, nullptr), cudaErrorInvalidConfiguration);
    EXPECT_EQ(toy_threads(128, 65536, nullptr), cudaErrorInvalidConfiguration);
    EXPECT_EQ(toy_threads(0, 1, nullptr), cudaErrorInvalidConfiguration);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST(Limits, OfSharedMemory) {
    struct {
        const char *gpu;
        int most; // of a block, static part included
    } const gpus[] = {{"a100", 163 << 10}, {"h100", 227 << 10}, {"4090", 99 << 10}};
    const int fixed = 16 << 10;
    for (const auto &g : gpus) {
        simt_machine(g.gpu, 1, 0);
        Floats y(64, false);
        EXPECT_EQ(toy_shared(y.data(), (48 << 10) - fixed, 0, nullptr), cudaSuccess) << g.gpu;
        EXPECT_EQ(toy_shared(y.data(), (48 << 10) - fixed + 16, 0, nullptr), cudaErrorInvalidValue) << g.gpu;
        EXPECT_EQ(toy_shared(y.data(), g.most - fixed, 1, nullptr), cudaSuccess) << g.gpu;
        EXPECT_EQ(toy_shared(y.data(), g.most - fixed + 1, 1, nullptr), cudaErrorInvalidValue) << g.gpu;
        EXPECT_EQ(y.get()[0], 3.0f);
    }
    simt_machine("a100", 1, 0);
}

TEST(Order, FollowsTheSeed) {
    auto order = [](unsigned seed) {
        simt_seed(seed);
        Floats y(512, false), ticket(1);
        EXPECT_EQ(cudaMemset(ticket.data(), 0, 4), cudaSuccess);
        EXPECT_EQ(toy_order(y.words(), ticket.words(), nullptr), cudaSuccess);
        return y.get();
    };
    EXPECT_EQ(0, memcmp(order(1).data(), order(1).data(), 512 * 4)) << "a seed repeats";
    EXPECT_NE(0, memcmp(order(1).data(), order(2).data(), 512 * 4)) << "another one differs";
}
} // namespace
