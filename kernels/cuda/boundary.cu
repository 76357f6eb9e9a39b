// Activations in and out of the backend, and the mean over space.
#include "kernels/cuda/boundary.h"
#include "kernels/cuda/element.cuh"

namespace {

enum { TILE = 32, TILE_ROWS = 8, POOL_BLOCK = 128, QUAD = 4 };

// put and get: a transposition of (C, H W) within each image.
//
// Blocks and threads: one block of 32 x 8 threads a tile of 32 channels by 32 pixels, blocks in the order channel
//     tile, pixel tile, image; the side that is read and the side that is written are both coalesced.
// Shared memory: 32 x 33 floats, 4.1 KiB; the odd pitch keeps the columns in different banks.
// Bytes per element: 4 on the dense side, 4 (bf16 2) in the backend's layout, padding included; no FLOP.
struct tile_place {
    size_t image;
    int pixel, channel; // first of the tile
};

__device__ __forceinline__ tile_place find_tile(int channels, int pixels) {
    const unsigned across = (channels + TILE - 1) / TILE, down = (pixels + TILE - 1) / TILE;
    const unsigned tile = blockIdx.x / across;
    return {tile / down, static_cast<int>(tile % down) * TILE, static_cast<int>(blockIdx.x % across) * TILE};
}

template <class Element>
__global__ void __launch_bounds__(TILE *TILE_ROWS)
    put_kernel(Element *out, const float *in, int channels, int padded, int pixels) {
    __shared__ __align__(16) float tile[TILE][TILE + 1];
    const tile_place at = find_tile(padded, pixels);
    const int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
    for (int i = row; i < TILE; i += TILE_ROWS) {
        const int channel = at.channel + i, pixel = at.pixel + lane;
        float v = 0.0f;
        if (channel < channels && pixel < pixels)
            v = in[(at.image * channels + channel) * pixels + pixel];
        tile[i][lane] = v;
    }
    __syncthreads();
    for (int i = row; i < TILE; i += TILE_ROWS) {
        const int channel = at.channel + lane, pixel = at.pixel + i;
        if (channel < padded && pixel < pixels)
            mmc_store(&out[(at.image * pixels + pixel) * padded + channel], tile[lane][i]);
    }
}

template <class Element>
__global__ void __launch_bounds__(TILE *TILE_ROWS)
    get_kernel(float *out, const Element *in, int channels, int padded, int pixels) {
    __shared__ __align__(16) float tile[TILE][TILE + 1];
    const tile_place at = find_tile(channels, pixels);
    const int lane = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
    for (int i = row; i < TILE; i += TILE_ROWS) {
        const int channel = at.channel + lane, pixel = at.pixel + i;
        float v = 0.0f;
        if (channel < channels && pixel < pixels)
            v = mmc_to_float(in[(at.image * pixels + pixel) * padded + channel]);
        tile[i][lane] = v;
    }
    __syncthreads();
    for (int i = row; i < TILE; i += TILE_ROWS) {
        const int channel = at.channel + i, pixel = at.pixel + lane;
        if (channel < channels && pixel < pixels)
            out[(at.image * channels + channel) * pixels + pixel] = tile[lane][i];
    }
}

// pool and pool_backward.
//
// Blocks and threads: one thread four channels of one image, neighbours in a warp, so that each access of a warp is
//     one run of 512 bytes (bf16 256); blocks of 128 threads, since there are few (128 images of 512 channels: 128
//     blocks).
// Shared memory: none.
// Bytes per element of the activation: 4 (bf16 2), and 4 / (H W) of rep; one FLOP.
// Order: pool adds each row of the plane from the left, then the rows from the top, so that chains stay short.
template <class Element>
__global__ void __launch_bounds__(POOL_BLOCK)
    pool_kernel(float *rep, const Element *x, size_t images, int channels, int padded, int h, int w) {
    const int quads = padded / QUAD;
    const size_t index = static_cast<size_t>(blockIdx.x) * POOL_BLOCK + threadIdx.x, image = index / quads;
    const int channel = static_cast<int>(index % quads) * QUAD;
    if (image >= images)
        return;
    const Element *from = x + image * h * w * padded + channel;
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    for (int y = 0; y < h; y++) {
        float4 row = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        for (int i = 0; i < w; i++, from += padded) {
            const float4 v = mmc_load4(from);
            row.x += v.x;
            row.y += v.y;
            row.z += v.z;
            row.w += v.w;
        }
        sum.x += row.x;
        sum.y += row.y;
        sum.z += row.z;
        sum.w += row.w;
    }
    const float mean[QUAD] = {sum.x / (h * w), sum.y / (h * w), sum.z / (h * w), sum.w / (h * w)};
    for (int i = 0; i < QUAD; i++)
        if (channel + i < channels)
            rep[image * channels + channel + i] = mean[i];
}

template <class Element>
__global__ void __launch_bounds__(POOL_BLOCK)
    pool_backward_kernel(Element *dx, const float *drep, size_t images, int channels, int padded, int pixels) {
    const int quads = padded / QUAD;
    const size_t index = static_cast<size_t>(blockIdx.x) * POOL_BLOCK + threadIdx.x, image = index / quads;
    const int channel = static_cast<int>(index % quads) * QUAD;
    if (image >= images)
        return;
    float part[QUAD];
    for (int i = 0; i < QUAD; i++)
        part[i] = channel + i < channels ? drep[image * channels + channel + i] / pixels : 0.0f;
    const float4 v = make_float4(part[0], part[1], part[2], part[3]);
    Element *to = dx + image * pixels * padded + channel;
    for (int i = 0; i < pixels; i++, to += padded)
        mmc_store4(to, v);
}

size_t image_count(const mmc_activation *a) {
    return static_cast<size_t>(a->t) * static_cast<size_t>(a->n);
}

unsigned tile_count(const mmc_activation *a, int channels) {
    const size_t across = (channels + TILE - 1) / TILE, down = (static_cast<size_t>(a->h) * a->w + TILE - 1) / TILE;
    return static_cast<unsigned>(image_count(a) * across * down);
}

unsigned pool_blocks(const mmc_activation *a) {
    return mmc_grid(image_count(a) * (mmc_cuda_pad(a->c) / QUAD), POOL_BLOCK);
}

} // namespace

extern "C" cudaError_t mmc_cuda_put(const mmc_activation *out, const float *in, mmc_cuda_precision precision,
                                    cudaStream_t stream) {
    const int padded = mmc_cuda_pad(out->c);
    const unsigned blocks = tile_count(out, padded);
    if (blocks == 0)
        return cudaSuccess;
    if (precision == MMC_CUDA_BF16)
        MMC_LAUNCH((put_kernel<mmc_bf16>), blocks, dim3(TILE, TILE_ROWS), 0, stream, static_cast<mmc_bf16 *>(out->data),
                   in, out->c, padded, out->h * out->w);
    else
        MMC_LAUNCH((put_kernel<float>), blocks, dim3(TILE, TILE_ROWS), 0, stream, static_cast<float *>(out->data), in,
                   out->c, padded, out->h * out->w);
    return cudaGetLastError();
}

extern "C" cudaError_t mmc_cuda_get(float *out, const mmc_activation *in, mmc_cuda_precision precision,
                                    cudaStream_t stream) {
    const int padded = mmc_cuda_pad(in->c);
    const unsigned blocks = tile_count(in, in->c);
    if (blocks == 0)
        return cudaSuccess;
    if (precision == MMC_CUDA_BF16)
        MMC_LAUNCH((get_kernel<mmc_bf16>), blocks, dim3(TILE, TILE_ROWS), 0, stream, out,
                   static_cast<const mmc_bf16 *>(in->data), in->c, padded, in->h * in->w);
    else
        MMC_LAUNCH((get_kernel<float>), blocks, dim3(TILE, TILE_ROWS), 0, stream, out,
                   static_cast<const float *>(in->data), in->c, padded, in->h * in->w);
    return cudaGetLastError();
}

extern "C" cudaError_t mmc_cuda_pool(float *rep, const mmc_activation *x, mmc_cuda_precision precision,
                                     cudaStream_t stream) {
    const unsigned blocks = pool_blocks(x);
    if (blocks == 0)
        return cudaSuccess;
    if (precision == MMC_CUDA_BF16)
        MMC_LAUNCH((pool_kernel<mmc_bf16>), blocks, POOL_BLOCK, 0, stream, rep, static_cast<const mmc_bf16 *>(x->data),
                   image_count(x), x->c, mmc_cuda_pad(x->c), x->h, x->w);
    else
        MMC_LAUNCH((pool_kernel<float>), blocks, POOL_BLOCK, 0, stream, rep, static_cast<const float *>(x->data),
                   image_count(x), x->c, mmc_cuda_pad(x->c), x->h, x->w);
    return cudaGetLastError();
}

extern "C" cudaError_t mmc_cuda_pool_backward(const mmc_activation *dx, const float *drep, mmc_cuda_precision precision,
                                              cudaStream_t stream) {
    const unsigned blocks = pool_blocks(dx);
    if (blocks == 0)
        return cudaSuccess;
    if (precision == MMC_CUDA_BF16)
        MMC_LAUNCH((pool_backward_kernel<mmc_bf16>), blocks, POOL_BLOCK, 0, stream, static_cast<mmc_bf16 *>(dx->data),
                   drep, image_count(dx), dx->c, mmc_cuda_pad(dx->c), dx->h * dx->w);
    else
        MMC_LAUNCH((pool_backward_kernel<float>), blocks, POOL_BLOCK, 0, stream, static_cast<float *>(dx->data), drep,
                   image_count(dx), dx->c, mmc_cuda_pad(dx->c), dx->h * dx->w);
    return cudaGetLastError();
}
