// Attention in bf16 against attention in f32 of the same values, on every kernel table: the mean
// error of random rows, which the worst case bounds of the case table say little about, and the
// scores that an online softmax may stumble over.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "backend/registry.h"
#include "conformance/cases.h"
#include "conformance/tables.h"

namespace mxdit::conformance {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Twice a weight's error, as in matrix_cases.cc, and the rounding of the output, over |v| <= 1.
constexpr double kLargestError = 2.0 * (0x1p-8 + 0x1p-13) + 0x1p-8;

class AttentionTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { backend_ = make_backend("cpu", {.threads = 2, .isa = GetParam()}); }

  // q, k and v are bf16.
  void make(const Shape& queries, const Shape& keys, float query_scale = 3.0f) {
    q_ = random_tensor(DType::bf16, queries, 1, query_scale);
    k_ = random_tensor(DType::bf16, keys, 2);
    v_ = random_tensor(DType::bf16, keys, 3);
  }
  Tensor widened(const Tensor& x) {
    Tensor wide = Tensor::host(DType::f32, x.shape());
    backend_->cast(x, wide);
    return wide;
  }
  void run(float scale, std::span<const int64_t> lengths = {}) {
    const AttentionParams params = {.scale = scale, .bias = nullptr, .kv_length = lengths};
    Tensor narrow = backend_->empty(DType::bf16, q_.shape());
    Tensor wide = backend_->empty(DType::f32, q_.shape());
    backend_->attention(q_, k_, v_, params, narrow);
    backend_->attention(widened(q_), widened(k_), widened(v_), params, wide);
    got_ = values_of(narrow);
    expected_ = values_of(wide);
  }
  void expect_close() const {
    for (size_t i = 0; i < got_.size(); ++i)
      ASSERT_NEAR(got_[i], expected_[i], kLargestError) << "element " << i;
  }
  void fill(Tensor& x, int64_t position, float value) {  // one head, batch of 1
    for (int64_t d = 0; d < x.dim(3); ++d)
      x.as_mutable<bf16>()[position * x.dim(3) + d] = to_bf16(value);
  }

  std::unique_ptr<Backend> backend_;
  Tensor q_, k_, v_;
  std::vector<double> got_, expected_;
};

TEST_P(AttentionTest, MeanErrorIsThatOfRoundedOutputs) {
  make({1, 100, 2, 128}, {1, 900, 2, 128});
  run(2.0f / std::sqrt(128.0f));
  expect_close();
  double error = 0.0, magnitude = 0.0;
  for (size_t i = 0; i < got_.size(); ++i) {
    error += (got_[i] - expected_[i]) * (got_[i] - expected_[i]);
    magnitude += expected_[i] * expected_[i];
  }
  // Rounding outputs to bf16 alone gives 2^-9.25; weights rounded as well, 2^-8.85.
  std::printf("[ error    ] %s: 2^%.2f\n", GetParam().c_str(), 0.5 * std::log2(error / magnitude));
  EXPECT_LT(std::sqrt(error / magnitude), 0.7 * 0x1p-8);
}

TEST_P(AttentionTest, ScoresThatRiseFromBlockToBlock) {
  for (const float step : {0.002f, 0.01f, 0.5f, 1e20f}) {
    make({1, 40, 1, 128}, {1, 1500, 1, 128});
    for (int64_t j = 0; j < 1500; ++j) fill(k_, j, step * static_cast<float>(j));
    for (int64_t i = 0; i < 40; ++i) fill(q_, i, i % 3 == 0 ? -8.0f : 8.0f);
    run(1.0f);
    expect_close();
  }
}

TEST_P(AttentionTest, InfiniteScores) {
  make({1, 40, 1, 64}, {1, 700, 1, 64}, 1.0f);
  for (int64_t j = 0; j < 700; ++j) fill(k_, j, 1e38f);
  fill(q_, 1, -1e38f);  // all scores -inf: no weight at all
  fill(q_, 2, 1e38f);   // inf - inf
  fill(q_, 3, 0.0f);
  run(1.0f);
  for (size_t d = 0; d < 64; ++d) {
    EXPECT_EQ(got_[64 + d], 0.0);
    EXPECT_EQ(expected_[64 + d], 0.0);
    EXPECT_TRUE(std::isnan(got_[2 * 64 + d]));
    EXPECT_TRUE(std::isnan(expected_[2 * 64 + d]));
    EXPECT_NEAR(got_[3 * 64 + d], expected_[3 * 64 + d], kLargestError);
  }
}

TEST_P(AttentionTest, NanStaysInItsRowOrColumn) {
  make({1, 40, 1, 128}, {1, 600, 1, 128});
  q_.as_mutable<bf16>()[7 * 128 + 5] = to_bf16(NAN);
  v_.as_mutable<bf16>()[599 * 128 + 9] = to_bf16(NAN);
  run(0.25f);
  for (size_t i = 0; i < got_.size(); ++i) {
    const bool nan = i / 128 == 7 || i % 128 == 9;
    ASSERT_EQ(std::isnan(got_[i]), nan) << "element " << i;
    ASSERT_EQ(std::isnan(expected_[i]), nan) << "element " << i;
    if (nan) continue;
    ASSERT_NEAR(got_[i], expected_[i], kLargestError) << "element " << i;
  }
  make({1, 40, 1, 128}, {1, 600, 1, 128});
  k_.as_mutable<bf16>()[300 * 128] = to_bf16(NAN);
  run(0.25f);
  for (size_t i = 0; i < got_.size(); ++i) ASSERT_TRUE(std::isnan(got_[i])) << "element " << i;
}

TEST_P(AttentionTest, KeysBehindTheLengthAreNotLookedAt) {
  make({2, 40, 1, 64}, {2, 600, 1, 64});
  for (int64_t j = 0; j < 600; ++j) {
    if (j >= 259) fill(k_, j, kInfinity), fill(v_, j, NAN);
    if (j >= 33) fill(k_, 600 + j, NAN), fill(v_, 600 + j, kInfinity);
  }
  const int64_t lengths[] = {259, 33};
  run(0.25f, lengths);
  expect_close();
}

TEST_P(AttentionTest, NamesItsKernel) {
  const auto kernel = [this](DType type, bool bias, AttentionPrecision precision) {
    return backend_->attention_kernel(type, bias, precision).kernel;
  };
  const bool amx = GetParam() == "amx";
  const std::string bf16 = amx ? "bf16 amx" : "fp32 " + GetParam();
  for (const auto precision : {AttentionPrecision::bf16, AttentionPrecision::int8}) {
    EXPECT_EQ(kernel(DType::f32, false, precision), "fp32 " + GetParam());
    EXPECT_EQ(kernel(DType::bf16, true, precision), "fp32 " + GetParam());
  }
  EXPECT_EQ(kernel(DType::bf16, false, AttentionPrecision::bf16), bf16);
  EXPECT_EQ(kernel(DType::bf16, false, AttentionPrecision::int8),
            amx ? "int8 scores, bf16 amx" : bf16);
}

INSTANTIATE_TEST_SUITE_P(Tables, AttentionTest, ::testing::ValuesIn(runnable_tables()),
                         [](const auto& table) { return table.param; });

}  // namespace
}  // namespace mxdit::conformance
