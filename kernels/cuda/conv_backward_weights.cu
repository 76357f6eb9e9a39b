// Gradient of a convolution by its weights: dw[k][c][tap] = sum over pixels p of dz[p][k] x[q(p, tap)][c].
//
// conv_backward_weights_kernel: a matrix product on tensor cores: rows = output channels k, columns = (tap, c), c dense
//   also where it is small; the sum runs over the pixels of dz, split over blocks.
//   Mapping: 128 threads make a tile of BM x BN; grid = (column tiles, k tiles, splits of the pixels).
//   Shared memory: 4 stages of PIXELS rows of (BM + BN) elements by cp.async, zeros for padding and tails: 36 KiB at
//     64 x 64, 40 KiB at 16 x 128; 3 stages and 40 KiB at 128 x 64 (k from 128 on; not fp32, whose fragments need the
//     registers). Rows are 32 bytes (bf16: 16) longer than their elements: both fragments are read
//     across rows (floats as vectors of neighbours that go to different fragments, bf16 by transposing ldmatrix) and
//     meet no bank twice.
//   Bytes: dz once per column tile, x once per tap and k tile (from L2 mostly), partial sums written once.
//   FLOP per element of dw: 2 N Hout Wout; three times the tensor work in fp32 (3xTF32).
//
// weights_reduce_kernel: adds the splits in double and turns [k][tap][c] into (K,C,R,R), which need not be aligned.
//   Mapping: a block per k and 64 channels, staged in shared memory so that both sides are contiguous.
//
// Order: a split adds its pixels in order, in fp32 8 at a time; splits are added in order. Their number follows from
// the shape alone.
#include "kernels/cuda/backward_tile.cuh"

constexpr int THREADS = 128, REDUCE_THREADS = 192, REDUCE_C = 64, WANTED_BLOCKS = 528, FEWEST_PIXELS = 128;

namespace {

struct weights_args {
    float *partial; // (splits, k, columns)
    const void *dz, *x;
    int pixels, run; // of dz, and of a split
    int k, padded_k, padded_c, columns;
    int rows_out, columns_out, h, w, r, stride;
    mmc_cuda_divider plane, width; // of dz; by_c of columns
};

// Floats are fetched as vectors of neighbours along a row of shared memory, which go to different eights of a warp's
// rows (left side) or columns (right side). Left: two, a register pair of one fragment. Right: four in fp32, whose
// values are moved by the splitting in any case; one in tf32, where rounding in place needs them where they are
// multiplied.
template <int PRECISION> constexpr int left_at_once = PRECISION == MMC_CUDA_BF16 ? 1 : 2;
template <int PRECISION> constexpr int right_at_once = PRECISION == MMC_CUDA_FP32 ? 4 : 1;
// Element number g of an eight.
template <int AT_ONCE> __device__ __forceinline__ int element_of(int eight, int g) {
    return eight / AT_ONCE * AT_ONCE * 8 + g * AT_ONCE + eight % AT_ONCE;
}

// v[i][eight]: this lane's element of each eight in row lane % 4 + 4 i; rows lie `pitch` bytes apart from `at` on.
template <int AT_ONCE, int EIGHTS>
__device__ __forceinline__ void fetch_floats(float (&v)[2][EIGHTS], const unsigned char *at, int pitch, int lane) {
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int eight = 0; eight < EIGHTS; eight += AT_ONCE) {
            const unsigned char *from = at + (lane % 4 + i * 4) * pitch +
                                        element_of<AT_ONCE>(eight, lane / 4) * static_cast<int>(sizeof(float));
            if constexpr (AT_ONCE == 4) {
                const float4 four = *reinterpret_cast<const float4 *>(from);
                v[i][eight] = four.x, v[i][eight + 1] = four.y, v[i][eight + 2] = four.z, v[i][eight + 3] = four.w;
            } else if constexpr (AT_ONCE == 2) {
                const float2 two = *reinterpret_cast<const float2 *>(from);
                v[i][eight] = two.x, v[i][eight + 1] = two.y;
            } else {
                v[i][eight] = *reinterpret_cast<const float *>(from);
            }
        }
}

// The fragments of an operand whose sum runs over the rows of shared memory: F fragments of 16 (8: right side) elements
// along the row, from byte `at` on; 32 bytes along the sum.
template <int PRECISION, int F>
__device__ __forceinline__ void left_fragments(uint32_t (&a)[F][4], const unsigned char *at, int pitch, int lane) {
    if constexpr (PRECISION == MMC_CUDA_BF16) {
#pragma unroll
        for (int f = 0; f < F; f++)
            mmc_ldmatrix_x4_trans(a[f], at + (lane % 8 + lane / 16 * 8) * pitch + (f * 16 + lane / 8 % 2 * 8) * 2);
    } else {
        float v[2][2 * F];
        fetch_floats<left_at_once<PRECISION>>(v, at, pitch, lane);
#pragma unroll
        for (int f = 0; f < F; f++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                a[f][i] = __float_as_uint(v[i / 2][2 * f + i % 2]);
    }
}
template <int PRECISION, int F>
__device__ __forceinline__ void right_fragments(uint32_t (&b)[F][2], const unsigned char *at, int pitch, int lane) {
    if constexpr (PRECISION == MMC_CUDA_BF16) {
#pragma unroll
        for (int f = 0; f < F; f += 2) {
            uint32_t two[4];
            mmc_ldmatrix_x4_trans(two, at + lane % 16 * pitch + (f * 8 + lane / 16 * 8) * 2);
            b[f][0] = two[0], b[f][1] = two[1];
            b[f + 1][0] = two[2], b[f + 1][1] = two[3];
        }
    } else {
        float v[2][F];
        fetch_floats<right_at_once<PRECISION>>(v, at, pitch, lane);
#pragma unroll
        for (int f = 0; f < F; f++)
#pragma unroll
            for (int i = 0; i < 2; i++)
                b[f][i] = PRECISION == MMC_CUDA_TF32 ? mmc_to_tf32(v[i][f]) : __float_as_uint(v[i][f]);
    }
}

template <int PRECISION, int BM, int BN, int WARPS_M, int STAGES>
__global__ void __launch_bounds__(THREADS, 2) conv_backward_weights_kernel(weights_args a) {
    typedef typename mmc_element<PRECISION>::type E;
    constexpr int SIZE = sizeof(E), PER = 16 / SIZE, PIXELS = 64 / SIZE, STEP = 32 / SIZE, TAIL = SIZE == 4 ? 32 : 16;
    constexpr int WARPS_N = THREADS / 32 / WARPS_M, M = BM / WARPS_M / 16, N = BN / WARPS_N / 8;
    constexpr int PITCH_M = BM * SIZE + TAIL, PITCH_N = BN * SIZE + TAIL, STAGE = PIXELS * (PITCH_M + PITCH_N);
    constexpr int CHUNKS_M = BM / PER, CHUNKS_N = BN / PER; // of a row
    static_assert(THREADS % CHUNKS_M == 0 && THREADS % CHUNKS_N == 0 && N % 2 == 0, "a thread keeps its chunk");
    __shared__ __align__(16) unsigned char shared[STAGES * STAGE];

    const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    const int first_column = blockIdx.x * BN, first_k = blockIdx.y * BM;
    const int begin = blockIdx.z * a.run, end = min(a.pixels, begin + a.run);
    const int k = first_k + thread % CHUNKS_M * PER, row_m = thread / CHUNKS_M;
    const int column = first_column + thread % CHUNKS_N * PER, row_n = thread / CHUNKS_N;
    const int tap = column / a.padded_c, c = column - tap * a.padded_c;
    const int dy = tap / a.r - a.r / 2, dx = tap % a.r - a.r / 2;

    // Nothing is loaded beyond the channels.
    const int k_end = k < a.padded_k ? end : begin, column_end = column < a.columns ? end : begin;
    const E *dz = static_cast<const E *>(a.dz) + k, *x_from = static_cast<const E *>(a.x) + c;

    auto load = [&](int stage, int step) {
        unsigned char *left = shared + stage * STAGE, *right = left + PIXELS * PITCH_M;
        const int from = begin + step * PIXELS;
#pragma unroll
        for (int i = 0; i < PIXELS; i += THREADS / CHUNKS_M) {
            const int row = row_m + i, p = from + row;
            if (row >= PIXELS)
                break;
            mmc_cp_async16(left + row * PITCH_M + thread % CHUNKS_M * 16, dz + static_cast<int64_t>(p) * a.padded_k,
                           p < k_end ? 16 : 0); // nothing is read where 0 bytes are
        }
#pragma unroll
        for (int i = 0; i < PIXELS; i += THREADS / CHUNKS_N) {
            const int row = row_n + i, p = from + row;
            if (row >= PIXELS)
                break;
            const int image = mmc_quotient(a.plane, p), rest = p - image * a.rows_out * a.columns_out;
            const int yo = mmc_quotient(a.width, rest), xo = rest - yo * a.columns_out;
            const int y = yo * a.stride + dy, x = xo * a.stride + dx;
            const bool real = p < column_end && static_cast<unsigned>(y) < static_cast<unsigned>(a.h) &&
                              static_cast<unsigned>(x) < static_cast<unsigned>(a.w);
            const int64_t pixel = static_cast<int64_t>(image * a.h + y) * a.w + x;
            mmc_cp_async16(right + row * PITCH_N + thread % CHUNKS_N * 16, x_from + pixel * a.padded_c, real ? 16 : 0);
        }
    };

    float acc[M][N][4];
#pragma unroll
    for (int m = 0; m < M; m++)
#pragma unroll
        for (int j = 0; j < N; j++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                acc[m][j][i] = 0;
    const int warp_m = warp / WARPS_N * M * 16, warp_n = warp % WARPS_N * N * 8;
    const int steps = (end - begin + PIXELS - 1) / PIXELS;
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps)
            load(s, s);
        mmc_cp_commit();
    }
    for (int step = 0; step < steps; step++) {
        mmc_cp_wait<STAGES - 2>();
        __syncthreads();
        if (step + STAGES - 1 < steps)
            load((step + STAGES - 1) % STAGES, step + STAGES - 1);
        mmc_cp_commit();
        const unsigned char *left = shared + step % STAGES * STAGE, *right = left + PIXELS * PITCH_M;
#pragma unroll
        for (int row = 0; row < PIXELS; row += STEP) {
            uint32_t l[M][4], r[N][2];
            left_fragments<PRECISION>(l, left + row * PITCH_M + warp_m * SIZE, PITCH_M, lane);
            right_fragments<PRECISION>(r, right + row * PITCH_N + warp_n * SIZE, PITCH_N, lane);
            mmc_multiply<PRECISION>(acc, l, r);
        }
    }

#pragma unroll
    for (int m = 0; m < M; m++)
#pragma unroll
        for (int side = 0; side < 2; side++) {
            const int row = first_k + warp_m + element_of<left_at_once<PRECISION>>(2 * m + side, lane / 4);
            if (row >= a.k)
                continue;
            float *out = a.partial + (static_cast<int64_t>(blockIdx.z) * a.k + row) * a.columns;
            if constexpr (right_at_once<PRECISION> == 1) {
#pragma unroll
                for (int j = 0; j < N; j++) {
                    const int at = first_column + warp_n + j * 8 + lane % 4 * 2;
                    if (at < a.columns)
                        *reinterpret_cast<float2 *>(out + at) =
                            make_float2(acc[m][j][2 * side], acc[m][j][2 * side + 1]);
                }
            } else {
                static_assert(N == right_at_once<PRECISION>, "an eight takes every fourth column");
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    const int at = first_column + warp_n + element_of<right_at_once<PRECISION>>(0, lane % 4 * 2 + i);
                    const int e = 2 * side + i;
                    if (at < a.columns)
                        *reinterpret_cast<float4 *>(out + at) =
                            make_float4(acc[m][0][e], acc[m][1][e], acc[m][2][e], acc[m][3][e]);
                }
            }
        }
}

__global__ void __launch_bounds__(REDUCE_THREADS)
    weights_reduce_kernel(float *dw, const float *partial, int splits, int channels, int padded_c, int taps) {
    __shared__ float sums[9 * REDUCE_C];
    const int k = blockIdx.x, first = blockIdx.y * REDUCE_C, some = min(REDUCE_C, channels - first);
    const int64_t columns = static_cast<int64_t>(taps) * padded_c, split = columns * gridDim.x;
    for (int i = threadIdx.x; i < taps * some; i += REDUCE_THREADS) {
        const int tap = i / some, c = i - tap * some;
        const float *in = partial + k * columns + tap * padded_c + first + c;
        double sum = 0;
        for (int s = 0; s < splits; s++)
            sum += in[s * split];
        sums[c * taps + tap] = static_cast<float>(sum);
    }
    __syncthreads();
    float *out = dw + (static_cast<int64_t>(k) * channels + first) * taps;
    for (int i = threadIdx.x; i < taps * some; i += REDUCE_THREADS)
        out[i] = sums[i];
}

// The tile of a shape: narrow outputs get few rows and many columns.
struct tile {
    int m, n;
};
tile tile_of(const mmc_unit_shape *s, mmc_cuda_precision precision) {
    if (mmc_cuda_pad(s->k) <= 16)
        return {16, 128};
    return {s->k >= 128 && precision != MMC_CUDA_FP32 ? 128 : 64, 64};
}
int columns_of(const mmc_unit_shape *s) {
    return s->r * s->r * mmc_cuda_pad(s->c);
}
int pixels_of(const mmc_unit_shape *s) {
    return s->n * mmc_unit_out_h(s) * mmc_unit_out_w(s);
}
// Upper bound of the splits; grows with the batch.
int splits_of(const mmc_unit_shape *s, mmc_cuda_precision precision) {
    const tile t = tile_of(s, precision);
    int tiles = ((s->k + t.m - 1) / t.m) * ((columns_of(s) + t.n - 1) / t.n);
    int wanted = (WANTED_BLOCKS + tiles - 1) / tiles, most = (pixels_of(s) + FEWEST_PIXELS - 1) / FEWEST_PIXELS;
    return wanted < most ? wanted : most;
}

template <int PRECISION> void launch(const weights_args &a, tile t, int splits, cudaStream_t stream) {
    const dim3 grid((a.columns + t.n - 1) / t.n, (a.k + t.m - 1) / t.m, splits);
    if (t.m == 16)
        MMC_LAUNCH((conv_backward_weights_kernel<PRECISION, 16, 128, 1, 4>), grid, THREADS, 0, stream, a);
    else if (t.m == 64)
        MMC_LAUNCH((conv_backward_weights_kernel<PRECISION, 64, 64, 2, 4>), grid, THREADS, 0, stream, a);
    else if constexpr (PRECISION != MMC_CUDA_FP32)
        MMC_LAUNCH((conv_backward_weights_kernel<PRECISION, 128, 64, 2, 3>), grid, THREADS, 0, stream, a);
}

} // namespace

extern "C" size_t mmc_cuda_conv_backward_weights_workspace_size(const mmc_unit_shape *s, mmc_cuda_precision precision) {
    return sizeof(float) * splits_of(s, precision) * s->k * columns_of(s);
}

extern "C" cudaError_t mmc_cuda_conv_backward_weights(const mmc_cuda_conv_backward_weights_call *call,
                                                      cudaStream_t stream) {
    const mmc_unit_shape *s = &call->shape;
    weights_args a = {};
    a.partial = call->workspace;
    a.dz = call->dz;
    a.x = call->x;
    a.pixels = pixels_of(s);
    a.k = s->k, a.padded_k = mmc_cuda_pad(s->k), a.padded_c = mmc_cuda_pad(s->c), a.columns = columns_of(s);
    a.rows_out = mmc_unit_out_h(s), a.columns_out = mmc_unit_out_w(s);
    a.h = s->h, a.w = s->w, a.r = s->r, a.stride = s->stride;
    a.plane = mmc_cuda_divider_of(a.rows_out * a.columns_out);
    a.width = mmc_cuda_divider_of(a.columns_out);
    const tile t = tile_of(s, call->precision);
    const int most = splits_of(s, call->precision), run = (a.pixels + most - 1) / most;
    a.run = (run + 31) / 32 * 32;
    const int splits = (a.pixels + a.run - 1) / a.run;
    switch (call->precision) {
    case MMC_CUDA_FP32:
        launch<MMC_CUDA_FP32>(a, t, splits, stream);
        break;
    case MMC_CUDA_TF32:
        launch<MMC_CUDA_TF32>(a, t, splits, stream);
        break;
    case MMC_CUDA_BF16:
        launch<MMC_CUDA_BF16>(a, t, splits, stream);
        break;
    }
    cudaError_t error = cudaGetLastError();
    if (error != cudaSuccess)
        return error;
    MMC_LAUNCH(weights_reduce_kernel, dim3(s->k, (s->c + REDUCE_C - 1) / REDUCE_C), REDUCE_THREADS, 0, stream, call->dw,
               call->workspace, splits, s->c, a.padded_c, s->r * s->r);
    return cudaGetLastError();
}
