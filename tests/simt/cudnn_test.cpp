// cuDNN's emulated calls: what they refuse, and that a provider's plan survives it. The numbers are compared with the
// reference by the parity list.
#include "tests/simt/control.h"

#include "runtime/backend.h"

#include <cudnn.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace {
// Descriptors of a 3x3 convolution of 2 images, 8 to 16 channels on 5x4, channels last.
struct Convolution {
    cudnnHandle_t handle = nullptr;
    cudnnTensorDescriptor_t x = nullptr, y = nullptr;
    cudnnFilterDescriptor_t w = nullptr;
    cudnnConvolutionDescriptor_t c = nullptr;

    Convolution() {
        EXPECT_EQ(cudnnCreate(&handle), CUDNN_STATUS_SUCCESS);
        EXPECT_EQ(cudnnCreateTensorDescriptor(&x), CUDNN_STATUS_SUCCESS);
        EXPECT_EQ(cudnnCreateTensorDescriptor(&y), CUDNN_STATUS_SUCCESS);
        EXPECT_EQ(cudnnCreateFilterDescriptor(&w), CUDNN_STATUS_SUCCESS);
        EXPECT_EQ(cudnnCreateConvolutionDescriptor(&c), CUDNN_STATUS_SUCCESS);
    }
    ~Convolution() {
        EXPECT_EQ(cudnnDestroyConvolutionDescriptor(c), CUDNN_STATUS_SUCCESS);
        EXPECT_EQ(cudnnDestroyFilterDescriptor(w), CUDNN_STATUS_SUCCESS);
        EXPECT_EQ(cudnnDestroyTensorDescriptor(y), CUDNN_STATUS_SUCCESS);
        EXPECT_EQ(cudnnDestroyTensorDescriptor(x), CUDNN_STATUS_SUCCESS);
        EXPECT_EQ(cudnnDestroy(handle), CUDNN_STATUS_SUCCESS);
    }
    void set(cudnnTensorFormat_t format = CUDNN_TENSOR_NHWC, cudnnDataType_t type = CUDNN_DATA_FLOAT) {
        EXPECT_EQ(cudnnSetTensor4dDescriptor(x, format, type, 2, 8, 5, 4), CUDNN_STATUS_SUCCESS);
        EXPECT_EQ(cudnnSetTensor4dDescriptor(y, format, type, 2, 16, 5, 4), CUDNN_STATUS_SUCCESS);
        EXPECT_EQ(cudnnSetFilter4dDescriptor(w, type, format, 16, 8, 3, 3), CUDNN_STATUS_SUCCESS);
        EXPECT_EQ(cudnnSetConvolution2dDescriptor(c, 1, 1, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                  CUDNN_STATUS_SUCCESS);
    }
    cudnnStatus_t workspace(size_t *bytes) {
        return cudnnGetConvolutionForwardWorkspaceSize(handle, x, w, c, y,
                                                       CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, bytes);
    }
};

TEST(SimtCudnn, RefusesDescriptorsThatAreNotSetOrDoNotFit) {
    size_t bytes = 0;
    {
        Convolution conv;
        EXPECT_EQ(conv.workspace(&bytes), CUDNN_STATUS_BAD_PARAM);
        conv.set();
        EXPECT_EQ(conv.workspace(&bytes), CUDNN_STATUS_SUCCESS);
        EXPECT_GT(bytes, 0u);
        EXPECT_EQ(conv.workspace(nullptr), CUDNN_STATUS_BAD_PARAM);
        cudnnSetTensor4dDescriptor(conv.y, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 2, 16, 4, 4);
        EXPECT_EQ(conv.workspace(&bytes), CUDNN_STATUS_BAD_PARAM);
        conv.set(CUDNN_TENSOR_NCHW);
        EXPECT_EQ(conv.workspace(&bytes), CUDNN_STATUS_NOT_SUPPORTED);
        conv.set();
        cudnnSetFilter4dDescriptor(conv.w, CUDNN_DATA_BFLOAT16, CUDNN_TENSOR_NHWC, 16, 8, 3, 3);
        EXPECT_EQ(conv.workspace(&bytes), CUDNN_STATUS_BAD_PARAM);
        EXPECT_EQ(cudnnSetTensor4dDescriptor(conv.x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 0, 8, 5, 4),
                  CUDNN_STATUS_BAD_PARAM);
        char why[64];
        cudnnGetLastErrorString(why, sizeof why);
        EXPECT_NE(std::string(why), "");
    }
    EXPECT_EQ(simt_leaks(), 0);
}

TEST(SimtCudnn, RefusesMemoryThatIsMissingMisalignedOrTooSmall) {
    {
        Convolution conv;
        conv.set();
        size_t bytes = 0;
        ASSERT_EQ(conv.workspace(&bytes), CUDNN_STATUS_SUCCESS);
        const size_t input = 2 * 8 * 5 * 4 * 4, filter = 16 * 8 * 9 * 4, output = 2 * 16 * 5 * 4 * 4;
        char *x, *w, *y, *work;
        for (auto [p, size] : {std::pair{&x, input + 16}, {&w, filter}, {&y, output}, {&work, bytes}}) {
            ASSERT_EQ(cudaMalloc(reinterpret_cast<void **>(p), size), cudaSuccess);
            ASSERT_EQ(cudaMemset(*p, 0, size), cudaSuccess);
        }
        const float one = 1, zero = 0;
        auto forward = [&](const void *from, void *workspace, size_t size, const float *alpha) {
            return cudnnConvolutionForward(conv.handle, alpha, conv.x, from, conv.w, w, conv.c,
                                           CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, workspace, size, &zero,
                                           conv.y, y);
        };
        EXPECT_EQ(forward(x, work, bytes, &one), CUDNN_STATUS_SUCCESS);
        EXPECT_EQ(forward(nullptr, work, bytes, &one), CUDNN_STATUS_BAD_PARAM);
        EXPECT_EQ(forward(x + 4, work, bytes, &one), CUDNN_STATUS_BAD_PARAM);
        EXPECT_EQ(forward(x, work, bytes - 1, &one), CUDNN_STATUS_BAD_PARAM);
        EXPECT_EQ(forward(x, nullptr, bytes, &one), CUDNN_STATUS_BAD_PARAM);
        EXPECT_EQ(forward(x, work, bytes, nullptr), CUDNN_STATUS_BAD_PARAM);
        for (char *p : {x, w, y, work})
            EXPECT_EQ(cudaFree(p), cudaSuccess);
    }
    EXPECT_EQ(simt_leaks(), 0);
}

const mmc_backend_options kCudnn = {"cuda", "cudnn", "fp32", 0, 1};

// Every call of cuDNN that planning makes fails once: the message names cuDNN, nothing is left behind.
TEST(SimtCudnn, FailuresOfPlanningAreToldAndLeaveNothing) {
    const mmc_unit_shape shape = {2, 5, 8, 8, 7, 3, 1, true, false};
    for (const char *call :
         {"cudnnCreate", "cudnnSetStream", "cudnnCreateTensorDescriptor", "cudnnCreateFilterDescriptor",
          "cudnnCreateConvolutionDescriptor", "cudnnSetTensor4dDescriptor", "cudnnSetFilter4dDescriptor",
          "cudnnSetConvolution2dDescriptor", "cudnnSetConvolutionMathType", "cudnnGetConvolutionForwardAlgorithm_v7",
          "cudnnGetConvolutionForwardWorkspaceSize"}) {
        SCOPED_TRACE(call);
        simt_fail(call, 1, 0);
        mmc_backend *be = nullptr;
        mmc_status status = mmc_backend_open(&be, &kCudnn);
        if (status == MMC_OK)
            EXPECT_STREQ(be->unit->detail(be->queue, &shape, MMC_PACK_EVAL), "unsupported");
        EXPECT_TRUE(simt_failed());
        EXPECT_NE(std::string(mmc_error_message()).find("cuDNN"), std::string::npos) << mmc_error_message();
        if (status == MMC_OK) // and goes on when asked again
            EXPECT_STREQ(be->unit->detail(be->queue, &shape, MMC_PACK_EVAL), "cudnn:implicit-precomp-gemm");
        mmc_backend_close(be);
        EXPECT_EQ(simt_leaks(), 0);
    }
}
} // namespace
