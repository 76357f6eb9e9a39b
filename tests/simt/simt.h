// What a kernel sees when the host compiler reads its .cu file: the CUDA programming model, run by tests/simt.
//
// kernels/cuda/compat.cuh includes this file instead of <cuda_runtime.h> where MMC_SIMT names it:
//     g++ -x c++ -DMMC_SIMT="\"tests/simt/simt.h\"" -c kernels/cuda/NAME.cu
// Each thread of a block is a fiber, the blocks of a grid run one after another, in an order drawn by MMC_SIMT_SEED.
// The wrappers of PTX at the end have the names and signatures of compat.cuh.
#ifndef MMC_TESTS_SIMT_SIMT_H
#define MMC_TESTS_SIMT_SIMT_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <cuda_runtime.h> // the real one, before the names below become macros
#include <new>
#include <tuple>
#include <type_traits>

#undef __global__
#undef __device__
#undef __host__
#undef __constant__
#undef __shared__
#undef __launch_bounds__
#undef __grid_constant__
#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
// A limit of threads becomes as many bytes before the entry of the kernel, which the launch counts (limits.cpp). "+ 0":
// g++ 12 fails on a named constant here in a template.
#define SIMT_BOUNDS(threads, ...) __attribute__((patchable_function_entry((threads) + 0, (threads) + 0)))
#define __launch_bounds__(...) SIMT_BOUNDS(__VA_ARGS__, 0)
// The shared variables of a kernel are found by their symbols (symbols.cpp): thread_local ones lie in one segment.
// AddressSanitizer puts red zones between plain static variables, not between thread_local ones.
#ifdef __SANITIZE_ADDRESS__
#define __shared__ static
#else
#define __shared__ static thread_local
#endif

#define MMC_DYN_SHARED(T, name) T *name = static_cast<T *>(simt::dynamic_shared())
#define MMC_LAUNCH(kernel, grid, block, shared, stream, ...)                                                           \
    simt::launch(#kernel, kernel, grid, block, shared, stream __VA_OPT__(, ) __VA_ARGS__)

namespace simt {
// `const`: the indices of a fiber never change, so that the compiler may keep them across barriers.
__attribute__((const)) uint3 thread_idx();
__attribute__((const)) uint3 block_idx();
__attribute__((const)) dim3 block_dim();
__attribute__((const)) dim3 grid_dim();
__attribute__((const)) int lane();
void *dynamic_shared();

void barrier();
int barrier_count(int predicate);
int barrier_and(int predicate);
int barrier_or(int predicate);
void warp_barrier(unsigned mask);
uint64_t shuffle(unsigned mask, uint64_t value, int source); // source < 0: the own value
unsigned ballot(unsigned mask, int predicate);
unsigned match_any(unsigned mask, uint64_t value);
unsigned match_all(unsigned mask, uint64_t value, int *all);
enum class Reduce { add, min, max, min_signed, max_signed, bit_and, bit_or, bit_xor };
unsigned reduce(unsigned mask, unsigned value, Reduce);
unsigned active_mask();
void thread_fence();
void note_atomic(void *address, int bytes, const void *pc);

void cp_async(void *smem, const void *gmem, int bytes); // 16 bytes, of which `bytes` are read, the rest is zero
void cp_commit();
void cp_wait(int groups_left);
// Fragments go by value, in registers: arrays whose address is taken would be checked as memory, at a tenfold price.
struct Words {
    uint32_t v[4];
};
struct Sums {
    float v[4];
};
Words ldmatrix_x4(const void *row, bool transpose);
Sums mma_m16n8k8_tf32(float d0, float d1, float d2, float d3, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3,
                      uint32_t b0, uint32_t b1);
Sums mma_m16n8k16_bf16(float d0, float d1, float d2, float d3, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t a3,
                       uint32_t b0, uint32_t b1);

// What a launch records: the kernel and its parameters by value, at most 4 KiB, as on a device.
struct Call {
    const char *name;
    const void *kernel;
    void (*invoke)(const void *kernel, const void *parameters);
    dim3 grid, block;
    size_t smem;
    alignas(16) char parameters[4096];
};
void launch_call(const Call &call, cudaStream_t stream);

template <class... P, class... A>
void launch(const char *name, void (*kernel)(P...), dim3 grid, dim3 block, size_t smem, cudaStream_t stream,
            A &&...args) {
    using Parameters = std::tuple<std::remove_cv_t<P>...>;
    static_assert((std::is_trivially_copyable_v<P> && ...), "a kernel takes its parameters by value");
    static_assert(sizeof(Parameters) <= sizeof(Call::parameters), "at most 4 KiB of parameters");
    auto invoke = [](const void *k, const void *parameters) {
        std::apply(reinterpret_cast<void (*)(P...)>(const_cast<void *>(k)),
                   *static_cast<const Parameters *>(parameters));
    };
    Call call{name, reinterpret_cast<const void *>(kernel), invoke, grid, block, smem, {}};
    new (call.parameters) Parameters(static_cast<P>(args)...);
    launch_call(call, stream);
}

template <class T> T shuffled(unsigned mask, T v, int source) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &v, sizeof v);
    bits = shuffle(mask, bits, source);
    memcpy(&v, &bits, sizeof v);
    return v;
}

template <class T> uint64_t bits_of(T v) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a match compares 4 or 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &v, sizeof v);
    return bits;
}

// The element that lane `source` of the group of `width` lanes holds.
inline int source_in(int source, int width) {
    return (lane() & ~(width - 1)) | (source & (width - 1));
}

// An atomic operation: the access is noted, not checked as a plain one.
template <class T, class F> __attribute__((noinline, no_sanitize("thread"))) T atomic(T *p, F next, const void *pc) {
    static_assert(std::is_integral_v<T>, "floating-point atomics have no fixed order");
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "atomics work on 4 or 8 bytes");
    note_atomic(p, sizeof(T), pc);
    T old = *p;
    *p = next(old);
    return old;
}
} // namespace simt

#define threadIdx (simt::thread_idx())
#define blockIdx (simt::block_idx())
#define blockDim (simt::block_dim())
#define gridDim (simt::grid_dim())
#define warpSize 32
#define __syncthreads simt::barrier
#define __syncthreads_count simt::barrier_count
#define __syncthreads_and simt::barrier_and
#define __syncthreads_or simt::barrier_or
#define __threadfence simt::thread_fence
#define __threadfence_block simt::thread_fence
#define __threadfence_system simt::thread_fence
#define __activemask simt::active_mask

#define SIMT_INLINE inline __attribute__((always_inline))

SIMT_INLINE void __syncwarp(unsigned mask = ~0u) {
    simt::warp_barrier(mask);
}
template <class T> SIMT_INLINE T __shfl_sync(unsigned mask, T v, int source, int width = 32) {
    return simt::shuffled(mask, v, simt::source_in(source, width));
}
template <class T> SIMT_INLINE T __shfl_xor_sync(unsigned mask, T v, int x, int width = 32) {
    int source = simt::lane() ^ x;
    return simt::shuffled(mask, v, source < (simt::lane() & ~(width - 1)) + width ? source : -1);
}
template <class T> SIMT_INLINE T __shfl_down_sync(unsigned mask, T v, unsigned d, int width = 32) {
    int source = simt::lane() + static_cast<int>(d);
    return simt::shuffled(mask, v, source < (simt::lane() & ~(width - 1)) + width ? source : -1);
}
template <class T> SIMT_INLINE T __shfl_up_sync(unsigned mask, T v, unsigned d, int width = 32) {
    int source = simt::lane() - static_cast<int>(d);
    return simt::shuffled(mask, v, source >= (simt::lane() & ~(width - 1)) ? source : -1);
}
SIMT_INLINE unsigned __ballot_sync(unsigned mask, int predicate) {
    return simt::ballot(mask, predicate);
}
SIMT_INLINE int __any_sync(unsigned mask, int predicate) {
    return simt::ballot(mask, predicate) != 0;
}
SIMT_INLINE int __all_sync(unsigned mask, int predicate) {
    return simt::ballot(mask, !predicate) == 0;
}
template <class T> SIMT_INLINE unsigned __match_any_sync(unsigned mask, T v) {
    return simt::match_any(mask, simt::bits_of(v));
}
template <class T> SIMT_INLINE unsigned __match_all_sync(unsigned mask, T v, int *all) {
    return simt::match_all(mask, simt::bits_of(v), all);
}
SIMT_INLINE unsigned __reduce_add_sync(unsigned mask, unsigned v) {
    return simt::reduce(mask, v, simt::Reduce::add);
}
SIMT_INLINE unsigned __reduce_min_sync(unsigned mask, unsigned v) {
    return simt::reduce(mask, v, simt::Reduce::min);
}
SIMT_INLINE unsigned __reduce_max_sync(unsigned mask, unsigned v) {
    return simt::reduce(mask, v, simt::Reduce::max);
}
SIMT_INLINE int __reduce_add_sync(unsigned mask, int v) {
    return static_cast<int>(simt::reduce(mask, static_cast<unsigned>(v), simt::Reduce::add));
}
SIMT_INLINE int __reduce_min_sync(unsigned mask, int v) {
    return static_cast<int>(simt::reduce(mask, static_cast<unsigned>(v), simt::Reduce::min_signed));
}
SIMT_INLINE int __reduce_max_sync(unsigned mask, int v) {
    return static_cast<int>(simt::reduce(mask, static_cast<unsigned>(v), simt::Reduce::max_signed));
}
SIMT_INLINE unsigned __reduce_and_sync(unsigned mask, unsigned v) {
    return simt::reduce(mask, v, simt::Reduce::bit_and);
}
SIMT_INLINE unsigned __reduce_or_sync(unsigned mask, unsigned v) {
    return simt::reduce(mask, v, simt::Reduce::bit_or);
}
SIMT_INLINE unsigned __reduce_xor_sync(unsigned mask, unsigned v) {
    return simt::reduce(mask, v, simt::Reduce::bit_xor);
}

#define SIMT_HERE                                                                                                      \
    ({                                                                                                                 \
        void *here;                                                                                                    \
        asm volatile("lea 0(%%rip), %0" : "=r"(here));                                                                 \
        here;                                                                                                          \
    })
// The operand has the type that the address determines, as with CUDA's overloads.
template <class T> struct SimtOperand { using type = T; };
#define SIMT_ATOMIC(name, expression)                                                                                  \
    template <class T> SIMT_INLINE T name(T *p, typename SimtOperand<T>::type v) {                                     \
        return simt::atomic(                                                                                           \
            p, [v](T old) -> T { return (expression); }, SIMT_HERE);                                                   \
    }
SIMT_ATOMIC(atomicAdd, static_cast<T>(old + v))
SIMT_ATOMIC(atomicSub, static_cast<T>(old - v))
SIMT_ATOMIC(atomicExch, (static_cast<void>(old), v))
SIMT_ATOMIC(atomicMin, old < v ? old : v)
SIMT_ATOMIC(atomicMax, old > v ? old : v)
SIMT_ATOMIC(atomicAnd, static_cast<T>(old &(v)))
SIMT_ATOMIC(atomicOr, static_cast<T>(old | v))
SIMT_ATOMIC(atomicXor, static_cast<T>(old ^ v))
SIMT_ATOMIC(atomicInc, old >= v ? 0 : old + 1)
SIMT_ATOMIC(atomicDec, old == 0 || old > v ? v : old - 1)
#undef SIMT_ATOMIC
template <class T>
SIMT_INLINE T atomicCAS(T *p, typename SimtOperand<T>::type compare, typename SimtOperand<T>::type v) {
    return simt::atomic(
        p, [compare, v](T old) -> T { return old == compare ? v : old; }, SIMT_HERE);
}

// ---- arithmetic of the device that the C library lacks
inline uint32_t __float_as_uint(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}
inline float __uint_as_float(uint32_t u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}
inline int __float_as_int(float f) {
    return static_cast<int>(__float_as_uint(f));
}
inline float __int_as_float(int i) {
    return __uint_as_float(static_cast<uint32_t>(i));
}
inline long long __double_as_longlong(double d) {
    long long i;
    memcpy(&i, &d, 8);
    return i;
}
inline double __longlong_as_double(long long i) {
    double d;
    memcpy(&d, &i, 8);
    return d;
}
inline int __popc(unsigned v) {
    return __builtin_popcount(v);
}
inline int __popcll(unsigned long long v) {
    return __builtin_popcountll(v);
}
inline int __ffs(int v) {
    return __builtin_ffs(v);
}
inline int __ffsll(long long v) {
    return __builtin_ffsll(v);
}
inline int __clz(int v) {
    return v ? __builtin_clz(static_cast<unsigned>(v)) : 32;
}
inline int __clzll(long long v) {
    return v ? __builtin_clzll(static_cast<unsigned long long>(v)) : 64;
}
inline unsigned __brev(unsigned v) {
    unsigned r = 0;
    for (int i = 0; i < 32; i++) {
        r |= (v >> i & 1u) << (31 - i);
    }
    return r;
}
inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>((static_cast<uint64_t>(a) * b) >> 32);
}
inline int __mulhi(int a, int b) {
    return static_cast<int>((static_cast<int64_t>(a) * b) >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
// The roundings to nearest, which the compiler never contracts; the fast forms are as exact as the C library's.
inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fsub_rn(float a, float b) {
    return a - b;
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fmaf_rn(float a, float b, float c) {
    return fmaf(a, b, c);
}
inline float __fdiv_rn(float a, float b) {
    return a / b;
}
inline float __frcp_rn(float a) {
    return 1.0f / a;
}
inline float __fsqrt_rn(float a) {
    return sqrtf(a);
}
inline float __frsqrt_rn(float a) {
    return static_cast<float>(1.0 / sqrt(static_cast<double>(a)));
}
inline float __fdividef(float a, float b) {
    return a / b;
}
inline float __saturatef(float a) {
    return a > 0.0f ? (a < 1.0f ? a : 1.0f) : 0.0f; // NaN becomes zero
}
inline float rsqrtf(float a) {
    return __frsqrt_rn(a);
}
inline double rsqrt(double a) {
    return 1.0 / sqrt(a);
}
#undef __expf // the C library declares functions of these names
#undef __logf
#define __expf(a) expf(a)
#define __logf(a) logf(a)
#define __powf(a, b) powf(a, b)
inline double __dadd_rn(double a, double b) {
    return a + b;
}
inline double __dmul_rn(double a, double b) {
    return a * b;
}
inline double __fma_rn(double a, double b, double c) {
    return fma(a, b, c);
}
inline int __float2int_rn(float a) {
    return static_cast<int>(rintf(a));
}
inline int __float2int_rd(float a) {
    return static_cast<int>(floorf(a));
}
inline int __float2int_rz(float a) {
    return static_cast<int>(a);
}
inline float __int2float_rn(int a) {
    return static_cast<float>(a);
}
inline float __uint2float_rn(unsigned a) {
    return static_cast<float>(a);
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned s) {
    uint64_t v = static_cast<uint64_t>(y) << 32 | x;
    unsigned r = 0;
    for (int i = 0; i < 4; i++) {
        unsigned selector = s >> (4 * i) & 0xf, byte = static_cast<unsigned>(v >> (8 * (selector & 7))) & 0xff;
        r |= (selector & 8 ? (byte & 0x80 ? 0xffu : 0u) : byte) << (8 * i);
    }
    return r;
}

#define SIMT_MIN_MAX(A, B, R)                                                                                          \
    inline R min(A a, B b) {                                                                                           \
        return static_cast<R>(a) < static_cast<R>(b) ? static_cast<R>(a) : static_cast<R>(b);                          \
    }                                                                                                                  \
    inline R max(A a, B b) {                                                                                           \
        return static_cast<R>(a) > static_cast<R>(b) ? static_cast<R>(a) : static_cast<R>(b);                          \
    }
SIMT_MIN_MAX(int, int, int)
SIMT_MIN_MAX(unsigned, unsigned, unsigned)
SIMT_MIN_MAX(int, unsigned, unsigned)
SIMT_MIN_MAX(unsigned, int, unsigned)
SIMT_MIN_MAX(long, long, long)
SIMT_MIN_MAX(unsigned long, unsigned long, unsigned long)
SIMT_MIN_MAX(long, unsigned long, unsigned long)
SIMT_MIN_MAX(unsigned long, long, unsigned long)
SIMT_MIN_MAX(long long, long long, long long)
SIMT_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
SIMT_MIN_MAX(float, float, float)
SIMT_MIN_MAX(double, double, double)
SIMT_MIN_MAX(float, double, double)
SIMT_MIN_MAX(double, float, double)
#undef SIMT_MIN_MAX

// ---- loads and stores with a hint to the caches
template <class T> SIMT_INLINE T __ldg(const T *p) {
    return *p;
}
template <class T> SIMT_INLINE T __ldcg(const T *p) {
    return *p;
}
template <class T> SIMT_INLINE T __ldca(const T *p) {
    return *p;
}
template <class T> SIMT_INLINE T __ldcs(const T *p) {
    return *p;
}
template <class T> SIMT_INLINE T __ldlu(const T *p) {
    return *p;
}
template <class T> SIMT_INLINE void __stcg(T *p, T v) {
    *p = v;
}
template <class T> SIMT_INLINE void __stcs(T *p, T v) {
    *p = v;
}
template <class T> SIMT_INLINE void __stwb(T *p, T v) {
    *p = v;
}

// ---- the calls that <cuda_runtime.h> overloads for kernels under nvcc alone
template <class... P>
inline cudaError_t cudaFuncSetAttribute(void (*kernel)(P...), cudaFuncAttribute attribute, int value) {
    return ::cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel), attribute, value);
}
template <class... P> inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, void (*kernel)(P...)) {
    return ::cudaFuncGetAttributes(attributes, reinterpret_cast<const void *>(kernel));
}

// ---- the wrappers of kernels/cuda/compat.cuh
SIMT_INLINE void mmc_cp_async16(void *smem, const void *gmem, int bytes = 16) {
    simt::cp_async(smem, gmem, bytes);
}
SIMT_INLINE void mmc_cp_commit() {
    simt::cp_commit();
}
template <int N> SIMT_INLINE void mmc_cp_wait() {
    simt::cp_wait(N);
}
SIMT_INLINE void mmc_ldmatrix_x4(uint32_t (&d)[4], const void *row) {
    simt::Words w = simt::ldmatrix_x4(row, false);
    for (int i = 0; i < 4; i++) {
        d[i] = w.v[i];
    }
}
SIMT_INLINE void mmc_ldmatrix_x4_trans(uint32_t (&d)[4], const void *row) {
    simt::Words w = simt::ldmatrix_x4(row, true);
    for (int i = 0; i < 4; i++) {
        d[i] = w.v[i];
    }
}
SIMT_INLINE void mmc_mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    simt::Sums sum = simt::mma_m16n8k8_tf32(d[0], d[1], d[2], d[3], a[0], a[1], a[2], a[3], b[0], b[1]);
    for (int i = 0; i < 4; i++) {
        d[i] = sum.v[i];
    }
}
SIMT_INLINE void mmc_mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    simt::Sums sum = simt::mma_m16n8k16_bf16(d[0], d[1], d[2], d[3], a[0], a[1], a[2], a[3], b[0], b[1]);
    for (int i = 0; i < 4; i++) {
        d[i] = sum.v[i];
    }
}
// Nearest, ties away from zero: half a unit is added to the magnitude and the rest dropped; infinity and NaN stay.
inline uint32_t mmc_to_tf32(float v) {
    uint32_t bits = __float_as_uint(v);
    return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & 0xffffe000u;
}
namespace simt {
// Nearest, ties to even.
inline uint32_t to_bf16(float v) {
    uint32_t bits = __float_as_uint(v);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return 0x7fffu; // the NaN that the instruction gives
    }
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}
} // namespace simt
inline uint32_t mmc_to_bf16x2(float low, float high) {
    return simt::to_bf16(high) << 16 | simt::to_bf16(low);
}
#endif
