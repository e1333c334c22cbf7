#include "models/wan_dit/rope.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace mxdit::wan_dit {

namespace {

constexpr double kTheta = 10000.0;

// cos or sin of every position of one axis, [positions, pairs].
struct AxisTable {
  int64_t pairs;
  std::vector<float> cos, sin;

  AxisTable(int64_t positions, int64_t size) : pairs(size / 2) {
    for (int64_t position = 0; position < positions; ++position) {
      for (int64_t pair = 0; pair < pairs; ++pair) {
        const double exponent = static_cast<double>(2 * pair) / static_cast<double>(size);
        const double angle = static_cast<double>(position) * (1.0 / std::pow(kTheta, exponent));
        cos.push_back(static_cast<float>(std::cos(angle)));
        sin.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }

  float* copy(const std::vector<float>& table, int64_t position, float* out) const {
    return std::copy_n(table.data() + position * pairs, pairs, out);
  }
};

}  // namespace

RopeAngles rope_angles(const Grid& grid, int64_t head_size) {
  const int64_t side = 2 * (head_size / 6);
  const AxisTable time(grid[0], head_size - 2 * side);
  const AxisTable height(grid[1], side), width(grid[2], side);
  const Shape shape = {tokens(grid), head_size / 2};
  RopeAngles angles{Tensor::host(DType::f32, shape), Tensor::host(DType::f32, shape)};
  float* cos = angles.cos.as_mutable<float>();
  float* sin = angles.sin.as_mutable<float>();
  for (int64_t t = 0; t < grid[0]; ++t) {
    for (int64_t h = 0; h < grid[1]; ++h) {
      for (int64_t w = 0; w < grid[2]; ++w) {
        cos = width.copy(width.cos, w, height.copy(height.cos, h, time.copy(time.cos, t, cos)));
        sin = width.copy(width.sin, w, height.copy(height.sin, h, time.copy(time.sin, t, sin)));
      }
    }
  }
  return angles;
}

}  // namespace mxdit::wan_dit
