// Device and pinned memory. Each allocation lies between unmapped pages with its end close to one, its slack is filled
// with a canary, its contents are poison; addresses are never used again, and are the same in every run. Device memory
// is mapped only while operations run: the host that touches it faults with its own line.
#include "tests/simt/host.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

namespace simt {
char *arena;

namespace {
constexpr size_t kPage = 4096, kAlign = 256, kPinnedArena = size_t(256) << 30;
constexpr size_t kHonest = size_t(6) << 30; // more than this of real memory is not spent on an emulated device
constexpr unsigned char kCanary = 0xcb;

struct Allocation {
    size_t bytes;
    char *first_page;
    size_t pages;
    const void *pc;
    int device; // -1: pinned memory of the host
    bool usable, freed;
};
struct Live {
    const char *what;
    const void *pc;
};
struct Registered {
    char *p;
    size_t bytes;
};

struct Memory {
    char *next = nullptr, *pinned = nullptr, *pinned_next = nullptr;
    std::map<char *, Allocation> all; // device memory and pinned memory, freed ones too: their addresses stay theirs
    std::set<char *> mapped;          // usable device memory
    std::map<int, size_t> used;       // by device
    std::multimap<const void *, Live> live;
    std::vector<Registered> registered;
    int open = 0, visible = kAllDevices;
};
Memory &memory() {
    static auto &m = *new Memory;
    return m;
}

void fill_poison(char *p, size_t bytes) {
    uint32_t poison = kPoison;
    size_t i = 0;
    for (; i + 4 <= bytes; i += 4)
        memcpy(p + i, &poison, 4);
    memcpy(p + i, &poison, bytes - i);
}

void check_canary(const char *base, const Allocation &a) {
    auto bad = [](const char *from, const char *to) {
        return std::find_if(from, to, [](char c) { return static_cast<unsigned char>(c) != kCanary; });
    };
    const char *end = a.first_page + a.pages * kPage, *before = bad(a.first_page, base),
               *after = bad(base + a.bytes, end);
    if (before != base)
        stop("guard overwritten: %s", describe(before).c_str());
    if (after != end)
        stop("guard overwritten: %s", describe(after).c_str());
}

int report_leaks() {
    Memory &m = memory();
    DeviceOpen open;
    for (auto &[p, a] : m.all)
        if (a.usable && !a.freed)
            check_canary(p, a);
    for (auto &[object, l] : m.live)
        fprintf(stderr, "simt: leak: %s at %s\n", l.what, source_line(l.pc).c_str());
    return int(m.live.size());
}

void report_leaks_at_exit() {
    if (report_leaks()) {
        fflush(stdout);
        _exit(98);
    }
}

bool in_arena(const void *p) {
    return arena && size_t(static_cast<const char *>(p) - arena) < kArena;
}

bool in_pinned(const void *p) {
    const char *base = memory().pinned;
    return base && size_t(static_cast<const char *>(p) - base) < kPinnedArena;
}

void on_fault(int, siginfo_t *info, void *context) {
    auto *p = static_cast<char *>(info->si_addr);
    auto *pc = reinterpret_cast<char *>(static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_RIP]);
    std::string line = source_line(pc + 1);
    if (in_arena(p)) {
        Memory &m = memory();
        int device = device_of(p);
        if (m.open && m.visible != kAllDevices && device >= 0 && !device_reaches(m.visible, device))
            stop("memory of device %d used by device %d at %s: %s", device, m.visible, line.c_str(),
                 describe(p).c_str());
        stop("fault: %s at %s: %s", current ? "kernel access" : "host access to device memory", line.c_str(),
             describe(p).c_str());
    }
    if (in_pinned(p))
        stop("fault: access to pinned memory at %s: %s", line.c_str(), describe(p).c_str());
    stop("fault at address %p, %s%s", static_cast<void *>(p), line.c_str(),
         on_fiber_stack(p) ? ": local memory of the thread exhausted" : "");
}

char *reserve(size_t wish, size_t bytes) {
    void *p =
        mmap(reinterpret_cast<void *>(wish), bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        stop("cannot reserve %zu bytes of addresses for device memory: is there a limit on virtual memory?", bytes);
    return static_cast<char *>(p);
}

void start() {
    if (arena)
        return;
    Memory &m = memory();
    arena = m.next = reserve(size_t(1) << 44, kArena);
    m.pinned = m.pinned_next = reserve(size_t(3) << 43, kPinnedArena);
    static char stack[256 << 10];
    stack_t alternate = {};
    alternate.ss_sp = stack;
    alternate.ss_size = sizeof stack;
    sigaltstack(&alternate, nullptr);
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
    atexit(report_leaks_at_exit);
}

void protect(const Allocation &a, int rights) {
    mprotect(a.first_page, a.pages * kPage, rights);
}

bool reachable(const Allocation &a, int device) {
    return device == kAllDevices || a.device == device || device_reaches(device, a.device);
}

// The pages for `bytes` more, of which the last byte lies less than kAlign before an unmapped page.
char *place(char *&next, const char *end, size_t bytes, Allocation &a) {
    size_t span = (bytes + kAlign - 1) / kAlign * kAlign, pages = (span + kPage - 1) / kPage;
    if (size_t(end - next) < (pages + 2) * kPage)
        return nullptr;
    a.bytes = bytes;
    a.pages = pages;
    a.first_page = next + kPage;
    next = a.first_page + pages * kPage;
    return next - span;
}

void prepare(char *p, Allocation &a) {
    protect(a, PROT_READ | PROT_WRITE);
    memset(a.first_page, kCanary, a.pages * kPage);
    fill_poison(p, a.bytes);
    a.usable = true;
}

void release(char *p, Allocation &a) {
    a.freed = true;
    protect(a, PROT_NONE);
    madvise(a.first_page, a.pages * kPage, MADV_DONTNEED);
    (void)p;
}

Allocation *allocation_at(const void *p) {
    auto &all = memory().all;
    auto i = all.upper_bound(const_cast<char *>(static_cast<const char *>(p)));
    if (i == all.begin())
        return nullptr;
    --i;
    const char *end = i->second.first_page + i->second.pages * kPage;
    return static_cast<const char *>(p) < end ? &i->second : nullptr;
}
} // namespace

void live_add(const void *object, const char *what, const void *pc) {
    memory().live.insert({object, {what, pc}});
}

bool live_remove(const void *object, const char *what) {
    auto &live = memory().live;
    auto [from, to] = live.equal_range(object);
    for (auto i = from; i != to; ++i)
        if (!strcmp(i->second.what, what)) {
            live.erase(i);
            return true;
        }
    return false;
}

std::string describe(const void *address) {
    auto &all = memory().all;
    char *p = const_cast<char *>(static_cast<const char *>(address)), text[300];
    auto i = all.upper_bound(p);
    if (i != all.begin() && (i == all.end() || size_t(i->first - p) > kPage))
        --i;
    if (i == all.end())
        return "device memory, nothing allocated";
    const auto &[base, a] = *i;
    long past = p - (base + a.bytes);
    snprintf(text, sizeof text, "%ld bytes %s %zu bytes allocated at %s%s",
             past >= 0  ? past
             : p < base ? base - p
                        : p - base,
             past >= 0  ? "past the end of"
             : p < base ? "before"
                        : "into",
             a.bytes, source_line(a.pc).c_str(),
             a.freed    ? ", freed"
             : a.usable ? ""
                        : ", not yet usable in stream order");
    return text;
}

DeviceOpen::DeviceOpen() {
    Memory &m = memory();
    if (!m.open++)
        for (char *p : m.mapped)
            protect(m.all[p], PROT_READ | PROT_WRITE);
}

DeviceOpen::~DeviceOpen() {
    Memory &m = memory();
    if (!--m.open)
        for (char *p : m.mapped)
            protect(m.all[p], PROT_NONE);
}

void device_visible_to(int device) {
    Memory &m = memory();
    if (device_count() < 2 || device == m.visible)
        return;
    for (char *p : m.mapped) {
        const Allocation &a = m.all[p];
        bool was = reachable(a, m.visible), is = reachable(a, device);
        if (was != is)
            protect(a, is ? PROT_READ | PROT_WRITE : PROT_NONE);
    }
    m.visible = device;
}

void *device_allocate_on(int device, size_t bytes, const void *pc, bool usable_now) {
    start();
    Memory &m = memory();
    if (bytes > device_memory() - m.used[device])
        return nullptr;
    if (m.used[device] + bytes > kHonest)
        stop("%zu bytes of device memory wanted at %s, after %zu: too much for an emulated device, set MMC_SIMT_MEMORY",
             bytes, source_line(pc).c_str(), m.used[device]);
    Allocation a = {0, nullptr, 0, pc, device, false, false};
    char *p = place(m.next, arena + kArena, bytes, a);
    if (!p)
        stop("the addresses of device memory are used up: one process allocated %zu GiB", kArena >> 30);
    m.all[p] = a;
    m.used[device] += bytes;
    live_add(p, "device memory allocated", pc);
    if (usable_now)
        device_usable(p);
    return p;
}

void *device_allocate(size_t bytes, const void *pc, bool usable_now) {
    return device_allocate_on(device_current(), bytes, pc, usable_now);
}

void device_usable(void *p) {
    Memory &m = memory();
    auto *c = static_cast<char *>(p);
    Allocation &a = m.all[c];
    prepare(c, a);
    shadow_allocate(p, a.bytes, true);
    m.mapped.insert(c);
    if (!m.open || !reachable(a, m.visible))
        protect(a, PROT_NONE);
}

bool device_release(void *p) {
    Memory &m = memory();
    auto *c = static_cast<char *>(p);
    auto i = m.all.find(c);
    if (i == m.all.end() || i->second.freed || i->second.device < 0)
        return false;
    Allocation &a = i->second;
    {
        DeviceOpen open;
        int visible = m.visible;
        device_visible_to(kAllDevices);
        check_canary(c, a);
        device_visible_to(visible);
    }
    m.mapped.erase(c);
    m.used[a.device] -= a.bytes;
    shadow_allocate(p, a.bytes, false);
    release(c, a);
    return live_remove(p, "device memory allocated");
}

size_t device_bytes(void *p) {
    auto i = memory().all.find(static_cast<char *>(p));
    return i == memory().all.end() || i->second.freed || i->second.device < 0 ? 0 : i->second.bytes;
}

bool is_device(const void *p) {
    return in_arena(p);
}

int device_of(const void *p) {
    const Allocation *a = in_arena(p) ? allocation_at(p) : nullptr;
    return a && !a->freed ? a->device : -1;
}

size_t device_used(int device) {
    return memory().used[device];
}

std::vector<void *> device_allocations(int device) {
    std::vector<void *> list;
    for (auto &[p, a] : memory().all)
        if (!a.freed && a.device == device)
            list.push_back(p);
    return list;
}

void check_device_range(const void *p, size_t bytes, const char *what, const void *pc) {
    const Allocation *a = allocation_at(p);
    auto *c = static_cast<const char *>(p);
    const char *base = a ? a->first_page + a->pages * kPage - (a->bytes + kAlign - 1) / kAlign * kAlign : nullptr;
    if (!a || a->freed || c < base)
        stop("%s of %zu bytes issued at %s: %s", what, bytes, source_line(pc).c_str(), describe(p).c_str());
    if (bytes > size_t(base + a->bytes - c))
        stop("%s of %zu bytes issued at %s runs past the end: %s", what, bytes, source_line(pc).c_str(),
             describe(p).c_str());
}

void *pinned_allocate(size_t bytes, const void *pc) {
    start();
    Memory &m = memory();
    Allocation a = {0, nullptr, 0, pc, -1, false, false};
    char *p = place(m.pinned_next, m.pinned + kPinnedArena, bytes, a);
    if (!p)
        return nullptr;
    prepare(p, a);
    m.all[p] = a;
    live_add(p, "pinned memory allocated", pc);
    return p;
}

bool pinned_release(void *p) {
    auto *c = static_cast<char *>(p);
    auto i = memory().all.find(c);
    if (i == memory().all.end() || i->second.freed || i->second.device >= 0)
        return false;
    check_canary(c, i->second);
    release(c, i->second);
    return live_remove(p, "pinned memory allocated");
}

bool pinned_register(void *p, size_t bytes, bool add) {
    auto &list = memory().registered;
    auto same = std::find_if(list.begin(), list.end(), [p](const Registered &r) { return r.p == p; });
    if (add == (same != list.end()))
        return false;
    if (add)
        list.push_back({static_cast<char *>(p), bytes});
    else
        list.erase(same);
    return true;
}

Host host_kind(const void *p, size_t bytes) {
    auto *c = static_cast<const char *>(p);
    auto inside = [&](const char *base, size_t size) {
        return c >= base && c < base + size ? (bytes <= size_t(base + size - c) ? Host::pinned : Host::partly)
                                            : Host::pageable;
    };
    if (in_pinned(p)) {
        const Allocation *a = allocation_at(p);
        if (!a || a->freed)
            stop("use of pinned memory: %s", describe(p).c_str());
        return inside(a->first_page + a->pages * kPage - (a->bytes + kAlign - 1) / kAlign * kAlign, a->bytes);
    }
    for (const Registered &r : memory().registered)
        if (Host kind = inside(r.p, r.bytes); kind != Host::pageable)
            return kind;
    return Host::pageable;
}
} // namespace simt

extern "C" int simt_leaks(void) {
    return simt::report_leaks();
}
