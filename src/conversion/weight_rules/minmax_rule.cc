#include "conversion/weight_rules/minmax_rule.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "core/error.h"

namespace mxdit::conversion {

namespace {

constexpr int64_t kGroup = 512, kBlock = 32;

bool serves(const QuantFormat& format) {
  return &format == &kMxfp4Dual;
}

void widen(const Tensor& weight, int64_t begin, int64_t count, float* out) {
  switch (weight.dtype()) {
    case DType::f32:
      std::copy_n(weight.as<float>() + begin, count, out);
      return;
    case DType::bf16:
      for (int64_t i = 0; i < count; ++i)
        out[i] = to_float(bf16{weight.as<uint16_t>()[begin + i]});
      return;
    default:
      for (int64_t i = 0; i < count; ++i) out[i] = to_float(f16{weight.as<uint16_t>()[begin + i]});
  }
}

float maximum(const float* x, int64_t count) {
  float largest = 0.0f;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(x[i]));
  return largest;
}

// The E2M1 code of v: how many midpoints its magnitude has reached. Comparisons instead of a table
// or a search, which compilers turn into vector code.
uint8_t element_code(float v) {
  const float m = std::fabs(v);
  const int code = (m >= 0.25f) + (m >= 0.75f) + (m >= 1.25f) + (m >= 1.75f) + (m >= 2.5f) +
                   (m >= 3.5f) + (m >= 5.0f);
  return static_cast<uint8_t>(code | (std::bit_cast<uint32_t>(v) >> 31) << 3);
}

uint8_t scale_code(const float* v) {
  const float largest = maximum(v, kBlock) * 8.0f / 7.0f + 9.6e-7f;
  // Never subnormal, so its exponent field is floor(log2) + 127.
  return static_cast<uint8_t>((std::bit_cast<uint32_t>(largest) >> 23) - 2);
}

// One group of `count` columns, 512 but for a row's last.
void encode_group(float* v, int64_t count, uint8_t* elements, uint8_t* codes, float* scale) {
  const float s = maximum(v, count) / 6.0f;
  *scale = s;
  for (int64_t i = 0; i < count; ++i) v[i] = s == 0.0f ? v[i] * 0.0f : v[i] / s;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const uint8_t code = scale_code(v + begin);
    codes[begin / kBlock] = code;
    const float reciprocal = std::ldexp(1.0f, 127 - code);
    std::array<uint8_t, kBlock> nibbles;
    for (int64_t i = 0; i < kBlock; ++i)
      nibbles[static_cast<size_t>(i)] = element_code(v[begin + i] * reciprocal);
    for (size_t i = 0; i < kBlock / 2; ++i)
      elements[static_cast<size_t>(begin) / 2 + i] =
          static_cast<uint8_t>(nibbles[2 * i] | nibbles[2 * i + 1] << 4);
  }
}

void encode_rows(const Tensor& weight, int64_t begin, int64_t end, QuantizedMatrix& out) {
  const int64_t columns = out.columns;
  auto* elements = static_cast<uint8_t*>(out.elements.mutable_data());
  auto* codes = static_cast<uint8_t*>(out.block_scale.mutable_data());
  float* scales = out.scale.as_mutable<float>();
  const int64_t row_codes = out.format->block_scale_shape(1, columns).elements();
  const int64_t groups = out.format->groups(columns);
  std::array<float, kGroup> v;
  for (int64_t row = begin; row < end; ++row)
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t column = group * kGroup, count = std::min(kGroup, columns - column);
      widen(weight, row * columns + column, count, v.data());
      encode_group(v.data(), count, elements + (row * columns + column) / 2,
                   codes + row * row_codes + column / kBlock, scales + row * groups + group);
    }
}

QuantizedMatrix encode(const RuleContext& context, const Tensor& weight,
                       const QuantFormat& format) {
  const int64_t rows = weight.dim(0), columns = weight.dim(1);
  MXDIT_CHECK(columns % kBlock == 0, "[conversion] minmax: expected a multiple of ", kBlock,
              " columns, got ", columns);
  QuantizedMatrix result = empty_matrix(format, rows, columns);
  const int64_t step = rows_per_piece(columns);
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t end = std::min(begin + step, rows);
    context.threads.parallel_for(end - begin, 8, [&](int64_t from, int64_t to) {
      encode_rows(weight, begin + from, begin + to, result);
    });
    if (context.rows_done) context.rows_done(end - begin);
  }
  return result;
}

}  // namespace

const WeightRule kMinmaxRule = {"minmax", "msmodelslim's min-max rule, for W4A4_MXFP4_DUALSCALE",
                                serves, encode};

}  // namespace mxdit::conversion
