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

}  // namespace

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
