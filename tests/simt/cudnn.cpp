// The calls of cuDNN's legacy interface that a provider of convolutions makes: argument checks first, as its reference
// describes them and, of descriptors, as cuDNN 9.19 answers; plain loops on the handle's stream after. The legacy calls
// tell categories of errors alone (BAD_PARAM, NOT_SUPPORTED), the text says more.
//
// Supported is what cuDNN supports of channels-last tensors: FLOAT and BFLOAT16 with CUDNN_CROSS_CORRELATION, FLOAT
// accumulation and one group; forward IMPLICIT_PRECOMP_GEMM, by data ALGO_1, by filter ALGO_1 and (in an order that
// changes from call to call) ALGO_0. The math type counts: only CUDNN_FMA_MATH multiplies floats as they are, the
// others round them to tf32 first.
#include "tests/simt/host.h"

#include <algorithm>
#include <cudnn.h>

using namespace simt;

struct cudnnContext {
    cudaStream_t stream = nullptr;
    int device;
    bool alive = true;
};
struct cudnnTensorStruct {
    bool set = false;
    cudnnDataType_t type;
    int size[4]; // n c h w
    bool channels_last;
};
struct cudnnFilterStruct {
    bool set = false;
    cudnnDataType_t type;
    cudnnTensorFormat_t format;
    int size[4]; // k c h w
};
struct cudnnConvolutionStruct {
    bool set = false;
    int pad[2], stride[2], dilation[2];
    cudnnDataType_t compute;
    cudnnMathType_t math = CUDNN_DEFAULT_MATH;
    int groups = 1;
};

namespace {
std::string last_error;

cudnnStatus_t refuse(cudnnStatus_t status, const char *why) {
    last_error = why;
    return status;
}
#define DEMAND(condition, status)                                                                                      \
    if (!(condition))                                                                                                  \
    return refuse(status, #condition)
// Injected failure, counted by the call's name.
#define ENTER                                                                                                          \
    int simt_code = 0;                                                                                                 \
    if (told_to_fail(__func__, &simt_code))                                                                            \
    return simt_code ? cudnnStatus_t(simt_code) : CUDNN_STATUS_INTERNAL_ERROR

template <class T> cudnnStatus_t make(T **out, T *fresh, const char *what, const void *pc) {
    if (!out) {
        delete fresh;
        return refuse(CUDNN_STATUS_BAD_PARAM, "descriptor == NULL");
    }
    *out = fresh;
    live_add(fresh, what, pc);
    return CUDNN_STATUS_SUCCESS;
}

template <class T> cudnnStatus_t destroy(const char *call, T *p, const char *what) {
    int code = 0;
    bool late = told_to_fail(call, &code);
    if (!p)
        return CUDNN_STATUS_SUCCESS; // as cuDNN 9.19 does
    DEMAND(live_remove(p, what), CUDNN_STATUS_BAD_PARAM);
    delete p;
    return late ? CUDNN_STATUS_INTERNAL_ERROR : CUDNN_STATUS_SUCCESS;
}

size_t element(cudnnDataType_t t) {
    return t == CUDNN_DATA_BFLOAT16 ? 2 : 4;
}

template <class D> size_t bytes_of(const D &d) {
    return size_t(d.size[0]) * size_t(d.size[1]) * size_t(d.size[2]) * size_t(d.size[3]) * element(d.type);
}

float round_tf32(float v) {
    uint32_t bits;
    memcpy(&bits, &v, 4);
    if ((bits & 0x7f800000) != 0x7f800000)
        bits = (bits + 0x1000) & 0xffffe000;
    memcpy(&v, &bits, 4);
    return v;
}

// Elements as the multiplication sees them.
std::vector<float> load(const void *p, cudnnDataType_t type, size_t count, bool tf32) {
    std::vector<float> out(count);
    for (size_t i = 0; i < count; i++) {
        if (type == CUDNN_DATA_BFLOAT16) {
            uint32_t bits = uint32_t(static_cast<const uint16_t *>(p)[i]) << 16;
            memcpy(&out[i], &bits, 4);
        } else
            out[i] = tf32 ? round_tf32(static_cast<const float *>(p)[i]) : static_cast<const float *>(p)[i];
    }
    return out;
}

void store(void *p, cudnnDataType_t type, const std::vector<double> &v, float alpha, float beta) {
    for (size_t i = 0; i < v.size(); i++) {
        double sum = alpha * v[i];
        if (type == CUDNN_DATA_BFLOAT16) {
            auto *to = static_cast<uint16_t *>(p) + i;
            uint32_t bits = uint32_t(*to) << 16;
            float old;
            memcpy(&old, &bits, 4);
            float value = float(beta != 0 ? sum + beta * old : sum);
            memcpy(&bits, &value, 4);
            if (value == value)
                bits += 0x7fff + (bits >> 16 & 1);
            *to = uint16_t(bits >> 16);
        } else {
            auto *to = static_cast<float *>(p) + i;
            *to = float(beta != 0 ? sum + beta * *to : sum);
        }
    }
}

struct Shape {
    int n, c, h, w, k, r, s, p, q, pad[2], stride[2], dilation[2];
};

// visit(place of x, place of w, place of y) for every product of the convolution, all channels last.
template <class F> void each_tap(const Shape &s, F visit) {
    for (int n = 0; n < s.n; n++)
        for (int p = 0; p < s.p; p++)
            for (int q = 0; q < s.q; q++)
                for (int r = 0; r < s.r; r++)
                    for (int t = 0; t < s.s; t++) {
                        int i = p * s.stride[0] - s.pad[0] + r * s.dilation[0];
                        int j = q * s.stride[1] - s.pad[1] + t * s.dilation[1];
                        if (i >= 0 && i < s.h && j >= 0 && j < s.w)
                            visit((size_t(n * s.h + i) * size_t(s.w) + size_t(j)) * size_t(s.c),
                                  size_t(r * s.s + t) * size_t(s.c),
                                  (size_t(n * s.p + p) * size_t(s.q) + size_t(q)) * size_t(s.k));
                    }
}

// What is common to the three convolutions.
cudnnStatus_t check(cudnnHandle_t h, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                    cudnnConvolutionDescriptor_t c, cudnnTensorDescriptor_t y, Shape *s) {
    DEMAND(h && x && w && c && y, CUDNN_STATUS_BAD_PARAM);
    DEMAND(h->alive, CUDNN_STATUS_NOT_INITIALIZED);
    DEMAND(x->set && w->set && c->set && y->set, CUDNN_STATUS_BAD_PARAM);
    DEMAND(x->size[1] == w->size[1] * c->groups, CUDNN_STATUS_BAD_PARAM);
    *s = {x->size[0], x->size[1], x->size[2], x->size[3], w->size[0], w->size[2],
          w->size[3], y->size[2], y->size[3], {},         {},         {c->dilation[0], c->dilation[1]}};
    for (int d = 0; d < 2; d++) {
        s->pad[d] = c->pad[d];
        s->stride[d] = c->stride[d];
        int out = (x->size[2 + d] + 2 * c->pad[d] - (w->size[2 + d] - 1) * c->dilation[d] - 1) / c->stride[d] + 1;
        DEMAND(y->size[2 + d] == out, CUDNN_STATUS_BAD_PARAM);
    }
    DEMAND(y->size[0] == x->size[0] && y->size[1] == w->size[0], CUDNN_STATUS_BAD_PARAM);
    DEMAND(x->type == w->type && y->type == x->type, CUDNN_STATUS_BAD_PARAM);
    DEMAND(c->compute == CUDNN_DATA_FLOAT, CUDNN_STATUS_NOT_SUPPORTED);
    DEMAND(x->channels_last && y->channels_last && w->format == CUDNN_TENSOR_NHWC, CUDNN_STATUS_NOT_SUPPORTED);
    DEMAND(c->groups == 1, CUDNN_STATUS_NOT_SUPPORTED);
    return CUDNN_STATUS_SUCCESS;
}

// A need that depends on the shape, and is more than nothing.
size_t workspace_bytes(const Shape &s, int kind) {
    return (size_t(kind + 1) * size_t(s.k) * size_t(s.c) + size_t(s.n) * 16 + 255) / 256 * 256;
}

cudnnStatus_t check_memory(cudnnHandle_t h, const Shape &s, int kind, const void *a, size_t a_bytes, const void *b,
                           size_t b_bytes, const void *out, size_t out_bytes, const void *workspace, size_t bytes,
                           const void *pc) {
    DEMAND(a && b && out, CUDNN_STATUS_BAD_PARAM);
    DEMAND(bytes >= workspace_bytes(s, kind) && workspace, CUDNN_STATUS_BAD_PARAM);
    for (const void *p : {a, b, out, workspace})
        DEMAND(reinterpret_cast<uintptr_t>(p) % 16 == 0, CUDNN_STATUS_BAD_PARAM);
    check_device_range(a, a_bytes, "cuDNN input", pc);
    check_device_range(b, b_bytes, "cuDNN input", pc);
    check_device_range(out, out_bytes, "cuDNN output", pc);
    check_device_range(workspace, bytes, "cuDNN workspace", pc);
    DEMAND(!h->stream || (valid(h->stream) && h->stream->device == h->device), CUDNN_STATUS_BAD_PARAM);
    return CUDNN_STATUS_SUCCESS;
}

struct Memory {
    const void *a;
    size_t a_bytes;
    const void *b;
    size_t b_bytes;
    void *out;
    size_t out_bytes;
    void *workspace;
    size_t workspace_bytes;
    float alpha, beta;
};

// Enqueues compute(output values); the descriptors may die before it runs.
template <class F>
cudnnStatus_t enqueue_convolution(cudnnHandle_t h, const char *name, const Memory &m, cudnnDataType_t type, F compute) {
    auto run = [=] {
        host_access(m.a, m.a_bytes, Kind::read);
        host_access(m.b, m.b_bytes, Kind::read);
        host_access(m.workspace, m.workspace_bytes, Kind::write);
        auto *w = static_cast<unsigned char *>(m.workspace);
        for (size_t i = 0; i < m.workspace_bytes; i++)
            w[i] = static_cast<unsigned char>(kPoison >> 8 * (i % 4));
        std::vector<double> sum(m.out_bytes / element(type));
        compute(sum);
        if (m.beta != 0)
            host_access(m.out, m.out_bytes, Kind::read);
        host_access(m.out, m.out_bytes, Kind::write);
        store(m.out, type, sum, m.alpha, m.beta);
    };
    return enqueue(h->stream, name, run) ? CUDNN_STATUS_EXECUTION_FAILED : CUDNN_STATUS_SUCCESS;
}

bool rounds(const cudnnConvolutionStruct *c) {
    return c->math != CUDNN_FMA_MATH;
}

float value_of(const void *scalar) {
    return *static_cast<const float *>(scalar);
}
} // namespace

extern "C" {
size_t cudnnGetVersion(void) {
    return CUDNN_VERSION;
}

const char *cudnnGetErrorString(cudnnStatus_t status) {
    switch (status) {
    case CUDNN_STATUS_SUCCESS:
        return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_INITIALIZED:
        return "CUDNN_STATUS_NOT_INITIALIZED";
    case CUDNN_STATUS_BAD_PARAM:
        return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
        return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_INTERNAL_ERROR:
        return "CUDNN_STATUS_INTERNAL_ERROR";
    case CUDNN_STATUS_EXECUTION_FAILED:
        return "CUDNN_STATUS_EXECUTION_FAILED";
    default:
        return "CUDNN_UNKNOWN_STATUS";
    }
}

void cudnnGetLastErrorString(char *message, size_t size) {
    snprintf(message, size, "%s", last_error.c_str());
    last_error.clear();
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *h) {
    ENTER;
    DEMAND(device_count(), CUDNN_STATUS_NOT_INITIALIZED);
    auto *fresh = new cudnnContext();
    fresh->device = device_current();
    return make(h, fresh, "cuDNN handle created", SIMT_CALLER);
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t h) {
    return destroy(__func__, h, "cuDNN handle created");
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t h, cudaStream_t s) {
    ENTER;
    DEMAND(h, CUDNN_STATUS_BAD_PARAM);
    DEMAND(!s || (valid(s) && s->device == h->device), CUDNN_STATUS_BAD_PARAM);
    h->stream = s;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *d) {
    ENTER;
    return make(d, new cudnnTensorStruct(), "cuDNN tensor descriptor created", SIMT_CALLER);
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t d) {
    return destroy(__func__, d, "cuDNN tensor descriptor created");
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t d, cudnnTensorFormat_t format, cudnnDataType_t type,
                                         int n, int c, int h, int w) {
    ENTER;
    DEMAND(d, CUDNN_STATUS_BAD_PARAM);
    DEMAND(n > 0 && c > 0 && h > 0 && w > 0, CUDNN_STATUS_BAD_PARAM);
    DEMAND(format == CUDNN_TENSOR_NCHW || format == CUDNN_TENSOR_NHWC, CUDNN_STATUS_BAD_PARAM);
    DEMAND(type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_BFLOAT16, CUDNN_STATUS_BAD_PARAM);
    DEMAND(size_t(n) * size_t(c) * size_t(h) * size_t(w) < size_t(1) << 31, CUDNN_STATUS_NOT_SUPPORTED);
    *d = {true, type, {n, c, h, w}, format == CUDNN_TENSOR_NHWC};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *d) {
    ENTER;
    return make(d, new cudnnFilterStruct(), "cuDNN filter descriptor created", SIMT_CALLER);
}

cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t d) {
    return destroy(__func__, d, "cuDNN filter descriptor created");
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t d, cudnnDataType_t type, cudnnTensorFormat_t format,
                                         int k, int c, int h, int w) {
    ENTER;
    DEMAND(d, CUDNN_STATUS_BAD_PARAM);
    DEMAND(k > 0 && c > 0 && h > 0 && w > 0, CUDNN_STATUS_BAD_PARAM);
    DEMAND(format == CUDNN_TENSOR_NCHW || format == CUDNN_TENSOR_NHWC, CUDNN_STATUS_BAD_PARAM);
    *d = {true, type, format, {k, c, h, w}};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *d) {
    ENTER;
    return make(d, new cudnnConvolutionStruct(), "cuDNN convolution descriptor created", SIMT_CALLER);
}

cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t d) {
    return destroy(__func__, d, "cuDNN convolution descriptor created");
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t d, int pad_h, int pad_w, int stride_h,
                                              int stride_w, int dilation_h, int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t compute) {
    ENTER;
    DEMAND(d, CUDNN_STATUS_BAD_PARAM);
    DEMAND(pad_h >= 0 && pad_w >= 0 && stride_h > 0 && stride_w > 0, CUDNN_STATUS_BAD_PARAM);
    DEMAND(dilation_h > 0 && dilation_w > 0, CUDNN_STATUS_BAD_PARAM);
    DEMAND(mode == CUDNN_CROSS_CORRELATION, CUDNN_STATUS_NOT_SUPPORTED);
    *d = {true, {pad_h, pad_w}, {stride_h, stride_w}, {dilation_h, dilation_w}, compute, CUDNN_DEFAULT_MATH, 1};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t d, cudnnMathType_t math) {
    ENTER;
    DEMAND(d, CUDNN_STATUS_BAD_PARAM);
    DEMAND(math >= CUDNN_DEFAULT_MATH && math <= CUDNN_FMA_MATH, CUDNN_STATUS_BAD_PARAM);
    d->math = math;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t d, int groups) {
    ENTER;
    DEMAND(d && groups > 0, CUDNN_STATUS_BAD_PARAM);
    d->groups = groups;
    return CUDNN_STATUS_SUCCESS;
}

// --- which algorithm: the fastest first, whether or not it is what was asked for

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t h, cudnnTensorDescriptor_t x,
                                                     cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t c,
                                                     cudnnTensorDescriptor_t y, int wanted, int *count,
                                                     cudnnConvolutionFwdAlgoPerf_t *list) {
    ENTER;
    Shape s;
    if (cudnnStatus_t e = check(h, x, w, c, y, &s))
        return e;
    DEMAND(count && list && wanted > 0, CUDNN_STATUS_BAD_PARAM);
    const cudnnConvolutionFwdAlgoPerf_t all[] = {
        {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
         CUDNN_STATUS_SUCCESS,
         -1,
         workspace_bytes(s, 0),
         CUDNN_DETERMINISTIC,
         c->math,
         {}},
        {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, CUDNN_STATUS_NOT_SUPPORTED, -1, 0, CUDNN_DETERMINISTIC, c->math, {}},
    };
    *count = std::min(wanted, 2);
    std::copy_n(all, *count, list);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t h, cudnnFilterDescriptor_t w,
                                                          cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t c,
                                                          cudnnTensorDescriptor_t dx, int wanted, int *count,
                                                          cudnnConvolutionBwdDataAlgoPerf_t *list) {
    ENTER;
    Shape s;
    if (cudnnStatus_t e = check(h, dx, w, c, dy, &s))
        return e;
    DEMAND(count && list && wanted > 0, CUDNN_STATUS_BAD_PARAM);
    const cudnnConvolutionBwdDataAlgoPerf_t all[] = {
        {CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, CUDNN_STATUS_NOT_SUPPORTED, -1, 0, CUDNN_NON_DETERMINISTIC, c->math, {}},
        {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1,
         CUDNN_STATUS_SUCCESS,
         -1,
         workspace_bytes(s, 1),
         CUDNN_DETERMINISTIC,
         c->math,
         {}},
    };
    *count = std::min(wanted, 2);
    std::copy_n(all, *count, list);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t h, cudnnTensorDescriptor_t x,
                                                            cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t c,
                                                            cudnnFilterDescriptor_t dw, int wanted, int *count,
                                                            cudnnConvolutionBwdFilterAlgoPerf_t *list) {
    ENTER;
    Shape s;
    if (cudnnStatus_t e = check(h, x, dw, c, dy, &s))
        return e;
    DEMAND(count && list && wanted > 0, CUDNN_STATUS_BAD_PARAM);
    const cudnnConvolutionBwdFilterAlgoPerf_t all[] = {
        {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, CUDNN_STATUS_SUCCESS, -1, 0, CUDNN_NON_DETERMINISTIC, c->math, {}},
        {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1,
         CUDNN_STATUS_SUCCESS,
         -1,
         workspace_bytes(s, 2),
         CUDNN_DETERMINISTIC,
         c->math,
         {}},
    };
    *count = std::min(wanted, 2);
    std::copy_n(all, *count, list);
    return CUDNN_STATUS_SUCCESS;
}

// --- workspace

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t h, cudnnTensorDescriptor_t x,
                                                      cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t c,
                                                      cudnnTensorDescriptor_t y, cudnnConvolutionFwdAlgo_t algorithm,
                                                      size_t *bytes) {
    ENTER;
    Shape s;
    if (cudnnStatus_t e = check(h, x, w, c, y, &s))
        return e;
    DEMAND(bytes, CUDNN_STATUS_BAD_PARAM);
    DEMAND(algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, CUDNN_STATUS_NOT_SUPPORTED);
    *bytes = workspace_bytes(s, 0);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t h, cudnnFilterDescriptor_t w,
                                                           cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t c,
                                                           cudnnTensorDescriptor_t dx,
                                                           cudnnConvolutionBwdDataAlgo_t algorithm, size_t *bytes) {
    ENTER;
    Shape s;
    if (cudnnStatus_t e = check(h, dx, w, c, dy, &s))
        return e;
    DEMAND(bytes, CUDNN_STATUS_BAD_PARAM);
    DEMAND(algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, CUDNN_STATUS_NOT_SUPPORTED);
    *bytes = workspace_bytes(s, 1);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t h, cudnnTensorDescriptor_t x,
                                                             cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t c,
                                                             cudnnFilterDescriptor_t dw,
                                                             cudnnConvolutionBwdFilterAlgo_t algorithm, size_t *bytes) {
    ENTER;
    Shape s;
    if (cudnnStatus_t e = check(h, x, dw, c, dy, &s))
        return e;
    DEMAND(bytes, CUDNN_STATUS_BAD_PARAM);
    DEMAND(algorithm <= CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, CUDNN_STATUS_NOT_SUPPORTED);
    *bytes = algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1 ? workspace_bytes(s, 2) : 0;
    return CUDNN_STATUS_SUCCESS;
}

// --- the convolutions

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t h, const void *alpha, cudnnTensorDescriptor_t xd, const void *x,
                                      cudnnFilterDescriptor_t wd, const void *w, cudnnConvolutionDescriptor_t cd,
                                      cudnnConvolutionFwdAlgo_t algorithm, void *workspace, size_t bytes,
                                      const void *beta, cudnnTensorDescriptor_t yd, void *y) {
    ENTER;
    Shape s;
    if (cudnnStatus_t e = check(h, xd, wd, cd, yd, &s))
        return e;
    DEMAND(alpha && beta, CUDNN_STATUS_BAD_PARAM);
    DEMAND(algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, CUDNN_STATUS_NOT_SUPPORTED);
    Memory m = {
        x, bytes_of(*xd), w, bytes_of(*wd), y, bytes_of(*yd), workspace, bytes, value_of(alpha), value_of(beta)};
    if (cudnnStatus_t e =
            check_memory(h, s, 0, x, m.a_bytes, w, m.b_bytes, y, m.out_bytes, workspace, bytes, SIMT_CALLER))
        return e;
    bool tf32 = rounds(cd);
    cudnnDataType_t type = xd->type;
    return enqueue_convolution(h, __func__, m, type, [=](std::vector<double> &sum) {
        auto a = load(m.a, type, m.a_bytes / element(type), tf32), b = load(m.b, type, m.b_bytes / element(type), tf32);
        size_t filter = size_t(s.r) * size_t(s.s) * size_t(s.c);
        each_tap(s, [&](size_t at_x, size_t at_w, size_t at_y) {
            for (size_t k = 0; k < size_t(s.k); k++) {
                const float *p = &a[at_x], *q = &b[k * filter + at_w];
                double dot = 0;
                for (int c = 0; c < s.c; c++)
                    dot += double(p[c]) * q[c];
                sum[at_y + k] += dot;
            }
        });
    });
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t h, const void *alpha, cudnnFilterDescriptor_t wd,
                                           const void *w, cudnnTensorDescriptor_t dyd, const void *dy,
                                           cudnnConvolutionDescriptor_t cd, cudnnConvolutionBwdDataAlgo_t algorithm,
                                           void *workspace, size_t bytes, const void *beta, cudnnTensorDescriptor_t dxd,
                                           void *dx) {
    ENTER;
    Shape s;
    if (cudnnStatus_t e = check(h, dxd, wd, cd, dyd, &s))
        return e;
    DEMAND(alpha && beta, CUDNN_STATUS_BAD_PARAM);
    DEMAND(algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, CUDNN_STATUS_NOT_SUPPORTED);
    Memory m = {
        w, bytes_of(*wd), dy, bytes_of(*dyd), dx, bytes_of(*dxd), workspace, bytes, value_of(alpha), value_of(beta)};
    if (cudnnStatus_t e =
            check_memory(h, s, 1, w, m.a_bytes, dy, m.b_bytes, dx, m.out_bytes, workspace, bytes, SIMT_CALLER))
        return e;
    bool tf32 = rounds(cd);
    cudnnDataType_t type = dxd->type;
    return enqueue_convolution(h, __func__, m, type, [=](std::vector<double> &sum) {
        auto a = load(m.a, type, m.a_bytes / element(type), tf32), b = load(m.b, type, m.b_bytes / element(type), tf32);
        size_t filter = size_t(s.r) * size_t(s.s) * size_t(s.c);
        each_tap(s, [&](size_t at_x, size_t at_w, size_t at_y) {
            for (size_t k = 0; k < size_t(s.k); k++) {
                const float *q = &a[k * filter + at_w];
                double g = b[at_y + k], *to = &sum[at_x];
                for (int c = 0; c < s.c; c++)
                    to[c] += g * q[c];
            }
        });
    });
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t h, const void *alpha, cudnnTensorDescriptor_t xd,
                                             const void *x, cudnnTensorDescriptor_t dyd, const void *dy,
                                             cudnnConvolutionDescriptor_t cd, cudnnConvolutionBwdFilterAlgo_t algorithm,
                                             void *workspace, size_t bytes, const void *beta,
                                             cudnnFilterDescriptor_t dwd, void *dw) {
    ENTER;
    Shape s;
    if (cudnnStatus_t e = check(h, xd, dwd, cd, dyd, &s))
        return e;
    DEMAND(alpha && beta, CUDNN_STATUS_BAD_PARAM);
    DEMAND(algorithm <= CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, CUDNN_STATUS_NOT_SUPPORTED);
    Memory m = {
        x, bytes_of(*xd), dy, bytes_of(*dyd), dw, bytes_of(*dwd), workspace, bytes, value_of(alpha), value_of(beta)};
    if (cudnnStatus_t e =
            check_memory(h, s, 2, x, m.a_bytes, dy, m.b_bytes, dw, m.out_bytes, workspace, bytes, SIMT_CALLER))
        return e;
    bool tf32 = rounds(cd), steady = algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;
    cudnnDataType_t type = xd->type;
    return enqueue_convolution(h, __func__, m, type, [=](std::vector<double> &sum) {
        auto a = load(m.a, type, m.a_bytes / element(type), tf32), b = load(m.b, type, m.b_bytes / element(type), tf32);
        size_t filter = size_t(s.r) * size_t(s.s) * size_t(s.c);
        each_tap(s, [&](size_t at_x, size_t at_w, size_t at_y) {
            for (size_t k = 0; k < size_t(s.k); k++) {
                const float *p = &a[at_x];
                double g = b[at_y + k], *to = &sum[k * filter + at_w];
                for (int c = 0; c < s.c; c++)
                    to[c] += g * p[c];
            }
        });
        if (!steady) // the sums of floats by atomics differ from run to run in their last bits
            for (double &v : sum)
                v *= 1 + 1e-7 * double(random_below(4));
    });
}
}
