// Normalization, softmax and attention against plain loops in double.
#include "ascend_emulator/arithmetic/row_functions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
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

TEST(LayerNorm, WeightAndBiasEnterBeforeTheOneRounding) {
  const int64_t rows = 3, length = 37;
  std::vector<float> x = random_floats(rows * length, 1), w = random_floats(length, 2),
                     b = random_floats(length, 3), out(x.size()), mean(rows), rstd(rows);
  const View weight = view_of(w, {length}), bias = view_of(b, {length}),
             mean_view = view_of(mean, {rows, 1}), rstd_view = view_of(rstd, {rows, 1});
  layer_norm(view_of(x, {rows, length}), {length, 1e-6, &weight, &bias},
             view_of(out, {rows, length}), &mean_view, &rstd_view);
  for (int64_t row = 0; row < rows; ++row) {
    double average = 0, variance = 0;
    for (int64_t i = 0; i < length; ++i)
      average += x[row * length + i] / static_cast<double>(length);
    for (int64_t i = 0; i < length; ++i) {
      variance += std::pow(x[row * length + i] - average, 2) / static_cast<double>(length);
    }
    EXPECT_FLOAT_EQ(mean[row], static_cast<float>(average));
    EXPECT_FLOAT_EQ(rstd[row], static_cast<float>(1 / std::sqrt(variance + 1e-6)));
    for (int64_t i = 0; i < length; ++i) {
      const double value =
          (x[row * length + i] - average) / std::sqrt(variance + 1e-6) * w[i] + b[i];
      ASSERT_NEAR(out[row * length + i], value, 0x1p-24 * std::abs(value) + 1e-14);
    }
  }
}

TEST(RmsNorm, DividesByTheRoot) {
  std::vector<float> x{3, 4}, gamma{2, 1}, y(2), rstd(1);
  rms_norm(view_of(x, {1, 2}), view_of(gamma, {2}), 0, view_of(y, {1, 2}), view_of(rstd, {1, 1}));
  const double root = std::sqrt(12.5);
  EXPECT_EQ(y, (std::vector<float>{static_cast<float>(6 / root), static_cast<float>(4 / root)}));
  EXPECT_EQ(rstd[0], static_cast<float>(1 / root));
}

TEST(Softmax, AnyAxisAndLargeValues) {
  std::vector<float> x{1000, 0, 1000, 1}, out(4);
  softmax(view_of(x, {2, 2}), 0, view_of(out, {2, 2}));
  EXPECT_EQ(out[0], 0.5f);
  EXPECT_EQ(out[2], 0.5f);
  EXPECT_EQ(out[1], static_cast<float>(std::exp(-1.0) / (1 + std::exp(-1.0))));
  softmax(view_of(x, {2, 2}), 1, view_of(out, {2, 2}));
  EXPECT_EQ(out[0], 1.0f);
  EXPECT_EQ(out[1], 0.0f);
}

struct Case {
  int64_t batch = 2, heads = 4, kv_heads = 2, queries = 150, keys = 70, channels = 24;
  std::vector<float> q = random_floats(batch * heads * queries * channels, 1);
  std::vector<float> k = random_floats(batch * kv_heads * keys * channels, 2);
  std::vector<float> v = random_floats(batch * kv_heads * keys * channels, 3);
  std::vector<float> out = std::vector<float>(q.size());
  std::vector<float> maximum = std::vector<float>(batch * heads * queries * 8);
  std::vector<float> sum = std::vector<float>(maximum.size());

  Attention arguments() {
    Attention attention;
    attention.q = view_of(q, {batch, heads, queries, channels});
    attention.k = view_of(k, {batch, kv_heads, keys, channels});
    attention.v = view_of(v, {batch, kv_heads, keys, channels});
    attention.out = view_of(out, {batch, heads, queries, channels});
    attention.scale = 0.2f;
    attention.maximum = maximum.data();
    attention.sum = sum.data();
    return attention;
  }
};

void expect_row(const Case& c, int64_t b, int64_t h, int64_t row, const uint8_t* mask) {
  const int64_t d = c.channels, kv = (b * c.kv_heads + h / (c.heads / c.kv_heads)) * c.keys;
  const float* q = c.q.data() + ((b * c.heads + h) * c.queries + row) * d;
  std::vector<float> logits;
  float maximum = -std::numeric_limits<float>::infinity();
  for (int64_t key = 0; key < c.keys; ++key) {
    double dot = 0;
    for (int64_t i = 0; i < d; ++i) dot += static_cast<double>(q[i]) * c.k[(kv + key) * d + i];
    logits.push_back(static_cast<float>(dot) * 0.2f);
    if (!mask || !mask[key]) maximum = std::max(maximum, logits.back());
  }
  double total = 0;
  for (int64_t key = 0; key < c.keys; ++key) {
    if (!mask || !mask[key]) total += std::exp(static_cast<double>(logits[key]) - maximum);
  }
  const int64_t at = ((b * c.heads + h) * c.queries + row) * 8;
  EXPECT_EQ(c.maximum[at + 7], maximum);
  EXPECT_FLOAT_EQ(c.sum[at], static_cast<float>(total));
  for (int64_t i = 0; i < d; ++i) {
    double mixed = 0;
    for (int64_t key = 0; key < c.keys; ++key) {
      if (mask && mask[key]) continue;
      const auto p =
          static_cast<float>(std::exp(static_cast<double>(logits[key]) - maximum) / total);
      mixed += static_cast<double>(p) * c.v[(kv + key) * d + i];
    }
    ASSERT_NEAR(c.out[((b * c.heads + h) * c.queries + row) * d + i], mixed, 1e-7);
  }
}

TEST(Attention, GroupedHeadsAndSeveralBlocksOfQueries) {
  Case c;
  attention(c.arguments());
  for (const int64_t row : {0, 127, 128, 149}) {
    for (int64_t h = 0; h < c.heads; ++h) expect_row(c, 1, h, row, nullptr);
  }
}

TEST(Attention, MaskedKeysDoNotCount) {
  Case c;
  std::vector<uint8_t> mask(static_cast<size_t>(c.queries * c.keys), 0);
  for (int64_t row = 0; row < c.queries; ++row) {
    for (int64_t key = 40; key < c.keys; ++key) mask[row * c.keys + key] = 1;
  }
  for (int64_t key = 0; key < c.keys; ++key) mask[5 * c.keys + key] = 1;
  Attention arguments = c.arguments();
  const View view = dense_view(mask.data(), Element::kBool, {c.queries, c.keys});
  arguments.mask = &view;
  attention(arguments);
  expect_row(c, 0, 3, 140, mask.data() + 140 * c.keys);
  // A query that sees no key gives zeros, not NaN.
  for (int64_t i = 0; i < c.channels; ++i) EXPECT_EQ(c.out[5 * c.channels + i], 0.0f);
}

TEST(Attention, StridedOperandsAreTheSameNumbers) {
  Case c;
  attention(c.arguments());
  const std::vector<float> expected = c.out;
  // [B, S, N, D] memory seen as [B, N, S, D].
  std::vector<float> turned(c.q.size());
  const View as_bsnd{turned.data(),
                     Element::kFloat32,
                     {c.batch, c.heads, c.queries, c.channels},
                     {c.queries * c.heads * c.channels, c.channels, c.heads * c.channels, 1}};
  copy_elements(view_of(c.q, as_bsnd.dims), as_bsnd);
  Attention arguments = c.arguments();
  arguments.q = as_bsnd;
  attention(arguments);
  EXPECT_EQ(c.out, expected);
}

}  // namespace
}  // namespace ascend_emulator::arithmetic
