// The first include of every .cu file: CUDA itself, or the host emulation of tests/simt (MMC_SIMT names its header),
// and behind one thin set of wrappers the PTX that kernels use. An emulated wrapper has the same name and signature.
#ifndef MMC_KERNELS_CUDA_COMPAT_CUH
#define MMC_KERNELS_CUDA_COMPAT_CUH

#include <cstdint>

#ifdef MMC_SIMT
#include MMC_SIMT
#else
#include <cuda_runtime.h>

// MMC_LAUNCH(kernel, grid, block, shared bytes, stream, arguments...); a kernel with template arguments in parentheses.
#define MMC_LAUNCH(kernel, grid, block, shared, stream, ...) kernel<<<grid, block, shared, stream>>>(__VA_ARGS__)
// Declares the dynamic shared memory of a kernel as an array of T, aligned for 16-byte access.
#define MMC_DYN_SHARED(T, name)                                                                                        \
    extern __shared__ __align__(16) unsigned char mmc_dynamic_shared[];                                                \
    T *name = reinterpret_cast<T *>(mmc_dynamic_shared)

__device__ __forceinline__ uint32_t mmc_smem_address(const void *p) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

// 16 bytes from global to shared memory, both aligned to 16; with `bytes` < 16 the rest is filled with zero (0: nothing
// is read).
__device__ __forceinline__ void mmc_cp_async16(void *smem, const void *gmem, int bytes = 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(mmc_smem_address(smem)), "l"(gmem), "r"(bytes)
                 : "memory");
}
__device__ __forceinline__ void mmc_cp_commit() {
    asm volatile("cp.async.commit_group;\n" ::: "memory");
}
// Waits until at most N of the committed groups are in flight.
template <int N> __device__ __forceinline__ void mmc_cp_wait() {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(N) : "memory");
}

// Four 8x8 matrices of 16-bit elements (8 rows of 16 bytes); lanes 8i..8i+7 give the row addresses of matrix i.
__device__ __forceinline__ void mmc_ldmatrix_x4(uint32_t (&d)[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(mmc_smem_address(row)));
}
__device__ __forceinline__ void mmc_ldmatrix_x4_trans(uint32_t (&d)[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(mmc_smem_address(row)));
}

// d += a b, fp32 accumulators, fragments as in the PTX manual.
__device__ __forceinline__ void mmc_mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                 "{%0,%1,%2,%3};\n"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mmc_mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                 "{%0,%1,%2,%3};\n"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Rounds to the nearest tf32 (10 bits of mantissa, ties away from zero); the bits of a float.
__device__ __forceinline__ uint32_t mmc_to_tf32(float v) {
    uint32_t bits;
    asm("cvt.rna.tf32.f32 %0, %1;\n" : "=r"(bits) : "f"(v));
    return bits;
}
// Two floats rounded to the nearest bf16 (ties to even): `low` in bits 0..15, `high` in bits 16..31.
__device__ __forceinline__ uint32_t mmc_to_bf16x2(float low, float high) {
    uint32_t bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}
#endif

// Before a loop of constant length whose arrays are to lie in registers.
#ifdef __CUDACC__
#define MMC_UNROLL _Pragma("unroll")
#else
#define MMC_UNROLL
#endif

// Keeps a value in a register: the compiler would compute an address anew in every turn of a loop.
__device__ __forceinline__ void mmc_keep(int &v) {
    asm volatile("" : "+r"(v));
}

// A bf16 element; 16 bits of memory, exact as float.
struct mmc_bf16 {
    uint16_t bits;
};
__device__ __forceinline__ float mmc_to_float(mmc_bf16 v) {
    return __uint_as_float(static_cast<uint32_t>(v.bits) << 16);
}
__device__ __forceinline__ float mmc_to_float(float v) {
    return v;
}
__device__ __forceinline__ float mmc_bf16_low(uint32_t pair) {
    return __uint_as_float(pair << 16);
}
__device__ __forceinline__ float mmc_bf16_high(uint32_t pair) {
    return __uint_as_float(pair & 0xffff0000u);
}
__device__ __forceinline__ void mmc_store(float *p, float v) {
    *p = v;
}
__device__ __forceinline__ void mmc_store(mmc_bf16 *p, float v) {
    p->bits = static_cast<uint16_t>(mmc_to_bf16x2(v, 0.0f));
}
#endif
