#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

#include "core/dtype.h"
#include "core/shape.h"
#include "core/tensor.h"
#include "core/thread_pool.h"

namespace mxdit {
namespace {

TEST(DType, NamesRoundTrip) {
  for (const char* text : {"F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I8", "U8", "I32", "I64"}) {
    const auto dtype = parse_dtype(text);
    ASSERT_TRUE(dtype.has_value()) << text;
    EXPECT_EQ(name(*dtype), text);
  }
  EXPECT_FALSE(parse_dtype("F4").has_value());
  EXPECT_EQ(element_size(DType::bf16), 2u);
}

TEST(ShapeTest, CountsElementsAndRefusesOverflow) {
  EXPECT_EQ(Shape({2, 3, 4}).elements(), 24);
  EXPECT_EQ(Shape({}).elements(), 1);
  EXPECT_EQ(Shape({5, 0}).elements(), 0);
  EXPECT_THROW(Shape({int64_t{1} << 40, int64_t{1} << 40}).elements(), Error);
  EXPECT_THROW(Shape({-1}).elements(), Error);
  EXPECT_EQ(Shape({7, 8})[-1], 8);
}

TEST(TensorTest, SlicesShareMemory) {
  Tensor t = Tensor::host(DType::f32, {3, 2});
  for (int i = 0; i < 6; ++i) t.as_mutable<float>()[i] = static_cast<float>(i);
  const Tensor row = t.slice(1, 2);
  EXPECT_EQ(row.shape(), Shape({1, 2}));
  EXPECT_EQ(row.as<float>()[0], 2.0f);
  EXPECT_EQ(t.reshape({2, 3}).as<float>()[5], 5.0f);
  EXPECT_THROW(t.slice(2, 4), Error);
  EXPECT_THROW(t.reshape({4}), Error);
}

TEST(ThreadPoolTest, CoversEveryIndexOnce) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const int64_t count : {0, 1, 7, 1000}) {
      std::vector<std::atomic<int>> hits(static_cast<size_t>(count));
      pool.parallel_for(count, 3, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) hits[static_cast<size_t>(i)]++;
      });
      for (const auto& hit : hits) EXPECT_EQ(hit.load(), 1);
    }
  }
}

TEST(ThreadPoolTest, RethrowsAndGoesOn) {
  ThreadPool pool(3);
  EXPECT_THROW(pool.parallel_for(100, 1, [](int64_t, int64_t) { throw std::runtime_error("x"); }),
               std::runtime_error);
  std::atomic<int> sum{0};
  pool.parallel_for(10, 1, [&](int64_t b, int64_t) { sum += static_cast<int>(b); });
  EXPECT_EQ(sum.load(), 45);
}

TEST(ThreadPoolTest, NestedCallsRunOnTheCaller) {
  ThreadPool pool(2);
  std::atomic<int> sum{0};
  pool.parallel_for(4, 1, [&](int64_t, int64_t) {
    pool.parallel_for(5, 1, [&](int64_t, int64_t) { sum++; });
  });
  EXPECT_EQ(sum.load(), 20);
}

}  // namespace
}  // namespace mxdit
