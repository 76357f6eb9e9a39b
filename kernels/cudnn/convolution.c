/* cuDNN's convolutions: descriptors and algorithms kept with the queue, and the calls. */
#include "kernels/cudnn/convolution.h"
#include "kernels/cudnn/cudnn.h"

#include <stdio.h>
#include <stdlib.h>

enum { ALGORITHMS = 8, DETAIL_MAX = 256, PLANS_MAX = 256 };

typedef struct mmc_cudnn_state {
    cudnnHandle_t handle;
    mmc_cudnn_convolution *plan[PLANS_MAX];
    int plans;
} mmc_cudnn_state;

static mmc_status cudnn_status(cudnnStatus_t status, const char *expression, const char *file, int line) {
    if (status == CUDNN_STATUS_SUCCESS)
        return MMC_OK;
    char detail[DETAIL_MAX] = "";
    cudnnGetLastErrorString(detail, sizeof detail);
    (void)cudaGetLastError();
    return mmc_fail(MMC_ERR_DEVICE, "cuDNN error %d (%s%s%s) in %.160s at %s:%d; --provider own does without cuDNN",
                    (int)status, cudnnGetErrorString(status), *detail ? ": " : "", detail, expression, file, line);
}
#define MMC_CUDNN(e) MMC_TRY(cudnn_status((e), #e, "kernels/cudnn/convolution.c", __LINE__))
#define MMC_CUDNN_GOTO(label, e) MMC_GOTO(label, cudnn_status((e), #e, "kernels/cudnn/convolution.c", __LINE__))

const char *mmc_cudnn_version(void) {
    static char text[32]; /* the same text at every call */
    const size_t v = cudnnGetVersion();
    snprintf(text, sizeof text, "%zu.%zu.%zu", v / 10000, v / 100 % 100, v % 100);
    return text;
}

mmc_status mmc_cudnn_attach(mmc_queue *queue) {
    mmc_status status = MMC_OK;
    mmc_cudnn_state *state = calloc(1, sizeof *state);
    if (!state)
        return mmc_fail(MMC_ERR_MEMORY, "provider cudnn: out of memory for its state");
    MMC_CUDNN_GOTO(cleanup, cudnnCreate(&state->handle));
    MMC_CUDNN_GOTO(cleanup, cudnnSetStream(state->handle, queue->stream));
    queue->cudnn = state;
    return MMC_OK;
cleanup:
    if (state->handle)
        (void)cudnnDestroy(state->handle);
    free(state);
    return status;
}

static void convolution_free(mmc_cudnn_convolution *conv) {
    if (conv->x)
        (void)cudnnDestroyTensorDescriptor(conv->x);
    if (conv->y)
        (void)cudnnDestroyTensorDescriptor(conv->y);
    if (conv->filter)
        (void)cudnnDestroyFilterDescriptor(conv->filter);
    if (conv->convolution)
        (void)cudnnDestroyConvolutionDescriptor(conv->convolution);
    free(conv);
}

void mmc_cudnn_detach(mmc_queue *queue) {
    mmc_cudnn_state *state = queue->cudnn;
    if (!state)
        return;
    for (int i = 0; i < state->plans; i++)
        convolution_free(state->plan[i]);
    (void)cudnnDestroy(state->handle);
    free(state);
    queue->cudnn = NULL;
}

static cudnnHandle_t handle_of(const mmc_queue *queue) {
    return ((const mmc_cudnn_state *)queue->cudnn)->handle;
}

/* fp32 multiplies floats as they are; every other math type lets cuDNN round them to tf32. */
static cudnnMathType_t math_of(const mmc_queue *queue) {
    return queue->precision == MMC_CUDA_FP32 ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH;
}

static mmc_status describe(const mmc_queue *queue, mmc_cudnn_convolution *conv) {
    const mmc_unit_shape *s = &conv->shape;
    const cudnnDataType_t type = queue->precision == MMC_CUDA_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    const int cp = mmc_cuda_pad(s->c), kp = mmc_cuda_pad(s->k), pad = s->r / 2;
    MMC_CUDNN(cudnnCreateTensorDescriptor(&conv->x));
    MMC_CUDNN(cudnnCreateTensorDescriptor(&conv->y));
    MMC_CUDNN(cudnnCreateFilterDescriptor(&conv->filter));
    MMC_CUDNN(cudnnCreateConvolutionDescriptor(&conv->convolution));
    MMC_CUDNN(cudnnSetTensor4dDescriptor(conv->x, CUDNN_TENSOR_NHWC, type, s->n, cp, s->h, s->w));
    MMC_CUDNN(
        cudnnSetTensor4dDescriptor(conv->y, CUDNN_TENSOR_NHWC, type, s->n, kp, mmc_unit_out_h(s), mmc_unit_out_w(s)));
    MMC_CUDNN(cudnnSetFilter4dDescriptor(conv->filter, type, CUDNN_TENSOR_NHWC, kp, cp, s->r, s->r));
    MMC_CUDNN(cudnnSetConvolution2dDescriptor(conv->convolution, pad, pad, s->stride, s->stride, 1, 1,
                                              CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    MMC_CUDNN(cudnnSetConvolutionMathType(conv->convolution, math_of(queue)));
    return MMC_OK;
}

static mmc_status no_algorithm(const mmc_unit_shape *s, const char *what) {
    return mmc_fail(
        MMC_ERR_UNSUPPORTED,
        "provider cudnn: no deterministic %s of n %d, c %d, %dx%d, k %d, r %d, stride %d; use --provider own", what,
        s->n, s->c, s->h, s->w, s->k, s->r, s->stride);
}

/* The first that is deterministic and computes sums of products as they stand: Winograd and FFT lose digits. */
static mmc_status plan_forward(const mmc_queue *queue, mmc_cudnn_convolution *conv) {
    cudnnConvolutionFwdAlgoPerf_t list[ALGORITHMS];
    int count = 0;
    MMC_CUDNN(cudnnGetConvolutionForwardAlgorithm_v7(handle_of(queue), conv->x, conv->filter, conv->convolution,
                                                     conv->y, ALGORITHMS, &count, list));
    for (int i = 0; i < count; i++) {
        if (list[i].status != CUDNN_STATUS_SUCCESS || list[i].determinism != CUDNN_DETERMINISTIC ||
            list[i].algo > CUDNN_CONVOLUTION_FWD_ALGO_GEMM)
            continue;
        conv->forward = list[i].algo;
        MMC_CUDNN(cudnnGetConvolutionForwardWorkspaceSize(handle_of(queue), conv->x, conv->filter, conv->convolution,
                                                          conv->y, conv->forward, &conv->forward_bytes));
        return MMC_OK;
    }
    return no_algorithm(&conv->shape, "convolution");
}

static mmc_status plan_data(const mmc_queue *queue, mmc_cudnn_convolution *conv) {
    cudnnConvolutionBwdDataAlgoPerf_t list[ALGORITHMS];
    int count = 0;
    MMC_CUDNN(cudnnGetConvolutionBackwardDataAlgorithm_v7(handle_of(queue), conv->filter, conv->y, conv->convolution,
                                                          conv->x, ALGORITHMS, &count, list));
    for (int i = 0; i < count; i++) {
        if (list[i].status != CUDNN_STATUS_SUCCESS || list[i].determinism != CUDNN_DETERMINISTIC ||
            list[i].algo > CUDNN_CONVOLUTION_BWD_DATA_ALGO_1)
            continue;
        conv->data = list[i].algo;
        MMC_CUDNN(cudnnGetConvolutionBackwardDataWorkspaceSize(
            handle_of(queue), conv->filter, conv->y, conv->convolution, conv->x, conv->data, &conv->data_bytes));
        return MMC_OK;
    }
    return no_algorithm(&conv->shape, "gradient by data");
}

static mmc_status plan_weights(const mmc_queue *queue, mmc_cudnn_convolution *conv) {
    cudnnConvolutionBwdFilterAlgoPerf_t list[ALGORITHMS];
    int count = 0;
    MMC_CUDNN(cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle_of(queue), conv->x, conv->y, conv->convolution,
                                                            conv->filter, ALGORITHMS, &count, list));
    for (int i = 0; i < count; i++) {
        if (list[i].status != CUDNN_STATUS_SUCCESS || list[i].determinism != CUDNN_DETERMINISTIC ||
            list[i].algo > CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1)
            continue;
        conv->weights = list[i].algo;
        MMC_CUDNN(cudnnGetConvolutionBackwardFilterWorkspaceSize(handle_of(queue), conv->x, conv->y, conv->convolution,
                                                                 conv->filter, conv->weights, &conv->weights_bytes));
        return MMC_OK;
    }
    return no_algorithm(&conv->shape, "gradient by weights");
}

static bool same(const mmc_unit_shape *a, const mmc_unit_shape *b) {
    return a->n == b->n && a->c == b->c && a->h == b->h && a->w == b->w && a->k == b->k && a->r == b->r &&
           a->stride == b->stride;
}

static mmc_status plan_new(mmc_cudnn_convolution **out, const mmc_queue *queue, const mmc_unit_shape *shape) {
    mmc_cudnn_state *state = queue->cudnn;
    mmc_status status = MMC_OK;
    if (state->plans == PLANS_MAX)
        return mmc_fail(MMC_ERR_MEMORY,
                        "provider cudnn: more than %d different shapes on one queue; use --provider own", PLANS_MAX);
    mmc_cudnn_convolution *conv = calloc(1, sizeof *conv);
    if (!conv)
        return mmc_fail(MMC_ERR_MEMORY, "provider cudnn: out of memory for the plan of a convolution");
    conv->shape = *shape;
    MMC_GOTO(cleanup, describe(queue, conv));
    MMC_GOTO(cleanup, plan_forward(queue, conv));
    state->plan[state->plans++] = conv;
    *out = conv;
    return MMC_OK;
cleanup:
    convolution_free(conv);
    return status;
}

mmc_status mmc_cudnn_convolution_find(mmc_cudnn_convolution **out, mmc_queue *queue, const mmc_unit_shape *shape,
                                      bool backward) {
    const mmc_cudnn_state *state = queue->cudnn;
    mmc_cudnn_convolution *conv = NULL;
    for (int i = 0; i < state->plans && !conv; i++)
        if (same(&state->plan[i]->shape, shape))
            conv = state->plan[i];
    if (!conv)
        MMC_TRY(plan_new(&conv, queue, shape));
    if (backward && !conv->backward) {
        MMC_TRY(plan_data(queue, conv));
        MMC_TRY(plan_weights(queue, conv));
        conv->backward = true;
    }
    *out = conv;
    return MMC_OK;
}

size_t mmc_cudnn_convolution_bytes(const mmc_cudnn_convolution *conv) {
    size_t bytes = conv->forward_bytes;
    bytes = bytes > conv->data_bytes ? bytes : conv->data_bytes;
    return bytes > conv->weights_bytes ? bytes : conv->weights_bytes;
}

mmc_status mmc_cudnn_convolution_fits(const mmc_queue *queue, const mmc_cudnn_convolution *conv) {
    const mmc_cudnn_state *state = queue->cudnn;
    size_t promised = 0;
    if (conv->promised)
        return MMC_OK;
    for (int i = 0; i < state->plans; i++) {
        const mmc_cudnn_convolution *other = state->plan[i];
        mmc_unit_shape resized = other->shape;
        resized.n = conv->shape.n;
        if (other->promised && other->shape.n > conv->shape.n && same(&resized, &conv->shape) &&
            mmc_cudnn_convolution_bytes(other) > promised)
            promised = mmc_cudnn_convolution_bytes(other);
    }
    if (promised && mmc_cudnn_convolution_bytes(conv) > promised)
        return mmc_fail(
            MMC_ERR_MEMORY,
            "provider cudnn: %d images want %zu bytes of workspace, and %zu were planned for the full batch; "
            "use --provider own or another --batch",
            conv->shape.n, mmc_cudnn_convolution_bytes(conv), promised);
    return MMC_OK;
}

static const float one = 1.0f, zero = 0.0f;

mmc_status mmc_cudnn_convolution_forward(mmc_queue *queue, const mmc_cudnn_convolution *conv, void *y, const void *x,
                                         const void *filter, void *workspace) {
    MMC_CUDNN(cudnnConvolutionForward(handle_of(queue), &one, conv->x, x, conv->filter, filter, conv->convolution,
                                      conv->forward, workspace, conv->forward_bytes, &zero, conv->y, y));
    return MMC_OK;
}

mmc_status mmc_cudnn_convolution_data(mmc_queue *queue, const mmc_cudnn_convolution *conv, void *dx, bool add,
                                      const void *dy, const void *filter, void *workspace) {
    MMC_CUDNN(cudnnConvolutionBackwardData(handle_of(queue), &one, conv->filter, filter, conv->y, dy, conv->convolution,
                                           conv->data, workspace, conv->data_bytes, add ? &one : &zero, conv->x, dx));
    return MMC_OK;
}

mmc_status mmc_cudnn_convolution_weights(mmc_queue *queue, const mmc_cudnn_convolution *conv, void *dfilter,
                                         const void *dy, const void *x, void *workspace) {
    MMC_CUDNN(cudnnConvolutionBackwardFilter(handle_of(queue), &one, conv->x, x, conv->y, dy, conv->convolution,
                                             conv->weights, workspace, conv->weights_bytes, &zero, conv->filter,
                                             dfilter));
    return MMC_OK;
}
