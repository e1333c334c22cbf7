#include "ascend_emulator/arithmetic/mx_quantization.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace ascend_emulator::arithmetic {
namespace {

constexpr float kOneSixth = std::bit_cast<float>(0x3e2aaaabu);
constexpr uint32_t kSmallestNormal = 0x00800000u;
constexpr int kAllOnes = 0xff;

int exponent_field(float value) {
  return std::bit_cast<uint32_t>(value) >> 23 & 0xff;
}

int largest_exponent(const float* values, int64_t count) {
  int largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, exponent_field(values[i]));
  return largest;
}

float reciprocal_of(int code) {
  return std::ldexp(1.0f, 127 - code);
}

float round_to(Element element, float value) {
  return element == Element::kBfloat16 ? bf16_to_float(float_to_bf16(value))
                                       : fp16_to_float(float_to_fp16(value));
}

struct E8m0Scale {
  uint8_t code;
  float reciprocal;
};

constexpr E8m0Scale kNotANumber{kAllOnes, std::numeric_limits<float>::quiet_NaN()};

E8m0Scale dual_level_scale(int exponent) {
  if (exponent == kAllOnes) return kNotANumber;
  if (exponent == 0) return {0, 0.0f};
  const int code = std::max(exponent - 2, 0);
  return {static_cast<uint8_t>(code), reciprocal_of(code)};
}

void put_nibble(uint8_t* bytes, int64_t index, uint8_t nibble) {
  bytes[index / 2] = static_cast<uint8_t>(index % 2 == 0 ? nibble : bytes[index / 2] | nibble << 4);
}

// Encodes values * reciprocal; the product is one of bf16 for a bf16 input, else of fp32.
class ElementEncoder {
 public:
  ElementEncoder(Element input, Element output, RoundMode mode)
      : output_(output), mode_(mode), bf16_(input == Element::kBfloat16) {
    if (output == Element::kE4m3fn) table_ = bf16_to_e4m3fn_table();
    if (output == Element::kE5m2) table_ = bf16_to_e5m2_table();
    if (output == Element::kE2m1) table_ = bf16_to_e2m1_table(mode);
  }

  void encode(const float* values, int64_t count, float reciprocal, int64_t first,
              uint8_t* out) const {
    for (int64_t i = 0; i < count; ++i) {
      const uint8_t code = encode(values[i] * reciprocal);
      if (output_ == Element::kE2m1) {
        put_nibble(out, first + i, code);
      } else {
        out[first + i] = code;
      }
    }
  }

 private:
  uint8_t encode(float value) const {
    if (bf16_) return table_[float_to_bf16(value)];
    if (output_ == Element::kE2m1) return float_to_e2m1(value, mode_);
    return output_ == Element::kE4m3fn ? float_to_e4m3fn(value) : float_to_e5m2(value);
  }

  Element output_;
  RoundMode mode_;
  bool bf16_;
  const uint8_t* table_ = nullptr;
};

// Step 2 and 3: the fp32 scale of a group, 0 where it would be subnormal.
float level0_scale(const float* values, int64_t count) {
  float amax = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float magnitude = std::fabs(values[i]);
    if (magnitude <= std::numeric_limits<float>::max()) amax = std::max(amax, magnitude);
  }
  const float scale = amax * kOneSixth;
  return std::bit_cast<uint32_t>(scale) < kSmallestNormal ? 0.0f : scale;
}

struct DualRow {
  uint8_t* y;
  float* l0;
  uint8_t* l1;
};

void quantize_dual_row(Element element, float* values, int64_t length,
                       const ElementEncoder& encoder, const DualRow& out) {
  std::fill(out.l1, out.l1 + 2 * blocks_of(length, 2 * kL1Block), uint8_t{0});
  for (int64_t begin = 0; begin < length; begin += kL0Block) {
    const int64_t end = std::min(begin + kL0Block, length);
    const float scale = level0_scale(values + begin, end - begin);
    out.l0[begin / kL0Block] = scale;
    for (int64_t i = begin; i < end; ++i) {
      if (values[i] != 0) values[i] = round_to(element, values[i] / scale);
    }
    for (int64_t at = begin; at < end; at += kL1Block) {
      const int64_t count = std::min(kL1Block, end - at);
      const E8m0Scale level1 = dual_level_scale(largest_exponent(values + at, count));
      out.l1[at / kL1Block] = level1.code;
      encoder.encode(values + at, count, level1.reciprocal, at, out.y);
    }
  }
}

int largest_element_exponent(Element element) {
  if (element == Element::kE4m3fn) return 8;
  return element == Element::kE5m2 ? 15 : 2;
}

E8m0Scale ocp_scale(const float* values, int64_t count, int emax) {
  const int exponent = largest_exponent(values, count);
  if (exponent == kAllOnes) return kNotANumber;
  const int code = std::max(exponent - emax, 0);
  return {static_cast<uint8_t>(code), code == 0 ? 0.0f : reciprocal_of(code)};
}

// The scale is rounded up to a power of two, so that no element saturates.
E8m0Scale ceiling_scale(const float* values, int64_t count, const MxQuantization& quantization) {
  if (largest_exponent(values, count) == kAllOnes) return kNotANumber;
  float amax = quantization.amax_low_bound;
  for (int64_t i = 0; i < count; ++i) amax = std::max(amax, std::fabs(values[i]));
  const float inverse = quantization.element == Element::kE4m3fn ? std::bit_cast<float>(0x3b124925u)
                                                                 : 1.0f / 57344.0f;
  const float scale = amax * inverse;
  const int exponent = exponent_field(scale);
  const bool fraction = (std::bit_cast<uint32_t>(scale) & 0x7fffffu) != 0;
  const int code = exponent + (fraction && exponent >= 1 && exponent <= 253 ? 1 : 0);
  return {static_cast<uint8_t>(code), code == 0 ? 0.0f : reciprocal_of(code)};
}

// Calls body(row index, values) for each row along the last axis, several rows at a time per
// thread.
template <typename Body>
void for_rows(const View& x, Body&& body) {
  const int64_t length = x.dims.back();
  if (x.count() == 0) return;
  std::vector<char> dense;
  const char* data = static_cast<const char*>(x.data);
  if (!x.contiguous()) {
    dense.resize(static_cast<size_t>(element_bytes(x.element, x.count())));
    copy_elements(x, dense_view(dense.data(), x.element, x.dims));
    data = dense.data();
  }
  in_parallel(x.count() / length, x.count() * 8, [&](int64_t begin, int64_t end) {
    std::vector<float> values(static_cast<size_t>(length));
    for (int64_t row = begin; row < end; ++row) {
      widen(x.element, data + element_bytes(x.element, row * length), length, values.data());
      body(row, values.data());
    }
  });
}

}  // namespace

void dual_level_mx_quant(const View& x, const void* smooth, RoundMode mode, uint8_t* y, float* l0,
                         uint8_t* l1) {
  const int64_t length = x.dims.back();
  const ElementEncoder encoder(x.element, Element::kE2m1, mode);
  std::vector<float> factors(static_cast<size_t>(smooth ? length : 0));
  if (smooth) widen(x.element, smooth, length, factors.data());
  for_rows(x, [&](int64_t row, float* values) {
    for (size_t i = 0; i < factors.size(); ++i) {
      values[i] = round_to(x.element, values[i] * factors[i]);
    }
    quantize_dual_row(x.element, values, length, encoder,
                      {y + row * (length / 2), l0 + row * blocks_of(length, kL0Block),
                       l1 + row * 2 * blocks_of(length, 2 * kL1Block)});
  });
}

void mx_quant(const View& x, const MxQuantization& quantization, uint8_t* y, uint8_t* scales) {
  const int64_t length = x.dims.back();
  const int64_t blocks = blocks_of(length, quantization.block);
  const int64_t padded = blocks_of(blocks, 2) * 2;
  const ElementEncoder encoder(x.element, quantization.element, quantization.mode);
  const int emax = largest_element_exponent(quantization.element);
  for_rows(x, [&](int64_t row, float* values) {
    uint8_t* row_scales = scales + row * padded;
    uint8_t* row_y = y + element_bytes(quantization.element, row * length);
    if (padded > blocks) row_scales[blocks] = 0;
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t first = block * quantization.block;
      const int64_t count = std::min(quantization.block, length - first);
      const E8m0Scale scale = quantization.rule == ScaleRule::kOcp
                                  ? ocp_scale(values + first, count, emax)
                                  : ceiling_scale(values + first, count, quantization);
      row_scales[block] = scale.code;
      encoder.encode(values + first, count, scale.reciprocal, first, row_y);
    }
  });
}

}  // namespace ascend_emulator::arithmetic
