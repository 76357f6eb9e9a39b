// What the files of the emulator share. Neither kernels nor host code see it.
//
//     block.cpp    one fiber a thread, barriers, warp collectives      run_grid
//     warp.cpp     ldmatrix, mma, cp.async
//     shadow.cpp   every access: bounds, initialisation, races         access, host_access
//     symbols.cpp  kernels and shared variables by symbol, lines       source_line, kernel_symbols
//     limits.cpp   the named GPU and what it refuses                   gpu, check_launch
//     report.cpp   one line, then the end of the process               stop
//     memory.cpp   device memory between guard pages                   device_allocate
//     stream.cpp   streams, events, the order of operations            enqueue, launch_call
//
// One host thread at a time; all state is global. Every report ends the process: a test of a fault forks.
#ifndef MMC_TESTS_SIMT_CORE_H
#define MMC_TESTS_SIMT_CORE_H

#include "tests/simt/simt.h"

#include <functional>
#include <string>
#include <vector>

namespace simt {
constexpr int kMaxThreads = 1024, kWarp = 32;
constexpr size_t kMaxDynamic = size_t(227) << 10;
constexpr uint32_t kPoison = 0x7fa17fa1; // a signalling NaN as fp32; a NaN as bf16 and fp16 too

// ---- block.cpp
struct Fiber;
extern Fiber *current;      // null: host code
extern uint64_t switches;   // of fibers, so far
const Call &current_call(); // of the running grid
void run_grid(const Call &call);
bool on_fiber_stack(const void *p);
std::string place(); // " [kernel, block 0,0,0, thread 1,0,0]", empty in host code

// ---- shadow.cpp
enum class Kind : uint8_t { read, write, atomic, async_write };
void access(const void *p, size_t bytes, Kind kind, const void *pc); // by the current fiber
void host_access(const void *p, size_t bytes, Kind kind); // by a copy, a fill or a library's call on a stream
void shadow_allocate(const void *p, size_t bytes, bool addressable); // device memory comes, uninitialised, or goes
void shadow_end_operation();                                         // after each operation of a stream

// ---- report.cpp
// Prints "simt: ..." with the place and ends the process with kStopped.
constexpr int kStopped = 99, kLeaked = 98;
void stop(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

// ---- symbols.cpp
std::string source_line(const void *return_address); // "unit.cu:123", of the innermost frame that is no wrapper
struct SharedVariable {
    std::string name;
    size_t offset, bytes; // offset in the segment of thread-local variables
    char *address;        // of a plain static one (AddressSanitizer), else null
};
struct KernelSymbols {
    std::string name;
    std::vector<SharedVariable> shared;
    size_t shared_bytes; // static, as the linker laid them out
};
const KernelSymbols &kernel_symbols(const void *kernel);
char *thread_local_base(); // of the running thread

// ---- limits.cpp
struct Gpu {
    const char *key, *name; // "a100", as cudaGetDeviceProperties tells it
    int major, minor, sm_count, clock_khz, memory_clock_khz, bus_bits;
    size_t smem_block, smem_optin, smem_sm, l2_bytes, memory_bytes;
    int threads_sm, blocks_sm, registers_sm;
};
const Gpu &gpu(); // by MMC_SIMT_GPU: a100 (default), h100, 4090
cudaError_t set_dynamic_limit(const void *kernel, int bytes);
size_t dynamic_limit(const void *kernel);
int thread_limit(const void *kernel); // of __launch_bounds__, or 1024
cudaError_t check_launch(const Call &call);

// ---- memory.cpp
extern char *arena; // all device memory lies in it; null before the first allocation
constexpr size_t kArena = size_t(64) << 30;
void *device_allocate(size_t bytes, const void *pc, bool usable_now);
void device_usable(void *p);
bool device_release(void *p); // false: not an allocation
bool is_device(const void *p);
size_t device_bytes(void *p);
struct DeviceOpen { // device memory is mapped for access only while one of these lives: the host cannot touch it
    DeviceOpen();
    ~DeviceOpen();
    DeviceOpen(const DeviceOpen &) = delete;
    DeviceOpen &operator=(const DeviceOpen &) = delete;
};
std::string describe(const void *p); // "64 bytes past the end of 1024 bytes allocated at backend_cuda.c:12"
void live_add(const void *object, const char *what, const void *pc);
bool live_remove(const void *object, const char *what);

// ---- stream.cpp
extern uint32_t launch_id; // of the running operation, from 1 on; identifies it in the shadow
bool ordered_before_current(uint32_t launch);
std::string operation_name(uint32_t launch);
cudaError_t enqueue(cudaStream_t stream, const std::string &name, std::function<void()> run);
cudaError_t enqueue_together(const std::vector<cudaStream_t> &streams, const std::string &name,
                             std::function<void()> run);
uint32_t random_below(uint32_t n); // drawn from MMC_SIMT_SEED
extern "C" void simt_seed(unsigned seed);
// launch_call (simt.h): check_launch, then enqueue(stream, call.name, run_grid)
} // namespace simt
#endif
