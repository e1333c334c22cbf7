// T5's learned bias of the attention logits by relative position.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layers/model_source.h"
#include "models/umt5/config.h"

namespace mxdit::umt5 {

// Bucket of key position minus query position, for an encoder (both directions).
int64_t position_bucket(int64_t relative, int64_t buckets, int64_t max_distance);

class PositionBias {
 public:
  // Loads `<scope>.weight` [buckets, heads].
  PositionBias(const ModelSource& source, const std::string& scope, const Config& config);

  // f32 [heads, length, length] on the device.
  Tensor operator()(int64_t length) const;

 private:
  Backend& backend_;
  int64_t buckets_, max_distance_, heads_;
  Tensor table_;  // f32 [buckets, heads], host
};

}  // namespace mxdit::umt5
