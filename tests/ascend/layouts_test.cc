// Weights in FRACTAL_NZ: the device's cast gives the bytes of the host permutation, and what the
// back end says where a layout or an operator is missing.
#include <cstdlib>

#include "ascend/ascend_testing.h"
#include "backend/ascend/fractal_nz.h"

namespace mxdit::ascend {
namespace {

class Layouts : public AscendTest {};

// Element bytes of a weight as the device laid them out, and the same by hand.
void expect_permuted(AscendBackend& backend, const QuantFormat& format, int64_t n, int64_t k) {
  SCOPED_TRACE(mxdit::detail::concat(format.name, " ", n, "x", k));
  const QuantizedMatrix matrix =
      ops::quantize(backend, backend.from_host(random_tensor(DType::bf16, {n, k}, 1)), format);
  const auto prepared = backend.prepare_quantized(matrix);
  const auto& weight = static_cast<const QuantizedWeight&>(*prepared);
  ASSERT_TRUE(weight.is_nz);
  const Tensor expected = to_fractal_nz(backend.to_host(matrix.elements).view_as(DType::u8));
  EXPECT_TRUE(equal_bytes(expected.reshape({expected.elements()}),
                          backend.to_host(weight.elements)));
}

TEST_F(Layouts, DeviceCastGivesTheBytesOfTheHostPermutation) {
  for (const auto& [n, k] : {std::pair<int64_t, int64_t>{48, 256}, {17, 66}, {2, 4}, {100, 1538}})
    for (const QuantFormat* format : {&kMxfp4Dual, &kMxfp4, &kMxfp8})
      expect_permuted(*ascend_, *format, n, k);
}

TEST_F(Layouts, DualLevelScalesAreTurned) {
  const Tensor x = random_tensor(DType::bf16, {5, 1100}, 2);
  const QuantizedMatrix matrix = ops::quantize(*ascend_, ascend_->from_host(x), kMxfp4Dual);
  const auto prepared = ascend_->prepare_quantized(matrix);
  const Tensor turned =
      ascend_->to_host(static_cast<const QuantizedWeight&>(*prepared).scale);
  const Tensor stored = ascend_->to_host(matrix.scale);
  ASSERT_EQ(turned.shape(), (Shape{3, 5}));
  for (int64_t row = 0; row < 5; ++row)
    for (int64_t group = 0; group < 3; ++group)
      EXPECT_EQ(turned.as<float>()[group * 5 + row], stored.as<float>()[row * 3 + group]);
}

TEST_F(Layouts, PlainWeightsAreLaidOutByTheirUse) {
  const auto layout = [&](LinearUse use, DType x, int64_t n, int64_t k) {
    const auto weight =
        ascend_->prepare_linear(ascend_->from_host(random_tensor(DType::bf16, {n, k}, 3)), use);
    ops::linear(*ascend_, ascend_->from_host(random_tensor(x, {2, k}, 4)), *weight, nullptr);
    return static_cast<const LinearWeight&>(*weight).is_nz;
  };
  EXPECT_TRUE(layout({.bias = false}, DType::bf16, 20, 40));
  EXPECT_FALSE(layout({.bias = true}, DType::bf16, 20, 40));
  EXPECT_FALSE(layout({.bias = false}, DType::f32, 20, 40));
  EXPECT_FALSE(layout({.bias = false}, DType::bf16, 1, 40));
  EXPECT_FALSE(layout({.bias = false}, DType::bf16, 20, 1));
  EXPECT_EQ(ascend_->linear_kernel(DType::bf16, 20, 40, {.bias = false}).kernel,
            "aclnnMatmulWeightNz bf16, FRACTAL_NZ");
  EXPECT_EQ(ascend_->linear_kernel(DType::bf16, 1, 40, {.bias = false}).kernel,
            "aclnnMatmul bf16");
  EXPECT_EQ(ascend_->linear_kernel(DType::bf16, 20, 40, {.bias = true}).kernel, "aclnnAddmm bf16");
}

// An environment variable for as long as the object lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

void expect_dual_level_refused(AscendBackend& backend) {
  const KernelChoice dual = backend.quantized_kernel(kMxfp4Dual, kMxfp4Dual, 64, 64);
  for (const char* part : {"Ascend 950", "Ascend910B3", "mxfp8"})
    EXPECT_NE(dual.refusal.find(part), std::string::npos) << dual.refusal;
  EXPECT_EQ(backend.quantized_kernel(kMxfp8, kMxfp8, 64, 64).refusal, "");
  const Tensor x = backend.from_host(random_tensor(DType::bf16, {2, 64}, 1));
  try {
    ops::quantize(backend, x, kMxfp4Dual);
    ADD_FAILURE() << "mxfp4_dual was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported) << error.what();
  }
}

TEST(OtherDevices, DualLevelNeedsAnAscend950) {
  EmulatorControl emulator;
  emulator.reset();
  emulator.set("soc", "Ascend910B3");
  {
    AscendBackend backend(DeviceOptions{});
    expect_dual_level_refused(backend);
  }
  emulator.reset();
}

TEST(OtherDevices, ChoiceOfTheLayoutIsRead) {
  const Environment choice("MXDIT_ASCEND_NZ", "elsewhere");
  try {
    AscendBackend backend(DeviceOptions{});
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("elsewhere"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace mxdit::ascend
