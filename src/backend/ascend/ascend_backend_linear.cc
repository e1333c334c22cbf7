// Plain linear layers: Addmm where a bias is added in the product's own rounding, else a product
// over the weight in FRACTAL_NZ.
#include "backend/ascend/ascend_backend.h"
#include "backend/ascend/fractal_nz.h"

namespace mxdit::ascend {
namespace {

constexpr int8_t kKeepType = 0;  // cubeMathType: compute in the operands' own type

// FormatCast and the product over FRACTAL_NZ refuse matrices with an extent of 1.
bool has_nz_extents(int64_t out_features, int64_t in_features) {
  return out_features > 1 && in_features > 1;
}

}  // namespace

std::shared_ptr<PreparedWeight> AscendBackend::prepare_linear(const Tensor& weight, LinearUse use) {
  MXDIT_CHECK(weight.shape().rank() == 2, "[backend] prepare_linear: expected [N, K], got ",
              weight.shape());
  data_type(weight.dtype());
  return std::make_shared<LinearWeight>(weight, use.bias);
}

// The type of activations is known only now: some layers of a bf16 model run in fp32. What was
// stored is let go of once the layout is made. Storage in FRACTAL_NZ cannot be read as its transpose,
// so [N, K] is turned first.
void AscendBackend::lay_out(const LinearWeight& weight, DType x) {
  if (weight.activations == x) return;
  MXDIT_CHECK(!weight.activations, "[backend] ascend: linear: expected activations in ",
              mxdit::name(*weight.activations), ", as the layer's first ones, got ",
              mxdit::name(x));
  const int64_t n = weight.out_features(), k = weight.in_features();
  weight.tensor = as_type(weight.tensor, x, Use::weight);
  weight.right = TensorView::of(weight.tensor).transposed();
  if (!weight.has_bias() && x == DType::bf16 && has_nz_extents(n, k) &&
      device_.has(op::matmul_weight_nz) && device_.has(op::npu_format_cast)) {
    const Tensor turned = fresh(x, {k, n});
    copy_view(weight.right, TensorView::of(turned));
    if (auto nz = to_nz(turned, TensorView::of(turned))) {
      weight.tensor = nz->bytes;
      weight.right = nz->view;
      weight.is_nz = true;
    }
  }
  weight.activations = x;
}

void AscendBackend::linear(const Tensor& x, const PreparedWeight& weight, const Tensor* bias,
                           Activation act, Tensor& out) {
  const auto& w = static_cast<const LinearWeight&>(weight);
  MXDIT_CHECK(bias == nullptr || w.has_bias(),
              "[backend] ascend: linear: expected no bias, as the weight was prepared, got one");
  lay_out(w, x.dtype());
  const Tensor product = act == Activation::none ? out : fresh(out.dtype(), out.shape());
  const TensorView left = TensorView::of(x), to = TensorView::of(product);
  if (bias != nullptr) {
    const Tensor summand = parameter_as(*bias, x.dtype());
    device_.call(op::addmm, TensorView::of(summand), left, w.right, ScalarValue(1.0f),
                 ScalarValue(1.0f), to, kKeepType);
  } else if (w.is_nz) {
    device_.call(op::matmul_weight_nz, left, w.right, to, kKeepType);
  } else {
    device_.call(op::matmul, left, w.right, to, kKeepType);
  }
  if (act != Activation::none) apply(act, to, TensorView::of(out));
}

KernelChoice AscendBackend::linear_kernel(DType weight, int64_t out_features, int64_t in_features,
                                          LinearUse use) const {
  const std::string nz = "aclnnMatmulWeightNz bf16, FRACTAL_NZ";
  KernelChoice choice;
  if (use.bias) {
    choice.kernel = "aclnnAddmm bf16";
    choice.passed_over.push_back(nz + ": it adds no bias");
  } else if (!has_nz_extents(out_features, in_features)) {
    choice.kernel = "aclnnMatmul bf16";
    choice.passed_over.push_back(nz + ": refuses extents of 1");
  } else if (!device_.has(op::matmul_weight_nz) || !device_.has(op::npu_format_cast)) {
    choice.kernel = "aclnnMatmul bf16";
    choice.passed_over.push_back(nz + ": the libraries lack it");
  } else {
    choice.kernel = nz;
  }
  if (weight != DType::bf16)
    choice.kernel += ", " + std::string(mxdit::name(weight)) + " cast at load";
  return choice;
}

std::optional<NzMatrix> AscendBackend::to_nz(const Tensor& tensor, const TensorView& matrix) {
  const auto storage = device_.nz_storage(matrix);
  if (!storage) return std::nullopt;
  const auto bytes = static_cast<int64_t>(storage_bytes(matrix.dtype, storage->dims.elements()));
  NzMatrix nz;
  nz.bytes = fresh(DType::u8, {bytes}, Use::weight);
  nz.view =
      TensorView::laid_out(nz.bytes, matrix.dtype, matrix.dims, storage->format, storage->dims);
  if (!nz_on_host_) {
    device_.call(op::npu_format_cast, matrix, nz.view);
    return nz;
  }
  const Tensor permuted = to_fractal_nz(device_.download(tensor));
  MXDIT_CHECK(permuted.bytes() == nz.bytes.bytes(), "[backend] ascend: FRACTAL_NZ of ",
              tensor.shape(), ": expected ", permuted.bytes(), " bytes, got ", bytes);
  device_.upload(permuted.data(), permuted.bytes(), nz.bytes.mutable_data());
  return nz;
}

}  // namespace mxdit::ascend
