// What `mxdit inspect --device` shows of an NPU.
#include "backend/ascend/ascend_backend.h"

namespace mxdit::ascend {
namespace {

// The widest square layer of the Wan models: kernels may depend on the extents.
constexpr int64_t kFeatures = 5120;

}  // namespace

DeviceReport AscendBackend::report() const {
  DeviceReport report;
  report.device = name();
  report.processor = device_.soc();
  cann::describe(device_.libraries(), report);
  const auto add = [&](const char* product, const KernelChoice& choice) {
    report.products.push_back({product, choice.kernel, choice.passed_over});
  };
  const auto quantized = [&](const QuantFormat& format) {
    return quantized_kernel(format, format, kFeatures, kFeatures);
  };
  const auto linear = [&](LinearUse use) {
    return linear_kernel(DType::bf16, kFeatures, kFeatures, use);
  };
  add("linear, bf16 weights", linear({.bias = true}));
  add("linear, bf16 weights, no bias", linear({.bias = false}));
  add("linear, mxfp4_npu", quantized(kMxfp4Dual));
  add("linear, mxfp4", quantized(kMxfp4));
  add("linear, mxfp8", quantized(kMxfp8));
  add("linear, int8", quantized(kInt8Row));
  add("attention", attention_kernel(DType::bf16, false, AttentionPrecision::bf16));
  add("attention with a bias", attention_kernel(DType::bf16, true, AttentionPrecision::bf16));
  add("conv3d", {"aclnnConvolution NCDHW", {}});
  return report;
}

}  // namespace mxdit::ascend
