#include "ops/checks.h"
#include "ops/ops.h"

namespace mxdit::ops {
namespace {

void check_half(std::string_view op, const Tensor& x) {
  MXDIT_CHECK(x.defined() && x.shape().rank() == 2 &&
                  (x.dtype() == DType::bf16 || x.dtype() == DType::f16),
              "[ops] ", op, ": expected [M, K] in BF16 or F16, got ",
              x.defined() ? name(x.dtype()) : "none", " ", x.shape());
}

void check_matrix(std::string_view op, const QuantizedMatrix& x) {
  MXDIT_CHECK(x.format != nullptr && x.elements.defined(), "[ops] ", op,
              ": expected a quantized matrix, got none");
  const QuantFormat& format = *x.format;
  const bool scales_fit =
      (format.block == 0 || x.block_scale.shape() == format.block_scale_shape(x.rows, x.columns)) &&
      (!x.scale.defined() || x.scale.shape() == format.scale_shape(x.rows, x.columns));
  MXDIT_CHECK(x.elements.shape() == format.elements_shape(x.rows, x.columns) && scales_fit,
              "[ops] ", op, ": expected the parts of ", format.name, " [", x.rows, ", ", x.columns,
              "], got elements ", x.elements.shape(), ", block scales ", x.block_scale.shape(),
              ", scales ", x.scale.shape());
}

void check_product(const QuantizedMatrix& x, const PreparedWeight& weight, const Tensor* bias) {
  check_matrix("quantized_linear", x);
  MXDIT_CHECK(x.columns == weight.in_features(), "[ops] quantized_linear: expected input [M, ",
              weight.in_features(), "], got [", x.rows, ", ", x.columns, "]");
  if (bias != nullptr) check_parameter("quantized_linear", "bias", *bias, {weight.out_features()});
}

}  // namespace

void check_encoding(int64_t columns, DType type, const QuantFormat& format,
                    const QuantizeOptions& options) {
  MXDIT_CHECK(format.element->bits == 8 || columns % 2 == 0, "[ops] quantize to ", format.name,
              ": expected an even number of columns, got ", columns);
  MXDIT_CHECK(format.rule != ScaleRule::nv_block || options.static_scale != 0.0f,
              "[ops] quantize to ", format.name, ": expected a scale above the block scales, got ",
              "none");
  if (options.smooth_scale == nullptr) return;
  const Tensor& smooth = *options.smooth_scale;
  MXDIT_CHECK(smooth.dtype() == type && smooth.shape() == Shape{columns},
              "[ops] quantize: expected smooth scale ", name(type), " ", Shape{columns}, ", got ",
              name(smooth.dtype()), " ", smooth.shape());
}

QuantizedMatrix empty_matrix(Backend& backend, int64_t rows, int64_t columns,
                             const QuantFormat& format) {
  QuantizedMatrix out{&format, rows, columns, {}, {}, {}};
  out.elements = backend.empty(format.element->storage, format.elements_shape(rows, columns));
  if (format.block != 0)
    out.block_scale =
        backend.empty(format.block_scale_type, format.block_scale_shape(rows, columns));
  if (format.has_scale()) out.scale = backend.empty(DType::f32, format.scale_shape(rows, columns));
  return out;
}

QuantizedMatrix quantize(Backend& backend, const Tensor& x, const QuantFormat& format,
                         const QuantizeOptions& options) {
  check_half("quantize", x);
  check_encoding(x.dim(1), x.dtype(), format, options);
  QuantizedMatrix out = empty_matrix(backend, x.dim(0), x.dim(1), format);
  if (x.elements() > 0) backend.quantize(x, options, out);
  return out;
}

Tensor dequantize(Backend& backend, const QuantizedMatrix& x) {
  check_matrix("dequantize", x);
  Tensor out = backend.empty(DType::f32, {x.rows, x.columns});
  if (out.elements() > 0) backend.dequantize(x, out);
  return out;
}

Tensor quantized_linear(Backend& backend, const QuantizedMatrix& x, const PreparedWeight& weight,
                        const Tensor* bias, Activation act, DType out_type) {
  check_product(x, weight, bias);
  MXDIT_CHECK(out_type == DType::f32 || out_type == DType::bf16 || out_type == DType::f16,
              "[ops] quantized_linear: expected output F32, BF16 or F16, got ", name(out_type));
  Tensor out = backend.empty(out_type, {x.rows, weight.out_features()});
  if (out.elements() > 0) backend.quantized_linear(x, weight, bias, act, out);
  return out;
}

QuantizedMatrix quantized_linear_encoded(Backend& backend, const QuantizedMatrix& x,
                                         const PreparedWeight& weight, const Tensor* bias,
                                         Activation act, const QuantFormat& format,
                                         const QuantizeOptions& options) {
  check_product(x, weight, bias);
  check_encoding(weight.out_features(), DType::bf16, format, options);
  QuantizedMatrix out = empty_matrix(backend, x.rows, weight.out_features(), format);
  if (out.rows > 0 && out.columns > 0 &&
      backend.quantized_linear_encoded(x, weight, bias, act, options, out))
    return out;
  return quantize(backend, quantized_linear(backend, x, weight, bias, act, DType::bf16), format,
                  options);
}

}  // namespace mxdit::ops
