// Every access of a kernel: is it inside, initialised, aligned, and ordered after the accesses of other threads?
//
// g++ -fsanitize=thread puts a call before every load and store. The calls are implemented here, instead of in libtsan,
// which is not linked. One constructor of an instrumented object calls __tsan_init: so the checks are on in programs
// that have such objects, and off in the others.
//
// Shadow: per granule of 4 bytes one byte of state and one cell of 64 bytes with the last two writes and two reads
// (two, so that a writer that has itself read still meets another reader; two writes of different bytes of a granule).
// Where all accesses of an aligned group of 16 bytes were 16 bytes wide, its first cell stands for all four.
#include "tests/simt/block.h"

#include <algorithm>
#include <map>
#include <sys/mman.h>
#include <unordered_map>

extern "C" char __executable_start, _end;

namespace simt {
bool checking;

namespace {
struct Access {
    uint32_t launch, block, pc;
    uint32_t thread : 10, mask : 4, kind : 2, clock : 16;
};
struct Cell {
    Access write[2], read[2];
};
static_assert(sizeof(Access) == 16 && sizeof(Cell) == 64, "a cell is a cache line");
struct Region {
    const char *name;
    char *base;
    size_t bytes;
    uint8_t *state; // per granule: low half addressable bytes, high half initialised bytes
    Cell *cells;
    uint8_t *wide; // per 16 bytes: the first cell stands for all four
    bool shared;
};
Region device_region{"device memory", nullptr, 0, nullptr, nullptr, nullptr, false};
Region static_region{"shared memory", nullptr, 0, nullptr, nullptr, nullptr, true};
Region dynamic_region{"dynamic shared memory", nullptr, 0, nullptr, nullptr, nullptr, true};
const KernelSymbols *kernel;
uint32_t ordered_launch; // the last one that ordered_before_current confirmed

template <class T> T *reserve(size_t count) {
    void *p =
        mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        stop("cannot reserve %zu bytes of addresses for the shadow", count * sizeof(T));
    }
    return static_cast<T *>(p);
}
void make_region(Region &r, char *base, size_t bytes) {
    r.base = base;
    r.bytes = bytes;
    r.state = reserve<uint8_t>(bytes / 4 + 4);
    r.cells = reserve<Cell>(bytes / 4 + 4);
    r.wide = reserve<uint8_t>(bytes / 16 + 1);
}

const char *verb(unsigned kind) {
    static const char *const names[] = {"read", "write", "atomic", "cp.async write"};
    return names[kind];
}
std::string line(const Access &a) {
    return a.pc ? source_line(&__executable_start + a.pc) : "a stream operation";
}

// "tile + 12" or "4 bytes past tile (64 bytes)"
std::string shared_place(const char *p) {
    std::string text;
    for (const SharedVariable &v : kernel->shared) {
        const char *from = static_region.base + v.offset;
        if (p >= from && p < from + v.bytes) {
            return v.name + " + " + std::to_string(p - from);
        }
        if (p >= from + v.bytes && p < from + v.bytes + 256 && text.empty()) {
            text = std::to_string(p - from - static_cast<long>(v.bytes)) + " bytes past the end of " + v.name + " (" +
                   std::to_string(v.bytes) + " bytes)";
        }
    }
    return text.empty() ? "no variable of this kernel" : text;
}
std::string what(const Region &r, size_t granule) {
    const char *p = r.base + granule * 4;
    if (&r == &device_region) {
        return "device memory, " + describe(p);
    }
    if (&r == &static_region) {
        return "shared memory, " + shared_place(p);
    }
    long offset = static_cast<long>(granule * 4), size = static_cast<long>(block.call.smem);
    return "dynamic shared memory, " + (offset < size ? "byte " + std::to_string(offset)
                                                      : std::to_string(offset - size) + " bytes past the end of " +
                                                            std::to_string(size) + " bytes");
}

[[noreturn]] void conflict(const Region &r, size_t granule, const Access &old, const Access &now) {
    std::string at = what(r, granule);
    if (old.launch != now.launch) {
        stop("unordered operations on %s: %s in '%s' at %s, %s in '%s' at %s", at.c_str(), verb(old.kind),
             operation_name(old.launch).c_str(), line(old).c_str(), verb(now.kind), operation_name(now.launch).c_str(),
             line(now).c_str());
    }
    bool pending = old.kind == static_cast<unsigned>(Kind::async_write);
    stop("%s on %s: %s at %s by block %u thread %u, %s at %s", pending ? "cp.async not waited for" : "race", at.c_str(),
         verb(old.kind), line(old).c_str(), old.block, old.thread, verb(now.kind), line(now).c_str());
}

// "The last block sums up": a fence and then an atomic hand over what the block did before; an atomic on the same
// address receives it. Kept per block: what a block does after its atomic counts as handed over too.
using Blocks = std::vector<uint64_t>;
std::unordered_map<const void *, Blocks> handed_over;
Blocks received; // by the running block
void join(Blocks &a, const Blocks &b) {
    a.resize(std::max(a.size(), b.size()));
    for (size_t i = 0; i < b.size(); i++) {
        a[i] |= b[i];
    }
}
bool has_received(uint32_t b) {
    return b / 64 < received.size() && received[b / 64] >> b % 64 & 1;
}

bool ordered_across(const Region &r, const Access &old, const Access &now) {
    if (r.shared) {
        return true; // left by another block
    }
    if (old.launch != now.launch) {
        if (old.launch != ordered_launch) {
            if (!ordered_before_current(old.launch)) {
                return false;
            }
            ordered_launch = old.launch;
        }
        return true;
    }
    return has_received(old.block) || (old.kind == now.kind && now.kind == static_cast<unsigned>(Kind::atomic));
}
inline bool ordered(const Region &r, const Access &old, const Access &now) {
    if (!old.launch || !(old.mask & now.mask)) {
        return true;
    }
    if (old.launch != now.launch || old.block != now.block) {
        return ordered_across(r, old, now);
    }
    if (old.kind == static_cast<unsigned>(Kind::async_write)) {
        return old.thread == now.thread && old.pc == now.pc && now.kind == static_cast<unsigned>(Kind::write);
    }
    if (old.thread == now.thread || old.clock < block.barrier_clock[old.thread]) {
        return true;
    }
    if (old.kind == now.kind && now.kind == static_cast<unsigned>(Kind::atomic)) {
        return true;
    }
    return old.thread / kWarp == now.thread / kWarp && old.clock <= block.known[now.thread][old.thread % kWarp];
}
// The same thread again, nothing synchronised in between, from wherever in its code: whoever came in between has been
// compared with the first access.
inline bool again(const Access &old, const Access &now) {
    uint64_t a[2], b[2];
    memcpy(a, &old, 16);
    memcpy(b, &now, 16);
    return a[0] == b[0] && a[1] >> 32 == b[1] >> 32;
}

// A read of bytes that nobody has written yet. Kept until the operation ends: if a write follows, it is a race of two
// known lines.
std::string uninitialised;

[[noreturn]] void out_of_bounds(const Region &r, size_t granule, const Access &now) {
    stop("out of bounds: %s of %s at %s", verb(now.kind), what(r, granule).c_str(), line(now).c_str());
}
void note_uninitialised(const Region &r, size_t granule, const Access &now) {
    if (uninitialised.empty()) {
        uninitialised = what(r, granule) + " at " + line(now) + place();
    }
}

// Compares with what the cell holds and enters the access; bounds and initialisation are the caller's.
inline void enter_read(Region &r, size_t granule, Cell &c, const Access &now) {
    if (!ordered(r, c.write[0], now)) {
        conflict(r, granule, c.write[0], now);
    }
    if (!ordered(r, c.write[1], now)) {
        conflict(r, granule, c.write[1], now);
    }
    c.read[ordered(r, c.read[0], now) ? 0 : 1] = now;
}
inline void enter_write(Region &r, size_t granule, Cell &c, const Access &now) {
    for (const Access *a = c.write; a < c.write + 4; a++) { // two writes, two reads
        if (!ordered(r, *a, now)) {
            conflict(r, granule, *a, now);
        }
    }
    bool beside = now.mask != 0xf && c.write[0].mask != now.mask && c.write[0].launch == now.launch &&
                  c.write[0].block == now.block; // another write of other bytes stays on record
    c.write[1] = beside ? c.write[0] : Access{};
    c.write[0] = now;
}

void touch(Region &r, size_t granule, const Access &now) {
    if (r.wide[granule / 4]) { // split
        Cell *c = &r.cells[granule & ~size_t(3)];
        c[1] = c[2] = c[3] = c[0];
        r.wide[granule / 4] = 0;
    }
    Cell &c = r.cells[granule];
    uint8_t &state = r.state[granule];
    if (now.kind == static_cast<unsigned>(Kind::read)) {
        if (again(c.read[0], now) || again(c.read[1], now)) {
            return;
        }
        if (now.mask & ~state) {
            out_of_bounds(r, granule, now);
        }
        enter_read(r, granule, c, now);
        if (now.mask & ~(state >> 4)) {
            note_uninitialised(r, granule, now);
        }
        return;
    }
    if (again(c.write[0], now)) {
        return;
    }
    if (now.mask & ~state) {
        out_of_bounds(r, granule, now);
    }
    enter_write(r, granule, c, now);
    state = static_cast<uint8_t>(state | now.mask << 4);
}

// All four granules of an aligned group; the cells agree on the launches, so that one can stand for all.
bool alike(const Cell *c) {
    for (int i = 1; i < 4; i++) {
        for (int k = 0; k < 2; k++) {
            if (c[i].write[k].launch != c[0].write[k].launch || c[i].read[k].launch != c[0].read[k].launch) {
                return false;
            }
        }
    }
    return true;
}
void touch_wide(Region &r, size_t granule, const Access &now) {
    Cell *c = &r.cells[granule];
    uint32_t state;
    memcpy(&state, &r.state[granule], 4);
    bool read = now.kind == static_cast<unsigned>(Kind::read);
    if ((state & 0x0f0f0f0f) != 0x0f0f0f0f || (read && (state & 0xf0f0f0f0) != 0xf0f0f0f0) ||
        (!r.wide[granule / 4] && read && !r.shared && !alike(c))) {
        for (size_t g = granule; g < granule + 4; g++) {
            touch(r, g, now);
        }
        return;
    }
    if (r.wide[granule / 4]) {
        if (read ? again(c->read[0], now) || again(c->read[1], now) : again(c->write[0], now)) {
            return;
        }
        read ? enter_read(r, granule, *c, now) : enter_write(r, granule, *c, now);
    } else {
        for (size_t i = 0; i < 4; i++) {
            read ? enter_read(r, granule + i, c[i], now) : enter_write(r, granule + i, c[i], now);
        }
        // after a write the older accesses no longer matter; of reads, those of earlier launches are alike
        bool earlier = !r.shared && c->write[0].launch != now.launch && c->read[1].launch != now.launch &&
                       c->read[0].launch == now.launch;
        r.wide[granule / 4] = !read || earlier;
    }
    if (!read) {
        memset(&r.state[granule], 0xff, 4);
    }
}

void touch_range(Region &r, size_t offset, size_t bytes, Access now) {
    size_t end = offset + bytes;
    for (size_t g = offset / 4; g * 4 < end;) {
        size_t from = g * 4 < offset ? offset - g * 4 : 0, to = std::min<size_t>(4, end - g * 4);
        now.mask = (0xf << from) & (0xf >> (4 - to));
        if (g % 4 == 0 && from == 0 && end - g * 4 >= 16) {
            touch_wide(r, g, now);
            g += 4;
        } else {
            touch(r, g, now);
            g++;
        }
    }
}

inline Region *region_of(const char *p) {
    if (static_cast<size_t>(p - arena) < kArena && arena) {
        return &device_region;
    }
    if (static_cast<size_t>(p - static_region.base) < static_region.bytes) {
        return &static_region;
    }
    if (static_cast<size_t>(p - block.dynamic) < sizeof block.dynamic) {
        return &dynamic_region;
    }
    return nullptr;
}
void poison(char *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        p[i] = reinterpret_cast<const char *>(&kPoison)[reinterpret_cast<uintptr_t>(p + i) % 4];
    }
}
void poison_aligned(char *p, size_t bytes) {
    uint32_t *word = reinterpret_cast<uint32_t *>(p);
    std::fill_n(word, bytes / 4, kPoison);
    poison(p + bytes / 4 * 4, bytes % 4);
}
} // namespace

void access(const void *p, size_t bytes, Kind kind, const void *pc) {
    if (!checking || !current || is_local(p)) {
        return;
    }
    Region *r = region_of(static_cast<const char *>(p));
    if (!r) {
        const char *c = static_cast<const char *>(p);
        if (c >= &__executable_start && c < &_end) {
            return; // constants
        }
        stop("%s of host memory at %s", verb(static_cast<unsigned>(kind)), source_line(pc).c_str());
    }
    Access now{launch_id,
               block.linear,
               static_cast<uint32_t>(static_cast<const char *>(pc) - &__executable_start),
               static_cast<unsigned>(current->index) & 1023,
               0,
               static_cast<unsigned>(kind) & 3,
               current->clock};
    touch_range(*r, static_cast<size_t>(static_cast<const char *>(p) - r->base), bytes, now);
}

void host_access(const void *p, size_t bytes, Kind kind) {
    if (!checking || !bytes || !is_device(p)) {
        return;
    }
    Access now{launch_id, ~0u, 0, 0, 0, static_cast<unsigned>(kind) & 3, 0};
    touch_range(device_region, static_cast<size_t>(static_cast<const char *>(p) - arena), bytes, now);
}

void shadow_allocate(const void *p, size_t bytes, bool addressable) {
    if (!checking) {
        return;
    }
    if (!device_region.base) {
        make_region(device_region, arena, kArena);
    }
    size_t first = static_cast<size_t>(static_cast<const char *>(p) - arena) / 4;
    memset(device_region.state + first, addressable ? 0xf : 0, bytes / 4);
    if (bytes % 4) {
        device_region.state[first + bytes / 4] = addressable ? static_cast<uint8_t>(0xf >> (4 - bytes % 4)) : 0;
    }
    if (!addressable) { // gives the memory of the cells back
        uintptr_t from = reinterpret_cast<uintptr_t>(&device_region.cells[first]),
                  to = reinterpret_cast<uintptr_t>(&device_region.cells[first + bytes / 4]);
        from = (from + 4095) & ~uintptr_t(4095);
        to &= ~uintptr_t(4095);
        if (to > from) {
            madvise(reinterpret_cast<void *>(from), to - from, MADV_DONTNEED);
        }
    }
}

void shadow_new_grid() {
    kernel = &kernel_symbols(block.call.kernel);
    static_region.base = thread_local_base();
    for (const SharedVariable &v : kernel->shared) {
        static_region.bytes = std::max(static_region.bytes, v.offset + v.bytes + 256);
    }
    if (checking && !static_region.state) {
        constexpr size_t most = size_t(16) << 20; // of the segment of thread-local variables
        make_region(static_region, static_region.base, most);
        make_region(dynamic_region, block.dynamic, sizeof block.dynamic);
    }
    handed_over.clear();
}

void shadow_new_block() {
    received.clear();
    poison_aligned(block.dynamic, block.call.smem);
    for (const SharedVariable &v : kernel->shared) {
        char *p = v.address ? v.address : static_region.base + v.offset;
        reinterpret_cast<uintptr_t>(p) % 4 ? poison(p, v.bytes) : poison_aligned(p, v.bytes);
    }
    if (!checking) {
        return;
    }
    auto clear = [](Region &r, size_t from, size_t to) { memset(r.state + from / 4, 0, (to + 3) / 4 - from / 4); };
    auto open = [](Region &r, size_t from, size_t to) {
        if (from / 4 == (to - 1) / 4 || from % 4) { // small or odd variables byte by byte
            for (size_t i = from; i < to; i++) {
                r.state[i / 4] = static_cast<uint8_t>(r.state[i / 4] | 1 << i % 4);
            }
            return;
        }
        memset(r.state + from / 4, 0xf, to / 4 - from / 4);
        if (to % 4) {
            r.state[to / 4] = static_cast<uint8_t>(r.state[to / 4] | 0xf >> (4 - to % 4));
        }
    };
    for (const SharedVariable &v : kernel->shared) {
        clear(static_region, v.offset, v.offset + v.bytes);
    }
    for (const SharedVariable &v : kernel->shared) {
        open(static_region, v.offset, v.offset + v.bytes);
    }
    if (block.call.smem) {
        open(dynamic_region, 0, block.call.smem);
    }
}

void shadow_end_grid() {
    if (!checking) {
        return;
    }
    for (const SharedVariable &v : kernel->shared) {
        memset(static_region.state + v.offset / 4, 0, (v.bytes + v.offset % 4 + 3) / 4);
    }
    memset(dynamic_region.state, 0, (block.call.smem + 3) / 4);
}

void shadow_end_operation() {
    ordered_launch = 0;
    if (!uninitialised.empty()) {
        std::string text = uninitialised;
        uninitialised.clear();
        stop("read of uninitialised %s", text.c_str());
    }
}

void note_atomic(void *p, int bytes, const void *pc) {
    if (reinterpret_cast<uintptr_t>(p) % static_cast<unsigned>(bytes)) {
        stop("misaligned atomic at %s", source_line(pc).c_str());
    }
    access(p, static_cast<size_t>(bytes), Kind::atomic, pc);
    if (!checking || !is_device(p)) {
        return;
    }
    Blocks &theirs = handed_over[p];
    join(received, theirs);
    if (current->fenced) {
        join(theirs, received);
        theirs.resize(std::max<size_t>(theirs.size(), block.linear / 64 + 1));
        theirs[block.linear / 64] |= uint64_t(1) << block.linear % 64;
    }
}
} // namespace simt
