// Convolution against the definition, with stride, padding, dilation and groups at once.
#include "ascend_emulator/arithmetic/convolution.h"

#include <gtest/gtest.h>

#include <random>

namespace ascend_emulator::arithmetic {
namespace {

std::vector<float> random_floats(size_t count, int seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

View view_of(std::vector<float>& values, const Dims& dims) {
  return dense_view(values.data(), Element::kFloat32, dims);
}

double at(const std::vector<float>& values, const Dims& dims, const Dims& index) {
  int64_t offset = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (index[i] < 0 || index[i] >= dims[i]) return 0;
    offset = offset * dims[i] + index[i];
  }
  return values[offset];
}

void check(const Dims& in, const Dims& kernel, const Convolution& convolution) {
  Dims dims{in[0], kernel[0], 0, 0, 0};
  for (int axis = 0; axis < 3; ++axis) {
    dims[2 + axis] = convolution.out_dim(axis, in[2 + axis], kernel[2 + axis]);
  }
  std::vector<float> x = random_floats(product(in), 1), w = random_floats(product(kernel), 2),
                     b = random_floats(kernel[0], 3), out(product(dims), -1);
  const View bias = view_of(b, {kernel[0]});
  convolve(view_of(x, in), view_of(w, kernel), &bias, convolution, view_of(out, dims));
  const int64_t per_group = kernel[0] / convolution.groups;
  for (int64_t i = 0; i < product(dims); ++i) {
    Dims o(5);
    for (int64_t axis = 4, rest = i; axis >= 0; --axis) {
      o[axis] = rest % dims[axis];
      rest /= dims[axis];
    }
    double sum = b[o[1]];
    for (int64_t t = 0; t < product(kernel) / kernel[0]; ++t) {
      const int64_t kw = t % kernel[4], kh = t / kernel[4] % kernel[3];
      const int64_t kd = t / (kernel[4] * kernel[3]) % kernel[2];
      const int64_t c = t / (kernel[4] * kernel[3] * kernel[2]);
      const Dims place{
          o[0], o[1] / per_group * kernel[1] + c,
          o[2] * convolution.stride[0] - convolution.padding[0] + kd * convolution.dilation[0],
          o[3] * convolution.stride[1] - convolution.padding[1] + kh * convolution.dilation[1],
          o[4] * convolution.stride[2] - convolution.padding[2] + kw * convolution.dilation[2]};
      sum += at(x, in, place) * at(w, kernel, {o[1], c, kd, kh, kw});
    }
    ASSERT_NEAR(out[i], sum, 0x1p-24 * std::abs(sum) + 1e-13) << i;
  }
}

TEST(Convolution, Plain) {
  check({1, 3, 4, 9, 11}, {5, 3, 3, 3, 3}, {});
}
TEST(Convolution, PointwiseOfOneFrame) {
  check({2, 8, 1, 5, 7}, {6, 8, 1, 1, 1}, {});
}
TEST(Convolution, StridePaddingDilation) {
  check({1, 2, 5, 12, 10}, {3, 2, 2, 3, 3}, {{1, 2, 3}, {1, 2, 1}, {2, 1, 2}, 1});
}
TEST(Convolution, Groups) {
  check({2, 6, 2, 6, 6}, {9, 2, 1, 3, 3}, {{1, 1, 1}, {0, 1, 1}, {1, 1, 1}, 3});
}

TEST(Convolution, NoOutputWhereTheKernelDoesNotFit) {
  EXPECT_EQ((Convolution{}.out_dim(0, 2, 3)), 0);
  EXPECT_EQ((Convolution{{1, 1, 1}, {1, 0, 0}, {1, 1, 1}, 1}.out_dim(0, 2, 3)), 2);
}

}  // namespace
}  // namespace ascend_emulator::arithmetic
