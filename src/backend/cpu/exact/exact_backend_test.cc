#include "backend/cpu/exact/exact_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "backend/registry.h"
#include "formats/element.h"

namespace mxdit::cpu::exact {
namespace {

Tensor random_bf16(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> values;
  Tensor tensor = Tensor::host(DType::bf16, shape);
  for (int64_t i = 0; i < tensor.elements(); ++i)
    tensor.as_mutable<bf16>()[i] = to_bf16(values(random));
  return tensor;
}

double at(const Tensor& tensor, int64_t i) { return to_float(tensor.as<bf16>()[i]); }

class ExactBackendTest : public ::testing::Test {
 protected:
  std::unique_ptr<Backend> backend_ = make_backend("exact", {.threads = 2, .isa = ""});
};

// Summed backwards, which no kernel does: the bits are the same whatever the order.
TEST_F(ExactBackendTest, ProductsDoNotDependOnTheOrderOfSums) {
  const int64_t m = 70, n = 37, k = 1500;
  const Tensor x = random_bf16({m, k}, 1), w = random_bf16({n, k}, 2);
  Tensor out = backend_->empty(DType::bf16, {m, n});
  backend_->linear(x, *backend_->prepare_linear(w), nullptr, Activation::none, out);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0.0;
      for (int64_t c = k - 1; c >= 0; --c) sum += at(x, i * k + c) * at(w, j * k + c);
      ASSERT_EQ(out.as<bf16>()[i * n + j].bits, to_bf16(static_cast<float>(sum)).bits);
    }
}

TEST_F(ExactBackendTest, ActivationsTakeTheRoundedProduct) {
  const Tensor x = random_bf16({9, 64}, 3), w = random_bf16({11, 64}, 4);
  const auto weight = backend_->prepare_linear(w);
  Tensor product = backend_->empty(DType::bf16, {9, 11}), out = backend_->empty(DType::bf16, {9, 11});
  backend_->linear(x, *weight, nullptr, Activation::none, product);
  backend_->activate(Activation::gelu_tanh, product, nullptr, product);
  backend_->linear(x, *weight, nullptr, Activation::gelu_tanh, out);
  for (int64_t i = 0; i < out.elements(); ++i)
    EXPECT_EQ(out.as<bf16>()[i].bits, product.as<bf16>()[i].bits);
}

TEST_F(ExactBackendTest, IsADeviceOfItsOwn) {
  EXPECT_EQ(backend_->name(), "exact");
  EXPECT_EQ(backend_->report().device, "exact");
  try {
    make_backend("exact", {.threads = 1, .isa = "avx2"});
    FAIL() << "accepted a kernel table";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("got avx2"));
  }
}

}  // namespace
}  // namespace mxdit::cpu::exact
