/* The C interfaces of oneDNN 2.x and 3.x behind one set of names: memory descriptors and convolution descriptors are
 * what changed between them; all else is called directly.
 *
 *     mmc_dnnl_desc desc;
 *     dnnl_status_t bad = mmc_dnnl_desc_init(&desc, dims, dnnl_nhwc);
 *     size_t size = dnnl_memory_desc_get_size(mmc_dnnl_desc_view(&desc));
 *     mmc_dnnl_desc_close(&desc);
 */
#ifndef MMC_KERNELS_ONEDNN_COMPAT_H
#define MMC_KERNELS_ONEDNN_COMPAT_H

#include <oneapi/dnnl/dnnl.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_dnnl_pass { MMC_DNNL_FORWARD, MMC_DNNL_DATA, MMC_DNNL_WEIGHTS } mmc_dnnl_pass;

/* An owned descriptor, and what functions take. */
typedef struct mmc_dnnl_desc {
    dnnl_memory_desc_t desc;
} mmc_dnnl_desc;

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t mmc_dnnl_view;

static inline mmc_dnnl_view mmc_dnnl_desc_view(const mmc_dnnl_desc *d) {
    return d->desc;
}

static inline dnnl_status_t mmc_dnnl_desc_init(mmc_dnnl_desc *out, const dnnl_dims_t dims, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(&out->desc, 4, dims, dnnl_f32, tag);
}

static inline dnnl_status_t mmc_dnnl_desc_copy(mmc_dnnl_desc *out, mmc_dnnl_view in) {
    return dnnl_memory_desc_clone(&out->desc, in);
}

static inline void mmc_dnnl_desc_close(mmc_dnnl_desc *d) {
    dnnl_memory_desc_destroy(d->desc);
}

/* Two-dimensional convolution of f32 without bias; `hint` is the forward descriptor of the same convolution. */
static inline dnnl_status_t mmc_dnnl_convolution(dnnl_primitive_desc_t *out, dnnl_engine_t engine, mmc_dnnl_pass pass,
                                                 mmc_dnnl_view src, mmc_dnnl_view weights, mmc_dnnl_view dst,
                                                 const dnnl_dims_t strides, const dnnl_dims_t pad,
                                                 const_dnnl_primitive_desc_t hint) {
    const dnnl_dims_t dense = {0, 0};
    if (pass == MMC_DNNL_FORWARD)
        return dnnl_convolution_forward_primitive_desc_create(out, engine, dnnl_forward_training,
                                                              dnnl_convolution_direct, src, weights, NULL, dst, strides,
                                                              dense, pad, pad, NULL);
    if (pass == MMC_DNNL_DATA)
        return dnnl_convolution_backward_data_primitive_desc_create(out, engine, dnnl_convolution_direct, src, weights,
                                                                    dst, strides, dense, pad, pad, hint, NULL);
    return dnnl_convolution_backward_weights_primitive_desc_create(out, engine, dnnl_convolution_direct, src, weights,
                                                                   NULL, dst, strides, dense, pad, pad, hint, NULL);
}

#else

typedef const dnnl_memory_desc_t *mmc_dnnl_view;

static inline mmc_dnnl_view mmc_dnnl_desc_view(const mmc_dnnl_desc *d) {
    return &d->desc;
}

static inline dnnl_status_t mmc_dnnl_desc_init(mmc_dnnl_desc *out, const dnnl_dims_t dims, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_init_by_tag(&out->desc, 4, dims, dnnl_f32, tag);
}

static inline dnnl_status_t mmc_dnnl_desc_copy(mmc_dnnl_desc *out, mmc_dnnl_view in) {
    out->desc = *in;
    return dnnl_success;
}

static inline void mmc_dnnl_desc_close(mmc_dnnl_desc *d) {
    (void)d; /* a plain value in this version */
}

static inline dnnl_status_t mmc_dnnl_convolution(dnnl_primitive_desc_t *out, dnnl_engine_t engine, mmc_dnnl_pass pass,
                                                 mmc_dnnl_view src, mmc_dnnl_view weights, mmc_dnnl_view dst,
                                                 const dnnl_dims_t strides, const dnnl_dims_t pad,
                                                 const_dnnl_primitive_desc_t hint) {
    dnnl_convolution_desc_t op;
    dnnl_status_t bad;
    if (pass == MMC_DNNL_FORWARD)
        bad = dnnl_convolution_forward_desc_init(&op, dnnl_forward_training, dnnl_convolution_direct, src, weights,
                                                 NULL, dst, strides, pad, pad);
    else if (pass == MMC_DNNL_DATA)
        bad = dnnl_convolution_backward_data_desc_init(&op, dnnl_convolution_direct, src, weights, dst, strides, pad,
                                                       pad);
    else
        bad = dnnl_convolution_backward_weights_desc_init(&op, dnnl_convolution_direct, src, weights, NULL, dst,
                                                          strides, pad, pad);
    return bad != dnnl_success ? bad : dnnl_primitive_desc_create(out, &op, NULL, engine, hint);
}

#endif

#ifdef __cplusplus
}
#endif
#endif
