// The GPU that is emulated, and the launches that it refuses.
#include "tests/simt/host.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

// The compiler lists the start of each run of bytes that SIMT_BOUNDS puts before a kernel.
extern "C" __attribute__((weak)) char *__start___patchable_function_entries[];
extern "C" __attribute__((weak)) char *__stop___patchable_function_entries[];

namespace simt {
namespace {
constexpr size_t KiB = 1024, MiB = 1024 * KiB, GiB = 1024 * MiB;
constexpr size_t kStaticLimit = 48 * KiB; // more has to be dynamic
// Figures of the CUDA programming guide (compute capabilities) and of the vendor's data sheets.
const Gpu gpus[] = {
    {"a100", "NVIDIA A100-SXM4-80GB", 8, 0, 108, 1410000, 1593000, 5120, 48 * KiB, 163 * KiB, 164 * KiB, 40 * MiB,
     80 * GiB, 2048, 32, 65536},
    {"h100", "NVIDIA H100 80GB HBM3", 9, 0, 132, 1980000, 2619000, 5120, 48 * KiB, 227 * KiB, 228 * KiB, 50 * MiB,
     80 * GiB, 2048, 32, 65536},
    {"4090", "NVIDIA GeForce RTX 4090", 8, 9, 128, 2520000, 10501000, 384, 48 * KiB, 99 * KiB, 100 * KiB, 72 * MiB,
     24 * GiB, 1536, 24, 65536},
};
// By device and kernel: what is set on one device does not hold on another, nor on the next machine.
std::map<std::pair<int, const void *>, size_t> dynamic_limits;
const Gpu *machine;
auto find_limit(const void *kernel) {
    if (machine != &gpu()) {
        dynamic_limits.clear();
        machine = &gpu();
    }
    return dynamic_limits.find({device_current(), kernel});
}
} // namespace

const Gpu &gpu() {
    const char *key = getenv("MMC_SIMT_GPU");
    for (const Gpu &g : gpus) {
        if (!key || !*key || !strcmp(g.key, key)) {
            return g;
        }
    }
    stop("MMC_SIMT_GPU=%s: give a100, h100 or 4090", key);
}

cudaError_t set_dynamic_limit(const void *kernel, int bytes) {
    size_t fixed = kernel_symbols(kernel).shared_bytes;
    if (bytes < 0 || static_cast<size_t>(bytes) + fixed > gpu().smem_optin) {
        return cudaErrorInvalidValue;
    }
    find_limit(kernel);
    dynamic_limits[{device_current(), kernel}] = static_cast<size_t>(bytes);
    return cudaSuccess;
}

size_t dynamic_limit(const void *kernel) {
    auto i = find_limit(kernel);
    size_t fixed = kernel_symbols(kernel).shared_bytes, plain = gpu().smem_block;
    return i != dynamic_limits.end() ? i->second : fixed < plain ? plain - fixed : 0;
}

int thread_limit(const void *kernel) {
    static const auto &starts =
        *new std::set<const char *>(__start___patchable_function_entries, __stop___patchable_function_entries);
    const char *entry = static_cast<const char *>(kernel);
    auto start = starts.lower_bound(entry);
    if (start == starts.begin() || entry - *--start > kMaxThreads) {
        return kMaxThreads;
    }
    const unsigned char nop = 0x90;
    bool filled = std::all_of(*start, entry, [](char c) { return static_cast<unsigned char>(c) == nop; });
    return filled ? static_cast<int>(entry - *start) : kMaxThreads;
}

cudaError_t check_launch(const Call &call) {
    dim3 g = call.grid, b = call.block;
    size_t threads = static_cast<size_t>(b.x) * b.y * b.z;
    if (!threads || threads > kMaxThreads || b.z > 64) {
        return cudaErrorInvalidConfiguration;
    }
    if (!g.x || !g.y || !g.z || g.x > 0x7fffffff || g.y > 65535 || g.z > 65535) {
        return cudaErrorInvalidConfiguration;
    }
    if (threads > static_cast<size_t>(thread_limit(call.kernel))) {
        return cudaErrorInvalidValue;
    }
    size_t fixed = kernel_symbols(call.kernel).shared_bytes;
    if (fixed > kStaticLimit) {
        stop("%s has %zu bytes of static shared memory: ptxas refuses more than %zu", call.name, fixed, kStaticLimit);
    }
    return call.smem > dynamic_limit(call.kernel) ? cudaErrorInvalidValue : cudaSuccess;
}
} // namespace simt
