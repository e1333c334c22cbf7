#include "conversion/quantize/weight_types.h"

#include <algorithm>

#include "core/error.h"

namespace mxdit::conversion {

const WeightType kFloat = {"FLOAT", nullptr, 1, nullptr};
const WeightType kW8A8Mxfp8 = {"W8A8_MXFP8", &kMxfp8, 32, &kFloat};
const WeightType kW4A4Mxfp4 = {"W4A4_MXFP4", &kMxfp4, 32, &kFloat};
const WeightType kW4A4Mxfp4Dualscale = {"W4A4_MXFP4_DUALSCALE", &kMxfp4Dual, 32, &kFloat};
const WeightType kW8A8Dynamic = {"W8A8_DYNAMIC", &kInt8Row, 1, &kFloat};
const WeightType kW4A4Dynamic = {"W4A4_DYNAMIC", &kInt4Row, 1, &kFloat};

std::span<const WeightType* const> weight_types() {
  static constexpr const WeightType* kTypes[] = {&kW8A8Mxfp8, &kW4A4Mxfp4, &kW4A4Mxfp4Dualscale,
                                                 &kW8A8Dynamic, &kW4A4Dynamic};
  return kTypes;
}

const WeightType& find_weight_type(const std::string& name) {
  std::string known;
  for (const WeightType* type : weight_types()) {
    if (name == type->name) return *type;
    known += (known.empty() ? "" : ", ") + std::string(type->name);
  }
  fail(ErrorKind::usage, "[conversion] --type: expected one of ", known, ", got \"", name, "\"");
}

std::vector<StoredPart> stored_parts(const WeightType& type, int64_t out, int64_t in,
                                     bool container) {
  const QuantFormat& format = *type.format;
  std::vector<StoredPart> parts = {{"bias", LayerPart::bias, DType::f32, {out}}};
  if (container && format.element == &kE2m1)
    parts.push_back({"weight", LayerPart::container, DType::f8_e4m3, {out, in}});
  else
    parts.push_back(
        {"weight", LayerPart::elements, format.element->storage, format.elements_shape(out, in)});
  if (format.group == QuantFormat::kWholeRow) {
    parts.push_back({"weight_offset", LayerPart::zero_offset, DType::f32, {out, 1}});
    parts.push_back({"weight_scale", LayerPart::scale, DType::f32, {out, 1}});
    return parts;
  }
  if (format.has_scale())
    parts.push_back(
        {"weight_dual_scale", LayerPart::scale, DType::f32, {out, format.groups(in), 1}});
  parts.push_back({"weight_scale", LayerPart::block_scale, DType::u8, {out, in / format.block}});
  return parts;
}

}  // namespace mxdit::conversion
