#include "quantization/stored_tensor.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "quantization/quantized_tensors.h"

namespace mxdit {
namespace {

// The first part of a layer that only quantized checkpoints have and `known` does not list; those
// of exporters' wrappers (`<layer>.linear.*`, `<layer>.div.*`) included.
std::optional<std::string> other_part(const LinearSource& source,
                                      std::initializer_list<std::string_view> known) {
  for (const std::string_view part : quantized_parts()) {
    if (std::find(known.begin(), known.end(), part) != known.end()) continue;
    for (const char* wrapper : {"", "linear.", "div."})
      if (has_stored(source, wrapper + std::string(part))) return wrapper + std::string(part);
  }
  if (has_stored(source, "linear.weight")) return "linear.weight";
  return std::nullopt;
}

float value_at(const Tensor& tensor, int64_t i) {
  switch (tensor.dtype()) {
    case DType::f32:
      return tensor.as<float>()[i];
    case DType::bf16:
      return to_float(bf16{tensor.as<uint16_t>()[i]});
    case DType::f16:
      return to_float(f16{tensor.as<uint16_t>()[i]});
    case DType::f8_e4m3:
      return e4m3_to_float(tensor.as<uint8_t>()[i]);
    case DType::f8_e5m2:
      return e5m2_to_float(tensor.as<uint8_t>()[i]);
    default:
      return 0.0f;
  }
}

// Codes that are no number have all bits of the exponent set; of E4M3 only the one with a full
// fraction. Written without branches, since every weight passes through here.
template <typename T>
bool none_reaches(const Tensor& tensor, T magnitude, T least) {
  const T* codes = tensor.as<T>();
  unsigned reached = 0;
  for (int64_t i = 0; i < tensor.elements(); ++i)
    reached |= static_cast<T>(codes[i] & magnitude) >= least;
  return reached == 0;
}

bool is_finite(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::f32:
      return none_reaches<uint32_t>(tensor, 0x7fffffff, 0x7f800000);
    case DType::bf16:
      return none_reaches<uint16_t>(tensor, 0x7fff, 0x7f80);
    case DType::f16:
      return none_reaches<uint16_t>(tensor, 0x7fff, 0x7c00);
    case DType::f8_e4m3:
      return none_reaches<uint8_t>(tensor, 0x7f, 0x7f);
    case DType::f8_e5m2:
      return none_reaches<uint8_t>(tensor, 0x7f, 0x7c);
    default:
      return true;
  }
}

bool is_plain(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 ||
         dtype == DType::f64;
}

Tensor rounded_to_bf16(const Tensor& weight) {
  Tensor out = Tensor::host(DType::bf16, weight.shape());
  uint16_t* target = out.as_mutable<uint16_t>();
  for (int64_t i = 0; i < weight.elements(); ++i)
    target[i] = to_bf16(weight.dtype() == DType::f64 ? static_cast<float>(weight.as<double>()[i])
                                                     : weight.as<float>()[i])
                    .bits;
  return out;
}

}  // namespace

std::string where(const LinearSource& source, const std::string& part) {
  const std::string tensor = source.layer + "." + part;
  const std::string file = source.weights->contains(tensor)
                               ? source.weights->file_of(tensor).string()
                               : source.weights->path().string();
  return file + " tensor " + tensor;
}

bool has_stored(const LinearSource& source, const std::string& part) {
  return source.weights->contains(source.layer + "." + part);
}

Tensor stored_tensor(const LinearSource& source, const std::string& part,
                     std::initializer_list<DType> dtypes, const Shape& shape) {
  const Tensor tensor = source.weights->get(source.layer + "." + part, shape);
  if (std::find(dtypes.begin(), dtypes.end(), tensor.dtype()) != dtypes.end()) return tensor;
  std::string expected;
  for (const DType dtype : dtypes)
    expected += (expected.empty() ? "" : " or ") + std::string(name(dtype));
  fail(ErrorKind::bad_input, "[quantization] ", where(source, part), ": expected ", expected,
       ", got ", name(tensor.dtype()));
}

Tensor stored_part(const LinearSource& source, const std::string& part,
                   std::initializer_list<DType> dtypes, const std::vector<Shape>& shapes) {
  const Tensor tensor = source.weights->get(source.layer + "." + part);
  if (std::find(dtypes.begin(), dtypes.end(), tensor.dtype()) != dtypes.end() &&
      std::find(shapes.begin(), shapes.end(), tensor.shape()) != shapes.end())
    return tensor;
  std::string types, extents;
  for (const DType dtype : dtypes)
    types += (types.empty() ? "" : " or ") + std::string(name(dtype));
  for (const Shape& shape : shapes) extents += (extents.empty() ? "" : " or ") + to_string(shape);
  fail(ErrorKind::bad_input, "[quantization] ", where(source, part), ": expected ", types, " ",
       extents, ", got ", name(tensor.dtype()), " ", tensor.shape());
}

float stored_scalar(const LinearSource& source, const std::string& part) {
  const Tensor scale =
      stored_part(source, part, {DType::f32, DType::bf16}, {Shape{}, Shape{1}});
  check_finite(source, part, scale, true);
  return value_at(scale, 0);
}

Tensor stored_row_scale(const LinearSource& source, const std::string& part, int64_t rows,
                        const std::vector<Shape>& shapes) {
  const Tensor stored = stored_part(source, part, {DType::f32, DType::bf16}, shapes);
  check_finite(source, part, stored, true);
  Tensor scale = Tensor::host(DType::f32, {rows, 1});
  for (int64_t row = 0; row < rows; ++row)
    scale.as_mutable<float>()[row] = value_at(stored, stored.elements() == 1 ? 0 : row);
  return scale;
}

DType plain_weight_type(const LinearSource& source, int64_t out_features, int64_t in_features) {
  const Tensor weight =
      source.weights->get(source.layer + ".weight", {out_features, in_features});
  if (!is_plain(weight.dtype()))
    fail(ErrorKind::bad_input, "[quantization] ", where(source, "weight"),
         ": expected a plain weight to quantize (F32, F16 or BF16), got ", name(weight.dtype()));
  return weight.dtype();
}

Tensor plain_weight(const LinearSource& source, int64_t out_features, int64_t in_features) {
  const DType dtype = plain_weight_type(source, out_features, in_features);
  const Tensor weight = source.weights->get(source.layer + ".weight");
  if (dtype == DType::bf16 || dtype == DType::f16) return weight;
  return rounded_to_bf16(weight);
}

void refuse_quantized_parts(const LinearSource& source, const std::string& asked) {
  if (const auto part = other_part(source, {}))
    fail(ErrorKind::bad_input, "[quantization] ", where(source, *part), ": expected none (", asked,
         " quantizes plain weights), got one: the checkpoint is already quantized");
}

void refuse_other_parts(const LinearSource& source, std::initializer_list<std::string_view> known,
                        const std::string& reason) {
  if (const auto part = other_part(source, known))
    fail(ErrorKind::bad_input, "[quantization] ", where(source, *part), ": expected none (", reason,
         "), got one");
}

void check_finite(const LinearSource& source, const std::string& part, const Tensor& tensor,
                  bool positive) {
  if (!positive && is_finite(tensor)) return;
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const float value = value_at(tensor, i);
    if (std::isfinite(value) && (!positive || value > 0.0f)) continue;
    fail(ErrorKind::bad_input, "[quantization] ", where(source, part), ": expected ",
         positive ? "positive finite numbers" : "finite numbers", ", got ", value, " at ", i);
  }
}

}  // namespace mxdit
