// A block while it runs: its fibers and what they wait for. For block.cpp, warp.cpp and shadow.cpp.
#ifndef MMC_TESTS_SIMT_BLOCK_H
#define MMC_TESTS_SIMT_BLOCK_H

#include "tests/simt/core.h"

#include <boost/context/detail/fcontext.hpp>

namespace simt {
constexpr int kMaxWarps = kMaxThreads / kWarp;

enum class State : uint8_t { ready, at_barrier, at_warp, done };

struct Copy { // a cp.async in flight
    void *to;
    const void *from;
    int bytes;
    const void *pc;
};

struct Fiber {
    boost::context::detail::fcontext_t context = nullptr;
    uint3 tid{};
    int index = 0, stack = -1;
    State state = State::done;
    bool fenced = false;         // has executed __threadfence
    uint16_t clock = 1;          // counts what orders this thread's accesses
    const void *where = nullptr; // the barrier or collective it waits at
    std::vector<Copy> copies;
    std::vector<unsigned> groups; // committed groups: copies in each
    unsigned open = 0;            // copies not committed yet
};

struct Block {
    Fiber fiber[kMaxThreads];
    uint16_t barrier_clock[kMaxThreads]; // accesses of thread t below it are ordered by __syncthreads
    uint16_t known[kMaxThreads][kWarp];  // known[t][l]: clock of lane l up to which t has synchronised with it
    uint32_t ready[kMaxWarps];           // lanes that can run
    uint32_t ready_warps;
    int threads, live, waiting;
    uint3 index;
    uint32_t linear;
    Call call; // parameters lie here while the grid runs
    alignas(128) char dynamic[kMaxDynamic];
};
extern Block block;
constexpr size_t kStack = size_t(128) << 10; // of a fiber
extern char *stacks;
inline bool is_local(const void *p) { // while a kernel runs
    return static_cast<size_t>(static_cast<const char *>(p) - stacks) < kStack * kMaxThreads;
}

// The lanes of a warp that `mask` names come together; the last one to arrive runs `work` for all.
struct Meeting {
    unsigned mask, arrived; // mask 0: free
    const void *pc;
    const char *what;
    uint64_t value[kWarp];  // what each lane brings
    uint64_t result[kWarp]; // what each lane gets; set to its own value before `work`
    int source[kWarp];
};
using Joint = void (*)(Meeting &);
uint64_t meet(const char *what, unsigned mask, uint64_t value, int source, Joint work, const void *pc);

// ---- shadow.cpp
extern bool checking; // some object of the program is instrumented
void shadow_new_grid();
void shadow_new_block();
void shadow_end_grid();
} // namespace simt
#endif
