#include "ascend_emulator/arithmetic/element.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace ascend_emulator::arithmetic {
namespace {

// A float of sign, exponent and mantissa bits without infinities, as its largest finite code says.
struct SmallFloat {
  int mantissa_bits;
  int bias;
  float largest;
  uint8_t largest_code;
  uint8_t nan_code;
};

constexpr SmallFloat kE4m3Form{3, 7, 448.0f, 0x7e, 0x7f};
constexpr SmallFloat kE5m2Form{2, 15, 57344.0f, 0x7b, 0x7e};

uint8_t encode(const SmallFloat& form, float value) {
  const uint8_t sign = std::signbit(value) ? 0x80 : 0;
  if (std::isnan(value)) return sign | form.nan_code;
  const float magnitude = std::fabs(value);
  if (magnitude >= form.largest) return sign | form.largest_code;
  const int lowest = 1 - form.bias;
  const int exponent = magnitude == 0 ? lowest : std::max(std::ilogb(magnitude), lowest);
  // The quantum is a power of two: the division is exact and rint rounds once, half to even.
  const double steps =
      std::rint(std::ldexp(static_cast<double>(magnitude), form.mantissa_bits - exponent));
  // Steps that reach the next power of two carry into the exponent field by themselves.
  const int code = ((exponent + form.bias - 1) << form.mantissa_bits) + static_cast<int>(steps);
  return sign | static_cast<uint8_t>(std::min<int>(code, form.largest_code));
}

float decode(const SmallFloat& form, uint8_t bits) {
  const int exponent = (bits & 0x7f) >> form.mantissa_bits;
  const int mantissa = bits & ((1 << form.mantissa_bits) - 1);
  const int steps = exponent == 0 ? mantissa : mantissa + (1 << form.mantissa_bits);
  const float magnitude =
      std::ldexp(static_cast<float>(steps), std::max(exponent, 1) - form.bias - form.mantissa_bits);
  return bits & 0x80 ? -magnitude : magnitude;
}

std::array<float, 256> decode_all(const SmallFloat& form) {
  std::array<float, 256> table;
  for (int code = 0; code < 256; ++code) {
    table[code] = decode(form, static_cast<uint8_t>(code));
    if ((code & 0x7f) > form.largest_code) table[code] = std::numeric_limits<float>::quiet_NaN();
  }
  return table;
}

std::array<float, 256> e5m2_values() {
  auto table = decode_all(kE5m2Form);
  table[0x7c] = std::numeric_limits<float>::infinity();
  table[0xfc] = -table[0x7c];
  return table;
}

template <typename Encode>
std::vector<uint8_t> tabulate(Encode&& encode_one) {
  std::vector<uint8_t> table(1 << 16);
  for (uint32_t bits = 0; bits < table.size(); ++bits) {
    table[bits] = encode_one(bf16_to_float(static_cast<uint16_t>(bits)));
  }
  return table;
}

constexpr std::array<float, 8> kE2m1{0, 0.5f, 1, 1.5f, 2, 3, 4, 6};

void widen_e2m1(const uint8_t* bytes, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    out[i] = e2m1_to_float(bytes[i / 2] >> (i % 2 * 4) & 0xf);
  }
}

void narrow_e2m1(const float* source, int64_t count, uint8_t* bytes) {
  for (int64_t i = 0; i < count; i += 2) {
    const uint8_t low = float_to_e2m1(source[i], RoundMode::kRint);
    const uint8_t high = i + 1 < count ? float_to_e2m1(source[i + 1], RoundMode::kRint)
                                       : static_cast<uint8_t>(bytes[i / 2] >> 4);
    bytes[i / 2] = static_cast<uint8_t>(low | high << 4);
  }
}

template <typename T>
void widen_number(const void* source, int64_t count, float* out) {
  const T* numbers = static_cast<const T*>(source);
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(numbers[i]);
}

template <typename T>
void narrow_integer(const float* source, int64_t count, void* out) {
  constexpr double kLow = static_cast<double>(std::numeric_limits<T>::min());
  constexpr double kHigh = static_cast<double>(std::numeric_limits<T>::max());
  T* numbers = static_cast<T*>(out);
  for (int64_t i = 0; i < count; ++i) {
    const double value = std::trunc(static_cast<double>(source[i]));
    if (std::isnan(value)) {
      numbers[i] = 0;
    } else if (value >= kHigh) {
      numbers[i] = std::numeric_limits<T>::max();
    } else {
      numbers[i] = value <= kLow ? std::numeric_limits<T>::min() : static_cast<T>(value);
    }
  }
}

}  // namespace

bool is_element(int code) {
  switch (static_cast<Element>(code)) {
    case Element::kFloat32:
    case Element::kFloat16:
    case Element::kInt8:
    case Element::kInt32:
    case Element::kUint8:
    case Element::kInt64:
    case Element::kFloat64:
    case Element::kBool:
    case Element::kBfloat16:
    case Element::kE5m2:
    case Element::kE4m3fn:
    case Element::kE8m0:
    case Element::kE2m1:
      return true;
  }
  return false;
}

int element_bits(Element element) {
  switch (element) {
    case Element::kE2m1:
      return 4;
    case Element::kFloat16:
    case Element::kBfloat16:
      return 16;
    case Element::kFloat32:
    case Element::kInt32:
      return 32;
    case Element::kInt64:
    case Element::kFloat64:
      return 64;
    default:
      return 8;
  }
}

int64_t element_bytes(Element element, int64_t count) {
  return (count * element_bits(element) + 7) / 8;
}

bool is_real(Element element) {
  return element == Element::kFloat32 || element == Element::kFloat16 ||
         element == Element::kBfloat16;
}

float fp16_to_float(uint16_t bits) {
  // Moving the exponent field and scaling by 2^112 is exact for normal and subnormal numbers.
  const float scaled = std::bit_cast<float>(static_cast<uint32_t>(bits & 0x7fff) << 13) * 0x1p112f;
  uint32_t result = std::bit_cast<uint32_t>(scaled);
  if ((bits & 0x7c00) == 0x7c00) result |= 0x7f800000u;
  return std::bit_cast<float>(result | static_cast<uint32_t>(bits & 0x8000) << 16);
}

uint16_t float_to_fp16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  // Below 2^-14 the sum with 0.5 rounds to multiples of 2^-24, the subnormal quantum.
  const uint32_t subnormal =
      std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  uint32_t result = magnitude < 0x38800000u ? subnormal : normal;
  result = magnitude >= 0x47800000u ? 0x7c00u : result;
  result = magnitude > 0x7f800000u ? 0x7e00u : result;
  return static_cast<uint16_t>(result | sign);
}

float e4m3fn_to_float(uint8_t bits) {
  static const auto table = decode_all(kE4m3Form);
  return table[bits];
}

float e5m2_to_float(uint8_t bits) {
  static const auto table = e5m2_values();
  return table[bits];
}

float e2m1_to_float(uint8_t nibble) {
  return nibble & 8 ? -kE2m1[nibble & 7] : kE2m1[nibble & 7];
}

double e8m0_to_double(uint8_t code) {
  return code == 0xff ? std::numeric_limits<double>::quiet_NaN() : std::ldexp(1.0, code - 127);
}

uint8_t float_to_e4m3fn(float value) {
  return encode(kE4m3Form, value);
}
uint8_t float_to_e5m2(float value) {
  return encode(kE5m2Form, value);
}

uint8_t float_to_e2m1(float value, RoundMode mode) {
  if (std::isnan(value)) return 7;
  const bool negative = std::signbit(value);
  const float magnitude = std::fabs(value);
  int below = 7;  // the largest grid value not above the magnitude
  while (kE2m1[below] > magnitude) --below;
  int code = below;
  if (below < 7 && magnitude != kE2m1[below]) {
    // Neighbours have few bits: their mean is exact, and comparing with it decides the rounding.
    const float middle = (kE2m1[below] + kE2m1[below + 1]) * 0.5f;
    const bool tie_up = mode == RoundMode::kRound || below % 2 == 1;
    bool up = magnitude > middle || (magnitude == middle && tie_up);
    if (mode == RoundMode::kFloor) up = negative;
    code += up ? 1 : 0;
  }
  return static_cast<uint8_t>(code | (negative ? 8 : 0));
}

const uint8_t* bf16_to_e4m3fn_table() {
  static const auto table = tabulate(float_to_e4m3fn);
  return table.data();
}

const uint8_t* bf16_to_e5m2_table() {
  static const auto table = tabulate(float_to_e5m2);
  return table.data();
}

const uint8_t* bf16_to_e2m1_table(RoundMode mode) {
  static const std::array<std::vector<uint8_t>, 3> tables{
      tabulate([](float value) { return float_to_e2m1(value, RoundMode::kRint); }),
      tabulate([](float value) { return float_to_e2m1(value, RoundMode::kRound); }),
      tabulate([](float value) { return float_to_e2m1(value, RoundMode::kFloor); })};
  return tables[static_cast<int>(mode)].data();
}

void widen(Element element, const void* source, int64_t count, float* out) {
  const auto* bytes = static_cast<const uint8_t*>(source);
  const auto* halves = static_cast<const uint16_t*>(source);
  switch (element) {
    case Element::kFloat32:
      return widen_number<float>(source, count, out);
    case Element::kFloat16:
      for (int64_t i = 0; i < count; ++i) out[i] = fp16_to_float(halves[i]);
      return;
    case Element::kBfloat16:
      for (int64_t i = 0; i < count; ++i) out[i] = bf16_to_float(halves[i]);
      return;
    case Element::kE4m3fn:
      for (int64_t i = 0; i < count; ++i) out[i] = e4m3fn_to_float(bytes[i]);
      return;
    case Element::kE5m2:
      for (int64_t i = 0; i < count; ++i) out[i] = e5m2_to_float(bytes[i]);
      return;
    case Element::kE8m0:
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(e8m0_to_double(bytes[i]));
      return;
    case Element::kE2m1:
      return widen_e2m1(bytes, count, out);
    case Element::kInt8:
      return widen_number<int8_t>(source, count, out);
    case Element::kUint8:
    case Element::kBool:
      return widen_number<uint8_t>(source, count, out);
    case Element::kInt32:
      return widen_number<int32_t>(source, count, out);
    case Element::kInt64:
      return widen_number<int64_t>(source, count, out);
    case Element::kFloat64:
      return widen_number<double>(source, count, out);
  }
}

void narrow(Element element, const float* source, int64_t count, void* out) {
  auto* bytes = static_cast<uint8_t*>(out);
  auto* halves = static_cast<uint16_t*>(out);
  switch (element) {
    case Element::kFloat32:
      for (int64_t i = 0; i < count; ++i) static_cast<float*>(out)[i] = source[i];
      return;
    case Element::kFloat16:
      for (int64_t i = 0; i < count; ++i) halves[i] = float_to_fp16(source[i]);
      return;
    case Element::kBfloat16:
      for (int64_t i = 0; i < count; ++i) halves[i] = float_to_bf16(source[i]);
      return;
    case Element::kE4m3fn:
      for (int64_t i = 0; i < count; ++i) bytes[i] = float_to_e4m3fn(source[i]);
      return;
    case Element::kE5m2:
      for (int64_t i = 0; i < count; ++i) bytes[i] = float_to_e5m2(source[i]);
      return;
    case Element::kE8m0:
      return;  // no operator rounds values to scales
    case Element::kE2m1:
      return narrow_e2m1(source, count, bytes);
    case Element::kInt8:
      return narrow_integer<int8_t>(source, count, out);
    case Element::kUint8:
      return narrow_integer<uint8_t>(source, count, out);
    case Element::kBool:
      for (int64_t i = 0; i < count; ++i) bytes[i] = source[i] != 0 ? 1 : 0;
      return;
    case Element::kInt32:
      return narrow_integer<int32_t>(source, count, out);
    case Element::kInt64:
      return narrow_integer<int64_t>(source, count, out);
    case Element::kFloat64:
      for (int64_t i = 0; i < count; ++i) static_cast<double*>(out)[i] = source[i];
      return;
  }
}

}  // namespace ascend_emulator::arithmetic
