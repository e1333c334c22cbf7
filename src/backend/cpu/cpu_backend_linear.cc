#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/dot_product.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/tile_product.h"

namespace mxdit::cpu {
namespace {

// The checkpoint's own tensor: panels are widened to fp32 while they are packed for a product.
class CpuLinearWeight : public PreparedWeight {
 public:
  explicit CpuLinearWeight(Tensor weight) : weight_(std::move(weight)) {}
  int64_t out_features() const noexcept override { return weight_.shape().dims()[0]; }
  int64_t in_features() const noexcept override { return weight_.shape().dims()[1]; }
  size_t bytes() const noexcept override { return 0; }
  const Tensor& tensor() const noexcept { return weight_; }

 private:
  Tensor weight_;
};

// f16 does not fit into bf16, f32 should not be rounded.
bool multiplies_as_bf16(const KernelTable& kernels, DType weight) {
  return kernels.dots.multiply != nullptr &&
         (weight == DType::bf16 || weight == DType::f8_e4m3 || weight == DType::f8_e5m2);
}

// Nothing of an input that is packed already is read.
DotRows dots_of(const PlainMatrix& x) {
  return {x.x.defined() ? x.x.data() : nullptr, Element::bf16, x.columns};
}

}  // namespace

std::shared_ptr<PreparedWeight> CpuBackend::prepare_linear(const Tensor& weight, LinearUse) {
  MXDIT_CHECK(weight.shape().rank() == 2, "[backend] prepare_linear: expected [N, K], got ",
              weight.shape());
  element_of(weight.dtype());
  return std::make_shared<CpuLinearWeight>(weight);
}

void CpuBackend::linear(const Tensor& x, const PreparedWeight& weight, const Tensor* bias,
                        Activation act, Tensor& out) {
  const int64_t n = weight.out_features();
  const PlainMatrix input = {.rows = n == 0 ? 0 : out.elements() / n,
                             .columns = weight.in_features(),
                             .x = x};
  shared_linear(input, weight, bias, act, out);
}

void CpuBackend::shared_linear(const PlainMatrix& x, const PreparedWeight& weight,
                               const Tensor* bias, Activation act, Tensor& out) {
  const Tensor& w = static_cast<const CpuLinearWeight&>(weight).tensor();
  const int64_t n = w.dim(0), k = w.dim(1);
  const ProductOutput output = {.bias = bias == nullptr ? nullptr : bias->as<float>(),
                                .function = function_of(act),
                                .out = out.mutable_data(),
                                .type = element_of(out.dtype())};
  if (k > 0 && (x.packed != nullptr || x.x.dtype() == DType::bf16) &&
      multiplies_as_bf16(kernels_, w.dtype()))
    return multiply_shared_dots({kernels_, threads_, *memory_}, dots_of(x),
                                DotRows(w.data(), element_of(w.dtype()), k), x.rows, n, k, output,
                                x.packed);
  const MatrixRows left(x.x.data(), element_of(x.x.dtype()), k);
  const MatrixRows right(w.data(), element_of(w.dtype()), k);
  multiply_tiles(kernels_.matrix, threads_, *memory_, left, right, x.rows, n, k, output);
}

bool CpuBackend::linear_packed(const PlainMatrix& x, const PreparedWeight& weight,
                               const Tensor* bias, Activation act, const PreparedWeight& next,
                               PlainMatrix& out) {
  const Tensor& w = static_cast<const CpuLinearWeight&>(weight).tensor();
  const DType after = static_cast<const CpuLinearWeight&>(next).tensor().dtype();
  if (w.dim(1) == 0 || !multiplies_as_bf16(kernels_, w.dtype()) ||
      !multiplies_as_bf16(kernels_, after))
    return false;
  const ProductOutput output = {.bias = bias == nullptr ? nullptr : bias->as<float>(),
                                .function = function_of(act)};
  return multiply_dots_for_dots({kernels_, threads_, *memory_}, dots_of(x),
                                DotRows(w.data(), element_of(w.dtype()), w.dim(1)), x.rows,
                                w.dim(0), w.dim(1), output, x.packed, out.packed);
}

KernelChoice CpuBackend::linear_kernel(DType weight, int64_t, int64_t, LinearUse) const {
  KernelChoice choice = {std::string("fp32 ") + kernels_.name + ", widened while packing",
                         passed_over(kernels_)};
  if (multiplies_as_bf16(kernels_, weight))
    choice.kernel = std::string("bf16 ") + kernels_.name + " (fp32 for activations in fp32)";
  return choice;
}

}  // namespace mxdit::cpu
