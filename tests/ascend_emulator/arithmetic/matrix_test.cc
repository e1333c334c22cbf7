// Products against plain loops, and FRACTAL_NZ against the specification's worked examples.
#include "ascend_emulator/arithmetic/matrix.h"

#include <gtest/gtest.h>

#include <random>

namespace ascend_emulator::arithmetic {
namespace {

std::vector<float> random_floats(size_t count, int seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

View view_of(std::vector<float>& values, const Dims& dims) {
  return dense_view(values.data(), Element::kFloat32, dims);
}

// Weight [48, 256], element n = 37, k = 201.
TEST(FractalNz, WorkedExamples) {
  EXPECT_EQ((NzLayout{48, 128, 32}.offset(37, 100)), 5796);
  EXPECT_EQ((NzLayout{48, 256, 32}.offset(37, 201)), 10409);
  EXPECT_EQ((NzLayout{48, 256, 16}.offset(37, 201)), 9817);
  EXPECT_EQ((NzLayout{48, 128, 32}.storage_elements()), 4 * 3 * 16 * 32);
}

TEST(FractalNz, RoundTripWithZeroPads) {
  const NzLayout layout{19, 37, 16};
  std::vector<uint16_t> source(2 * 19 * 37), back(source.size());
  for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<uint16_t>(i + 1);
  std::vector<uint16_t> storage(static_cast<size_t>(2 * layout.storage_elements()), 0xffff);
  nd_to_nz(source.data(), layout, 2, 2, storage.data());
  EXPECT_EQ(storage[static_cast<size_t>(layout.offset(18, 36))], 18 * 37 + 36 + 1);
  EXPECT_TRUE(nz_pads_are_zero(storage.data(), layout, 2));
  nz_to_nd(storage.data(), layout, 2, 2, back.data());
  EXPECT_EQ(back, source);
  for (const int64_t pad : {layout.offset(19, 0), layout.offset(3, 37), layout.offset(31, 47)}) {
    std::vector<uint16_t> damaged = storage;
    damaged[static_cast<size_t>(pad)] = 1;
    EXPECT_FALSE(nz_pads_are_zero(damaged.data(), layout, 2)) << pad;
  }
}

TEST(Matmul, RoundsTheExactSumOnce) {
  const int64_t m = 131, k = 517, n = 263;
  std::vector<float> a = random_floats(m * k, 1), b = random_floats(k * n, 2), out(m * n, -1);
  matmul(view_of(a, {m, k}), view_of(b, {k, n}), view_of(out, {m, n}));
  for (int64_t i = 0; i < m; i += 13) {
    for (int64_t j = 0; j < n; j += 7) {
      double sum = 0, magnitude = 0;
      for (int64_t d = 0; d < k; ++d) {
        sum += static_cast<double>(a[i * k + d]) * b[d * n + j];
        magnitude += std::abs(static_cast<double>(a[i * k + d]) * b[d * n + j]);
      }
      // The double sums differ by their order alone; one fp32 rounding of the result.
      ASSERT_NEAR(out[i * n + j], sum, 1e-13 * magnitude + 0x1p-24 * std::abs(sum));
    }
  }
}

TEST(Matmul, TransposedViewIsTheSameMatrix) {
  const int64_t m = 9, k = 33, n = 20;
  std::vector<float> a = random_floats(m * k, 1), w = random_floats(n * k, 2), turned(k * n);
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t d = 0; d < k; ++d) turned[d * n + j] = w[j * k + d];
  }
  std::vector<float> out(m * n), other(m * n);
  matmul(view_of(a, {m, k}), view_of(turned, {k, n}), view_of(out, {m, n}));
  matmul(view_of(a, {m, k}), {w.data(), Element::kFloat32, {k, n}, {1, k}}, view_of(other, {m, n}));
  EXPECT_EQ(out, other);
}

TEST(Matmul, LeadingDimsBroadcast) {
  std::vector<float> a{1, 2, 3, 4}, b{1, 0, 0, 1, 2, 0, 0, 2}, out(8);
  matmul(view_of(a, {1, 2, 2}), view_of(b, {2, 2, 2}), view_of(out, {2, 2, 2}));
  EXPECT_EQ(out, (std::vector<float>{1, 2, 3, 4, 2, 4, 6, 8}));
}

TEST(Matmul, SixteenBitsRoundThroughFp32) {
  // 1 + 2^-8 + 2^-9 in bf16 terms: the sum 2.0117.. is a tie that goes to even.
  std::vector<uint16_t> a{float_to_bf16(1.0f), float_to_bf16(0x1p-8f)},
      b{float_to_bf16(1.0f), float_to_bf16(1.0f)}, out(1);
  matmul(dense_view(a.data(), Element::kBfloat16, {1, 2}),
         dense_view(b.data(), Element::kBfloat16, {2, 1}),
         dense_view(out.data(), Element::kBfloat16, {1, 1}));
  EXPECT_EQ(out[0], float_to_bf16(1.0f));
}

TEST(Addmm, ScalesBothTermsAndBroadcastsSelf) {
  std::vector<float> self{10, 20}, a{1, 2, 3, 4}, b{1, 0, 0, 1}, out(4);
  addmm(view_of(self, {2}), view_of(a, {2, 2}), view_of(b, {2, 2}), 0.5, 2, view_of(out, {2, 2}));
  EXPECT_EQ(out, (std::vector<float>{7, 14, 11, 18}));
}

TEST(MatmulWeightNz, BothOrdersOfStorage) {
  const int64_t m = 4, k = 24, n = 19;
  std::vector<float> a = random_floats(m * k, 3), w = random_floats(k * n, 4), turned(k * n);
  for (int64_t d = 0; d < k; ++d) {
    for (int64_t j = 0; j < n; ++j) turned[j * k + d] = w[d * n + j];
  }
  std::vector<uint16_t> a16(a.size()), w16(w.size()), t16(w.size());
  narrow(Element::kBfloat16, a.data(), m * k, a16.data());
  narrow(Element::kBfloat16, w.data(), k * n, w16.data());
  narrow(Element::kBfloat16, turned.data(), k * n, t16.data());
  const NzLayout plain{k, n, 16}, swapped{n, k, 16};
  std::vector<uint16_t> nz(plain.storage_elements()), nz_turned(swapped.storage_elements());
  nd_to_nz(w16.data(), plain, 1, 2, nz.data());
  nd_to_nz(t16.data(), swapped, 1, 2, nz_turned.data());
  const View left = dense_view(a16.data(), Element::kBfloat16, {m, k});
  std::vector<float> expected(m * n), out(m * n), out_turned(m * n);
  matmul(left, dense_view(w16.data(), Element::kBfloat16, {k, n}), view_of(expected, {m, n}));
  matmul_weight_nz(left, nz.data(), plain, false, view_of(out, {m, n}));
  matmul_weight_nz(left, nz_turned.data(), swapped, true, view_of(out_turned, {m, n}));
  EXPECT_EQ(out, expected);
  EXPECT_EQ(out_turned, expected);
}

}  // namespace
}  // namespace ascend_emulator::arithmetic
