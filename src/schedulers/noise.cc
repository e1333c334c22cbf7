#include "schedulers/noise.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mxdit {
namespace {

constexpr int64_t kBlock = 16;

// Eight pairs (j, j + 8) of uniforms to normal values. The angle and the radius are rounded to
// float where torch rounds them.
void box_muller_block(float* values) {
  constexpr float kTwoPi = static_cast<float>(2.0 * std::numbers::pi);
  for (int j = 0; j < kBlock / 2; ++j) {
    const float u1 = 1.0f - values[j];  // [0, 1) to (0, 1]: the logarithm stays finite
    const float u2 = values[j + kBlock / 2];
    const float radius = std::sqrt(-2.0f * static_cast<float>(std::log(double{u1})));
    const float angle = kTwoPi * u2;
    values[j] = radius * static_cast<float>(std::cos(double{angle}));
    values[j + kBlock / 2] = radius * static_cast<float>(std::sin(double{angle}));
  }
}

}  // namespace

float TorchCpuGenerator::uniform_float() {
  return static_cast<float>(engine_() & ((uint32_t{1} << 24) - 1)) * 0x1p-24f;
}

double TorchCpuGenerator::uniform_double() {
  const uint64_t high = engine_();
  const uint64_t low = engine_();
  const uint64_t bits = (high << 32 | low) & ((uint64_t{1} << 53) - 1);
  return static_cast<double>(bits) * 0x1p-53;
}

Tensor TorchCpuGenerator::randn(const Shape& shape) {
  Tensor out = Tensor::host(DType::f32, shape);
  float* values = out.as_mutable<float>();
  const int64_t count = out.elements();
  if (count >= kBlock) {
    fill_blocks(values, count);
  } else {
    for (int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(next_normal());
  }
  return out;
}

void TorchCpuGenerator::fill_blocks(float* values, int64_t count) {
  std::generate_n(values, count, [this] { return uniform_float(); });
  for (int64_t i = 0; i + kBlock <= count; i += kBlock) box_muller_block(values + i);
  if (count % kBlock == 0) return;
  float* tail = values + count - kBlock;
  std::generate_n(tail, kBlock, [this] { return uniform_float(); });
  box_muller_block(tail);
}

double TorchCpuGenerator::next_normal() {
  if (waiting_) {
    const double value = *waiting_;
    waiting_.reset();
    return value;
  }
  const double u1 = uniform_double();
  const double u2 = uniform_double();
  const double radius = std::sqrt(-2.0 * std::log1p(-u2));
  const double angle = 2.0 * std::numbers::pi * u1;
  waiting_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

}  // namespace mxdit
