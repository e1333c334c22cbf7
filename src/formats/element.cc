#include "formats/element.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mxdit {
namespace {

// A float of `exponent_bits` + `mantissa_bits` below the sign bit, without its special values.
float widen(uint32_t magnitude, int exponent_bits, int mantissa_bits) noexcept {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(magnitude >> mantissa_bits);
  const uint32_t fraction = magnitude & ((1u << mantissa_bits) - 1u);
  if (exponent == 0) return std::ldexp(static_cast<float>(fraction), 1 - bias - mantissa_bits);
  return std::ldexp(static_cast<float>(fraction | (1u << mantissa_bits)),
                    exponent - bias - mantissa_bits);
}

// The code nearest to `value`, ties to even; `largest` is the magnitude code of the largest number.
uint8_t narrow(float value, int exponent_bits, int mantissa_bits, uint32_t largest) noexcept {
  const uint8_t sign = std::signbit(value) ? 0x80 : 0;
  if (std::isnan(value)) return static_cast<uint8_t>(sign | 0x7f);
  const int least = 2 - (1 << (exponent_bits - 1));  // exponent of subnormals
  const float magnitude = std::fabs(value);
  if (magnitude >= widen(largest, exponent_bits, mantissa_bits))
    return static_cast<uint8_t>(sign | largest);
  const int exponent = magnitude == 0.0f ? least : std::max(std::ilogb(magnitude), least);
  // In units of the last place; the carry of a rounding up moves into the exponent by itself.
  const auto units = static_cast<uint32_t>(
      std::nearbyint(std::ldexp(magnitude, mantissa_bits - exponent)));
  const auto base = static_cast<uint32_t>(exponent - least) << mantissa_bits;
  return static_cast<uint8_t>(sign | std::min(base + units, largest));
}

}  // namespace

float to_float(f16 value) noexcept {
  const uint32_t magnitude = value.bits & 0x7fffu;
  float result;
  if (magnitude > 0x7c00u) {
    result = std::numeric_limits<float>::quiet_NaN();
  } else if (magnitude == 0x7c00u) {
    result = std::numeric_limits<float>::infinity();
  } else {
    result = widen(magnitude, 5, 10);
  }
  return (value.bits & 0x8000u) != 0 ? -result : result;
}

f16 to_f16(float value) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {static_cast<uint16_t>(sign | 0x7e00u)};
  if (magnitude >= 0x477ff000u) return {static_cast<uint16_t>(sign | 0x7c00u)};  // >= 65520
  if (magnitude < 0x38800000u) {  // below 2^-14: subnormal, units of 2^-24
    const float scaled = std::bit_cast<float>(magnitude) * 16777216.0f;
    return {static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(scaled)))};
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return {static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13))};
}

float e4m3_to_float(uint8_t code) noexcept {
  const uint32_t magnitude = code & 0x7fu;
  const float result =
      magnitude == 0x7fu ? std::numeric_limits<float>::quiet_NaN() : widen(magnitude, 4, 3);
  return (code & 0x80u) != 0 ? -result : result;
}

float e5m2_to_float(uint8_t code) noexcept {
  return to_float(f16{static_cast<uint16_t>(code << 8)});
}

uint8_t to_e4m3(float value) noexcept {
  return narrow(value, 4, 3, 0x7e);
}

uint8_t to_e5m2(float value) noexcept {
  return narrow(value, 5, 2, 0x7b);
}

float e2m1_to_float(uint8_t code) noexcept {
  const float magnitude = widen(code & 0x7u, 2, 1);
  return (code & 0x8u) != 0 ? -magnitude : magnitude;
}

uint8_t to_e2m1(float value, RoundMode mode) noexcept {
  if (std::isnan(value)) return 0;
  const bool negative = std::signbit(value);
  const float magnitude = std::min(std::fabs(value), 6.0f);
  // Codes are evenly spaced by 0.5 below 2, by 1 up to 4 and by 2 up to 6.
  const float step = magnitude < 2.0f ? 0.5f : magnitude < 4.0f ? 1.0f : 2.0f;
  const float units = magnitude / step;
  float rounded = 0.0f;
  switch (mode) {
    case RoundMode::rint:
      rounded = std::nearbyint(units);
      break;
    case RoundMode::round:
      rounded = std::floor(units + 0.5f);
      break;
    case RoundMode::floor:
      rounded = negative ? std::ceil(units) : std::floor(units);
      break;
  }
  const float result = rounded * step;
  int code = 0;
  while (e2m1_to_float(static_cast<uint8_t>(code)) < result) ++code;
  return static_cast<uint8_t>(code | (negative ? 0x8 : 0));
}

}  // namespace mxdit
