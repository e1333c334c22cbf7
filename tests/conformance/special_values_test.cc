// What the case table cannot say: exact conversions, NaN and infinity, independence of the number
// of rows, and that a forced kernel table is the one that runs.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>

#include "backend/cpu/isa.h"
#include "backend/registry.h"
#include "conformance/cases.h"
#include "conformance/targets.h"
#include "formats/element.h"

namespace mxdit::conformance {
namespace {

class EveryTable : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { backend_ = make_target(GetParam(), 2); }
  std::unique_ptr<Backend> backend_;
};

Tensor random_bits(DType type, int64_t count) {
  std::mt19937 random(99);
  Tensor tensor = Tensor::host(type, {count});
  const size_t size = element_size(type);
  char* data = static_cast<char*>(tensor.mutable_data());
  for (int64_t i = 0; i < count; ++i) {
    // Every code of the narrow types; random patterns, and ties of bf16 and f16, of f32.
    uint32_t bits = size == 4 ? static_cast<uint32_t>(random()) : static_cast<uint32_t>(i);
    if (size == 4 && i % 4 == 0) bits = (bits & 0xffff0000u) | 0x8000u;
    if (size == 4 && i % 4 == 1) bits = (bits & 0x8fffe000u) + 0x34001000u;
    std::memcpy(data + static_cast<size_t>(i) * size, &bits, size);
  }
  return tensor;
}

double reference_cast(double value, DType to) {
  const float narrow = static_cast<float>(value);
  if (to == DType::bf16) return to_float(to_bf16(narrow));
  if (to == DType::f16) return to_float(to_f16(narrow));
  return narrow;
}

TEST_P(EveryTable, CastsAreExact) {
  for (const DType from : {DType::f32, DType::bf16, DType::f16, DType::f8_e4m3, DType::f8_e5m2}) {
    const Tensor in = random_bits(from, 65536 + 5);
    for (const DType to : {DType::f32, DType::bf16, DType::f16}) {
      Tensor out = backend_->empty(to, in.shape());
      backend_->cast(in, out);
      const std::vector<double> values = values_of(in), got = values_of(out);
      for (size_t i = 0; i < values.size(); ++i) {
        const double expected = reference_cast(values[i], to);
        if (std::isnan(expected)) {
          ASSERT_TRUE(std::isnan(got[i])) << name(from) << " to " << name(to) << " at " << i;
        } else {
          ASSERT_EQ(got[i], expected) << name(from) << " to " << name(to) << " of " << values[i];
          ASSERT_EQ(std::signbit(got[i]), std::signbit(expected));
        }
      }
    }
  }
}

TEST_P(EveryTable, LinearDoesNotDependOnTheNumberOfRows) {
  const int64_t n = 45, k = 600;
  const Tensor x = random_tensor(DType::f32, {100, k}, 1);
  const Tensor w = random_tensor(DType::bf16, {n, k}, 2);
  const auto weight = backend_->prepare_linear(w);
  Tensor all = backend_->empty(DType::f32, {100, n});
  backend_->linear(x, *weight, nullptr, Activation::silu, all);
  for (const int64_t m : {1, 2, 7, 13, 99}) {
    Tensor some = backend_->empty(DType::f32, {m, n});
    backend_->linear(x.slice(0, m), *weight, nullptr, Activation::silu, some);
    EXPECT_EQ(std::memcmp(some.data(), all.data(), some.bytes()), 0) << m;
  }
}

TEST_P(EveryTable, NarrowOutputsAgreeWithWideOnes) {
  // Few output columns take the path with swapped operands; the bits have to be the same.
  const int64_t m = 300, k = 515;
  const Tensor x = random_tensor(DType::f32, {m, k}, 1);
  const Tensor w = random_tensor(DType::f32, {40, k}, 2);
  const Tensor bias = random_tensor(DType::f32, {40}, 3);
  const Tensor few_bias = bias.slice(0, 3);
  Tensor wide = backend_->empty(DType::f32, {m, 40}), narrow = backend_->empty(DType::f32, {m, 3});
  backend_->linear(x, *backend_->prepare_linear(w), &bias, Activation::none, wide);
  backend_->linear(x, *backend_->prepare_linear(w.slice(0, 3)), &few_bias, Activation::none,
                   narrow);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < 3; ++j)
      ASSERT_EQ(narrow.as<float>()[i * 3 + j], wide.as<float>()[i * 40 + j]) << i << " " << j;
}

TEST_P(EveryTable, NanAndInfinityStayInTheirRows) {
  const int64_t n = 20, k = 40;
  Tensor x = random_tensor(DType::f32, {9, k}, 1);
  x.as_mutable<float>()[3 * k + 5] = NAN;
  x.as_mutable<float>()[6 * k + 7] = INFINITY;
  const Tensor w = random_tensor(DType::f32, {n, k}, 2), gain = random_tensor(DType::f32, {k}, 3);
  Tensor product = backend_->empty(DType::f32, {9, n}),
         normal = backend_->empty(DType::f32, {9, k});
  backend_->linear(x, *backend_->prepare_linear(w), nullptr, Activation::none, product);
  backend_->layer_norm(x, &gain, nullptr, 1e-6f, normal);
  for (int64_t row = 0; row < 9; ++row) {
    for (int64_t j = 0; j < n; ++j) {
      const float value = product.as<float>()[row * n + j];
      EXPECT_EQ(std::isnan(value), row == 3);
      EXPECT_EQ(std::isinf(value), row == 6);
    }
    for (int64_t j = 0; j < k; ++j)
      EXPECT_EQ(std::isnan(normal.as<float>()[row * k + j]), row == 3 || row == 6);
  }
}

TEST_P(EveryTable, FunctionsAtTheirEnds) {
  const float inputs[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e-42f, -200.0f, 200.0f, 88.9f};
  Tensor x = Tensor::host(DType::f32, {9}), out = Tensor::host(DType::f32, {9});
  std::memcpy(x.mutable_data(), inputs, sizeof inputs);
  for (const Activation act : {Activation::silu, Activation::gelu_tanh, Activation::gelu_erf}) {
    backend_->activate(act, x, nullptr, out);
    const float* got = out.as<float>();
    EXPECT_TRUE(std::isnan(got[0]));
    EXPECT_EQ(got[1], INFINITY);
    EXPECT_EQ(got[3], 0.0f);
    EXPECT_NEAR(got[5], 5e-43, 3e-45);
    EXPECT_NEAR(got[6], 0.0, 1e-30);
    EXPECT_EQ(got[7], 200.0f);
    EXPECT_NEAR(got[8], 88.9, 1e-4);
  }
}

TEST_P(EveryTable, AttentionPropagatesNanAndMasksWithInfinity) {
  const int64_t keys = 230, dim = 16;
  const Tensor q = random_tensor(DType::f32, {1, 3, 1, dim}, 1);
  const Tensor k = random_tensor(DType::f32, {1, keys, 1, dim}, 2);
  Tensor v = random_tensor(DType::f32, {1, keys, 1, dim}, 3);
  Tensor bias = Tensor::host(DType::f32, {1, 3, keys});
  for (int64_t i = 0; i < 3 * keys; ++i)  // query 1 sees no key, query 2 only the last
    bias.as_mutable<float>()[i] = i < keys || i == 3 * keys - 1 ? 0.0f : -INFINITY;
  Tensor out = backend_->empty(DType::f32, q.shape());
  backend_->attention(q, k, v, {.scale = 0.25f, .bias = &bias, .kv_length = {}}, out);
  for (int64_t d = 0; d < dim; ++d) {
    EXPECT_TRUE(std::isfinite(out.as<float>()[d]));
    EXPECT_EQ(out.as<float>()[dim + d], 0.0f);
    EXPECT_FLOAT_EQ(out.as<float>()[2 * dim + d], v.as<float>()[(keys - 1) * dim + d]);
  }
  v.as_mutable<float>()[5 * dim] = NAN;
  backend_->attention(q, k, v, {.scale = 0.25f, .bias = nullptr, .kv_length = {}}, out);
  EXPECT_TRUE(std::isnan(out.as<float>()[0]));
  EXPECT_TRUE(std::isfinite(out.as<float>()[1]));
}

TEST_P(EveryTable, IsTheOneThatRuns) {
  if (GetParam() == kExact) return;  // no kernel table: exact_backend_test.cc
  EXPECT_EQ(cpu::choose_table(GetParam()).name, GetParam());
  EXPECT_NE(backend_->description().find(GetParam() + " kernels"), std::string::npos);
  ASSERT_EQ(setenv("MXDIT_ISA", GetParam().c_str(), 1), 0);
  const auto from_environment = make_backend("cpu", {.threads = 1, .isa = ""});
  unsetenv("MXDIT_ISA");
  EXPECT_EQ(from_environment->description(), "cpu: " + GetParam() + " kernels, 1 thread");
}

INSTANTIATE_TEST_SUITE_P(Tables, EveryTable, ::testing::ValuesIn(targets()),
                         [](const auto& table) { return table.param; });

TEST(GatherRows, RefusesIdsOutsideTheTable) {
  const auto backend = make_backend("cpu", {.threads = 1, .isa = ""});
  const Tensor table = random_tensor(DType::f32, {4, 3}, 1);
  Tensor ids = Tensor::host(DType::i32, {1}), out = backend->empty(DType::f32, {1, 3});
  for (const int32_t id : {-1, 4}) {
    *ids.as_mutable<int32_t>() = id;
    EXPECT_THROW(backend->gather_rows(table, ids, out), Error);
  }
}

}  // namespace
}  // namespace mxdit::conformance
