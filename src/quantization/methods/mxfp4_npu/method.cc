#include "quantization/methods/mxfp4_npu/method.h"

#include "quantization/online_method.h"

namespace mxdit {
namespace {

std::unique_ptr<QuantConfig> make(const ConfigArguments& arguments) {
  const OnlineRecipe recipe = {"mxfp4_npu", &kMxfp4Dual, &kMxfp4Dual, RoundMode::rint};
  return make_online_config(recipe, arguments, refuses_odd_inputs);
}

}  // namespace

const QuantizationKey kMxfp4NpuKey = {
    "mxfp4_npu", "dual-level MXFP4 weights and activations (fp32 per 512, E8M0 per 32)",
    true, false, "cpu, ascend", make};

}  // namespace mxdit
