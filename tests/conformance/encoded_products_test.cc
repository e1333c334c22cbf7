// Encoding that leaves panels of products behind, and products that encode their outputs: both are
// what the separate steps give, to the bit.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>

#include "backend/registry.h"
#include "conformance/cases.h"
#include "conformance/tables.h"
#include "formats/reference.h"
#include "ops/ops.h"

namespace mxdit::conformance {
namespace {

class EncodedTest : public ::testing::TestWithParam<std::string> {
 protected:
  EncodedTest() : backend_(make_backend("cpu", {.threads = 3, .isa = GetParam()})) {}

  Tensor multiply(const QuantizedMatrix& x, const QuantizedMatrix& w) {
    Tensor out = backend_->empty(DType::f32, {x.rows, w.rows});
    backend_->quantized_linear(x, *backend_->prepare_quantized(w), nullptr, Activation::none, out);
    return out;
  }
  std::unique_ptr<Backend> backend_;
};

void expect_bytes(const Tensor& got, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(got.bytes(), expected.bytes()) << what;
  EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.bytes()), 0) << what;
}

void expect_matrix(const QuantizedMatrix& got, const QuantizedMatrix& expected,
                   const std::string& what) {
  expect_bytes(got.elements, expected.elements, what + ", elements");
  expect_bytes(got.block_scale, expected.block_scale, what + ", block scales");
  expect_bytes(got.scale, expected.scale, what + ", scales");
}

// Blocks of 32 whose magnitudes differ by up to 2^spread; some blocks, and a row, are zeros.
Tensor blocks_apart(int64_t rows, int64_t columns, int spread, uint32_t seed) {
  std::mt19937 random(seed);
  Tensor x = Tensor::host(DType::bf16, {rows, columns});
  float factor = 1.0f;
  for (int64_t i = 0; i < rows * columns; ++i) {
    if (i % 32 == 0) {
      const int exponent = static_cast<int>(random() % static_cast<unsigned>(spread + 1));
      factor = random() % 9 == 0 || (spread > 0 && i / columns == 5) ? 0.0f
                                                                     : std::ldexp(1.0f, -exponent);
    }
    const float value = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
    x.as_mutable<uint16_t>()[i] = to_bf16(value * factor).bits;
  }
  return x;
}

TEST_P(EncodedTest, PanelsOfTheEncoderAreThoseOfItsBytes) {
  for (const int64_t k : {32, 64, 192, 544, 1600})
    for (const int64_t m : {1, 32, 45, 70})
      for (const int spread : {0, 3, 12}) {
        const std::string what = detail::concat(m, " x ", k, ", spread ", spread);
        const Tensor x = blocks_apart(m, k, spread, 7);
        const QuantizedMatrix expected = reference::quantize(x, kMxfp4Dual, QuantizeOptions{});
        const QuantizedMatrix got = ops::quantize(*backend_, x, kMxfp4Dual);
        expect_matrix(got, expected, what);
        const QuantizedMatrix w = reference::quantize(random_tensor(DType::bf16, {40, k}, 2),
                                                      kMxfp4Dual, QuantizeOptions{});
        expect_bytes(multiply(got, w), multiply(expected, w), what);
      }
}

// Every significand of 8 bits beside every largest one of a group.
TEST_P(EncodedTest, QuotientsAreThoseOfDivision) {
  Tensor x = Tensor::host(DType::bf16, {128, 512});
  for (int64_t a = 0; a < 128; ++a)
    for (int64_t i = 0; i < 512; ++i) {
      const int64_t significand = i % 128, exponent = i / 128 + (significand > a ? 1 : 0);
      x.as_mutable<uint16_t>()[a * 512 + i] =
          static_cast<uint16_t>((127 - exponent) << 7 | significand);
    }
  expect_matrix(ops::quantize(*backend_, x, kMxfp4Dual),
                reference::quantize(x, kMxfp4Dual, QuantizeOptions{}), "significands");
}

TEST_P(EncodedTest, EncodedProductsAreProductsEncoded) {
  for (const int64_t n : {64, 96, 512, 1088})
    for (const int64_t m : {1, 33, 70})
      for (const int64_t k : {320, 1024}) {
        const Tensor input = blocks_apart(m, k, m == 33 ? 12 : 3, 3);
        const auto weight = backend_->prepare_quantized(reference::quantize(
            random_tensor(DType::bf16, {n, k}, 2), kMxfp4Dual, QuantizeOptions{}));
        const QuantizedMatrix next = reference::quantize(random_tensor(DType::bf16, {40, n}, 6),
                                                         kMxfp4Dual, QuantizeOptions{});
        const Tensor bias = random_tensor(DType::f32, {n}, 4);
        const Tensor smooth = random_tensor(DType::bf16, {n}, 5);
        for (const Activation act : {Activation::none, Activation::gelu_tanh, Activation::silu}) {
          const std::string what = detail::concat(m, " x ", k, " -> ", n);
          QuantizeOptions options;
          if (k == 320) options.smooth_scale = &smooth;
          const QuantizedMatrix x = ops::quantize(*backend_, input, kMxfp4Dual);
          const QuantizedMatrix expected = ops::quantize(
              *backend_, ops::quantized_linear(*backend_, x, *weight, &bias, act, DType::bf16),
              kMxfp4Dual, options);
          const QuantizedMatrix got =
              ops::quantized_linear_encoded(*backend_, x, *weight, &bias, act, kMxfp4Dual, options);
          expect_matrix(got, expected, what);
          expect_bytes(multiply(got, next), multiply(expected, next), what);
          QuantizedMatrix again = got;
          EXPECT_EQ(backend_->quantized_linear_encoded(x, *weight, &bias, act, options, again),
                    GetParam() == "amx" && n % 64 == 0 && act != Activation::silu);
        }
      }
}

INSTANTIATE_TEST_SUITE_P(Tables, EncodedTest, ::testing::ValuesIn(runnable_tables()),
                         [](const auto& table) { return table.param; });

}  // namespace
}  // namespace mxdit::conformance
