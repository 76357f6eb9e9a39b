// What the files of the emulated host interfaces share: operations, streams, devices and errors. Not seen by host code.
#pragma once
#include "tests/simt/control.h"
#include "tests/simt/core.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

struct Op;
using OpRef = std::shared_ptr<Op>;
using Clock = std::vector<uint32_t>; // by chain (a stream, or a chain of graph nodes): how far it is known to be done

namespace simt {
// ---- schedule.cpp: operations, their order and the clocks
constexpr int kAllDevices = -1;

// Work of a stream as it is recorded; a graph keeps it and issues it at every launch.
struct Work {
    const char *what = "";        // "copy", a kernel's name
    const void *pc = nullptr;     // where the host asked for it; null for kernels, which their name says
    const void *kernel = nullptr; // what a graph update compares
    int device = 0;               // whose memory it may touch, or kAllDevices
    const void *source = nullptr; // pinned memory that it reads when it runs: the host must leave it alone until then
    size_t source_bytes = 0;      //
    void *target = nullptr;       // pinned memory that it writes
    size_t target_bytes = 0;      //
    std::function<void()> run = nullptr; // null: an event, a join
};
} // namespace simt

struct Op {
    simt::Work work;
    std::vector<OpRef> before, after; // emptied when it has run
    Clock known;                      // what has happened before it
    uint32_t launch = 0;              // its number in the shadow
    size_t unmet = 0;                 // of `before`
    bool done = false, needed = false;
    bool watched = false; // source_hash is valid
    uint64_t source_hash = 0;
    double time_s = 0; // when it ran
};

namespace simt {
uint32_t chain_new();
void chain_free(uint32_t chain, const OpRef &last); // reused once the host knows `last`
OpRef issue(uint32_t chain, const Work &work, const std::vector<OpRef> &before);
bool step(bool only_needed); // runs one operation; false: none is ready
void wait_for(const OpRef &op);
void wait_for_device(int device); // kAllDevices: every one
bool host_knows(const OpRef &op); // the host has waited for it
// Pinned memory that an operation not yet run (or not yet waited for) uses; "" where there is none.
std::string in_flight(const void *p, size_t bytes);
const char *interned(const std::string &);

// ---- error.cpp
// Counts a call; the error that a test wants of it, or the sticky one.
cudaError_t enter(const char *call, cudaError_t usual);
cudaError_t fail(cudaError_t e);                // sets the last error
bool told_to_fail(const char *call, int *code); // for the vendor libraries
cudaError_t sticky_error();
void clear_errors();
// First line of every call. _FREE: of those that do their work all the same, and return the error then.
#define SIMT_ENTER(usual)                                                                                              \
    if (cudaError_t simt_error = simt::enter(__func__, usual))                                                         \
    return simt_error
#define SIMT_ENTER_FREE const cudaError_t simt_late_error = simt::enter(__func__, cudaErrorUnknown)
#define SIMT_CALLER __builtin_return_address(0)

// ---- device.cpp
int device_count();
int device_current();
bool device_runs_kernels(); // built for it
size_t device_memory();     // bytes of each
bool device_reaches(int device, int other);

// ---- memory.cpp, beside core.h
void *device_allocate_on(int device, size_t bytes, const void *pc, bool usable_now);
int device_of(const void *p);   // -1: not device memory
size_t device_used(int device); // bytes
std::vector<void *> device_allocations(int device);
void device_visible_to(int device); // maps only what kernels of this device may touch; kAllDevices: everything
void check_device_range(const void *p, size_t bytes, const char *what, const void *pc);
void *pinned_allocate(size_t bytes, const void *pc);
bool pinned_release(void *p);
bool pinned_register(void *p, size_t bytes, bool add);
enum class Host { pageable, pinned, partly };
Host host_kind(const void *p, size_t bytes);

// ---- stream.cpp
struct Capture;
cudaStream_t resolve(cudaStream_t s); // the null stream of the current device by its other names
bool valid(cudaStream_t s);           // a resolved stream that was not destroyed
cudaError_t enqueue_work(cudaStream_t stream, const Work &work);
std::vector<OpRef> predecessors(cudaStream_t s);
bool break_captures(); // an unsafe call while a stream captures: true, and the captures are void
// First line of the calls that are unsafe while a stream captures (thread-local and global mode).
#define SIMT_NOT_IN_CAPTURE                                                                                            \
    if (simt::break_captures())                                                                                        \
    return simt::fail(cudaErrorStreamCaptureUnsupported)
} // namespace simt

// ---- the structs that the real header only declares. Never deleted, so that a stale handle is recognised.
struct CUgraph_st {
    struct Node {
        simt::Work work;
        std::vector<int> before;
    };
    std::vector<Node> nodes;
    bool alive = true;
};
namespace simt {
struct Capture {
    CUgraph_st *graph;
    cudaStream_t origin;
    cudaStreamCaptureMode mode;
    bool broken, ended;
};
} // namespace simt
struct CUstream_st {
    bool blocking;
    int device, priority;
    unsigned flags;
    uint32_t chain;
    OpRef last;
    std::shared_ptr<simt::Capture> capture;
    std::vector<int> tips; // last captured nodes
    bool alive = true;
};
struct CUevent_st {
    unsigned flags;
    int device;
    OpRef op;
    std::shared_ptr<simt::Capture> capture;
    std::vector<int> tips;
    bool alive = true;
};
struct CUgraphExec_st {
    std::vector<CUgraph_st::Node> nodes;
    std::vector<uint32_t> chain; // of each node
    OpRef last;
    bool alive = true;
};

namespace simt {
extern std::set<cudaStream_t> streams; // those created, and the null streams
} // namespace simt
