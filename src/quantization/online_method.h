// Quantizing plain weights at load: what the online keys share.
#pragma once

#include <memory>
#include <string>

#include "quantization/layer_names.h"
#include "quantization/quantized_layer.h"
#include "quantization/registry.h"

namespace mxdit {

struct OnlineRecipe {
  std::string key;  // as of --quantization
  const QuantFormat* weight = nullptr;
  const QuantFormat* activation = nullptr;
  RoundMode activation_round = RoundMode::rint;
};

// Quantizes `<layer>.weight` by the format's own rule and round to nearest even, or maps the result
// of an earlier run (--quantization-cache, weight_cache.h). The plain weight's pages are given back
// afterwards. Errors: bad_input for a weight that is already quantized or not finite.
std::shared_ptr<const LinearMethod> make_online_method(const OnlineRecipe& recipe,
                                                       const ConfigArguments& arguments);

// The online method for every layer but those that --quantization-ignored-layers names, and those
// whose shape the format cannot take (`refuses` returns why; empty: takes it), which stay plain.
std::unique_ptr<QuantConfig> make_online_config(
    std::shared_ptr<const LinearMethod> method, const ConfigArguments& arguments,
    std::string (*refuses)(int64_t out_features, int64_t in_features));

// Both, for a key that has no stored form: Error{bad_input} when a checkpoint declares it.
std::unique_ptr<QuantConfig> make_online_config(
    const OnlineRecipe& recipe, const ConfigArguments& arguments,
    std::string (*refuses)(int64_t out_features, int64_t in_features));

// Reasons to refuse a shape, for make_online_config: none; an odd number of inputs, since two 4-bit
// elements share a byte.
std::string takes_all(int64_t out_features, int64_t in_features);
std::string refuses_odd_inputs(int64_t out_features, int64_t in_features);

}  // namespace mxdit
