// Allocation, copies and fills.
//
// A copy from pageable memory is staged at the call, one to pageable memory waits. Pinned memory is read when the copy
// runs, which is late: a buffer filled again too early is reported. A pinned target is poisoned at the call: whoever
// reads it before waiting reads NaN.
#include "tests/simt/host.h"

using namespace simt;

namespace {
unsigned long long digest;

unsigned long long digest_of(const unsigned char *p, size_t bytes) { // FNV-1a
    unsigned long long h = 1469598103934665603u;
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return h;
}

struct Copy {
    void *to;
    const void *from;
    size_t bytes;
    cudaMemcpyKind kind;
};

bool kind_fits(const Copy &c) {
    bool to_device = is_device(c.to), from_device = is_device(c.from);
    switch (c.kind) {
    case cudaMemcpyDefault:
        return true;
    case cudaMemcpyHostToHost:
        return !to_device && !from_device;
    case cudaMemcpyHostToDevice:
        return to_device && !from_device;
    case cudaMemcpyDeviceToHost:
        return !to_device && from_device;
    case cudaMemcpyDeviceToDevice:
        return to_device && from_device;
    default:
        return false;
    }
}

Host kind_of_host(const void *p, size_t bytes, const void *pc) {
    Host kind = host_kind(p, bytes);
    if (kind == Host::partly)
        stop("copy of %zu bytes issued at %s runs past the end of pinned memory: %s", bytes, source_line(pc).c_str(),
             describe(p).c_str());
    return kind;
}

void poison(void *p, size_t bytes) {
    auto *c = static_cast<unsigned char *>(p);
    for (size_t i = 0; i < bytes; i++)
        c[i] = static_cast<unsigned char>(kPoison >> 8 * (i % 4));
}

cudaError_t copy(const Copy &c, cudaStream_t stream, bool host_waits, const void *pc) {
    if (!c.bytes)
        return cudaSuccess;
    if (!c.to || !c.from || !kind_fits(c))
        return fail(c.to && c.from ? cudaErrorInvalidMemcpyDirection : cudaErrorInvalidValue);
    bool to_device = is_device(c.to), from_device = is_device(c.from);
    if (to_device)
        check_device_range(c.to, c.bytes, "copy", pc);
    if (from_device)
        check_device_range(c.from, c.bytes, "copy", pc);
    bool pinned_to = !to_device && kind_of_host(c.to, c.bytes, pc) == Host::pinned,
         pinned_from = !from_device && kind_of_host(c.from, c.bytes, pc) == Host::pinned,
         pageable_to = !to_device && !pinned_to, pageable_from = !from_device && !pinned_from;
    cudaStream_t s = resolve(stream);
    if (!valid(s))
        return fail(cudaErrorInvalidResourceHandle);
    if (s->capture && (pageable_to || pageable_from)) { // what it would read at the replay nobody knows
        s->capture->broken = true;
        return fail(cudaErrorStreamCaptureUnsupported);
    }
    Work work;
    work.what = "copy";
    work.pc = pc;
    work.device = kAllDevices;
    std::shared_ptr<std::vector<char>> staged;
    if (pageable_from) {
        auto *from = static_cast<const char *>(c.from);
        staged = std::make_shared<std::vector<char>>(from, from + c.bytes);
    } else if (pinned_from) {
        work.source = c.from;
        work.source_bytes = c.bytes;
    }
    if (pinned_to) {
        work.target = c.to;
        work.target_bytes = c.bytes;
        if (!s->capture && in_flight(c.to, c.bytes).empty())
            poison(c.to, c.bytes);
    }
    work.run = [c, staged] {
        host_access(c.from, c.bytes, Kind::read);
        host_access(c.to, c.bytes, Kind::write);
        memmove(c.to, staged ? staged->data() : c.from, c.bytes);
        if (is_device(c.from) && !is_device(c.to))
            digest += digest_of(static_cast<const unsigned char *>(c.to), c.bytes);
    };
    if (cudaError_t e = enqueue_work(stream, work))
        return e;
    if (!s->capture && (host_waits || pageable_to))
        wait_for(s->last);
    return cudaSuccess;
}

cudaError_t fill(void *p, int value, size_t bytes, cudaStream_t stream, const void *pc) {
    if (!bytes)
        return cudaSuccess;
    if (!is_device(p))
        return fail(cudaErrorInvalidValue);
    check_device_range(p, bytes, "fill", pc);
    Work work;
    work.what = "fill";
    work.pc = pc;
    work.device = kAllDevices;
    work.run = [=] {
        host_access(p, bytes, Kind::write);
        memset(p, value, bytes);
    };
    return enqueue_work(stream, work);
}

cudaError_t allocate_pinned(void **out, size_t bytes, const void *pc) {
    if (!out)
        return fail(cudaErrorInvalidValue);
    if (!device_count())
        return fail(cudaErrorNoDevice);
    SIMT_NOT_IN_CAPTURE;
    *out = bytes ? pinned_allocate(bytes, pc) : nullptr;
    return *out || !bytes ? cudaSuccess : fail(cudaErrorMemoryAllocation);
}
} // namespace

extern "C" {
unsigned long long simt_digest(void) {
    return std::exchange(digest, 0);
}

cudaError_t cudaMalloc(void **out, size_t bytes) {
    SIMT_ENTER(cudaErrorMemoryAllocation);
    if (!out)
        return fail(cudaErrorInvalidValue);
    if (!device_count())
        return fail(cudaErrorNoDevice);
    SIMT_NOT_IN_CAPTURE;
    *out = bytes ? device_allocate_on(device_current(), bytes, SIMT_CALLER, true) : nullptr;
    return *out || !bytes ? cudaSuccess : fail(cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void *p) {
    SIMT_ENTER_FREE;
    if (!p)
        return simt_late_error;
    int device = device_of(p);
    if (device < 0 || !device_bytes(p))
        return fail(cudaErrorInvalidValue);
    SIMT_NOT_IN_CAPTURE;
    wait_for_device(device); // as CUDA does
    device_release(p);
    return simt_late_error;
}

cudaError_t cudaMallocAsync(void **out, size_t bytes, cudaStream_t stream) {
    SIMT_ENTER(cudaErrorMemoryAllocation);
    cudaStream_t s = resolve(stream);
    if (!out || !bytes || !valid(s))
        return fail(valid(s) ? cudaErrorInvalidValue : cudaErrorInvalidResourceHandle);
    SIMT_NOT_IN_CAPTURE;
    void *p = device_allocate_on(s->device, bytes, SIMT_CALLER, false);
    if (!p)
        return fail(cudaErrorMemoryAllocation);
    *out = p;
    Work work;
    work.what = "allocation";
    work.pc = SIMT_CALLER;
    work.device = kAllDevices;
    work.run = [p] { device_usable(p); };
    return enqueue_work(stream, work);
}

cudaError_t cudaFreeAsync(void *p, cudaStream_t stream) {
    SIMT_ENTER_FREE;
    if (!p)
        return simt_late_error;
    size_t bytes = device_bytes(p);
    if (!bytes)
        return fail(cudaErrorInvalidValue);
    SIMT_NOT_IN_CAPTURE;
    Work work;
    work.what = "free";
    work.pc = SIMT_CALLER;
    work.device = kAllDevices;
    work.run = [p, bytes] {
        host_access(p, bytes, Kind::write); // whoever still uses it is not ordered before this
        device_release(p);
    };
    cudaError_t e = enqueue_work(stream, work);
    return e ? e : simt_late_error;
}

cudaError_t cudaMallocHost(void **out, size_t bytes) {
    SIMT_ENTER(cudaErrorMemoryAllocation);
    return allocate_pinned(out, bytes, SIMT_CALLER);
}

cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned flags) {
    SIMT_ENTER(cudaErrorMemoryAllocation);
    if (flags & ~unsigned(cudaHostAllocPortable | cudaHostAllocWriteCombined))
        return fail(cudaErrorInvalidValue);
    return allocate_pinned(out, bytes, SIMT_CALLER);
}

cudaError_t cudaFreeHost(void *p) {
    SIMT_ENTER_FREE;
    if (!p)
        return simt_late_error;
    if (is_device(p) || host_kind(p, 1) != Host::pinned)
        return fail(cudaErrorInvalidValue);
    std::string user = in_flight(p, 1);
    if (!user.empty() && !simt_late_error)
        stop("pinned memory freed at %s while '%s' may still use it", source_line(SIMT_CALLER).c_str(), user.c_str());
    return pinned_release(p) ? simt_late_error : fail(cudaErrorInvalidValue);
}

cudaError_t cudaHostRegister(void *p, size_t bytes, unsigned flags) {
    SIMT_ENTER(cudaErrorMemoryAllocation);
    if (!p || !bytes || (flags & ~unsigned(cudaHostRegisterPortable)))
        return fail(cudaErrorInvalidValue);
    SIMT_NOT_IN_CAPTURE;
    if (!pinned_register(p, bytes, true))
        return fail(cudaErrorHostMemoryAlreadyRegistered);
    live_add(p, "host memory registered", SIMT_CALLER);
    return cudaSuccess;
}

cudaError_t cudaHostUnregister(void *p) {
    SIMT_ENTER_FREE;
    if (!pinned_register(p, 0, false))
        return fail(cudaErrorHostMemoryNotRegistered);
    live_remove(p, "host memory registered");
    return simt_late_error;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *a, const void *p) {
    SIMT_ENTER(cudaErrorInvalidValue);
    if (!a)
        return fail(cudaErrorInvalidValue);
    *a = cudaPointerAttributes();
    a->type = cudaMemoryTypeUnregistered;
    a->device = -2;
    if (is_device(p)) {
        a->type = cudaMemoryTypeDevice;
        a->device = device_of(p);
        a->devicePointer = const_cast<void *>(p);
    } else if (host_kind(p, 1) == Host::pinned) {
        a->type = cudaMemoryTypeHost;
        a->device = device_current();
        a->devicePointer = a->hostPointer = const_cast<void *>(p);
    }
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    SIMT_ENTER(cudaErrorInvalidValue);
    return copy({to, from, bytes, kind}, stream, false, SIMT_CALLER);
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
    SIMT_ENTER(cudaErrorInvalidValue);
    SIMT_NOT_IN_CAPTURE;
    bool on_device = is_device(to) && is_device(from);
    return copy({to, from, bytes, kind}, nullptr, !on_device, SIMT_CALLER);
}

cudaError_t cudaMemcpyPeerAsync(void *to, int to_device, const void *from, int from_device, size_t bytes,
                                cudaStream_t stream) {
    SIMT_ENTER(cudaErrorInvalidValue);
    if (to_device < 0 || to_device >= device_count() || from_device < 0 || from_device >= device_count())
        return fail(cudaErrorInvalidDevice);
    if (bytes && (device_of(to) != to_device || device_of(from) != from_device))
        return fail(cudaErrorInvalidValue);
    return copy({to, from, bytes, cudaMemcpyDeviceToDevice}, stream, false, SIMT_CALLER);
}

cudaError_t cudaMemset(void *p, int value, size_t bytes) {
    SIMT_ENTER(cudaErrorInvalidValue);
    SIMT_NOT_IN_CAPTURE;
    return fill(p, value, bytes, nullptr, SIMT_CALLER);
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t stream) {
    SIMT_ENTER(cudaErrorInvalidValue);
    return fill(p, value, bytes, stream, SIMT_CALLER);
}
}
