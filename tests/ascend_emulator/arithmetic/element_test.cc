// Codecs against the definitions of the formats, on every code and at every rounding boundary.
#include "ascend_emulator/arithmetic/element.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ascend_emulator::arithmetic {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

// Every finite code decodes to a value that encodes to it again, and the mean of neighbours goes to
// the even code.
template <typename Decode, typename Encode>
void expect_round_trip(int last_finite, Decode&& decode, Encode&& encode) {
  for (int code = 0; code <= last_finite; ++code) {
    EXPECT_EQ(encode(decode(code)), code);
    if (code == last_finite) break;
    const float low = decode(code), high = decode(code + 1);
    ASSERT_LT(low, high) << code;
    const float middle = low + (high - low) / 2;
    EXPECT_EQ(encode(middle), code + code % 2) << code;
    EXPECT_EQ(encode(std::nextafter(middle, 0.0f)), code) << code;
    EXPECT_EQ(encode(std::nextafter(middle, kInfinity)), code + 1) << code;
    EXPECT_EQ(decode(encode(-middle)), -decode(encode(middle))) << code;
  }
}

TEST(Element, Fp16RoundsToNearestEven) {
  expect_round_trip(
      0x7bff, [](int code) { return fp16_to_float(static_cast<uint16_t>(code)); },
      [](float value) { return float_to_fp16(value); });
  EXPECT_EQ(float_to_fp16(65519.0f), 0x7bff);
  EXPECT_EQ(float_to_fp16(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_fp16(-1e30f), 0xfc00);
  EXPECT_EQ(float_to_fp16(-0.0f), 0x8000);
  EXPECT_EQ(float_to_fp16(0x1p-25f), 0);
  EXPECT_EQ(float_to_fp16(0x1.8p-25f), 1);
  EXPECT_TRUE(std::isnan(fp16_to_float(float_to_fp16(kNan))));
  EXPECT_EQ(fp16_to_float(0xfc00), -kInfinity);
  EXPECT_EQ(fp16_to_float(1), 0x1p-24f);
}

TEST(Element, Bf16RoundsToNearestEven) {
  expect_round_trip(
      0x7f7f, [](int code) { return bf16_to_float(static_cast<uint16_t>(code)); },
      [](float value) { return float_to_bf16(value); });
  EXPECT_EQ(float_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(float_to_bf16(-0.0f), 0x8000);
  // A NaN whose payload lies in the dropped bits stays one.
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

TEST(Element, E4m3fnSaturatesAndHasNoInfinity) {
  expect_round_trip(
      0x7e, [](int code) { return e4m3fn_to_float(static_cast<uint8_t>(code)); },
      [](float value) { return float_to_e4m3fn(value); });
  EXPECT_EQ(e4m3fn_to_float(0x7e), 448.0f);
  EXPECT_EQ(e4m3fn_to_float(0x01), 0x1p-9f);
  EXPECT_EQ(e4m3fn_to_float(0x08), 0x1p-6f);
  EXPECT_EQ(e4m3fn_to_float(0x38), 1.0f);
  EXPECT_TRUE(std::isnan(e4m3fn_to_float(0x7f)));
  EXPECT_EQ(float_to_e4m3fn(1e9f), 0x7e);
  EXPECT_EQ(float_to_e4m3fn(-kInfinity), 0xfe);
  EXPECT_EQ(float_to_e4m3fn(kNan) & 0x7f, 0x7f);
  EXPECT_EQ(float_to_e4m3fn(-0.0f), 0x80);
}

TEST(Element, E5m2Saturates) {
  expect_round_trip(
      0x7b, [](int code) { return e5m2_to_float(static_cast<uint8_t>(code)); },
      [](float value) { return float_to_e5m2(value); });
  EXPECT_EQ(e5m2_to_float(0x7b), 57344.0f);
  EXPECT_EQ(e5m2_to_float(0x01), 0x1p-16f);
  EXPECT_EQ(e5m2_to_float(0x7c), kInfinity);
  EXPECT_EQ(float_to_e5m2(60000.0f), 0x7b);
  EXPECT_TRUE(std::isnan(e5m2_to_float(float_to_e5m2(kNan))));
}

TEST(Element, E2m1RoundsByMode) {
  const float grid[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  for (uint8_t code = 0; code < 8; ++code) {
    EXPECT_EQ(e2m1_to_float(code), grid[code]);
    EXPECT_EQ(e2m1_to_float(code | 8), -grid[code]);
    for (const RoundMode mode : {RoundMode::kRint, RoundMode::kRound, RoundMode::kFloor}) {
      EXPECT_EQ(float_to_e2m1(grid[code], mode), code);
      EXPECT_EQ(float_to_e2m1(-grid[code], mode), code | 8);
    }
  }
  const auto all = [](float value) {
    return std::vector<int>{float_to_e2m1(value, RoundMode::kRint),
                            float_to_e2m1(value, RoundMode::kRound),
                            float_to_e2m1(value, RoundMode::kFloor)};
  };
  EXPECT_EQ(all(0.25f), (std::vector<int>{0, 1, 0}));
  EXPECT_EQ(all(0.75f), (std::vector<int>{2, 2, 1}));
  EXPECT_EQ(all(2.5f), (std::vector<int>{4, 5, 4}));
  EXPECT_EQ(all(5.0f), (std::vector<int>{6, 7, 6}));
  EXPECT_EQ(all(-2.5f), (std::vector<int>{12, 13, 13}));
  EXPECT_EQ(all(-0.1f), (std::vector<int>{8, 8, 9}));
  EXPECT_EQ(all(1e-30f), (std::vector<int>{0, 0, 0}));
  EXPECT_EQ(all(-1e-30f), (std::vector<int>{8, 8, 9}));
  EXPECT_EQ(all(100.0f), (std::vector<int>{7, 7, 7}));
  EXPECT_EQ(all(-kInfinity), (std::vector<int>{15, 15, 15}));
}

TEST(Element, TablesOfBf16AgreeWithTheCodecs) {
  for (uint32_t bits = 0; bits < 65536; bits += 7) {
    const float value = bf16_to_float(static_cast<uint16_t>(bits));
    ASSERT_EQ(bf16_to_e4m3fn_table()[bits], float_to_e4m3fn(value));
    ASSERT_EQ(bf16_to_e5m2_table()[bits], float_to_e5m2(value));
    for (const RoundMode mode : {RoundMode::kRint, RoundMode::kRound, RoundMode::kFloor}) {
      ASSERT_EQ(bf16_to_e2m1_table(mode)[bits], float_to_e2m1(value, mode));
    }
  }
}

TEST(Element, E8m0CoversItsRange) {
  EXPECT_EQ(e8m0_to_double(127), 1.0);
  EXPECT_EQ(e8m0_to_double(0), 0x1p-127);
  EXPECT_EQ(e8m0_to_double(254), 0x1p127);
  EXPECT_TRUE(std::isnan(e8m0_to_double(255)));
}

TEST(Element, PackedFp4HasTheEvenElementLow) {
  const float values[] = {0.5f, -6.0f, 3.0f, 1.0f};
  uint8_t bytes[2] = {};
  narrow(Element::kE2m1, values, 4, bytes);
  EXPECT_EQ(bytes[0], 0xf1);
  EXPECT_EQ(bytes[1], 0x25);
  float back[4];
  widen(Element::kE2m1, bytes, 4, back);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(back[i], values[i]);
}

}  // namespace
}  // namespace ascend_emulator::arithmetic
