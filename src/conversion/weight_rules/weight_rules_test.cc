#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "backend/registry.h"
#include "conversion/weight_rules/minmax_rule.h"
#include "conversion/weight_rules/operator_rule.h"
#include "formats/reference.h"
#include "io/expect_error.h"
#include "io/json_file.h"
#include "io/safetensors.h"

namespace mxdit::conversion {
namespace {

Tensor random_weight(DType dtype, int64_t rows, int64_t columns) {
  Tensor weight = Tensor::host(dtype, {rows, columns});
  std::mt19937 generator(7);
  std::normal_distribution<float> normal(0.0f, 0.05f);
  for (int64_t i = 0; i < weight.elements(); ++i) {
    const float value = normal(generator);
    if (dtype == DType::f32)
      weight.as_mutable<float>()[i] = value;
    else
      weight.as_mutable<uint16_t>()[i] =
          dtype == DType::bf16 ? to_bf16(value).bits : to_f16(value).bits;
  }
  return weight;
}

Tensor converted(const Tensor& weight, DType dtype) {
  Tensor out = Tensor::host(dtype, weight.shape());
  for (int64_t i = 0; i < weight.elements(); ++i) {
    const float value = weight.dtype() == DType::f32   ? weight.as<float>()[i]
                        : weight.dtype() == DType::f16 ? to_float(f16{weight.as<uint16_t>()[i]})
                                                       : to_float(bf16{weight.as<uint16_t>()[i]});
    if (dtype == DType::f32)
      out.as_mutable<float>()[i] = value;
    else
      out.as_mutable<uint16_t>()[i] = to_bf16(value).bits;
  }
  return out;
}

void expect_same(const Tensor& got, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(got.defined(), expected.defined()) << what;
  if (!got.defined()) return;
  ASSERT_EQ(got.shape(), expected.shape()) << what;
  EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.bytes()), 0) << what;
}

void expect_same(const QuantizedMatrix& got, const QuantizedMatrix& expected) {
  const std::string name(expected.format->name);
  expect_same(got.elements, expected.elements, name + " elements");
  expect_same(got.block_scale, expected.block_scale, name + " block scales");
  expect_same(got.scale, expected.scale, name + " scales");
}

class WeightRules : public testing::Test {
 protected:
  QuantizedMatrix encode(const WeightRule& rule, const Tensor& weight, const QuantFormat& format,
                         int threads = 2) {
    ThreadPool pool(threads);
    rows_ = 0;
    const auto count = [this](int64_t rows) { rows_ += rows; };
    return rule.encode({*backend_, pool, count}, weight, format);
  }

  std::unique_ptr<Backend> backend_ = make_backend("cpu", {2, ""});
  int64_t rows_ = 0;
};

TEST_F(WeightRules, MinmaxMeetsTheIndependentImplementation) {
  const auto file = SafetensorsFile::open(std::filesystem::path(MXDIT_SOURCE_DIR) /
                                          "tests/goldens/quantization/minmax_dual.safetensors");
  const Json cases = parse_json(file.header().metadata.at("cases"), "cases");
  ASSERT_GT(cases.size(), 5u);
  for (const Json& entry : cases) {
    const auto name = entry.at("name").get<std::string>();
    const QuantizedMatrix got = encode(kMinmaxRule, file.get(name + "/w"), kMxfp4Dual);
    const auto expect_equal = [&](const Tensor& part, const char* tensor) {
      const Tensor expected = file.get(name + "/" + tensor);
      ASSERT_EQ(part.bytes(), expected.bytes()) << name;
      EXPECT_EQ(std::memcmp(part.data(), expected.data(), part.bytes()), 0)
          << name << " " << tensor;
    };
    expect_equal(got.elements, "weight");
    expect_equal(got.block_scale, "weight_scale");
    expect_equal(got.scale, "weight_dual_scale");
  }
}

TEST_F(WeightRules, MinmaxTakesAllTypesAlikeAtAnyThreadCount) {
  const Tensor half = random_weight(DType::f16, 37, 1024);
  const QuantizedMatrix expected = encode(kMinmaxRule, converted(half, DType::f32), kMxfp4Dual, 1);
  expect_same(encode(kMinmaxRule, half, kMxfp4Dual, 3), expected);
  EXPECT_EQ(rows_, 37);
}

TEST_F(WeightRules, MinmaxSurvivesExtremes) {
  Tensor weight = Tensor::host(DType::f32, {3, 512});
  float* w = weight.as_mutable<float>();
  std::memset(w, 0, weight.bytes());
  w[512] = 1e-45f;  // its scale rounds to 0
  w[1024] = -3e38f;
  w[1025] = 1e-40f;
  const QuantizedMatrix got = encode(kMinmaxRule, weight, kMxfp4Dual);
  const Tensor decoded = reference::dequantize(got);
  EXPECT_EQ(got.scale.as<float>()[0], 0.0f);
  EXPECT_EQ(got.scale.as<float>()[1], 0.0f);
  EXPECT_NEAR(decoded.as<double>()[1024] / -3e38, 1.0, 1e-6);
  EXPECT_EQ(decoded.as<double>()[1025], 0.0);
}

TEST_F(WeightRules, MinmaxServesOneFormat) {
  for (const QuantFormat* format : quant_formats())
    EXPECT_EQ(kMinmaxRule.serves(*format), format == &kMxfp4Dual) << format->name;
}

TEST_F(WeightRules, OperatorEqualsTheReference) {
  for (const QuantFormat* format : quant_formats()) {
    if (!kOperatorRule.serves(*format)) continue;
    for (const DType dtype : {DType::bf16, DType::f16}) {
      const Tensor weight = random_weight(dtype, 5, 576);
      expect_same(encode(kOperatorRule, weight, *format), reference::quantize(weight, *format));
    }
  }
}

TEST_F(WeightRules, OperatorRoundsToBf16First) {
  const Tensor weight = random_weight(DType::f32, 5, 512);
  expect_same(encode(kOperatorRule, weight, kMxfp4Dual),
              reference::quantize(converted(weight, DType::bf16), kMxfp4Dual));
}

TEST_F(WeightRules, OperatorJoinsPieces) {
  const int64_t columns = 4096, rows = 2 * rows_per_piece(columns) + 3;
  const Tensor weight = random_weight(DType::bf16, rows, columns);
  expect_same(encode(kOperatorRule, weight, kInt8Row), reference::quantize(weight, kInt8Row));
  EXPECT_EQ(rows_, rows);
}

TEST(WeightRuleRegistry, FindsByName) {
  EXPECT_EQ(&find_weight_rule("minmax"), &kMinmaxRule);
  expect_error(ErrorKind::usage, {"--rule", "operator, minmax", "\"best\""},
               [] { find_weight_rule("best"); });
}

}  // namespace
}  // namespace mxdit::conversion
