// Gradient of a convolution by its input: dx[p][c] (+)= sum over taps and k of dz[q(p, tap)][k] w[k][c][tap].
//
// An implicit matrix product on tensor cores: rows = pixels of dx, columns = input channels, the sum runs over (tap, k)
// in 16-byte chunks, densely also where k is small. With stride 2 the pixels of dx fall into four classes by the parity
// of row and column (blockIdx.z), each with its own taps (1, 2, 2, 4 of 9), so that no tap is multiplied by a zero
// between pixels. The unit uses it for stride 2: with stride 1 the gradient is a forward convolution of dz with the
// turned weights, which brings dz in once for all taps (backward.c, conv_forward.cu).
//
//   Mapping: 128 threads make a tile of BM pixels x BN channels; WARPS_M x WARPS_N warps. grid = (pixel tiles, channel
//     tiles, parity classes).
//   Shared memory: 4 stages of (BM + BN) rows of 64 bytes by cp.async, zeros for padding and tails: 48 KiB at 128 x 64,
//     32 KiB at 64 x 64 (fp32), 36 KiB at 128 x 16. The 16-byte chunks of a row are permuted by bits 1 and 2 of the
//     row's number, so that neither ldmatrix nor cp.async meets a bank twice.
//   Bytes: dz once per tap and channel tile (mostly from L2), w once per pixel tile, dx written once, read where added.
//   FLOP per element of dx: 2 K R^2 / stride^2; three times the tensor work in fp32 (3xTF32).
//   Order: one sum per element, over taps by row and column, then k.
#include "kernels/cuda/backward_tile.cuh"

constexpr int THREADS = 128, STAGES = 4, CHUNKS = 4, ROW_BYTES = CHUNKS * 16;

namespace {

struct data_args {
    void *dx;
    const void *dz, *w;
    bool add;
    int n, h, w_in, padded_c;    // dx
    int rows, columns, padded_k; // dz
    int r, stride;
    mmc_cuda_divider plane[4], width[4]; // of the pixels of a parity class
};

// Where the 16 bytes of a chunk lie in a stage.
__device__ __forceinline__ int place(int row, int chunk) {
    return row * ROW_BYTES + ((chunk ^ ((row >> 1) & 3)) << 4);
}

template <int PRECISION, int BM, int BN, int WARPS_M>
__global__ void __launch_bounds__(THREADS, 2) conv_backward_data_kernel(data_args a) {
    typedef typename mmc_element<PRECISION>::type E;
    constexpr int WARPS_N = THREADS / 32 / WARPS_M, M = BM / WARPS_M / 16, N = BN / WARPS_N / 8;
    constexpr int PER = 16 / static_cast<int>(sizeof(E)), ROWS = THREADS / CHUNKS, LOADS = BM / ROWS;
    constexpr int STAGE = (BM + BN) * ROW_BYTES;
    static_assert(M >= 1 && N >= 2 && N % 2 == 0 && BM % ROWS == 0, "tiles of whole fragments");
    __shared__ __align__(16) unsigned char shared[STAGES * STAGE];

    const int py = blockIdx.z / 2, px = blockIdx.z % 2; // parity class
    const int height = (a.h - py + a.stride - 1) / a.stride, width = (a.w_in - px + a.stride - 1) / a.stride;
    const int pixels = a.n * height * width, first = blockIdx.x * BM, first_c = blockIdx.y * BN;
    if (first >= pixels)
        return;
    const mmc_cuda_divider by_plane = a.plane[blockIdx.z], by_width = a.width[blockIdx.z];
    const int pad = a.r / 2, ay = (py + pad) % a.stride, ax = (px + pad) % a.stride;
    const int taps_y = (a.r - ay + a.stride - 1) / a.stride, taps_x = (a.r - ax + a.stride - 1) / a.stride;
    const bool reached = taps_y > 0 && taps_x > 0;
    if (!reached && a.add)
        return;

    const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    const int chunk = thread % CHUNKS, row0 = thread / CHUNKS;
    const int taps = reached ? taps_y * taps_x : 0;
    const E *from[LOADS];  // dz under tap (0, 0) of this thread's pixels
    uint32_t valid[LOADS]; // bit i: tap i of the class lies inside dz
#pragma unroll
    for (int i = 0; i < LOADS; i++) {
        const int p = first + row0 + i * ROWS, image = mmc_quotient(by_plane, p), rest = p - image * height * width;
        const int y = mmc_quotient(by_width, rest), y0 = y + (py + pad - ay) / a.stride;
        const int x0 = rest - y * width + (px + pad - ax) / a.stride;
        from[i] = static_cast<const E *>(a.dz) +
                  (static_cast<int64_t>(image) * a.rows * a.columns + y0 * a.columns + x0) * a.padded_k;
        valid[i] = 0;
        for (int tap = 0; tap < taps; tap++) {
            const int row = y0 - tap / taps_x, column = x0 - tap % taps_x;
            valid[i] |=
                static_cast<uint32_t>(p < pixels && row >= 0 && row < a.rows && column >= 0 && column < a.columns)
                << tap;
        }
    }
    const int steps = (taps * a.padded_k + CHUNKS * PER - 1) / (CHUNKS * PER);
    // Where this thread's chunk lies along the sum: channel k of tap (iy, ix), and how far that is in dz and w.
    int tap = 0, iy = 0, ix = 0, k = chunk * PER;
    int64_t dz_at = 0, w_at = 0;
    auto find_tap = [&] {
        while (k >= a.padded_k) {
            k -= a.padded_k;
            tap++;
            if (++ix == taps_x) {
                ix = 0;
                iy++;
            }
        }
        dz_at = k - static_cast<int64_t>(iy * a.columns + ix) * a.padded_k;
        const int turned = a.r * a.r - 1 - (ay + a.stride * iy) * a.r - ax - a.stride * ix;
        w_at = static_cast<int64_t>(turned) * a.padded_c * a.padded_k + k;
    };
    find_tap();
    const E *w_from = static_cast<const E *>(a.w) + static_cast<int64_t>(first_c + row0) * a.padded_k;
    const int w_rows = a.padded_c - first_c - row0, w_step = ROWS * a.padded_k;
    const int at_thread = place(row0, chunk);

    auto load = [&](int stage) {
        unsigned char *rows = shared + stage * STAGE + at_thread;
#pragma unroll
        for (int i = 0; i < LOADS; i++) // nothing is read where 0 bytes are; no bit is set beyond the taps
            mmc_cp_async16(rows + i * ROWS * ROW_BYTES, from[i] + dz_at, valid[i] >> tap & 1 ? 16 : 0);
        const int w_left = tap < taps ? w_rows : 0;
#pragma unroll
        for (int i = 0; i * ROWS < BN; i++)
            if (BN >= ROWS || row0 < BN)
                mmc_cp_async16(rows + (BM + i * ROWS) * ROW_BYTES, w_from + (w_at + i * w_step),
                               i * ROWS < w_left ? 16 : 0);
        k += CHUNKS * PER;
        dz_at += CHUNKS * PER;
        w_at += CHUNKS * PER;
        if (k >= a.padded_k)
            find_tap();
    };

    float acc[M][N][4];
#pragma unroll
    for (int m = 0; m < M; m++)
#pragma unroll
        for (int j = 0; j < N; j++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                acc[m][j][i] = 0;
    const int row_m = warp / WARPS_N * M * 16, row_n = warp % WARPS_N * N * 8;
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps)
            load(s);
        mmc_cp_commit();
    }
    for (int step = 0; step < steps; step++) {
        mmc_cp_wait<STAGES - 2>();
        __syncthreads();
        if (step + STAGES - 1 < steps)
            load((step + STAGES - 1) % STAGES);
        mmc_cp_commit();
        const unsigned char *rows = shared + step % STAGES * STAGE, *columns = rows + BM * ROW_BYTES;
#pragma unroll
        for (int half = 0; half < CHUNKS / 2; half++) {
            uint32_t left[M][4], right[N][2];
#pragma unroll
            for (int m = 0; m < M; m++)
                mmc_ldmatrix_x4(left[m], rows + place(row_m + m * 16 + lane % 16, 2 * half + lane / 16));
#pragma unroll
            for (int j = 0; j < N; j += 2) {
                uint32_t two[4];
                mmc_ldmatrix_x4(two,
                                columns + place(row_n + j * 8 + lane % 8 + lane / 16 * 8, 2 * half + lane / 8 % 2));
                right[j][0] = two[0], right[j][1] = two[1];
                right[j + 1][0] = two[2], right[j + 1][1] = two[3];
            }
            mmc_multiply<PRECISION>(acc, left, right);
        }
    }

#pragma unroll
    for (int m = 0; m < M; m++)
#pragma unroll
        for (int side = 0; side < 2; side++) {
            const int p = first + row_m + m * 16 + side * 8 + lane / 4;
            if (p >= pixels)
                continue;
            const int image = mmc_quotient(by_plane, p), rest = p - image * height * width;
            const int y = mmc_quotient(by_width, rest), x = rest - y * width;
            const int64_t pixel = (static_cast<int64_t>(image) * a.h + y * a.stride + py) * a.w_in + x * a.stride + px;
#pragma unroll
            for (int j = 0; j < N; j++) {
                const int c = first_c + row_n + j * 8 + lane % 4 * 2;
                if (c >= a.padded_c)
                    continue;
                float low = acc[m][j][2 * side], high = acc[m][j][2 * side + 1];
                E *out = static_cast<E *>(a.dx) + pixel * a.padded_c + c;
                if constexpr (PRECISION == MMC_CUDA_BF16) {
                    uint32_t *pair = reinterpret_cast<uint32_t *>(out);
                    if (a.add) {
                        low += mmc_bf16_low(*pair);
                        high += mmc_bf16_high(*pair);
                    }
                    *pair = mmc_to_bf16x2(low, high);
                } else {
                    float2 *pair = reinterpret_cast<float2 *>(out);
                    if (a.add) {
                        const float2 before = *pair;
                        low += before.x;
                        high += before.y;
                    }
                    *pair = make_float2(low, high);
                }
            }
        }
}

// fp32 holds the halves of its fragments as well and takes half as many pixels.
template <int PRECISION> void launch(const data_args &a, int pixels, int classes, cudaStream_t stream) {
    constexpr int BM = PRECISION == MMC_CUDA_FP32 ? 64 : 128;
    const int c = a.padded_c;
    if (c <= 16)
        MMC_LAUNCH((conv_backward_data_kernel<PRECISION, 128, 16, 4>), dim3((pixels + 127) / 128, 1, classes), THREADS,
                   0, stream, a);
    else
        MMC_LAUNCH((conv_backward_data_kernel<PRECISION, BM, 64, 2>),
                   dim3((pixels + BM - 1) / BM, (c + 63) / 64, classes), THREADS, 0, stream, a);
}

} // namespace

extern "C" cudaError_t mmc_cuda_conv_backward_data(const mmc_cuda_conv_backward_data_call *call, cudaStream_t stream) {
    const mmc_unit_shape *s = &call->shape;
    data_args a = {};
    a.dx = call->dx;
    a.dz = call->dz;
    a.w = call->turned;
    a.add = call->add;
    a.n = s->n, a.h = s->h, a.w_in = s->w, a.padded_c = mmc_cuda_pad(s->c);
    a.rows = mmc_unit_out_h(s), a.columns = mmc_unit_out_w(s), a.padded_k = mmc_cuda_pad(s->k);
    a.r = s->r, a.stride = s->stride;
    const int classes = s->stride == 2 ? 4 : 1;
    for (int i = 0; i < classes; i++) {
        int height = (s->h - i / 2 + s->stride - 1) / s->stride, width = (s->w - i % 2 + s->stride - 1) / s->stride;
        a.plane[i] = mmc_cuda_divider_of(height * width > 0 ? height * width : 1);
        a.width[i] = mmc_cuda_divider_of(width > 0 ? width : 1);
    }
    const int pixels = s->n * ((s->h + s->stride - 1) / s->stride) * ((s->w + s->stride - 1) / s->stride);
    switch (call->precision) {
    case MMC_CUDA_FP32:
        launch<MMC_CUDA_FP32>(a, pixels, classes, stream);
        break;
    case MMC_CUDA_TF32:
        launch<MMC_CUDA_TF32>(a, pixels, classes, stream);
        break;
    case MMC_CUDA_BF16:
        launch<MMC_CUDA_BF16>(a, pixels, classes, stream);
        break;
    }
    return cudaGetLastError();
}
