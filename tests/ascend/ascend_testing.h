// What tests of the Ascend back end share: the device exact, which it has to equal to the bit, and
// inputs of odd shapes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ascend/emulator_control.h"
#include "ascend/equal_bytes.h"
#include "backend/ascend/ascend_backend.h"
#include "backend/registry.h"
#include "conformance/cases.h"
#include "ops/ops.h"

namespace mxdit::ascend {

// Every operator on both devices.
class AscendTest : public ::testing::Test {
 protected:
  using Compute = std::function<Tensor(Backend&)>;

  // Nothing leaked, and no rule of the emulator was broken unnoticed.
  void TearDown() override {
    ascend_.reset();
    EXPECT_EQ(EmulatorControl().broken_rules(), "");
  }

  // The same bytes, also when the calls are repeated with other memory.
  void expect_exact(const std::string& what, const Compute& compute) {
    const Tensor expected = exact_->to_host(compute(*exact_));
    for (const char* run : {"first run", "again"}) {
      SCOPED_TRACE(what + ", " + run);
      const Tensor result = compute(*ascend_);
      EXPECT_TRUE(equal_bytes(expected, ascend_->to_host(result)));
    }
  }

  // For what `exact` computes in fp32: values that differ by one unit in the last place of bf16, or
  // by 1e-5 of the largest value in fp32, here and there.
  void expect_close(const std::string& what, const Compute& compute) {
    SCOPED_TRACE(what);
    const Tensor expected = exact_->to_host(compute(*exact_));
    const Tensor got = ascend_->to_host(compute(*ascend_));
    ASSERT_EQ(expected.shape(), got.shape());
    const std::vector<double> a = conformance::values_of(expected), b = conformance::values_of(got);
    double largest = 0.0;
    int64_t different = 0;
    for (const double value : a) largest = std::max(largest, std::abs(value));
    for (size_t i = 0; i < a.size(); ++i) {
      different += a[i] != b[i];
      const double ulp = expected.dtype() == DType::bf16 ? std::abs(a[i]) / 128 : 0.0;
      ASSERT_LE(std::abs(a[i] - b[i]), ulp + 1e-5 * largest) << "element " << i << " of " << a[i];
    }
    if (expected.dtype() == DType::bf16) {
      EXPECT_LE(static_cast<double>(different), 0.01 * static_cast<double>(a.size()) + 1);
    }
  }

  std::unique_ptr<Backend> exact_ = make_backend("exact", {.threads = 2, .isa = ""});
  std::unique_ptr<AscendBackend> ascend_ = std::make_unique<AscendBackend>(DeviceOptions{});
};

using conformance::random_tensor;

// f32 whose values bf16 holds.
inline Tensor bf16_values(const Shape& shape, uint32_t seed, float scale = 1.0f) {
  Tensor tensor = random_tensor(DType::f32, shape, seed, scale);
  for (int64_t i = 0; i < tensor.elements(); ++i)
    tensor.as_mutable<float>()[i] = to_float(to_bf16(tensor.as<float>()[i]));
  return tensor;
}

}  // namespace mxdit::ascend
