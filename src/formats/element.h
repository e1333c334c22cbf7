// Scalar conversions between fp32 and the 16-bit and 8-bit element types.
//
// Rounding is to nearest, ties to even. E4M3FN and E5M2 follow OCP FP8 1.0.
#pragma once

#include <bit>
#include <cstdint>

namespace mxdit {

struct bf16 {
  uint16_t bits;
};
struct f16 {
  uint16_t bits;
};

inline float to_float(bf16 value) noexcept {
  return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16);
}

// NaN keeps its sign and becomes quiet.
inline bf16 to_bf16(float value) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

float to_float(f16 value) noexcept;
f16 to_f16(float value) noexcept;

float e4m3_to_float(uint8_t code) noexcept;
float e5m2_to_float(uint8_t code) noexcept;

}  // namespace mxdit
