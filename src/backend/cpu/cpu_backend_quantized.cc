#include <algorithm>
#include <cstring>

#include "backend/cpu/cpu_backend.h"
#include "formats/reference.h"

namespace mxdit::cpu {
namespace {

class CpuQuantizedWeight : public PreparedWeight {
 public:
  explicit CpuQuantizedWeight(QuantizedMatrix matrix) : matrix_(std::move(matrix)) {}
  int64_t out_features() const noexcept override { return matrix_.rows; }
  int64_t in_features() const noexcept override { return matrix_.columns; }
  size_t bytes() const noexcept override { return matrix_.bytes(); }
  const QuantizedMatrix& matrix() const noexcept { return matrix_; }

 private:
  QuantizedMatrix matrix_;
};

void copy_part(const Tensor& from, Tensor& to) {
  if (from.defined() && from.bytes() > 0) std::memcpy(to.mutable_data(), from.data(), from.bytes());
}

}  // namespace

void CpuBackend::quantize(const Tensor& x, const QuantizeOptions& options, QuantizedMatrix& out) {
  const QuantizedMatrix result = reference::quantize(x, *out.format, options);
  copy_part(result.elements, out.elements);
  copy_part(result.block_scale, out.block_scale);
  copy_part(result.scale, out.scale);
}

void CpuBackend::dequantize(const QuantizedMatrix& x, Tensor& out) {
  const Tensor exact = reference::dequantize(x);
  for (int64_t i = 0; i < exact.elements(); ++i)
    out.as_mutable<float>()[i] = static_cast<float>(exact.as<double>()[i]);
}

std::shared_ptr<PreparedWeight> CpuBackend::prepare_quantized(const QuantizedMatrix& weight) {
  return std::make_shared<CpuQuantizedWeight>(weight);
}

void CpuBackend::quantized_linear(const QuantizedMatrix& x, const PreparedWeight& weight,
                                  const Tensor* bias, Activation act, Tensor& out) {
  const auto& w = static_cast<const CpuQuantizedWeight&>(weight).matrix();
  const Tensor product = reference::matmul(x, w, bias, out.dtype());
  copy_part(product, out);
  if (act != Activation::none) activate(act, out, nullptr, out);
}

KernelChoice CpuBackend::linear_kernel(DType, int64_t, int64_t) const {
  return {std::string("fp32 ") + kernels_.name, {}};
}

KernelChoice CpuBackend::quantized_kernel(const QuantFormat&, const QuantFormat&, int64_t,
                                          int64_t) const {
  return {std::string("scalar reference"), {}};
}

}  // namespace mxdit::cpu
