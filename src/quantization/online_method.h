// Quantizing plain weights at load: what the online keys share.
#pragma once

#include <memory>
#include <string>

#include "quantization/quantized_layer.h"
#include "quantization/registry.h"

namespace mxdit {

struct OnlineRecipe {
  std::string key;  // as of --quantization
  const QuantFormat* weight = nullptr;
  const QuantFormat* activation = nullptr;
  RoundMode activation_round = RoundMode::rint;
};

// Quantizes `<layer>.weight` by the format's own rule and round to nearest even. Errors: bad_input
// for a weight that is already quantized.
std::shared_ptr<const LinearMethod> make_online_method(const OnlineRecipe& recipe,
                                                       const ConfigArguments& arguments);

// The online method for every layer but those that --quantization-ignored-layers names, and those
// whose shape the format cannot take (`refuses` returns why; empty: takes it), which stay plain.
std::unique_ptr<QuantConfig> make_online_config(
    std::shared_ptr<const LinearMethod> method, const ConfigArguments& arguments,
    std::string (*refuses)(int64_t out_features, int64_t in_features));

// Whether one of `ignored` is a run of whole dotted segments of `layer`.
bool is_ignored(const std::string& layer, const std::vector<std::string>& ignored);

}  // namespace mxdit
