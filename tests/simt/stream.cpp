// Streams and events, kernel launches, and what a capture does with them.
#include "tests/simt/host.h"

#include <algorithm>

namespace simt {
std::set<cudaStream_t> streams;

namespace {
std::map<std::string, long> launches;
std::map<int, long> launches_on;
std::map<int, cudaStream_t> null_streams;
std::vector<std::pair<int, OpRef>> orphans; // last work of destroyed streams, by device

cudaStream_t stream_make(int device, unsigned flags, int priority) {
    auto *s = new CUstream_st();
    s->blocking = !(flags & cudaStreamNonBlocking);
    s->device = device;
    s->flags = flags;
    s->priority = priority;
    s->chain = chain_new();
    streams.insert(s);
    return s;
}

cudaStream_t null_stream(int device) {
    cudaStream_t &s = null_streams[device];
    if (!s)
        s = stream_make(device, 0, 0);
    return s;
}

bool is_null(cudaStream_t s) {
    auto i = null_streams.find(s->device);
    return i != null_streams.end() && i->second == s;
}
} // namespace

cudaStream_t resolve(cudaStream_t s) {
    return s == nullptr || s == cudaStreamLegacy || s == cudaStreamPerThread ? null_stream(device_current()) : s;
}

bool valid(cudaStream_t s) {
    return streams.count(s) && s->alive;
}

bool break_captures() {
    bool any = false;
    for (cudaStream_t s : streams)
        if (s->capture && s->capture->mode != cudaStreamCaptureModeRelaxed)
            s->capture->broken = any = true;
    return any;
}

std::vector<OpRef> predecessors(cudaStream_t s) {
    std::vector<OpRef> before{s->last};
    if (is_null(s)) {
        for (cudaStream_t other : streams)
            if (other->blocking && other->device == s->device)
                before.push_back(other->last);
    } else if (s->blocking && null_streams.count(s->device))
        before.push_back(null_streams[s->device]->last);
    return before;
}

cudaError_t enqueue_work(cudaStream_t stream, const Work &work) {
    cudaStream_t s = resolve(stream);
    if (!valid(s))
        return fail(cudaErrorInvalidResourceHandle);
    if (is_null(s)) // CUDA lets it pass beside a non-blocking stream; it would be missing from the graph all the same
        for (cudaStream_t other : streams)
            if (other->capture) {
                other->capture->broken = true;
                return fail(cudaErrorStreamCaptureImplicit);
            }
    if (s->capture) {
        if (s->capture->broken)
            return fail(cudaErrorStreamCaptureInvalidated);
        auto &nodes = s->capture->graph->nodes;
        nodes.push_back({work, s->tips});
        s->tips = {int(nodes.size()) - 1};
        return cudaSuccess;
    }
    s->last = issue(s->chain, work, predecessors(s));
    return cudaSuccess;
}

cudaError_t enqueue(cudaStream_t stream, const std::string &name, std::function<void()> run) {
    cudaStream_t s = resolve(stream);
    if (!valid(s))
        return fail(cudaErrorInvalidResourceHandle);
    Work work;
    work.what = interned(name);
    work.device = s->device;
    work.run = std::move(run);
    return enqueue_work(stream, work);
}

// One operation of several streams: it runs when all have come to it.
cudaError_t enqueue_together(const std::vector<cudaStream_t> &group, const std::string &name,
                             std::function<void()> run) {
    std::vector<OpRef> before;
    for (cudaStream_t stream : group) {
        cudaStream_t s = resolve(stream);
        if (!valid(s))
            return fail(cudaErrorInvalidResourceHandle);
        if (s->capture) { // a graph of several devices: not emulated
            s->capture->broken = true;
            return fail(cudaErrorStreamCaptureUnsupported);
        }
        for (const OpRef &b : predecessors(s))
            before.push_back(b);
    }
    Work work;
    work.what = interned(name);
    work.device = kAllDevices;
    work.run = std::move(run);
    OpRef op = issue(resolve(group[0])->chain, work, before);
    for (cudaStream_t s : group)
        resolve(s)->last = op;
    return cudaSuccess;
}

void wait_for_device(int device) {
    for (cudaStream_t s : streams)
        if (device == kAllDevices || s->device == device)
            wait_for(s->last);
    for (auto &[d, op] : orphans)
        if (device == kAllDevices || d == device)
            wait_for(op);
    orphans.erase(std::remove_if(orphans.begin(), orphans.end(), [](auto &o) { return host_knows(o.second); }),
                  orphans.end());
}

void launch_call(const Call &call, cudaStream_t stream) {
    if (enter("cudaLaunchKernel", cudaErrorLaunchFailure))
        return;
    cudaError_t e = device_runs_kernels() ? check_launch(call) : cudaErrorNoKernelImageForDevice;
    cudaStream_t s = resolve(stream);
    if (!e && (!valid(s) || s->device != device_current()))
        e = cudaErrorInvalidResourceHandle;
    if (e) {
        fail(e);
        return;
    }
    Work work;
    work.what = call.name;
    work.kernel = call.kernel;
    work.device = s->device;
    work.run = [call, on = work.device] {
        launches[call.name]++;
        launches_on[on]++;
        run_grid(call);
    };
    enqueue_work(stream, work);
}
} // namespace simt

using namespace simt;

namespace {
bool valid_event(cudaEvent_t e) {
    return e && e->alive;
}

bool captures(const std::shared_ptr<Capture> &c) {
    return c && !c->ended;
}

// The host may not ask for the progress of a stream or event that is being captured.
cudaError_t refuse_captured(const std::shared_ptr<Capture> &c, cudaError_t error) {
    c->broken = true;
    return fail(error);
}
} // namespace

extern "C" {
long simt_launches(const char *part) {
    long sum = 0;
    for (auto &[name, count] : launches)
        if (!part || name.find(part) != std::string::npos)
            sum += count;
    return sum;
}

long simt_launches_on(int device) {
    return launches_on[device];
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *s, unsigned flags, int priority) {
    SIMT_ENTER(cudaErrorMemoryAllocation);
    if (!s || (flags & ~unsigned(cudaStreamNonBlocking)))
        return fail(cudaErrorInvalidValue);
    if (!device_count())
        return fail(cudaErrorNoDevice);
    *s = stream_make(device_current(), flags, std::max(-5, std::min(priority, 0)));
    live_add(*s, "stream created", SIMT_CALLER);
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags) {
    SIMT_ENTER(cudaErrorMemoryAllocation);
    if (!s || (flags & ~unsigned(cudaStreamNonBlocking)))
        return fail(cudaErrorInvalidValue);
    if (!device_count())
        return fail(cudaErrorNoDevice);
    *s = stream_make(device_current(), flags, 0);
    live_add(*s, "stream created", SIMT_CALLER);
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *s) {
    SIMT_ENTER(cudaErrorMemoryAllocation);
    if (!s)
        return fail(cudaErrorInvalidValue);
    if (!device_count())
        return fail(cudaErrorNoDevice);
    *s = stream_make(device_current(), 0, 0);
    live_add(*s, "stream created", SIMT_CALLER);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s) {
    SIMT_ENTER_FREE;
    if (!valid(s) || !live_remove(s, "stream created"))
        return fail(cudaErrorInvalidResourceHandle);
    if (s->capture)
        s->capture->broken = true;
    orphans.push_back({s->device, s->last}); // its work goes on
    chain_free(s->chain, s->last);
    s->alive = false;
    s->last = nullptr;
    streams.erase(s);
    return simt_late_error;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    SIMT_ENTER(cudaErrorLaunchFailure);
    cudaStream_t s = resolve(stream);
    if (!valid(s))
        return fail(cudaErrorInvalidResourceHandle);
    if (s->capture)
        return refuse_captured(s->capture, cudaErrorStreamCaptureUnsupported);
    SIMT_NOT_IN_CAPTURE;
    wait_for(s->last);
    return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
    SIMT_ENTER(cudaErrorLaunchFailure);
    cudaStream_t s = resolve(stream);
    if (!valid(s))
        return fail(cudaErrorInvalidResourceHandle);
    if (s->capture)
        return refuse_captured(s->capture, cudaErrorStreamCaptureUnsupported);
    SIMT_NOT_IN_CAPTURE;
    if (s->last && !s->last->done) {
        step(false); // a loop that polls makes progress
        return cudaErrorNotReady;
    }
    wait_for(s->last);
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void) {
    SIMT_ENTER(cudaErrorLaunchFailure);
    if (!device_count())
        return fail(cudaErrorNoDevice);
    SIMT_NOT_IN_CAPTURE;
    wait_for_device(device_current());
    return cudaSuccess;
}

cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned *flags) {
    SIMT_ENTER(cudaErrorInvalidValue);
    cudaStream_t s = resolve(stream);
    if (!valid(s))
        return fail(cudaErrorInvalidResourceHandle);
    *flags = s->flags;
    return cudaSuccess;
}

cudaError_t cudaStreamGetPriority(cudaStream_t stream, int *priority) {
    SIMT_ENTER(cudaErrorInvalidValue);
    cudaStream_t s = resolve(stream);
    if (!valid(s))
        return fail(cudaErrorInvalidResourceHandle);
    *priority = s->priority;
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t e, unsigned flags) {
    SIMT_ENTER(cudaErrorInvalidValue);
    cudaStream_t s = resolve(stream);
    if (!valid(s) || !valid_event(e))
        return fail(cudaErrorInvalidResourceHandle);
    if (flags)
        return fail(cudaErrorInvalidValue);
    if (e->capture) {
        if (!captures(e->capture))
            return fail(cudaErrorCapturedEvent);
        if (s->capture && s->capture != e->capture)
            return refuse_captured(s->capture, cudaErrorStreamCaptureMerge);
        s->capture = e->capture; // draws the stream into the capture
        for (int tip : e->tips)
            if (std::find(s->tips.begin(), s->tips.end(), tip) == s->tips.end())
                s->tips.push_back(tip);
        return cudaSuccess;
    }
    if (s->capture)
        return refuse_captured(s->capture, cudaErrorStreamCaptureIsolation);
    if (!e->op)
        return cudaSuccess; // never recorded: nothing to wait for
    Work work;
    work.what = "wait for an event";
    work.pc = SIMT_CALLER;
    work.device = s->device;
    auto before = predecessors(s);
    before.push_back(e->op);
    s->last = issue(s->chain, work, before);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags) {
    SIMT_ENTER(cudaErrorMemoryAllocation);
    if (!e || (flags & ~unsigned(cudaEventBlockingSync | cudaEventDisableTiming)))
        return fail(cudaErrorInvalidValue);
    if (!device_count())
        return fail(cudaErrorNoDevice);
    *e = new CUevent_st();
    (*e)->flags = flags;
    (*e)->device = device_current();
    live_add(*e, "event created", SIMT_CALLER);
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *e) {
    SIMT_ENTER(cudaErrorMemoryAllocation);
    if (!e)
        return fail(cudaErrorInvalidValue);
    if (!device_count())
        return fail(cudaErrorNoDevice);
    *e = new CUevent_st();
    (*e)->flags = 0;
    (*e)->device = device_current();
    live_add(*e, "event created", SIMT_CALLER);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t e) {
    SIMT_ENTER_FREE;
    if (!valid_event(e) || !live_remove(e, "event created"))
        return fail(cudaErrorInvalidResourceHandle);
    e->alive = false;
    e->op = nullptr;
    e->capture = nullptr;
    return simt_late_error;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t stream) {
    SIMT_ENTER(cudaErrorInvalidResourceHandle);
    cudaStream_t s = resolve(stream);
    if (!valid(s) || !valid_event(e) || s->device != e->device)
        return fail(cudaErrorInvalidResourceHandle);
    if (s->capture) {
        if (s->capture->broken)
            return fail(cudaErrorStreamCaptureInvalidated);
        e->capture = s->capture;
        e->tips = s->tips;
        e->op = nullptr;
        return cudaSuccess;
    }
    Work work;
    work.what = "event";
    work.pc = SIMT_CALLER;
    work.device = s->device;
    if (cudaError_t error = enqueue_work(stream, work))
        return error;
    e->capture = nullptr;
    e->tips.clear();
    e->op = s->last;
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t e) {
    SIMT_ENTER(cudaErrorLaunchFailure);
    if (!valid_event(e))
        return fail(cudaErrorInvalidResourceHandle);
    if (e->capture)
        return refuse_captured(e->capture, cudaErrorCapturedEvent);
    SIMT_NOT_IN_CAPTURE;
    wait_for(e->op);
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t e) {
    SIMT_ENTER(cudaErrorLaunchFailure);
    if (!valid_event(e))
        return fail(cudaErrorInvalidResourceHandle);
    if (e->capture)
        return refuse_captured(e->capture, cudaErrorCapturedEvent);
    SIMT_NOT_IN_CAPTURE;
    if (e->op && !e->op->done) {
        step(false);
        return cudaErrorNotReady;
    }
    wait_for(e->op);
    return cudaSuccess;
}

// Time that the emulation took between the two: positive, and no more than that.
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end) {
    SIMT_ENTER(cudaErrorInvalidValue);
    if (!ms)
        return fail(cudaErrorInvalidValue);
    if (!valid_event(start) || !valid_event(end) || ((start->flags | end->flags) & cudaEventDisableTiming) ||
        start->capture || end->capture || !start->op || !end->op)
        return fail(cudaErrorInvalidResourceHandle);
    if (!start->op->done || !end->op->done)
        return cudaErrorNotReady;
    *ms = std::max(1e-3f, float((end->op->time_s - start->op->time_s) * 1e3));
    return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *data) {
    SIMT_ENTER(cudaErrorInvalidValue);
    cudaStream_t s = resolve(stream);
    if (!function || !valid(s))
        return fail(function ? cudaErrorInvalidResourceHandle : cudaErrorInvalidValue);
    Work work;
    work.what = "host function";
    work.pc = SIMT_CALLER;
    work.device = s->device;
    work.run = [=] { function(data); };
    return enqueue_work(stream, work);
}

// Everything of the device is lost, its errors too.
cudaError_t cudaDeviceReset(void) {
    if (!device_count())
        return fail(cudaErrorNoDevice);
    int device = device_current();
    wait_for_device(device);
    for (void *p : device_allocations(device))
        device_release(p);
    std::vector<cudaStream_t> gone;
    for (cudaStream_t s : streams)
        if (s->device == device && live_remove(s, "stream created"))
            gone.push_back(s);
    for (cudaStream_t s : gone) {
        s->alive = false;
        streams.erase(s);
    }
    clear_errors();
    return cudaSuccess;
}
}
