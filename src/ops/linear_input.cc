#include "ops/linear_input.h"

namespace mxdit {

Tensor LinearInput::rows() const {
  const Tensor x = stream_ != nullptr ? stream_->normed(norm_) : x_;
  const int64_t width = x.dim(-1);
  return x.reshape({width > 0 ? x.elements() / width : 0, width});
}

QuantizedMatrix LinearInput::quantized(Backend& backend, const QuantFormat& format,
                                       const QuantizeOptions& options) const {
  if (stream_ != nullptr && dtype() == DType::bf16)
    return stream_->quantized(norm_, format, options);
  const Tensor x = rows();
  const Tensor half = x.dtype() == DType::f16 ? x : ops::cast(backend, x, DType::bf16);
  return ops::quantize(backend, half, format, options);
}

}  // namespace mxdit
