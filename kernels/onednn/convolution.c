/* The primitives of oneDNN, kept by shape. */
#define _POSIX_C_SOURCE 200809L
#include "kernels/onednn/convolution.h"

#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, PACK_IMAGES = 32 /* the batch for which the packed form is chosen */ };

/* One convolution, or (n == 0) the conversion of dense weights to the packed form of a shape and pass. */
typedef struct entry {
    int n, c, h, w, k, r, stride, threads;
    mmc_dnnl_pass pass;
    dnnl_primitive_t primitive;      /* the convolution; NULL for a conversion */
    dnnl_memory_t src, weights, dst; /* src and dst: handles are set at each call */
    dnnl_memory_t outside;           /* weights in the caller's form, where the primitive wants another */
    dnnl_primitive_t convert;        /* between outside and weights */
    void *buffer;                    /* memory of weights, where outside is in use */
    mmc_dnnl_desc packed;            /* conversion: the packed form */
    char implementation[48];
    struct entry *next;
} entry;

static struct {
    pthread_mutex_t lock;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    entry *first;
} onednn = {.lock = PTHREAD_MUTEX_INITIALIZER};

static mmc_status refused(dnnl_status_t code, const char *what, const mmc_unit_shape *s, mmc_dnnl_pass pass) {
    static const char *const name[] = {"forward", "backward by data", "backward by weights"};
    return mmc_fail(code == dnnl_out_of_memory ? MMC_ERR_MEMORY : MMC_ERR_DEVICE,
                    "oneDNN: %s failed (status %d) for the convolution %s n%d c%d %dx%d k%d r%d stride %d; "
                    "use --provider reference",
                    what, (int)code, name[pass], s->n, s->c, s->h, s->w, s->k, s->r, s->stride);
}

static dnnl_status_t open_engine(void) {
    if (onednn.stream)
        return dnnl_success;
    dnnl_status_t bad = onednn.engine ? dnnl_success : dnnl_engine_create(&onednn.engine, dnnl_cpu, 0);
    return bad != dnnl_success ? bad : dnnl_stream_create(&onednn.stream, onednn.engine, dnnl_stream_default_flags);
}

static void entry_free(entry *e) {
    if (!e)
        return;
    dnnl_primitive_destroy(e->primitive);
    dnnl_primitive_destroy(e->convert);
    dnnl_memory_destroy(e->src);
    dnnl_memory_destroy(e->weights);
    dnnl_memory_destroy(e->dst);
    dnnl_memory_destroy(e->outside);
    mmc_dnnl_desc_close(&e->packed);
    free(e->buffer);
    free(e);
}

/* Descriptor of the convolution with its weights in `form`, or (NULL) in the form that oneDNN likes best. */
static dnnl_status_t describe(dnnl_primitive_desc_t *out, const mmc_unit_shape *s, int n, mmc_dnnl_pass pass,
                              mmc_dnnl_view form) {
    const dnnl_dims_t x = {n, s->c, s->h, s->w}, w = {s->k, s->c, s->r, s->r},
                      z = {n, s->k, mmc_unit_out_h(s), mmc_unit_out_w(s)}, strides = {s->stride, s->stride},
                      pad = {s->r / 2, s->r / 2};
    mmc_dnnl_desc src, any, dst;
    dnnl_primitive_desc_t hint = NULL;
    *out = NULL;
    dnnl_status_t bad = mmc_dnnl_desc_init(&src, x, dnnl_nhwc);
    if (bad != dnnl_success)
        return bad;
    if ((bad = mmc_dnnl_desc_init(&dst, z, dnnl_nhwc)) != dnnl_success)
        goto close_src;
    if ((bad = mmc_dnnl_desc_init(&any, w, dnnl_format_tag_any)) != dnnl_success)
        goto close_dst;
    mmc_dnnl_view vsrc = mmc_dnnl_desc_view(&src), vany = mmc_dnnl_desc_view(&any), vdst = mmc_dnnl_desc_view(&dst);
    if (pass != MMC_DNNL_FORWARD)
        bad = mmc_dnnl_convolution(&hint, onednn.engine, MMC_DNNL_FORWARD, vsrc, vany, vdst, strides, pad, NULL);
    if (bad == dnnl_success)
        bad = mmc_dnnl_convolution(out, onednn.engine, pass, vsrc, form ? form : vany, vdst, strides, pad, hint);
    dnnl_primitive_desc_destroy(hint);
    mmc_dnnl_desc_close(&any);
close_dst:
    mmc_dnnl_desc_close(&dst);
close_src:
    mmc_dnnl_desc_close(&src);
    return bad;
}

static mmc_dnnl_view weights_of(const_dnnl_primitive_desc_t pd, mmc_dnnl_pass pass) {
    return dnnl_primitive_desc_query_md(
        pd, pass == MMC_DNNL_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
}

static dnnl_status_t make_convert(entry *e, mmc_dnnl_view from, mmc_dnnl_view to) {
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t bad = dnnl_reorder_primitive_desc_create(&pd, from, onednn.engine, to, onednn.engine, NULL);
    if (bad == dnnl_success)
        bad = dnnl_primitive_create(&e->convert, pd);
    dnnl_primitive_desc_destroy(pd);
    return bad;
}

static dnnl_status_t dense_weights(mmc_dnnl_desc *out, const mmc_unit_shape *s) {
    const dnnl_dims_t w = {s->k, s->c, s->r, s->r};
    return mmc_dnnl_desc_init(out, w, dnnl_oihw);
}

/* The conversion dense -> packed: src is dense, dst is packed. */
static dnnl_status_t make_packing(entry *e, const mmc_unit_shape *s, mmc_dnnl_pass pass) {
    dnnl_primitive_desc_t pd = NULL;
    mmc_dnnl_desc dense;
    dnnl_status_t bad = dense_weights(&dense, s);
    if (bad != dnnl_success)
        return bad;
    bad = describe(&pd, s, PACK_IMAGES, pass, NULL);
    if (bad == dnnl_success)
        bad = mmc_dnnl_desc_copy(&e->packed, weights_of(pd, pass));
    dnnl_primitive_desc_destroy(pd);
    mmc_dnnl_view from = mmc_dnnl_desc_view(&dense), to = mmc_dnnl_desc_view(&e->packed);
    if (bad == dnnl_success)
        bad = dnnl_memory_create(&e->src, from, onednn.engine, DNNL_MEMORY_NONE);
    if (bad == dnnl_success)
        bad = dnnl_memory_create(&e->dst, to, onednn.engine, DNNL_MEMORY_NONE);
    if (bad == dnnl_success)
        bad = make_convert(e, from, to);
    mmc_dnnl_desc_close(&dense);
    return bad;
}

/* A plain loop nest is oneDNN's last resort; another form of the weights is then worth a conversion. */
static bool is_slow(const_dnnl_primitive_desc_t pd) {
    const char *name = NULL;
    return dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) != dnnl_success || strstr(name, "ref");
}

/* The convolution with the caller's weights in `form`. */
static dnnl_status_t make_convolution(entry *e, const mmc_unit_shape *s, mmc_dnnl_pass pass, mmc_dnnl_view form) {
    dnnl_primitive_desc_t pd = NULL;
    const char *name = "";
    dnnl_status_t bad = dnnl_success;
    if (pass == MMC_DNNL_WEIGHTS || describe(&pd, s, s->n, pass, form) != dnnl_success || is_slow(pd)) {
        dnnl_primitive_desc_destroy(pd);
        bad = describe(&pd, s, s->n, pass, NULL);
    }
    if (bad != dnnl_success)
        return bad;
    mmc_dnnl_view wanted = weights_of(pd, pass);
    if ((bad = dnnl_primitive_create(&e->primitive, pd)) != dnnl_success)
        goto done;
    bool same = dnnl_memory_desc_equal(wanted, form);
    if (!same) {
        size_t size = dnnl_memory_desc_get_size(wanted);
        e->buffer = aligned_alloc(ALIGNMENT, (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
        bad = e->buffer ? dnnl_memory_create(&e->outside, form, onednn.engine, DNNL_MEMORY_NONE) : dnnl_out_of_memory;
        bool outwards = pass == MMC_DNNL_WEIGHTS;
        if (bad == dnnl_success)
            bad = make_convert(e, outwards ? wanted : form, outwards ? form : wanted);
    }
    if (bad == dnnl_success)
        bad = dnnl_memory_create(&e->weights, wanted, onednn.engine, same ? DNNL_MEMORY_NONE : e->buffer);
    mmc_dnnl_view src =
        dnnl_primitive_desc_query_md(pd, pass == MMC_DNNL_DATA ? dnnl_query_diff_src_md : dnnl_query_src_md, 0);
    mmc_dnnl_view dst =
        dnnl_primitive_desc_query_md(pd, pass == MMC_DNNL_FORWARD ? dnnl_query_dst_md : dnnl_query_diff_dst_md, 0);
    if (bad == dnnl_success)
        bad = dnnl_memory_create(&e->src, src, onednn.engine, DNNL_MEMORY_NONE);
    if (bad == dnnl_success)
        bad = dnnl_memory_create(&e->dst, dst, onednn.engine, DNNL_MEMORY_NONE);
    if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success)
        strncpy(e->implementation, name, sizeof e->implementation - 1);
done:
    dnnl_primitive_desc_destroy(pd);
    return bad;
}

static entry *find(const mmc_unit_shape *s, int n, mmc_dnnl_pass pass, int threads) {
    for (entry *e = onednn.first; e; e = e->next)
        if (e->n == n && e->c == s->c && e->h == s->h && e->w == s->w && e->k == s->k && e->r == s->r &&
            e->stride == s->stride && e->pass == pass && e->threads == threads)
            return e;
    return NULL;
}

static entry *entry_new(const mmc_unit_shape *s, int n, mmc_dnnl_pass pass, int threads) {
    entry *e = calloc(1, sizeof *e);
    if (e)
        *e = (entry){.n = n,
                     .c = s->c,
                     .h = s->h,
                     .w = s->w,
                     .k = s->k,
                     .r = s->r,
                     .stride = s->stride,
                     .threads = threads,
                     .pass = pass};
    return e;
}

/* Keeps a new entry that was made well, else frees it and fails. */
static entry *keep(mmc_status *status, entry *e, dnnl_status_t bad, const char *what, const mmc_unit_shape *s,
                   mmc_dnnl_pass pass) {
    if (bad != dnnl_success) {
        entry_free(e);
        *status = refused(bad, what, s, pass);
        return NULL;
    }
    e->next = onednn.first;
    onednn.first = e;
    return e;
}

/* The conversion of a shape and pass, or NULL with a status; call with the lock held. */
static entry *packing(mmc_status *status, const mmc_unit_shape *s, mmc_dnnl_pass pass) {
    *status = MMC_OK;
    dnnl_status_t bad = open_engine();
    if (bad != dnnl_success) {
        *status = refused(bad, "opening the CPU engine", s, pass);
        return NULL;
    }
    entry *e = find(s, 0, pass, 0);
    if (e)
        return e;
    e = entry_new(s, 0, pass, 0);
    bad = e ? make_packing(e, s, pass) : dnnl_out_of_memory;
    return keep(status, e, bad, "choosing the form of the weights", s, pass);
}

/* The convolution of a shape and pass at the present number of threads (its partition of the work is fixed when it is
 * made), or NULL with a status; call with the lock held. */
static entry *convolution(mmc_status *status, const mmc_unit_shape *s, mmc_dnnl_pass pass) {
    *status = MMC_OK;
    int threads = omp_get_max_threads();
    entry *e = find(s, s->n, pass, threads);
    if (e)
        return e;
    const entry *form = packing(status, s, pass == MMC_DNNL_WEIGHTS ? MMC_DNNL_FORWARD : pass);
    if (!form)
        return NULL;
    mmc_dnnl_desc dense;
    dnnl_status_t bad = dense_weights(&dense, s);
    if (bad != dnnl_success) {
        *status = refused(bad, "describing the weights", s, pass);
        return NULL;
    }
    e = entry_new(s, s->n, pass, threads);
    bad = e ? make_convolution(e, s, pass, mmc_dnnl_desc_view(pass == MMC_DNNL_WEIGHTS ? &dense : &form->packed))
            : dnnl_out_of_memory;
    mmc_dnnl_desc_close(&dense);
    return keep(status, e, bad, "making the primitive", s, pass);
}

size_t mmc_onednn_pack_size(const mmc_unit_shape *s, mmc_dnnl_pass pass) {
    mmc_status status;
    pthread_mutex_lock(&onednn.lock);
    const entry *e = packing(&status, s, pass);
    size_t size = e ? dnnl_memory_desc_get_size(mmc_dnnl_desc_view(&e->packed)) : 0;
    pthread_mutex_unlock(&onednn.lock);
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static dnnl_status_t run(dnnl_primitive_t primitive, int from, dnnl_memory_t a, int with, dnnl_memory_t b, int to,
                         dnnl_memory_t c) {
    const dnnl_exec_arg_t args[3] = {{from, a}, {to, c}, {with, b}};
    return dnnl_primitive_execute(primitive, onednn.stream, b ? 3 : 2, args);
}

mmc_status mmc_onednn_pack(void *packed, const mmc_unit_shape *s, mmc_dnnl_pass pass, const float *w) {
    pthread_mutex_lock(&onednn.lock);
    mmc_status status;
    entry *e = packing(&status, s, pass);
    if (e) {
        dnnl_status_t bad = dnnl_memory_set_data_handle(e->src, (void *)(uintptr_t)w); /* read only */
        if (bad == dnnl_success)
            bad = dnnl_memory_set_data_handle(e->dst, packed);
        if (bad == dnnl_success)
            bad = run(e->convert, DNNL_ARG_FROM, e->src, 0, NULL, DNNL_ARG_TO, e->dst);
        if (bad == dnnl_success)
            bad = dnnl_stream_wait(onednn.stream);
        if (bad != dnnl_success)
            status = refused(bad, "packing the weights", s, pass);
    }
    pthread_mutex_unlock(&onednn.lock);
    return status;
}

static dnnl_status_t convolve(entry *e, float *x, void *w, float *z) {
    dnnl_status_t bad = dnnl_memory_set_data_handle(e->src, x);
    if (bad == dnnl_success)
        bad = dnnl_memory_set_data_handle(e->dst, z);
    if (bad == dnnl_success)
        bad = dnnl_memory_set_data_handle(e->outside ? e->outside : e->weights, w);
    if (bad == dnnl_success && e->outside && e->pass != MMC_DNNL_WEIGHTS)
        bad = run(e->convert, DNNL_ARG_FROM, e->outside, 0, NULL, DNNL_ARG_TO, e->weights);
    if (bad != dnnl_success)
        return bad;
    if (e->pass == MMC_DNNL_FORWARD)
        bad = run(e->primitive, DNNL_ARG_SRC, e->src, DNNL_ARG_WEIGHTS, e->weights, DNNL_ARG_DST, e->dst);
    else if (e->pass == MMC_DNNL_DATA)
        bad = run(e->primitive, DNNL_ARG_DIFF_DST, e->dst, DNNL_ARG_WEIGHTS, e->weights, DNNL_ARG_DIFF_SRC, e->src);
    else
        bad = run(e->primitive, DNNL_ARG_SRC, e->src, DNNL_ARG_DIFF_DST, e->dst, DNNL_ARG_DIFF_WEIGHTS, e->weights);
    if (bad == dnnl_success && e->outside && e->pass == MMC_DNNL_WEIGHTS)
        bad = run(e->convert, DNNL_ARG_FROM, e->weights, 0, NULL, DNNL_ARG_TO, e->outside);
    return bad != dnnl_success ? bad : dnnl_stream_wait(onednn.stream);
}

mmc_status mmc_onednn_convolve(const mmc_unit_shape *s, mmc_dnnl_pass pass, float *x, void *w, float *z) {
    pthread_mutex_lock(&onednn.lock);
    mmc_status status;
    entry *e = convolution(&status, s, pass);
    if (e) {
        dnnl_status_t bad = convolve(e, x, w, z);
        if (bad != dnnl_success)
            status = refused(bad, "running the primitive", s, pass);
    }
    pthread_mutex_unlock(&onednn.lock);
    return status;
}

const char *mmc_onednn_implementation(const mmc_unit_shape *s, mmc_dnnl_pass pass) {
    pthread_mutex_lock(&onednn.lock);
    mmc_status status;
    const entry *e = convolution(&status, s, pass);
    const char *name = e ? e->implementation : "unsupported";
    pthread_mutex_unlock(&onednn.lock);
    return name;
}
