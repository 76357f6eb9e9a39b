// The emulated machine: named GPUs, how many there are, and the calls that ask for them.
#include "tests/simt/host.h"

#include <cuda_profiler_api.h>

#include <algorithm>
#include <cstdlib>

#undef warpSize // a field of cudaDeviceProp

namespace simt {
namespace {
constexpr int kDriver = 13000;
constexpr size_t kSmemReserved = 1 << 10;

struct Machine {
    int devices = 1, current = 0;
    size_t memory = 0; // 0: the GPU's
    cudaError_t why_none = cudaSuccess;
    bool too_old = false;                // sm_70: what the limits say is the a100's
    std::set<std::pair<int, int>> peers; // (device, other): device may use memory of other
};

void choose(Machine &m, const char *key, int devices, size_t bytes) {
    m = Machine();
    m.memory = bytes;
    m.devices = devices;
    std::string name = key && *key ? key : "a100";
    if (name == "none" || name == "old-driver") {
        m.why_none = name == "none" ? cudaErrorNoDevice : cudaErrorInsufficientDriver;
        m.devices = 0;
        return;
    }
    m.too_old = name == "v100";
    setenv("MMC_SIMT_GPU", m.too_old ? "a100" : name.c_str(), 1); // gpu() reads it
    gpu();
    if (devices < 1 || devices > 8)
        stop("MMC_SIMT_DEVICES=%d: give 1 to 8", devices);
}

Machine &machine() {
    static auto &chosen = *[] {
        auto *m = new Machine;
        const char *devices = getenv("MMC_SIMT_DEVICES"), *bytes = getenv("MMC_SIMT_MEMORY");
        choose(*m, getenv("MMC_SIMT_GPU"), devices ? atoi(devices) : 1, bytes ? strtoull(bytes, nullptr, 10) : 0);
        return m;
    }();
    return chosen;
}

bool exists(int device) {
    return device >= 0 && device < machine().devices;
}
} // namespace

int device_count() {
    return machine().devices;
}

int device_current() {
    return machine().current;
}

bool device_runs_kernels() {
    return !machine().too_old;
}

size_t device_memory() {
    return machine().memory ? machine().memory : gpu().memory_bytes;
}

bool device_reaches(int device, int other) {
    return device == other || machine().peers.count({device, other});
}

} // namespace simt

using namespace simt;

// No device: every call that needs one says why.
#define NEEDS_DEVICE                                                                                                   \
    if (machine().why_none)                                                                                            \
    return fail(machine().why_none)
#define NEEDS(condition, error)                                                                                        \
    if (!(condition))                                                                                                  \
    return fail(error)

extern "C" {
void simt_machine(const char *key, int devices, size_t bytes) {
    for (int d = 0; d < machine().devices; d++)
        wait_for_device(d);
    clear_errors();
    choose(machine(), key, devices, bytes);
}

cudaError_t cudaGetDeviceCount(int *count) {
    SIMT_ENTER(cudaErrorNoDevice);
    NEEDS(count, cudaErrorInvalidValue);
    *count = 0;
    NEEDS_DEVICE;
    *count = machine().devices;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    SIMT_ENTER(cudaErrorDevicesUnavailable);
    NEEDS_DEVICE;
    NEEDS(exists(device), cudaErrorInvalidDevice);
    machine().current = device;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device) {
    SIMT_ENTER(cudaErrorDevicesUnavailable);
    NEEDS_DEVICE;
    NEEDS(device, cudaErrorInvalidValue);
    *device = machine().current;
    return cudaSuccess;
}

cudaError_t cudaInitDevice(int device, unsigned, unsigned) {
    SIMT_ENTER(cudaErrorDevicesUnavailable);
    NEEDS_DEVICE;
    NEEDS(exists(device), cudaErrorInvalidDevice);
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version) {
    SIMT_ENTER(cudaErrorInvalidValue);
    NEEDS(version, cudaErrorInvalidValue);
    *version = machine().why_none == cudaErrorInsufficientDriver ? 11040 : machine().why_none ? 0 : kDriver;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    SIMT_ENTER(cudaErrorInvalidValue);
    NEEDS(version, cudaErrorInvalidValue);
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int device) {
    SIMT_ENTER(cudaErrorInvalidDevice);
    NEEDS_DEVICE;
    NEEDS(p, cudaErrorInvalidValue);
    NEEDS(exists(device), cudaErrorInvalidDevice);
    const Gpu &g = gpu();
    *p = cudaDeviceProp();
    snprintf(p->name, sizeof p->name, "%s", machine().too_old ? "Tesla V100-SXM2-16GB" : g.name);
    p->uuid.bytes[0] = char(device + 1);
    p->totalGlobalMem = device_memory();
    p->sharedMemPerBlock = gpu().smem_block;
    p->sharedMemPerBlockOptin = g.smem_optin;
    p->sharedMemPerMultiprocessor = g.smem_sm;
    p->reservedSharedMemPerBlock = kSmemReserved;
    p->regsPerBlock = p->regsPerMultiprocessor = 65536;
    p->warpSize = 32;
    p->maxThreadsPerBlock = p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
    p->maxThreadsDim[2] = 64;
    p->maxGridSize[0] = 2147483647;
    p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->totalConstMem = 64 << 10;
    p->major = machine().too_old ? 7 : g.major;
    p->minor = g.minor;
    p->multiProcessorCount = g.sm_count;
    p->l2CacheSize = int(g.l2_bytes);
    p->memoryBusWidth = g.bus_bits;
    p->maxThreadsPerMultiProcessor = g.threads_sm;
    p->maxBlocksPerMultiProcessor = g.blocks_sm;
    p->concurrentKernels = p->unifiedAddressing = p->canMapHostMemory = p->streamPrioritiesSupported = 1;
    p->asyncEngineCount = 2;
    p->memoryPoolsSupported = p->hostRegisterSupported = 1;
    p->pciBusID = device + 1;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device) {
    SIMT_ENTER(cudaErrorInvalidValue);
    NEEDS_DEVICE;
    NEEDS(value, cudaErrorInvalidValue);
    NEEDS(exists(device), cudaErrorInvalidDevice);
    const Gpu &g = gpu();
    switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
        return *value = 1024, cudaSuccess;
    case cudaDevAttrMaxBlockDimZ:
        return *value = 64, cudaSuccess;
    case cudaDevAttrMaxGridDimX:
        return *value = 2147483647, cudaSuccess;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
        return *value = 65535, cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
        return *value = int(gpu().smem_block), cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        return *value = int(g.smem_optin), cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
        return *value = int(g.smem_sm), cudaSuccess;
    case cudaDevAttrReservedSharedMemoryPerBlock:
        return *value = int(kSmemReserved), cudaSuccess;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor:
        return *value = 65536, cudaSuccess;
    case cudaDevAttrWarpSize:
        return *value = 32, cudaSuccess;
    case cudaDevAttrClockRate:
        return *value = g.clock_khz, cudaSuccess;
    case cudaDevAttrMemoryClockRate:
        return *value = g.memory_clock_khz, cudaSuccess;
    case cudaDevAttrGlobalMemoryBusWidth:
        return *value = g.bus_bits, cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
        return *value = g.sm_count, cudaSuccess;
    case cudaDevAttrL2CacheSize:
        return *value = int(g.l2_bytes), cudaSuccess;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
        return *value = g.threads_sm, cudaSuccess;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
        return *value = g.blocks_sm, cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
        return *value = machine().too_old ? 7 : g.major, cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
        return *value = g.minor, cudaSuccess;
    case cudaDevAttrComputeMode:
    case cudaDevAttrIntegrated:
    case cudaDevAttrKernelExecTimeout:
    case cudaDevAttrEccEnabled:
    case cudaDevAttrPageableMemoryAccess:
        return *value = 0, cudaSuccess;
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrCanMapHostMemory:
    case cudaDevAttrStreamPrioritiesSupported:
    case cudaDevAttrMemoryPoolsSupported:
    case cudaDevAttrHostRegisterSupported:
        return *value = 1, cudaSuccess;
    case cudaDevAttrAsyncEngineCount:
        return *value = 2, cudaSuccess;
    case cudaDevAttrPciBusId:
        return *value = device + 1, cudaSuccess;
    case cudaDevAttrPciDeviceId:
    case cudaDevAttrPciDomainId:
        return *value = 0, cudaSuccess;
    default:
        stop("cudaDeviceGetAttribute: attribute %d is not emulated: add it to device.cpp", int(attribute));
    }
}

cudaError_t cudaDeviceGetPCIBusId(char *text, int bytes, int device) {
    SIMT_ENTER(cudaErrorInvalidValue);
    NEEDS_DEVICE;
    NEEDS(text && bytes > 12, cudaErrorInvalidValue);
    NEEDS(exists(device), cudaErrorInvalidDevice);
    snprintf(text, size_t(bytes), "0000:%02X:00.0", device + 1);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    SIMT_ENTER(cudaErrorInvalidValue);
    NEEDS_DEVICE;
    if (least)
        *least = 0;
    if (greatest)
        *greatest = -5;
    return cudaSuccess;
}

cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int other) {
    SIMT_ENTER(cudaErrorInvalidDevice);
    NEEDS_DEVICE;
    NEEDS(can, cudaErrorInvalidValue);
    NEEDS(exists(device) && exists(other), cudaErrorInvalidDevice);
    *can = device != other;
    return cudaSuccess;
}

cudaError_t cudaDeviceEnablePeerAccess(int other, unsigned flags) {
    SIMT_ENTER(cudaErrorInvalidDevice);
    NEEDS_DEVICE;
    NEEDS(exists(other) && other != machine().current, cudaErrorInvalidDevice);
    NEEDS(!flags, cudaErrorInvalidValue);
    return machine().peers.insert({machine().current, other}).second ? cudaSuccess
                                                                     : fail(cudaErrorPeerAccessAlreadyEnabled);
}

cudaError_t cudaDeviceDisablePeerAccess(int other) {
    SIMT_ENTER(cudaErrorInvalidDevice);
    NEEDS_DEVICE;
    NEEDS(exists(other), cudaErrorInvalidDevice);
    return machine().peers.erase({machine().current, other}) ? cudaSuccess : fail(cudaErrorPeerAccessNotEnabled);
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
    SIMT_ENTER(cudaErrorInvalidValue);
    NEEDS_DEVICE;
    NEEDS(available && total, cudaErrorInvalidValue);
    *total = device_memory();
    *available = *total - device_used(machine().current);
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value) {
    SIMT_ENTER(cudaErrorInvalidValue);
    NEEDS_DEVICE;
    NEEDS(kernel, cudaErrorInvalidDeviceFunction);
    if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize) {
        cudaError_t e = set_dynamic_limit(kernel, value);
        return e ? fail(e) : cudaSuccess;
    }
    NEEDS(attribute == cudaFuncAttributePreferredSharedMemoryCarveout && value >= -1 && value <= 100,
          cudaErrorInvalidValue);
    return cudaSuccess;
}

// The registers are the compiler's (docs/kernels.csv): none are known here.
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *a, const void *kernel) {
    SIMT_ENTER(cudaErrorInvalidDeviceFunction);
    NEEDS_DEVICE;
    NEEDS(a, cudaErrorInvalidValue);
    NEEDS(kernel, cudaErrorInvalidDeviceFunction);
    *a = cudaFuncAttributes();
    a->maxThreadsPerBlock = thread_limit(kernel);
    a->sharedSizeBytes = kernel_symbols(kernel).shared_bytes;
    a->numRegs = 32;
    a->ptxVersion = a->binaryVersion = gpu().major * 10 + gpu().minor;
    a->maxDynamicSharedSizeBytes = int(dynamic_limit(kernel));
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *kernel, int threads,
                                                                   size_t dynamic, unsigned) {
    SIMT_ENTER(cudaErrorInvalidValue);
    NEEDS_DEVICE;
    NEEDS(blocks && threads > 0, cudaErrorInvalidValue);
    NEEDS(kernel, cudaErrorInvalidDeviceFunction);
    const Gpu &g = gpu();
    int by_threads = g.threads_sm / ((threads + 31) / 32 * 32),
        by_memory = int(g.smem_sm / (dynamic + kernel_symbols(kernel).shared_bytes + kSmemReserved));
    *blocks = dynamic > dynamic_limit(kernel) || threads > thread_limit(kernel)
                  ? 0
                  : std::min({g.blocks_sm, by_threads, by_memory});
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *kernel, int threads,
                                                          size_t dynamic) {
    return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, kernel, threads, dynamic, 0);
}

// No profiler is attached.
cudaError_t cudaProfilerStart() {
    SIMT_ENTER(cudaErrorInvalidValue);
    NEEDS_DEVICE;
    return cudaSuccess;
}

cudaError_t cudaProfilerStop() {
    SIMT_ENTER(cudaErrorInvalidValue);
    NEEDS_DEVICE;
    return cudaSuccess;
}
}
