// Runs a grid on one thread of the host: every CUDA thread a fiber, the blocks one after another in shuffled order.
//
// A fiber that has to wait picks the next one and jumps to it; there is no scheduler between them. A fiber that ends
// hands its stack to one that has not started, so that a kernel without barriers runs on one warm stack.
#include "tests/simt/block.h"

#include <algorithm>
#include <numeric>
#include <sys/mman.h>

namespace simt {
namespace ctx = boost::context::detail;
Block block;
Fiber *current;
uint64_t switches;
char *stacks;

namespace {
// A guard page lies below each stack; the tops are spread over the cache sets, which equal offsets would share.
constexpr size_t kPage = 4096;
std::vector<int> free_stacks;
int stack_to_free = -1;
Fiber host; // where run_grid waits
Fiber *leaving = &host;
uint32_t draw = 1; // state of the generator that orders the lanes
uint32_t restless; // mask of drawn bits: a lane hands over to another warp where they are all zero
int barrier_sum, barrier_sum_result;

uint32_t next_draw() {
    draw ^= draw << 13;
    draw ^= draw >> 17;
    draw ^= draw << 5;
    return draw;
}

void make_stacks() {
    void *p =
        mmap(nullptr, kStack * kMaxThreads, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        stop("cannot map %zu bytes for the stacks of fibers", kStack * kMaxThreads);
    }
    stacks = static_cast<char *>(p);
    for (int i = kMaxThreads; i-- > 0;) {
        mprotect(stacks + static_cast<size_t>(i) * kStack, kPage, PROT_NONE);
        free_stacks.push_back(i);
    }
}

void set_ready(Fiber &f) {
    f.state = State::ready;
    block.ready[f.index / kWarp] |= 1u << f.index % kWarp;
    block.ready_warps |= 1u << f.index / kWarp;
}

// A position of a set bit, the first one from a drawn position on.
int drawn_bit(uint32_t bits) {
    uint32_t turn = next_draw() & 31, turned = turn ? bits >> turn | bits << (32 - turn) : bits;
    return static_cast<int>((static_cast<uint32_t>(__builtin_ctz(turned)) + turn) & 31);
}

// The fiber that runs next; null: none can.
Fiber *pick() {
    if (!block.ready_warps) {
        return nullptr;
    }
    int warp = current ? current->index / kWarp : 0;
    if (!block.ready[warp] || !(next_draw() & restless)) {
        warp = drawn_bit(block.ready_warps);
    }
    int lane = drawn_bit(block.ready[warp]);
    block.ready[warp] &= ~(1u << lane);
    if (!block.ready[warp]) {
        block.ready_warps &= ~(1u << warp);
    }
    return &block.fiber[warp * kWarp + lane];
}

void arrive(ctx::transfer_t from) {
    leaving->context = from.fctx;
    if (stack_to_free >= 0) {
        free_stacks.push_back(stack_to_free);
        stack_to_free = -1;
    }
}

void barrier_if_complete();
void end_of_thread();

[[noreturn]] void enter(ctx::transfer_t from) {
    arrive(from);
    for (;;) {
        block.call.invoke(block.call.kernel, block.call.parameters);
        end_of_thread();
        Fiber *next = pick();
        int stack = current->stack;
        if (next && next->stack < 0) {
            next->stack = stack;
            current = next;
            continue;
        }
        stack_to_free = stack;
        leaving = current;
        current = next;
        switches++;
        ctx::jump_fcontext(next ? next->context : host.context, nullptr);
    }
}

void start(Fiber &f) {
    f.stack = free_stacks.back();
    free_stacks.pop_back();
    size_t stagger = static_cast<size_t>(f.stack) * 5 % 61 * 64;
    char *top = stacks + static_cast<size_t>(f.stack + 1) * kStack - stagger;
    f.context = ctx::make_fcontext(top, kStack - kPage - stagger, enter);
}

void switch_to(Fiber *next) {
    Fiber *from = current;
    if (from && from == next) {
        return;
    }
    if (next && next->stack < 0) {
        start(*next);
    }
    leaving = from ? from : &host;
    current = next;
    switches++;
    arrive(ctx::jump_fcontext(next ? next->context : host.context, nullptr));
}

void wait_as(State state, const void *pc) {
    current->state = state;
    current->where = pc;
    switch_to(pick());
}

Meeting meetings[kMaxWarps][4]; // groups of lanes that wait at once

// Two return addresses are the same call for the reader if they lie on one line: the compiler copies code.
bool same_line(const void *a, const void *b) {
    return a == b || source_line(a) == source_line(b);
}

void barrier_if_complete() {
    if (!block.waiting || block.waiting != block.live) {
        return;
    }
    const Fiber *first = nullptr;
    for (int i = 0; i < block.threads; i++) {
        Fiber &f = block.fiber[i];
        if (f.state == State::at_barrier) {
            if (first && !same_line(f.where, first->where)) {
                current = &f;
                stop("divergent barrier: thread %d at %s, thread %d at %s", first->index,
                     source_line(first->where).c_str(), i, source_line(f.where).c_str());
            }
            first = first ? first : &f;
            set_ready(f);
        }
        block.barrier_clock[i] = ++f.clock;
        if (f.clock == UINT16_MAX) {
            stop("more than 65000 barriers in one block: widen the clocks of the shadow");
        }
    }
    block.waiting = 0;
    barrier_sum_result = barrier_sum;
    barrier_sum = 0;
}

int barrier_at(int predicate, const void *pc) {
    barrier_sum += predicate != 0;
    block.waiting++;
    current->state = State::at_barrier;
    current->where = pc;
    barrier_if_complete();
    switch_to(pick());
    return barrier_sum_result;
}

void end_of_thread() {
    Fiber &f = *current;
    if (!f.copies.empty()) {
        stop("thread ends with cp.async of %s not waited for", source_line(f.copies[0].pc).c_str());
    }
    f.state = State::done;
    block.live--;
    for (const Meeting &m : meetings[f.index / kWarp]) {
        if (m.mask >> f.index % kWarp & 1) {
            stop("lane %d ends, but %s at %s with mask %08x waits for it", f.index % kWarp, m.what,
                 source_line(m.pc).c_str(), m.mask);
        }
    }
    barrier_if_complete();
}

[[noreturn]] void deadlock() {
    for (int i = 0; i < block.threads; i++) {
        current = &block.fiber[i];
        for (const Meeting &m : meetings[i / kWarp]) {
            if (current->state == State::at_warp && m.mask >> i % kWarp & m.arrived >> i % kWarp & 1) {
                int absent = __builtin_ctz(m.mask & ~m.arrived);
                stop("deadlock: %s at %s with mask %08x has lanes %08x only; lane %d waits at %s", m.what,
                     source_line(m.pc).c_str(), m.mask, m.arrived, absent,
                     source_line(block.fiber[i / kWarp * kWarp + absent].where).c_str());
            }
        }
    }
    stop("deadlock: %d threads live, %d at __syncthreads", block.live, block.waiting);
}

void reset_thread(int i) {
    Fiber &f = block.fiber[i];
    int x = static_cast<int>(block.call.block.x), y = static_cast<int>(block.call.block.y);
    f.index = i;
    f.tid = {static_cast<unsigned>(i % x), static_cast<unsigned>(i / x % y), static_cast<unsigned>(i / (x * y))};
    f.stack = -1;
    f.clock = 1;
    f.fenced = false;
    f.copies.clear();
    f.groups.clear();
    f.open = 0;
    set_ready(f);
}

void run_block() {
    shadow_new_block();
    memset(block.barrier_clock, 0, sizeof block.barrier_clock);
    memset(block.known, 0, sizeof block.known[0] * static_cast<size_t>(block.threads));
    memset(block.ready, 0, sizeof block.ready);
    block.ready_warps = 0;
    block.live = block.threads;
    block.waiting = 0;
    barrier_sum = 0;
    for (int i = 0; i < block.threads; i++) {
        reset_thread(i);
    }
    switch_to(pick());
    if (block.live) {
        deadlock();
    }
}
} // namespace

bool on_fiber_stack(const void *p) {
    return stacks && is_local(p);
}

const Call &current_call() {
    return block.call;
}

std::string place() {
    if (!current) {
        return "";
    }
    char text[400];
    uint3 b = block.index, t = current->tid;
    std::string name = block.call.name;
    if (name[0] == '(') { // a template's name stands in parentheses in MMC_LAUNCH
        name = name.substr(1, name.size() - 2);
    }
    snprintf(text, sizeof text, " [%s, block %u,%u,%u, thread %u,%u,%u]", name.c_str(), b.x, b.y, b.z, t.x, t.y, t.z);
    return text;
}

void barrier() {
    barrier_at(0, __builtin_return_address(0));
}
int barrier_count(int predicate) {
    return barrier_at(predicate, __builtin_return_address(0));
}
int barrier_or(int predicate) {
    return barrier_at(predicate, __builtin_return_address(0)) != 0;
}
int barrier_and(int predicate) {
    return barrier_at(!predicate, __builtin_return_address(0)) == 0;
}

uint64_t meet(const char *what, unsigned mask, uint64_t value, int source, Joint work, const void *pc) {
    Fiber &me = *current;
    int warp = me.index / kWarp, lane = me.index % kWarp, first = warp * kWarp;
    int lanes = std::min(kWarp, block.threads - first);
    mask &= lanes == kWarp ? ~0u : (1u << lanes) - 1; // a mask may name lanes that the block does not have
    if (!(mask >> lane & 1)) {
        stop("lane %d is not in the mask %08x of its own %s at %s", lane, mask, what, source_line(pc).c_str());
    }
    Meeting *m = nullptr;
    for (Meeting &candidate : meetings[warp]) {
        if (candidate.mask == mask) {
            m = &candidate;
            break;
        }
        if (!candidate.mask && !m) {
            m = &candidate;
        }
    }
    if (!m) {
        stop("more than 4 groups of lanes of one warp wait at once at %s", source_line(pc).c_str());
    }
    if (!m->mask) {
        m->mask = mask;
        m->arrived = 0;
        m->pc = pc;
        m->what = what;
        for (int i = 0; i < lanes; i++) {
            if (mask >> i & 1 && block.fiber[first + i].state == State::done) {
                stop("%s at %s with mask %08x, but lane %d has ended", what, source_line(pc).c_str(), mask, i);
            }
        }
    } else if ((m->what != what && strcmp(m->what, what) != 0) || !same_line(m->pc, pc)) {
        stop("divergent warp: %s at %s, where other lanes of mask %08x are in %s at %s", what, source_line(pc).c_str(),
             mask, m->what, source_line(m->pc).c_str());
    }
    m->arrived |= 1u << lane;
    m->value[lane] = m->result[lane] = value;
    m->source[lane] = source;
    if (m->arrived != mask) {
        wait_as(State::at_warp, pc);
        return m->result[lane];
    }
    work(*m);
    me.where = pc;
    for (uint32_t rest = mask & ~(1u << lane); rest; rest &= rest - 1) {
        set_ready(block.fiber[first + __builtin_ctz(rest)]);
    }
    m->mask = 0;
    uint64_t mine = m->result[lane];
    if (!(next_draw() & 3)) { // the last to arrive goes on first, or not
        set_ready(me);
        switch_to(pick());
    }
    return mine;
}

void run_grid(const Call &call) {
    if (!stacks) {
        make_stacks();
    }
    block.call = call;
    dim3 grid = call.grid;
    block.threads = static_cast<int>(call.block.x * call.block.y * call.block.z);
    memset(meetings, 0, sizeof meetings);
    draw = random_below(0x7fffffff) + 1;
    static const uint32_t kinds[] = {~0u, 31, 1}; // never, seldom, every second time
    restless = kinds[random_below(3)];
    shadow_new_grid();
    uint32_t n = grid.x * grid.y * grid.z;
    std::vector<uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    for (uint32_t i = n; i > 1; i--) {
        std::swap(order[i - 1], order[random_below(i)]);
    }
    for (uint32_t b : order) {
        block.linear = b;
        block.index = {b % grid.x, b / grid.x % grid.y, b / (grid.x * grid.y)};
        run_block();
    }
    shadow_end_grid();
}

uint3 thread_idx() {
    return current->tid;
}
uint3 block_idx() {
    return block.index;
}
dim3 block_dim() {
    return block.call.block;
}
dim3 grid_dim() {
    return block.call.grid;
}
int lane() {
    return current->index % kWarp;
}
void *dynamic_shared() {
    return block.dynamic;
}
unsigned active_mask() {
    return 1u << lane(); // lanes may have parted anywhere
}
void thread_fence() {
    current->fenced = true;
}
} // namespace simt
