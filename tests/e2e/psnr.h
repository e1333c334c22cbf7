// Distances between tensors, for tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/tensor.h"

namespace mxdit {

// max |a - b| / max |b|; infinity when shapes differ or a value is not finite.
inline double relative_distance(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return std::numeric_limits<double>::infinity();
  double distance = 0, size = 0;
  for (int64_t i = 0; i < a.elements(); ++i) {
    const double x = a.as<float>()[i], y = b.as<float>()[i];
    if (!std::isfinite(x) || !std::isfinite(y)) return std::numeric_limits<double>::infinity();
    distance = std::max(distance, std::abs(x - y));
    size = std::max(size, std::abs(y));
  }
  return distance / std::max(size, 1e-30);
}

// Peak signal to noise ratio in dB of frames in -1..1 (peak to peak 2).
inline double psnr(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return -std::numeric_limits<double>::infinity();
  double sum = 0;
  for (int64_t i = 0; i < a.elements(); ++i) {
    const double d = (static_cast<double>(a.as<float>()[i]) - b.as<float>()[i]) / 2;
    sum += d * d;
  }
  return sum == 0 ? std::numeric_limits<double>::infinity()
                  : -10 * std::log10(sum / static_cast<double>(a.elements()));
}

}  // namespace mxdit
