// The host side of the emulation: each mistake is caught under every seed, each correct use is silent.
#include "tests/simt/host_checks.h"

#include <cmath>
#include <vector>

namespace {
using namespace host_checks;

// Two streams, an event between them, pinned memory on both ends.
enum class Slip {
    none,
    no_event,
    no_wait,
    refilled,
    refilled_after,
    stream_left,
    event_left,
    memory_left,
    freed_early
};
int two_streams(Slip slip) {
    float *x, *y, *host, *back;
    cudaStream_t a, b;
    cudaEvent_t ready;
    OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
    OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
    OK(cudaEventCreateWithFlags(&ready, cudaEventDisableTiming));
    OK(cudaMallocHost(reinterpret_cast<void **>(&host), kBytes));
    OK(cudaMallocHost(reinterpret_cast<void **>(&back), kBytes));
    OK(cudaMalloc(reinterpret_cast<void **>(&x), kBytes));
    OK(cudaMalloc(reinterpret_cast<void **>(&y), kBytes));
    OK(cudaMemset(x, 0, kBytes));
    OK(cudaDeviceSynchronize()); // from here on a read of x too early reads something
    fill(host, 3);
    OK(cudaMemcpyAsync(x, host, kBytes, cudaMemcpyHostToDevice, a));
    if (slip == Slip::refilled)
        fill(host, 0);
    OK(cudaEventRecord(ready, a));
    if (slip != Slip::no_event)
        OK(cudaStreamWaitEvent(b, ready, 0));
    OK(host_toy_scale(y, x, 2, kCount, b));
    OK(cudaMemcpyAsync(back, y, kBytes, cudaMemcpyDeviceToHost, b));
    if (slip == Slip::freed_early)
        OK(cudaFreeHost(back));
    if (slip == Slip::no_wait)
        return all(back, 6) ? 1 : 7;
    if (slip == Slip::refilled_after) { // even where the copy has run: nobody waited for it
        cudaStreamQuery(a);
        cudaStreamQuery(b);
        host[0] = 1;
    }
    OK(cudaStreamSynchronize(b));
    if (slip == Slip::no_event) // whichever of the two ran first, the second is found
        OK(cudaDeviceSynchronize());
    SHOULD(all(back, 6));
    fill(host, 1); // b came after a: the copy is known to be done
    OK(cudaFreeHost(host));
    OK(cudaFreeHost(back));
    if (slip != Slip::memory_left)
        OK(cudaFree(x));
    OK(cudaFree(y));
    if (slip != Slip::event_left)
        OK(cudaEventDestroy(ready));
    if (slip != Slip::stream_left)
        OK(cudaStreamDestroy(a));
    OK(cudaStreamDestroy(b));
    return 0;
}

TEST(SimtHost, TwoStreams) {
    silent([] { return two_streams(Slip::none); });
}

TEST(SimtHost, MissingEventIsCaught) {
    caught("unordered", [] { return two_streams(Slip::no_event); });
}

TEST(SimtHost, ReadingBeforeTheWaitReadsPoison) {
    caught(
        "", [] { return two_streams(Slip::no_wait); }, 7);
}

TEST(SimtHost, PinnedSourceFilledAgainIsCaught) {
    caught("pinned memory changed", [] { return two_streams(Slip::refilled); });
    caught("pinned memory changed", [] { return two_streams(Slip::refilled_after); });
}

TEST(SimtHost, PinnedMemoryFreedInFlightIsCaught) {
    caught("pinned memory freed", [] { return two_streams(Slip::freed_early); });
}

TEST(SimtHost, LeaksAreNamed) {
    caught(
        "leak: stream created at host_test.cpp", [] { return two_streams(Slip::stream_left); }, 98);
    caught(
        "leak: event created at host_test.cpp", [] { return two_streams(Slip::event_left); }, 98);
    caught(
        "leak: device memory allocated at host_test.cpp", [] { return two_streams(Slip::memory_left); }, 98);
}

// One buffer of device memory, and what can be done wrong with it.
enum class Misuse {
    none,
    host_reads,
    after_free,
    freed_twice,
    copy_too_long,
    fill_too_long,
    host_pointer,
    uninitialised
};
int one_buffer(Misuse misuse) {
    float *x, *y, host[kCount + 1];
    fill(host, 2);
    OK(cudaMalloc(reinterpret_cast<void **>(&x), kBytes));
    OK(cudaMalloc(reinterpret_cast<void **>(&y), kBytes));
    if (misuse != Misuse::uninitialised)
        OK(cudaMemcpy(x, host, misuse == Misuse::copy_too_long ? kBytes + 4 : kBytes, cudaMemcpyHostToDevice));
    if (misuse == Misuse::fill_too_long)
        OK(cudaMemset(x, 0, kBytes + 1));
    if (misuse == Misuse::host_reads)
        return x[3] > 0;
    if (misuse == Misuse::after_free)
        OK(cudaFree(x));
    OK(host_toy_scale(y, misuse == Misuse::host_pointer ? host : x, 4, kCount, nullptr));
    OK(cudaMemcpy(host, y, kBytes, cudaMemcpyDeviceToHost));
    SHOULD(all(host, 8));
    OK(cudaFree(x));
    OK(cudaFree(y));
    if (misuse == Misuse::freed_twice)
        SHOULD(cudaFree(y) == cudaSuccess);
    return 0;
}

TEST(SimtHost, DeviceMemory) {
    silent([] { return one_buffer(Misuse::none); });
    caught("host access to device memory", [] { return one_buffer(Misuse::host_reads); });
    caught("freed", [] { return one_buffer(Misuse::after_free); });
    caught("runs past the end", [] { return one_buffer(Misuse::copy_too_long); });
    caught("runs past the end", [] { return one_buffer(Misuse::fill_too_long); });
    caught("host memory", [] { return one_buffer(Misuse::host_pointer); });
    caught("uninitialised", [] { return one_buffer(Misuse::uninitialised); });
    caught(
        "y) == cudaSuccess", [] { return one_buffer(Misuse::freed_twice); }, 1);
}

TEST(SimtHost, StreamOrderedAllocation) {
    auto check = [](bool other_stream) {
        float *x, *y, host[kCount];
        cudaStream_t a, b;
        OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
        OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
        OK(cudaMalloc(reinterpret_cast<void **>(&y), kBytes));
        OK(cudaMallocAsync(reinterpret_cast<void **>(&x), kBytes, a));
        fill(host, 1);
        OK(cudaMemcpyAsync(x, host, kBytes, cudaMemcpyHostToDevice, a));
        OK(host_toy_scale(y, x, 5, kCount, a));
        OK(cudaFreeAsync(x, other_stream ? b : a));
        OK(cudaMemcpyAsync(host, y, kBytes, cudaMemcpyDeviceToHost, a));
        SHOULD(all(host, 5));
        OK(cudaStreamSynchronize(b));
        OK(cudaFree(y));
        OK(cudaStreamDestroy(a));
        OK(cudaStreamDestroy(b));
        return 0;
    };
    silent([&] { return check(false); });
    caught("", [&] { return check(true); });
}

// y = 2x on the captured stream, z = 3x on one that is forked from it; replayed on changed data.
enum class Capture {
    none,
    eager,
    sync,
    allocation,
    null_stream,
    pageable,
    unjoined,
    wrong_end,
    foreign_event,
    conflict,
    event_sync,
    left
};
int fork_and_join(Capture slip, float *result) {
    float *x, *y, *z, host[kCount];
    cudaStream_t s, side;
    cudaEvent_t fork, join;
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t step = nullptr;
    OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
    OK(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking));
    OK(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
    OK(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
    for (float **p : {&x, &y, &z}) {
        OK(cudaMalloc(reinterpret_cast<void **>(p), kBytes));
        OK(cudaMemsetAsync(*p, 0, kBytes, s));
    }
    if (slip == Capture::foreign_event)
        OK(cudaEventRecord(join, side));
    float factor = 2;
    auto enqueue = [&]() -> int {
        OK(cudaEventRecord(fork, s));
        OK(cudaStreamWaitEvent(side, fork, 0));
        OK(host_toy_scale(y, x, factor, kCount, s));
        OK(host_toy_scale(slip == Capture::conflict ? y : z, x, 3, kCount, side));
        if (slip != Capture::foreign_event)
            OK(cudaEventRecord(join, side));
        if (slip == Capture::sync)
            SHOULD(cudaStreamSynchronize(s) == cudaErrorStreamCaptureUnsupported);
        if (slip == Capture::event_sync)
            SHOULD(cudaEventSynchronize(join) == cudaErrorCapturedEvent);
        void *more;
        if (slip == Capture::allocation)
            SHOULD(cudaMalloc(&more, 4) == cudaErrorStreamCaptureUnsupported);
        if (slip == Capture::null_stream)
            SHOULD(host_toy_scale(y, x, 1, kCount, nullptr) == cudaErrorStreamCaptureImplicit);
        if (slip == Capture::pageable)
            SHOULD(cudaMemcpyAsync(host, y, kBytes, cudaMemcpyDeviceToHost, s) == cudaErrorStreamCaptureUnsupported);
        if (slip == Capture::foreign_event)
            SHOULD(cudaStreamWaitEvent(s, join, 0) == cudaErrorStreamCaptureIsolation);
        else if (slip != Capture::unjoined && !(slip >= Capture::sync && slip <= Capture::pageable) &&
                 slip != Capture::event_sync)
            OK(cudaStreamWaitEvent(s, join, 0));
        cudaGetLastError();
        return 0;
    };
    if (slip != Capture::eager) {
        OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
        if (int bad = enqueue())
            return bad;
        if (slip == Capture::wrong_end) {
            SHOULD(cudaStreamEndCapture(side, &graph) == cudaErrorStreamCaptureUnmatched);
            SHOULD(cudaStreamEndCapture(s, &graph) == cudaErrorStreamCaptureInvalidated && !graph);
            return 3;
        }
        if (slip == Capture::unjoined) {
            SHOULD(cudaStreamEndCapture(s, &graph) == cudaErrorStreamCaptureUnjoined && !graph);
            return 3;
        }
        if (slip >= Capture::sync && slip != Capture::conflict && slip != Capture::left) {
            SHOULD(cudaStreamEndCapture(s, &graph) == cudaErrorStreamCaptureInvalidated && !graph);
            cudaStreamCaptureStatus status;
            OK(cudaStreamIsCapturing(s, &status));
            SHOULD(status == cudaStreamCaptureStatusNone);
            return 3;
        }
        OK(cudaStreamEndCapture(s, &graph));
        OK(cudaGraphInstantiate(&step, graph, 0));
        if (slip != Capture::left)
            OK(cudaGraphDestroy(graph));
        factor = 100; // what was recorded counts
    }
    for (int i = 1; i <= 3; i++) {
        fill(host, float(i));
        OK(cudaMemcpyAsync(x, host, kBytes, cudaMemcpyHostToDevice, s));
        if (slip == Capture::eager) {
            if (int bad = enqueue())
                return bad;
        } else
            OK(cudaGraphLaunch(step, s));
        OK(cudaMemcpyAsync(host, y, kBytes, cudaMemcpyDeviceToHost, s));
        SHOULD(all(host, 2 * float(i)));
        OK(cudaMemcpyAsync(host, z, kBytes, cudaMemcpyDeviceToHost, s));
        SHOULD(all(host, 3 * float(i)));
        *result = host[0];
    }
    if (step)
        OK(cudaGraphExecDestroy(step));
    OK(cudaEventDestroy(fork));
    OK(cudaEventDestroy(join));
    for (float *p : {x, y, z})
        OK(cudaFree(p));
    OK(cudaStreamDestroy(s));
    OK(cudaStreamDestroy(side));
    return 0;
}

TEST(SimtHost, ReplayEqualsEager) {
    float result;
    silent([&] { return fork_and_join(Capture::none, &result); });
    silent([&] { return fork_and_join(Capture::eager, &result); });
}

TEST(SimtHost, CaptureMistakesAreRefused) {
    float result;
    for (Capture slip : {Capture::sync, Capture::allocation, Capture::null_stream, Capture::pageable, Capture::unjoined,
                         Capture::wrong_end, Capture::foreign_event, Capture::event_sync})
        caught(
            "", [&] { return fork_and_join(slip, &result); }, 3);
}

TEST(SimtHost, BranchesThatConflictAreCaught) {
    float result;
    caught("unordered", [&] { return fork_and_join(Capture::conflict, &result); });
    caught(
        "leak: graph created", [&] { return fork_and_join(Capture::left, &result); }, 98);
}

TEST(SimtHost, GraphsAreUpdatedInPlace) {
    silent([] {
        float *x, host[kCount];
        cudaStream_t s;
        OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
        OK(cudaMalloc(reinterpret_cast<void **>(&x), kBytes));
        auto capture = [&](float factor, int launches, cudaGraph_t *graph) -> int {
            OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
            for (int i = 0; i < launches; i++)
                OK(host_toy_scale(x, x, factor, kCount, s));
            OK(cudaStreamEndCapture(s, graph));
            return 0;
        };
        cudaGraph_t doubles, triples, longer;
        SHOULD(!capture(2, 1, &doubles) && !capture(3, 1, &triples) && !capture(3, 2, &longer));
        cudaGraphExec_t step;
        cudaGraphExecUpdateResultInfo info;
        OK(cudaGraphInstantiate(&step, doubles, 0));
        fill(host, 1);
        OK(cudaMemcpyAsync(x, host, kBytes, cudaMemcpyHostToDevice, s));
        OK(cudaGraphLaunch(step, s));
        OK(cudaGraphExecUpdate(step, triples, &info));
        OK(cudaGraphLaunch(step, s));
        OK(cudaMemcpyAsync(host, x, kBytes, cudaMemcpyDeviceToHost, s));
        SHOULD(all(host, 6));
        SHOULD(cudaGraphExecUpdate(step, longer, &info) == cudaErrorGraphExecUpdateFailure);
        SHOULD(info.result == cudaGraphExecUpdateErrorTopologyChanged);
        SHOULD(simt_launches("scale") == 2);
        for (cudaGraph_t g : {doubles, triples, longer})
            OK(cudaGraphDestroy(g));
        OK(cudaGraphExecDestroy(step));
        OK(cudaStreamDestroy(s));
        OK(cudaFree(x));
        return 0;
    });
}

TEST(SimtHost, EventsTellTimeAndProgress) {
    silent([] {
        cudaEvent_t start, end, plain;
        cudaStream_t s;
        float *x, ms = 0;
        OK(cudaStreamCreate(&s));
        OK(cudaEventCreate(&start));
        OK(cudaEventCreate(&end));
        OK(cudaEventCreateWithFlags(&plain, cudaEventDisableTiming));
        OK(cudaMalloc(reinterpret_cast<void **>(&x), kBytes));
        SHOULD(cudaEventElapsedTime(&ms, start, end) == cudaErrorInvalidResourceHandle); // not recorded
        OK(cudaEventQuery(start));
        OK(cudaEventRecord(start, s));
        OK(cudaMemsetAsync(x, 0, kBytes, s));
        OK(cudaEventRecord(end, s));
        OK(cudaEventRecord(plain, s));
        SHOULD(cudaEventElapsedTime(&ms, start, end) == cudaErrorNotReady);
        while (cudaEventQuery(end) == cudaErrorNotReady) {
        }
        OK(cudaEventElapsedTime(&ms, start, end));
        SHOULD(ms > 0 && std::isfinite(ms));
        OK(cudaEventSynchronize(plain));
        SHOULD(cudaEventElapsedTime(&ms, start, plain) == cudaErrorInvalidResourceHandle);
        cudaGetLastError();
        for (cudaEvent_t e : {start, end, plain})
            OK(cudaEventDestroy(e));
        OK(cudaStreamDestroy(s));
        SHOULD(cudaMemsetAsync(x, 0, 4, s) == cudaErrorInvalidResourceHandle); // a stream that is gone
        SHOULD(cudaEventRecord(end, nullptr) == cudaErrorInvalidResourceHandle);
        OK(cudaFree(x));
        return 0;
    });
}

TEST(SimtHost, ErrorsLastUntilAsked) {
    silent([] {
        float *x;
        OK(cudaMalloc(reinterpret_cast<void **>(&x), kBytes));
        SHOULD(host_toy_scale(x, x, 1, 0, nullptr) == cudaErrorInvalidConfiguration); // an empty grid
        SHOULD(cudaGetLastError() == cudaSuccess);
        SHOULD(cudaMemcpy(x, &x, 4, cudaMemcpyDeviceToHost) == cudaErrorInvalidMemcpyDirection);
        SHOULD(cudaPeekAtLastError() == cudaErrorInvalidMemcpyDirection);
        SHOULD(cudaGetLastError() == cudaErrorInvalidMemcpyDirection && cudaGetLastError() == cudaSuccess);
        SHOULD(!strcmp(cudaGetErrorName(cudaErrorIllegalAddress), "cudaErrorIllegalAddress"));
        // A sticky one: everything fails with it, and what is freed is gone.
        simt_fail("cudaDeviceSynchronize", 1, cudaErrorIllegalAddress);
        SHOULD(cudaDeviceSynchronize() == cudaErrorIllegalAddress && simt_failed());
        SHOULD(cudaGetLastError() == cudaErrorIllegalAddress && cudaGetLastError() == cudaErrorIllegalAddress);
        SHOULD(cudaMemset(x, 0, 4) == cudaErrorIllegalAddress);
        SHOULD(cudaFree(x) == cudaErrorIllegalAddress);
        OK(cudaDeviceReset());
        SHOULD(cudaGetLastError() == cudaSuccess);
        return 0;
    });
}

TEST(SimtHost, AnyCallCanBeMadeToFail) {
    silent([] {
        void *p = nullptr;
        simt_fail("cudaMalloc", 2, 0);
        OK(cudaMalloc(&p, 8));
        void *q = nullptr;
        SHOULD(cudaMalloc(&q, 8) == cudaErrorMemoryAllocation && !q);
        OK(cudaMalloc(&q, 8));
        simt_fail(nullptr, 1, cudaErrorUnknown);
        SHOULD(cudaFree(p) == cudaErrorUnknown); // done all the same
        OK(cudaFree(q));
        simt_fail("cudaLaunchKernel", 1, 0);
        SHOULD(host_toy_scale(nullptr, nullptr, 1, 1, nullptr) == cudaErrorLaunchFailure);
        OK(cudaDeviceReset());
        return 0;
    });
}
} // namespace
