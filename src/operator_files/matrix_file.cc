#include "operator_files/matrix_file.h"

#include <algorithm>

#include "core/error.h"

namespace mxdit::operator_files {
namespace {

// nvfp4 is not here: its scale above the block scales is not found by looking at x.
constexpr const QuantFormat* kFormats[] = {&kMxfp4Dual, &kMxfp4,   &kMxfp8,  &kMxfp8E5m2,
                                           &kFp8Row,    &kInt8Row, &kInt4Row};

Tensor transposed(const Tensor& x) {
  Tensor out = Tensor::host(x.dtype(), {x.dim(1), x.dim(0)});
  for (int64_t r = 0; r < x.dim(0); ++r)
    for (int64_t c = 0; c < x.dim(1); ++c)
      out.as_mutable<float>()[c * x.dim(0) + r] = x.as<float>()[r * x.dim(1) + c];
  return out;
}

Tensor take_elements(TensorFile& file, const QuantFormat& format, const std::string& name) {
  const DType storage = format.element->storage;
  return storage == DType::u8 ? file.take_rows(name, {DType::u8})
                              : file.take_rows(name, {storage, DType::u8});
}

// Group scales of the right operand: [groups, rows] as the operator has them, or [rows, groups].
Tensor take_scale(TensorFile& file, const std::string& name, const Shape& shape, bool transpose) {
  const Tensor scale = file.take(name, {DType::f32});
  const Shape turned{shape[1], shape[0]};
  if (transpose && scale.shape() == turned) return transposed(scale);
  if (scale.elements() == shape.elements() && (!transpose || scale.shape() == shape))
    return scale.reshape(shape);
  std::ostringstream expected;
  if (transpose)
    expected << turned << " or " << shape;
  else
    expected << shape << " (with the leading axes of the elements)";
  file.fail_shape(name, expected.str());
}

}  // namespace

PartNames output_names(const QuantFormat& format) {
  if (format.block != 0 && format.has_scale()) return {"y", "l1", "l0"};
  return {"y", "scale", "scale"};
}

PartNames operand_names(const QuantFormat& format, const std::string& operand) {
  if (format.block != 0 && format.has_scale())
    return {operand, operand + "_l1", operand + "_l0"};
  return {operand, operand + "_scale", operand + "_scale"};
}

const QuantFormat& parse_format(const std::string& name) {
  std::string known;
  for (const QuantFormat* format : kFormats) {
    if (format->name == name) return *format;
    known += (known.empty() ? "" : ", ") + std::string(format->name);
  }
  fail(ErrorKind::usage, "[operator_files] --format: expected one of ", known, ", got ", name);
}

QuantizedMatrix take_matrix(TensorFile& file, const QuantFormat& format, const PartNames& names,
                            bool transposed_scale, Shape* shape) {
  QuantizedMatrix matrix;
  matrix.format = &format;
  const Tensor stored = take_elements(file, format, names.elements);
  const Tensor elements = stored.view_as(format.element->storage);
  *shape = elements.shape();
  matrix.elements = as_rows(elements);
  matrix.rows = matrix.elements.dim(0);
  matrix.columns = matrix.elements.dim(1) * (format.element->bits == 4 ? 2 : 1);
  if (format.block != 0) {
    const Shape expected = format.block_scale_shape(matrix.rows, matrix.columns);
    const Tensor scale = file.take(names.block_scale, {DType::u8, DType::f8_e8m0});
    const bool fits = scale.elements() == expected.elements() && scale.shape().rank() >= 2 &&
                      scale.dim(-1) == 2 && scale.dim(-2) == expected[1];
    if (!fits) {
      std::ostringstream text;
      text << expected << " (with the leading axes of the elements)";
      file.fail_shape(names.block_scale, text.str());
    }
    matrix.block_scale = scale.view_as(DType::u8).reshape(expected);
  }
  if (format.has_scale())
    matrix.scale =
        take_scale(file, names.scale, format.scale_shape(matrix.rows, matrix.columns),
                   transposed_scale && format.group != QuantFormat::kWholeRow);
  return matrix;
}

}  // namespace mxdit::operator_files
