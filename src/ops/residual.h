// The residual stream of a transformer.
//
// What a layer adds is summed by the next norm, not at once: the sum, its norm and the encoding of
// the normed rows for a quantized layer then take one pass over memory, where the back end can.
// Numbers are those of ops::add, gate_add, layer_norm, norm_modulate and quantize in turn, to the
// bit.
#pragma once

#include "ops/ops.h"

namespace mxdit {

// A layer norm over the last axis C with its parameters: layer_norm's gain and bias, f32 [C] or
// undefined; or norm_modulate's scale and shift, f32 [B, 1, C] or [B, S, C].
struct LayerNormParams {
  Tensor gain = {}, bias = {};
  bool modulates = false;
  float eps = 0.0f;

  static LayerNormParams modulation(Tensor shift, Tensor scale, float eps) {
    return {std::move(scale), std::move(shift), true, eps};
  }
};

class Residual {
 public:
  // x [B, S, C] in f32 or bf16.
  Residual(Backend& backend, Tensor x) : backend_(backend), x_(std::move(x)) {}

  // Of x's shape and dtype; gate f32 [B, 1, C] or [B, S, C]. The sum takes y's memory where nobody
  // else holds that.
  void add(Tensor y) { add(std::move(y), Tensor()); }
  void add(Tensor y, Tensor gate);

  const Shape& shape() const noexcept { return x_.shape(); }
  DType dtype() const noexcept { return x_.dtype(); }
  // With all that was added, as the following are.
  const Tensor& value();
  Tensor normed(const LayerNormParams& norm);
  // normed() in bf16 as [B * S, C], encoded.
  QuantizedMatrix quantized(const LayerNormParams& norm, const QuantFormat& format,
                            const QuantizeOptions& options);

 private:
  template <typename Work>
  auto with_sum(const LayerNormParams& norm, const Work& work);

  Backend& backend_;
  Tensor x_;
  Tensor y_, gate_;  // still to be added; undefined: nothing, not gated
};

}  // namespace mxdit
