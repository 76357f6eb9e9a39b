// A kernel whose result depends on the order of its threads: programs that repeat it have to fail (main.cpp).
#include "tests/simt/toy.h"

#include <gtest/gtest.h>
#include <vector>

TEST(Orders, TicketsComeInAnyOrder) {
    const size_t threads = 512;
    void *tickets = nullptr, *next = nullptr;
    ASSERT_EQ(cudaMalloc(&tickets, threads * 4), cudaSuccess);
    ASSERT_EQ(cudaMalloc(&next, 4), cudaSuccess);
    ASSERT_EQ(cudaMemset(next, 0, 4), cudaSuccess);
    ASSERT_EQ(toy_order(static_cast<unsigned *>(tickets), static_cast<unsigned *>(next), nullptr), cudaSuccess);
    std::vector<unsigned> got(threads);
    ASSERT_EQ(cudaMemcpy(got.data(), tickets, threads * 4, cudaMemcpyDeviceToHost), cudaSuccess);
    EXPECT_EQ(cudaFree(tickets), cudaSuccess);
    EXPECT_EQ(cudaFree(next), cudaSuccess);
}
