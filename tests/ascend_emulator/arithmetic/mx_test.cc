// Quantization and its products: the public vectors, special values, tails.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "ascend_emulator/arithmetic/mx_matrix.h"
#include "ascend_emulator/arithmetic/mx_quantization.h"

namespace ascend_emulator::arithmetic {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Dual {
  std::vector<uint8_t> y;
  std::vector<float> l0;
  std::vector<uint8_t> l1;
};

std::vector<uint16_t> halves(Element element, const std::vector<float>& values) {
  std::vector<uint16_t> result(values.size());
  narrow(element, values.data(), static_cast<int64_t>(values.size()), result.data());
  return result;
}

Dual quantize(const std::vector<float>& values, Element element = Element::kBfloat16,
              RoundMode mode = RoundMode::kRint, const std::vector<float>& smooth = {}) {
  const auto length = static_cast<int64_t>(values.size());
  std::vector<uint16_t> x = halves(element, values);
  const std::vector<uint16_t> factors = halves(element, smooth);
  Dual result;
  result.y.assign(static_cast<size_t>(length / 2), 0xee);
  result.l0.assign(static_cast<size_t>(blocks_of(length, 512)), -1);
  result.l1.assign(static_cast<size_t>(2 * blocks_of(length, 64)), 0xee);
  dual_level_mx_quant(dense_view(x.data(), element, {1, length}),
                      smooth.empty() ? nullptr : factors.data(), mode, result.y.data(),
                      result.l0.data(), result.l1.data());
  return result;
}

TEST(DualLevelMxQuant, PublicVector) {
  const Dual result = quantize(std::vector<float>(512, 8.0f));
  for (const uint8_t byte : result.y) EXPECT_EQ(byte, 0x77);
  EXPECT_FLOAT_EQ(result.l0[0], 1.333333f);
  EXPECT_EQ(result.l0[0], 8.0f * std::bit_cast<float>(0x3e2aaaabu));
  for (const uint8_t code : result.l1) EXPECT_EQ(code, 127);
}

TEST(DualLevelMxQuant, TailHasOneBlockAndAnUnusedCode) {
  std::vector<float> values(512 + 66, 0.0f);
  values[512 + 64] = 6.0f;
  values[512 + 65] = -3.0f;
  const Dual result = quantize(values);
  ASSERT_EQ(result.l1.size(), 20u);
  EXPECT_EQ(result.l0[0], 0.0f);
  EXPECT_EQ(result.l0[1], 6.0f * std::bit_cast<float>(0x3e2aaaabu));
  EXPECT_EQ(result.l1[16], 0);
  EXPECT_EQ(result.l1[18], 127);
  EXPECT_EQ(result.l1[19], 0);
  EXPECT_EQ(result.y.back(), 0xd7);
  EXPECT_EQ(result.y.front(), 0);
}

TEST(DualLevelMxQuant, InfinityAndNanLeaveTheMaximumOut) {
  std::vector<float> values(512, 3.0f);
  values[0] = kInfinity;
  values[33] = std::numeric_limits<float>::quiet_NaN();
  const Dual result = quantize(values);
  EXPECT_EQ(result.l0[0], 3.0f * std::bit_cast<float>(0x3e2aaaabu));
  EXPECT_EQ(result.l1[0], 0xff);
  EXPECT_EQ(result.l1[1], 0xff);
  EXPECT_EQ(result.l1[2], 127);
}

TEST(DualLevelMxQuant, FlushedScaleMakesInfinityOfWhatIsNotZero) {
  // 2^-125 / 6 is below the smallest normal number.
  std::vector<float> values(64, 0.0f);
  values[40] = 0x1p-125f;
  const Dual result = quantize(values);
  EXPECT_EQ(result.l0[0], 0.0f);
  EXPECT_EQ(result.l1[0], 0);
  EXPECT_EQ(result.l1[1], 0xff);
}

TEST(DualLevelMxQuant, TinyBlocksKeepValuesAtExponentOneAndLoseSubnormals) {
  // l0 of the group is 2^-100 * 6 / 6; t = x * 2^100.
  std::vector<float> values(128, 0.0f);
  values[0] = 6 * 0x1p10f;
  values[32] = 0x1.8p-116f;  // t = 1.5 * 2^-126: exponent field 1, code 0, reciprocal 2^127
  values[64] = -0x1p-118f;   // t below 2^-126: field 0, the block is zeroed, the sign stays
  const Dual result = quantize(values);
  ASSERT_EQ(result.l0[0], 0x1p10f);
  EXPECT_EQ(result.l1[1], 0);
  EXPECT_EQ(result.y[16] & 0xf, 5);  // 1.5 * 2 = 3
  EXPECT_EQ(result.l1[2], 0);
  EXPECT_EQ(result.y[32] & 0xf, 8);
}

TEST(DualLevelMxQuant, ZeroKeepsItsSignAndTinyNegativesAreMinusZero) {
  std::vector<float> values(512, 6.0f);
  values[0] = -0.0f;
  values[1] = -0x1p-20f;
  const Dual result = quantize(values);
  EXPECT_EQ(result.y[0], 0x88);
  const Dual down = quantize(values, Element::kBfloat16, RoundMode::kFloor);
  EXPECT_EQ(down.y[0], 0x98);
}

TEST(DualLevelMxQuant, SmoothScaleIsAProductRoundedToTheType) {
  std::vector<float> values(64), scale(64), product(64);
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = bf16_to_float(float_to_bf16(normal(random)));
    scale[i] = bf16_to_float(float_to_bf16(normal(random)));
    product[i] = values[i] * scale[i];  // rounds to bf16 when it is stored
  }
  const Dual smoothed = quantize(values, Element::kBfloat16, RoundMode::kRint, scale);
  const Dual plain = quantize(product);
  EXPECT_EQ(smoothed.y, plain.y);
  EXPECT_EQ(smoothed.l0, plain.l0);
  EXPECT_EQ(smoothed.l1, plain.l1);
}

TEST(DualLevelMxQuant, Fp16ProductStaysInFp32) {
  // t = 2.498...: bf16 would round it to 2.5 and to even 2; fp32 sees it below the middle as well,
  // but round-half-away tells them apart.
  std::vector<float> values(32, 0.0f);
  values[0] = 6.0f;
  values[1] = 2.498046875f;
  const Dual half = quantize(values, Element::kFloat16, RoundMode::kRound);
  EXPECT_EQ(half.y[0], 0x47);
  const Dual brain = quantize(values, Element::kBfloat16, RoundMode::kRound);
  EXPECT_EQ(brain.y[0], 0x57);
}

std::vector<uint8_t> mx(const std::vector<float>& values, Element element,
                        MxQuantization quantization, std::vector<uint8_t>* scales) {
  const auto length = static_cast<int64_t>(values.size());
  std::vector<float> stored = values;
  std::vector<uint16_t> x;
  if (element != Element::kFloat32) x = halves(element, values);
  std::vector<uint8_t> y(static_cast<size_t>(element_bytes(quantization.element, length)), 0xee);
  scales->assign(static_cast<size_t>(2 * blocks_of(blocks_of(length, quantization.block), 2)),
                 0xee);
  void* data = element == Element::kFloat32 ? static_cast<void*>(stored.data()) : x.data();
  mx_quant(dense_view(data, element, {1, length}), quantization, y.data(), scales->data());
  return y;
}

TEST(MxQuant, PublicVectorOfBothRules) {
  for (const ScaleRule rule : {ScaleRule::kOcp, ScaleRule::kCeiling}) {
    std::vector<uint8_t> scales;
    const auto y =
        mx({0, 8, 64, 512}, Element::kBfloat16,
           {.rule = rule, .amax_low_bound = rule == ScaleRule::kOcp ? 0.0f : 0.5f}, &scales);
    EXPECT_EQ(y, (std::vector<uint8_t>{0, 72, 96, 120}));
    EXPECT_EQ(scales, (std::vector<uint8_t>{128, 0}));
  }
}

TEST(MxQuant, SaturatesWhereTheOcpRuleIsTooSmall) {
  // 511 has exponent 8: code 127, and 511 saturates at 448; the other rule goes one up.
  std::vector<uint8_t> scales;
  EXPECT_EQ(mx({511, 1}, Element::kFloat32, {}, &scales)[0], 0x7e);
  EXPECT_EQ(scales[0], 127);
  EXPECT_EQ(mx({511, 1}, Element::kFloat32, {.rule = ScaleRule::kCeiling}, &scales)[0], 0x78);
  EXPECT_EQ(scales[0], 128);
  EXPECT_EQ(mx({448, 1}, Element::kFloat32, {.rule = ScaleRule::kCeiling}, &scales)[0], 0x7e);
  EXPECT_EQ(scales[0], 127);
  mx({1, 1}, Element::kFloat32, {.rule = ScaleRule::kCeiling, .amax_low_bound = 448}, &scales);
  EXPECT_EQ(scales[0], 127);
}

TEST(MxQuant, CodeZeroMakesTheBlockZero) {
  std::vector<uint8_t> scales;
  const auto y = mx({0x1p-120f, -0x1p-121f}, Element::kBfloat16, {}, &scales);
  EXPECT_EQ(scales[0], 0);
  EXPECT_EQ(y[0], 0x00);
  EXPECT_EQ(y[1], 0x80);
}

TEST(MxQuant, BlockWithInfinityIsNan) {
  for (const float bad : {kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> values(64, 1.0f);
    values[40] = bad;
    std::vector<uint8_t> scales;
    mx(values, Element::kBfloat16, {}, &scales);
    EXPECT_EQ(scales[0], 127 - 8);
    EXPECT_EQ(scales[1], 0xff);
  }
}

TEST(MxQuant, OtherElementsHaveTheirOwnLargestExponent) {
  std::vector<uint8_t> scales;
  EXPECT_EQ(mx({4, -6, 1, 0}, Element::kBfloat16, {.element = Element::kE2m1}, &scales),
            (std::vector<uint8_t>{0xf6, 0x02}));
  EXPECT_EQ(scales[0], 127);
  EXPECT_EQ(mx({1.0f, -1.0f}, Element::kFloat16, {.element = Element::kE5m2}, &scales),
            (std::vector<uint8_t>{0x78, 0xf8}));
  EXPECT_EQ(scales[0], 127 - 15);
}

TEST(MxQuant, LargerBlocksPairTheirScales) {
  std::vector<float> values(200, 1.0f);
  std::vector<uint8_t> scales;
  mx(values, Element::kBfloat16, {.block = 64}, &scales);
  EXPECT_EQ(scales, (std::vector<uint8_t>{119, 119, 119, 119}));
  values.resize(130);
  mx(values, Element::kBfloat16, {.block = 64}, &scales);
  EXPECT_EQ(scales, (std::vector<uint8_t>{119, 119, 119, 0}));
}

// The public example: all ones, scales 1, bias 1002.
TEST(DualLevelMatmul, PublicVector) {
  const int64_t m = 256, k = 1024, n = 512;
  const std::vector<uint8_t> x(static_cast<size_t>(m * k / 2), 0x22);
  const NzLayout layout{n, k / 2, 32};
  const std::vector<uint8_t> weight(static_cast<size_t>(layout.storage_elements()), 0x22);
  const std::vector<uint8_t> codes(static_cast<size_t>(std::max(m, n) * k / 32), 127);
  const std::vector<float> l0(static_cast<size_t>(std::max(m, n) * 2), 1.0f), bias(n, 1002.0f);
  std::vector<uint16_t> out(static_cast<size_t>(m * n));
  const BlockScales scales{codes.data(), k / 32, 2};
  dual_level_matmul(
      mx_operand(x.data(), Element::kE2m1, m, k, OperandOrder::kRows, scales),
      mx_operand(weight.data(), Element::kE2m1, n, k, OperandOrder::kFractalNz, scales), l0.data(),
      l0.data(), bias.data(), dense_view(out.data(), Element::kFloat16, {m, n}));
  for (const uint16_t value : out) ASSERT_EQ(fp16_to_float(value), 2026.0f);
}

struct Random {
  std::mt19937 engine{11};
  std::vector<uint8_t> bytes(size_t count, int low, int high) {
    std::vector<uint8_t> result(count);
    std::uniform_int_distribution<int> pick(low, high);
    for (uint8_t& byte : result) byte = static_cast<uint8_t>(pick(engine));
    return result;
  }
  std::vector<float> floats(size_t count) {
    std::vector<float> result(count);
    std::uniform_real_distribution<float> pick(-1, 1);
    for (float& value : result) value = pick(engine);
    return result;
  }
};

double element(const std::vector<uint8_t>& bytes, int64_t index) {
  return e2m1_to_float(bytes[index / 2] >> (index % 2 * 4) & 0xf);
}

// Odd sizes: a tail group, an odd number of blocks, NZ pads; against a loop over the definition.
TEST(DualLevelMatmul, FollowsTheDefinitionToTheBit) {
  const int64_t m = 5, n = 19, k = 512 + 98, pairs = blocks_of(k, 64), groups = 2;
  Random random;
  const auto x = random.bytes(m * k / 2, 0, 255), w = random.bytes(n * k / 2, 0, 255);
  const auto xs = random.bytes(m * pairs * 2, 124, 129), ws = random.bytes(n * pairs * 2, 124, 129);
  const auto x0 = random.floats(m * groups), w0 = random.floats(groups * n),
             bias = random.floats(n);
  const NzLayout layout{n, k / 2, 32};
  std::vector<uint8_t> nz(static_cast<size_t>(layout.storage_elements()));
  nd_to_nz(w.data(), layout, 1, 1, nz.data());
  std::vector<float> out(static_cast<size_t>(m * n));
  dual_level_matmul(
      mx_operand(x.data(), Element::kE2m1, m, k, OperandOrder::kRows, {xs.data(), pairs * 2, 2}),
      mx_operand(nz.data(), Element::kE2m1, n, k, OperandOrder::kFractalNz,
                 {ws.data(), pairs * 2, 2}),
      x0.data(), w0.data(), bias.data(), dense_view(out.data(), Element::kFloat32, {m, n}));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      float sum = bias[j];
      for (int64_t g = 0; g < groups; ++g) {
        double exact = 0;
        for (int64_t d = g * 512; d < std::min(k, (g + 1) * 512); ++d) {
          exact += element(x, i * k + d) * element(w, j * k + d) *
                   e8m0_to_double(xs[i * pairs * 2 + d / 32]) *
                   e8m0_to_double(ws[j * pairs * 2 + d / 32]);
        }
        const float scale = x0[i * groups + g] * w0[g * n + j];
        const volatile float term = static_cast<float>(exact) * scale;
        sum = sum + term;
      }
      ASSERT_EQ(out[i * n + j], sum) << i << ' ' << j;
    }
  }
}

TEST(MxMatmul, TransposedAndRowsAndNzAgree) {
  const int64_t m = 3, n = 34, k = 100, pairs = 2;
  Random random;
  const auto x = random.bytes(m * k, 0, 0x7e), w = random.bytes(n * k, 0, 0x7e);
  const auto xs = random.bytes(m * pairs * 2, 120, 130), ws = random.bytes(n * pairs * 2, 120, 130);
  std::vector<uint8_t> turned(w.size()), turned_scales(ws.size());
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t d = 0; d < k; ++d) turned[d * n + j] = w[j * k + d];
    for (int64_t b = 0; b < 4; ++b) turned_scales[(b / 2) * n * 2 + j * 2 + b % 2] = ws[j * 4 + b];
  }
  const NzLayout layout{n, k, 32};
  std::vector<uint8_t> nz(static_cast<size_t>(layout.storage_elements()));
  nd_to_nz(w.data(), layout, 1, 1, nz.data());
  const auto multiply = [&](const std::vector<uint8_t>& data, OperandOrder order,
                            BlockScales scales) {
    std::vector<float> out(static_cast<size_t>(m * n));
    mx_matmul(mx_operand(x.data(), Element::kE4m3fn, m, k, OperandOrder::kRows, {xs.data(), 4, 2}),
              mx_operand(data.data(), Element::kE4m3fn, n, k, order, scales), nullptr,
              dense_view(out.data(), Element::kFloat32, {m, n}));
    return out;
  };
  const auto rows = multiply(w, OperandOrder::kRows, {ws.data(), 4, 2});
  EXPECT_EQ(rows, multiply(turned, OperandOrder::kTransposed, {turned_scales.data(), 2, 2 * n}));
  EXPECT_EQ(rows, multiply(nz, OperandOrder::kFractalNz, {ws.data(), 4, 2}));
  double exact = 0;
  for (int64_t d = 0; d < k; ++d) {
    exact += static_cast<double>(e4m3fn_to_float(x[d])) * e4m3fn_to_float(w[d]) *
             e8m0_to_double(xs[d / 32]) * e8m0_to_double(ws[d / 32]);
  }
  EXPECT_EQ(rows[0], static_cast<float>(exact));
}

}  // namespace
}  // namespace ascend_emulator::arithmetic
