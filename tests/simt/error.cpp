// Errors: names and texts of the codes, the last error, sticky errors, and failures that a test asks for.
#include "tests/simt/host.h"

#include <cstdlib>
#include <thread>

namespace simt {
namespace {
struct Named {
    cudaError_t code;
    const char *name, *text;
};
#define E(code, text)                                                                                                  \
    { code, #code, text }
const Named kNamed[] = {
    E(cudaSuccess, "no error"),
    E(cudaErrorInvalidValue, "invalid argument"),
    E(cudaErrorMemoryAllocation, "out of memory"),
    E(cudaErrorInitializationError, "initialization error"),
    E(cudaErrorCudartUnloading, "driver shutting down"),
    E(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    E(cudaErrorInvalidPitchValue, "invalid pitch argument"),
    E(cudaErrorInvalidSymbol, "invalid device symbol"),
    E(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy"),
    E(cudaErrorStubLibrary, "CUDA driver is a stub library"),
    E(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version"),
    E(cudaErrorDevicesUnavailable, "CUDA-capable device(s) is/are busy or unavailable"),
    E(cudaErrorInvalidDeviceFunction, "invalid device function"),
    E(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    E(cudaErrorInvalidDevice, "invalid device ordinal"),
    E(cudaErrorInvalidKernelImage, "device kernel image is invalid"),
    E(cudaErrorDeviceUninitialized, "invalid device context"),
    E(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device"),
    E(cudaErrorECCUncorrectable, "uncorrectable ECC error encountered"),
    E(cudaErrorPeerAccessUnsupported, "peer access is not supported between these two devices"),
    E(cudaErrorUnsupportedPtxVersion, "the provided PTX was compiled with an unsupported toolchain."),
    E(cudaErrorOperatingSystem, "OS call failed or operation not supported on this OS"),
    E(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    E(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    E(cudaErrorNotReady, "device not ready"),
    E(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    E(cudaErrorLaunchOutOfResources, "too many resources requested for launch"),
    E(cudaErrorLaunchTimeout, "the launch timed out and was terminated"),
    E(cudaErrorPeerAccessAlreadyEnabled, "peer access is already enabled"),
    E(cudaErrorPeerAccessNotEnabled, "peer access has not been enabled"),
    E(cudaErrorContextIsDestroyed, "context is destroyed"),
    E(cudaErrorAssert, "device-side assert triggered"),
    E(cudaErrorHostMemoryAlreadyRegistered, "part or all of the requested memory range is already mapped"),
    E(cudaErrorHostMemoryNotRegistered, "pointer does not correspond to a registered memory region"),
    E(cudaErrorHardwareStackError, "hardware stack error"),
    E(cudaErrorIllegalInstruction, "an illegal instruction was encountered"),
    E(cudaErrorMisalignedAddress, "misaligned address"),
    E(cudaErrorInvalidAddressSpace, "operation not supported on global/shared address space"),
    E(cudaErrorInvalidPc, "invalid program counter"),
    E(cudaErrorLaunchFailure, "unspecified launch failure"),
    E(cudaErrorNotPermitted, "operation not permitted"),
    E(cudaErrorNotSupported, "operation not supported"),
    E(cudaErrorSystemDriverMismatch, "system has unsupported display driver / cuda driver combination"),
    E(cudaErrorCompatNotSupportedOnDevice, "forward compatibility was attempted on non supported HW"),
    E(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing"),
    E(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture"),
    E(cudaErrorStreamCaptureMerge, "operation would result in a merge of separate capture sequences"),
    E(cudaErrorStreamCaptureUnmatched, "capture was not ended in the same stream as it began"),
    E(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work"),
    E(cudaErrorStreamCaptureIsolation, "dependency created on uncaptured work in another stream"),
    E(cudaErrorStreamCaptureImplicit, "operation would make the legacy stream depend on a capturing blocking stream"),
    E(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream"),
    E(cudaErrorStreamCaptureWrongThread, "attempt to terminate a thread-local capture sequence from another thread"),
    E(cudaErrorGraphExecUpdateFailure, "the graph update was not performed because it included changes which violated "
                                       "constraints specific to instantiated graph update"),
    E(cudaErrorUnknown, "unknown error"),
};
#undef E

// After one of these the context is lost: every call fails with it until cudaDeviceReset.
bool is_sticky(cudaError_t e) {
    switch (e) {
    case cudaErrorECCUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
        return true;
    default:
        return false;
    }
}

struct Errors {
    cudaError_t last = cudaSuccess, sticky = cudaSuccess;
    std::map<std::string, long> calls;
    long all = 0;
    std::string fail_call; // "" none
    long fail_at = 0;      // count of calls at which it fails
    int fail_code = 0;
    bool failed = false;
};

Errors &errors() {
    static auto &all = *[] {
        auto *e = new Errors;
        if (const char *wish = getenv("MMC_SIMT_FAIL")) { // call:n or call:n:code
            std::string text = wish;
            size_t colon = text.find(':');
            if (colon == std::string::npos)
                stop("MMC_SIMT_FAIL=%s: give it as call:n or call:n:code", wish);
            char *rest;
            e->fail_call = text.substr(0, colon);
            e->fail_at = strtol(text.c_str() + colon + 1, &rest, 10);
            e->fail_code = *rest == ':' ? int(strtol(rest + 1, nullptr, 10)) : 0;
        }
        return e;
    }();
    return all;
}

const Named *named(cudaError_t code) {
    for (const Named &n : kNamed)
        if (n.code == code)
            return &n;
    return nullptr;
}
} // namespace

cudaError_t fail(cudaError_t e) {
    return e == cudaSuccess ? e : errors().last = e;
}

cudaError_t sticky_error() {
    return errors().sticky;
}

void clear_errors() {
    errors().last = errors().sticky = cudaSuccess;
}

bool told_to_fail(const char *call, int *code) {
    static const std::thread::id first = std::this_thread::get_id();
    if (std::this_thread::get_id() != first)
        stop("%s is called by a second host thread: the emulation has one", call);
    Errors &e = errors();
    long count = ++e.calls[call], all = ++e.all;
    bool any = e.fail_call == "any";
    if (e.fail_call.empty() || !(any || e.fail_call == call) || (any ? all : count) != e.fail_at)
        return false;
    e.fail_call.clear();
    e.failed = true;
    *code = e.fail_code;
    return true;
}

cudaError_t enter(const char *call, cudaError_t usual) {
    Errors &e = errors();
    int code = 0;
    if (told_to_fail(call, &code)) {
        cudaError_t error = code ? cudaError_t(code) : usual;
        if (is_sticky(error))
            e.sticky = error;
        return e.last = error;
    }
    return e.sticky ? e.last = e.sticky : cudaSuccess;
}
} // namespace simt

using namespace simt;

extern "C" {
cudaError_t cudaGetLastError(void) {
    Errors &e = errors();
    cudaError_t last = e.sticky ? e.sticky : e.last;
    e.last = cudaSuccess;
    return last;
}

cudaError_t cudaPeekAtLastError(void) {
    return errors().sticky ? errors().sticky : errors().last;
}

const char *cudaGetErrorName(cudaError_t code) {
    const Named *n = named(code);
    return n ? n->name : "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t code) {
    const Named *n = named(code);
    return n ? n->text : "unrecognized error code";
}

void simt_fail(const char *call, int nth, int code) {
    Errors &e = errors();
    e.fail_call = nth ? call ? call : "any" : "";
    e.fail_at = nth + (e.fail_call == "any" ? e.all : e.calls[e.fail_call]);
    e.fail_code = code;
    e.failed = false;
}

int simt_failed(void) {
    return errors().failed;
}

long simt_calls(const char *call) {
    return call ? errors().calls[call] : errors().all;
}
}
