#include "models/umt5/position_bias.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "layers/parameters.h"

namespace mxdit::umt5 {

int64_t position_bucket(int64_t relative, int64_t buckets, int64_t max_distance) {
  const int64_t half = buckets / 2;
  const int64_t exact = half / 2;
  const int64_t base = relative > 0 ? half : 0;
  const int64_t distance = std::abs(relative);
  if (distance < exact) return base + distance;
  // In fp32 as transformers does: at powers of two the last bit decides the bucket.
  const float log_ratio =
      std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
      static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
  const auto step = static_cast<int64_t>(log_ratio * static_cast<float>(half - exact));
  return base + std::min(exact + step, half - 1);
}

PositionBias::PositionBias(const ModelSource& source, const std::string& scope,
                           const Config& config)
    : backend_(*source.backend),
      buckets_(config.position_buckets),
      max_distance_(config.max_distance),
      heads_(config.num_heads),
      table_(backend_.to_host(load_parameter(source, scope + ".weight", {buckets_, heads_}))) {}

Tensor PositionBias::operator()(int64_t length) const {
  Tensor bias = Tensor::host(DType::f32, {heads_, length, length});
  const int64_t span = 2 * length - 1;
  std::vector<int64_t> bucket(static_cast<size_t>(span));
  for (int64_t i = 0; i < span; ++i)
    bucket[static_cast<size_t>(i)] = position_bucket(i - (length - 1), buckets_, max_distance_);

  // Row q of a head is a window of one vector over all distances, one step earlier than row q - 1.
  const float* table = table_.as<float>();
  float* out = bias.as_mutable<float>();
  std::vector<float> by_distance(static_cast<size_t>(span));
  for (int64_t head = 0; head < heads_; ++head) {
    for (size_t i = 0; i < by_distance.size(); ++i)
      by_distance[i] = table[bucket[i] * heads_ + head];
    for (int64_t query = 0; query < length; ++query, out += length)
      std::memcpy(out, by_distance.data() + (length - 1 - query),
                  static_cast<size_t>(length) * sizeof(float));
  }
  return backend_.from_host(bias);
}

}  // namespace mxdit::umt5
