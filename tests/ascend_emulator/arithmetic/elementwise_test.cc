// Elementwise and moving operators: where they round, what they broadcast, which views they accept.
#include "ascend_emulator/arithmetic/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "ascend_emulator/arithmetic/movement.h"

namespace ascend_emulator::arithmetic {
namespace {

View view_of(std::vector<float>& values, const Dims& dims) {
  return dense_view(values.data(), Element::kFloat32, dims);
}

TEST(Elementwise, BroadcastsBothSides) {
  std::vector<float> column{1, 2}, row{10, 20, 30}, out(6);
  add(view_of(column, {2, 1}), view_of(row, {3}), 1, view_of(out, {2, 3}));
  EXPECT_EQ(out, (std::vector<float>{11, 21, 31, 12, 22, 32}));
  subtract(view_of(column, {2, 1}), view_of(row, {1, 3}), 2, view_of(out, {2, 3}));
  EXPECT_EQ(out, (std::vector<float>{-19, -39, -59, -18, -38, -58}));
}

TEST(Elementwise, AlphaIsAProductOfItsOwn) {
  // 0.1f * 3 rounds before the sum; fused it would give another last bit.
  std::vector<float> x{1e-8f}, y{3}, out(1);
  add(view_of(x, {1}), view_of(y, {1}), 0.1f, view_of(out, {1}));
  const volatile float scaled = 0.1f * 3.0f;
  EXPECT_EQ(out[0], 1e-8f + scaled);
}

TEST(Elementwise, Bf16RoundsTheFp32Result) {
  std::vector<uint16_t> x{float_to_bf16(1.0f), float_to_bf16(-0.0f)},
      y{float_to_bf16(0x1p-8f), float_to_bf16(-0.0f)}, out(2);
  add(dense_view(x.data(), Element::kBfloat16, {2}), dense_view(y.data(), Element::kBfloat16, {2}),
      1, dense_view(out.data(), Element::kBfloat16, {2}));
  EXPECT_EQ(out[0], float_to_bf16(1.0f));
  EXPECT_EQ(out[1], 0x8000);
}

TEST(Elementwise, StridedViewsAndLongRows) {
  const int64_t rows = 3, length = 2500;
  std::vector<float> x(rows * length), out(rows * length);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  multiply_scalar({x.data(), Element::kFloat32, {length, rows}, {1, length}}, 2,
                  view_of(out, {length, rows}));
  for (int64_t i = 0; i < length; ++i) {
    for (int64_t r = 0; r < rows; ++r) ASSERT_EQ(out[i * rows + r], 2 * x[r * length + i]);
  }
  add_scalar(view_of(x, {rows, length}), 3, 2,
             {out.data(), Element::kFloat32, {rows, length}, {1, rows}});
  ASSERT_EQ(out[7 * rows + 2], x[2 * length + 7] + 6);
}

TEST(Elementwise, MayWriteItsOwnOperand) {
  std::vector<float> x{1, 2, 3};
  multiply(view_of(x, {3}), view_of(x, {3}), view_of(x, {3}));
  EXPECT_EQ(x, (std::vector<float>{1, 4, 9}));
}

TEST(Functions, TablesGiveWhatFp32InputsGive) {
  std::mt19937 random(5);
  for (const Element element : {Element::kBfloat16, Element::kFloat16}) {
    std::vector<uint16_t> x(1000), out(1000);
    for (uint16_t& bits : x) bits = static_cast<uint16_t>(random());
    std::vector<float> wide(1000), expected(1000);
    widen(element, x.data(), 1000, wide.data());
    silu(view_of(wide, {1000}), view_of(expected, {1000}));
    silu(dense_view(x.data(), element, {1000}), dense_view(out.data(), element, {1000}));
    std::vector<uint16_t> rounded(1000);
    narrow(element, expected.data(), 1000, rounded.data());
    EXPECT_EQ(out, rounded);
  }
}

TEST(Functions, Definitions) {
  std::vector<float> x{-3, -0.5f, 0, 1, 20, -200}, out(6);
  gelu(view_of(x, {6}), Gelu::kTanh, view_of(out, {6}));
  for (size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    EXPECT_EQ(out[i],
              static_cast<float>(
                  0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)))));
  }
  gelu(view_of(x, {6}), Gelu::kErf, view_of(out, {6}));
  EXPECT_EQ(out[3], static_cast<float>(0.5 * (1 + std::erf(1 / std::sqrt(2.0)))));
  silu(view_of(x, {6}), view_of(out, {6}));
  EXPECT_EQ(out[3], static_cast<float>(1 / (1 + std::exp(-1.0))));
  EXPECT_NEAR(out[5], 0.0f, 1e-30f);
}

TEST(Rotary, PairsAndHalves) {
  std::vector<float> x{1, 2, 3, 4}, cos{0.5f, 0.5f, 2, 2}, sin{1, 1, 10, 10}, out(4);
  rotary_embedding(view_of(x, {1, 1, 4}), view_of(cos, {1, 1, 4}), view_of(sin, {1, 1, 4}),
                   Rotation::kInterleave, view_of(out, {1, 1, 4}));
  EXPECT_EQ(out, (std::vector<float>{0.5f - 2, 1 + 1, 6 - 40, 8 + 30}));
  rotary_embedding(view_of(x, {1, 1, 4}), view_of(cos, {1, 1, 4}), view_of(sin, {1, 1, 4}),
                   Rotation::kHalf, view_of(out, {1, 1, 4}));
  EXPECT_EQ(out, (std::vector<float>{0.5f - 3, 1 - 4, 6 + 10, 8 + 20}));
}

TEST(Rotary, ProductsRoundBeforeTheSum) {
  std::vector<float> x{1 + 0x1p-23f, 1 + 0x1p-12f}, cos{1 + 0x1p-23f, 1}, sin{1 + 0x1p-12f, 0},
      out(2);
  rotary_embedding(view_of(x, {1, 1, 2}), view_of(cos, {1, 1, 2}), view_of(sin, {1, 1, 2}),
                   Rotation::kInterleave, view_of(out, {1, 1, 2}));
  const volatile float first = x[0] * cos[0], second = -x[1] * sin[0];
  EXPECT_EQ(out[0], first + second);
}

TEST(Cast, IntegersTruncateAndSaturate) {
  std::vector<float> x{-1.9f, 300, -300, std::numeric_limits<float>::quiet_NaN(), 1e20f};
  std::vector<int8_t> bytes(5);
  cast(view_of(x, {5}), dense_view(bytes.data(), Element::kInt8, {5}));
  EXPECT_EQ(bytes, (std::vector<int8_t>{-1, 127, -128, 0, 127}));
  std::vector<int64_t> wide(5);
  cast(view_of(x, {5}), dense_view(wide.data(), Element::kInt64, {5}));
  EXPECT_EQ(wide[1], 300);
  EXPECT_EQ(wide[4], std::numeric_limits<int64_t>::max());
  std::vector<double> back(5);
  cast(dense_view(wide.data(), Element::kInt64, {5}),
       dense_view(back.data(), Element::kFloat64, {5}));
  EXPECT_EQ(back[2], -300.0);
  std::vector<int32_t> exact{16777217};
  std::vector<double> number(1);
  cast(dense_view(exact.data(), Element::kInt32, {1}),
       dense_view(number.data(), Element::kFloat64, {1}));
  EXPECT_EQ(number[0], 16777217.0);
}

TEST(Cast, ToFp8AndFp4AndBack) {
  std::vector<float> x{1, -2.5f, 448, 6}, back(4);
  std::vector<uint8_t> fp8(4), fp4(2);
  cast(view_of(x, {4}), dense_view(fp8.data(), Element::kE4m3fn, {4}));
  EXPECT_EQ(fp8, (std::vector<uint8_t>{0x38, 0xc2, 0x7e, 0x4c}));
  cast(dense_view(fp8.data(), Element::kE4m3fn, {4}), dense_view(fp4.data(), Element::kE2m1, {4}));
  EXPECT_EQ(fp4, (std::vector<uint8_t>{0xc2, 0x77}));
  cast(dense_view(fp4.data(), Element::kE2m1, {4}), view_of(back, {4}));
  EXPECT_EQ(back, (std::vector<float>{1, -2, 6, 6}));
}

TEST(Movement, PermuteCatAndPad) {
  std::vector<float> x{1, 2, 3, 4, 5, 6}, out(6), joined(12), padded(12, -1);
  permute(view_of(x, {1, 2, 3}), {2, 0, 1}, view_of(out, {3, 1, 2}));
  EXPECT_EQ(out, (std::vector<float>{1, 4, 2, 5, 3, 6}));
  concatenate({view_of(x, {2, 3}), {out.data(), Element::kFloat32, {2, 3}, {1, 2}}}, 1,
              view_of(joined, {2, 6}));
  EXPECT_EQ(joined, (std::vector<float>{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}));
  const float fill = 9;
  pad_constant(view_of(x, {2, 3}), {1, 0, 0, 1}, &fill, view_of(padded, {3, 4}));
  EXPECT_EQ(padded, (std::vector<float>{9, 1, 2, 3, 9, 4, 5, 6, 9, 9, 9, 9}));
}

TEST(Movement, CopiesBetweenStridesOfEverySize) {
  const auto check = []<typename T>(Element element, T first) {
    std::vector<T> from(24), to(24, T{0});
    for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<T>(first + static_cast<T>(i));
    copy_elements({from.data(), element, {2, 3, 4}, {1, 2, 6}},
                  dense_view(to.data(), element, {2, 3, 4}));
    for (int64_t i = 0; i < 24; ++i) ASSERT_EQ(to[i], from[i / 12 + i / 4 % 3 * 2 + i % 4 * 6]);
  };
  check(Element::kUint8, uint8_t{1});
  check(Element::kBfloat16, uint16_t{300});
  check(Element::kInt32, int32_t{70000});
  check(Element::kInt64, int64_t{1} << 40);
}

}  // namespace
}  // namespace ascend_emulator::arithmetic
