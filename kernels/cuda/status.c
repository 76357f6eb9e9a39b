/* What CUDA's error codes mean to the person who meets them. */
#include "kernels/cuda/queue.h"

#include <stdio.h>
#include <string.h>

static const char *hint_of(cudaError_t error) {
    switch ((int)error) {
    case cudaErrorMemoryAllocation:
        return "a smaller --batch or --width needs less; nvidia-smi shows who else uses the device";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidKernelImage:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorUnsupportedPtxVersion:
        return "this build has no code for the device; configure with -DMMC_CUDA_ARCHITECTURES=native and build again";
    case cudaErrorInsufficientDriver:
    case cudaErrorSystemDriverMismatch:
        return "the driver is older than this build's CUDA; update the driver, or build with an older toolkit";
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
        return "`mmcbench info` lists the devices; CUDA_VISIBLE_DEVICES may hide some; --backend cpu needs none";
    case cudaErrorDevicesUnavailable:
        return "another process holds the device for itself (nvidia-smi -q -d COMPUTE shows the mode)";
    case cudaErrorSystemNotReady:
        return "the system's services for the devices are not up (nvidia-fabricmanager on machines with NVSwitch)";
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorAssert:
        return "the device's context is lost, start again; `compute-sanitizer mmcbench ...` names the kernel";
    case cudaErrorLaunchTimeout:
        return "the context is lost: a device that drives a display stops long kernels; use another, or a smaller --batch";
    case cudaErrorECCUncorrectable:
    case cudaErrorHardwareStackError:
    case cudaErrorNvlinkUncorrectable:
        return "the hardware failed; nvidia-smi -q shows its errors";
    case cudaErrorInvalidConfiguration:
    case cudaErrorLaunchOutOfResources:
    case cudaErrorInvalidValue:
        return "a fault of this program: please report it with the command line";
    case cudaErrorStreamCaptureUnsupported:
    case cudaErrorStreamCaptureInvalidated:
    case cudaErrorStreamCaptureUnjoined:
    case cudaErrorStreamCaptureImplicit:
        return "a call that cannot be recorded was made between begin and end of a recorded step";
    default:
        return "`mmcbench info` shows device, driver and libraries";
    }
}

/* The path from the root of the repository, whatever the compiler was called with. */
static const char *from_root(const char *file) {
    static const char *const rooms[] = {"/kernels/", "/runtime/"};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        const char *at = strstr(file, rooms[i]);
        if (at)
            return at + 1;
    }
    return file;
}

mmc_status mmc_cuda_status(cudaError_t error, const char *expression, const char *file, int line) {
    if (error == cudaSuccess)
        return MMC_OK;
    (void)cudaGetLastError(); /* or the next launch would be blamed */
    char device[24] = "no device";
    int index = 0;
    if (cudaGetDevice(&index) == cudaSuccess)
        snprintf(device, sizeof device, "device %d", index);
    (void)cudaGetLastError();
    return mmc_fail(error == cudaErrorMemoryAllocation ? MMC_ERR_MEMORY : MMC_ERR_DEVICE,
                    "CUDA error %d (%s: %s) on %s in %.200s at %s:%d; %s", (int)error, cudaGetErrorName(error),
                    cudaGetErrorString(error), device, expression, from_root(file), line, hint_of(error));
}
