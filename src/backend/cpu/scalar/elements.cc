#include "backend/cpu/scalar/elements.h"

#include <cmath>
#include <cstring>

namespace mxdit::cpu::scalar {
namespace {

float from_bits(uint32_t bits) noexcept {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

uint32_t to_bits(float value) noexcept {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

float half_to_float(uint32_t code) noexcept {
  const uint32_t sign = (code & 0x8000u) << 16, magnitude = code & 0x7fffu;
  if (magnitude >= 0x7c00u) {  // infinity, or NaN made quiet
    const uint32_t quiet = magnitude > 0x7c00u ? 0x400000u : 0u;
    return from_bits(sign | 0x7f800000u | quiet | ((magnitude & 0x3ffu) << 13));
  }
  if (magnitude < 0x400u)  // subnormal: units of 2^-24
    return from_bits(sign | to_bits(static_cast<float>(magnitude) * 5.9604644775390625e-8f));
  return from_bits(sign | ((magnitude << 13) + 0x38000000u));
}

float e4m3_to_float(uint32_t code) noexcept {
  const uint32_t sign = (code & 0x80u) << 24, magnitude = code & 0x7fu;
  if (magnitude == 0x7fu) return from_bits(sign | 0x7fc00000u);
  if (magnitude < 8u)  // subnormal: units of 2^-9
    return from_bits(sign | to_bits(static_cast<float>(magnitude) * 0.001953125f));
  return from_bits(sign | ((magnitude << 20) + 0x3c000000u));
}

uint16_t float_to_bf16(float value) noexcept {
  const uint32_t bits = to_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

uint16_t float_to_half(float value) noexcept {
  const uint32_t bits = to_bits(value);
  const uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and up
  if (magnitude < 0x38800000u) {  // below 2^-14: adding 0.5 leaves units of 2^-24, rounded
    const uint32_t rounded = to_bits(from_bits(magnitude) + 0.5f) - to_bits(0.5f);
    return static_cast<uint16_t>(sign | rounded);
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

// Magnitude codes 0..7 of E2M1.
constexpr float kE2m1[] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};

// What `rounding` makes of a value between two whole numbers.
float rounded(float value, Rounding rounding) noexcept {
  if (rounding == Rounding::rint) return std::nearbyint(value);
  return rounding == Rounding::round ? std::round(value) : std::floor(value);
}

uint8_t encode_e2m1(float value, Rounding rounding) noexcept {
  if (std::isnan(value)) return 0;
  const float cut = std::fmax(-6.0f, std::fmin(value, 6.0f)), magnitude = std::fabs(cut);
  // The grid's spacing around the value: 0.5 below 2, 1 up to 4, 2 up to 6.
  const float step = magnitude < 2.0f ? 0.5f : magnitude < 4.0f ? 1.0f : 2.0f;
  const float result = std::fabs(rounded(cut / step, rounding)) * step;
  uint8_t code = std::signbit(value) ? 8 : 0;
  while (kE2m1[code & 7] < result) ++code;
  return code;
}

// A float with `mantissa` explicit bits and exponent bias `bias`, to nearest even.
uint8_t encode_float8(float value, int mantissa, int bias, float largest) noexcept {
  const uint32_t sign = to_bits(value) >> 24 & 0x80u;
  if (std::isnan(value)) return static_cast<uint8_t>(sign | 0x7fu);
  const float magnitude = std::fmin(std::fabs(value), largest);
  int exponent = 1 - bias;  // of subnormals
  if (magnitude >= std::ldexp(1.0f, exponent)) exponent = std::ilogb(magnitude);
  const float units = std::nearbyint(std::ldexp(magnitude, mantissa - exponent));
  const uint32_t base = static_cast<uint32_t>(exponent - 1 + bias) << mantissa;
  return static_cast<uint8_t>(sign | (base + static_cast<uint32_t>(units)));
}

uint8_t encode_integer(float value, Rounding rounding, float least, float most) noexcept {
  if (std::isnan(value)) return 0;
  const float cut = std::fmax(least, std::fmin(value, most));
  return static_cast<uint8_t>(static_cast<int8_t>(rounded(cut, rounding)));
}

}  // namespace

float decode(const uint8_t* row, Code code, int64_t column) noexcept {
  switch (code) {
    case Code::e2m1: {
      const int nibble = row[column / 2] >> (column % 2 == 0 ? 0 : 4) & 0xf;
      return (nibble & 8) != 0 ? -kE2m1[nibble & 7] : kE2m1[nibble & 7];
    }
    case Code::e4m3:
      return e4m3_to_float(row[column]);
    case Code::e5m2:
      return half_to_float(static_cast<uint32_t>(row[column]) << 8);
    case Code::int8:
    case Code::int4:
      return static_cast<float>(static_cast<int8_t>(row[column]));
  }
  return 0.0f;
}

uint8_t encode(float value, Code code, Rounding rounding) noexcept {
  switch (code) {
    case Code::e2m1:
      return encode_e2m1(value, rounding);
    case Code::e4m3:
      return encode_float8(value, 3, 7, 448.0f);
    case Code::e5m2:
      return encode_float8(value, 2, 15, 57344.0f);
    case Code::int8:
      return encode_integer(value, rounding, -128.0f, 127.0f);
    case Code::int4:
      return encode_integer(value, rounding, -8.0f, 7.0f);
  }
  return 0;
}

float load(const void* data, Element type, int64_t index) noexcept {
  switch (type) {
    case Element::f32:
      return static_cast<const float*>(data)[index];
    case Element::bf16:
      return from_bits(static_cast<uint32_t>(static_cast<const uint16_t*>(data)[index]) << 16);
    case Element::f16:
      return half_to_float(static_cast<const uint16_t*>(data)[index]);
    case Element::f8_e4m3:
      return e4m3_to_float(static_cast<const uint8_t*>(data)[index]);
    case Element::f8_e5m2:
      return half_to_float(static_cast<uint32_t>(static_cast<const uint8_t*>(data)[index]) << 8);
  }
  return 0.0f;
}

void store(void* data, Element type, int64_t index, float value) noexcept {
  if (type == Element::f32) static_cast<float*>(data)[index] = value;
  if (type == Element::bf16) static_cast<uint16_t*>(data)[index] = float_to_bf16(value);
  if (type == Element::f16) static_cast<uint16_t*>(data)[index] = float_to_half(value);
}

float apply(Function function, float x) noexcept {
  switch (function) {
    case Function::none:
      return x;
    case Function::silu:
      return x / (1.0f + std::exp(-x));
    case Function::gelu_tanh: {
      const float inner = 0.7978845608028654f * (x + 0.044715f * x * x * x);
      return 0.5f * x * (1.0f + std::tanh(inner));
    }
    case Function::gelu_erf:
      return 0.5f * x * (1.0f + std::erf(x * 0.7071067811865476f));
  }
  return x;
}

}  // namespace mxdit::cpu::scalar
