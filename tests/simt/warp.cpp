// What the lanes of a warp do together: synchronise, shuffle, vote, load fragments, multiply. And cp.async.
//
// mma: the products of tf32 (11 bits) and bf16 (8 bits) are exact in double; they are added to the accumulator in
// double and the sum is rounded toward zero, since tensor cores truncate. A device aligns the terms to the largest one
// first and so may lose more; this model is the most that a kernel can hope for.
#include "tests/simt/block.h"

#include <algorithm>

#define CALLER __builtin_return_address(0)

namespace simt {
namespace {
int warp_start() {
    return current->index / kWarp * kWarp;
}

// Joins what the lanes know of each other: after __syncwarp each sees what any of them has seen.
void work_barrier(Meeting &m) {
    int first = warp_start();
    uint16_t joined[kWarp] = {};
    for (int i = 0; i < kWarp; i++) {
        if (!(m.mask >> i & 1)) {
            continue;
        }
        Fiber &f = block.fiber[first + i];
        if (f.clock == UINT16_MAX) {
            stop("more than 65000 barriers in one block: widen the clocks of the shadow");
        }
        block.known[first + i][i] = f.clock++;
        for (int k = 0; k < kWarp; k++) {
            joined[k] = std::max(joined[k], block.known[first + i][k]);
        }
    }
    for (int i = 0; i < kWarp; i++) {
        if (m.mask >> i & 1) {
            memcpy(block.known[first + i], joined, sizeof joined);
        }
    }
}

// A lane outside the mask has no value to give: whoever asks for it gets poison.
void work_shuffle(Meeting &m) {
    for (int i = 0; i < kWarp; i++) {
        if (m.mask >> i & 1 && m.source[i] >= 0) {
            bool there = m.mask >> m.source[i] & 1;
            m.result[i] = there ? m.value[m.source[i]] : uint64_t(kPoison) << 32 | kPoison;
        }
    }
}
void work_ballot(Meeting &m) {
    uint64_t votes = 0;
    for (int i = 0; i < kWarp; i++) {
        votes |= m.mask >> i & 1 && m.value[i] ? uint64_t(1) << i : 0;
    }
    std::fill_n(m.result, kWarp, votes);
}
void work_match(Meeting &m) {
    for (int i = 0; i < kWarp; i++) {
        m.result[i] = 0;
        for (int k = 0; k < kWarp; k++) {
            m.result[i] |= m.mask >> k & 1 && m.value[k] == m.value[i] ? uint64_t(1) << k : 0;
        }
    }
}
void work_reduce(Meeting &m) {
    unsigned sum = 0;
    bool any = false;
    for (int i = 0; i < kWarp; i++) {
        if (!(m.mask >> i & 1)) {
            continue;
        }
        unsigned v = static_cast<unsigned>(m.value[i]);
        int a = static_cast<int>(sum), b = static_cast<int>(v);
        Reduce kind = static_cast<Reduce>(m.source[i]);
        if (!any) {
            sum = v;
        } else if (kind == Reduce::add) {
            sum += v;
        } else if (kind == Reduce::min) {
            sum = std::min(sum, v);
        } else if (kind == Reduce::max) {
            sum = std::max(sum, v);
        } else if (kind == Reduce::min_signed) {
            sum = static_cast<unsigned>(std::min(a, b));
        } else if (kind == Reduce::max_signed) {
            sum = static_cast<unsigned>(std::max(a, b));
        } else if (kind == Reduce::bit_and) {
            sum &= v;
        } else if (kind == Reduce::bit_or) {
            sum |= v;
        } else {
            sum ^= v;
        }
        any = true;
    }
    std::fill_n(m.result, kWarp, sum);
}

struct Rows {
    Words d;
    const char *row;
};
void work_ldmatrix(Meeting &m) {
    auto lane = [&m](int i) { return reinterpret_cast<Rows *>(m.value[i]); };
    for (int i = 0; i < kWarp; i++) {
        for (int k = 0; k < 4; k++) {
            memcpy(&lane(i)->d.v[k], lane(8 * k + i / 4)->row + i % 4 * 4, 4);
        }
    }
}
void work_ldmatrix_transposed(Meeting &m) {
    auto lane = [&m](int i) { return reinterpret_cast<Rows *>(m.value[i]); };
    for (int i = 0; i < kWarp; i++) {
        for (int k = 0; k < 4; k++) {
            uint16_t pair[2];
            memcpy(&pair[0], lane(8 * k + i % 4 * 2)->row + i / 4 * 2, 2);
            memcpy(&pair[1], lane(8 * k + i % 4 * 2 + 1)->row + i / 4 * 2, 2);
            memcpy(&lane(i)->d.v[k], pair, 4);
        }
    }
}

struct Fragments {
    Sums d;
    uint32_t a[4], b[2];
};

// d (16 x 8) += a (16 x k) b (k x 8), rounded toward zero.
template <int k> __attribute__((always_inline)) inline void multiply(double *d, const double *a, const double *b) {
    for (int i = 0; i < 16; i++) {
        double sum[8];
        for (int j = 0; j < 8; j++) {
            sum[j] = d[i * 8 + j];
        }
        for (int l = 0; l < k; l++) {
            for (int j = 0; j < 8; j++) {
                sum[j] += a[i * k + l] * b[l * 8 + j];
            }
        }
        for (int j = 0; j < 8; j++) {
            d[i * 8 + j] = sum[j];
        }
    }
}
__attribute__((target_clones("avx2,fma", "default"))) void multiply8(double *d, const double *a, const double *b) {
    multiply<8>(d, a, b);
}
__attribute__((target_clones("avx2,fma", "default"))) void multiply16(double *d, const double *a, const double *b) {
    multiply<16>(d, a, b);
}

float toward_zero(double v) {
    float f = static_cast<float>(v);
    return std::fabs(static_cast<double>(f)) > std::fabs(v) && std::isfinite(f)
               ? __uint_as_float(__float_as_uint(f) - 1)
               : f;
}

void gather_d(const Meeting &m, double *d) {
    for (int l = 0; l < kWarp; l++) {
        const float *from = reinterpret_cast<const Fragments *>(m.value[l])->d.v;
        for (int i = 0; i < 4; i++) {
            d[(l / 4 + i / 2 * 8) * 8 + 2 * (l % 4) + i % 2] = static_cast<double>(from[i]);
        }
    }
}
void scatter_d(const Meeting &m, const double *d) {
    for (int l = 0; l < kWarp; l++) {
        float *to = reinterpret_cast<Fragments *>(m.value[l])->d.v;
        for (int i = 0; i < 4; i++) {
            to[i] = toward_zero(d[(l / 4 + i / 2 * 8) * 8 + 2 * (l % 4) + i % 2]);
        }
    }
}
double tf32(uint32_t bits) {
    return static_cast<double>(__uint_as_float(bits & 0xffffe000u));
}
double bf16(uint32_t bits) {
    return static_cast<double>(__uint_as_float(bits << 16));
}
// PTX ISA, fragments of m16n8k8 with .tf32.
void work_mma_tf32(Meeting &m) {
    double a[16 * 8], b[8 * 8], d[16 * 8];
    gather_d(m, d);
    for (int l = 0; l < kWarp; l++) {
        const Fragments &f = *reinterpret_cast<const Fragments *>(m.value[l]);
        int row = l / 4, column = l % 4;
        for (int i = 0; i < 4; i++) {
            a[(row + i % 2 * 8) * 8 + column + i / 2 * 4] = tf32(f.a[i]);
        }
        for (int i = 0; i < 2; i++) {
            b[(column + 4 * i) * 8 + row] = tf32(f.b[i]);
        }
    }
    multiply8(d, a, b);
    scatter_d(m, d);
}
// PTX ISA, fragments of m16n8k16 with .bf16: two elements a register, neighbours along k.
void work_mma_bf16(Meeting &m) {
    double a[16 * 16], b[16 * 8], d[16 * 8];
    gather_d(m, d);
    for (int l = 0; l < kWarp; l++) {
        const Fragments &f = *reinterpret_cast<const Fragments *>(m.value[l]);
        int row = l / 4, column = l % 4 * 2;
        for (int i = 0; i < 8; i++) {
            uint32_t v = f.a[i / 2] >> (i % 2 * 16);
            a[(row + i / 2 % 2 * 8) * 16 + column + i % 2 + i / 4 * 8] = bf16(v);
        }
        for (int i = 0; i < 4; i++) {
            b[(column + i % 2 + i / 2 * 8) * 8 + row] = bf16(f.b[i / 2] >> (i % 2 * 16));
        }
    }
    multiply16(d, a, b);
    scatter_d(m, d);
}
} // namespace

void warp_barrier(unsigned mask) {
    meet("__syncwarp", mask, 0, -1, work_barrier, CALLER);
}
uint64_t shuffle(unsigned mask, uint64_t value, int source) { // orders no memory, as on a device
    return meet("a shuffle", mask, value, source, work_shuffle, CALLER);
}
unsigned ballot(unsigned mask, int predicate) {
    return static_cast<unsigned>(meet("a vote", mask, predicate != 0, -1, work_ballot, CALLER));
}
unsigned match_any(unsigned mask, uint64_t value) {
    return static_cast<unsigned>(meet("a match", mask, value, -1, work_match, CALLER));
}
unsigned match_all(unsigned mask, uint64_t value, int *all) {
    unsigned same = static_cast<unsigned>(meet("a match", mask, value, -1, work_match, CALLER));
    int lanes = std::min(kWarp, block.threads - warp_start());
    unsigned there = mask & (lanes == kWarp ? ~0u : (1u << lanes) - 1);
    *all = same == there;
    return *all ? mask : 0;
}
unsigned reduce(unsigned mask, unsigned value, Reduce kind) {
    return static_cast<unsigned>(meet("a reduction", mask, value, static_cast<int>(kind), work_reduce, CALLER));
}

Words ldmatrix_x4(const void *row, bool transpose) {
    const void *pc = CALLER;
    if (reinterpret_cast<uintptr_t>(row) % 16) {
        stop("misaligned row of ldmatrix at %s", source_line(pc).c_str());
    }
    if (is_device(row)) {
        stop("ldmatrix of device memory at %s: it reads shared memory", source_line(pc).c_str());
    }
    access(row, 16, Kind::read, pc);
    Rows mine{{}, static_cast<const char *>(row)};
    meet("ldmatrix", ~0u, reinterpret_cast<uint64_t>(&mine), -1, transpose ? work_ldmatrix_transposed : work_ldmatrix,
         pc);
    return mine.d;
}
namespace {
// Tensor instructions need the whole warp.
inline Sums mma(const char *what, Fragments mine, Joint work, const void *pc) {
    if (block.threads - warp_start() < kWarp) {
        stop("%s in a warp of %d lanes at %s", what, block.threads - warp_start(), source_line(pc).c_str());
    }
    meet(what, ~0u, reinterpret_cast<uint64_t>(&mine), -1, work, pc);
    return mine.d;
}
} // namespace
Sums mma_m16n8k8_tf32(float d0, float d1, float d2, float d3, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3,
                      uint32_t b0, uint32_t b1) {
    return mma("mma tf32", {{{d0, d1, d2, d3}}, {a0, a1, a2, a3}, {b0, b1}}, work_mma_tf32, CALLER);
}
Sums mma_m16n8k16_bf16(float d0, float d1, float d2, float d3, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3,
                       uint32_t b0, uint32_t b1) {
    return mma("mma bf16", {{{d0, d1, d2, d3}}, {a0, a1, a2, a3}, {b0, b1}}, work_mma_bf16, CALLER);
}

// The bytes move at the wait, not before: until then the target is poison and counts as being written.
void cp_async(void *smem, const void *gmem, int bytes) {
    const void *pc = CALLER;
    if (bytes < 0 || bytes > 16) {
        stop("cp.async of %d bytes at %s", bytes, source_line(pc).c_str());
    }
    if (reinterpret_cast<uintptr_t>(smem) % 16 || (bytes && reinterpret_cast<uintptr_t>(gmem) % 16)) {
        stop("misaligned cp.async at %s", source_line(pc).c_str());
    }
    if (is_device(smem)) {
        stop("cp.async into device memory at %s: it writes shared memory", source_line(pc).c_str());
    }
    if (bytes && !is_device(gmem)) {
        stop("cp.async from what is no device memory at %s", source_line(pc).c_str());
    }
    if (bytes) {
        access(gmem, static_cast<size_t>(bytes), Kind::read, pc);
    }
    access(smem, 16, Kind::async_write, pc);
    std::fill_n(static_cast<uint32_t *>(smem), 4, kPoison);
    current->copies.push_back({smem, gmem, bytes, pc});
    current->open++;
}
void cp_commit() {
    current->groups.push_back(current->open);
    current->open = 0;
}
void cp_wait(int groups_left) {
    Fiber &f = *current;
    size_t groups = f.groups.size() > static_cast<size_t>(groups_left) ? f.groups.size() - groups_left : 0;
    size_t finish = 0;
    for (size_t i = 0; i < groups; i++) {
        finish += f.groups[i];
    }
    for (size_t i = 0; i < finish; i++) {
        const Copy &c = f.copies[i];
        access(c.to, 16, Kind::write, c.pc);
        if (c.bytes) {
            memcpy(c.to, c.from, static_cast<size_t>(c.bytes));
        }
        memset(static_cast<char *>(c.to) + c.bytes, 0, static_cast<size_t>(16 - c.bytes));
    }
    f.groups.erase(f.groups.begin(), f.groups.begin() + static_cast<long>(groups));
    f.copies.erase(f.copies.begin(), f.copies.begin() + static_cast<long>(finish));
}
} // namespace simt
