// Names and lines: the program's own symbol table gives each kernel its shared variables, addr2line the lines.
//
// A static variable of a function f has the symbol _ZZ<f without _Z>E<name>: so the shared variables of a kernel are
// known with their extents, and no list of them is needed. The table is there unless a program is stripped.
#include "tests/simt/core.h"

#include <algorithm>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <map>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" thread_local char simt_thread_local_marker;
thread_local char simt_thread_local_marker; // tells where the segment of a thread begins

namespace simt {
namespace {
struct Variable {
    std::string symbol;
    size_t value, bytes;
    bool thread_local_segment;
};
struct Symbols {
    char *base = nullptr;                              // where the program was loaded
    std::multimap<const void *, std::string> function; // by address
    std::vector<Variable> variable;                    // sorted by symbol
    size_t marker = 0;
};

int find_base(dl_phdr_info *info, size_t, void *base) {
    *static_cast<char **>(base) = reinterpret_cast<char *>(info->dlpi_addr);
    return 1; // the program itself comes first
}

Symbols read_symbols() {
    Symbols s;
    dl_iterate_phdr(find_base, &s.base);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat size {};
    if (file < 0 || fstat(file, &size)) {
        stop("cannot read the symbols of this program");
    }
    void *map = mmap(nullptr, static_cast<size_t>(size.st_size), PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (map == MAP_FAILED) {
        stop("cannot map this program to read its symbols");
    }
    const char *image = static_cast<const char *>(map);
    const auto *header = reinterpret_cast<const Elf64_Ehdr *>(image);
    const auto *section = reinterpret_cast<const Elf64_Shdr *>(image + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++) {
        if (section[i].sh_type != SHT_SYMTAB) {
            continue;
        }
        const char *names = image + section[section[i].sh_link].sh_offset;
        const auto *symbol = reinterpret_cast<const Elf64_Sym *>(image + section[i].sh_offset);
        for (size_t k = 0; k < section[i].sh_size / sizeof *symbol; k++) {
            const char *name = names + symbol[k].st_name;
            int type = ELF64_ST_TYPE(symbol[k].st_info);
            if (type == STT_FUNC && symbol[k].st_value) {
                s.function.insert({s.base + symbol[k].st_value, name});
            } else if ((type == STT_TLS || type == STT_OBJECT) && !strncmp(name, "_ZZ", 3)) {
                int in = symbol[k].st_shndx;
                bool writable = in < header->e_shnum && section[in].sh_flags & SHF_WRITE;
                if (writable) {
                    s.variable.push_back({name, symbol[k].st_value, symbol[k].st_size, type == STT_TLS});
                }
            } else if (type == STT_TLS && !strcmp(name, "simt_thread_local_marker")) {
                s.marker = symbol[k].st_value;
            }
        }
    }
    munmap(map, static_cast<size_t>(size.st_size));
    std::sort(s.variable.begin(), s.variable.end(),
              [](const Variable &a, const Variable &b) { return a.symbol < b.symbol; });
    return s;
}
const Symbols &symbols() {
    static const Symbols &s = *new Symbols(read_symbols()); // outlives the reports at exit
    return s;
}

#ifdef __SANITIZE_ADDRESS__
#error "the emulator itself is compiled without sanitizers; only kernels are instrumented"
#endif

// addr2line, kept running: it reads the program's line table once. A forked process starts its own.
struct Lines {
    pid_t owner = 0;
    FILE *to = nullptr, *from = nullptr;
};
Lines lines;

bool start_lines() {
    if (lines.owner == getpid()) {
        return lines.to != nullptr;
    }
    lines = {getpid(), nullptr, nullptr};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    int ends[2];
    if (n < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
        return false;
    }
    self[n] = 0;
    pid_t child = fork();
    if (child < 0) {
        return false;
    }
    if (child == 0) {
        dup2(ends[1], 0);
        dup2(ends[1], 1);
        execlp("addr2line", "addr2line", "-a", "-i", "-e", self, static_cast<char *>(nullptr));
        _exit(127);
    }
    close(ends[1]);
    lines.to = fdopen(ends[0], "w");
    lines.from = fdopen(dup(ends[0]), "r");
    return lines.to && lines.from;
}

bool is_wrapper(const std::string &place) {
    return place.compare(0, 7, "simt.h:") == 0 || place.compare(0, 11, "compat.cuh:") == 0;
}

std::string ask_line(size_t address) {
    if (!start_lines()) {
        return "?";
    }
    fprintf(lines.to, "0x%zx\n0x0\n", address); // the second one marks the end of the answer
    fflush(lines.to);
    char text[2048];
    std::string found;
    int headers = 0;
    while (fgets(text, sizeof text, lines.from)) {
        if (!strncmp(text, "0x", 2) && ++headers == 2) {
            if (!fgets(text, sizeof text, lines.from)) {
                break;
            }
            return found.empty() ? "?" : found;
        }
        if (headers == 1 && strncmp(text, "0x", 2) != 0 && (found.empty() || is_wrapper(found))) {
            found = text;
            found = found.substr(found.rfind('/') + 1);
            found = found.substr(0, found.find_first_of(" \n"));
        }
    }
    return "?";
}

KernelSymbols find_kernel(const void *kernel) {
    const Symbols &s = symbols();
    KernelSymbols k{};
    auto range = s.function.equal_range(kernel);
    if (range.first == range.second) {
        stop("a kernel at %p has no symbol: the program must not be stripped", kernel);
    }
    for (auto f = range.first; f != range.second; ++f) {
        k.name = f->second;
        if (k.name.compare(0, 2, "_Z") != 0) {
            continue;
        }
        std::string prefix = "_ZZ" + k.name.substr(2) + "E";
        auto v = std::lower_bound(s.variable.begin(), s.variable.end(), prefix,
                                  [](const Variable &a, const std::string &b) { return a.symbol < b; });
        for (; v != s.variable.end() && v->symbol.compare(0, prefix.size(), prefix) == 0; ++v) {
            std::string name = v->symbol.substr(prefix.size());
            name.erase(0, name.find_first_not_of("0123456789"));
            char *address = v->thread_local_segment ? nullptr : s.base + v->value;
            k.shared.push_back({name, v->value, v->bytes, address});
            k.shared_bytes += (v->bytes + 15) / 16 * 16;
        }
    }
    return k;
}
} // namespace

std::string source_line(const void *return_address) {
    static auto &cache = *new std::map<const void *, std::string>;
    std::string &s = cache[return_address];
    if (s.empty()) {
        s = return_address
                ? ask_line(static_cast<size_t>(static_cast<const char *>(return_address) - symbols().base - 1))
                : "?";
    }
    return s;
}

const KernelSymbols &kernel_symbols(const void *kernel) {
    static auto &cache = *new std::map<const void *, KernelSymbols>;
    auto i = cache.find(kernel);
    return i != cache.end() ? i->second : cache[kernel] = find_kernel(kernel);
}

char *thread_local_base() {
    return &simt_thread_local_marker - symbols().marker;
}
} // namespace simt
