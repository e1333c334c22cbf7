// What only the dot kernels do: levels of folded groups, and products cut along k and along rows.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <random>

#include "backend/cpu/dot_product.h"
#include "backend/registry.h"
#include "conformance/cases.h"
#include "conformance/tables.h"
#include "formats/reference.h"

namespace mxdit::conformance {
namespace {

const cpu::KernelTable& table_of(const std::string& name) {
  for (const cpu::KernelTable& table : cpu::built_tables())
    if (name == table.name) return table;
  return cpu::built_tables().back();
}

class DotsTest : public ::testing::TestWithParam<std::string> {
 protected:
  DotsTest()
      : dots_(table_of(GetParam()).dots),
        backend_(make_backend("cpu", {.threads = 3, .isa = GetParam()})) {}

  Tensor multiply(const QuantizedMatrix& x, const QuantizedMatrix& w, const Tensor* bias) {
    Tensor out = backend_->empty(DType::f32, {x.rows, w.rows});
    backend_->quantized_linear(x, *backend_->prepare_quantized(w), bias, Activation::none, out);
    return out;
  }

  const cpu::DotKernels& dots_;
  std::unique_ptr<Backend> backend_;
};

// Blocks of 32 whose magnitudes differ by up to 2^spread in every row, some of them all zero.
Tensor uneven_rows(int64_t rows, int64_t columns, int spread, uint32_t seed) {
  std::mt19937 random(seed);
  Tensor x = Tensor::host(DType::bf16, {rows, columns});
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      static float factor;
      if (c % 32 == 0) {
        const int exponent = static_cast<int>(random() % static_cast<unsigned>(spread + 1));
        factor = random() % 9 == 0 ? 0.0f : std::ldexp(1.0f, -exponent);
      }
      const float value = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
      x.as_mutable<uint16_t>()[r * columns + c] = to_bf16(value * factor).bits;
    }
  return x;
}

void expect_equal(const Tensor& got, const Tensor& expected, const std::string& what) {
  for (int64_t i = 0; i < got.elements(); ++i)
    ASSERT_EQ(got.as<float>()[i], expected.as<float>()[i]) << what << " at " << i;
}

// The sums of all levels together have one right answer while they fit into double: spreads of 15
// on both sides take 30 bits, elements and 512 of them 14 more.
TEST_P(DotsTest, GroupsOfAnySpreadAreExact) {
  const Tensor bias = random_tensor(DType::f32, {37}, 3);
  for (const int64_t k : {64, 512, 1030, 1536})
    for (const int left : {0, 2, 5, 15})
      for (const int right : {1, 4, 15}) {
        const QuantizedMatrix x =
            reference::quantize(uneven_rows(70, k, left, 1), kMxfp4Dual, QuantizeOptions{});
        const QuantizedMatrix w =
            reference::quantize(uneven_rows(37, k, right, 2), kMxfp4Dual, QuantizeOptions{});
        expect_equal(multiply(x, w, &bias), reference::matmul(x, w, &bias, DType::f32),
                     detail::concat("K ", k, " spreads ", left, " ", right));
      }
}

// The same must not have been computed by the fp32 kernels, which would round.
TEST_P(DotsTest, FoldsOrdinaryAndUnevenGroupsAndNoOthers) {
  const auto levels = [&](const QuantizedMatrix& x) {
    cpu::FoldedGroup group = {};
    float scale[cpu::kDotRows];
    const cpu::QuantizedRows rows = {
        .code = cpu::Code::e2m1,
        .elements = static_cast<const uint8_t*>(x.elements.data()),
        .element_stride = x.elements.dim(1),
        .block_type = cpu::BlockScale::e8m0,
        .block_scale = static_cast<const uint8_t*>(x.block_scale.data()),
        .block_stride = x.block_scale.elements() / x.rows,
        .block = 32,
        .scale = x.scale.as<float>(),
        .scale_stride = x.scale.dim(1),
        .group = 512};
    dots_.survey({.matrix = &rows,
                  .first = 0,
                  .count = x.rows,
                  .offset = 0,
                  .k = x.columns,
                  .group_scales = true,
                  .group = &group,
                  .scale = scale});
    return static_cast<int>(group.levels);
  };
  const auto encoded = [](int spread, float last) {
    Tensor x = uneven_rows(20, 512, spread, 5);
    x.as_mutable<uint16_t>()[7 * 512 + 100] = to_bf16(last).bits;
    return reference::quantize(x, kMxfp4Dual, QuantizeOptions{});
  };
  EXPECT_EQ(levels(encoded(0, 0.5f)), 1);
  EXPECT_GT(levels(encoded(15, 0.5f)), 3);
  EXPECT_EQ(levels(encoded(0, NAN)), 0);
  EXPECT_EQ(levels(encoded(0, 1e-30f)), 1) << "one tiny element of an ordinary block";
  EXPECT_EQ(levels(encoded(40, 0.5f)), 0) << "further apart than the levels reach";
}

// Long rows are packed in several chunks, each right operand in several tiles of columns.
TEST_P(DotsTest, LongRowsAreOneSum) {
  const int64_t m = 40, k = 6004;
  for (const int64_t n : {300, 320}) {
    const Tensor bias = random_tensor(DType::f32, {n}, 3);
    const Tensor x = random_tensor(DType::bf16, {m, k}, 1), w = random_tensor(DType::bf16, {n, k}, 2);
    const QuantizedMatrix qx = reference::quantize(x, kMxfp4Dual, QuantizeOptions{});
    const QuantizedMatrix qw = reference::quantize(w, kMxfp4Dual, QuantizeOptions{});
    expect_equal(multiply(qx, qw, &bias), reference::matmul(qx, qw, &bias, DType::f32), "dual");
    Tensor out = backend_->empty(DType::bf16, {m, n});
    backend_->linear(x, *backend_->prepare_linear(w, {}), &bias, Activation::none, out);
    for (int64_t i = 0; i < m * n; ++i) {
      double sum = bias.as<float>()[i % n], magnitude = std::abs(sum);
      for (int64_t c = 0; c < k; ++c) {
        const double product =
            static_cast<double>(to_float(bf16{x.as<uint16_t>()[i / n * k + c]})) *
            static_cast<double>(to_float(bf16{w.as<uint16_t>()[i % n * k + c]}));
        sum += product;
        magnitude += std::abs(product);
      }
      // k + 1 roundings of fp32 and one to bf16.
      const double bound = magnitude * static_cast<double>(k + 1) * 0x1p-24 * 1.01;
      ASSERT_NEAR(static_cast<double>(to_float(bf16{out.as<uint16_t>()[i]})), sum,
                  bound + (std::abs(sum) + bound) * 0x1p-8)
          << i;
    }
  }
}

// Lowers exponents: of every `period` neighbouring groups those of one, of one row of the next, and by
// a level and more those of some blocks of a third.
void lower_exponents(QuantizedMatrix& x, int64_t period) {
  auto* codes = static_cast<uint8_t*>(x.block_scale.mutable_data());
  const int64_t blocks = x.block_scale.elements() / x.rows;
  for (int64_t row = 0; row < x.rows; ++row)
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t kind = (row / cpu::kDotRows + block / 16) % period;
      const bool is_lowered = kind == 1 || (kind == 2 && row % cpu::kDotRows == 9) ||
                              (kind == 3 && block % 3 == 0);
      const int by = kind == 3 ? 6 : 2;
      uint8_t& code = codes[row * blocks + block];
      if (is_lowered && code > 90) code = static_cast<uint8_t>(code - by);
    }
}

// Panels of rows and of columns with ordinary groups stand beside others, in several chunks.
TEST_P(DotsTest, OrdinaryAndUnevenGroupsAreOneSum) {
  const int64_t m = 230, n = 320, k = 3700;
  const Tensor bias = random_tensor(DType::f32, {n}, 3);
  QuantizedMatrix x =
      reference::quantize(random_tensor(DType::bf16, {m, k}, 1), kMxfp4Dual, QuantizeOptions{});
  QuantizedMatrix w =
      reference::quantize(random_tensor(DType::bf16, {n, k}, 2), kMxfp4Dual, QuantizeOptions{});
  lower_exponents(w, 5);
  for (int i = 0; i < 2; ++i) {
    for (const DType type : {DType::f32, DType::bf16}) {
      Tensor out = backend_->empty(type, {m, n});
      backend_->quantized_linear(x, *backend_->prepare_quantized(w), &bias, Activation::none, out);
      const Tensor expected = reference::matmul(x, w, &bias, type);
      EXPECT_EQ(std::memcmp(out.data(), expected.data(), expected.bytes()), 0) << i;
    }
    lower_exponents(x, 40);
    x.packed.reset();  // of what it was before
  }
}

// Very long rows leave room for few rows of the packed left operand: products are made block by
// block of rows.
TEST_P(DotsTest, BlocksOfRowsAgree) {
  const int64_t m = 390, n = 3, k = 200000;
  const Tensor x = random_tensor(DType::bf16, {m, k}, 1), w = random_tensor(DType::bf16, {n, k}, 2);
  const auto weight = backend_->prepare_linear(w, {});
  Tensor all = backend_->empty(DType::bf16, {m, n}), last = backend_->empty(DType::bf16, {70, n});
  backend_->linear(x, *weight, nullptr, Activation::none, all);
  backend_->linear(x.slice(m - 70, m), *weight, nullptr, Activation::none, last);
  const char* end = static_cast<const char*>(all.data()) + (m - 70) * n * 2;
  EXPECT_EQ(std::memcmp(end, last.data(), last.bytes()), 0);
}

TEST_P(DotsTest, NoColumnsGiveTheBias) {
  const Tensor bias = random_tensor(DType::f32, {5}, 3);
  const Tensor x = Tensor::host(DType::bf16, {3, 0}), w = Tensor::host(DType::bf16, {5, 0});
  Tensor out = backend_->empty(DType::f32, {3, 5});
  const auto expect_bias = [&] {
    for (int64_t i = 0; i < 15; ++i) EXPECT_EQ(out.as<float>()[i], bias.as<float>()[i % 5]) << i;
  };
  for (const QuantFormat* format : {&kMxfp4Dual, &kMxfp4, &kMxfp8, &kInt8Row}) {
    const QuantizedMatrix qx = reference::quantize(x, *format, QuantizeOptions{});
    const QuantizedMatrix qw = reference::quantize(w, *format, QuantizeOptions{});
    out = multiply(qx, qw, &bias);
    expect_bias();
  }
  Tensor narrow = backend_->empty(DType::bf16, {3, 5});
  backend_->linear(x, *backend_->prepare_linear(w, {}), &bias, Activation::none, narrow);
  for (int64_t i = 0; i < 15; ++i)
    EXPECT_EQ(narrow.as<uint16_t>()[i], to_bf16(bias.as<float>()[i % 5]).bits) << i;
}

std::vector<std::string> tables_with_dots() {
  std::vector<std::string> names;
  for (const std::string& name : runnable_tables())
    if (table_of(name).dots.fold != nullptr) names.push_back(name);
  return names;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DotsTest);
INSTANTIATE_TEST_SUITE_P(Tables, DotsTest, ::testing::ValuesIn(tables_with_dots()),
                         [](const auto& table) { return table.param; });

}  // namespace
}  // namespace mxdit::conformance
