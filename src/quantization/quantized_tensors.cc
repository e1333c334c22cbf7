#include "quantization/quantized_tensors.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace mxdit {
namespace {

constexpr std::array<std::string_view, 20> kParts = {
    "weight_scale", "weight_scale_inv", "weight_scale_2", "weight_dual_scale", "weight_offset",
    "input_scale",  "input_offset",     "deq_scale",      "quant_bias",        "mul_scale",
    "scale_weight", "scale_input",      "weight_packed",  "weight_zero_point", "qweight",
    "qzeros",       "wscales",          "wtscale",        "absmax",            "quant_map"};

bool is_weight(const std::string& name) { return name.ends_with(".weight"); }

}  // namespace

std::span<const std::string_view> quantized_parts() { return kParts; }

bool is_quantized_tensor(const std::string& name, DType dtype) {
  const std::string_view last = std::string_view(name).substr(name.rfind('.') + 1);
  if (std::find(kParts.begin(), kParts.end(), last) != kParts.end()) return true;
  return is_weight(name) && (dtype == DType::i8 || dtype == DType::u8);
}

std::optional<std::string> find_quantized_tensor(const WeightStore& weights, bool or_fp8) {
  for (const std::string& name : weights.names()) {
    const DType dtype = weights.place_of(name).dtype;
    const bool is_fp8 = dtype == DType::f8_e4m3 || dtype == DType::f8_e5m2;
    if (is_quantized_tensor(name, dtype) || (or_fp8 && is_fp8 && is_weight(name))) return name;
  }
  return std::nullopt;
}

void refuse_unread_quantized(const WeightStore& weights, std::span<const std::string> unread) {
  for (const std::string& name : unread) {
    const TensorPlace place = weights.place_of(name);
    if (is_quantized_tensor(name, place.dtype))
      fail(ErrorKind::bad_input, "[quantization] ", place.file.string(), " tensor ", name,
           ": expected only quantized tensors that a layer reads, got ", mxdit::name(place.dtype),
           " ", place.shape, ", which none does");
  }
}

}  // namespace mxdit
