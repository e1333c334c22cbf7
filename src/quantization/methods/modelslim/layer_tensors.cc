#include "quantization/methods/modelslim/layer_tensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "quantization/stored_tensor.h"

namespace mxdit::modelslim {
namespace {

constexpr int64_t kBlock = 32;

std::string form_text(DType dtype, const Shape& shape) {
  return detail::concat(name(dtype), " ", shape);
}

float number_at(const Tensor& tensor, int64_t i) {
  if (tensor.dtype() == DType::f32) return tensor.as<float>()[i];
  const uint16_t bits = tensor.as<uint16_t>()[i];
  return tensor.dtype() == DType::bf16 ? to_float(bf16{bits}) : to_float(f16{bits});
}

std::string value_text(float value, int64_t index) {
  return detail::concat(value, " at ", index);
}

}  // namespace

std::vector<Form> number_forms(const Shape& shape) {
  return {{DType::f32, shape}, {DType::f16, shape}, {DType::bf16, shape}};
}

void LayerTensors::refuse(const std::string& part, const std::string& expected,
                          const std::string& got) const {
  fail(ErrorKind::bad_input, "[quantization] ", where(source_, part), " (", type_, "): expected ",
       expected, ", got ", got);
}

void LayerTensors::allow_only(std::initializer_list<std::string_view> parts) const {
  const auto known = [&](const std::string& part) {
    return std::find(parts.begin(), parts.end(), part) != parts.end();
  };
  const auto list = [&] {
    std::string text;
    for (const std::string_view part : parts) text += (text.empty() ? "" : ", ") + std::string(part);
    return text;
  };
  for (const std::string& part : source_.weights->names_below(source_.layer))
    if (!known(part)) refuse(part, "none but " + list() + " in such a layer", part);
  for (const std::string& part : description_.parts_of(source_.layer)) {
    const std::string tensor = source_.layer + "." + part;
    const std::string& type = *description_.type_of(tensor);
    if (!has(part))
      fail(ErrorKind::not_found, "[quantization] ", source_.weights->path().string(), " tensor ",
           tensor, ": expected one, as ", description_.file, " says ", type, ", got none");
    if (type != type_ && type != "FLOAT")
      fail(ErrorKind::bad_input, "[quantization] ", description_.file, ": entry \"", tensor,
           "\": expected ", type_, " as of the layer's weight, or FLOAT, got ", type);
  }
}

bool LayerTensors::has(const std::string& part) const { return has_stored(source_, part); }

Tensor LayerTensors::get(const std::string& part, const std::vector<Form>& forms) const {
  const std::string tensor = source_.layer + "." + part;
  if (!has(part))
    fail(ErrorKind::not_found, "[quantization] ", source_.weights->path().string(), " tensor ",
         tensor, " (", type_, "): expected ", form_text(forms[0].dtype, forms[0].shape),
         ", got none");
  const TensorPlace entry = source_.weights->place_of(tensor);
  std::string expected;
  for (const Form& form : forms) {
    if (entry.dtype == form.dtype && entry.shape == form.shape) return source_.weights->get(tensor);
    expected += (expected.empty() ? "" : " or ") + form_text(form.dtype, form.shape);
  }
  refuse(part, expected, form_text(entry.dtype, entry.shape));
}

void LayerTensors::check_bias() const {
  if (!has("bias")) return;
  const Tensor bias = source_.weights->get(source_.layer + ".bias");
  const DType dtype = bias.dtype();
  if (dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16)
    numbers("bias", bias, true);
}

std::string LayerTensors::smooth_part() const {
  const bool plain = has("mul_scale"), divided = has("div.mul_scale");
  if (plain && divided) refuse("div.mul_scale", "none beside mul_scale", "both");
  return plain ? "mul_scale" : divided ? "div.mul_scale" : "";
}

void LayerTensors::check_smooth_scale(int64_t in_features) const {
  const std::string part = smooth_part();
  if (!part.empty()) get(part, number_forms({in_features}));
}

Tensor LayerTensors::smooth_scale(int64_t in_features) const {
  const std::string part = smooth_part();
  if (part.empty()) return Tensor();
  const Tensor stored = numbers(part, get(part, number_forms({in_features})), true);
  Tensor scale = Tensor::host(DType::bf16, {in_features});
  bool all_ones = true;
  for (int64_t i = 0; i < in_features; ++i) {
    const bf16 rounded = to_bf16(stored.as<float>()[i]);
    if (!std::isfinite(to_float(rounded)))
      refuse(part, "numbers that bf16 holds", value_text(stored.as<float>()[i], i));
    scale.as_mutable<uint16_t>()[i] = rounded.bits;
    all_ones = all_ones && to_float(rounded) == 1.0f;
  }
  return all_ones ? Tensor() : scale;
}

Tensor LayerTensors::stored_block_scale(int64_t out_features, int64_t in_features) const {
  return get("weight_scale", {{DType::u8, {out_features, in_features / kBlock}}});
}

Tensor LayerTensors::block_scale(int64_t out_features, int64_t in_features, int most) const {
  const Tensor stored = stored_block_scale(out_features, in_features);
  const uint8_t* codes = stored.as<uint8_t>();
  const int64_t count = stored.elements();
  const uint8_t* worst = std::find_if(codes, codes + count, [&](uint8_t code) { return code > most; });
  if (worst != codes + count)
    refuse("weight_scale",
           detail::concat("E8M0 codes up to ", most, ", above which a weight is not finite"),
           detail::concat(static_cast<int>(*worst), *worst == 0xff ? " (NaN)" : "", " at ",
                          worst - codes));
  const int64_t blocks = in_features / kBlock, pairs = (blocks + 1) / 2;
  if (blocks % 2 == 0) return stored.reshape({out_features, pairs, 2});
  Tensor padded = Tensor::host(DType::u8, {out_features, pairs, 2});
  uint8_t* target = padded.as_mutable<uint8_t>();
  for (int64_t row = 0; row < out_features; ++row, target += 2 * pairs) {
    std::memcpy(target, codes + row * blocks, static_cast<size_t>(blocks));
    target[blocks] = 0;
  }
  return padded;
}

Tensor LayerTensors::numbers(const std::string& part, const Tensor& stored,
                             bool may_be_negative) const {
  Tensor result = Tensor::host(DType::f32, stored.shape());
  for (int64_t i = 0; i < stored.elements(); ++i) {
    const float value = number_at(stored, i);
    if (!std::isfinite(value) || (value < 0.0f && !may_be_negative))
      refuse(part, may_be_negative ? "finite numbers" : "finite numbers from 0 on",
             value_text(value, i));
    result.as_mutable<float>()[i] = value;
  }
  return result;
}

void LayerTensors::check_offset_form(int64_t out_features) const {
  if (has("weight_offset")) get("weight_offset", number_forms({out_features, 1}));
}

void LayerTensors::check_offset() const {
  if (!has("weight_offset")) return;
  const Tensor offset = source_.weights->get(source_.layer + ".weight_offset");
  for (int64_t i = 0; i < offset.elements(); ++i)
    if (number_at(offset, i) != 0.0f)
      refuse("weight_offset", "zeros (weights are symmetric)", value_text(number_at(offset, i), i));
}

}  // namespace mxdit::modelslim
