// A back end that counts the bytes of its live tensors, for tests of memory estimates.
#pragma once

#include <algorithm>
#include <memory>

#include "backend/backend.h"

namespace mxdit::wan_vae {

struct Meter {
  size_t live = 0, peak = 0;
  void add(size_t bytes) {
    live += bytes;
    peak = std::max(peak, live);
  }
};

class MeteredBackend final : public Backend {
 public:
  MeteredBackend(std::unique_ptr<Backend> inner, std::shared_ptr<Meter> meter)
      : inner_(std::move(inner)), meter_(std::move(meter)) {}

  std::string name() const override { return inner_->name(); }
  std::string description() const override { return inner_->description(); }
  DeviceReport report() const override { return inner_->report(); }
  Tensor empty(DType dtype, const Shape& shape) override {
    Tensor tensor = inner_->empty(dtype, shape);
    const size_t bytes = tensor.bytes();
    meter_->add(bytes);
    auto release = [tensor, bytes, meter = meter_]() { meter->live -= bytes; };
    return Tensor(dtype, shape,
                  std::make_shared<Storage>(tensor.mutable_data(), bytes, std::move(release)));
  }
  Tensor from_host(const Tensor& host) override { return inner_->from_host(host); }
  Tensor to_host(const Tensor& device) override { return inner_->to_host(device); }
  void synchronize() override { inner_->synchronize(); }
  void release_idle() noexcept override { inner_->release_idle(); }
  std::optional<DeviceMemory> memory() override { return inner_->memory(); }
  DeviceCounters counters() const override { return inner_->counters(); }
  void cast(const Tensor& in, Tensor& out) override { inner_->cast(in, out); }
  void copy_strided(const Tensor& in, const StridedView& view_in, const Shape& extents, Tensor& out,
                    const StridedView& view_out) override {
    inner_->copy_strided(in, view_in, extents, out, view_out);
  }
  void gather_rows(const Tensor& table, const Tensor& ids, Tensor& out) override {
    inner_->gather_rows(table, ids, out);
  }
  std::shared_ptr<PreparedWeight> prepare_linear(const Tensor& weight, LinearUse use) override {
    return inner_->prepare_linear(weight, use);
  }
  void linear(const Tensor& x, const PreparedWeight& weight, const Tensor* bias, Activation act,
              Tensor& out) override {
    inner_->linear(x, weight, bias, act, out);
  }
  KernelChoice linear_kernel(DType weight, int64_t out_features, int64_t in_features,
                             LinearUse use) const override {
    return inner_->linear_kernel(weight, out_features, in_features, use);
  }
  void quantize(const Tensor& x, const QuantizeOptions& options, QuantizedMatrix& out) override {
    inner_->quantize(x, options, out);
  }
  void dequantize(const QuantizedMatrix& x, Tensor& out) override { inner_->dequantize(x, out); }
  std::shared_ptr<PreparedWeight> prepare_quantized(const QuantizedMatrix& weight) override {
    return inner_->prepare_quantized(weight);
  }
  void quantized_linear(const QuantizedMatrix& x, const PreparedWeight& weight, const Tensor* bias,
                        Activation act, Tensor& out) override {
    inner_->quantized_linear(x, weight, bias, act, out);
  }
  bool quantized_linear_encoded(const QuantizedMatrix& x, const PreparedWeight& weight,
                                const Tensor* bias, Activation act, const QuantizeOptions& options,
                                QuantizedMatrix& out) override {
    return inner_->quantized_linear_encoded(x, weight, bias, act, options, out);
  }
  KernelChoice quantized_kernel(const QuantFormat& x, const QuantFormat& weight,
                                int64_t out_features, int64_t in_features) const override {
    return inner_->quantized_kernel(x, weight, out_features, in_features);
  }
  std::shared_ptr<PreparedWeight> prepare_conv3d(const Tensor& weight,
                                                 DType input) override {
    return inner_->prepare_conv3d(weight, input);
  }
  void conv3d(std::span<const Tensor> clips, const PreparedWeight& weight, const Tensor* bias,
              const Conv3dParams& params, const Conv3dTail& tail, Tensor& out) override {
    inner_->conv3d(clips, weight, bias, params, tail, out);
  }
  void attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionParams& params,
                 Tensor& out) override {
    inner_->attention(q, k, v, params, out);
  }
  KernelChoice attention_kernel(DType activation, bool bias,
                                AttentionPrecision precision) const override {
    return inner_->attention_kernel(activation, bias, precision);
  }
  void layer_norm(const Tensor& x, const Tensor* gain, const Tensor* bias, float eps,
                  Tensor& out) override {
    inner_->layer_norm(x, gain, bias, eps, out);
  }
  void norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale, float eps,
                     Tensor& out) override {
    inner_->norm_modulate(x, shift, scale, eps, out);
  }
  void rms_norm(const Tensor& x, const Tensor& gain, float eps, Tensor& out) override {
    inner_->rms_norm(x, gain, eps, out);
  }
  void channel_norm(const Tensor& x, const Tensor& gain, Activation act, int border,
                    Tensor& out) override {
    inner_->channel_norm(x, gain, act, border, out);
  }
  void gate_add(const Tensor& x, const Tensor& y, const Tensor& gate, Tensor& out) override {
    inner_->gate_add(x, y, gate, out);
  }
  void add(const Tensor& a, const Tensor& b, Tensor& out) override { inner_->add(a, b, out); }
  void activate(Activation act, const Tensor& x, const Tensor* y, Tensor& out) override {
    inner_->activate(act, x, y, out);
  }
  void rope(const Tensor& x, const Tensor& cos, const Tensor& sin, Tensor& out) override {
    inner_->rope(x, cos, sin, out);
  }
  void upsample2x(const Tensor& x, int border, Tensor& out) override {
    inner_->upsample2x(x, border, out);
  }
  void linear_combination(std::span<const float> coefficients,
                          std::span<const Tensor* const> inputs, Tensor& out) override {
    inner_->linear_combination(coefficients, inputs, out);
  }

 private:
  std::unique_ptr<Backend> inner_;
  std::shared_ptr<Meter> meter_;
};

}  // namespace mxdit::wan_vae
