// The device "exact": what every other device is held against.
//
// Each operator computes sums and functions in double and rounds its result once to fp32, then to
// the type of its output; an activation behind a product takes the product in that type, as a
// sequence of PyTorch's or CANN's operators does. So two implementations of it agree to the bit
// but for about one value in 10^8, in whatever order they add. Quantized networks need that: one
// bf16 ulp of difference grows to the size of the quantization error (docs/quality.md).
//
// Moves, encodings, dual-level products, convolutions, element-wise sums and everything else that is
// exact or of one fp32 operation an element are those of the CPU's scalar kernels. Slow: for checking.
#pragma once

#include "backend/cpu/cpu_backend.h"

namespace mxdit::cpu::exact {

class ExactBackend final : public CpuBackend {
 public:
  // Error{usage} when options.isa forces a kernel table.
  explicit ExactBackend(const BackendOptions& options);

  std::string name() const override { return "exact"; }
  std::string description() const override;
  DeviceReport report() const override;

  std::shared_ptr<PreparedWeight> prepare_linear(const Tensor& weight, LinearUse use) override;
  void linear(const Tensor& x, const PreparedWeight& weight, const Tensor* bias, Activation act,
              Tensor& out) override;
  void shared_linear(const PlainMatrix& x, const PreparedWeight& weight, const Tensor* bias,
                     Activation act, Tensor& out) override {
    linear(x.x, weight, bias, act, out);
  }
  bool linear_packed(const PlainMatrix&, const PreparedWeight&, const Tensor*, Activation,
                     const PreparedWeight&, PlainMatrix&) override {
    return false;
  }
  KernelChoice linear_kernel(DType weight, int64_t out_features, int64_t in_features,
                             LinearUse use) const override;
  std::shared_ptr<PreparedWeight> prepare_quantized(const QuantizedMatrix& weight) override;
  void quantized_linear(const QuantizedMatrix& x, const PreparedWeight& weight, const Tensor* bias,
                        Activation act, Tensor& out) override;
  bool quantized_linear_encoded(const QuantizedMatrix&, const PreparedWeight&, const Tensor*,
                                Activation, const QuantizeOptions&, QuantizedMatrix&) override {
    return false;
  }
  KernelChoice quantized_kernel(const QuantFormat& x, const QuantFormat& weight,
                                int64_t out_features, int64_t in_features) const override;
  void attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionParams& params,
                 Tensor& out) override;
  KernelChoice attention_kernel(DType activation, bool bias,
                                AttentionPrecision precision) const override;

  void layer_norm(const Tensor& x, const Tensor* gain, const Tensor* bias, float eps,
                  Tensor& out) override;
  void norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale, float eps,
                     Tensor& out) override;
  void rms_norm(const Tensor& x, const Tensor& gain, float eps, Tensor& out) override;
  void activate(Activation act, const Tensor& x, const Tensor* y, Tensor& out) override;

  // Operators of several are those several here, not the CPU's kernels.
  void rms_norm_rope(const Tensor& x, const Tensor& gain, float eps, const Tensor& cos,
                     const Tensor& sin, Tensor& out) override {
    Backend::rms_norm_rope(x, gain, eps, cos, sin, out);
  }
  void norm_sum(const NormedSum& rows, Tensor& out) override { Backend::norm_sum(rows, out); }
  void quantize_normed(const NormedSum& rows, const QuantizeOptions& options,
                       QuantizedMatrix& out) override {
    Backend::quantize_normed(rows, options, out);
  }
};

}  // namespace mxdit::cpu::exact
