#include "formats/element.h"

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

}  // namespace mxdit
