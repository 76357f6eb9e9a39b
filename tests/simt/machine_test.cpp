// The emulated machine: which GPUs it has, their own memory, sums over them by NCCL.
#include "tests/simt/host_checks.h"

#ifdef MMC_SIMT_NCCL
#include <nccl.h>
#endif

namespace {
using namespace host_checks;

TEST(SimtMachine, MachinesAsAsked) {
    silent([] {
        int n, major;
        size_t available, total;
        void *p;
        cudaDeviceProp properties;
        simt_machine("4090", 2, 1 << 20);
        OK(cudaGetDeviceCount(&n));
        OK(cudaGetDeviceProperties(&properties, 1));
        SHOULD(n == 2 && !strcmp(properties.name, "NVIDIA GeForce RTX 4090") && properties.minor == 9);
        SHOULD(properties.totalGlobalMem == 1 << 20);
        SHOULD(cudaSetDevice(2) == cudaErrorInvalidDevice);
        OK(cudaMalloc(&p, 1 << 19));
        OK(cudaMemGetInfo(&available, &total));
        SHOULD(total == 1 << 20 && available == 1 << 19);
        void *q;
        SHOULD(cudaMalloc(&q, (1 << 19) + 1) == cudaErrorMemoryAllocation);
        OK(cudaSetDevice(1));
        OK(cudaMalloc(&q, 1 << 20)); // the other device's own
        OK(cudaFree(q));
        OK(cudaSetDevice(0));
        OK(cudaFree(p));
        simt_machine("v100", 1, 0);
        OK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
        SHOULD(major == 7);
        SHOULD(host_toy_scale(nullptr, nullptr, 1, 1, nullptr) == cudaErrorNoKernelImageForDevice);
        simt_machine("none", 1, 0);
        SHOULD(cudaGetDeviceCount(&n) == cudaErrorNoDevice && n == 0);
        SHOULD(cudaMalloc(&p, 1) == cudaErrorNoDevice);
        simt_machine("old-driver", 1, 0);
        SHOULD(cudaGetDeviceCount(&n) == cudaErrorInsufficientDriver);
        return 0;
    });
}

// This process makes no call itself: each child reads the environment anew.
TEST(SimtMachine, EnvironmentChoosesTheMachine) {
    silent([] {
        setenv("MMC_SIMT_GPU", "h100", 1);
        setenv("MMC_SIMT_DEVICES", "3", 1);
        setenv("MMC_SIMT_MEMORY", "4096", 1);
        setenv("MMC_SIMT_FAIL", "cudaMalloc:2:1", 1);
        int n = 0;
        cudaDeviceProp properties;
        void *p = nullptr;
        OK(cudaGetDeviceCount(&n));
        OK(cudaGetDeviceProperties(&properties, 2));
        SHOULD(n == 3 && properties.major == 9 && properties.totalGlobalMem == 4096);
        OK(cudaMalloc(&p, 4096));
        OK(cudaFree(p));
        SHOULD(cudaMalloc(&p, 16) == cudaErrorInvalidValue && simt_failed()); // the second call, the code asked for
        return 0;
    });
}

// y on device 1 from x on device 0.
int two_devices(bool peers, bool copy) {
    simt_machine("a100", 2, 0);
    float *x, *y, host[kCount];
    cudaStream_t s;
    fill(host, 7);
    OK(cudaMalloc(reinterpret_cast<void **>(&x), kBytes));
    OK(cudaMemcpy(x, host, kBytes, cudaMemcpyHostToDevice));
    OK(cudaSetDevice(1));
    OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
    OK(cudaMalloc(reinterpret_cast<void **>(&y), kBytes));
    if (peers)
        OK(cudaDeviceEnablePeerAccess(0, 0));
    if (copy)
        OK(cudaMemcpyPeerAsync(y, 1, x, 0, kBytes, s));
    else
        OK(host_toy_scale(y, x, 1, kCount, s));
    OK(cudaMemcpyAsync(host, y, kBytes, cudaMemcpyDeviceToHost, s));
    SHOULD(all(host, 7));
    OK(cudaSetDevice(0));
    SHOULD(host_toy_scale(x, x, 1, kCount, s) == cudaErrorInvalidResourceHandle); // a stream of the other device
    OK(cudaFree(x));
    OK(cudaFree(y));
    OK(cudaStreamDestroy(s));
    return 0;
}

TEST(SimtMachine, DevicesHaveTheirOwnMemory) {
    silent([] { return two_devices(true, false); });
    silent([] { return two_devices(false, true); });
    caught("memory of device 0 used by device 1", [] { return two_devices(false, false); });
}

#ifdef MMC_SIMT_NCCL
// The sum of x over the devices, in place.
enum class Group { none, missing, unwaited, wrong_device, count };
int sum_over_devices(Group slip) {
    constexpr int kDevices = 2;
    simt_machine("h100", kDevices, 0);
    ncclComm_t comm[kDevices];
    cudaStream_t s[kDevices];
    float *x[kDevices], host[kCount];
    SHOULD(ncclCommInitAll(comm, kDevices, nullptr) == ncclSuccess);
    for (int d = 0; d < kDevices; d++) {
        OK(cudaSetDevice(d));
        OK(cudaStreamCreateWithFlags(&s[d], cudaStreamNonBlocking));
        OK(cudaMalloc(reinterpret_cast<void **>(&x[d]), kBytes));
        OK(cudaMemset(x[d], 0, kBytes));
        OK(cudaDeviceSynchronize());
        fill(host, float(d + 1));
        OK(cudaMemcpyAsync(x[d], host, kBytes, cudaMemcpyHostToDevice, s[d]));
    }
    SHOULD(ncclGroupStart() == ncclSuccess);
    for (int d = 0; d < kDevices - (slip == Group::missing); d++) {
        float *data = x[slip == Group::wrong_device ? 0 : d];
        size_t count = slip == Group::count && d ? kCount - 1 : kCount;
        SHOULD(ncclAllReduce(data, data, count, ncclFloat32, ncclSum, comm[d], s[d]) == ncclSuccess);
    }
    SHOULD(ncclGroupEnd() == ncclSuccess);
    for (int d = 0; d < kDevices; d++) {
        OK(cudaSetDevice(d));
        cudaStream_t on = s[d], other = nullptr;
        if (slip == Group::unwaited)
            OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
        OK(cudaMemcpyAsync(host, x[d], kBytes, cudaMemcpyDeviceToHost, other ? other : on));
        if (slip == Group::unwaited)
            OK(cudaDeviceSynchronize());
        SHOULD(all(host, 3));
    }
    for (int d = 0; d < kDevices; d++) {
        OK(cudaSetDevice(d));
        OK(cudaFree(x[d]));
        OK(cudaStreamDestroy(s[d]));
        SHOULD(ncclCommDestroy(comm[d]) == ncclSuccess);
    }
    return 0;
}

TEST(SimtMachine, SumsOverDevices) {
    silent([] { return sum_over_devices(Group::none); });
    caught("hang", [] { return sum_over_devices(Group::missing); });
    caught("unordered", [] { return sum_over_devices(Group::unwaited); });
    caught("not of device 1", [] { return sum_over_devices(Group::wrong_device); });
    caught("disagree", [] { return sum_over_devices(Group::count); });
}
#endif
} // namespace
