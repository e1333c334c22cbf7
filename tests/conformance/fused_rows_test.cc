// Operators that run several on a row while it is in cache: what the several give one after the
// other, to the bit, at any number of threads.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "conformance/cases.h"
#include "conformance/targets.h"
#include "ops/ops.h"

namespace mxdit::conformance {
namespace {

constexpr float kEps = 1e-6f;

class FusedRowsTest : public ::testing::TestWithParam<std::tuple<std::string, int>> {
 protected:
  Tensor input(DType dtype, const Shape& shape, uint32_t seed, float scale = 1.0f) {
    return backend_->from_host(random_tensor(dtype, shape, seed, scale));
  }
  void expect_bytes(const Tensor& got, const Tensor& expected, const std::string& what) {
    const Tensor a = backend_->to_host(got), b = backend_->to_host(expected);
    ASSERT_EQ(a.dtype(), b.dtype()) << what;
    ASSERT_EQ(a.shape(), b.shape()) << what;
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.bytes()), 0) << what;
  }

  std::unique_ptr<Backend> backend_ =
      make_target(std::get<0>(GetParam()), std::get<1>(GetParam()));
};

TEST_P(FusedRowsTest, RotatedNorms) {
  struct Size {
    int64_t batch, positions, heads, dim;
  };
  for (const DType type : {DType::f32, DType::bf16})
    for (const Size& s : {Size{1, 1, 1, 2}, {2, 37, 3, 10}, {1, 50, 12, 128}, {3, 5, 1, 34}}) {
      const Tensor x = input(type, {s.batch, s.positions, s.heads * s.dim}, 1, 4.0f);
      const Tensor gain = input(DType::f32, {s.heads * s.dim}, 2);
      const Tensor cos = input(DType::f32, {s.positions, s.dim / 2}, 3);
      const Tensor sin = input(DType::f32, {s.positions, s.dim / 2}, 4);
      const Shape heads = {s.batch, s.positions, s.heads, s.dim};
      expect_bytes(
          ops::rms_norm_rope(*backend_, x, gain, kEps, cos, sin),
          ops::rope(*backend_, ops::rms_norm(*backend_, x, gain, kEps).reshape(heads), cos, sin),
          mxdit::detail::concat(name(type), " ", heads));
    }
}

INSTANTIATE_TEST_SUITE_P(Targets, FusedRowsTest,
                         ::testing::Combine(::testing::ValuesIn(targets()),
                                            ::testing::Values(1, 3)),
                         [](const auto& target) {
                           return std::get<0>(target.param) + "_" +
                                  std::to_string(std::get<1>(target.param));
                         });

}  // namespace
}  // namespace mxdit::conformance
