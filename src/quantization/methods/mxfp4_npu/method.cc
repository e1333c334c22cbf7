#include "quantization/methods/mxfp4_npu/method.h"

#include "core/error.h"
#include "quantization/online_method.h"

namespace mxdit {
namespace {

std::string refuses(int64_t /*out_features*/, int64_t in_features) {
  if (in_features % 2 == 0) return "";
  return "two 4-bit elements share a byte, and the layer has an odd number of inputs";
}

std::unique_ptr<QuantConfig> make(const ConfigArguments& arguments) {
  if (arguments.declaration != nullptr)
    fail(ErrorKind::bad_input, "[quantization] ", arguments.declared_in,
         ": expected a quant_method of stored weights, got mxfp4_npu, which quantizes at load");
  const OnlineRecipe recipe = {"mxfp4_npu", &kMxfp4Dual, &kMxfp4Dual, RoundMode::rint};
  return make_online_config(make_online_method(recipe, arguments), arguments, refuses);
}

}  // namespace

const QuantizationKey kMxfp4NpuKey = {
    "mxfp4_npu", "dual-level MXFP4 weights and activations (fp32 per 512, E8M0 per 32)",
    true, false, "cpu", make};

}  // namespace mxdit
