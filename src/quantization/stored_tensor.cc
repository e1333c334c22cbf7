#include "quantization/stored_tensor.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"

namespace mxdit {
namespace {

// Tensors that only quantized checkpoints have beside a weight.
constexpr std::array kQuantizedParts = {
    "weight_scale",  "weight_scale_inv", "weight_scale_2", "weight_dual_scale",
    "weight_offset", "input_scale",      "input_offset",   "deq_scale",
    "quant_bias",    "mul_scale",        "div.mul_scale",  "linear.weight"};

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

Tensor plain_weight(const LinearSource& source, int64_t out_features, int64_t in_features) {
  const Tensor weight =
      source.weights->get(source.layer + ".weight", {out_features, in_features});
  if (!is_plain(weight.dtype()))
    fail(ErrorKind::bad_input, "[quantization] ", where(source, "weight"),
         ": expected a plain weight to quantize (F32, F16 or BF16), got ", name(weight.dtype()));
  if (weight.dtype() == DType::bf16 || weight.dtype() == DType::f16) return weight;
  return rounded_to_bf16(weight);
}

void refuse_quantized_parts(const LinearSource& source, const std::string& asked) {
  for (const char* part : kQuantizedParts)
    if (has_stored(source, part))
      fail(ErrorKind::bad_input, "[quantization] ", where(source, part), ": expected none (", asked,
           " quantizes plain weights), got one: the checkpoint is already quantized");
}

void check_finite(const LinearSource& source, const std::string& part, const Tensor& tensor,
                  bool positive) {
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const float value = value_at(tensor, i);
    if (std::isfinite(value) && (!positive || value > 0.0f)) continue;
    fail(ErrorKind::bad_input, "[quantization] ", where(source, part), ": expected ",
         positive ? "positive finite numbers" : "finite numbers", ", got ", value, " at ", i);
  }
}

}  // namespace mxdit
