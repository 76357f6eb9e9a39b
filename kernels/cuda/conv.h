/* The forward convolution of the CUDA backend on tensor cores: packing, plan and launch. C and CUDA.
 *
 *     mmc_cuda_conv_call call = {.mode = MMC_CUDA_CONV_PLAIN, .shape = shape, .sets = 1, .out = z,
 *                                .x = mmc_cuda_source_plain(&x), .packed = packed};
 *     MMC_CUDA(mmc_cuda_conv(&call, queue));
 *
 * All pointers are device memory, those of activations and packed weights aligned to 16 bytes; the layouts are in
 * kernels/cuda/queue.h. Errors: that of the launch. Order: asynchronous on the queue's stream; every sum in an order
 * fixed by the shape.
 */
#ifndef MMC_KERNELS_CUDA_CONV_H
#define MMC_KERNELS_CUDA_CONV_H

#include "kernels/cuda/queue.h"
#include "kernels/unit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Batch norm that is applied to values as they are read or written: gamma (v - mean) / sqrt(var + eps) + beta. */
typedef struct mmc_cuda_norm {
    const float *mean, *var; /* (T,K) at stat_stride; NULL: values stay as they are */
    const float *gamma, *beta;
    size_t stat_stride, set_stride;
} mmc_cuda_norm;

/* An activation as kernels read it: y = act(norm(z) + residual_norm(residual)). */
typedef struct mmc_cuda_source {
    const void *z;
    bool shared; /* one set for all */
    bool relu;
    mmc_cuda_norm norm;   /* mean NULL: z is y itself, and all below is unused */
    const void *residual; /* or NULL */
    mmc_cuda_norm residual_norm;
    void *y; /* where the reader stores what it computed; NULL: nowhere */
} mmc_cuda_source;

/* An activation that is final. */
mmc_cuda_source mmc_cuda_source_plain(const mmc_activation *x);

/* --- packing: w (T sets of (K,C,R,R) at set_stride) -> [t][r*s][kp][cp], with `turned` then [t][r*s, last
 * first][cp][kp]
 * --- */

/* Bytes of one array of one set; the turned arrays begin after the others of all sets. */
size_t mmc_cuda_pack_bytes(const mmc_queue *queue, int k, int c, int r);

/* Errors: that of the launch. */
cudaError_t mmc_cuda_pack(void *packed, const float *w, size_t set_stride, int sets, int k, int c, int r, bool turned,
                          mmc_cuda_precision precision, cudaStream_t stream);

/* --- the convolution --- */

typedef enum mmc_cuda_conv_mode {
    MMC_CUDA_CONV_PLAIN, /* out = conv(x, w) */
    MMC_CUDA_CONV_ADD,   /* out += conv(x, w) */
    MMC_CUDA_CONV_STATS, /* out = conv(x, w), mean and biased variance of each channel */
    MMC_CUDA_CONV_EVAL   /* out = act(norm(conv(x, w)) + residual) */
} mmc_cuda_conv_mode;

typedef struct mmc_cuda_conv_call {
    mmc_cuda_conv_mode mode;
    mmc_unit_shape shape; /* `residual` is not looked at; `relu` by EVAL alone */
    int sets;
    void *out; /* (T,N,K,Hout,Wout) */
    mmc_cuda_source x;
    const void *packed;   /* [r*s][kp][cp] of set 0 */
    size_t packed_stride; /* bytes between two sets */
    mmc_cuda_norm norm;   /* EVAL */
    const void *residual; /* EVAL; NULL: none */
    float *mean, *var;    /* STATS: (T,K) at stat_stride */
    size_t stat_stride;
    void *workspace; /* STATS: mmc_cuda_conv_workspace_bytes */
} mmc_cuda_conv_call;

/* How a convolution is cut into blocks of MMC_CUDA_TILE_PIXELS output pixels by `width` output channels. */
enum {
    MMC_CUDA_TILE_PIXELS = 128,
    MMC_CUDA_PIECE_BYTES = 16,
    MMC_CUDA_CHUNK_BYTES = 64, /* of the channels of a pixel in shared memory at a time */
    MMC_CUDA_PITCH_BYTES = 80  /* from a pixel to the next there: 5 pieces, so that 8 neighbours lie in 8 banks */
};

typedef struct mmc_cuda_conv_plan {
    int out_h, out_w;
    int images, rows, columns;     /* of a tile */
    int tiles_n, tiles_h, tiles_w; /* tiles along images, rows, columns */
    int tiles;                     /* of one set */
    int width, tiles_k;            /* channels of a block, blocks along channels */
    int step;                      /* from an output pixel to the next, in pixels of the halo: 1 where R = 1 */
    int in_step;                   /* from a pixel of the halo to the next, in input pixels */
    int halo_h, halo_w;
    int row_pitch, image_pitch; /* of the halo, in pieces */
    int groups, group_tiles;    /* partial statistics are merged in groups, then over the groups */
} mmc_cuda_conv_plan;

/* The plan of a shape for `sets` weight sets. */
mmc_cuda_conv_plan mmc_cuda_conv_plan_make(const mmc_queue *queue, const mmc_unit_shape *shape, int sets);

/* Bytes that STATS needs as workspace; grows with n. */
size_t mmc_cuda_conv_workspace_bytes(const mmc_queue *queue, const mmc_unit_shape *shape, int sets);

cudaError_t mmc_cuda_conv(const mmc_cuda_conv_call *call, mmc_queue *queue);

/* y = the source, written to source->y: (T,N,H,W) of c channels. */
cudaError_t mmc_cuda_normalise(const mmc_cuda_source *source, int sets, int n, int c, int h, int w,
                               mmc_cuda_precision precision, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
