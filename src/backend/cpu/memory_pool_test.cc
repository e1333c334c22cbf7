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

TEST(MemoryPoolTest, TensorsMayOutliveTheirBackEnd) {
  auto backend = make_backend("cpu", {.threads = 1, .isa = ""});
  Tensor tensor = backend->empty(DType::f32, {100});
  backend.reset();
  tensor.as_mutable<float>()[99] = 1.0f;
  EXPECT_EQ(tensor.as<float>()[99], 1.0f);
}

}  // namespace
}  // namespace mxdit
