// Inputs of plain products that an earlier product packed: results are those of tensors, to the bit.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "backend/registry.h"
#include "conformance/cases.h"
#include "conformance/tables.h"
#include "ops/ops.h"

namespace mxdit::conformance {
namespace {

class PackedTest : public ::testing::TestWithParam<std::string> {
 protected:
  PackedTest() : backend_(make_backend("cpu", {.threads = 3, .isa = GetParam()})) {}

  std::shared_ptr<PreparedWeight> weight(DType type, int64_t n, int64_t k, uint32_t seed) {
    return backend_->prepare_linear(random_tensor(type, {n, k}, seed), {.bias = true});
  }
  std::unique_ptr<Backend> backend_;
};

PlainMatrix input_of(const Tensor& x) {
  return {.rows = x.dim(0), .columns = x.dim(1), .x = x};
}

void expect_bytes(const Tensor& got, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(got.bytes(), expected.bytes()) << what;
  EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.bytes()), 0) << what;
}

TEST_P(PackedTest, ProductsShareAnInput) {
  for (const DType type : {DType::bf16, DType::f32})
    for (const int64_t m : {1, 33, 70})
      for (const int64_t k : {31, 64, 515}) {
        const Tensor x = random_tensor(type, {m, k}, 1);
        const PlainMatrix shared = input_of(x);
        for (const DType stored : {DType::bf16, DType::f8_e4m3, DType::f16, DType::bf16}) {
          const auto w = weight(stored, 96, k, 2);
          const Tensor bias = random_tensor(DType::f32, {96}, 3);
          expect_bytes(ops::linear(*backend_, shared, *w, &bias, Activation::silu, type),
                       ops::linear(*backend_, x, *w, &bias, Activation::silu),
                       detail::concat(name(type), " ", m, " x ", k, " with ", name(stored)));
        }
      }
}

TEST_P(PackedTest, PackedOutputsAreThoseOfTensors) {
  for (const int64_t n : {32, 64, 96, 160, 300, 320, 2656})
    for (const int64_t m : {1, 33, 70})
      for (const int64_t k : {40, 608, 2720}) {
        if (n * k > 1 << 20) continue;
        const Tensor x = random_tensor(DType::bf16, {m, k}, 1);
        const auto first = weight(DType::bf16, n, k, 2), second = weight(DType::bf16, 40, n, 4);
        const Tensor bias = random_tensor(DType::f32, {n}, 3);
        for (const Activation act : {Activation::none, Activation::gelu_tanh, Activation::silu}) {
          const PlainMatrix input = input_of(x);
          const PlainMatrix packed = ops::linear_packed(*backend_, input, *first, &bias, act,
                                                        DType::bf16, *second);
          const Tensor between = ops::linear(*backend_, x, *first, &bias, act);
          const std::string what = detail::concat(m, " x ", k, " -> ", n);
          expect_bytes(ops::linear(*backend_, packed, *second, nullptr, Activation::none, DType::bf16),
                       ops::linear(*backend_, between, *second, nullptr, Activation::none), what);
          EXPECT_EQ(packed.packed != nullptr && !packed.x.defined(),
                    GetParam() == "amx" && n % 32 == 0 && act != Activation::silu)
              << what;
        }
      }
}

TEST_P(PackedTest, WeightsOfOtherTypesTakeTensors) {
  const Tensor x = random_tensor(DType::bf16, {5, 64}, 1);
  const auto first = weight(DType::bf16, 96, 64, 2), second = weight(DType::f16, 7, 96, 3);
  const PlainMatrix between = ops::linear_packed(*backend_, input_of(x), *first, nullptr,
                                                 Activation::none, DType::bf16, *second);
  ASSERT_TRUE(between.x.defined());
  expect_bytes(ops::linear(*backend_, between, *second, nullptr, Activation::none, DType::bf16),
               ops::linear(*backend_, ops::linear(*backend_, x, *first, nullptr), *second, nullptr),
               "f16");
}

INSTANTIATE_TEST_SUITE_P(Tables, PackedTest, ::testing::ValuesIn(runnable_tables()),
                         [](const auto& table) { return table.param; });

}  // namespace
}  // namespace mxdit::conformance
