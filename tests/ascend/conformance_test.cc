// The case table of the operators on the Ascend back end. What it refuses, or computes from
// parameters or products that it rounds to bf16, is counted: products_test.cc has such cases with
// numbers that need no rounding.
#include <array>
#include <cmath>

#include "ascend/ascend_testing.h"

namespace mxdit::ascend {
namespace {

using conformance::Case;
using conformance::Expectation;
using conformance::Instance;

// Formats that no operator of CANN takes, and heads that are wider than its rotary positions.
bool is_refusable(const std::string& name) {
  for (const char* format : {"/nvfp4/", "/fp8/", "/int8/", "/int8_unscaled/", "/mxfp8/mxfp4_dual/",
                             "/mxfp4_dual/mxfp4/", "x2/mxfp4/", "rope/5x1536/", "rope/5x5122/"})
    if (name.find(format) != std::string::npos) return true;
  return false;
}

// Dual-level products have no output wider than bf16.
bool is_narrowed(const std::string& name) {
  return name.find("/mxfp4_dual/F32") != std::string::npos;
}

void expect_close(const std::string& name, const Tensor& out, const Expectation& expected) {
  const std::vector<double> got = conformance::values_of(out);
  ASSERT_EQ(got.size(), expected.value.size());
  const DType type = is_narrowed(name) ? DType::bf16 : out.dtype();
  for (size_t i = 0; i < got.size(); ++i) {
    const double value = expected.value[i], bound = expected.bound[i];
    const double error = std::abs(got[i] - value);
    ASSERT_LE(error, bound + conformance::rounding(type, std::abs(value) + bound))
        << name << " element " << i << ": expected " << value << ", got " << got[i];
  }
}

TEST(AscendConformance, EveryCaseWithinItsBound) {
  AscendBackend backend(DeviceOptions{});
  int run = 0, refused = 0, rounded = 0;
  for (const Case& item : conformance::all_cases()) {
    const bool is_rounded_before_act =
        is_narrowed(item.name) && item.name.find("/act0") == std::string::npos;
    if (item.has_wide_parameters || is_rounded_before_act) {
      ++rounded;
      continue;
    }
    SCOPED_TRACE(item.name);
    try {
      Instance instance = item.make(backend);
      instance.run();
      expect_close(item.name, backend.to_host(instance.out), instance.expected());
      ++run;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unsupported) << error.what();
      EXPECT_TRUE(is_refusable(item.name)) << error.what();
      ++refused;
    }
  }
  std::printf("[ cases    ] %d within their bounds, %d refused, %d with more in bf16\n", run,
              refused, rounded);
}

}  // namespace
}  // namespace mxdit::ascend
