// Noise as torch.randn draws it on a CPU, so that a seed means the same picture as with diffusers.
//
// Engine: MT19937 seeded with the low 32 bits of the seed. 16 values and more come from 24-bit
// uniforms by Box-Muller over blocks of 16 (value j and j + 8 are one pair); a size that is no
// multiple of 16 redraws its last 16 values. Fewer than 16 values come one by one from 53-bit
// uniforms, and the second value of a pair waits for the next call. torch evaluates log and cos
// with vector approximations, so values agree to about 1e-6, uniforms exactly.
#pragma once

#include <cstdint>
#include <optional>
#include <random>

#include "core/tensor.h"

namespace mxdit {

class TorchCpuGenerator {
 public:
  // torch.Generator('cpu').manual_seed(seed)
  explicit TorchCpuGenerator(uint64_t seed) : engine_(static_cast<uint32_t>(seed)) {}

  // Standard normal values: f32 host tensor. Equal calls on equal generators draw equal values.
  Tensor randn(const Shape& shape);

  // torch.rand for float and for double: [0, 1).
  float uniform_float();
  double uniform_double();

 private:
  void fill_blocks(float* values, int64_t count);
  double next_normal();

  std::mt19937 engine_;
  std::optional<double> waiting_;  // second value of the last single pair
};

}  // namespace mxdit
