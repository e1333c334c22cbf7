// Borders of zeros, and what is fused behind a convolution: the same bits as one operator after the
// other, on every kernel table that this machine runs.
#include <gtest/gtest.h>

#include <cstring>

#include "backend/registry.h"
#include "conformance/cases.h"
#include "conformance/targets.h"

namespace mxdit::conformance {
namespace {

Shape with_border(const Shape& shape, int border) {
  return {shape[0], shape[1] + 2 * border, shape[2] + 2 * border, shape[3]};
}

// x in the middle of zeros.
Tensor add_border(Backend& backend, const Tensor& x, int border) {
  const Shape shape = with_border(x.shape(), border);
  Tensor out = backend.empty(x.dtype(), shape);
  std::memset(out.mutable_data(), 0, out.bytes());
  const int64_t line = shape[2] * shape[3], frame = shape[1] * line, columns = x.dim(3);
  backend.copy_strided(
      x, {0, {x.dim(1) * x.dim(2) * columns, x.dim(2) * columns, columns, 1}}, x.shape(), out,
      {border * (line + columns), {frame, line, columns, 1}});
  return out;
}

void expect_same(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.shape(), b.shape()) << what;
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.bytes()), 0) << what;
}

// Memory from the pool with something in it.
Tensor dirty(Backend& backend, DType type, const Shape& shape) {
  Tensor out = backend.empty(type, shape);
  std::memset(out.mutable_data(), 0x3f, out.bytes());
  return out;
}

class BorderTest : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Backend> make(int threads) const {
    return make_target(GetParam(), threads);
  }
};

TEST_P(BorderTest, SurroundsNormedAndUpsampledFrames) {
  const auto backend = make(2);
  for (const DType type : {DType::f32, DType::bf16})
    for (const int border : {1, 2}) {
      const Tensor x = random_tensor(type, {2, 5, 7, 19}, 1);
      const Tensor gain = random_tensor(DType::f32, {19}, 2);
      Tensor plain = dirty(*backend, type, x.shape());
      Tensor normed = dirty(*backend, type, with_border(x.shape(), border));
      backend->channel_norm(x, gain, Activation::silu, 0, plain);
      backend->channel_norm(x, gain, Activation::silu, border, normed);
      expect_same(normed, add_border(*backend, plain, border), "norm");
      Tensor larger = dirty(*backend, type, {2, 10, 14, 19});
      Tensor bordered = dirty(*backend, type, with_border(larger.shape(), border));
      backend->upsample2x(x, 0, larger);
      backend->upsample2x(x, border, bordered);
      expect_same(bordered, add_border(*backend, larger, border), "upsampled");
    }
}

struct TailShape {
  int64_t height, width, in, out;
};

void check_tail(Backend& backend, const TailShape& s, DType type, int border, bool has_residual) {
  const std::string what = detail::concat(s.height, "x", s.width, " ", s.in, " to ", s.out, " ",
                                          name(type), " border ", border);
  const Tensor x = random_tensor(type, {2, s.height + 2, s.width + 2, s.in}, 3);
  const Tensor residual = random_tensor(type, {2, s.height, s.width, s.out}, 4);
  const Tensor bias = random_tensor(DType::f32, {s.out}, 5);
  const Tensor gain = random_tensor(DType::f32, {s.out}, 6);
  const auto weight = backend.prepare_conv3d(random_tensor(type, {s.out, s.in, 2, 3, 3}, 7), type);
  const Conv3dParams params = {.zero_frames = 1};
  Tensor expected = dirty(backend, type, residual.shape());
  backend.conv3d({&x, 1}, *weight, &bias, params, {}, expected);
  if (has_residual) backend.add(expected, residual, expected);
  Conv3dTail tail = {.residual = has_residual ? &residual : nullptr};
  Tensor summed = dirty(backend, type, residual.shape());
  backend.conv3d({&x, 1}, *weight, &bias, params, tail, summed);
  expect_same(summed, expected, what + " sum");
  Tensor normed = dirty(backend, type, with_border(residual.shape(), border));
  backend.channel_norm(expected, gain, Activation::silu, border, normed);
  tail.gain = &gain;
  tail.act = Activation::silu;
  tail.border = border;
  Tensor fused = dirty(backend, type, normed.shape());
  backend.conv3d({&x, 1}, *weight, &bias, params, tail, fused);
  expect_same(fused, normed, what + " norm");
}

TEST_P(BorderTest, FusedTailsAreTheOperatorsOneByOne) {
  for (const int threads : {1, 3}) {
    const auto backend = make(threads);
    for (const DType type : {DType::f32, DType::bf16})
      for (const TailShape& shape : {TailShape{3, 5, 16, 20}, TailShape{9, 40, 32, 96},
                                     TailShape{6, 33, 40, 7}, TailShape{4, 37, 32, 230}})
        for (const int border : {0, 1}) {
          check_tail(*backend, shape, type, border, true);
          check_tail(*backend, shape, type, border, false);
        }
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, BorderTest, ::testing::ValuesIn(targets()),
                         [](const auto& table) { return table.param; });

}  // namespace
}  // namespace mxdit::conformance
