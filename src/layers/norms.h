// Norms with their parameters, by scope name.
#pragma once

#include <string>

#include "layers/model_source.h"
#include "ops/linear_input.h"

namespace mxdit {

// x / sqrt(mean(x^2) + eps) * gain over the last axis; `<scope>.weight` [width].
class RmsNorm {
 public:
  RmsNorm(const ModelSource& source, const std::string& scope, int64_t width, float eps);
  Tensor operator()(const Tensor& x) const;
  // Its heads rotated: x [B, S, width] -> [B, S, width / D, D]; cos, sin f32 [S, D / 2].
  Tensor rotated(const Tensor& x, const Tensor& cos, const Tensor& sin) const;

 private:
  Backend& backend_;
  Tensor gain_;
  float eps_;
};

// Layer norm over the last axis with `<scope>.weight` and `<scope>.bias` [width].
class LayerNorm {
 public:
  LayerNorm(const ModelSource& source, const std::string& scope, int64_t width, float eps);
  Tensor operator()(const Tensor& x) const;
  // Of a residual stream, as a layer reads it.
  LinearInput operator()(Residual& stream) const { return {stream, {gain_, bias_, false, eps_}}; }

 private:
  Backend& backend_;
  Tensor gain_, bias_;
  float eps_;
};

}  // namespace mxdit
