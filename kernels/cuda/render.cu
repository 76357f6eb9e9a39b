// Rendering of counterfactual images from uint8 (kernels/render.h).
//
// Blocks and threads: one thread a 16-byte piece of the output: (r,g,b,0) or (0,0,0,0) of a pixel in float, all eight
//     channels in bf16; blocks of 256 threads lie within one image, so its sample is read as a broadcast.
// Shared memory: none.
// Bytes and FLOP per pixel: 3 read (1 with one channel), 32 written (bf16 16); 9 FLOP. Bound by the writes.
// Order: no sums. The steps are those of mmc_render_one in IEEE float; nothing can be contracted, since no product
//     feeds a sum.
#include "kernels/cuda/boundary.h"
#include "kernels/cuda/element.cuh"

namespace {

enum { BLOCK = 256, PLANE = MMC_IMAGE_SIDE * MMC_IMAGE_SIDE };

enum { CORNER_BITS = 5, CORNER_MASK = 31 };

// mmc_box_corner, 5 bits a place: an array among the parameters would be copied to local memory to be indexed.
struct box_corners {
    uint64_t row, column;
};

__device__ __forceinline__ float natural(uint8_t x) {
    return (static_cast<float>(x) / 255.0f - 0.5f) * 2.0f;
}

__device__ __forceinline__ bool inside(const mmc_image_store &store, const mmc_sample &s) {
    return s.image >= 0 && s.image < store.count && s.cue < (store.top ? store.top_count : MMC_BOX_PLACES);
}

// Channels 0..2 of pixel (row, column) of the image that `s` stands for.
__device__ __forceinline__ float4 render_pixel(const mmc_image_store &store, const mmc_sample &s,
                                               const box_corners &corners, int row, int column) {
    if (store.top) {
        if (row < MMC_IMAGE_SIDE) {
            if (s.cue < 0)
                return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            const size_t at = static_cast<size_t>(s.cue) * PLANE + row * MMC_IMAGE_SIDE + column;
            const float v = static_cast<float>(store.top[at]) / 255.0f;
            return make_float4(v, v, v, 0.0f);
        }
        row -= MMC_IMAGE_SIDE;
    } else if (s.cue >= 0) {
        const int top = static_cast<int>(corners.row >> CORNER_BITS * s.cue & CORNER_MASK);
        const int left = static_cast<int>(corners.column >> CORNER_BITS * s.cue & CORNER_MASK);
        if (static_cast<unsigned>(row - top) < MMC_BOX_SIDE && static_cast<unsigned>(column - left) < MMC_BOX_SIDE)
            return make_float4(s.colour[0], s.colour[1], s.colour[2], 0.0f);
    }
    const uint8_t *p =
        store.natural + static_cast<size_t>(s.image) * store.channels * PLANE + row * MMC_IMAGE_SIDE + column;
    if (store.channels == 1) {
        const float v = natural(p[0]);
        return make_float4(v, v, v, 0.0f);
    }
    return make_float4(natural(p[0]), natural(p[PLANE]), natural(p[2 * PLANE]), 0.0f);
}

template <class Element>
__global__ void __launch_bounds__(BLOCK) render_kernel(Element *out, mmc_image_store store, const mmc_sample *samples,
                                                       box_corners corners, unsigned image_blocks, unsigned *fault) {
    constexpr int pieces = MMC_CUDA_CHANNELS * sizeof(Element) / 16;
    const unsigned image = blockIdx.x / image_blocks;
    const int piece = static_cast<int>(blockIdx.x % image_blocks * BLOCK + threadIdx.x), pixel = piece / pieces;
    const mmc_sample s = samples[image];
    const bool known = inside(store, s);
    if (!known && threadIdx.x == 0)
        atomicCAS(fault, MMC_CUDA_FAULT_NONE, MMC_CUDA_FAULT_SAMPLE);
    float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (known && piece % pieces == 0)
        v = render_pixel(store, s, corners, pixel / MMC_IMAGE_SIDE, pixel % MMC_IMAGE_SIDE);
    Element *to = out + (static_cast<size_t>(image) * image_blocks * BLOCK + piece) * (16 / sizeof(Element));
    if (pieces == 2)
        mmc_store4(reinterpret_cast<float *>(to), v);
    else
        *reinterpret_cast<uint4 *>(to) = make_uint4(mmc_to_bf16x2(v.x, v.y), mmc_to_bf16x2(v.z, v.w), 0, 0);
}

} // namespace

extern "C" cudaError_t mmc_cuda_render(const mmc_activation *out, const mmc_image_store *store,
                                       const mmc_sample *samples, mmc_cuda_precision precision, unsigned *fault,
                                       cudaStream_t stream) {
    if (out->n == 0)
        return cudaSuccess;
    box_corners corners = {0, 0};
    for (int i = 0; i < MMC_BOX_PLACES; i++) {
        corners.row |= static_cast<uint64_t>(mmc_box_corner[i][0]) << CORNER_BITS * i;
        corners.column |= static_cast<uint64_t>(mmc_box_corner[i][1]) << CORNER_BITS * i;
    }
    const unsigned pixels = static_cast<unsigned>(store->height) * MMC_IMAGE_SIDE; // a multiple of BLOCK
    const unsigned images = static_cast<unsigned>(out->n);
    if (precision == MMC_CUDA_BF16)
        MMC_LAUNCH((render_kernel<mmc_bf16>), images * (pixels / BLOCK), BLOCK, 0, stream,
                   static_cast<mmc_bf16 *>(out->data), *store, samples, corners, pixels / BLOCK, fault);
    else
        MMC_LAUNCH((render_kernel<float>), images * (2 * pixels / BLOCK), BLOCK, 0, stream,
                   static_cast<float *>(out->data), *store, samples, corners, 2 * pixels / BLOCK, fault);
    return cudaGetLastError();
}
