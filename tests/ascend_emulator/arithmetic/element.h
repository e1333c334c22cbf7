// Element types of device tensors and their conversions, written from the specification alone.
//
// The enumerators carry the numbers of aclDataType. Widening to fp32 is exact for every type of at
// most 16 bits. Narrowing rounds to nearest even; E4M3FN and E5M2 saturate (Inf too) and keep NaN,
// E2M1 saturates at 6 and has no NaN (it becomes +6). Pure functions; any number of threads.
#pragma once

#include <bit>
#include <cstdint>

namespace ascend_emulator::arithmetic {

enum class Element : int {
  kFloat32 = 0,
  kFloat16 = 1,
  kInt8 = 2,
  kInt32 = 3,
  kUint8 = 4,
  kInt64 = 9,
  kFloat64 = 11,
  kBool = 12,
  kBfloat16 = 27,
  kE5m2 = 35,
  kE4m3fn = 36,
  kE8m0 = 37,
  kE2m1 = 40,
};

// Rounding onto the E2M1 grid: half to even, half away from zero, towards minus infinity.
enum class RoundMode { kRint, kRound, kFloor };

// False for numbers that name no type above.
bool is_element(int code);
int element_bits(Element element);
// Bytes of `count` elements; two E2M1 elements share a byte, an odd count rounds up.
int64_t element_bytes(Element element, int64_t count);
// fp32, fp16 and bf16: what the arithmetic operators accept.
bool is_real(Element element);

inline float bf16_to_float(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

inline uint16_t float_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t quiet = (bits >> 16) | 0x40u;
  return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

float fp16_to_float(uint16_t bits);
uint16_t float_to_fp16(float value);

float e4m3fn_to_float(uint8_t bits);
float e5m2_to_float(uint8_t bits);
float e2m1_to_float(uint8_t nibble);
// 2^(code-127), NaN for 0xFF. Double, since products of two scales leave the range of fp32.
double e8m0_to_double(uint8_t code);

uint8_t float_to_e4m3fn(float value);
uint8_t float_to_e5m2(float value);
uint8_t float_to_e2m1(float value, RoundMode mode);
// The same for a bf16 argument, from a table: what the quantizers use.
const uint8_t* bf16_to_e4m3fn_table();
const uint8_t* bf16_to_e5m2_table();
const uint8_t* bf16_to_e2m1_table(RoundMode mode);

// `count` adjacent elements to and from fp32. E2M1: first and count even or the last nibble is
// left. Integers round to nearest when they do not fit fp32; see cast() for exact conversions.
void widen(Element element, const void* source, int64_t count, float* out);
void narrow(Element element, const float* source, int64_t count, void* out);

}  // namespace ascend_emulator::arithmetic
