#include "formats/quant_format.h"

#include <algorithm>
#include <cmath>

namespace mxdit {
namespace {

int64_t ceil_div(int64_t count, int64_t size) {
  return (count + size - 1) / size;
}

uint8_t encode_e4m3(float value, RoundMode /*mode*/) noexcept {
  return to_e4m3(value);
}

uint8_t encode_e5m2(float value, RoundMode /*mode*/) noexcept {
  return to_e5m2(value);
}

// Two's complement; NaN gives 0.
uint8_t encode_integer(float value, RoundMode mode, float least, float most) noexcept {
  if (std::isnan(value)) return 0;
  const float rounded = mode == RoundMode::rint    ? std::nearbyint(value)
                        : mode == RoundMode::round ? std::round(value)
                                                   : std::floor(value);
  return static_cast<uint8_t>(static_cast<int8_t>(std::clamp(rounded, least, most)));
}

uint8_t encode_int8(float value, RoundMode mode) noexcept {
  return encode_integer(value, mode, -128.0f, 127.0f);
}

uint8_t encode_int4(float value, RoundMode mode) noexcept {
  return encode_integer(value, mode, -8.0f, 7.0f);
}

float decode_integer(uint8_t code) noexcept {
  return static_cast<float>(static_cast<int8_t>(code));
}

}  // namespace

const ElementFormat kE2m1 = {"E2M1", 4, DType::u8, 6.0f, 2, e2m1_to_float, to_e2m1};
const ElementFormat kE4m3 = {"E4M3", 8, DType::f8_e4m3, 448.0f, 8, e4m3_to_float, encode_e4m3};
const ElementFormat kE5m2 = {"E5M2", 8, DType::f8_e5m2, 57344.0f, 15, e5m2_to_float, encode_e5m2};
const ElementFormat kInt8 = {"INT8", 8, DType::i8, 127.0f, 6, decode_integer, encode_int8};
const ElementFormat kInt4 = {"INT4", 8, DType::i8, 7.0f, 2, decode_integer, encode_int4};

const QuantFormat kMxfp4Dual = {"mxfp4_dual", &kE2m1, 32, DType::u8, 512, ScaleRule::dual_level};
const QuantFormat kMxfp4 = {"mxfp4", &kE2m1, 32, DType::u8, 0, ScaleRule::shared_exponent};
const QuantFormat kMxfp8 = {"mxfp8", &kE4m3, 32, DType::u8, 0, ScaleRule::shared_exponent};
const QuantFormat kMxfp8E5m2 = {"mxfp8_e5m2", &kE5m2, 32, DType::u8, 0,
                                ScaleRule::shared_exponent};
const QuantFormat kNvfp4 = {"nvfp4", &kE2m1, 16, DType::f8_e4m3, QuantFormat::kWholeRow,
                            ScaleRule::nv_block};
const QuantFormat kFp8Row = {"fp8", &kE4m3, 0, DType::u8, QuantFormat::kWholeRow,
                             ScaleRule::row_maximum, 1.0f / (448.0f * 512.0f)};
const QuantFormat kInt8Row = {"int8", &kInt8, 0, DType::u8, QuantFormat::kWholeRow,
                              ScaleRule::row_maximum};
const QuantFormat kInt4Row = {"int4", &kInt4, 0, DType::u8, QuantFormat::kWholeRow,
                              ScaleRule::row_maximum};

int64_t QuantFormat::groups(int64_t columns) const noexcept {
  if (group == 0) return 0;
  return group == kWholeRow ? 1 : ceil_div(columns, group);
}

Shape QuantFormat::elements_shape(int64_t rows, int64_t columns) const {
  return {rows, element->bits == 4 ? ceil_div(columns, 2) : columns};
}

Shape QuantFormat::block_scale_shape(int64_t rows, int64_t columns) const {
  if (block == 0) return {0};
  if (block_scale_type == DType::u8) return {rows, ceil_div(columns, 2 * block), 2};
  return {rows, ceil_div(columns, block)};
}

Shape QuantFormat::scale_shape(int64_t rows, int64_t columns) const {
  if (group == 0) return {0};
  return {rows, groups(columns)};
}

uint64_t QuantFormat::bytes(int64_t rows, int64_t columns) const {
  return static_cast<uint64_t>(elements_shape(rows, columns).elements() +
                               block_scale_shape(rows, columns).elements() +
                               4 * scale_shape(rows, columns).elements());
}

std::span<const QuantFormat* const> quant_formats() {
  static constexpr const QuantFormat* kFormats[] = {&kMxfp4Dual, &kMxfp4,  &kMxfp8,   &kMxfp8E5m2,
                                                    &kNvfp4,     &kFp8Row, &kInt8Row, &kInt4Row};
  return kFormats;
}

const QuantFormat* find_quant_format(std::string_view name) {
  for (const QuantFormat* format : quant_formats())
    if (format->name == name) return format;
  return nullptr;
}

}  // namespace mxdit
