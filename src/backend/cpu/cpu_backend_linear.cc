#include "backend/cpu/cpu_backend.h"
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

}  // namespace

std::shared_ptr<PreparedWeight> CpuBackend::prepare_linear(const Tensor& weight) {
  MXDIT_CHECK(weight.shape().rank() == 2, "[backend] prepare_linear: expected [N, K], got ",
              weight.shape());
  element_of(weight.dtype());
  return std::make_shared<CpuLinearWeight>(weight);
}

void CpuBackend::linear(const Tensor& x, const PreparedWeight& weight, const Tensor* bias,
                        Activation act, Tensor& out) {
  const Tensor& w = static_cast<const CpuLinearWeight&>(weight).tensor();
  const int64_t n = w.dim(0), k = w.dim(1), m = n == 0 ? 0 : out.elements() / n;
  const MatrixRows left(x.data(), element_of(x.dtype()), k);
  const MatrixRows right(w.data(), element_of(w.dtype()), k);
  const ProductOutput output = {.bias = bias == nullptr ? nullptr : bias->as<float>(),
                                .function = function_of(act),
                                .out = out.mutable_data(),
                                .type = element_of(out.dtype())};
  multiply_tiles(kernels_.matrix, threads_, *memory_, left, right, m, n, k, output);
}

}  // namespace mxdit::cpu
