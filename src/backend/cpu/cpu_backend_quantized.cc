// Quantized matrices: encoded and widened by kernels over rows, multiplied by the fp32 kernels of
// plain products. A weight stays in its quantized bytes, of the checkpoint's mapping if it came
// from there; panels of it are widened while they are packed for a product.
//
// Widening multiplies an element by its block scale in fp32. That is exact unless the product
// leaves fp32's range: E8M0 codes of 247 and more can give infinity where the reference, in double,
// does not. No quantizer here makes such codes for elements of that size.
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/tile_product.h"

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

Code code_of(const ElementFormat& element) {
  if (&element == &kE2m1) return Code::e2m1;
  if (&element == &kE4m3) return Code::e4m3;
  if (&element == &kE5m2) return Code::e5m2;
  if (&element == &kInt8) return Code::int8;
  MXDIT_CHECK(&element == &kInt4, "[backend] quantized matrix: expected E2M1, E4M3, E5M2, INT8 or ",
              "INT4, got ", element.name);
  return Code::int4;
}

BlockScale block_scale_of(const QuantFormat& format) noexcept {
  if (format.block == 0) return BlockScale::none;
  return format.block_scale_type == DType::u8 ? BlockScale::e8m0 : BlockScale::e4m3;
}

ScaleOrigin origin_of(ScaleRule rule) noexcept {
  switch (rule) {
    case ScaleRule::dual_level:
      return ScaleOrigin::dual_level;
    case ScaleRule::shared_exponent:
      return ScaleOrigin::shared_exponent;
    case ScaleRule::row_maximum:
      return ScaleOrigin::row_maximum;
    case ScaleRule::nv_block:
      return ScaleOrigin::nv_block;
  }
  return ScaleOrigin::row_maximum;
}

Rounding rounding_of(RoundMode mode) noexcept {
  if (mode == RoundMode::rint) return Rounding::rint;
  return mode == RoundMode::round ? Rounding::round : Rounding::floor;
}

// Bytes of block scales from row to row.
int64_t block_stride(const QuantFormat& format, int64_t columns) {
  return format.block == 0 ? 0 : format.block_scale_shape(1, columns).elements();
}

QuantizedRows rows_of(const QuantizedMatrix& x) {
  const QuantFormat& format = *x.format;
  return {.code = code_of(*format.element),
          .elements = static_cast<const uint8_t*>(x.elements.data()),
          .element_stride = x.elements.dim(1),
          .block_type = block_scale_of(format),
          .block_scale = static_cast<const uint8_t*>(x.block_scale.data()),
          .block_stride = block_stride(format, x.columns),
          .block = format.block,
          .scale = x.scale.defined() ? x.scale.as<float>() : nullptr,
          .scale_stride = format.groups(x.columns),
          .group = format.group};
}

class QuantizedPanels : public PanelSource {
 public:
  explicit QuantizedPanels(const QuantizedMatrix& matrix) : rows_(rows_of(matrix)) {}
  void pack(const MatrixKernels& kernels, int64_t first, int64_t count, int64_t k, int64_t k_count,
            int64_t width, const void** /*rows*/, float* out) const override {
    kernels.pack_quantized({.matrix = &rows_,
                            .first = first,
                            .count = count,
                            .offset = k,
                            .k = k_count,
                            .width = width,
                            .panel_stride = width * k_count,
                            .out = out});
  }

 private:
  QuantizedRows rows_;
};

bool has_group_scales(const QuantFormat& format) noexcept {
  return format.has_scale() && format.group != QuantFormat::kWholeRow;
}

}  // namespace

void CpuBackend::quantize(const Tensor& x, const QuantizeOptions& options, QuantizedMatrix& out) {
  const QuantFormat& format = *out.format;
  MXDIT_CHECK(format.rule != ScaleRule::dual_level || format.group == kGroupColumns,
              "[backend] quantize to ", format.name, ": expected scales per 512 columns, got ",
              format.group);
  const QuantizeArgs args = {
      .x = x.data(),
      .smooth = options.smooth_scale == nullptr ? nullptr : options.smooth_scale->data(),
      .type = element_of(x.dtype()),
      .columns = out.columns,
      .origin = origin_of(format.rule),
      .code = code_of(*format.element),
      .rounding = rounding_of(options.round),
      .largest = format.element->max,
      .max_exponent = format.element->max_exponent,
      .block = format.block,
      .least_scale = format.least_scale,
      .static_scale = options.static_scale,
      .static_offset = options.static_offset,
      .elements = static_cast<uint8_t*>(out.elements.mutable_data()),
      .element_stride = out.elements.dim(1),
      .block_scale = static_cast<uint8_t*>(out.block_scale.mutable_data()),
      .block_stride = block_stride(format, out.columns),
      .scale = static_cast<float*>(out.scale.mutable_data()),
      .scale_stride = format.groups(out.columns)};
  run(kernels_.quantize, args, out.rows, out.columns);
}

void CpuBackend::dequantize(const QuantizedMatrix& x, Tensor& out) {
  const DequantizeArgs args = {
      .in = rows_of(x), .columns = x.columns, .out = out.as_mutable<float>()};
  run(kernels_.dequantize, args, x.rows, x.columns);
}

std::shared_ptr<PreparedWeight> CpuBackend::prepare_quantized(const QuantizedMatrix& weight) {
  code_of(*weight.format->element);
  return std::make_shared<CpuQuantizedWeight>(weight);
}

void CpuBackend::quantized_linear(const QuantizedMatrix& x, const PreparedWeight& weight,
                                  const Tensor* bias, Activation act, Tensor& out) {
  const QuantizedMatrix& w = static_cast<const CpuQuantizedWeight&>(weight).matrix();
  const bool has_scales = x.scale.defined() || w.scale.defined();
  MXDIT_CHECK(!x.scale.defined() || !w.scale.defined() || x.format->group == w.format->group,
              "[backend] quantized linear: expected scales of ", w.format->name,
              "'s length on both sides, got ", x.format->name);
  const OuterScales scales = {.left = x.scale.defined() ? x.scale.as<float>() : nullptr,
                              .right = w.scale.defined() ? w.scale.as<float>() : nullptr,
                              .count = !has_scales ? 1 : (x.scale.defined() ? x : w).scale.dim(1)};
  const ProductOutput output = {.bias = bias == nullptr ? nullptr : bias->as<float>(),
                                .function = function_of(act),
                                .out = out.mutable_data(),
                                .type = element_of(out.dtype())};
  multiply_groups(kernels_.matrix, threads_, *memory_, QuantizedPanels(x), QuantizedPanels(w),
                  x.rows, w.rows, x.columns,
                  has_group_scales(*x.format) || has_group_scales(*w.format), scales, output);
}

KernelChoice CpuBackend::linear_kernel(DType, int64_t, int64_t) const {
  return {std::string("fp32 ") + kernels_.name + ", widened while packing", passed_over(kernels_)};
}

KernelChoice CpuBackend::quantized_kernel(const QuantFormat&, const QuantFormat&, int64_t,
                                          int64_t) const {
  return {std::string("fp32 ") + kernels_.name + ", widened while packing", passed_over(kernels_)};
}

}  // namespace mxdit::cpu
