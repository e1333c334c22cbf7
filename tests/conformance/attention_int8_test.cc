// Attention with scores in int8: against the formula of docs/numerics.md in double, against exact
// attention within a bound of the rounding, and the cases that bf16 has to take.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backend/registry.h"
#include "conformance/cases.h"
#include "conformance/tables.h"

namespace mxdit::conformance {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Of bf16 weights and output, over |v| <= 1, as in attention_test.cc.
constexpr double kBf16Error = 2.0 * (0x1p-8 + 0x1p-13) + 0x1p-8;

using Floats = std::vector<float>;

// Rows of one head and batch row, decoded: codes * scale, or the values themselves.
struct Rows {
  int64_t count, dim;
  Floats values, scales;  // scales: of every row

  float* row(int64_t i) { return values.data() + i * dim; }
  const float* row(int64_t i) const { return values.data() + i * dim; }
};

Rows rows_of(const Tensor& x, int64_t batch, int64_t head, int64_t count) {
  const int64_t positions = x.dim(1), heads = x.dim(2), dim = x.dim(3);
  Rows rows{count, dim, Floats(static_cast<size_t>(count * dim)),
            Floats(static_cast<size_t>(count))};
  for (int64_t i = 0; i < count; ++i)
    for (int64_t d = 0; d < dim; ++d)
      rows.row(i)[d] = to_float(x.as<bf16>()[((batch * positions + i) * heads + head) * dim + d]);
  return rows;
}

void subtract_mean(Rows& rows) {
  Floats mean(static_cast<size_t>(rows.dim));
  for (int64_t i = 0; i < rows.count; ++i)
    for (int64_t d = 0; d < rows.dim; ++d) mean[static_cast<size_t>(d)] += rows.row(i)[d];
  for (float& m : mean) m /= static_cast<float>(rows.count);
  for (int64_t i = 0; i < rows.count; ++i)
    for (int64_t d = 0; d < rows.dim; ++d) rows.row(i)[d] -= mean[static_cast<size_t>(d)];
}

// One scale for `together` rows.
Rows rounded_to_int8(Rows rows, int64_t together) {
  for (int64_t first = 0; first < rows.count; first += together) {
    const int64_t end = std::min(rows.count, first + together);
    float largest = 0.0f;
    for (float* x = rows.row(first); x != rows.row(end); ++x)
      largest = std::max(largest, std::fabs(*x));
    for (int64_t i = first; i < end; ++i) rows.scales[static_cast<size_t>(i)] = largest / 127.0f;
    if (largest == 0.0f) continue;
    for (float* x = rows.row(first); x != rows.row(end); ++x)
      *x = std::nearbyintf(*x * (127.0f / largest)) * (largest / 127.0f);
  }
  return rows;
}

struct Weights {
  std::vector<double> weights;  // they add up to 1
  double largest_logit = 0.0;   // its size
};

Weights weights_of(const Rows& q, int64_t i, const Rows& k, double scale) {
  Weights out{std::vector<double>(static_cast<size_t>(k.count))};
  double maximum = -INFINITY, sum = 0.0;
  for (int64_t j = 0; j < k.count; ++j) {
    double dot = 0.0;
    for (int64_t d = 0; d < k.dim; ++d) dot += double{q.row(i)[d]} * k.row(j)[d];
    out.weights[static_cast<size_t>(j)] = dot * scale;
    maximum = std::max(maximum, dot * scale);
    out.largest_logit = std::max(out.largest_logit, std::fabs(dot * scale));
  }
  for (double& w : out.weights) sum += w = std::exp(w - maximum);
  for (double& w : out.weights) w /= sum;
  return out;
}

// What rounding may change a score of query i by: |q^ k^ - q k| <= |q| |k^ - k| + |k| |q^ - q| +
// the product of both errors, each at most half a scale (and fp32's share of that).
double largest_score_error(const Rows& q, const Rows& rounded_q, int64_t i, const Rows& k,
                           const Rows& rounded_k, double scale) {
  double most = 0.0;
  const double half_q = 0.50001 * rounded_q.scales[static_cast<size_t>(i)];
  for (int64_t j = 0; j < k.count; ++j) {
    const double half_k = 0.50001 * rounded_k.scales[static_cast<size_t>(j)];
    double sum = 0.0;
    for (int64_t d = 0; d < k.dim; ++d)
      sum += std::fabs(q.row(i)[d]) * half_k + std::fabs(k.row(j)[d]) * half_q + half_q * half_k;
    most = std::max(most, sum * scale);
  }
  return most;
}

// A product of two scales and of that with a sum is rounded to fp32, and so is the difference.
double fp32_error(const Weights& exact) {
  return 6.0 * 0x1p-24 * (exact.largest_logit + 1.0);
}

class AttentionInt8Test : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    backend_ = make_backend("cpu", {.threads = 2, .isa = GetParam()});
    has_int8_ = GetParam() == "amx";
  }
  void make(const Shape& queries, const Shape& keys, float query_scale = 3.0f) {
    q_ = random_tensor(DType::bf16, queries, 1, query_scale);
    k_ = random_tensor(DType::bf16, keys, 2);
    v_ = random_tensor(DType::bf16, keys, 3);
  }
  void fill(Tensor& x, int64_t position, float value) {  // one head, or all of them
    const int64_t row = x.dim(2) * x.dim(3);
    for (int64_t d = 0; d < row; ++d) x.as_mutable<bf16>()[position * row + d] = to_bf16(value);
  }
  Tensor run(AttentionPrecision precision, float scale, std::span<const int64_t> lengths = {},
             Backend* backend = nullptr) {
    Tensor out = backend_->empty(DType::bf16, q_.shape());
    const AttentionParams params = {
        .scale = scale, .bias = nullptr, .kv_length = lengths, .precision = precision};
    (backend == nullptr ? *backend_ : *backend).attention(q_, k_, v_, params, out);
    return out;
  }
  Tensor run_int8(float scale, std::span<const int64_t> lengths = {}) {
    return run(AttentionPrecision::int8, scale, lengths);
  }
  static bool same(const Tensor& a, const Tensor& b) {
    return std::memcmp(a.data(), b.data(), static_cast<size_t>(a.elements()) * 2) == 0;
  }

  // Both bounds, for every element; |v| <= 1.
  void expect_within_bounds(const Tensor& out, float scale, std::span<const int64_t> lengths = {}) {
    for (int64_t b = 0; b < q_.dim(0); ++b)
      for (int64_t h = 0; h < q_.dim(2); ++h)
        ASSERT_NO_FATAL_FAILURE(expect_head_within_bounds(
            out, scale, b, h, lengths.empty() ? k_.dim(1) : lengths[static_cast<size_t>(b)]));
  }
  void expect_head_within_bounds(const Tensor& out, float scale, int64_t b, int64_t h,
                                 int64_t keys) {
    const Rows q = rows_of(q_, b, h, q_.dim(1)), v = rows_of(v_, b, h, keys);
    const Rows got = rows_of(out, b, h, q_.dim(1));
    Rows k = rows_of(k_, b, h, keys);
    subtract_mean(k);
    const Rows rounded_q = rounded_to_int8(q, 1), rounded_k = rounded_to_int8(k, 32);
    for (int64_t i = 0; i < q.count; ++i) {
      const Weights exact = weights_of(q, i, k, scale);
      const Weights formula = weights_of(rounded_q, i, rounded_k, scale);
      const double error = largest_score_error(q, rounded_q, i, k, rounded_k, scale);
      const double fp32 = std::expm1(2.0 * fp32_error(formula));
      for (int64_t d = 0; d < q.dim; ++d) {
        double expected = 0.0, by_formula = 0.0, magnitude = 0.0;
        for (int64_t j = 0; j < keys; ++j) {
          const size_t at = static_cast<size_t>(j);
          expected += exact.weights[at] * v.row(j)[d];
          by_formula += formula.weights[at] * v.row(j)[d];
          magnitude += exact.weights[at] * std::fabs(v.row(j)[d]);
        }
        if (has_int8_) {
          ASSERT_NEAR(got.row(i)[d], by_formula, kBf16Error + fp32) << "formula, " << i << " " << d;
        }
        // Weights change by a factor within exp(+-2 error), their sum's included.
        const double bound = std::expm1(2.0 * error) * magnitude;
        ASSERT_NEAR(got.row(i)[d], expected, bound + kBf16Error + fp32) << i << " " << d;
      }
    }
  }
  // sqrt of the mean square over that of exact attention.
  double relative_error(const Tensor& out, float scale) {
    Tensor exact = backend_->empty(DType::f32, q_.shape());
    const auto wide = [this](const Tensor& x) {
      Tensor y = backend_->empty(DType::f32, x.shape());
      backend_->cast(x, y);
      return y;
    };
    backend_->attention(wide(q_), wide(k_), wide(v_), {scale, nullptr, {}}, exact);
    const std::vector<double> got = values_of(out), expected = values_of(exact);
    double error = 0.0, magnitude = 0.0;
    for (size_t i = 0; i < got.size(); ++i) {
      error += (got[i] - expected[i]) * (got[i] - expected[i]);
      magnitude += expected[i] * expected[i];
    }
    return std::sqrt(error / magnitude);
  }
  void show_errors(const char* data, double int8, double bf16) const {
    std::printf("[ error    ] %s, %s: int8 scores 2^%.2f, bf16 2^%.2f\n", GetParam().c_str(), data,
                std::log2(int8), std::log2(bf16));
  }

  std::unique_ptr<Backend> backend_;
  bool has_int8_ = false;
  Tensor q_, k_, v_;
};

TEST_P(AttentionInt8Test, FollowsTheFormulaAtAwkwardSizes) {
  const int64_t sizes[][3] = {{1, 1, 128},     {40, 33, 64}, {33, 257, 96}, {5, 600, 40},
                              {100, 300, 128}, {3, 31, 384}, {2, 64, 1}};
  for (const auto& [queries, keys, dim] : sizes) {
    SCOPED_TRACE(::testing::Message() << queries << " " << keys << " " << dim);
    make({1, queries, 2, dim}, {1, keys, 2, dim});
    const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
    expect_within_bounds(run_int8(scale), scale);
  }
}

TEST_P(AttentionInt8Test, IsWhatItSaysItIs) {
  make({1, 40, 2, 128}, {1, 300, 2, 128});
  const Tensor bf16 = run(AttentionPrecision::bf16, 0.1f), int8 = run_int8(0.1f);
  EXPECT_EQ(same(bf16, int8), !has_int8_);
}

TEST_P(AttentionInt8Test, KeysBehindTheLengthAreNotLookedAt) {
  make({3, 40, 1, 64}, {3, 600, 1, 64});
  const int64_t lengths[] = {259, 33, 0};
  for (int64_t b = 0; b < 3; ++b)
    for (int64_t j = lengths[b]; j < 600; ++j)
      fill(k_, b * 600 + j, b == 0 ? kInfinity : 1e30f), fill(v_, b * 600 + j, NAN);
  const Tensor out = run_int8(0.25f, lengths);
  const Tensor ordinary = run(AttentionPrecision::bf16, 0.25f, lengths);
  EXPECT_EQ(same(out, ordinary), !has_int8_);
  for (int64_t b = 0; b < 2; ++b) expect_head_within_bounds(out, 0.25f, b, 0, lengths[b]);
  const std::vector<double> values = values_of(out);
  for (size_t i = 2 * 40 * 64; i < values.size(); ++i) ASSERT_EQ(values[i], 0.0);
}

TEST_P(AttentionInt8Test, ScoresThatRiseFromBlockToBlock) {
  for (const float step : {0.002f, 0.01f, 0.5f}) {
    make({1, 20, 1, 128}, {1, 1500, 1, 128});
    for (int64_t j = 0; j < 1500; ++j) fill(k_, j, step * static_cast<float>(j));
    for (int64_t i = 0; i < 20; ++i) fill(q_, i, i % 3 == 0 ? -8.0f : 8.0f);
    expect_within_bounds(run_int8(1.0f), 1.0f);
  }
}

TEST_P(AttentionInt8Test, HeadsThatAreNotFiniteOrHugeTakeBf16) {
  for (const float value : {NAN, kInfinity, -kInfinity, 1e38f, 1e12f})
    for (const bool in_keys : {false, true}) {
      SCOPED_TRACE(::testing::Message() << value << (in_keys ? " in k" : " in q"));
      make({1, 40, 2, 64}, {1, 300, 2, 64});
      (in_keys ? k_ : q_).as_mutable<bf16>()[(7 * 2 + 1) * 64 + 5] = to_bf16(value);
      const std::vector<double> int8 = values_of(run_int8(0.25f));
      const std::vector<double> bf16 = values_of(run(AttentionPrecision::bf16, 0.25f));
      bool differs = false;
      for (size_t i = 0; i < int8.size(); ++i) {
        if (i / 64 % 2 == 0) {
          differs |= int8[i] != bf16[i];
          continue;
        }
        ASSERT_EQ(std::isnan(int8[i]), std::isnan(bf16[i])) << "element " << i;
        if (std::isnan(bf16[i])) continue;
        ASSERT_EQ(int8[i], bf16[i]) << "element " << i;
      }
      EXPECT_EQ(differs, has_int8_);
    }
}

TEST_P(AttentionInt8Test, EqualKeysGiveEqualWeights) {
  for (const float key : {0.0f, 1.0f, 1e-38f, 1e9f}) {
    make({1, 40, 1, 64}, {1, 300, 1, 64});
    for (int64_t j = 0; j < 300; ++j) fill(k_, j, key);
    fill(q_, 3, 0.0f);
    const Rows v = rows_of(v_, 0, 0, 300), got = rows_of(run_int8(1.0f), 0, 0, 40);
    for (int64_t d = 0; d < 64; ++d) {
      double mean = 0.0;
      for (int64_t j = 0; j < 300; ++j) mean += v.row(j)[d] / 300.0;
      for (const int64_t i : {0, 3, 39}) ASSERT_NEAR(got.row(i)[d], mean, kBf16Error) << key;
    }
  }
}

TEST_P(AttentionInt8Test, ThreadsChangeNoByte) {
  make({2, 200, 3, 128}, {2, 700, 3, 128});
  const Tensor two = run_int8(0.1f);
  for (const int threads : {1, 3}) {
    const auto other = make_backend("cpu", {.threads = threads, .isa = GetParam()});
    EXPECT_TRUE(same(two, run(AttentionPrecision::int8, 0.1f, {}, other.get()))) << threads;
  }
}

// Rounding errors of q and of k, uniform and independent, change a logit by a standard deviation of
// scale sqrt(dim (E[q^2] s_k^2 + E[k^2] s_q^2) / 12), and the mean of values by the same share.
TEST_P(AttentionInt8Test, MeanErrorIsThatOfRoundedFactors) {
  make({1, 100, 2, 128}, {1, 900, 2, 128});
  const float scale = 1.0f / std::sqrt(128.0f);
  const double step_q = 3.0 / 127.0, step_k = 1.0 / 127.0;
  const double rounding = std::sqrt((3.0 * step_k * step_k + step_q * step_q / 3.0) / 12.0);
  const double int8 = relative_error(run_int8(scale), scale);
  const double as_bf16 = relative_error(run(AttentionPrecision::bf16, scale), scale);
  show_errors("uniform", int8, as_bf16);
  EXPECT_LT(int8, 1.2 * std::hypot(rounding, 0.7 * 0x1p-8));
  if (has_int8_) {
    EXPECT_GT(int8, 0.8 * rounding);
  }
}

// Channels with a large mean, as keys of transformers have: the mean is subtracted, and so costs
// no precision but that of the bf16 inputs themselves, which exact attention shares.
TEST_P(AttentionInt8Test, SmoothingTakesOutlierChannelsAway) {
  make({1, 100, 1, 128}, {1, 900, 1, 128});
  for (int64_t j = 0; j < 900; ++j)
    for (const int64_t d : {3, 40, 90}) {
      mxdit::bf16& k = k_.as_mutable<mxdit::bf16>()[j * 128 + d];
      k = to_bf16(to_float(k) + 30.0f);
    }
  const float scale = 1.0f / std::sqrt(128.0f);
  const double int8 = relative_error(run_int8(scale), scale);
  show_errors("outlier channels", int8,
              relative_error(run(AttentionPrecision::bf16, scale), scale));
  // What the same scores without smoothing would give.
  const Rows q = rounded_to_int8(rows_of(q_, 0, 0, 100), 1), v = rows_of(v_, 0, 0, 900);
  const Rows k = rounded_to_int8(rows_of(k_, 0, 0, 900), 32);
  Tensor unsmoothed = Tensor::host(DType::bf16, q_.shape());
  for (int64_t i = 0; i < 100; ++i) {
    const Weights weights = weights_of(q, i, k, scale);
    for (int64_t d = 0; d < 128; ++d) {
      double sum = 0.0;
      for (int64_t j = 0; j < 900; ++j)
        sum += weights.weights[static_cast<size_t>(j)] * v.row(j)[d];
      unsmoothed.as_mutable<mxdit::bf16>()[i * 128 + d] = to_bf16(static_cast<float>(sum));
    }
  }
  const double without = relative_error(unsmoothed, scale);
  std::printf("[ error    ] without smoothing 2^%.2f\n", std::log2(without));
  EXPECT_LT(int8, 0.01);
  EXPECT_GT(without, 5.0 * int8);
}

INSTANTIATE_TEST_SUITE_P(Tables, AttentionInt8Test, ::testing::ValuesIn(runnable_tables()),
                         [](const auto& table) { return table.param; });

}  // namespace
}  // namespace mxdit::conformance
