#include "quantization/methods/mxfp4/method.h"

#include "quantization/online_method.h"

namespace mxdit {
namespace {

// The reference system's bound: narrow layers (proj_out has 64 outputs) cost little time and much
// of the picture.
constexpr int64_t kLeastOutputs = 256;

std::string refuses(int64_t out_features, int64_t in_features) {
  if (out_features < kLeastOutputs)
    return "layers of less than " + std::to_string(kLeastOutputs) + " outputs stay plain";
  return refuses_odd_inputs(out_features, in_features);
}

std::unique_ptr<QuantConfig> make(const ConfigArguments& arguments) {
  const OnlineRecipe recipe = {"mxfp4", &kMxfp4, &kMxfp4, RoundMode::rint};
  return make_online_config(recipe, arguments, refuses);
}

}  // namespace

const QuantizationKey kMxfp4Key = {
    "mxfp4", "single-level MXFP4 weights and activations (E8M0 per 32), layers of 256 outputs on",
    true, false, "cpu, ascend", make};

}  // namespace mxdit
