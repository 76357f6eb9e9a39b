// The input of a convolution's tile with its halo in shared memory: one chunk of channels at a time, normalised once on
// the way from global memory, padding written as zero after ReLU.
#ifndef MMC_KERNELS_CUDA_CONV_HALO_CUH
#define MMC_KERNELS_CUDA_CONV_HALO_CUH

#include "kernels/cuda/piece.cuh"

enum { MMC_CONV_THREADS = 128, MMC_CONV_CHUNK_CHANNELS = 32 /* of bf16; of float half as many */ };

// Where a pixel of the halo comes from and where it lies.
struct mmc_halo_pixel {
    int pixel; // of the input, counted from the first image of the tile; < 0: padding
    int place; // in bytes, a multiple of 16; lowest bit: this tile owns the pixel and stores it if anyone does
};

// Of a chunk: [level: x, residual][mean, scale, shift][channel]
typedef float mmc_halo_norm[2][3][MMC_CONV_CHUNK_CHANNELS];

// The column of shared memory of a halo column: with stride 2 even columns come first, so that neighbouring output
// pixels read neighbouring places.
__device__ __forceinline__ int mmc_halo_slot(const mmc_cuda_conv_plan &plan, int column) {
    return plan.step == 2 ? (column & 1) * ((plan.halo_w + 1) / 2) + (column >> 1) : column;
}

// Fills the table of a tile whose first output pixel is (image, y, x).
__device__ __forceinline__ void mmc_halo_describe(mmc_halo_pixel *table, const mmc_cuda_conv_plan &plan,
                                                  const mmc_unit_shape &s, int image, int y, int x) {
    const int plane = plan.halo_h * plan.halo_w, first_h = y * s.stride, first_w = x * s.stride;
    const int end_h = first_h + plan.rows * s.stride, end_w = first_w + plan.columns * s.stride;
    for (int p = static_cast<int>(threadIdx.x); p < plan.images * plane; p += MMC_CONV_THREADS) {
        const int i = p / plane, row = p % plane / plan.halo_w, column = p % plane % plan.halo_w;
        const int in_h = first_h - s.r / 2 + row * plan.in_step, in_w = first_w - s.r / 2 + column * plan.in_step;
        const bool there = image + i < s.n && in_h >= 0 && in_h < s.h && in_w >= 0 && in_w < s.w;
        const bool owned = in_h >= first_h && in_h < end_h && in_w >= first_w && in_w < end_w;
        const int pieces = i * plan.image_pitch + row * plan.row_pitch +
                           mmc_halo_slot(plan, column) * (MMC_CUDA_PITCH_BYTES / MMC_CUDA_PIECE_BYTES);
        table[p].pixel = there ? (i * s.h + in_h) * s.w + in_w : -1;
        table[p].place = pieces * MMC_CUDA_PIECE_BYTES + (owned ? 1 : 0);
    }
}

// The coefficients of the chunk that begins at `channel`, read after the next barrier.
template <class Element>
__device__ __forceinline__ void mmc_halo_coefficients(mmc_halo_norm &norm, const mmc_cuda_source &source, size_t t,
                                                      int channel, int channels) {
    constexpr int COUNT = MMC_CUDA_CHUNK_BYTES / static_cast<int>(sizeof(Element));
    const int level = static_cast<int>(threadIdx.x) / COUNT, i = static_cast<int>(threadIdx.x) % COUNT;
    if (level > 1 || (level == 1 && !source.residual_norm.mean))
        return;
    const mmc_channel_norm c = mmc_norm_of(level ? source.residual_norm : source.norm, t, channel + i, channels);
    norm[level][0][i] = c.mean;
    norm[level][1][i] = c.scale;
    norm[level][2][i] = c.shift;
}

__device__ __forceinline__ uint4 mmc_halo_round(const uint4 &bits) {
    return make_uint4(mmc_to_tf32(__uint_as_float(bits.x)), mmc_to_tf32(__uint_as_float(bits.y)),
                      mmc_to_tf32(__uint_as_float(bits.z)), mmc_to_tf32(__uint_as_float(bits.w)));
}

// One chunk of an input that is final. `from`: the chunk's channels of the tile's first image; `pieces`: how many of
// the chunk's pieces lie inside the padded channels; ROUND: to tf32.
template <bool ROUND>
__device__ __forceinline__ void mmc_halo_copy(unsigned char *halo, const mmc_halo_pixel *table, int pixels,
                                              const unsigned char *from, size_t pixel_bytes, int pieces) {
    constexpr int AT_ONCE = 4, PIECES = MMC_CUDA_CHUNK_BYTES / MMC_CUDA_PIECE_BYTES;
    const int piece = static_cast<int>(threadIdx.x) % PIECES;
    from += piece * MMC_CUDA_PIECE_BYTES;
    halo += piece * MMC_CUDA_PIECE_BYTES;
    for (int p = static_cast<int>(threadIdx.x) / PIECES; p < pixels; p += AT_ONCE * MMC_CONV_THREADS / PIECES) {
        uint4 bits[AT_ONCE];
        int place[AT_ONCE];
        MMC_UNROLL
        for (int u = 0; u < AT_ONCE; u++) {
            const int at = p + u * MMC_CONV_THREADS / PIECES;
            bits[u] = make_uint4(0, 0, 0, 0);
            place[u] = -1;
            if (at >= pixels)
                continue;
            place[u] = table[at].place & ~1;
            const int pixel = table[at].pixel;
            if (pixel >= 0 && piece < pieces)
                bits[u] = *reinterpret_cast<const uint4 *>(from + pixel * pixel_bytes);
        }
        MMC_UNROLL
        for (int u = 0; u < AT_ONCE; u++)
            if (place[u] >= 0)
                *reinterpret_cast<uint4 *>(halo + place[u]) = ROUND ? mmc_halo_round(bits[u]) : bits[u];
    }
}

// One chunk of an input that was put off; z, residual and y (NULL: not stored) as `from` above.
template <class Element, bool ROUND>
__device__ __forceinline__ void mmc_halo_normalise(unsigned char *halo, const mmc_halo_pixel *table, int pixels,
                                                   const unsigned char *z, const unsigned char *residual,
                                                   unsigned char *y, size_t pixel_bytes, int pieces,
                                                   const mmc_halo_norm &norm, bool residual_normed, bool relu) {
    using Piece = mmc_piece<Element>;
    constexpr int AT_ONCE = 2, PIECES = MMC_CUDA_CHUNK_BYTES / MMC_CUDA_PIECE_BYTES;
    const int piece = static_cast<int>(threadIdx.x) % PIECES, offset = piece * MMC_CUDA_PIECE_BYTES;
    mmc_channel_norm of_z[Piece::COUNT];
    MMC_UNROLL
    for (int i = 0; i < Piece::COUNT; i++) {
        const int channel = piece * Piece::COUNT + i;
        of_z[i] = {norm[0][0][channel], norm[0][1][channel], norm[0][2][channel]};
    }
    for (int p = static_cast<int>(threadIdx.x) / PIECES; p < pixels; p += AT_ONCE * MMC_CONV_THREADS / PIECES) {
        uint4 bits[AT_ONCE], more[AT_ONCE];
        mmc_halo_pixel pixel[AT_ONCE];
        MMC_UNROLL
        for (int u = 0; u < AT_ONCE; u++) {
            const int at = p + u * MMC_CONV_THREADS / PIECES;
            bits[u] = more[u] = make_uint4(0, 0, 0, 0);
            pixel[u] = {-1, -1};
            if (at >= pixels)
                continue;
            pixel[u] = table[at];
            if (piece >= pieces)
                pixel[u].pixel = -1;
            if (pixel[u].pixel < 0)
                continue;
            const size_t place = pixel[u].pixel * pixel_bytes + offset;
            bits[u] = *reinterpret_cast<const uint4 *>(z + place);
            if (residual)
                more[u] = *reinterpret_cast<const uint4 *>(residual + place);
        }
        MMC_UNROLL
        for (int u = 0; u < AT_ONCE; u++) {
            if (pixel[u].place < 0)
                continue;
            uint4 result = make_uint4(0, 0, 0, 0);
            if (pixel[u].pixel >= 0) {
                float v[Piece::COUNT], r[Piece::COUNT];
                Piece::unpack(v, bits[u]);
                Piece::unpack(r, more[u]);
                MMC_UNROLL
                for (int i = 0; i < Piece::COUNT; i++) {
                    const int channel = piece * Piece::COUNT + i;
                    if (residual_normed)
                        r[i] = mmc_norm_apply({norm[1][0][channel], norm[1][1][channel], norm[1][2][channel]}, r[i]);
                    v[i] = mmc_norm_apply(of_z[i], v[i]) + r[i];
                    v[i] = relu ? mmc_relu(v[i]) : v[i];
                }
                result = Piece::pack(v);
                if (y && (pixel[u].place & 1))
                    *reinterpret_cast<uint4 *>(y + pixel[u].pixel * pixel_bytes + offset) = result;
            }
            *reinterpret_cast<uint4 *>(halo + (pixel[u].place & ~1) + offset) = ROUND ? mmc_halo_round(result) : result;
        }
    }
}
#endif
