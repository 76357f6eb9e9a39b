// The forward convolution (K1): an implicit matrix product, pixels by output channels, on tensor cores.
//
// Blocks and threads: a block of 4 warps computes a tile of 128 output pixels (images x rows x columns, conv_plan.c) by
//     WIDTH output channels; a warp 16 MT x 8 NT of it. Blocks in the order channels, tiles, sets: neighbours share
//     their input, and the sets come one after another, so that L2 holds the activations of one at a time.
// Shared memory: for one chunk of 64 bytes of channels the input of the tile with its halo, brought in and normalised
//     once and read for all R R taps at shifted addresses; STAGES tiles of weights [filter][chunk] by cp.async. Pixels
//     and filters lie 80 bytes apart, rows and images at pitches that continue the series modulo the banks
//     (conv_plan.c): ldmatrix meets no bank twice, and every shift is a constant added to an address, where a swizzle
//     would cost an exclusive or a step.
// Bytes and FLOP: each input element is read 1.4 times at 16 x 8 pixels (halo), once per ceil(K / WIDTH); weights from
//     L2 once a tile; each output element written once. 2 C R R FLOP an output element (fp32: three products, 6 C R R).
// Order: chunks of channels, taps, steps of 32 bytes. fp32 gathers each row of taps in accumulators of its own, that
// are
//     added in float: tensor cores cut off what they shift out, which adds up in a long sum. Statistics:
//     conv_statistics.cuh.
#include "kernels/cuda/conv_statistics.cuh"
#include "kernels/cuda/conv_tile.cuh"

namespace {

enum { THREADS = MMC_CONV_THREADS, WARPS = THREADS / 32, PIXELS = MMC_CUDA_TILE_PIXELS, PITCH = MMC_CUDA_PITCH_BYTES };

template <int WIDTH> constexpr int stages = WIDTH > 64 ? 3 : 4;

// The tile of a block.
struct tile_place {
    int set, index, first_channel;
    int image, y, x; // first output pixel
};

__device__ __forceinline__ tile_place find_tile(const mmc_cuda_conv_plan &plan, int first_set) {
    const unsigned along_k = blockIdx.x % plan.tiles_k, rest = blockIdx.x / plan.tiles_k;
    const int index = static_cast<int>(rest % plan.tiles);
    tile_place at;
    at.set = first_set + static_cast<int>(rest / plan.tiles);
    at.index = index;
    at.first_channel = static_cast<int>(along_k) * plan.width;
    at.image = index / (plan.tiles_w * plan.tiles_h) * plan.images;
    at.y = index / plan.tiles_w % plan.tiles_h * plan.rows;
    at.x = index % plan.tiles_w * plan.columns;
    return at;
}

// Copies tiles of weights into shared memory ahead of their use, one a tap, the taps of a chunk of channels before the
// next chunk: filters first.. of [tap][filters][channels], 64 bytes of channels. What lies outside is never copied: for
// filters that do not exist and channels after the last there is zero in the stages from the start (the channels of a
// last, shorter chunk may find those of the chunk before, which meet zeros of the halo). After the last tile nothing is
// copied any more.
template <int WIDTH> struct filter_stream {
    static constexpr int PIECES = MMC_CUDA_CHUNK_BYTES / MMC_CUDA_PIECE_BYTES, APART = THREADS / PIECES;
    static constexpr int ITEMS = (WIDTH + APART - 1) / APART;
    static constexpr int STAGES = stages<WIDTH>, STAGE_BYTES = WIDTH * PITCH;

    const unsigned char *from;
    unsigned char *to;
    int tap_bytes, chunk_bytes; // from a tap to the next, from the last of a chunk to the first of the next
    int filter_bytes, tap, taps, left;
    int filters_there, there; // of this thread's items, the first so many exist
    int stage;                // in bytes: the next to be filled, and so the oldest

    __device__ __forceinline__ filter_stream(unsigned char *stages, const unsigned char *packed, int first, int filters,
                                             int bytes, int tap_count)
        : tap_bytes(filters * bytes), chunk_bytes(MMC_CUDA_CHUNK_BYTES - (tap_count - 1) * tap_bytes),
          filter_bytes(bytes), tap(0), taps(tap_count), stage(0) {
        const int filter = static_cast<int>(threadIdx.x) / PIECES;
        const int offset = static_cast<int>(threadIdx.x) % PIECES * MMC_CUDA_PIECE_BYTES;
        from = packed + static_cast<size_t>(first + filter) * bytes + offset;
        to = stages + filter * PITCH + offset;
        left = bytes - offset;
        const int last = filters - first < WIDTH ? filters - first : WIDTH;
        filters_there = filter < last ? (last - filter + APART - 1) / APART : 0;
        there = left > 0 ? filters_there : 0;
        if (filters - first < WIDTH || bytes % MMC_CUDA_CHUNK_BYTES != 0) {
            for (int i = static_cast<int>(threadIdx.x); i < STAGES * STAGE_BYTES / MMC_CUDA_PIECE_BYTES; i += THREADS)
                reinterpret_cast<uint4 *>(stages)[i] = make_uint4(0, 0, 0, 0);
            __syncthreads();
        }
    }
    __device__ __forceinline__ void fetch() {
        MMC_UNROLL
        for (int i = 0; i < ITEMS; i++)
            if (i < there)
                mmc_cp_async16(to + stage + i * APART * PITCH, from + i * APART * filter_bytes);
        mmc_cp_commit();
        stage = stage == (STAGES - 1) * STAGE_BYTES ? 0 : stage + STAGE_BYTES;
        const bool turn = ++tap == taps;
        from += turn ? chunk_bytes : tap_bytes;
        if (turn) {
            tap = 0;
            left -= MMC_CUDA_CHUNK_BYTES;
            there = left > 0 ? filters_there : 0;
        }
    }
};

__device__ __forceinline__ float2 load_pair(const float *p) {
    return *reinterpret_cast<const float2 *>(p);
}
__device__ __forceinline__ float2 load_pair(const mmc_bf16 *p) {
    const uint32_t pair = *reinterpret_cast<const uint32_t *>(p);
    return make_float2(mmc_bf16_low(pair), mmc_bf16_high(pair));
}
__device__ __forceinline__ void store_pair(float *p, float2 v) {
    *reinterpret_cast<float2 *>(p) = v;
}
__device__ __forceinline__ void store_pair(mmc_bf16 *p, float2 v) {
    *reinterpret_cast<uint32_t *>(p) = mmc_to_bf16x2(v.x, v.y);
}

// Blocks that share a multiprocessor's registers, so that one multiplies while another fetches its input.
template <mmc_cuda_precision P, int WIDTH>
constexpr int resident = WIDTH > 64    ? 2
                         : WIDTH == 64 ? (P == MMC_CUDA_FP32 ? 2 : 3)
                                       : (P == MMC_CUDA_TF32 ? 4 : 3);

template <mmc_cuda_precision P, int WARPS_M, int MT, int NT>
__global__ void __launch_bounds__(THREADS, (resident<P, WARPS / WARPS_M * NT * 8>))
    conv_forward_kernel(const mmc_cuda_conv_call call, const mmc_cuda_conv_plan plan, unsigned *counters,
                        int first_set) {
    using Element = typename mmc_precision<P>::Element;
    constexpr int WIDTH = WARPS / WARPS_M * NT * 8, STAGES = stages<WIDTH>, STAGE_BYTES = WIDTH * PITCH;
    static_assert(WARPS_M * MT * 16 == PIXELS, "the warps cover the tile");
    MMC_DYN_SHARED(unsigned char, shared);
    __shared__ int halo_row[PIXELS], out_pixel[PIXELS];
    __shared__ mmc_halo_norm halo_norm;
    __shared__ float out_norm[3][WIDTH], part[WARPS_M][WIDTH];
    __shared__ bool last;
    unsigned char *const halo = shared + STAGES * STAGE_BYTES;
    mmc_halo_pixel *const table =
        reinterpret_cast<mmc_halo_pixel *>(halo + plan.images * plan.image_pitch * MMC_CUDA_PIECE_BYTES);

    const mmc_unit_shape &s = call.shape;
    const tile_place at = find_tile(plan, first_set);
    const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
    const int warp_row = warp % WARPS_M * MT * 16, warp_column = warp / WARPS_M * NT * 8;
    const int cp = (s.c + MMC_CUDA_CHANNELS - 1) / MMC_CUDA_CHANNELS * MMC_CUDA_CHANNELS;
    const int kp = (s.k + MMC_CUDA_CHANNELS - 1) / MMC_CUDA_CHANNELS * MMC_CUDA_CHANNELS;
    const int pixel_bytes = cp * static_cast<int>(sizeof(Element));
    const size_t source_set = call.x.shared ? 0 : at.set;

    // --- tables: one thread a pixel of the tile, the halo, the norm of the output ---
    const int images = s.n - at.image < plan.images ? s.n - at.image : plan.images;
    {
        const int plane = plan.rows * plan.columns, image = thread / plane;
        const int row = thread % plane / plan.columns, column = thread % plane % plan.columns;
        const bool there = image < images && at.y + row < plan.out_h && at.x + column < plan.out_w;
        halo_row[thread] =
            there
                ? (image * plan.image_pitch + row * plan.step * plan.row_pitch) * MMC_CUDA_PIECE_BYTES + column * PITCH
                : 0;
        out_pixel[thread] = there ? (image * plan.out_h + at.y + row) * plan.out_w + at.x + column : -1;
    }
    mmc_halo_describe(table, plan, s, at.image, at.y, at.x);
    if (call.mode == MMC_CUDA_CONV_EVAL && thread < WIDTH) {
        const mmc_channel_norm norm = mmc_norm_of(call.norm, at.set, at.first_channel + thread, s.k);
        out_norm[0][thread] = norm.mean;
        out_norm[1][thread] = norm.scale;
        out_norm[2][thread] = norm.shift;
    }
    // Rows of a tile that lies partly outside come last: a warp that has only such rows has nothing to multiply.
    const int rows_there = plan.images > 1
                               ? images * plan.rows * plan.columns
                               : (plan.out_h - at.y < plan.rows ? plan.out_h - at.y : plan.rows) * plan.columns;
    const bool busy = warp_row < rows_there;

    // --- weights: the copies run STAGES - 1 tiles ahead ---
    const int taps = s.r * s.r, chunks = (pixel_bytes + MMC_CUDA_CHUNK_BYTES - 1) / MMC_CUDA_CHUNK_BYTES;
    filter_stream<WIDTH> ahead(shared, static_cast<const unsigned char *>(call.packed) + at.set * call.packed_stride,
                               at.first_channel, kp, pixel_bytes, taps);
    for (int i = 0; i < STAGES - 1; i++)
        ahead.fetch();
    __syncthreads(); // the tables are there

    // --- the product ---
    float sum[MT][NT][4] = {};
    int row[MT];
    MMC_UNROLL
    for (int i = 0; i < MT; i++)
        row[i] = halo_row[warp_row + i * 16 + mmc_tile_row(lane)] + mmc_tile_row_piece(lane) * MMC_CUDA_PIECE_BYTES;
    int filter = (warp_column + mmc_tile_filter(lane)) * PITCH + mmc_tile_filter_piece(lane) * MMC_CUDA_PIECE_BYTES;
    mmc_keep(filter);
    const size_t input = (source_set * s.n + at.image) * s.h * s.w * pixel_bytes;
    const int halo_pixels = plan.images * plan.halo_h * plan.halo_w;
    const bool normed = call.x.norm.mean != nullptr;
    for (int chunk = 0; chunk < chunks; chunk++) {
        const int chunk_bytes = chunk * MMC_CUDA_CHUNK_BYTES, left = pixel_bytes - chunk_bytes;
        if (normed)
            mmc_halo_coefficients<Element>(halo_norm, call.x, source_set,
                                           chunk_bytes / static_cast<int>(sizeof(Element)), s.c);
        __syncthreads(); // so are the coefficients, and nobody reads the chunk before
        const unsigned char *const z = static_cast<const unsigned char *>(call.x.z) + input + chunk_bytes;
        if (!normed) {
            mmc_halo_copy<P == MMC_CUDA_TF32>(halo, table, halo_pixels, z, pixel_bytes, left / MMC_CUDA_PIECE_BYTES);
        } else {
            const unsigned char *residual = static_cast<const unsigned char *>(call.x.residual);
            unsigned char *y = static_cast<unsigned char *>(call.x.y);
            const bool stores = y && at.first_channel == 0 && source_set == static_cast<size_t>(at.set);
            mmc_halo_normalise<Element, P == MMC_CUDA_TF32>(
                halo, table, halo_pixels, z, residual ? residual + input + chunk_bytes : nullptr,
                stores ? y + input + chunk_bytes : nullptr, pixel_bytes, left / MMC_CUDA_PIECE_BYTES, halo_norm,
                call.x.residual_norm.mean != nullptr, call.x.relu);
        }
        int steps = left > MMC_TILE_STEP_BYTES ? 2 : 1;
        mmc_keep(steps);
        const unsigned char *rows = halo;
        for (int dy = 0; dy < s.r; dy++, rows += plan.row_pitch * MMC_CUDA_PIECE_BYTES) {
            float apart[MT][NT][4];
            MMC_UNROLL
            for (int dx = 0; dx < 3; dx++) {
                if (dx >= s.r)
                    break;
                mmc_cp_wait<STAGES - 2>();
                __syncthreads();
                ahead.fetch();
                const unsigned char *const shifted = rows + mmc_halo_slot(plan, dx) * PITCH;
                const unsigned char *const stage = shared + filter + ahead.stage; // the oldest is the one to use
                if (busy) {
                    if constexpr (P != MMC_CUDA_FP32)
                        mmc_tile_multiply<P, MT, NT, PITCH>(sum, shifted, row, stage, steps);
                    else if (dx == 0)
                        mmc_tile_multiply<P, MT, NT, PITCH, true>(apart, shifted, row, stage, steps);
                    else
                        mmc_tile_multiply<P, MT, NT, PITCH>(apart, shifted, row, stage, steps);
                }
            }
            if (P == MMC_CUDA_FP32 && busy) {
                MMC_UNROLL
                for (int i = 0; i < MT * NT * 4; i++)
                    sum[i / (NT * 4)][i / 4 % NT][i % 4] += apart[i / (NT * 4)][i / 4 % NT][i % 4];
            }
        }
    }
    mmc_cp_wait<0>();

    // --- the output: a thread has rows g and g + 8 of 16, columns 2 q and 2 q + 1 of 8 ---
    const size_t output = (static_cast<size_t>(at.set) * s.n + at.image) * plan.out_h * plan.out_w;
    Element *const out = static_cast<Element *>(call.out);
    const Element *const residual = static_cast<const Element *>(call.residual);
    unsigned there = 0;
    MMC_UNROLL
    for (int i = 0; i < 2 * MT; i++) {
        const int pixel = out_pixel[warp_row + i / 2 * 16 + i % 2 * 8 + lane / 4];
        if (pixel < 0)
            continue;
        there |= 1u << i;
        MMC_UNROLL
        for (int j = 0; j < NT; j++) {
            const int column = warp_column + j * 8 + lane % 4 * 2;
            if (at.first_channel + column >= kp)
                continue;
            const size_t place = (output + pixel) * kp + at.first_channel + column;
            float2 v = make_float2(sum[i / 2][j][i % 2 * 2], sum[i / 2][j][i % 2 * 2 + 1]);
            if (call.mode == MMC_CUDA_CONV_EVAL) {
                v.x = mmc_norm_apply({out_norm[0][column], out_norm[1][column], out_norm[2][column]}, v.x);
                v.y = mmc_norm_apply({out_norm[0][column + 1], out_norm[1][column + 1], out_norm[2][column + 1]}, v.y);
                if (residual) {
                    const float2 r = load_pair(residual + place);
                    v = make_float2(v.x + r.x, v.y + r.y);
                }
                if (s.relu)
                    v = make_float2(mmc_relu(v.x), mmc_relu(v.y));
            } else if (call.mode == MMC_CUDA_CONV_ADD) {
                const float2 before = load_pair(out + place);
                v = make_float2(v.x + before.x, v.y + before.y);
            }
            store_pair(out + place, v);
        }
    }
    if (call.mode != MMC_CUDA_CONV_STATS)
        return;

    // --- statistics ---
    const int valid_h = plan.out_h - at.y < plan.rows ? plan.out_h - at.y : plan.rows;
    const int valid_w = plan.out_w - at.x < plan.columns ? plan.out_w - at.x : plan.columns;
    const float count = static_cast<float>(images * valid_h * valid_w);
    float(&mean)[WIDTH] = out_norm[0];
    mmc_column_sums<false, MT, NT, WIDTH>(part[warp % WARPS_M], sum, there, mean, warp_column);
    __syncthreads();
    if (thread < WIDTH) {
        float total = part[0][thread];
        for (int i = 1; i < WARPS_M; i++)
            total += part[i][thread];
        mean[thread] = total / count;
    }
    __syncthreads();
    mmc_column_sums<true, MT, NT, WIDTH>(part[warp % WARPS_M], sum, there, mean, warp_column);
    __syncthreads();

    const int rows = plan.tiles + plan.groups, along_k = at.first_channel / WIDTH;
    float2 *const mean_square = static_cast<float2 *>(call.workspace) + static_cast<size_t>(at.set) * rows * kp;
    float *const counts =
        reinterpret_cast<float *>(static_cast<float2 *>(call.workspace) + static_cast<size_t>(call.sets) * rows * kp);
    const mmc_partials partials = {counts + (static_cast<size_t>(at.set) * plan.tiles_k + along_k) * rows, mean_square,
                                   static_cast<size_t>(kp)};
    const int channel = at.first_channel + thread;
    const bool keeps = thread < WIDTH && channel < kp;
    if (keeps) {
        float total = part[0][thread];
        for (int i = 1; i < WARPS_M; i++)
            total += part[i][thread];
        partials.mean_square[static_cast<size_t>(at.index) * kp + channel] = make_float2(mean[thread], total);
    }
    if (thread == 0)
        partials.count[at.index] = count;

    const int group = at.index / plan.group_tiles, begin = group * plan.group_tiles;
    const int end = begin + plan.group_tiles < plan.tiles ? begin + plan.group_tiles : plan.tiles;
    unsigned *const counter =
        counters + (static_cast<size_t>(at.set - first_set) * plan.tiles_k + along_k) * (plan.groups + 1);
    if (!mmc_arrive(counter + group, static_cast<unsigned>(end - begin), last))
        return;
    mmc_moments moments = {0.0, 0.0, 0.0};
    if (keeps)
        moments = mmc_merge(partials, begin, end, channel);
    if (plan.groups > 1) {
        if (keeps)
            partials.mean_square[static_cast<size_t>(plan.tiles + group) * kp + channel] =
                make_float2(static_cast<float>(moments.mean), static_cast<float>(moments.squares));
        if (thread == 0)
            partials.count[plan.tiles + group] = static_cast<float>(moments.count);
        if (!mmc_arrive(counter + plan.groups, static_cast<unsigned>(plan.groups), last))
            return;
        if (keeps)
            moments = mmc_merge(partials, plan.tiles, plan.tiles + plan.groups, channel);
    }
    if (keeps && channel < s.k) {
        const size_t statistic = static_cast<size_t>(at.set) * call.stat_stride + channel;
        call.mean[statistic] = static_cast<float>(moments.mean);
        call.var[statistic] = static_cast<float>(moments.squares / moments.count);
    }
}

template <mmc_cuda_precision P, int WARPS_M, int MT, int NT>
cudaError_t launch(const mmc_cuda_conv_call &call, const mmc_cuda_conv_plan &plan, mmc_queue *queue) {
    constexpr int WIDTH = WARPS / WARPS_M * NT * 8;
    const auto kernel = conv_forward_kernel<P, WARPS_M, MT, NT>;
    const size_t halo = static_cast<size_t>(plan.images) * plan.image_pitch * MMC_CUDA_PIECE_BYTES;
    const size_t table = static_cast<size_t>(plan.images) * plan.halo_h * plan.halo_w * sizeof(mmc_halo_pixel);
    const size_t bytes = static_cast<size_t>(stages<WIDTH>) * WIDTH * PITCH + halo + table;
    cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
    if (error != cudaSuccess)
        return error;
    // As many sets in a launch as there are counters and blocks for.
    const int counters = plan.tiles_k * (plan.groups + 1);
    const long blocks = static_cast<long>(plan.tiles) * plan.tiles_k;
    long at_once = call.mode == MMC_CUDA_CONV_STATS ? MMC_CUDA_COUNTERS / counters : call.sets;
    at_once = at_once < 0x7fffffff / blocks ? at_once : 0x7fffffff / blocks;
    for (long first = 0; first < call.sets; first += at_once) {
        const long sets = call.sets - first < at_once ? call.sets - first : at_once;
        MMC_LAUNCH((conv_forward_kernel<P, WARPS_M, MT, NT>), static_cast<unsigned>(blocks * sets), THREADS, bytes,
                   queue->stream, call, plan, queue->counters, static_cast<int>(first));
        error = cudaGetLastError();
        if (error != cudaSuccess)
            return error;
    }
    return cudaSuccess;
}

template <mmc_cuda_precision P>
cudaError_t launch_width(const mmc_cuda_conv_call &call, const mmc_cuda_conv_plan &plan, mmc_queue *queue) {
    if (plan.width == 16)
        return launch<P, 4, 2, 2>(call, plan, queue);
    if (plan.width == 32)
        return launch<P, 4, 2, 4>(call, plan, queue);
    if constexpr (P != MMC_CUDA_FP32)
        if (plan.width == 128)
            return launch<P, 2, 4, 8>(call, plan, queue);
    return launch<P, 2, 4, 4>(call, plan, queue);
}

} // namespace

extern "C" cudaError_t mmc_cuda_conv(const mmc_cuda_conv_call *call, mmc_queue *queue) {
    const mmc_cuda_conv_plan plan = mmc_cuda_conv_plan_make(queue, &call->shape, call->sets);
    if (queue->precision == MMC_CUDA_FP32)
        return launch_width<MMC_CUDA_FP32>(*call, plan, queue);
    if (queue->precision == MMC_CUDA_TF32)
        return launch_width<MMC_CUDA_TF32>(*call, plan, queue);
    return launch_width<MMC_CUDA_BF16>(*call, plan, queue);
}
