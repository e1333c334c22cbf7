#include "quantization/methods/mxfp8/method.h"

#include "quantization/online_method.h"

namespace mxdit {
namespace {

std::unique_ptr<QuantConfig> make(const ConfigArguments& arguments) {
  const OnlineRecipe recipe = {"mxfp8", &kMxfp8, &kMxfp8, RoundMode::rint};
  return make_online_config(recipe, arguments, takes_all);
}

}  // namespace

const QuantizationKey kMxfp8Key = {
    "mxfp8", "MXFP8 weights and activations (E4M3, E8M0 per 32)", true, false, "cpu, ascend", make};

}  // namespace mxdit
