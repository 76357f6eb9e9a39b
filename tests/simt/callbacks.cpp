// What the compiler calls in instrumented kernels: -fsanitize=thread,alignment,bounds-strict.
#include "tests/simt/block.h"

#include <cstdlib>

using simt::Kind;

namespace {
template <size_t n> inline void checked(const void *p, Kind kind, const void *pc) {
    if (reinterpret_cast<uintptr_t>(p) % n && simt::current) {
        simt::stop("misaligned access of %zu bytes at %s", n, simt::source_line(pc).c_str());
    }
    simt::access(p, n, kind, pc);
}

struct Place { // as -fsanitize=undefined lays it out
    const char *file;
    unsigned line, column;
};
const char *file_name(const Place *at) {
    const char *slash = strrchr(at->file, '/');
    return slash ? slash + 1 : at->file;
}
} // namespace

extern "C" {
#define CALLBACKS(n)                                                                                                   \
    void __tsan_read##n(void *p);                                                                                      \
    void __tsan_write##n(void *p);                                                                                     \
    void __tsan_unaligned_read##n(void *p);                                                                            \
    void __tsan_unaligned_write##n(void *p);                                                                           \
    void __tsan_read##n(void *p) {                                                                                     \
        checked<n>(p, Kind::read, __builtin_return_address(0));                                                        \
    }                                                                                                                  \
    void __tsan_write##n(void *p) {                                                                                    \
        checked<n>(p, Kind::write, __builtin_return_address(0));                                                       \
    }                                                                                                                  \
    void __tsan_unaligned_read##n(void *p) {                                                                           \
        simt::access(p, n, Kind::read, __builtin_return_address(0));                                                   \
    }                                                                                                                  \
    void __tsan_unaligned_write##n(void *p) {                                                                          \
        simt::access(p, n, Kind::write, __builtin_return_address(0));                                                  \
    }
CALLBACKS(1)
CALLBACKS(2)
CALLBACKS(4)
CALLBACKS(8)
CALLBACKS(16)

void __tsan_read_range(void *p, size_t n);
void __tsan_write_range(void *p, size_t n);
void __tsan_vptr_update(void *p, void *value);
void __tsan_vptr_read(void *p);
void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __ubsan_handle_type_mismatch_v1(const Place *at, void *p);
void __ubsan_handle_out_of_bounds(const Place *at, size_t index);

void __tsan_read_range(void *p, size_t n) {
    simt::access(p, n, Kind::read, __builtin_return_address(0));
}
void __tsan_write_range(void *p, size_t n) {
    simt::access(p, n, Kind::write, __builtin_return_address(0));
}
void __tsan_vptr_update(void *, void *) {
}
void __tsan_vptr_read(void *) {
}
void __tsan_init(void) {
    const char *off = getenv("MMC_SIMT_CHECK");
    simt::checking = !off || strcmp(off, "0") != 0;
}
void __tsan_func_entry(void *) {
}
void __tsan_func_exit(void) {
}
// A vector access that the compiler has split into scalars is still seen.
void __ubsan_handle_type_mismatch_v1(const Place *at, void *p) {
    simt::stop("misaligned access to %p at %s:%u", p, file_name(at), at->line);
}
// Arrays of known size.
void __ubsan_handle_out_of_bounds(const Place *at, size_t index) {
    simt::stop("index %zd outside its array at %s:%u", index, file_name(at), at->line);
}
}
