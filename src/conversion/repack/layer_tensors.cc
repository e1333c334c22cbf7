#include "conversion/repack/layer_tensors.h"

#include <algorithm>
#include <array>

namespace mxdit::conversion {

namespace {

constexpr int64_t kBlock = 32;   // elements per exponent
constexpr int64_t kGroup = 512;  // elements per second-level scale

using Tensors = std::vector<LayerTensor>;

const std::vector<DType>& plain_types() {
  static const std::vector<DType> types = {DType::f32, DType::f16, DType::bf16};
  return types;
}

int64_t parts(int64_t length, int64_t part) {
  return (length + part - 1) / part;
}

void add_mul_scale(Tensors& tensors, int64_t in) {
  tensors.push_back({"mul_scale", {{plain_types(), {in}}}, false});
}

Tensors mxfp8_tensors(int64_t out, int64_t in) {
  Tensors tensors = {{"weight", {{{DType::f8_e4m3}, {out, in}}}},
                     {"weight_scale", {{{DType::u8}, {out, parts(in, kBlock)}}}}};
  add_mul_scale(tensors, in);
  return tensors;
}

// Some exporters write two-level scales under the single-level type as well.
Tensors mxfp4_tensors(int64_t out, int64_t in, bool dual) {
  Tensors tensors = {
      {"weight", {{{DType::f8_e4m3}, {out, in}}, {{DType::u8}, {out, parts(in, 2)}}}},
      {"weight_scale", {{{DType::u8}, {out, parts(in, kBlock)}}}},
      {"weight_dual_scale", {{{DType::f32}, {out, parts(in, kGroup), 1}}}, dual}};
  add_mul_scale(tensors, in);
  return tensors;
}

Tensors int8_tensors(int64_t out, int64_t in, bool is_static) {
  Tensors tensors = {{"weight", {{{DType::i8}, {out, in}}}},
                     {"weight_scale", {{plain_types(), {out, 1}}}},
                     {"weight_offset", {{plain_types(), {out, 1}}}}};
  if (is_static) {
    tensors.push_back({"input_scale", {{plain_types(), {1}}}});
    tensors.push_back({"input_offset", {{plain_types(), {1}}}});
    tensors.push_back({"quant_bias", {{{DType::i32}, {out}}}, false});
    tensors.push_back({"deq_scale", {{{DType::f32, DType::i64}, {out}}}});
  }
  add_mul_scale(tensors, in);
  return tensors;
}

Tensors int4_tensors(int64_t out, int64_t in) {
  Tensors tensors = {{"weight", {{{DType::i8}, {out, in}}, {{DType::i8}, {parts(out, 2), in}}}},
                     {"weight_scale", {{plain_types(), {out, 1}}}},
                     {"weight_offset", {{plain_types(), {out, 1}}}}};
  add_mul_scale(tensors, in);
  return tensors;
}

}  // namespace

std::optional<std::vector<LayerTensor>> layer_tensors(std::string_view type, int64_t out,
                                                      int64_t in) {
  if (is_plain_type(type)) return Tensors{{"weight", {plain_form({out, in})}}};
  if (type == "W8A8_MXFP8") return mxfp8_tensors(out, in);
  if (is_mxfp4_type(type)) return mxfp4_tensors(out, in, type == "W4A4_MXFP4_DUALSCALE");
  if (type == "W8A8" || type == "W8A8_DYNAMIC") return int8_tensors(out, in, type == "W8A8");
  if (type == "W4A4_DYNAMIC") return int4_tensors(out, in);
  return std::nullopt;
}

StoredForm plain_form(const Shape& shape) {
  return {plain_types(), shape};
}

bool is_plain_type(std::string_view type) {
  return type.empty() || type == "FLOAT";
}

bool is_mxfp4_type(std::string_view type) {
  return type == "W4A4_MXFP4" || type == "W4A4_MXFP4_DUALSCALE";
}

bool is_quantization_tensor(std::string_view last_segment) {
  constexpr std::array<std::string_view, 8> kNames = {
      "weight_scale", "weight_offset", "weight_dual_scale", "mul_scale",
      "input_scale",  "input_offset",  "quant_bias",        "deq_scale"};
  return std::find(kNames.begin(), kNames.end(), last_segment) != kNames.end();
}

std::string describe(const std::vector<StoredForm>& forms) {
  std::string text;
  for (const StoredForm& form : forms) {
    if (!text.empty()) text += " or ";
    for (size_t i = 0; i < form.dtypes.size(); ++i) {
      if (i > 0) text += i + 1 == form.dtypes.size() ? " or " : ", ";
      text += name(form.dtypes[i]);
    }
    text += " " + to_string(form.shape);
  }
  return text;
}

bool matches(const std::vector<StoredForm>& forms, DType dtype, const Shape& shape) {
  return std::any_of(forms.begin(), forms.end(), [&](const StoredForm& form) {
    return form.shape == shape &&
           std::find(form.dtypes.begin(), form.dtypes.end(), dtype) != form.dtypes.end();
  });
}

}  // namespace mxdit::conversion
