// Operations of streams and graphs: a graph of work whose edges are stream order, events, the null stream's rule, graph
// edges and groups of NCCL calls. Nothing runs before the host waits; then operations run in an order drawn by the
// seed. Each has a vector clock of what happened before it, so that two operations that touch the same bytes without an
// order between them are found whichever order happened to run.
#include "tests/simt/host.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace simt {
uint32_t launch_id;

namespace {
struct Issued { // by launch id
    uint32_t chain, position;
    const char *what;
    const void *pc;
};
struct Retired {
    uint32_t chain;
    OpRef last;
};
constexpr size_t kPendingMax = 1000;

struct Schedule {
    std::vector<Issued> issued{{0, 0, "?", nullptr}};
    std::vector<uint32_t> chain_length;
    std::vector<Retired> retired;
    Clock host_known, current_known;
    std::vector<OpRef> ready;
    std::vector<OpRef> in_flight; // use pinned memory, and the host has not waited for them
    size_t pending = 0;
    uint64_t random = 0;
    bool lazy = false, seeded = false;
};
// Never destroyed: work may be found unfinished at exit.
Schedule &schedule() {
    static auto &s = *new Schedule;
    if (!s.seeded) {
        const char *seed = getenv("MMC_SIMT_SEED");
        s.seeded = true;
        simt_seed(seed ? unsigned(strtoul(seed, nullptr, 10)) : 1);
    }
    return s;
}

void join(Clock &a, const Clock &b) {
    if (a.size() < b.size())
        a.resize(b.size());
    for (size_t i = 0; i < b.size(); i++)
        a[i] = std::max(a[i], b[i]);
}

bool covers(const Clock &known, uint32_t launch) {
    const Issued &i = schedule().issued[launch];
    return i.chain < known.size() && known[i.chain] >= i.position;
}

uint64_t hash_of(const void *p, size_t bytes) {
    const auto *c = static_cast<const unsigned char *>(p);
    uint64_t h = 1469598103934665603u, word;
    for (; bytes >= 8; bytes -= 8, c += 8) {
        memcpy(&word, c, 8);
        h = (h ^ word) * 1099511628211u;
        h ^= h >> 29;
    }
    for (size_t i = 0; i < bytes; i++)
        h = (h ^ c[i]) * 1099511628211u;
    return h;
}

bool overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes) {
    const auto *x = static_cast<const char *>(a), *y = static_cast<const char *>(b);
    return a && b && x < y + b_bytes && y < x + a_bytes;
}

void check_source(const Op &op) {
    if (op.watched && hash_of(op.work.source, op.work.source_bytes) != op.source_hash)
        stop("pinned memory changed while '%s' was to read it: wait for the copy before the buffer is filled again",
             operation_name(op.launch).c_str());
}

// What the host has waited for it may change.
void release_known() {
    auto &list = schedule().in_flight;
    auto known = [](const OpRef &op) {
        if (!host_knows(op))
            return false;
        check_source(*op);
        return true;
    };
    list.erase(std::remove_if(list.begin(), list.end(), known), list.end());
}

void execute(const OpRef &op) {
    Schedule &s = schedule();
    s.pending--;
    launch_id = op->launch;
    s.current_known = op->known;
    check_source(*op);
    if (op->work.target) // from here on the stream itself may have changed what earlier copies have read
        for (OpRef &other : s.in_flight)
            if (overlap(op->work.target, op->work.target_bytes, other->work.source, other->work.source_bytes)) {
                if (covers(op->known, other->launch))
                    check_source(*other);
                other->watched = false;
            }
    if (op->work.run) {
        device_visible_to(op->work.device);
        op->work.run();
        shadow_end_operation();
        device_visible_to(kAllDevices);
    }
    op->time_s = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    op->done = true;
    op->work.run = nullptr;
    for (OpRef &next : op->after)
        if (!--next->unmet)
            s.ready.push_back(next);
    op->before.clear();
    op->after.clear();
}

void mark_needed(const OpRef &last) {
    std::vector<Op *> todo{last.get()};
    while (!todo.empty()) {
        Op *op = todo.back();
        todo.pop_back();
        if (op->done || op->needed)
            continue;
        op->needed = true;
        for (OpRef &b : op->before)
            todo.push_back(b.get());
    }
}
} // namespace

uint32_t random_below(uint32_t n) {
    uint64_t &r = schedule().random;
    r = r * 6364136223846793005u + 1442695040888963407u;
    return uint32_t((r >> 33) * uint64_t(n) >> 31);
}

const char *interned(const std::string &text) {
    static auto &all = *new std::set<std::string>;
    return all.insert(text).first->c_str();
}

bool ordered_before_current(uint32_t launch) {
    return covers(schedule().current_known, launch);
}

std::string operation_name(uint32_t launch) {
    const Issued &i = schedule().issued[launch];
    return i.pc ? std::string(i.what) + " issued at " + source_line(i.pc) : i.what;
}

bool host_knows(const OpRef &op) {
    return !op || (op->done && covers(schedule().host_known, op->launch));
}

uint32_t chain_new() {
    Schedule &s = schedule();
    for (size_t i = 0; i < s.retired.size(); i++)
        if (host_knows(s.retired[i].last)) {
            uint32_t chain = s.retired[i].chain;
            s.retired.erase(s.retired.begin() + long(i));
            return chain;
        }
    s.chain_length.push_back(0);
    return uint32_t(s.chain_length.size() - 1);
}

void chain_free(uint32_t chain, const OpRef &last) {
    schedule().retired.push_back({chain, last});
}

OpRef issue(uint32_t chain, const Work &work, const std::vector<OpRef> &before) {
    Schedule &s = schedule();
    auto op = std::make_shared<Op>();
    op->work = work;
    op->known = s.host_known;
    op->launch = uint32_t(s.issued.size());
    for (const OpRef &b : before) {
        if (!b)
            continue;
        join(op->known, b->known);
        if (b->done)
            continue;
        op->before.push_back(b);
        b->after.push_back(op);
        op->unmet++;
    }
    if (op->known.size() <= chain)
        op->known.resize(chain + 1);
    op->known[chain] = ++s.chain_length[chain];
    s.issued.push_back({chain, s.chain_length[chain], work.what, work.pc});
    if (work.source || work.target) {
        // A source that an earlier copy of the stream has still to fill cannot be watched.
        op->watched = work.source != nullptr;
        for (const OpRef &other : s.in_flight)
            if (!other->done && overlap(work.source, work.source_bytes, other->work.target, other->work.target_bytes))
                op->watched = false;
        if (op->watched)
            op->source_hash = hash_of(work.source, work.source_bytes);
        s.in_flight.push_back(op);
    }
    s.pending++;
    if (!op->unmet)
        s.ready.push_back(op);
    while (s.pending > kPendingMax)
        step(false);
    return op;
}

bool step(bool only_needed) {
    Schedule &s = schedule();
    std::vector<size_t> choice;
    for (size_t i = 0; i < s.ready.size(); i++)
        if (!only_needed || s.ready[i]->needed)
            choice.push_back(i);
    if (choice.empty())
        return false;
    size_t i = choice[random_below(uint32_t(choice.size()))];
    OpRef op = s.ready[i];
    s.ready.erase(s.ready.begin() + long(i));
    DeviceOpen open;
    execute(op);
    return true;
}

void wait_for(const OpRef &op) {
    if (!op)
        return;
    DeviceOpen open;
    mark_needed(op);
    while (!op->done)
        if (!step(schedule().lazy))
            stop("hang: '%s' can never run", operation_name(op->launch).c_str());
    join(schedule().host_known, op->known);
    release_known();
}

std::string in_flight(const void *p, size_t bytes) {
    for (const OpRef &op : schedule().in_flight)
        if (!host_knows(op) && (overlap(p, bytes, op->work.source, op->work.source_bytes) ||
                                overlap(p, bytes, op->work.target, op->work.target_bytes)))
            return operation_name(op->launch);
    return "";
}

extern "C" void simt_seed(unsigned seed) {
    Schedule &s = schedule();
    s.random = seed * uint64_t(2654435761u) + 1;
    s.lazy = seed % 2;
}
} // namespace simt
