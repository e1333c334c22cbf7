// Scalar conversions between fp32 and the 16-bit, 8-bit and 4-bit element types.
//
// Rounding is to nearest, ties to even, unless a RoundMode says otherwise. E4M3FN and E5M2 follow
// OCP FP8 1.0; E2M1 and E8M0 follow OCP MX 1.0.
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
// Saturating at +-448 and +-57344, infinities included; NaN becomes 0x7f with its sign.
uint8_t to_e4m3(float value) noexcept;
uint8_t to_e5m2(float value) noexcept;

// How a value between two codes is rounded: to the nearest, ties to even (rint) or away from zero
// (round), or toward minus infinity (floor).
enum class RoundMode : uint8_t { rint, round, floor };

// Codes 0..7 are 0, 0.5, 1, 1.5, 2, 3, 4, 6; bit 3 is the sign. Bits 4..7 are ignored.
float e2m1_to_float(uint8_t code) noexcept;
// Saturating at +-6. Keeps the sign of zero and of what rounds to zero (0x8); NaN gives 0.
uint8_t to_e2m1(float value, RoundMode mode) noexcept;

// 2^(code - 127); 0xff is NaN. Code 0 is the subnormal 2^-127.
inline float e8m0_to_float(uint8_t code) noexcept {
  if (code == 0xff) return std::bit_cast<float>(0x7fc00000u);
  return std::bit_cast<float>(code == 0 ? 0x00400000u : static_cast<uint32_t>(code) << 23);
}

}  // namespace mxdit
