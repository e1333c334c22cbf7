// Quantized matrices: encoded and widened by kernels over rows. A weight stays in its quantized
// bytes, of the checkpoint's mapping if it came from there. Panels of it are unpacked for a product:
// - folded to int8, where both formats are E2M1 with E8M0 scales, or integers;
// - else widened to bf16, where that is exact;
// - else, and where the instruction set has neither, widened to fp32.
//
// Widening to fp32 multiplies an element by its block scale in fp32. That is exact unless the product
// leaves fp32's range: E8M0 codes of 247 and more can give infinity where the reference, in double,
// does not. No quantizer here makes such codes for elements of that size.
#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/dot_product.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/normed_row.h"
#include "backend/cpu/tile_product.h"

namespace mxdit::cpu {
namespace {

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

class CpuQuantizedWeight : public PreparedWeight {
 public:
  // `regular`: FoldableMatrix's, of a matrix that can be folded.
  CpuQuantizedWeight(QuantizedMatrix matrix, std::optional<std::vector<uint8_t>> regular,
                     bool is_bf16)
      : matrix_(std::move(matrix)), regular_(std::move(regular)), is_bf16_(is_bf16) {}
  int64_t out_features() const noexcept override { return matrix_.rows; }
  int64_t in_features() const noexcept override { return matrix_.columns; }
  size_t bytes() const noexcept override {
    return matrix_.bytes() + (regular_ ? regular_->size() : 0);
  }
  const QuantizedMatrix& matrix() const noexcept { return matrix_; }
  bool is_foldable() const noexcept { return regular_.has_value(); }
  // Where it is.
  FoldableMatrix foldable() const { return {rows_of(matrix_), *regular_}; }
  // Elements times block scales are exact in bf16.
  bool is_bf16() const noexcept { return is_bf16_; }

 private:
  QuantizedMatrix matrix_;
  std::optional<std::vector<uint8_t>> regular_;
  bool is_bf16_;
};

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

// Formats whose matrices are folded unless their scales forbid it.
bool may_fold(const QuantFormat& format) noexcept {
  if (has_group_scales(format) && format.group != kFoldColumns) return false;
  if (format.block == 0) return format.element == &kInt8 || format.element == &kInt4;
  return format.element == &kE2m1 && block_scale_of(format) == BlockScale::e8m0;
}

// Block scales from 2^-40 to 2^40, or 2^-127, which comes with zeros and numbers as small as bf16's
// subnormals, which bf16 multipliers take for zeros too.
bool is_exact_in_bf16(const QuantizedMatrix& x) noexcept {
  if (block_scale_of(*x.format) != BlockScale::e8m0) return true;
  const std::span codes(static_cast<const uint8_t*>(x.block_scale.data()), x.block_scale.bytes());
  return std::all_of(codes.begin(), codes.end(),
                     [](uint8_t code) { return code == 0 || (code >= 87 && code <= 167); });
}

// All but the numbers.
QuantizeArgs encoding_of(DType type, const QuantizeOptions& options, QuantizedMatrix& out) {
  const QuantFormat& format = *out.format;
  return {.x = nullptr,
          .smooth = options.smooth_scale == nullptr ? nullptr : options.smooth_scale->data(),
          .type = element_of(type),
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
          .block_count = block_stride(format, out.columns),
          .scale = static_cast<float*>(out.scale.mutable_data()),
          .scale_stride = format.groups(out.columns)};
}

// Row `row`, whose numbers are at x.
void encode_row(const KernelTable& kernels, const QuantizeArgs& all, int64_t row, const void* x) {
  QuantizeArgs args = all;
  args.x = x;
  args.elements += row * args.element_stride;
  args.block_scale += row * args.block_stride;
  args.scale += row * args.scale_stride;
  FoldedRows folded;
  if (args.folded != nullptr) {
    folded = *args.folded;
    folded.panels += row / kDotRows * folded.panel_bytes + row % kDotRows * kDotStep;
    folded.scale += row;
    folded.is_folded += row;
    args.folded = &folded;
  }
  kernels.quantize(args, 0, 1);
}

}  // namespace

void CpuBackend::encode(const QuantizeArgs& args, QuantizedMatrix& out,
                        const std::function<void(const QuantizeArgs&)>& run_rows) {
  const QuantFormat& format = *out.format;
  MXDIT_CHECK(format.rule != ScaleRule::dual_level || format.group == kGroupColumns,
              "[backend] quantize to ", format.name, ": expected scales per 512 columns, got ",
              format.group);
  const auto encode_rows = [&](const FoldedRows* folded) {
    QuantizeArgs with_folded = args;
    with_folded.folded = folded;
    run_rows(with_folded);
  };
  if (format.rule == ScaleRule::dual_level && kernels_.dots.fold != nullptr && may_fold(format))
    return encode_folded({kernels_, threads_, *memory_}, rows_of(out), out.rows, out.columns,
                         encode_rows, out.packed);
  out.packed.reset();
  encode_rows(nullptr);
}

void CpuBackend::quantize(const Tensor& x, const QuantizeOptions& options, QuantizedMatrix& out) {
  QuantizeArgs all = encoding_of(x.dtype(), options, out);
  all.x = x.data();
  encode(all, out,
         [&](const QuantizeArgs& args) { run(kernels_.quantize, args, out.rows, out.columns); });
}

void CpuBackend::quantize_normed(const NormedSum& rows, const QuantizeOptions& options,
                                 QuantizedMatrix& out) {
  const NormedRow norm(kernels_, rows);
  encode(encoding_of(rows.x->dtype(), options, out), out, [&](const QuantizeArgs& args) {
    for_each_row(*rows.x, [&](int64_t row, void* normed) {
      norm(row, normed);
      encode_row(kernels_, args, row, normed);
    });
  });
}

void CpuBackend::dequantize(const QuantizedMatrix& x, Tensor& out) {
  const DequantizeArgs args = {
      .in = rows_of(x), .columns = x.columns, .out = out.as_mutable<float>()};
  run(kernels_.dequantize, args, x.rows, x.columns);
}

std::shared_ptr<PreparedWeight> CpuBackend::prepare_quantized(const QuantizedMatrix& weight) {
  code_of(*weight.format->element);
  const DotKernels& dots = kernels_.dots;
  std::optional<std::vector<uint8_t>> regular;
  if (dots.fold != nullptr && may_fold(*weight.format))
    regular = find_regular_groups({kernels_, threads_, *memory_}, rows_of(weight), weight.rows,
                                  weight.columns, has_group_scales(*weight.format));
  const bool widens = dots.multiply != nullptr && is_exact_in_bf16(weight);
  return std::make_shared<CpuQuantizedWeight>(weight, std::move(regular), widens);
}

void CpuBackend::quantized_linear(const QuantizedMatrix& x, const PreparedWeight& weight,
                                  const Tensor* bias, Activation act, Tensor& out) {
  const auto& prepared = static_cast<const CpuQuantizedWeight&>(weight);
  const QuantizedMatrix& w = prepared.matrix();
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
  const bool per_group = has_group_scales(*x.format) || has_group_scales(*w.format);
  const DotMachine machine = {kernels_, threads_, *memory_};
  const bool has_columns = x.columns > 0;
  if (has_columns && prepared.is_foldable() && may_fold(*x.format) &&
      multiply_folded(machine, rows_of(x), prepared.foldable(), x.rows, w.rows, x.columns,
                      per_group, scales, output, x.packed))
    return;
  if (has_columns && prepared.is_bf16() && !per_group && is_exact_in_bf16(x))
    return multiply_dots(machine, DotCodes(rows_of(x)), DotCodes(rows_of(w)), x.rows, w.rows,
                         x.columns, scales, output);
  multiply_groups(kernels_.matrix, threads_, *memory_, QuantizedPanels(x), QuantizedPanels(w),
                  x.rows, w.rows, x.columns, per_group, scales, output);
}

bool CpuBackend::quantized_linear_encoded(const QuantizedMatrix& x, const PreparedWeight& weight,
                                          const Tensor* bias, Activation act,
                                          const QuantizeOptions& options, QuantizedMatrix& out) {
  const auto& prepared = static_cast<const CpuQuantizedWeight&>(weight);
  const bool is_dual = x.format->rule == ScaleRule::dual_level &&
                       out.format->rule == ScaleRule::dual_level && x.scale.defined() &&
                       prepared.matrix().format->group == x.format->group;
  if (!is_dual || !prepared.is_foldable() || !may_fold(*x.format) || !may_fold(*out.format))
    return false;
  const EncodedOutput output = {.bias = bias == nullptr ? nullptr : bias->as<float>(),
                                .function = function_of(act),
                                .encode = encoding_of(DType::bf16, options, out),
                                .out = rows_of(out)};
  return multiply_encoded({kernels_, threads_, *memory_}, rows_of(x), prepared.foldable(), x.rows,
                          out.columns, x.columns, output, x.packed, out.packed);
}

KernelChoice CpuBackend::quantized_kernel(const QuantFormat& x, const QuantFormat& weight, int64_t,
                                          int64_t) const {
  KernelChoice choice = {std::string("fp32 ") + kernels_.name + ", widened while packing",
                         passed_over(kernels_)};
  const bool per_group = has_group_scales(x) || has_group_scales(weight);
  if (kernels_.dots.fold != nullptr && may_fold(x) && may_fold(weight))
    choice.kernel = std::string("int8 ") + kernels_.name + ", folded while packing";
  else if (kernels_.dots.multiply != nullptr && !per_group)
    choice.kernel = std::string("bf16 ") + kernels_.name + ", widened while packing";
  return choice;
}

}  // namespace mxdit::cpu
