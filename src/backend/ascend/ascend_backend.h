// The back end of Ascend NPUs: each operator as a sequence of CANN's, queued on one stream.
//
// Tensor::data() of a device tensor is a device address. Tensors of i32 (ids) stay in host memory,
// as only gather_rows reads them. No operator waits for the device.
//
// Roundings are those of the CPU's scalar kernels wherever CANN's operators allow it: what combines
// several numbers in bf16 is widened to fp32, computed there operation by operation, and rounded
// once. Layers that multiply in bf16 take their weights and biases in bf16, whatever the checkpoint
// has.
#pragma once

#include <optional>
#include <string>

#include "backend/ascend/derived_tensors.h"
#include "backend/ascend/prepared_weights.h"
#include "backend/ascend/runtime/device.h"
#include "backend/backend.h"

namespace mxdit::ascend {

class AscendBackend final : public Backend {
 public:
  // Errors of Device.
  explicit AscendBackend(const DeviceOptions& options);
  ~AscendBackend() override;

  std::string name() const override;
  std::string description() const override;
  DeviceReport report() const override;
  std::optional<DeviceMemory> memory() override;
  DeviceCounters counters() const override { return device_.counters(); }
  Device& device() noexcept { return device_; }

  Tensor empty(DType dtype, const Shape& shape) override;
  Tensor from_host(const Tensor& host) override;
  Tensor to_host(const Tensor& device) override;
  void synchronize() override;
  void release_idle() noexcept override;

  void cast(const Tensor& in, Tensor& out) override;
  void copy_strided(const Tensor& in, const StridedView& view_in, const Shape& extents, Tensor& out,
                    const StridedView& view_out) override;
  void gather_rows(const Tensor& table, const Tensor& ids, Tensor& out) override;

  std::shared_ptr<PreparedWeight> prepare_linear(const Tensor& weight, LinearUse use) override;
  void linear(const Tensor& x, const PreparedWeight& weight, const Tensor* bias, Activation act,
              Tensor& out) override;
  KernelChoice linear_kernel(DType weight, int64_t out_features, int64_t in_features,
                             LinearUse use) const override;

  // Formats: mxfp4_dual, mxfp4, mxfp8 and mxfp8_e5m2; Error{unsupported} for the others.
  void quantize(const Tensor& x, const QuantizeOptions& options, QuantizedMatrix& out) override;
  // On the host, for files and tests: CANN has no such operator.
  void dequantize(const QuantizedMatrix& x, Tensor& out) override;
  std::shared_ptr<PreparedWeight> prepare_quantized(const QuantizedMatrix& weight) override;
  // mxfp4_dual into f32 is rounded to bf16 on the way: the operator has no wider output.
  void quantized_linear(const QuantizedMatrix& x, const PreparedWeight& weight, const Tensor* bias,
                        Activation act, Tensor& out) override;
  KernelChoice quantized_kernel(const QuantFormat& x, const QuantFormat& weight,
                                int64_t out_features, int64_t in_features) const override;

  std::shared_ptr<PreparedWeight> prepare_conv3d(const Tensor& weight, DType input) override;
  void conv3d(std::span<const Tensor> clips, const PreparedWeight& weight, const Tensor* bias,
              const Conv3dParams& params, const Conv3dTail& tail, Tensor& out) override;

  void attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionParams& params,
                 Tensor& out) override;
  KernelChoice attention_kernel(DType activation, bool bias,
                                AttentionPrecision precision) const override;

  void layer_norm(const Tensor& x, const Tensor* gain, const Tensor* bias, float eps,
                  Tensor& out) override;
  void norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale, float eps,
                     Tensor& out) override;
  void rms_norm(const Tensor& x, const Tensor& gain, float eps, Tensor& out) override;
  void channel_norm(const Tensor& x, const Tensor& gain, Activation act, int border,
                    Tensor& out) override;
  void gate_add(const Tensor& x, const Tensor& y, const Tensor& gate, Tensor& out) override;
  void add(const Tensor& a, const Tensor& b, Tensor& out) override;
  void activate(Activation act, const Tensor& x, const Tensor* y, Tensor& out) override;
  void rope(const Tensor& x, const Tensor& cos, const Tensor& sin, Tensor& out) override;
  void upsample2x(const Tensor& x, int border, Tensor& out) override;
  void linear_combination(std::span<const float> coefficients,
                          std::span<const Tensor* const> inputs, Tensor& out) override;

 private:
  using Use = StreamMemory::Use;
  Tensor fresh(DType dtype, const Shape& shape, Use use = Use::activation);
  // x in another element type; x itself when it has that type.
  Tensor as_type(const Tensor& x, DType dtype, Use use = Use::activation);
  Tensor widened(const Tensor& x) { return as_type(x, DType::f32); }
  // Where to compute what ends in `out`: `out` itself when it is f32, else f32 of its shape. Then
  // round_into(that, out) rounds it, if it has to.
  Tensor wide_result(const Tensor& out);
  void round_into(const Tensor& wide, Tensor& out);
  // A parameter as `dtype`, made once.
  Tensor parameter_as(const Tensor& parameter, DType dtype);
  void copy_view(const TensorView& from, const TensorView& to);
  void apply(Activation act, const TensorView& x, const TensorView& out);

  // `matrix`, a contiguous [R, C] over `tensor`, in FRACTAL_NZ; nothing when the device refuses.
  std::optional<NzMatrix> to_nz(const Tensor& tensor, const TensorView& matrix);

  // linear()
  void lay_out(const LinearWeight& weight, DType x);
  // quantized_linear()
  void multiply_dual(const QuantizedMatrix& x, const QuantizedWeight& weight, const Tensor* bias,
                     Tensor& out);
  void multiply_mx(const QuantizedMatrix& x, const QuantizedWeight& weight, const Tensor* bias,
                   Tensor& out);
  std::string why_refused(const QuantFormat& x, const QuantFormat& weight,
                          int64_t in_features) const;
  std::string why_not_nz(const QuantFormat& format, int64_t out_features) const;
  // attention()
  void attend_fused(const Tensor& q, const Tensor& k, const Tensor& v, float scale, Tensor& out);
  void attend_in_steps(const Tensor& q, const Tensor& k, const Tensor& v, float scale,
                       const Tensor* bias, Tensor& out);
  bool is_fusable(const Tensor& q, const Tensor& k) const;
  // rope(): cos or sin f32 [S, D / 2] as [S, D], each number for both elements of its pair.
  Tensor for_pairs(const Tensor& half);
  void norm_rms(const Tensor& x, const Tensor& gain, double eps, Tensor& wide);
  // conv3d()
  Tensor padded_input(std::span<const Tensor> clips, const Conv3dParams& params);

  Device device_;
  DerivedTensors derived_;
  // FRACTAL_NZ by to_fractal_nz() instead of the device's cast: MXDIT_ASCEND_NZ=host.
  bool nz_on_host_;
};

}  // namespace mxdit::ascend
