#include "backend/cpu/memory_pool.h"

#include <gtest/gtest.h>

#include "backend/registry.h"

namespace mxdit {
namespace {

TEST(MemoryPoolTest, ReusesBlocksAndTrims) {
  const auto pool = cpu::MemoryPool::create();
  auto first = pool->allocate(1000);
  const void* address = first->data();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(address) % 64, 0u);
  first.reset();
  EXPECT_GT(pool->idle_bytes(), 0u);
  EXPECT_EQ(pool->allocate(1010)->data(), address);
  pool->trim();
  EXPECT_EQ(pool->idle_bytes(), 0u);
  EXPECT_THROW(pool->allocate(size_t{1} << 60), Error);
}

TEST(MemoryPoolTest, LargerBlocksServeUpToTwice) {
  constexpr size_t kMiB = size_t{1} << 20;
  const auto pool = cpu::MemoryPool::create();
  auto block = pool->allocate(64 * kMiB);
  const void* address = block->data();
  block.reset();
  auto smaller = pool->allocate(32 * kMiB);
  EXPECT_EQ(smaller->data(), address);
  EXPECT_EQ(smaller->bytes(), 64 * kMiB);
  smaller.reset();
  EXPECT_EQ(pool->idle_bytes(), 64 * kMiB);  // as large as before
  EXPECT_NE(pool->allocate(27 * kMiB)->data(), address);
}

// Pages that nobody touches are not there, so blocks may be large.
TEST(MemoryPoolTest, WhatLastsKeepsNoIdleBlocks) {
  constexpr size_t kMiB = size_t{1} << 20;
  const auto idle_after = [&](bool lasts) {
    const auto pool = cpu::MemoryPool::create();
    const auto weights = pool->allocate(1024 * kMiB);
    if (lasts) pool->trim();
    pool->allocate(320 * kMiB).reset();  // an earlier layer, more than is always kept
    const auto next = pool->allocate(kMiB);
    return pool->idle_bytes();
  };
  EXPECT_EQ(idle_after(false), 320 * kMiB);
  EXPECT_EQ(idle_after(true), 0u);
}

// Lasting blocks that do go no longer lower what is in use.
TEST(MemoryPoolTest, WhatLastedMayGo) {
  constexpr size_t kMiB = size_t{1} << 20;
  const auto pool = cpu::MemoryPool::create();
  auto weights = pool->allocate(1024 * kMiB);
  pool->trim();
  weights.reset();
  const auto working = pool->allocate(512 * kMiB);
  pool->allocate(448 * kMiB).reset();
  const auto next = pool->allocate(kMiB);
  EXPECT_EQ(pool->idle_bytes(), 448 * kMiB);
}

TEST(MemoryPoolTest, TensorsMayOutliveTheirBackEnd) {
  auto backend = make_backend("cpu", {.threads = 1, .isa = ""});
  Tensor tensor = backend->empty(DType::f32, {100});
  backend.reset();
  tensor.as_mutable<float>()[99] = 1.0f;
  EXPECT_EQ(tensor.as<float>()[99], 1.0f);
}

}  // namespace
}  // namespace mxdit
