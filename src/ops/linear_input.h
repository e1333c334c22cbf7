// What linear layers read: a tensor, or the norm of a residual stream, made while it is read.
#pragma once

#include "ops/residual.h"

namespace mxdit {

class LinearInput {
 public:
  // x [..., K] in f32, bf16 or f16. Implicit: a tensor is an input.
  LinearInput(Tensor x) : x_(std::move(x)) {}  // NOLINT(google-explicit-constructor)
  // norm(stream), [B, S, K]; the stream outlives the input. Every reading norms again.
  LinearInput(Residual& stream, LayerNormParams norm) : stream_(&stream), norm_(std::move(norm)) {}

  const Shape& shape() const noexcept { return stream_ != nullptr ? stream_->shape() : x_.shape(); }
  DType dtype() const noexcept { return stream_ != nullptr ? stream_->dtype() : x_.dtype(); }

  // [M, K]
  Tensor rows() const;
  // The same encoded, f32 rounded to bf16 first.
  QuantizedMatrix quantized(Backend& backend, const QuantFormat& format,
                            const QuantizeOptions& options) const;

 private:
  Tensor x_;
  Residual* stream_ = nullptr;
  LayerNormParams norm_;
};

}  // namespace mxdit
