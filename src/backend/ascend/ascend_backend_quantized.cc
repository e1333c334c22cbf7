// Quantized matrices: encoded by CANN's dynamic quantization, multiplied by its microscaling
// products over weights in FRACTAL_NZ.
#include "backend/ascend/ascend_backend.h"
#include "formats/reference.h"

namespace mxdit::ascend {
namespace {

constexpr int64_t kGroup = 512, kBlock = 32;
// Columns of one scale in the three axes of a microscaling product: [1, 1, 32] in 16 bits each.
constexpr int64_t kMxGroups = (int64_t{1} << 32) | (int64_t{1} << 16) | kBlock;

bool is_dual(const QuantFormat& format) noexcept {
  return format.rule == ScaleRule::dual_level;
}

bool is_mx(const QuantFormat& format) noexcept {
  return format.rule == ScaleRule::shared_exponent && format.block == kBlock;
}

DataType element_type(const QuantFormat& format) {
  if (format.element == &kE2m1) return DataType::float4_e2m1;
  return format.element == &kE4m3 ? DataType::float8_e4m3fn : DataType::float8_e5m2;
}

TensorView elements_of(const QuantizedMatrix& x) {
  return TensorView::typed(x.elements, element_type(*x.format), {x.rows, x.columns});
}

TensorView e8m0(const Tensor& codes) {
  return TensorView::typed(codes, DataType::float8_e8m0, Extents(codes.shape()));
}

TensorView optional(const Tensor* tensor) {
  return tensor == nullptr ? TensorView::none() : TensorView::of(*tensor);
}

Text round_mode(RoundMode mode) noexcept {
  if (mode == RoundMode::rint) return {"rint"};
  return mode == RoundMode::round ? Text{"round"} : Text{"floor"};
}

std::string what_instead(const QuantFormat& format) {
  return mxdit::detail::concat("CANN has no product of ", format.name,
                        " that gives the bytes of the others; use a checkpoint in mxfp4 or mxfp8, ",
                        "or a plain one with --quantization mxfp4_npu or mxfp8");
}

}  // namespace

// Why no operator multiplies these; empty when one does.
std::string AscendBackend::why_refused(const QuantFormat& x, const QuantFormat& weight,
                                       int64_t in_features) const {
  for (const QuantFormat* format : {&x, &weight})
    if (!is_dual(*format) && !is_mx(*format)) return what_instead(*format);
  if (&x != &weight)
    return mxdit::detail::concat("CANN has no product of ", x.name, " activations with ", weight.name,
                          " weights that gives the bytes of the others; use a checkpoint without a ",
                          "timestep policy");
  if (is_dual(weight)) {
    if (!device_.is_a5())
      return mxdit::detail::concat("the dual-level operators need an Ascend 950, this is an ",
                            device_.soc(), "; use --quantization mxfp8");
    for (const cann::OperatorId id : {op::dynamic_dual_level_mx_quant.id,
                                      op::dual_level_quant_matmul_weight_nz.id,
                                      op::npu_format_cast.id})
      if (!device_.has(id)) return device_.libraries().why_absent(id);
    return "";
  }
  if (weight.element == &kE2m1 && in_features <= 2)
    return mxdit::detail::concat("the product of ", weight.name, " refuses ", in_features, " inputs; add ",
                          "the layer to --quantization-ignored-layers");
  for (const cann::OperatorId id : {op::dynamic_mx_quant.id, op::quant_matmul_v5.id})
    if (!device_.has(id)) return device_.libraries().why_absent(id);
  return "";
}

// Why a single-level product reads its weight as it is; empty when it takes FRACTAL_NZ.
std::string AscendBackend::why_not_nz(const QuantFormat& format, int64_t out_features) const {
  if (format.element == &kE5m2) return "it takes no E5M2";
  if (out_features <= 1) return "it refuses a single output";
  if (!device_.has(op::quant_matmul_weight_nz) || !device_.has(op::npu_format_cast))
    return "the libraries lack it";
  return "";
}

KernelChoice AscendBackend::quantized_kernel(const QuantFormat& x, const QuantFormat& weight,
                                             int64_t out_features, int64_t in_features) const {
  KernelChoice choice;
  choice.refusal = why_refused(x, weight, in_features);
  if (!choice.refusal.empty()) {
    choice.kernel = "none";
    choice.passed_over.push_back(choice.refusal);
    return choice;
  }
  if (is_dual(weight)) {
    choice.kernel = "aclnnDualLevelQuantMatmulWeightNz, FRACTAL_NZ";
    return choice;
  }
  const std::string reason = why_not_nz(weight, out_features);
  choice.kernel = reason.empty() ? "aclnnQuantMatmulWeightNz, FRACTAL_NZ" : "aclnnQuantMatmulV5";
  if (!reason.empty())
    choice.passed_over.push_back("aclnnQuantMatmulWeightNz, FRACTAL_NZ: " + reason);
  return choice;
}

void AscendBackend::quantize(const Tensor& x, const QuantizeOptions& options,
                             QuantizedMatrix& out) {
  const QuantFormat& format = *out.format;
  const std::string refusal = why_refused(format, format, kBlock);
  if (!refusal.empty())
    fail(ErrorKind::unsupported, "[backend] ascend: quantize to ", format.name, ": ", refusal);
  Tensor scaled = x;
  if (options.smooth_scale != nullptr) {
    scaled = fresh(x.dtype(), x.shape());
    device_.call(op::mul, TensorView::of(x), TensorView::of(*options.smooth_scale),
                 TensorView::of(scaled));
  }
  out.packed.reset();
  const Text round = round_mode(format.element == &kE2m1 ? options.round : RoundMode::rint);
  if (is_dual(format))
    return device_.call(op::dynamic_dual_level_mx_quant, TensorView::of(scaled),
                        TensorView::none(), round, kGroup, kBlock, elements_of(out),
                        TensorView::of(out.scale), e8m0(out.block_scale));
  constexpr int64_t kLastAxis = -1, kOcpRule = 0;
  device_.call(op::dynamic_mx_quant, TensorView::of(scaled), kLastAxis, round,
               static_cast<int64_t>(element_type(format)), kBlock, kOcpRule, elements_of(out),
               e8m0(out.block_scale));
}

void AscendBackend::dequantize(const QuantizedMatrix& x, Tensor& out) {
  QuantizedMatrix host = x;
  host.packed.reset();
  for (Tensor* part : {&host.elements, &host.block_scale, &host.scale})
    if (part->defined()) *part = device_.download(*part);
  const Tensor exact = reference::dequantize(host);
  Tensor rounded = Tensor::host(DType::f32, exact.shape());
  for (int64_t i = 0; i < exact.elements(); ++i)
    rounded.as_mutable<float>()[i] = static_cast<float>(exact.as<double>()[i]);
  device_.upload(rounded.data(), rounded.bytes(), out.mutable_data());
}

std::shared_ptr<PreparedWeight> AscendBackend::prepare_quantized(const QuantizedMatrix& weight) {
  const QuantFormat& format = *weight.format;
  const std::string refusal = why_refused(format, format, weight.columns);
  if (!refusal.empty())
    fail(ErrorKind::unsupported, "[backend] ascend: weight [", weight.rows, ", ", weight.columns,
         "] in ", format.name, ": ", refusal);
  auto prepared = std::make_shared<QuantizedWeight>(format, weight.rows, weight.columns);
  prepared->block_scale = weight.block_scale;
  prepared->elements = weight.elements;
  prepared->right = elements_of(weight);
  std::optional<NzMatrix> nz;
  if (is_dual(format)) {  // the product takes pairs of fp4 as bytes
    nz = to_nz(weight.elements,
               TensorView::typed(weight.elements, DataType::int8, {weight.rows, weight.columns / 2}));
    if (!nz)
      fail(ErrorKind::unsupported, "[backend] ascend: weight [", weight.rows, ", ", weight.columns,
           "] in ", format.name, ": expected a layout in FRACTAL_NZ, got none from ",
           "aclnnNpuFormatCastCalculateSizeAndFormat");
    prepared->scale = fresh(DType::f32, {weight.scale.dim(1), weight.rows}, Use::weight);
    copy_view(TensorView::of(weight.scale).transposed(), TensorView::of(prepared->scale));
  } else if (why_not_nz(format, weight.rows).empty()) {
    nz = to_nz(weight.elements, prepared->right);
  }
  if (nz) {
    prepared->elements = nz->bytes;
    prepared->right = nz->view;
    prepared->is_nz = true;
  }
  return prepared;
}

void AscendBackend::multiply_dual(const QuantizedMatrix& x, const QuantizedWeight& weight,
                                  const Tensor* bias, Tensor& out) {
  constexpr bool kTurnX = false, kTurnWeight = true;
  device_.call(op::dual_level_quant_matmul_weight_nz, elements_of(x), weight.right,
               TensorView::of(x.scale), TensorView::of(weight.scale), e8m0(x.block_scale),
               e8m0(weight.block_scale), optional(bias), kTurnX, kTurnWeight, kGroup, kBlock,
               TensorView::of(out));
}

void AscendBackend::multiply_mx(const QuantizedMatrix& x, const QuantizedWeight& weight,
                                const Tensor* bias, Tensor& out) {
  constexpr bool kTurnX = false, kTurnWeight = true;
  const auto multiply = [&](const auto& product) {
    const TensorView none = TensorView::none();
    device_.call(product, elements_of(x), weight.right, e8m0(x.block_scale),
                 e8m0(weight.block_scale), none, none, none, none, optional(bias), kTurnX,
                 kTurnWeight, kMxGroups, TensorView::of(out));
  };
  weight.is_nz ? multiply(op::quant_matmul_weight_nz) : multiply(op::quant_matmul_v5);
}

void AscendBackend::quantized_linear(const QuantizedMatrix& x, const PreparedWeight& weight,
                                     const Tensor* bias, Activation act, Tensor& out) {
  const auto& w = static_cast<const QuantizedWeight&>(weight);
  const std::string refusal = why_refused(*x.format, w.format, x.columns);
  if (!refusal.empty())
    fail(ErrorKind::unsupported, "[backend] ascend: product of ", x.format->name, " with ",
         w.format.name, ": ", refusal);
  const bool is_narrowed = is_dual(w.format) && out.dtype() == DType::f32;
  const DType type = is_narrowed ? DType::bf16 : out.dtype();
  Tensor product = act == Activation::none && !is_narrowed ? out : fresh(type, out.shape());
  is_dual(w.format) ? multiply_dual(x, w, bias, product) : multiply_mx(x, w, bias, product);
  if (is_narrowed) {
    Tensor wide = act == Activation::none ? out : fresh(DType::f32, out.shape());
    cast(product, wide);
    product = wide;
  }
  if (act != Activation::none) apply(act, TensorView::of(product), TensorView::of(out));
}

}  // namespace mxdit::ascend
