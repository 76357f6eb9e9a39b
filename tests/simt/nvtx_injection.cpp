// A profiler's side of NVTX, by NVTX's own static injection: the header's first call finds the function below and lets
// it fill in the callbacks. Ranges are recorded, and have to nest and close.
#include "tests/simt/host.h"

// Defined here, not by the header, which wants it declared.
#define NVTX_STATIC_INJECTION_IMPL
extern "C" int (*InitializeInjectionNvtx2_fnptr)(const void *(*tables)(uint32_t));
#include <nvtx3/nvToolsExt.h>

using namespace simt;

struct nvtxDomainRegistration_st {
    std::string name;
    std::map<uint32_t, std::string> categories;
};

namespace {
struct Range {
    nvtxDomainHandle_t domain;
    const char *what; // as in the list of leaks
};
struct Seen {
    std::map<std::string, nvtxDomainHandle_t> domains;
    std::vector<Range> open;
    long begun = 0;
    std::string log;
};
Seen &seen();

// Where MMC_SIMT_RANGES names a file, the log of the process goes there.
Seen *seen_new() {
    if (getenv("MMC_SIMT_RANGES"))
        atexit([] {
            if (FILE *file = fopen(getenv("MMC_SIMT_RANGES"), "w")) {
                fputs(seen().log.c_str(), file);
                fclose(file);
            }
        });
    return new Seen;
}

Seen &seen() {
    static auto &s = *seen_new();
    return s;
}

nvtxDomainHandle_t NVTX_API domain_create(const char *name) {
    nvtxDomainHandle_t &d = seen().domains[name];
    if (!d)
        d = new nvtxDomainRegistration_st{name, {}};
    return d;
}

void NVTX_API name_category(nvtxDomainHandle_t domain, uint32_t category, const char *name) {
    domain->categories[category] = name;
}

int NVTX_API range_push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t *e) {
    Seen &s = seen();
    if (!domain || !e || e->version != NVTX_VERSION || e->size != NVTX_EVENT_ATTRIB_STRUCT_SIZE)
        stop("NVTX: range begun without a domain or with attributes of another version");
    if (e->messageType != NVTX_MESSAGE_TYPE_ASCII || !e->message.ascii)
        stop("NVTX: range begun without a name");
    if (!domain->categories.count(e->category))
        stop("NVTX: range '%s' has category %u, which has no name", e->message.ascii, e->category);
    int depth = int(s.open.size());
    s.begun++;
    s.open.push_back({domain, interned(std::string("NVTX range '") + e->message.ascii + "' begun")});
    live_add(s.open.back().what, s.open.back().what, SIMT_CALLER);
    s.log += "+ " + std::to_string(depth) + " " + domain->name + " " + domain->categories[e->category] + " " +
             e->message.ascii;
    if (e->payloadType == NVTX_PAYLOAD_TYPE_UNSIGNED_INT64)
        s.log += " " + std::to_string(e->payload.ullValue);
    s.log += "\n";
    return depth;
}

int NVTX_API range_pop(nvtxDomainHandle_t domain) {
    Seen &s = seen();
    if (s.open.empty())
        stop("NVTX: a range ends that was not begun");
    if (s.open.back().domain != domain)
        stop("NVTX: a range of one domain ends inside one of another");
    live_remove(s.open.back().what, s.open.back().what);
    s.open.pop_back();
    s.log += "- " + std::to_string(s.open.size()) + " " + domain->name + "\n";
    return int(s.open.size());
}

template <class F> void set(NvtxFunctionTable table, unsigned size, unsigned id, F *function) {
    if (id < size && table[id])
        *table[id] = reinterpret_cast<NvtxFunctionPointer>(function);
}

int NVTX_API initialize(NvtxGetExportTableFunc_t tables) {
    auto *callbacks = static_cast<const NvtxExportTableCallbacks *>(tables(NVTX_ETID_CALLBACKS));
    NvtxFunctionTable table = nullptr;
    unsigned size = 0;
    if (!callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size))
        return 0;
    set(table, size, NVTX_CBID_CORE2_DomainCreateA, domain_create);
    set(table, size, NVTX_CBID_CORE2_DomainNameCategoryA, name_category);
    set(table, size, NVTX_CBID_CORE2_DomainRangePushEx, range_push);
    set(table, size, NVTX_CBID_CORE2_DomainRangePop, range_pop);
    return 1;
}
} // namespace

extern "C" {
int (*InitializeInjectionNvtx2_fnptr)(const void *(*tables)(uint32_t)) = initialize;

long simt_ranges(void) {
    return seen().begun;
}

long simt_ranges_open(void) {
    return long(seen().open.size());
}

const char *simt_range_log(void) {
    return seen().log.c_str();
}

void simt_range_log_clear(void) {
    seen().log.clear();
}
}
