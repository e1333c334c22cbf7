// Weights as the back end keeps them on the device.
#pragma once

#include <optional>
#include <utility>

#include "backend/ascend/runtime/operator_values.h"
#include "backend/backend.h"
#include "formats/quantized_matrix.h"

namespace mxdit::ascend {

// Device memory in FRACTAL_NZ, and the matrix in it as operators take it.
struct NzMatrix {
  Tensor bytes;
  TensorView view;
};

// [N, K] as stored until the first product, which says what type activations have.
class LinearWeight final : public PreparedWeight {
 public:
  LinearWeight(Tensor stored, bool has_bias)
      : tensor(std::move(stored)), shape_(tensor.shape()), has_bias_(has_bias) {}
  int64_t out_features() const noexcept override { return shape_.dims()[0]; }
  int64_t in_features() const noexcept override { return shape_.dims()[1]; }
  size_t bytes() const noexcept override { return tensor.bytes(); }
  bool has_bias() const noexcept { return has_bias_; }

  // Set by the first product.
  mutable std::optional<DType> activations;
  mutable Tensor tensor;    // what `right` shows
  mutable TensorView right;  // [K, N]
  mutable bool is_nz = false;

 private:
  Shape shape_;
  bool has_bias_;
};

// [N, K] in a microscaling format.
class QuantizedWeight final : public PreparedWeight {
 public:
  QuantizedWeight(const QuantFormat& of, int64_t out_features, int64_t in_features)
      : format(of), out_features_(out_features), in_features_(in_features) {}
  int64_t out_features() const noexcept override { return out_features_; }
  int64_t in_features() const noexcept override { return in_features_; }
  size_t bytes() const noexcept override {
    return elements.bytes() + block_scale.bytes() + (scale.defined() ? scale.bytes() : 0);
  }

  const QuantFormat& format;
  Tensor elements;     // in FRACTAL_NZ or as they were
  TensorView right;    // of them: what the product takes
  bool is_nz = false;
  Tensor block_scale;  // [N, ceil(K / 64), 2]
  Tensor scale;        // [ceil(K / 512), N]; undefined: the format has none

 private:
  int64_t out_features_, in_features_;
};

// [Cout, Cin, kt, kh, kw] in the type of its input.
class ConvWeight final : public PreparedWeight {
 public:
  explicit ConvWeight(Tensor weight) : tensor(std::move(weight)) {}
  int64_t out_features() const noexcept override { return tensor.shape().dims()[0]; }
  int64_t in_features() const noexcept override { return tensor.shape().dims()[1]; }
  size_t bytes() const noexcept override { return tensor.bytes(); }

  const Tensor tensor;
};

}  // namespace mxdit::ascend
