#include "backend/registry.h"
#include "core/error.h"
#include "mxdit/operators.h"
#include "operator_files/matrix_file.h"
#include "ops/ops.h"

namespace mxdit {
namespace {

using namespace operator_files;

RoundMode parse_round(const std::string& name, const QuantFormat& format) {
  if (name == "rint") return RoundMode::rint;
  if (name != "round" && name != "floor")
    fail(ErrorKind::usage, "[operator_files] --round: expected rint, round or floor, got ", name);
  if (format.element != &kE2m1)
    fail(ErrorKind::usage, "[operator_files] --round: expected rint (", format.name,
         " rounds to nearest even only), got ", name);
  return name == "round" ? RoundMode::round : RoundMode::floor;
}

std::unique_ptr<Backend> backend_for(const OperatorOptions& options) {
  return make_backend(options.device, {options.threads, options.isa});
}

// The parts of a matrix under their names, with the leading axes of x.
std::map<std::string, Tensor> as_tensors(Backend& backend, const QuantizedMatrix& matrix,
                                         const Shape& x) {
  const PartNames names = output_names(*matrix.format);
  std::map<std::string, Tensor> tensors;
  const Tensor elements = backend.to_host(matrix.elements);
  tensors[names.elements] = elements.reshape(with_last(x, {elements.dim(1)}));
  if (matrix.block_scale.defined()) {
    const Tensor scale = backend.to_host(matrix.block_scale);
    tensors[names.block_scale] = scale.reshape(with_last(x, {scale.dim(1), 2}));
  }
  if (matrix.scale.defined()) {
    const Tensor scale = backend.to_host(matrix.scale);
    tensors[names.scale] = scale.reshape(with_last(x, {scale.dim(1)}));
  }
  return tensors;
}

}  // namespace

std::vector<std::string> operator_formats() {
  std::vector<std::string> names;
  for (const char* name : {"mxfp4_dual", "mxfp4", "mxfp8", "mxfp8_e5m2", "fp8", "int8", "int4"})
    names.emplace_back(name);
  return names;
}

void quantize_file(const std::string& in, const std::string& out, const std::string& format_name,
                   const std::string& round, const OperatorOptions& options) {
  const QuantFormat& format = parse_format(format_name);
  QuantizeOptions how;
  how.round = parse_round(round, format);
  TensorFile file(in);
  const Tensor x = file.take_rows("x", {DType::bf16, DType::f16});
  const int64_t columns = x.dim(-1);
  if (format.element->bits == 4 && columns % 2 != 0)
    file.fail_shape("x", "[..., K] with an even K (two elements share a byte)");
  Tensor smooth;
  if (file.has("smooth")) smooth = file.take("smooth", {x.dtype()}, {columns});
  file.refuse_others("quantize (x, smooth)");
  const auto backend = backend_for(options);
  if (smooth.defined()) {
    smooth = backend->from_host(smooth);
    how.smooth_scale = &smooth;
  }
  const QuantizedMatrix result =
      ops::quantize(*backend, backend->from_host(as_rows(x)), format, how);
  write_safetensors(out, as_tensors(*backend, result, x.shape()),
                    {{"format", format_name}, {"round", round}});
}

void dequantize_file(const std::string& in, const std::string& out, const std::string& format_name,
                     const std::string& out_type, const OperatorOptions& options) {
  const QuantFormat& format = parse_format(format_name);
  const DType type = parse_out_type(out_type);
  TensorFile file(in);
  Shape shape;
  QuantizedMatrix matrix = take_matrix(file, format, output_names(format), false, &shape);
  file.refuse_others("dequantize");
  const auto backend = backend_for(options);
  matrix.elements = backend->from_host(matrix.elements);
  if (matrix.block_scale.defined()) matrix.block_scale = backend->from_host(matrix.block_scale);
  if (matrix.scale.defined()) matrix.scale = backend->from_host(matrix.scale);
  const Tensor x = ops::cast(*backend, ops::dequantize(*backend, matrix), type);
  write_safetensors(out,
                    {{"x", backend->to_host(x).reshape(with_last(shape, {matrix.columns}))}});
}

void matmul_file(const std::string& in, const std::string& out, const std::string& format_name,
                 const std::string& out_type, const OperatorOptions& options) {
  const QuantFormat& format = parse_format(format_name);
  const DType type = parse_out_type(out_type);
  TensorFile file(in);
  Shape shape, weight_shape;
  QuantizedMatrix x = take_matrix(file, format, operand_names(format, "x1"), false, &shape);
  QuantizedMatrix w = take_matrix(file, format, operand_names(format, "x2"), true, &weight_shape);
  if (weight_shape.rank() != 2 || w.columns != x.columns) {
    std::ostringstream expected;
    expected << "[N, " << x.elements.dim(1) << "] as x1's last axis";
    file.fail_shape("x2", expected.str());
  }
  Tensor bias;
  if (file.has("bias")) bias = file.take("bias", {DType::f32}, {w.rows});
  file.refuse_others("matmul");
  const auto backend = backend_for(options);
  for (QuantizedMatrix* matrix : {&x, &w}) {
    matrix->elements = backend->from_host(matrix->elements);
    if (matrix->block_scale.defined())
      matrix->block_scale = backend->from_host(matrix->block_scale);
    if (matrix->scale.defined()) matrix->scale = backend->from_host(matrix->scale);
  }
  if (bias.defined()) bias = backend->from_host(bias);
  const Tensor product =
      ops::quantized_linear(*backend, x, *backend->prepare_quantized(w),
                            bias.defined() ? &bias : nullptr, Activation::none, type);
  write_safetensors(out, {{"out", backend->to_host(product).reshape(with_last(shape, {w.rows}))}});
}

}  // namespace mxdit
